// Values to the registers that hold them, the other direction of registers.ts: exact, or refused in words. Pure.

import { addDecimal, type Decimal, decimalOf, divideExactly, formatScaled } from "#base/decimal.ts";
import { inOrder, type Layout, type RegisterType, wordsOf } from "./registers.ts";
import { type WallTimeType, wallTimeBytes } from "./wall-time.ts";

/** The words to write for a decimal, or why not, in words that follow the value: "is not a multiple of 0.5". */
export function encodeRegisters(layout: Layout, value: Decimal): readonly number[] | string {
  const bytes = new Uint8Array(wordsOf(layout) * 2);
  const view = new DataView(bytes.buffer);
  if (layout.type === "float32" || layout.type === "float64") {
    const number = (Number(formatScaled(value)) - (layout.offset ?? 0)) / (layout.scale ?? 1);
    if (layout.type === "float32") view.setFloat32(0, number);
    else view.setFloat64(0, number);
  } else {
    const raw = divideExactly(addDecimal(value, decimalOf(-(layout.offset ?? 0))), decimalOf(layout.scale ?? 1));
    if (raw === undefined) return `is not a multiple of ${layout.scale ?? 1}`;
    const range = integerRanges[layout.type];
    if (range === undefined) return `cannot be written to a register of type ${layout.type}`;
    if (raw < range[0] || raw > range[1]) return "does not fit into the register";
    const packed = packers[layout.type]?.(raw, layout) ?? raw;
    if (typeof packed === "string") return packed;
    const unsigned = BigInt.asUintN(bytes.length * 8, packed);
    for (let at = 0; at < bytes.length; at++) {
      bytes[bytes.length - 1 - at] = Number((unsigned >> BigInt(8 * at)) & 0xffn);
    }
  }
  return onWire(bytes, layout);
}

/** How a whole number stands in registers where that is not simply binary. */
const packers: Partial<Record<RegisterType, (raw: bigint, layout: Layout) => bigint | string>> = {
  bcd16: raw => BigInt(`0x${raw}`),
  bcd32: raw => BigInt(`0x${raw}`),
  "mod10k-32": raw => ((raw / 10_000n) << 16n) + (raw % 10_000n),
  bitfield: (raw, { mask = 0xffff, shift = 0 }) => {
    const shifted = raw << BigInt(shift);
    return (shifted & BigInt(mask)) === shifted ? shifted : "does not fit into its bits";
  },
};

/** The words of a text, filled up with noughts, or why not. */
export function encodeText(layout: Layout, text: string): readonly number[] | string {
  const bytes = new Uint8Array(wordsOf(layout) * 2);
  if (text.length > bytes.length) return `is longer than ${bytes.length} characters`;
  if (/[^\x20-\xff]/.test(text)) return "has characters that registers cannot hold";
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return onWire(bytes, layout);
}

/** The words of a time in milliseconds since 1970, or why not. */
export function encodeTime(layout: Layout, at: number): readonly number[] | string {
  const outside = "is a time the registers cannot hold";
  if (layout.type !== "unix32") {
    const bytes = wallTimeBytes(layout.type as WallTimeType, at);
    return bytes === undefined ? outside : onWire(bytes, layout);
  }
  const seconds = Math.floor(at / 1000);
  if (seconds < 0 || seconds > 0xffff_ffff) return outside;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, seconds);
  return onWire(bytes, layout);
}

/** Octets, highest first, to words in the order of the unit. */
function onWire(bytes: Uint8Array, { order = "ABCD", type }: Layout): readonly number[] {
  const view = new DataView(bytes.buffer);
  const words = Array.from({ length: bytes.length / 2 }, (_, n) => view.getUint16(2 * n));
  const wire = new DataView(inOrder(words, order, type === "string").buffer);
  return words.map((_, n) => wire.getUint16(2 * n));
}

const integerRanges: Readonly<Partial<Record<RegisterType, readonly [bigint, bigint]>>> = {
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  enum: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  bcd16: [0n, 9_999n],
  bcd32: [0n, 99_999_999n],
  "mod10k-32": [0n, 99_999_999n],
  bitfield: [0n, 0xffffn],
};
