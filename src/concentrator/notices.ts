// What changes in the tree, told to whoever listens and kept over a restart: the times of change, and the messages on nodes.

import { createBroadcast } from "#base/broadcast.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, stackOf } from "#base/log.ts";
import { QueueFull } from "#base/turns.ts";
import { treeChangesMax } from "#limits.ts";
import { describeNode, type MessageType, type NodeRef } from "./contract/node.ts";
import type { Forest, TreeNode } from "./forest.ts";
import type { Statuses } from "./records.ts";
import {
  describeFault,
  type FaultText,
  removeMessages,
  setFault,
  setMessage,
  setRecovered,
  signMessages,
} from "./status.ts";

export interface TreeChange {
  readonly kind: "added" | "updated" | "removed" | "status" | "movedUp" | "movedDown";
  /** As the node is called after the change. */
  readonly node: NodeRef;
  /** Strictly increasing per source, milliseconds since 1970 UTC (CON-EVT-01). */
  readonly at: number;
  /** updated: what it was called before, only when its name changed. */
  readonly old?: NodeRef;
  /** added, below a parent whose children have an order: the sibling before it. */
  readonly after?: NodeRef;
}

/** Told of a change in the same turn in which it was made, with the node as it is now, or was when it was removed. */
export type ChangeUser = (change: TreeChange, node: TreeNode) => void;

export interface NoticesDeps {
  readonly sources: Forest["sources"];
  readonly statuses: Statuses;
  readonly clock: Clock;
  readonly log: Log;
}

export function createNotices({ sources, statuses, clock, log }: NoticesDeps) {
  const broadcast = createBroadcast<TreeChange>(treeChangesMax);
  const users: ChangeUser[] = [];

  /** A time of change that no other change of the source has or will have. */
  const stamp = (sourceId: string): number => {
    const source = sources.get(sourceId);
    const at = Math.max(clock.now(), (source?.lastChanged ?? 0) + 1);
    if (source !== undefined) source.lastChanged = at;
    statuses.keepSourceChange(sourceId, at);
    return at;
  };
  const changed = (kind: TreeChange["kind"], node: TreeNode, more: Pick<TreeChange, "old" | "after"> = {}) => {
    const at = stamp(node.ref.sourceId);
    node.changedAt = at;
    const change: TreeChange = { kind, node: node.ref, at, ...more };
    for (const use of users) use(change, node);
    broadcast.send(change);
  };
  const statusChanged = (node: TreeNode) => {
    statuses.keepMessages(node.ref, [...node.messages.values()]);
    changed("status", node);
  };
  const faulted = (node: TreeNode, fault: FaultText) => {
    if (!setFault(node, fault, clock.now())) return;
    log.warning("node-failed", { node: describeNode(node.ref), event: fault.eventId, why: fault.text });
    statusChanged(node);
  };

  return {
    stamp,
    changed,
    whenChanged(use: ChangeUser) {
      users.push(use);
    },
    faulted,
    /** Seen by an operator: a warning or error counts less from now on, an information has nothing left to say. */
    acknowledged(node: TreeNode, eventIds?: readonly string[]): number {
      const signed = signMessages(node, eventIds);
      if (signed > 0) statusChanged(node);
      return signed;
    },
    /** What a device threw while it was used. A full queue is the asker's to wait for, not a fault of the node. */
    failed(node: TreeNode, error: unknown) {
      if (error instanceof QueueFull) return;
      const fault = describeFault(error);
      if (fault.ours) log.error("driver-failed", { node: describeNode(node.ref), error, stack: stackOf(error) });
      faulted(node, fault);
    },
    /** Without `events`, all faults of the node are over. */
    recovered(node: TreeNode, events?: readonly string[]) {
      if (!setRecovered(node, clock.now(), events)) return;
      log.notice("node-recovered", { node: describeNode(node.ref) });
      statusChanged(node);
    },
    /** A message that is not a fault of the device. */
    warn(node: TreeNode, eventId: string, text: string) {
      if (setMessage(node, { at: clock.now(), type: "Warning", eventId, text })) statusChanged(node);
    },
    /** What a person or the program wants to have said on the node. */
    note(node: TreeNode, type: MessageType, eventId: string, text: string) {
      if (setMessage(node, { at: clock.now(), type, eventId, text })) statusChanged(node);
    },
    /** These messages, or all; a fault the device has at this moment stays. Returns how many went. */
    erase(node: TreeNode, eventIds?: readonly string[]): number {
      const gone = removeMessages(node, eventIds);
      if (gone > 0) statusChanged(node);
      return gone;
    },
    changes: (signal: AbortSignal) => broadcast.listen(signal, lost => log.warning("tree-changes-lost", { lost })),
  };
}
