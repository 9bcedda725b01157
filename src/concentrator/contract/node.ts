// A node's address and what may be said of it. The triple is the protocol's: (NodeId, SourceId, Partition) is unique under
// one JID, compared by exact code points; empty means absent (COM-ID-01).

export interface NodeRef {
  readonly nodeId: string;
  readonly sourceId: string;
  readonly partition: string;
}

/** The source that holds the field devices: the interfaces' own name for it. */
export const meteringTopology = "MeteringTopology";
/** The source that holds the appliance itself as a thing. */
export const applianceSource = "Appliance";

/** The appliance as a thing has no node id of its own: it *is* the JID. */
export const rootRef: NodeRef = { nodeId: "", sourceId: "", partition: "" };

/** One text for a triple, for maps and sets; the separator cannot stand in XML, so no two triples share a key. */
export const nodeKey = (ref: NodeRef): string => kept.get(ref) ?? makeKey(ref);
const makeKey = (ref: NodeRef): string => `${ref.nodeId}\u0000${ref.sourceId}\u0000${ref.partition}`;

/** Keys of references that live as long as their node: they are asked for several times a node in each request. */
const kept = new WeakMap<NodeRef, string>();
export function withKey(ref: NodeRef): NodeRef {
  kept.set(ref, makeKey(ref));
  return ref;
}

export const sameNode = (a: NodeRef, b: NodeRef): boolean =>
  a.nodeId === b.nodeId && a.sourceId === b.sourceId && a.partition === b.partition;

/** "heat-3 (attic-mbus)": for people; the source is left out. */
export const describeNode = (ref: NodeRef): string =>
  ref.nodeId === "" ? "the appliance" : ref.partition === "" ? ref.nodeId : `${ref.nodeId} (${ref.partition})`;

/** Low to high; "Signed" is acknowledged by an operator. */
export const nodeStates = [
  "None",
  "Information",
  "WarningSigned",
  "WarningUnsigned",
  "ErrorSigned",
  "ErrorUnsigned",
] as const;
export type NodeState = (typeof nodeStates)[number];

export type MessageType = "Error" | "Warning" | "Information";

export interface NodeMessage {
  readonly at: number;
  readonly type: MessageType;
  /** Stable and unlocalised, one open message an id and node: "timeout", "line-lost". */
  readonly eventId: string;
  readonly text: string;
  /** An operator has acknowledged it. */
  readonly signed?: true;
}

/** A displayed parameter of a node (CON-NI-06). */
export interface DisplayParameter {
  readonly id: string;
  readonly name: string;
  readonly value:
    | { kind: "boolean"; value: boolean }
    | { kind: "int" | "double"; value: number }
    | { kind: "long"; value: bigint }
    | { kind: "string" | "color" | "duration" | "time"; value: string }
    | { kind: "dateTime"; value: number };
}

/** A label tag for the registry (DISCO-TAG): text or number. */
export interface Tag {
  readonly name: string;
  readonly value: string | number;
}

/** As people read it, and where that alone would not find it, as they write it: "board@@Appliance". */
export const writtenNode = (ref: NodeRef): string =>
  ref.nodeId === "" || ref.sourceId === meteringTopology
    ? describeNode(ref)
    : `${ref.nodeId}@${ref.partition}@${ref.sourceId}`;

/** A node as a person writes it: "heat-3", "heat-3@attic-mbus", or with another source "board@@Appliance". */
export function parseNode(text: string): NodeRef {
  const [nodeId = "", partition = "", sourceId = meteringTopology] = text.split("@");
  return { nodeId, sourceId, partition };
}
