// A number of a record as a field for people: in the one unit its quantity has in every driver (docs/field-names.md), with as
// many decimals as the meter resolves, so that one that counts tenths of a kilowatt-hour shows "1843.7 kWh".

import {
  addDecimal,
  type Decimal,
  decimalOfFloat32,
  formatScaled,
  multiplyDecimal,
  roundDecimal,
} from "#base/decimal.ts";
import type { FieldValue } from "#contract/field.ts";
import { quantityOfDecimal, wholeNumberOf } from "../quantity.ts";
import type { Vib } from "./vif.ts";

type Meaning = Pick<Vib, "unit" | "exponent" | "seconds" | "addends">;

interface Shown {
  readonly unit: string;
  /** Of the meter's unit in the shown one: value x times x 10^power. */
  readonly power?: number;
  readonly times?: number;
}

/** Where the meter's own unit is not the one that is shown. Units of other systems stay: their conversion is not exact. */
const shownUnits: Readonly<Record<string, Shown>> = {
  Wh: { unit: "kWh", power: -3 },
  varh: { unit: "kvarh", power: -3 },
  VAh: { unit: "kVAh", power: -3 },
  J: { unit: "MJ", power: -6 },
  "J/h": { unit: "MJ/h", power: -6 },
  cal: { unit: "kcal", power: -3 },
  "m3/min": { unit: "m3/h", times: 60 },
  "m3/s": { unit: "m3/h", times: 3600 },
  "%RH": { unit: "%" },
  HCA: { unit: "" },
  currency: { unit: "" },
};
const timeUnits: Readonly<Record<number, string>> = { 60: "min", 3600: "h", 86400: "d" };
/** A real near zero may have more; nothing that was measured is lost by the cut. */
const decimalsMax = 20;

export function quantityOf(mantissa: number | bigint, meaning: Meaning): FieldValue {
  let exact: Decimal = { mantissa, exponent: meaning.exponent };
  for (const exponent of meaning.addends) exact = addDecimal(exact, { mantissa: 1, exponent });
  const { unit, times = 1, power = 0 } = shownUnitOf(meaning);
  exact = multiplyDecimal(exact, { mantissa: times, exponent: power });
  if (unit === "" && exact.exponent >= 0) return wholeNumber(BigInt(formatScaled(exact)));
  return quantityOfDecimal(roundDecimal(exact, decimalsMax), unit);
}

export function realQuantityOf(value: number, meaning: Meaning): FieldValue {
  const { mantissa, exponent } = decimalOfFloat32(value);
  return quantityOf(mantissa, { ...meaning, exponent: exponent + meaning.exponent });
}

/** Decided by what the meter declares and not by the value, so that it stays the same from reading to reading. */
const shownUnitOf = ({ unit, seconds }: Meaning): Shown =>
  seconds === undefined ? (shownUnits[unit] ?? { unit }) : { unit: timeUnits[seconds] ?? unit };

const wholeNumber = (value: bigint): FieldValue =>
  wholeNumberOf(value, BigInt.asIntN(32, value) === value ? "int32" : "int64");
