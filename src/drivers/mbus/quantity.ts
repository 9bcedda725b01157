// A number of a record as a quantity for people: in the meter's own power of ten, with as many decimals as it resolves, so
// that a meter that counts tenths of a kilowatt-hour shows "1843.7 kWh".

import type { FieldValue } from "#contract/field.ts";
import { addDecimal, type Decimal, formatScaled } from "./decimal.ts";
import type { Vib } from "./vif.ts";

type Meaning = Pick<Vib, "unit" | "exponent" | "seconds" | "addends">;

/** Units that are read with a prefix: the smallest that shows the resolution without trailing zeros that claim nothing. */
const prefixed = new Set(["Wh", "J", "W", "J/h", "varh", "VAh", "var", "VA", "cal"]);
const prefixes = ["", "k", "M", "G", "T"] as const;
const timeUnits: Readonly<Record<number, string>> = { 60: "min", 3600: "h", 86400: "d" };

export function quantityOf(mantissa: number | bigint, meaning: Meaning): FieldValue {
  const { unit, power } = unitOf(meaning);
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
  return quantityOf(Number(whole + fraction), {
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

function unitOf({ unit, exponent, seconds }: Meaning): { unit: string; power: number } {
  if (seconds !== undefined) return { unit: timeUnits[seconds] ?? unit, power: 0 };
  if (unit === "HCA" || unit === "currency") return { unit: "", power: 0 };
  if (!prefixed.has(unit)) return { unit, power: 0 };
  const step = Math.max(0, Math.min(prefixes.length - 1, Math.ceil(exponent / 3)));
  return { unit: `${prefixes[step]}${unit}`, power: 3 * step };
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
