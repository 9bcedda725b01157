// The data of one record (EN 13757-3, 6.3 and annex A): integers, BCD, reals, variable length, dates. A pattern that means
// "no value" becomes none with its reason, never a number.

import { addDecimal, type Decimal, multiplyDecimal } from "#base/decimal.ts";
import { type DateValue, dateTypes, decodeDate } from "./dates.ts";
import { hex, hexReversed, latin1Reversed, reversedIf, type Vib } from "./vif.ts";

export type Value =
  /** As sent, not yet scaled: see `scaled`. `digits`: how many a BCD number has, leading zeros counted. */
  | { readonly kind: "number"; readonly mantissa: number | bigint; readonly digits?: number }
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

/** By data field; what is not here has none or a length of its own. */
const fixedOctets = [0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 0, 6] as const;
const signedTypes = ["", "int8", "int16", "int24", "int32", "", "int48", "", "int64"] as const;
const unsignedTypes = ["", "uint8", "uint16", "uint24", "uint32", "", "uint48", "", "uint64"] as const;
const bcdTypes = ["", "bcd2", "bcd4", "bcd6", "bcd8", "", "bcd12"] as const;

const noData: Data = { type: "none", value: { kind: "none" }, octets: 0 };
const selection: Data = { type: "selection", value: { kind: "none" }, octets: 0 };

/** Undefined when the data are cut off. `msb`: most significant octet first (CI 76). Data field 15 is not data. */
export function decodeData(
  bytes: Uint8Array,
  at: number,
  end: number,
  dataField: number,
  vib: Pick<Vib, "data" | "profile">,
  msb: boolean,
): Data | undefined {
  if (dataField === 0x0d) return variable(bytes, at, end, vib, msb);
  const octets = fixedOctets[dataField] as number;
  if (at + octets > end) return undefined;
  if (dataField === 0) return noData;
  if (dataField === 8) return selection;
  const from = msb ? at + octets - 1 : at;
  const step = msb ? -1 : 1;
  if (dataField > 8) return { type: bcdTypes[octets] as string, value: bcdAt(bytes, from, step, octets), octets };
  if (dataField === 5) return { type: "real32", value: real32(bytes, from, step), octets };
  if (vib.data === "date" || vib.data === "date-time") {
    const type = dateTypes[octets];
    if (type !== undefined) {
      const value = decodeDate(type, reversedIf(msb, bytes.subarray(at, at + octets)));
      return { type, value, octets };
    }
  }
  const unsigned = vib.data === "unsigned";
  const types = unsigned ? unsignedTypes : signedTypes;
  return { type: types[octets] as string, value: integerAt(bytes, from, step, octets, unsigned), octets };
}

const typeBInvalid: Value = { kind: "none", reason: "type-b-invalid" };

/** Octets from the least significant one on; `step` -1 where that is the last. */
function integerAt(bytes: Uint8Array, from: number, step: number, octets: number, unsigned: boolean): Value {
  if (octets > 6) return bigIntegerAt(bytes, from, step, unsigned);
  let value = 0;
  for (let n = octets - 1; n >= 0; n--) value = value * 256 + (bytes[from + n * step] as number);
  if (!unsigned) {
    const half = halves[octets] as number;
    if (value === half) return typeBInvalid;
    if (value > half) value -= 2 * half;
  }
  return { kind: "number", mantissa: value };
}

const halves = Array.from({ length: 7 }, (_, octets) => 2 ** (8 * octets - 1));

function bigIntegerAt(bytes: Uint8Array, from: number, step: number, unsigned: boolean): Value {
  const word = (first: number) => {
    let value = 0;
    for (let n = first + 3; n >= first; n--) value = value * 256 + (bytes[from + n * step] as number);
    return value;
  };
  const [low, high] = [word(0), word(4)];
  if (!unsigned && high === 0x8000_0000 && low === 0) return typeBInvalid;
  const signed = unsigned || high < 0x8000_0000 ? high : high - 0x1_0000_0000;
  // Up to 53 bits a number is exact, and lighter.
  const small = signed >= -0x20_0000 && signed < 0x20_0000;
  const mantissa = small ? signed * 0x1_0000_0000 + low : BigInt(signed) * 0x1_0000_0000n + BigInt(low);
  return { kind: "number", mantissa };
}

/** Type A, least significant octet first. F as top digit is a minus; any other digit above 9 is the meter's way to say "no value". */
export const bcd = (data: Uint8Array): Value => bcdAt(data, 0, 1, data.length);

const numberDigitsMax = 15;

function bcdAt(bytes: Uint8Array, from: number, step: number, octets: number): Value {
  if (octets === 0) return { kind: "none", reason: "empty" };
  const top = bytes[from + (octets - 1) * step] as number;
  const minus = top >= 0xf0;
  const digits = 2 * octets - (minus ? 1 : 0);
  let value = 0;
  for (let n = octets - 1; n >= 0; n--) {
    const octet = bytes[from + n * step] as number;
    const high = n === octets - 1 && minus ? 0 : octet >> 4;
    const low = octet & 0x0f;
    if (high > 9 || low > 9) return { kind: "none", reason: `bcd-nibble:${textOf(bytes, from, step, octets)}` };
    value = value * 100 + high * 10 + low;
  }
  if (digits <= numberDigitsMax) return { kind: "number", mantissa: minus && value !== 0 ? -value : value, digits };
  const exact = BigInt(textOf(bytes, from, step, octets).slice(minus ? 1 : 0));
  return { kind: "number", mantissa: minus ? -exact : exact, digits };
}

/** Hex digits, the most significant first. */
function textOf(bytes: Uint8Array, from: number, step: number, octets: number): string {
  return step === 1
    ? hexReversed(bytes.subarray(from, from + octets))
    : hex(bytes.subarray(from - octets + 1, from + 1));
}

/** All digits a number was sent with: what names something keeps its leading zeros. */
export function digitsOf({ mantissa, digits = 0 }: { mantissa: number | bigint; digits?: number }): string {
  const text = String(mantissa);
  return text.startsWith("-") ? `-${text.slice(1).padStart(digits, "0")}` : text.padStart(digits, "0");
}

const real = new DataView(new ArrayBuffer(4));

function real32(bytes: Uint8Array, from: number, step: number): Value {
  for (let n = 0; n < 4; n++) real.setUint8(n, bytes[from + n * step] as number);
  const value = real.getFloat32(0, true);
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

function variable(
  bytes: Uint8Array,
  at: number,
  end: number,
  vib: Pick<Vib, "profile">,
  msb: boolean,
): Data | undefined {
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
  const sent = bytes.subarray(from, from + length);
  // A series of values: its octets as they were sent (profile.ts).
  if (vib.profile !== undefined) return { type: "profile", value: { kind: "octets", hex: hex(sent) }, octets, lvar };
  // Sources disagree about text under CI 76: taken like every other field, so its order turns round too.
  const data = reversedIf(msb, sent);
  if (lvar <= 0xbf)
    return { type: "text", value: { kind: "text", text: latin1Reversed(data, 0, length) }, octets, lvar };
  if (lvar <= 0xc9) return { type: "bcd-lvar", value: bcd(data), octets, lvar };
  if (lvar <= 0xd9) return { type: "bcd-lvar-neg", value: negated(bcd(data)), octets, lvar };
  return { type: "binary-lvar", value: { kind: "octets", hex: hexReversed(data) }, octets, lvar };
}

function negated(value: Value): Value {
  if (value.kind !== "number" || BigInt(value.mantissa) === 0n) return value;
  return { ...value, mantissa: -value.mantissa };
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
