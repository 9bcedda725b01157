// Registers whose layout nobody knows: every reading of them, and how well each fits what the display shows. Wrong word orders
// give plausible nonsense, so nothing is decided here: the readings are ranked, and a person chooses. Pure.

import { type Decimal, decimalOf, decimalOfFloat32, formatDecimal, multiplyDecimal } from "#base/decimal.ts";
import { decodeRegisters, type RegisterType, type WordOrder, wordOrders, wordsOf } from "./registers.ts";

export const numberTypes = [
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "uint64",
  "int64",
  "float64",
  "bcd16",
  "bcd32",
  "mod10k-32",
] as const satisfies readonly RegisterType[];
export type NumberType = (typeof numberTypes)[number];

export interface Interpretation {
  /** Registers from the first of the block. */
  readonly offset: number;
  readonly type: NumberType;
  readonly order: WordOrder;
  /** A power of ten: value = register x scale. */
  readonly scale: number;
  readonly value: Decimal;
  /** 0 to 100: 100 is what the display shows, to its last digit. Without a display: how much it looks like a measurement. */
  readonly fit: number;
}

/** What a display shows: "1843.7", "1 843,7 kWh". Undefined when it is no number, or could be two. */
export function shownNumber(text: string): Decimal | undefined {
  const plain = text.trim().replace(/(?<=\d)[ '\u00a0\u202f](?=\d{3})/g, "");
  const [, sign = "", whole = "", fraction = ""] =
    /^([+-]?)(\d{1,15})(?:[.,](\d{1,9}))?(?:\s*(?!e[+-]?\d)[^\d.,\s].*)?$/i.exec(plain) ?? [];
  if (whole === "") return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  return { mantissa: sign === "-" ? -digits : digits, exponent: 0 - fraction.length };
}

/** The value of this layout at this place; undefined where there is none, or too few registers are left. */
export function valueAt(
  registers: readonly number[],
  offset: number,
  type: NumberType,
  order: WordOrder,
): Decimal | undefined {
  const own = registers.slice(offset, offset + wordsOf({ type }));
  const value = decodeRegisters({ type, order }, own);
  if (value.kind === "decimal") return value.value;
  if (value.kind !== "float") return undefined;
  return value.bits === 32 ? decimalOfFloat32(value.value) : decimalOf(value.value);
}

/** Of one register the words have no order. */
export const ordersOf = (type: NumberType): readonly WordOrder[] =>
  wordsOf({ type }) === 1 ? ["ABCD", "BADC"] : wordOrders;

const isFloat = (type: NumberType): boolean => type.startsWith("float");

/** Displays show kW where registers count W; integers hide a decimal point. */
const exponentsOf = (type: NumberType): readonly number[] =>
  isFloat(type) ? [0, -3, 3] : [0, -1, -2, -3, -4, 1, 2, 3];

/** Every reading of the block that means a number, best first; those that fit nothing at all are left out when `shown` is given. */
export function interpretationsOf(registers: readonly number[], shown?: Decimal): readonly Interpretation[] {
  const found: Interpretation[] = [];
  for (let offset = 0; offset < registers.length; offset++) {
    for (const type of numberTypes) {
      for (const order of ordersOf(type)) {
        const raw = valueAt(registers, offset, type, order);
        if (raw === undefined || isTwin(registers, offset, type, order, raw)) continue;
        const own = registers.slice(offset, offset + wordsOf({ type }));
        const number = Number(formatDecimal(raw));
        for (const exponent of shown === undefined ? [0] : exponentsOf(type)) {
          const base = shown === undefined ? looks(type, raw, number) : fitOf(number * 10 ** exponent, shown);
          if (base === 0 && shown !== undefined) continue;
          const fit = Math.max(0, base - doubt(own, order, exponent));
          const value = multiplyDecimal(raw, { mantissa: 1, exponent });
          found.push({ offset, type, order, scale: Number(`1e${exponent}`), value, fit });
        }
      }
    }
  }
  return found.sort((a, b) => b.fit - a.fit || a.offset - b.offset);
}

/** A signed reading that says the same as the unsigned one is not told twice. */
function isTwin(
  registers: readonly number[],
  offset: number,
  type: NumberType,
  order: WordOrder,
  value: Decimal,
): boolean {
  if (!type.startsWith("int")) return false;
  const unsigned = valueAt(registers, offset, `u${type}` as NumberType, order);
  return unsigned !== undefined && formatDecimal(unsigned) === formatDecimal(value);
}

/** A live value moves on while one reads the display: this far off it may be the same one still. */
const nearShare = 0.05;

/** 100 within a unit of the last digit shown, 30 to 90 nearby, else 0. */
function fitOf(is: number, shown: Decimal): number {
  const wanted = Number(formatDecimal(shown));
  const off = Math.abs(is - wanted);
  // A display cuts off or rounds: a whole unit of its last digit either way. The little more is the error of this subtraction.
  if (off <= 10 ** shown.exponent * (1 + 1e-9)) return 100;
  const share = wanted === 0 ? Number.POSITIVE_INFINITY : off / Math.abs(wanted);
  return share > nearShare ? 0 : 90 - 60 * (share / nearShare);
}

/** Without a display: registers in the wrong order make floats of absurd size or with digits without end. */
function looks(type: NumberType, value: Decimal, signed: number): number {
  const number = Math.abs(signed);
  if (number === 0) return 20;
  if (!isFloat(type)) return number < 1e7 ? 40 : number < 1e10 ? 25 : 5;
  if (number < 1e-3 || number > 1e9) return 5;
  const digits = String(value.mantissa).replace(/^-/, "").replace(/0+$/, "").length;
  return digits <= 6 ? 80 : digits <= 9 ? 50 : 25;
}

/** What many layouts have in common is likelier; words that are all 0 or all 1 prove little. */
function doubt(own: readonly number[], order: WordOrder, exponent: number): number {
  const rare = { ABCD: 0, CDAB: 1, DCBA: 3, BADC: 4 }[order];
  const empty = own.filter(word => word === 0 || word === 0xffff).length;
  return rare + Math.min(4, Math.abs(exponent)) + (empty === own.length ? 20 : 2 * empty);
}
