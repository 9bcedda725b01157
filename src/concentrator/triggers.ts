// When a value has changed enough for somebody to be told: the thresholds of the event interface (EV-TRG-02…06), pure.

import { type Ask, type Field, type FieldValue, meets } from "./contract/field.ts";
import { convert } from "./units.ts";

/** What counts as a change of a field, each greater than 0, any one of them enough; none at all: every change counts. */
export interface ChangeLimits {
  /** What the subscriber knows already, in the field's own unit. */
  readonly value?: number | undefined;
  readonly by?: number | undefined;
  readonly up?: number | undefined;
  readonly down?: number | undefined;
}

/** What the next value is compared with. */
export type Reference = FieldValue | { readonly kind: "given"; readonly value: number };

/** Fields whose changes matter: those named, or of all those that tell the present (EV-TRG-06). What is past changes nothing. */
export function isWatched({ name, categories }: Field, { names, categories: asked }: Ask): boolean {
  if (names.length > 0) return names.includes(name) && meets(categories, { ...asked, historical: false });
  return (asked.momentary && categories.momentary) || (asked.status && categories.status);
}

/** Without a reference the value was not known before, which is a change. A missing value is none (EV-TRG-05). */
export function isChange(before: Reference | undefined, now: FieldValue, limits: ChangeLimits = {}): boolean {
  if (now.kind === "missing") return false;
  if (before === undefined || before.kind === "missing") return true;
  const difference = differenceOf(before, now);
  if (difference === undefined) return !isSame(before, now);
  const { by, up, down } = limits;
  if (by === undefined && up === undefined && down === undefined) return difference !== 0;
  return (
    (by !== undefined && Math.abs(difference) >= by) ||
    (up !== undefined && difference >= up) ||
    (down !== undefined && -difference >= down)
  );
}

/** Undefined where there is no number to compare: texts, and quantities of different things. */
function differenceOf(before: Reference, now: FieldValue): number | undefined {
  if (before.kind === "int64" && now.kind === "int64") return Number(now.value - before.value);
  const to = numberOf(now);
  const from =
    before.kind === "quantity" && now.kind === "quantity"
      ? convert(before.value, before.unit, now.unit)
      : numberOf(before);
  // Twelve digits: 0.3 - 0.2 is a change by 0.1.
  return from === undefined || to === undefined ? undefined : Number((to - from).toPrecision(12));
}

/** EV-TRG-04: booleans as 0 and 1, times of all kinds in seconds. */
function numberOf(value: Reference): number | undefined {
  switch (value.kind) {
    case "given":
    case "quantity":
    case "int32":
      return value.value;
    case "int64":
      return Number(value.value);
    case "boolean":
      return value.value ? 1 : 0;
    case "dateTime":
      return value.value / 1000;
    case "date":
      return finite(Date.parse(`${value.value}T00:00:00Z`) / 1000);
    case "time":
      return finite(Date.parse(`1970-01-01T${value.value.slice(0, 12)}Z`) / 1000);
    case "duration":
      return secondsOf(value.value);
    default:
      return undefined;
  }
}

const finite = (number: number): number | undefined => (Number.isFinite(number) ? number : undefined);

const durationParts = /^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const partSeconds = [31_536_000, 2_592_000, 86_400, 3_600, 60, 1];

function secondsOf(text: string): number | undefined {
  const found = durationParts.exec(text);
  if (found === null) return undefined;
  const sum = found.slice(2).reduce((all, part, at) => all + Number(part ?? 0) * (partSeconds[at] as number), 0);
  return found[1] === "-" ? -sum : sum;
}

function isSame(before: Reference, now: FieldValue): boolean {
  if (before.kind === "missing" || now.kind === "missing" || before.kind !== now.kind) return false;
  return before.value === now.value && unitOf(before) === unitOf(now);
}

const unitOf = (value: Reference): string => (value.kind === "quantity" ? value.unit : "");
