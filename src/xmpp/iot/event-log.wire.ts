// Events for a log elsewhere (XEP-0337, urn:xmpp:eventlog): one generation. What a receiver cannot read of type and level it takes
// as the least, and keeps as it was said; a stack trace is taken as element and, as one example of the document has it, as attribute.

import { attr, body, element, many, mapped, one, optional, type Part, type Value } from "#xml/codec.ts";
import { child, type Element, element as make, textOf } from "#xml/element.ts";
import { dateTime, identifier, text } from "#xml/scalars.ts";

export const eventLogNs = "urn:xmpp:eventlog";

export const eventTypes = [
  "Debug",
  "Informational",
  "Notice",
  "Warning",
  "Error",
  "Critical",
  "Alert",
  "Emergency",
] as const;
export type EventType = (typeof eventTypes)[number];
export const eventLevels = ["Minor", "Medium", "Major"] as const;
export type EventLevel = (typeof eventLevels)[number];

/** One of the words, and as it was said where that is none of them. */
interface Word<W extends string> {
  readonly is: W;
  readonly said?: string;
}
const word = <W extends string>(name: string, words: readonly W[], standard: W): Part<Word<W>> =>
  mapped(
    optional(name, text),
    said => {
      const is = said === undefined ? standard : words.find(one => one === said);
      return is === undefined ? { is: standard, said: said ?? "" } : { is };
    },
    ({ is }) => (is === standard ? undefined : is),
  );

const stackTrace: Part<string | undefined> = {
  read(node: Element) {
    const inside = child(node, "stackTrace");
    return inside === undefined ? node.attrs.stackTrace : textOf(inside);
  },
  write(value, into, ns) {
    if (value !== undefined) into.children.push(make("stackTrace", ns, {}, [value]));
  },
};

const tag = element("tag", {
  name: attr("name", identifier),
  value: attr("value", text),
  type: optional("type", text),
});

export const log = element("log", {
  timestamp: attr("timestamp", dateTime),
  type: word("type", eventTypes, "Informational"),
  level: word("level", eventLevels, "Minor"),
  id: optional("id", text),
  object: optional("object", text),
  subject: optional("subject", text),
  facility: optional("facility", text),
  module: optional("module", text),
  message: one(element("message", { text: body(text) })),
  tags: many(tag),
  stackTrace,
});
export type EventLogEntry = Value<typeof log>;
