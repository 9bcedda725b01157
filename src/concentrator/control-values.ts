// Values on their way to a parameter: checked against its kind, range and options, widened where nothing is lost, never
// clamped and never replaced (CTR-SET-07…09).

import { controlTextCharsMax } from "#limits.ts";
import { type ControlParameter, type ControlValue, takesOnly } from "./contract/control.ts";
import type { FieldValue } from "./contract/field.ts";

/** The value in the parameter's own kind, or what is wrong with it, for the person who sent it. */
export function fitValue(
  value: ControlValue,
  parameter: ControlParameter,
): { value: ControlValue } | { fault: string } {
  const widened = widen(value, parameter);
  if (widened === undefined) {
    const isTooLong = value.kind === "int64" && parameter.kind === "int32";
    return { fault: isTooLong ? "It takes a whole number of 32 bits." : takesOnly(parameter.kind) };
  }
  const fault = check(widened, parameter);
  return fault === undefined ? { value: widened } : { fault };
}

function widen(value: ControlValue, { kind }: ControlParameter): ControlValue | undefined {
  if (value.kind === kind) return value;
  if (value.kind === "int32" && kind === "int64") return { kind, value: BigInt(value.value) };
  if (value.kind === "int32" && kind === "double") return { kind, value: value.value };
  if (value.kind === "int64" && kind === "double") {
    const number = Number(value.value);
    return BigInt(number) === value.value ? { kind, value: number } : undefined;
  }
  if (value.kind === "date" && kind === "dateTime") return { kind, value: Date.parse(`${value.value}T00:00:00Z`) };
  if (value.kind === "enum" && kind === "string") return { kind, value: value.value };
  if (value.kind === "string" && kind === "enum") return { kind, value: value.value, type: "" };
  return undefined;
}

function check(value: ControlValue, parameter: ControlParameter): string | undefined {
  switch (value.kind) {
    case "int32":
      return Number.isInteger(value.value) && Math.abs(value.value + 0.5) <= 2 ** 31
        ? outOfRange(value.value, parameter)
        : "It takes a whole number of 32 bits.";
    case "int64":
      return BigInt.asIntN(64, value.value) === value.value
        ? outOfRange(value.value, parameter)
        : "It takes a whole number of 64 bits.";
    case "double":
      return Number.isFinite(value.value) ? outOfRange(value.value, parameter) : "It takes a finite number.";
    case "dateTime":
      return Number.isFinite(value.value) ? undefined : takesOnly(value.kind);
    case "color":
      return /^([0-9A-F]{6}|[0-9A-F]{8})$/i.test(value.value) ? undefined : takesOnly(value.kind);
    case "boolean":
      return undefined;
    default:
      if (value.value.length > controlTextCharsMax) return `It takes at most ${controlTextCharsMax} characters.`;
      return parameter.options === undefined || parameter.options.includes(value.value)
        ? undefined
        : `It takes one of ${parameter.options.join(", ")}.`;
  }
}

function outOfRange(value: number | bigint, { min, max, unit }: ControlParameter): string | undefined {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return undefined;
  const suffix = unit === undefined || unit === "" ? "" : ` ${unit}`;
  if (min === undefined) return `It takes at most ${max}${suffix}.`;
  return max === undefined ? `It takes at least ${min}${suffix}.` : `It takes ${min} to ${max}${suffix}.`;
}

/** A confirmed value as the device would tell it itself, with at least so many `decimals`. */
export function asFieldValue(value: ControlValue, unit = "", decimals = 0): FieldValue {
  switch (value.kind) {
    case "double":
      return {
        kind: "quantity",
        value: value.value,
        decimals: Math.max(decimals, shortestDecimals(value.value)),
        unit,
      };
    case "color":
      return { kind: "string", value: value.value };
    default:
      return value;
  }
}

export const decimalsOf = (value: FieldValue | undefined): number => (value?.kind === "quantity" ? value.decimals : 0);

/** Places after the point in the shortest text that gives this number back. */
function shortestDecimals(value: number): number {
  const [, fraction = "", exponent = "0"] = /^[-\d]+(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(String(value)) ?? [];
  return Math.min(100, Math.max(0, fraction.length - Number(exponent)));
}
