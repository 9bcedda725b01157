// One follower of a data source: what waits to be told him, what he sees, and how far he is behind. Events come to him with
// times that only go up, so that asking again from his last one misses nothing (CON-EVT-01).

import type { Scope } from "#base/scope.ts";
import { sourceEventsWaitingMax, statusEventMs } from "#limits.ts";
import type { NodeInfo } from "./concentrator.ts";
import type { Caller } from "./contract/caller.ts";
import type { NodeMessage, NodeRef, NodeState } from "./contract/node.ts";
import type { TreeSource } from "./forest.ts";
import type { SourceEvent } from "./records.ts";

/** What is told. Nodes are described as this follower may see them. */
export type SourceNews =
  | { readonly kind: "added"; readonly at: number; readonly info: NodeInfo; readonly after?: NodeRef }
  | { readonly kind: "updated"; readonly at: number; readonly info: NodeInfo; readonly old?: NodeRef }
  | {
      readonly kind: "status";
      readonly at: number;
      readonly node: NodeRef;
      readonly state: NodeState;
      readonly messages: readonly NodeMessage[];
    }
  | { readonly kind: "removed" | "movedUp" | "movedDown"; readonly at: number; readonly node: NodeRef };
export type NewsKind = SourceNews["kind"];

export interface FollowerHooks {
  wants(kind: NewsKind): boolean;
  /** Throws `Refusal` busy when it cannot be sent now: then it is told again later. */
  tell(news: SourceNews): void;
  /** The time is up, the source is no longer to be seen, or he cannot be kept up with: nothing more will come. */
  ended(): void;
}

/** In a queue beside what happened: what this follower sees of a node may not be what he saw. */
export type Waiting = SourceEvent | { readonly kind: "rights"; readonly node: NodeRef; readonly at: number };

export interface Follower {
  readonly caller: Caller;
  readonly source: TreeSource;
  readonly hooks: FollowerHooks;
  readonly scope: Scope;
  /** NodeIds of what he has been told of, or could look up. */
  seen: Set<string>;
  /** In order of time. Empty while he is behind. */
  queue: Waiting[];
  /** He is told from the log, from this time on. */
  behindFrom: number | undefined;
  /** Rights changed: what he sees is to be looked at again. */
  unsure: boolean;
  /** When the state of a node was last told, by NodeId, on the monotonic clock. */
  readonly statusAt: Map<string, number>;
  expiresAt: number;
  /** When that is looked at, and its place on the agenda. */
  expiryAt: number;
  expiry: Disposable | undefined;
  /** Something is at work for him, or will be at a time that is set. */
  working: boolean;
  over: boolean;
}

/** One more for who is not behind. A newer state takes the place of an older one that still waits (CON-EVT-05). */
export function enqueue(one: Follower, event: Waiting): void {
  if (one.behindFrom !== undefined) return;
  if (event.kind === "status" && one.statusAt.has(event.node.nodeId)) {
    const at = one.queue.findIndex(other => other.kind === "status" && other.node.nodeId === event.node.nodeId);
    if (at >= 0) one.queue.splice(at, 1);
  }
  one.queue.push(event);
  if (one.queue.length <= sourceEventsWaitingMax) return;
  one.behindFrom = one.queue[0]?.at;
  one.queue = [];
  one.unsure = true;
}

/** Milliseconds until the event may be told: a state waits, and what comes after it waits with it. */
export function holdMs(one: Follower, event: Waiting, now: number): number {
  if (event.kind !== "status") return 0;
  return Math.max(0, (one.statusAt.get(event.node.nodeId) ?? Number.NEGATIVE_INFINITY) + statusEventMs - now);
}

export function statusTold(one: Follower, nodeId: string, now: number): void {
  if (one.statusAt.size >= sourceEventsWaitingMax) {
    for (const [id, at] of one.statusAt) if (now - at >= statusEventMs) one.statusAt.delete(id);
  }
  one.statusAt.set(nodeId, now);
}
