// Subscribing to changes of sensor data: EventSubscription.xsd, elements subscribe and unsubscribe. The answer and the events
// themselves are elements of the sensor-data interface in the same generation (COM-NS-04).

import { attr, attrOr, element, many, optional, type Value } from "#xml/codec.ts";
import { boolean, double, duration, identifier, type Scalar, ScalarError } from "#xml/scalars.ts";
import { nodeElement, tokens } from "./address.wire.ts";
import { askedCategories } from "./sensor-data.wire.ts";

const durationParts = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
/** Of years, months, days, hours, minutes, seconds: an interval needs no calendar, a month is 30 days of it. */
const partMs = [31_536_000_000, 2_592_000_000, 86_400_000, 3_600_000, 60_000, 1_000];

/** A duration that is not negative, in milliseconds (EV-SUB-05). */
const intervalMs: Scalar<number> = {
  parse(text) {
    const found = durationParts.exec(duration.parse(text));
    if (found === null) throw new ScalarError(`"${text.slice(0, 40)}" is negative`);
    return found.slice(1).reduce((sum, part, at) => sum + Number(part ?? 0) * (partMs[at] as number), 0);
  },
  format: ms => `PT${ms / 1000}S`,
};

/** How much is a change: greater than 0 (EV-SUB-06). */
const difference: Scalar<number> = {
  parse(text) {
    const value = double.parse(text);
    if (value <= 0) throw new ScalarError(`"${text.slice(0, 40)}" is not greater than 0`);
    return value;
  },
  format: double.format,
};

/** `value` is what the asker knows already; without `by`, `up` and `down` any change counts. */
export const field = element("f", {
  name: attr("n", identifier),
  value: optional("v", double),
  by: optional("by", difference),
  up: optional("up", difference),
  down: optional("dn", difference),
});
export type Field = Value<typeof field>;

/** No `fields` means all of the categories. `now` asks for a first event at once. */
export const subscribe = element("subscribe", {
  id: attr("id", identifier),
  categories: askedCategories,
  maxAgeMs: optional("maxAge", intervalMs),
  minIntervalMs: optional("minInt", intervalMs),
  maxIntervalMs: optional("maxInt", intervalMs),
  now: attrOr("req", boolean, false),
  tokens,
  nodes: many(nodeElement),
  fields: many(field),
});
export type Subscribe = Value<typeof subscribe>;

export const unsubscribe = element("unsubscribe", { id: attr("id", identifier) });
