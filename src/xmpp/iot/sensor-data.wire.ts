// Readout request and response: SensorData.xsd, elements req, accepted, started, resp, done, cancel. The field elements
// themselves are in fields.wire.ts.

import type { Categories } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { attr, attrOr, type Codec, content, element, group, many, mapped, optional, type Value } from "#xml/codec.ts";
import { boolean, dateTime, identifier } from "#xml/scalars.ts";
import { nodeAttributes, nodeElement, tokens } from "./address.wire.ts";
import { categoryFlags, type SampleOnWire, timestamp } from "./fields.wire.ts";

const everything: Categories = {
  momentary: true,
  peak: true,
  status: true,
  computed: true,
  identity: true,
  historical: true,
};
/** `all` overrides the six letters (SD-REQ-03); it is written when all six are meant, and never on a field. */
export const askedCategories = mapped(
  group({ flags: categoryFlags, all: attrOr("all", boolean, false) }),
  ({ flags, all }) => (all ? everything : flags),
  flags => ({ flags, all: Object.values(flags).every(one => one) }),
);

const fieldName: Codec<string> = content("f", attr("n", identifier));

/** `from`, `to` inclusive and `when`: milliseconds since 1970 UTC. No `nodes` on a concentrator means none; no `names` means all. */
export const request = element("req", {
  id: attr("id", identifier),
  categories: askedCategories,
  from: optional("from", dateTime),
  to: optional("to", dateTime),
  when: optional("when", dateTime),
  tokens,
  nodes: many(nodeElement),
  names: many(fieldName),
});
export type Request = Value<typeof request>;

export const accepted = element("accepted", {
  id: attr("id", identifier),
  queued: attrOr("queued", boolean, false),
});
export const started = element("started", { id: attr("id", identifier) });
export const done = element("done", { id: attr("id", identifier) });
export const cancel = element("cancel", { id: attr("id", identifier) });

export interface NodeOnWire {
  readonly ref: NodeRef;
  readonly samples: readonly SampleOnWire[];
}

const node: Codec<NodeOnWire> = element("nd", { ref: nodeAttributes, samples: many(timestamp) });

/**
 * `samples` are those directly under `resp`: on a concentrator only errors that belong to no node, on a plain device all.
 * Mixing both is read, not written (SD-DIS-03).
 */
export const response = element("resp", {
  id: attr("id", identifier),
  more: attrOr("more", boolean, false),
  nodes: many(node),
  samples: many(timestamp),
});
export type Response = Value<typeof response>;
