// Events of a data source: Concentrator.xsd, elements subscribe and unsubscribe, and the messages nodeAdded, nodeUpdated,
// nodeStatusChanged, nodeRemoved, nodeMovedUp, nodeMovedDown (section 8 of the concentrator interface).

import type { NodeMessage, NodeRef, NodeState } from "#contract/node.ts";
import { attr, attrOr, type Codec, element, group, many, mapped, optional, type Part, type Value } from "#xml/codec.ts";
import { boolean, dateTime, identifier, type Scalar, ScalarError, text } from "#xml/scalars.ts";
import { nodeAttributes, tokens } from "./address.wire.ts";
import { message, type NodeInfoOnWire, nodeInfo, nodeState } from "./nodes.wire.ts";

export const eventNames = [
  "nodeAdded",
  "nodeUpdated",
  "nodeStatusChanged",
  "nodeRemoved",
  "nodeMovedUp",
  "nodeMovedDown",
] as const;
export type EventName = (typeof eventNames)[number];
export type EventFlags = Readonly<Record<EventName, boolean>>;

/** Each true unless it is said not to be. */
const eventFlags: Part<EventFlags> = group({
  nodeAdded: attrOr("nodeAdded", boolean, true),
  nodeUpdated: attrOr("nodeUpdated", boolean, true),
  nodeStatusChanged: attrOr("nodeStatusChanged", boolean, true),
  nodeRemoved: attrOr("nodeRemoved", boolean, true),
  nodeMovedUp: attrOr("nodeMovedUp", boolean, true),
  nodeMovedDown: attrOr("nodeMovedDown", boolean, true),
});

/** Whole seconds, at least one; how many are too many is not a question of form (CON-SUB-01). */
const seconds: Scalar<number> = {
  parse(value) {
    const number = /^\s*\+?\d{1,15}\s*$/.test(value) ? Number(value) : 0;
    if (number < 1) throw new ScalarError(`"${value.slice(0, 40)}" is not a positive number of seconds`);
    return number;
  },
  format: value => value.toString(10),
};

/** Where the source may be left out it is "", the default source. `since`: milliseconds since 1970 UTC, inclusive. */
export const subscribe = element("subscribe", {
  sourceId: attrOr("src", identifier, ""),
  ttlSeconds: attr("ttl", seconds),
  since: optional("getEventsSince", dateTime),
  parameters: attrOr("parameters", boolean, false),
  messages: attrOr("messages", boolean, false),
  events: eventFlags,
  tokens,
});
export type Subscribe = Value<typeof subscribe>;

export const unsubscribe = element("unsubscribe", {
  sourceId: attrOr("src", identifier, ""),
  events: eventFlags,
  tokens,
});

export interface InfoEvent {
  readonly info: NodeInfoOnWire;
  readonly at: number;
}

/** An event that carries all that is said of a node, under a name of its own and with more attributes. */
const infoEvent = <T>(name: string, more: Part<T>): Codec<InfoEvent & T> => ({
  name,
  decode: (node, path = name) => ({
    info: nodeInfo.decode(node, path),
    at: attr("ts", dateTime).read(node, path),
    ...more.read(node, path),
  }),
  encode(value, ns) {
    const { attrs, children } = nodeInfo.encode(value.info, ns);
    const draft = { attrs: { ...attrs }, children: [] };
    attr("ts", dateTime).write(value.at, draft, ns);
    more.write(value, draft, ns);
    return { name, ns, attrs: draft.attrs, children };
  },
});

/** The sibling before it, in the same source. */
const after: Part<{ nodeId: string; partition: string } | undefined> = mapped(
  group({ nodeId: optional("aid", text), partition: attrOr("apt", text, "") }),
  ({ nodeId, partition }) => (nodeId === undefined ? undefined : { nodeId, partition }),
  value => value ?? { nodeId: undefined, partition: "" },
);

export const nodeAdded = infoEvent("nodeAdded", group({ after }));
/** `oldId`: what it was called before, only when that changed. */
export const nodeUpdated = infoEvent("nodeUpdated", group({ oldId: optional("oid", text) }));

const named = {
  ref: nodeAttributes,
  localId: optional("localId", text),
  logId: optional("logId", text),
};

export interface StatusEvent {
  readonly ref: NodeRef;
  readonly localId: string | undefined;
  readonly logId: string | undefined;
  readonly state: NodeState;
  readonly at: number;
  readonly messages: readonly NodeMessage[];
}
export const nodeStatusChanged: Codec<StatusEvent> = element("nodeStatusChanged", {
  ...named,
  state: attr("state", nodeState),
  at: attr("ts", dateTime),
  messages: many(message),
});

export const nodeRemoved = element("nodeRemoved", { ...named, at: attr("ts", dateTime) });
export const nodeMovedUp = element("nodeMovedUp", { ...named, at: attr("ts", dateTime) });
export const nodeMovedDown = element("nodeMovedDown", { ...named, at: attr("ts", dateTime) });
export type PlainEvent = Value<typeof nodeRemoved>;
