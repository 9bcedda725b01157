// A number of a record as a quantity for people: with as many decimals as the meter resolves, so that one that counts tenths
// of a kilowatt-hour shows "1843.7 kWh".

import type { FieldValue } from "#contract/field.ts";
import { addDecimal, type Decimal, formatScaled } from "./decimal.ts";
import type { Vib } from "./vif.ts";

type Meaning = Pick<Vib, "unit" | "exponent" | "seconds" | "addends">;

/** One unit for each quantity (docs/field-names.md), unless the meter counts in base units itself. */
const shown: Readonly<Record<string, readonly [unit: string, power: number]>> = {
  Wh: ["kWh", 3],
  varh: ["kvarh", 3],
  VAh: ["kVAh", 3],
  J: ["MJ", 6],
  "J/h": ["MJ/h", 6],
  cal: ["kcal", 3],
};
const timeUnits: Readonly<Record<number, string>> = { 60: "min", 3600: "h", 86400: "d" };

export const quantityOf = (mantissa: number | bigint, meaning: Meaning): FieldValue =>
  quantityIn(unitOf(meaning), mantissa, meaning);

function quantityIn({ unit, power }: ShownUnit, mantissa: number | bigint, meaning: Meaning): FieldValue {
  let decimal: Decimal = { mantissa, exponent: meaning.exponent };
  for (const exponent of meaning.addends) decimal = addDecimal(decimal, { mantissa: 1, exponent });
  decimal = { mantissa: decimal.mantissa, exponent: decimal.exponent - power };
  if (unit === "" && decimal.exponent >= 0) return wholeNumber(decimal);
  return rounded(decimal, unit);
}

/** Shortest decimals that give the same 32-bit real again: what the meter resolved, not the noise of its binary form. */
export function realQuantityOf(value: number, meaning: Meaning): FieldValue {
  const [digits = "0", exponent = "0"] = shortest(value).toExponential().split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  return quantityIn(unitOf(meaning), Number(whole + fraction), {
    ...meaning,
    exponent: Number(exponent) - fraction.length + meaning.exponent,
  });
}

function shortest(value: number): number {
  for (let precision = 1; precision < 9; precision++) {
    const candidate = Number(value.toPrecision(precision));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

interface ShownUnit {
  readonly unit: string;
  readonly power: number;
}

/** Decided by what the meter declares and not by the value, so that it stays the same from reading to reading. */
function unitOf({ unit, exponent, seconds }: Meaning): ShownUnit {
  if (seconds !== undefined) return { unit: timeUnits[seconds] ?? unit, power: 0 };
  if (unit === "HCA" || unit === "currency") return { unit: "", power: 0 };
  const [large, power] = exponent > 0 ? (shown[unit] ?? [unit, 0]) : [unit, 0];
  return { unit: large, power };
}

function wholeNumber(decimal: Decimal): FieldValue {
  const value = BigInt(decimal.mantissa) * 10n ** BigInt(decimal.exponent);
  return BigInt.asIntN(32, value) === value ? { kind: "int32", value: Number(value) } : { kind: "int64", value };
}

/** Beyond 2^53 a double cannot hold every place: it claims only those it has. */
function rounded(decimal: Decimal, unit: string): FieldValue {
  let { mantissa, exponent } = decimal;
  while (exponent < 0 && (mantissa > Number.MAX_SAFE_INTEGER || mantissa < Number.MIN_SAFE_INTEGER)) {
    const half = mantissa < 0 ? -5n : 5n;
    mantissa = (BigInt(mantissa) + half) / 10n;
    exponent++;
  }
  const value = Number(formatScaled({ mantissa, exponent }));
  // More decimals than toFixed can print are a real near zero: nothing is lost by the cut.
  return { kind: "quantity", value, decimals: Math.min(Math.max(0, -exponent), 20), unit };
}
