// SunSpec values as fields and as what control sees: in the one unit each quantity has in every driver, exact. Pure.

import { type Decimal, decimalOf, decimalOfFloat32, formatDecimal, multiplyDecimal } from "#base/decimal.ts";
import type { ControlKind, ControlValue } from "#contract/control.ts";
import type { Categories, Field, FieldValue } from "#contract/field.ts";
import { quantityOfDecimal, wholeNumberOf } from "../quantity.ts";
import type { ModelPoint } from "./sunspec-definition.ts";
import type { PlacedPoint } from "./sunspec-layout.ts";
import type { PointValue } from "./sunspec-value.ts";

/** A point of a device under its name. */
export interface NamedPoint {
  readonly placed: PlacedPoint;
  readonly name: string;
  readonly categories: Categories;
}

interface Shown {
  readonly unit: string;
  /** Of the model's unit in the shown one: value x 10^power. */
  readonly power: number;
}

const shownUnits: Readonly<Record<string, Shown>> = {
  Wh: { unit: "kWh", power: -3 },
  WH: { unit: "kWh", power: -3 },
  VAh: { unit: "kVAh", power: -3 },
  varh: { unit: "kvarh", power: -3 },
  Varh: { unit: "kvarh", power: -3 },
  Var: { unit: "var", power: 0 },
  C: { unit: "Cel", power: 0 },
  AH: { unit: "Ah", power: 0 },
  kAH: { unit: "kAh", power: 0 },
  Degrees: { unit: "deg", power: 0 },
  Secs: { unit: "s", power: 0 },
  Sec: { unit: "s", power: 0 },
  mSecs: { unit: "ms", power: 0 },
  Tms: { unit: "s", power: 0 },
  Tmh: { unit: "h", power: 0 },
  Tmd: { unit: "d", power: 0 },
  ohms: { unit: "Ohm", power: 0 },
  kO: { unit: "kOhm", power: 0 },
  meters: { unit: "m", power: 0 },
  mps: { unit: "m/s", power: 0 },
  HPa: { unit: "hPa", power: 0 },
  "W/m^2": { unit: "W/m2", power: 0 },
  "%/s": { unit: "%/s", power: 0 },
};
/** They say what a number is, not what it measures. */
const noUnits = new Set(["cos()", "PF", "SF", "text", "YYYYMMDD", "hhmmss", "hhmmss.sssZ", "DeptRef", "Vm"]);

export function shownUnit({ name, units = "" }: ModelPoint): Shown {
  // A power factor in percent is shown as the factor it is.
  if (/^PF/.test(name)) return { unit: "", power: units === "Pct" ? -2 : 0 };
  if (noUnits.has(units)) return { unit: "", power: 0 };
  if (units.startsWith("%") || units.endsWith("Pct")) return { unit: perTime(units), power: 0 };
  return shownUnits[units] ?? { unit: units, power: 0 };
}

/** "% WMax/sec" is percent a second; of what stands in the manual of the model. */
const perTime = (units: string): string =>
  /\/sec$/i.test(units) ? "%/s" : /\/min$/.test(units) ? "%/min" : /\/dV$/.test(units) ? "%/%" : "%";

export function fieldOf(named: NamedPoint, value: PointValue): Field {
  const shown = fieldValue(named, value);
  return {
    name: named.name,
    value: shown,
    categories: named.categories,
    quality: shown.kind === "missing" ? { missing: true } : { automaticReadout: true },
    ...(named.placed.point.access === "RW" && { writable: true as const }),
  };
}

/** The unit did not give this part of its map: no value, and an error rather than an empty place. */
export const failedField = (named: NamedPoint, reason: string): Field => ({
  ...fieldOf(named, { kind: "none", reason }),
  quality: { missing: true, error: true },
});

function fieldValue({ placed: { point }, name }: NamedPoint, value: PointValue): FieldValue {
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
        : { kind: "enum", value: value.name, type: name };
    case "decimal":
      return isWhole(point)
        ? wholeNumberOf(BigInt(formatDecimal(value.value)), wholeKind(point))
        : quantityOfDecimal(inShownUnit(value.value, point), shownUnit(point).unit);
  }
}

const inShownUnit = (value: Decimal, point: ModelPoint): Decimal =>
  multiplyDecimal(value, { mantissa: 1, exponent: shownUnit(point).power });

/** Without unit and scale it counts or names; of a kind that does not change when it grows. */
const isWhole = (point: ModelPoint): boolean =>
  point.sf === undefined && !point.type.startsWith("float") && shownUnit(point).unit === "" && !/^PF/.test(point.name);

const wholeKind = ({ size, type }: ModelPoint): "int32" | "int64" =>
  size === 1 || (size === 2 && type === "int32") ? "int32" : "int64";

export function controlKind(point: ModelPoint): ControlKind {
  if (point.type === "string") return "string";
  if (point.symbols !== undefined) return point.type.startsWith("enum") ? "enum" : "string";
  return isWhole(point) ? wholeKind(point) : "double";
}

export function controlValueOf(named: NamedPoint, value: PointValue): ControlValue | undefined {
  const shown = fieldValue(named, value);
  switch (shown.kind) {
    case "quantity":
      return { kind: "double", value: shown.value };
    case "enum":
    case "string":
    case "int32":
    case "int64":
      return shown as ControlValue;
    default:
      return undefined;
  }
}

/** What a number that was asked for is in the unit of the model. */
export function decimalFor({ placed: { point } }: NamedPoint, value: number | bigint): Decimal {
  const exact: Decimal = typeof value === "bigint" ? { mantissa: value, exponent: 0 } : numberOf(point, value);
  return multiplyDecimal(exact, { mantissa: 1, exponent: -shownUnit(point).power });
}

const numberOf = ({ type }: ModelPoint, value: number): Decimal =>
  type === "float32" ? decimalOfFloat32(Math.fround(value)) : decimalOf(value);
