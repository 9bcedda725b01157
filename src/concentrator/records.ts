// What the concentrator asks of a store: nodes that survive a power cut, and readings, messages and times of change that
// may lose their last second. The room `store` implements these over SQLite; the concentrator knows no SQL.

import type { Field, Sample } from "./contract/field.ts";
import type { NodeMessage, NodeRef, NodeState, Tag } from "./contract/node.ts";

/** What the concentrator itself, not the node's type, is told of a node; absent is as usual. */
export interface NodeOptions {
  /** False: a thing that is not told to the registry; it belongs to the appliance. */
  readonly registered?: false;
  /** Its history is kept so long, at most as long as the appliance keeps any. */
  readonly historyDays?: number;
}

/** A node as configured. `settings` are as given, validated anew by the node type whenever they are loaded. */
export interface NodeRecord {
  readonly ref: NodeRef;
  /** In the same source; undefined at the root. */
  readonly parent: NodeRef | undefined;
  readonly type: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly displayName: string;
  readonly tags: readonly Tag[];
  readonly options?: NodeOptions;
  /** Order among siblings, ascending. */
  readonly position: number;
  /** Milliseconds since 1970 UTC. */
  readonly createdAt: number;
  readonly changedAt: number;
}

/** Durable when a call returns; each call is one transaction, all or nothing. */
export interface NodeStore {
  /** Parents before children, siblings by position. */
  load(): NodeRecord[];
  insert(records: readonly NodeRecord[]): void;
  update(record: NodeRecord): void;
  /** Each under its former name as `record` says; what hangs below a renamed node goes on hanging there. */
  replace(changes: readonly { readonly ref: NodeRef; readonly record: NodeRecord }[]): void;
  remove(refs: readonly NodeRef[]): void;
}

/** A value with its own time: devices that speak unasked do not tell all their fields at once. */
export interface LatestField {
  readonly at: number;
  readonly field: Field;
}

/** Readings. Nothing here waits for the disk: rows are written behind, in batches. */
export interface Readings {
  /** Into history and latest values. */
  record(node: NodeRef, sample: Sample): void;
  /** Into the latest values in memory only: a readout writes nothing. */
  remember(node: NodeRef, sample: Sample): void;
  /** The last value told of each field, with its own time; empty when nothing was ever told. */
  latest(node: NodeRef): readonly LatestField[];
  /** Recorded samples with from <= at <= to, oldest first, read in pages as they are taken. */
  between(node: NodeRef, from: number, to: number): Iterable<Sample>;
  /** The node is gone: so is all it said. */
  forget(node: NodeRef): void;
  /** The node is called otherwise from now on; what it said is still its own. */
  rename(from: NodeRef, to: NodeRef): void;
  /** How long its history is kept; undefined: as long as that of all others. Not remembered over a restart. */
  keepFor(node: NodeRef, keepMs: number | undefined): void;
}

/** Messages on nodes and the time each source last changed, kept over a restart. */
export interface Statuses {
  messages(): readonly { readonly node: NodeRef; readonly messages: readonly NodeMessage[] }[];
  /** The present set of a node's messages, replacing the last. */
  keepMessages(node: NodeRef, messages: readonly NodeMessage[]): void;
  sourceChanges(): ReadonlyMap<string, number>;
  keepSourceChange(sourceId: string, at: number): void;
}

/** A change of a source as it is kept: what was told of it, or can be told when the node is gone. */
export interface SourceEvent {
  readonly kind: "added" | "updated" | "removed" | "status" | "movedUp" | "movedDown";
  readonly node: NodeRef;
  /** Unlike that of any other event of the source, milliseconds since 1970 UTC. */
  readonly at: number;
  /** updated: the name before, when that changed. */
  readonly old?: NodeRef;
  /** added: the sibling before it, where siblings have an order. */
  readonly after?: NodeRef;
  readonly displayName: string;
  readonly nodeType: string;
  readonly parent?: NodeRef;
  readonly state: NodeState;
  /** status: all there were from then on. */
  readonly messages?: readonly NodeMessage[];
}

/** The past of each source, written behind, for those who were away. */
export interface EventLog {
  append(event: SourceEvent): void;
  /** Events with `from` <= at, oldest first, at most `max` of them; those that wait to be written are among them. */
  since(sourceId: string, from: number, max: number): SourceEvent[];
  /** How many there are, counting no further than `max`. */
  count(sourceId: string, from: number, max: number): number;
  /** From this time on no event of the source is missing. */
  completeFrom(sourceId: string): number;
  /** What was before this time is not, or not all, in the log. */
  beginAt(sourceId: string, at: number): void;
  /** Time of the newest event; undefined when there is none. */
  last(sourceId: string): number | undefined;
  /** Deletes events in which this text stands, a bounded number at a time; true when there is more to do. */
  forget(text: string): boolean;
}
