// A point: what is known of one value of a unit, from profiles and from register nodes alike, and how its raw registers
// become a field and a written value becomes registers.

import {
  addDecimal,
  type Decimal,
  decimalOf,
  decimalOfFloat32,
  divideExactly,
  formatDecimal,
  roundDecimal,
} from "#base/decimal.ts";
import type { ControlKind, ControlValue } from "#contract/control.ts";
import type { Categories, Field, FieldValue } from "#contract/field.ts";
import { quantityOfDecimal, wholeNumberOf } from "../quantity.ts";
import { encodeRegisters, encodeText, encodeTime } from "./encoding.ts";
import type { Span } from "./plan.ts";
import { type Layout, placesMax, type RegisterValue } from "./registers.ts";

export const tables = ["coil", "discrete", "holding", "input"] as const;
export type Table = (typeof tables)[number];

export interface Point extends Span, Layout {
  readonly field: string;
  readonly table: Table;
  /** Registers of this point, 1 for a coil or discrete input. */
  readonly words: number;
  /** "" is dimensionless. */
  readonly unit: string;
  readonly categories: Categories;
  /** Places to show of a float or a scaled value; without it as many as the unit gives. */
  readonly decimals?: number;
  readonly writable?: Writable;
}

export interface Writable {
  readonly min?: number;
  readonly max?: number;
  /** Values are this far apart, counted from `min` or from 0. */
  readonly step?: number;
  /**
   * By which function it is written: 5 or 15 a coil, 6 or 16 registers, 23 registers that are read back in the same request.
   * Without it one value by the function for one, and by the other where that is refused as unknown.
   */
  readonly by?: 5 | 6 | 15 | 16 | 23;
}

const read = { automaticReadout: true } as const;

export const fieldOf = (point: Point, value: FieldValue): Field => ({
  name: point.field,
  value,
  categories: point.categories,
  quality: value.kind === "missing" ? { missing: true } : read,
  ...(point.writable && { writable: true }),
});

/** The unit refused this field or did not answer: no value, and an error rather than an empty place. */
export const failedField = (point: Point, reason: string): Field => ({
  ...fieldOf(point, { kind: "missing", reason }),
  quality: { missing: true, error: true },
});

export function fieldValue(point: Point, value: RegisterValue): FieldValue {
  switch (value.kind) {
    case "none":
      return { kind: "missing", reason: value.reason };
    case "text":
      return { kind: "string", value: value.value };
    case "flags":
      return { kind: "string", value: value.names.join(", ") };
    case "choice":
      return value.name === undefined
        ? { kind: "missing", reason: `code ${value.code} is not in the list` }
        : { kind: "enum", value: value.name, type: point.field };
    case "time":
      return { kind: "dateTime", value: value.at };
    case "float":
      return quantity(value.bits === 32 ? decimalOfFloat32(value.value) : decimalOf(value.value), point);
    case "decimal":
      return isWhole(point)
        ? wholeNumberOf(BigInt(formatDecimal(value.value)), wholeKind(point))
        : quantity(value.value, point);
  }
}

/** An integer without unit or scale is a number of its own, not a measured quantity. */
const isWhole = ({ unit, scale = 1, offset = 0, type }: Point) =>
  unit === "" && scale === 1 && offset === 0 && !type.startsWith("float");

/** By type, so that a field does not change its kind when it grows. */
const wholeKind = ({ type }: Point): "int32" | "int64" =>
  type === "uint32" || type === "int64" || type === "uint64" ? "int64" : "int32";

const quantity = (exact: Decimal, { unit, decimals = placesMax }: Point): FieldValue =>
  quantityOfDecimal(roundDecimal(exact, decimals), unit);

export function controlKind(point: Point): ControlKind {
  if (point.table === "coil") return "boolean";
  if (point.type === "enum" && point.names !== undefined) return "enum";
  if (point.type === "string") return "string";
  if (isTime(point)) return "dateTime";
  return isWhole(point) ? wholeKind(point) : "double";
}

/** The words to write, or why not, in words for a person. */
export function wordsFor(point: Point, value: ControlValue): readonly number[] | string {
  if (value.kind === "string" && point.type === "string") {
    const words = encodeText(point, value.value);
    return typeof words === "string" ? `"${value.value}" ${words}` : words;
  }
  if (value.kind === "dateTime" && isTime(point)) {
    const words = encodeTime(point, value.value);
    return typeof words === "string" ? `${new Date(value.value).toISOString()} ${words}` : words;
  }
  const decimal = decimalFor(point, value);
  if (typeof decimal === "string") return decimal;
  const fault = outside(point, decimal);
  if (fault !== undefined) return `${formatDecimal(decimal)} ${fault}`;
  const words = encodeRegisters(point, decimal);
  return typeof words === "string" ? `${formatDecimal(decimal)} ${words}` : words;
}

const isTime = ({ type }: Point): boolean => type === "unix32" || type.startsWith("datetime");

/** Checked here too, whoever asks: what is on the line cannot be taken back. */
function outside({ writable: { min, max, step } = {}, type }: Point, value: Decimal): string | undefined {
  const number = Number(formatDecimal(value));
  if (type === "enum") return undefined;
  if (min !== undefined && number < min) return `is less than ${min}`;
  if (max !== undefined && number > max) return `is more than ${max}`;
  if (step === undefined) return undefined;
  const steps = divideExactly(addDecimal(value, decimalOf(-(min ?? 0))), decimalOf(step));
  return steps === undefined ? `is not a multiple of ${step}${min === undefined ? "" : ` from ${min}`}` : undefined;
}

function decimalFor(point: Point, { kind, value }: ControlValue): Decimal | string {
  if (kind === "enum" || kind === "string") {
    for (const [code, name] of point.names ?? []) if (name === value) return decimalOf(code);
    return `"${value}" is not in the list`;
  }
  if (typeof value === "bigint") return { mantissa: value, exponent: 0 };
  if (typeof value === "number" && Number.isFinite(value)) return decimalOf(value);
  return `a ${kind} cannot be written here`;
}
