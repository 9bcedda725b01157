// From an exact decimal to a quantity field. A field holds a double, which has 15 digits: what is longer claims fewer places
// rather than wrong ones, and a number of which not even the whole part fits is told as text, digit for digit.

import { type Decimal, formatScaled, roundDecimal } from "#base/decimal.ts";
import type { FieldValue } from "#contract/field.ts";

export function quantityOfDecimal(exact: Decimal, unit: string): FieldValue {
  for (let claim = exact; ; claim = roundDecimal(claim, -claim.exponent - 1)) {
    const decimals = Math.max(0, -claim.exponent);
    const text = formatScaled(claim);
    // Adding 0 makes 0 of -0.
    const value = Number(text) + 0;
    if (Math.abs(value) < 1e21 && value.toFixed(decimals) === text) return { kind: "quantity", value, decimals, unit };
    if (decimals === 0) return { kind: "string", value: unit === "" ? text : `${text} ${unit}` };
  }
}

/** A number that counts or names and measures nothing: of a kind of its own, exact in 64 bits and as text beyond. */
export function wholeNumberOf(value: bigint, kind: "int32" | "int64"): FieldValue {
  if (kind === "int32") return { kind, value: Number(value) };
  return BigInt.asIntN(64, value) === value ? { kind, value } : { kind: "string", value: value.toString() };
}
