// Register words to values and back: types, word orders, exact decimal scaling, and what stands for "no value". Pure.
// Modbus itself defines words of 16 bits, high octet first; everything wider is custom, hence the four word orders.

import { addDecimal, type Decimal, decimalOf, decimalOfFloat32, multiplyDecimal, roundDecimal } from "#base/decimal.ts";
import { wallTimeOf } from "./wall-time.ts";

export const registerTypes = [
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "bcd16",
  "bcd32",
  "mod10k-32",
  "unix32",
  "datetime48",
  "datetime64",
  "datetime96",
  "string",
  "bits",
  "bitfield",
  "enum",
] as const;
export type RegisterType = (typeof registerTypes)[number];

/** Of the octets A (highest) to D as they come: ABCD is the usual one, CDAB has the low word first. */
export const wordOrders = ["ABCD", "CDAB", "BADC", "DCBA"] as const;
export type WordOrder = (typeof wordOrders)[number];

export interface Layout {
  readonly type: RegisterType;
  /** Default ABCD. For a string, BADC swaps the two characters of each word. */
  readonly order?: WordOrder;
  /** value = raw x scale + offset */
  readonly scale?: number;
  readonly offset?: number;
  /** Raw patterns in hexadecimal, as on the wire, that mean no value: "ffff". */
  readonly noValue?: readonly string[];
  /** Words of a string. */
  readonly words?: number;
  readonly mask?: number;
  readonly shift?: number;
  /** Names of the bits or of the enumeration's codes. */
  readonly names?: ReadonlyMap<number, string>;
}

export type RegisterValue =
  | { readonly kind: "decimal"; readonly value: Decimal }
  /** Exactly as the unit holds it; `bits` tells how much of it means something. */
  | { readonly kind: "float"; readonly value: number; readonly bits: 32 | 64 }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "flags"; readonly names: readonly string[] }
  | { readonly kind: "choice"; readonly code: number; readonly name: string | undefined }
  /** Milliseconds since 1970 UTC */
  | { readonly kind: "time"; readonly at: number }
  | { readonly kind: "none"; readonly reason: string };

export const wordsOf = ({ type, words }: Pick<Layout, "type" | "words">): number =>
  type === "string" ? (words ?? 1) : Number(/\d\d$/.exec(type)?.[0] ?? 16) >> 4 || 1;

/** `registers` are the words on the wire, from the point's address on; fewer than it needs is a value missing, not an error. */
export function decodeRegisters(layout: Layout, registers: readonly number[]): RegisterValue {
  const count = wordsOf(layout);
  if (registers.length < count) return none(`${registers.length} of ${count} registers were read`);
  const own = registers.slice(0, count);
  const raw = rawHex(own);
  if (layout.noValue?.some(pattern => pattern.toLowerCase() === raw)) return none(`the unit says no value (${raw})`);
  const bytes = inOrder(own, layout.order ?? "ABCD", layout.type === "string");
  const view = new DataView(bytes.buffer);
  switch (layout.type) {
    case "int16":
      return integer(BigInt(view.getInt16(0)), layout);
    case "uint16":
      return integer(BigInt(view.getUint16(0)), layout);
    case "int32":
      return integer(BigInt(view.getInt32(0)), layout);
    case "uint32":
      return integer(BigInt(view.getUint32(0)), layout);
    case "int64":
      return integer(view.getBigInt64(0), layout);
    case "uint64":
      return integer(view.getBigUint64(0), layout);
    case "float32":
      return float(view.getFloat32(0), 32, layout);
    case "float64":
      return float(view.getFloat64(0), 64, layout);
    case "bcd16":
    case "bcd32":
      return bcd(bytes, layout);
    case "mod10k-32":
      return mod10k(view.getUint16(0), view.getUint16(2), layout);
    case "unix32":
      return { kind: "time", at: view.getUint32(0) * 1000 };
    case "datetime48":
    case "datetime64":
    case "datetime96":
      return wallTimeOf(layout.type, bytes);
    case "string":
      return text(bytes);
    case "bits":
      return flags(view.getUint16(0), layout.names);
    case "bitfield":
      return integer(BigInt((view.getUint16(0) & (layout.mask ?? 0xffff)) >> (layout.shift ?? 0)), layout);
    case "enum": {
      const code = view.getUint16(0);
      return { kind: "choice", code, name: layout.names?.get(code) };
    }
  }
}

export const rawHex = (registers: readonly number[]): string =>
  registers.map(word => word.toString(16).padStart(4, "0")).join("");

/** Octets highest first. The two swaps undo themselves, so the same serves writing. */
export function inOrder(registers: readonly number[], order: WordOrder, isText: boolean): Uint8Array<ArrayBuffer> {
  const words = !isText && (order === "CDAB" || order === "DCBA") ? registers.toReversed() : registers;
  const swapped = order === "BADC" || order === "DCBA";
  const bytes = new Uint8Array(words.length * 2);
  words.forEach((word, n) => {
    bytes[2 * n] = swapped ? word & 0xff : word >> 8;
    bytes[2 * n + 1] = swapped ? word >> 8 : word & 0xff;
  });
  return bytes;
}

const none = (reason: string): RegisterValue => ({ kind: "none", reason });

/** A billionth of the unit: beyond it stand the leavings of scales such as 1/3, not measurements. */
export const placesMax = 9;

/** raw x scale + offset; a scale that is a fraction gives decimals, a whole one none. */
const scaleAndShift = (raw: Decimal, scale = 1, offset = 0): Decimal =>
  roundDecimal(addDecimal(multiplyDecimal(raw, decimalOf(scale)), decimalOf(offset)), placesMax);

const integer = (raw: bigint, { scale, offset }: Layout): RegisterValue => ({
  kind: "decimal",
  value: scaleAndShift({ mantissa: raw, exponent: 0 }, scale, offset),
});

function float(value: number, bits: 32 | 64, { scale, offset }: Layout): RegisterValue {
  if (!Number.isFinite(value)) return none(Number.isNaN(value) ? "not a number" : "infinite");
  if ((scale ?? 1) === 1 && (offset ?? 0) === 0) return { kind: "float", value, bits };
  // Scaled on the decimals that the unit meant: 0.1 in a float32 is 0.1, not 0.10000000149.
  const meant = bits === 32 ? decimalOfFloat32(value) : decimalOf(value);
  return { kind: "decimal", value: scaleAndShift(meant, scale, offset) };
}

function bcd(bytes: Uint8Array, layout: Layout): RegisterValue {
  const digits = Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  return /[a-f]/.test(digits) ? none(`not decimal digits (${digits})`) : integer(BigInt(digits), layout);
}

const mod10k = (high: number, low: number, layout: Layout): RegisterValue =>
  high > 9999 || low > 9999 ? none(`not in 0..9999 (${high}, ${low})`) : integer(BigInt(high * 10_000 + low), layout);

function text(bytes: Uint8Array): RegisterValue {
  if (bytes.every(byte => byte === 0xff)) return none("the unit says no value (all FF)");
  const value = String.fromCharCode(...bytes).replace(/[\0 ]+$/, "");
  // Control characters cannot stand in XML, and in a device's name they are rubbish anyway.
  return { kind: "text", value: value.replace(/\0.*$/s, "").replace(/\p{Cc}/gu, "?") };
}

const flags = (word: number, names: ReadonlyMap<number, string> | undefined): RegisterValue => ({
  kind: "flags",
  names: Array.from({ length: 16 }, (_, bit) => bit)
    .filter(bit => (word >> bit) & 1)
    .map(bit => names?.get(bit) ?? `bit ${bit}`),
});
