// The data of one record (EN 13757-3, 6.3 and annex A): integers, BCD, reals, variable length, dates. A pattern that means
// "no value" becomes none with its reason, never a number.

import { addDecimal, type Decimal, multiplyDecimal } from "#base/decimal.ts";
import { type DateValue, dateTypes, decodeDate } from "./dates.ts";
import { hex, latin1Reversed, reversedIf, type Vib } from "./vif.ts";

export type Value =
  /** As sent, not yet scaled: see `scaled`. `digits` is set for BCD, leading zeros kept. */
  | { readonly kind: "number"; readonly mantissa: number | bigint; readonly digits?: string }
  | { readonly kind: "real"; readonly value: number }
  | { readonly kind: "text"; readonly text: string }
  /** Upper-case hex, most significant octet first. */
  | { readonly kind: "octets"; readonly hex: string }
  | DateValue
  /** No value. `reason` is absent where the record has no data by its own say. */
  | { readonly kind: "none"; readonly reason?: string; readonly summerTime?: boolean };

export interface Data {
  /** "int32", "uint16", "bcd8", "real32", "text", "binary-lvar", "F", "none", "selection" … */
  readonly type: string;
  readonly value: Value;
  readonly octets: number;
  /** The octet that gave a variable length. */
  readonly lvar?: number;
  /** The length cannot be known: the rest of the telegram is lost. */
  readonly lengthUnknown?: true;
}

const fixedOctets: Readonly<Record<number, number>> = {
  0: 0,
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 4,
  6: 6,
  7: 8,
  8: 0,
  9: 1,
  10: 2,
  11: 3,
  12: 4,
  14: 6,
};

/** Undefined when the data are cut off. `msb`: most significant octet first (CI 76). Data field 15 is not data. */
export function decodeData(
  bytes: Uint8Array,
  at: number,
  end: number,
  dataField: number,
  vib: Vib,
  msb: boolean,
): Data | undefined {
  if (dataField === 0x0d) return variable(bytes, at, end, msb);
  const octets = fixedOctets[dataField] as number;
  if (at + octets > end) return undefined;
  if (dataField === 0) return { type: "none", value: { kind: "none" }, octets };
  if (dataField === 8) return { type: "selection", value: { kind: "none" }, octets };
  const data = reversedIf(msb, bytes.subarray(at, at + octets));
  if (dataField > 8) return { type: `bcd${2 * octets}`, value: bcd(data, false), octets };
  if (dataField === 5) return { type: "real32", value: real32(data), octets };
  const dateType = vib.data === "date" || vib.data === "date-time" ? dateTypes[octets] : undefined;
  if (dateType !== undefined) return { type: dateType, value: decodeDate(dateType, data), octets };
  const unsigned = vib.data === "unsigned";
  return { type: `${unsigned ? "u" : ""}int${8 * octets}`, value: integer(data, unsigned), octets };
}

function integer(data: Uint8Array, unsigned: boolean): Value {
  if (data.length > 6) return bigInteger(data, unsigned);
  let value = 0;
  for (let n = data.length - 1; n >= 0; n--) value = value * 256 + (data[n] as number);
  if (!unsigned) {
    const half = 2 ** (8 * data.length - 1);
    if (value === half) return { kind: "none", reason: "type-b-invalid" };
    if (value > half) value -= 2 * half;
  }
  return { kind: "number", mantissa: value };
}

function bigInteger(data: Uint8Array, unsigned: boolean): Value {
  const raw = BigInt(`0x${hex(data.toReversed())}`);
  const bits = 8 * data.length;
  if (!unsigned && raw === 1n << BigInt(bits - 1)) return { kind: "none", reason: "type-b-invalid" };
  return { kind: "number", mantissa: unsigned ? raw : BigInt.asIntN(bits, raw) };
}

/** Type A. F as top digit is a minus; any other digit above 9 is the meter's way to say "no value". */
export function bcd(data: Uint8Array, negative: boolean): Value {
  const text = hex(data.toReversed());
  const minus = text.startsWith("F");
  const digits = minus ? text.slice(1) : text;
  if (digits === "") return { kind: "none", reason: "empty" };
  for (let n = 0; n < digits.length; n++) {
    if (digits.charCodeAt(n) > 0x39) return { kind: "none", reason: `bcd-nibble:${text}` };
  }
  const magnitude = digits.length <= 15 ? Number(digits) : BigInt(digits);
  const sign = minus !== negative && BigInt(magnitude) !== 0n;
  return { kind: "number", mantissa: sign ? -magnitude : magnitude, digits };
}

function real32(data: Uint8Array): Value {
  const value = new DataView(data.buffer, data.byteOffset, 4).getFloat32(0, true);
  if (Number.isNaN(value)) return { kind: "none", reason: "nan" };
  if (!Number.isFinite(value)) return { kind: "none", reason: "infinity" };
  return { kind: "real", value };
}

/** Octets that follow an LVAR, undefined where it is reserved. BCD: as many octets as the low nibble says. */
function lvarOctets(lvar: number): number | undefined {
  if (lvar <= 0xbf) return lvar;
  if (lvar <= 0xc9) return lvar - 0xc0;
  if (lvar >= 0xd0 && lvar <= 0xd9) return lvar - 0xd0;
  if (lvar >= 0xe0 && lvar <= 0xef) return lvar - 0xe0;
  if (lvar >= 0xf0 && lvar <= 0xf4) return 4 * (lvar - 0xec);
  return lvar === 0xf5 ? 48 : lvar === 0xf6 ? 64 : undefined;
}

function variable(bytes: Uint8Array, at: number, end: number, msb: boolean): Data | undefined {
  if (at >= end) return undefined;
  const lvar = bytes[at] as number;
  const length = lvarOctets(lvar);
  if (length === undefined) {
    const reason = `lvar-reserved:${hex(bytes.subarray(at, at + 1))}`;
    return { type: "lvar", value: { kind: "none", reason }, octets: 1, lvar, lengthUnknown: true };
  }
  const from = at + 1;
  const octets = 1 + length;
  if (from + length > end) return undefined;
  // Sources disagree about text under CI 76: taken like every other field, so its order turns round too.
  const data = reversedIf(msb, bytes.subarray(from, from + length));
  if (lvar <= 0xbf)
    return { type: "text", value: { kind: "text", text: latin1Reversed(data, 0, length) }, octets, lvar };
  if (lvar <= 0xc9) return { type: "bcd-lvar", value: bcd(data, false), octets, lvar };
  if (lvar <= 0xd9) return { type: "bcd-lvar-neg", value: bcd(data, true), octets, lvar };
  return { type: "binary-lvar", value: { kind: "octets", hex: hex(data.toReversed()) }, octets, lvar };
}

/** A number in the base unit of its VIB, exact: power of ten, unit of time and addends applied. */
export function scaled(mantissa: number | bigint, vib: Pick<Vib, "exponent" | "seconds" | "addends">): Decimal {
  let decimal: Decimal = { mantissa, exponent: vib.exponent };
  if (vib.seconds !== undefined) decimal = multiplyDecimal(decimal, { mantissa: vib.seconds, exponent: 0 });
  for (const exponent of vib.addends) decimal = addDecimal(decimal, { mantissa: 1, exponent });
  return decimal;
}

/** A real in the base unit. Division by a power of ten rounds once where multiplication by its inverse rounds twice. */
export function scaledReal(value: number, vib: Pick<Vib, "exponent" | "seconds" | "addends">): number {
  const base = vib.exponent < 0 ? value / 10 ** -vib.exponent : value * 10 ** vib.exponent;
  return vib.addends.reduce((sum, exponent) => sum + 10 ** exponent, base * (vib.seconds ?? 1));
}
