// What changes in the tree, told to whoever listens and kept over a restart: the times of change, and the messages on nodes.

import { createBroadcast } from "#base/broadcast.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, stackOf } from "#base/log.ts";
import { QueueFull } from "#base/turns.ts";
import { treeChangesMax } from "#limits.ts";
import { describeNode, type NodeRef } from "./contract/node.ts";
import type { Forest, TreeNode } from "./forest.ts";
import type { Statuses } from "./records.ts";
import { describeFault, type FaultText, setFault, setMessage, setRecovered } from "./status.ts";

export interface TreeChange {
  readonly kind: "added" | "updated" | "removed" | "status";
  readonly node: NodeRef;
  /** Strictly increasing per source, milliseconds since 1970 UTC (CON-EVT-01). */
  readonly at: number;
}

export interface NoticesDeps {
  readonly sources: Forest["sources"];
  readonly statuses: Statuses;
  readonly clock: Clock;
  readonly log: Log;
}

export function createNotices({ sources, statuses, clock, log }: NoticesDeps) {
  const broadcast = createBroadcast<TreeChange>(treeChangesMax);

  const changed = (kind: TreeChange["kind"], node: TreeNode) => {
    const source = sources.get(node.ref.sourceId);
    const at = Math.max(clock.now(), (source?.lastChanged ?? 0) + 1);
    if (source !== undefined) source.lastChanged = at;
    node.changedAt = at;
    statuses.keepSourceChange(node.ref.sourceId, at);
    broadcast.send({ kind, node: node.ref, at });
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
    changed,
    faulted,
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
    changes: (signal: AbortSignal) => broadcast.listen(signal, lost => log.warning("tree-changes-lost", { lost })),
  };
}
