// Who follows which data source: every change is kept in the log and told to those who follow, each as he may see it and in
// the order of time, from the log when he was away or is slow (CON-SUB, CON-EVT).

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { outboxRetryMs, sourceEventsAtOnceMax, sourceEventsPauseMs, sourceReplayMax } from "#limits.ts";
import type { Concentrator } from "./concentrator.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import { meteringTopology, nodeKey } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import type { ChangeUser } from "./notices.ts";
import type { EventLog, SourceEvent } from "./records.ts";
import { enqueue, type Follower, type FollowerHooks, holdMs, statusTold, type Waiting } from "./source-follower.ts";
import { createSourceNews, type Sight } from "./source-news.ts";
import { stateOf } from "./status.ts";
import type { Tree } from "./tree.ts";

export interface SourceInterest {
  readonly caller: Caller;
  /** "" is the source of the field devices. */
  readonly sourceId: string;
  readonly ttlMs: number;
  /** Past events from this time on, inclusive, before those to come; milliseconds since 1970 UTC. */
  readonly since: number | undefined;
}

/** Dispose to end it without a word. */
export interface Following extends Disposable {
  readonly sourceId: string;
  /** Throws as `follow` does, and then changes nothing. */
  renew(interest: Pick<SourceInterest, "ttlMs" | "since">): void;
}

export interface SourceEvents {
  /**
   * Throws `Refusal` not-found for a source that is unknown or not to be seen, unsupported when the log does not reach back
   * to `since` or holds too much: then the whole source is to be fetched.
   */
  follow(interest: SourceInterest, hooks: FollowerHooks, signal: AbortSignal): Promise<Following>;
  readonly changed: ChangeUser;
  /** What each follower sees may not be what he saw: he is told of the difference (CON-SUB-09). */
  reconsider(): void;
}

export interface SourceEventsDeps extends Sight {
  readonly tree: Pick<Tree, "find" | "sources" | "after" | "stamp">;
  readonly lookup: Pick<Concentrator, "childSources" | "node">;
  readonly eventLog: EventLog;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSourceEvents(deps: SourceEventsDeps): SourceEvents {
  const { tree, lookup, eventLog, clock, log } = deps;
  const followers = new Set<Follower>();
  const newsFor = createSourceNews(deps);

  // What was changed before anybody listened is not in the log.
  for (const { sourceId, lastChanged } of tree.sources.values()) {
    if (lastChanged !== undefined && lastChanged > (eventLog.last(sourceId) ?? 0)) {
      eventLog.beginAt(sourceId, lastChanged + 1);
    }
  }

  const drop = (one: Follower): boolean => {
    if (one.over) return false;
    one.over = true;
    followers.delete(one);
    one.queue = [];
    one.expiry?.[Symbol.dispose]();
    one.scope[Symbol.dispose]();
    return true;
  };
  const end = (one: Follower) => {
    if (drop(one)) one.hooks.ended();
  };

  const start = (one: Follower, waitMs = 0) => {
    if (one.over || one.working) return;
    one.working = true;
    tree.after(waitMs, () => {
      one.working = false;
      if (!one.over) void work(one);
    });
  };

  /** Tells what can be told now. Whatever keeps it from going on comes back to it at a set time. */
  const work = async (one: Follower): Promise<void> => {
    if (one.working) return;
    one.working = true;
    let pauseMs: number | undefined;
    try {
      pauseMs = await tellSome(one);
    } catch (error) {
      if (one.over) return;
      log.error("source-event-failed", { to: one.caller.fullJid, source: one.source.sourceId, error });
      end(one);
    }
    one.working = false;
    // What came while this turn was ending found somebody at work.
    const isMore = one.queue.length > 0 || one.behindFrom !== undefined || one.unsure;
    if (pauseMs !== undefined || isMore) start(one, pauseMs);
  };

  /** Milliseconds until there is more to tell; undefined when nothing waits. */
  const tellSome = async (one: Follower): Promise<number | undefined> => {
    let page: readonly SourceEvent[] = [];
    let next = 0;
    for (let count = 0; !one.over; ) {
      if (one.behindFrom !== undefined && next >= page.length) {
        if (eventLog.completeFrom(one.source.sourceId) > one.behindFrom) return void end(one);
        page = eventLog.since(one.source.sourceId, one.behindFrom, sourceEventsAtOnceMax);
        next = 0;
        // All that was kept is told: from here on, in the same turn, he is told as it happens.
        if (page.length === 0) one.behindFrom = undefined;
      }
      const isPast = one.behindFrom !== undefined;
      if (!isPast && one.unsure) await lookAgain(one);
      const event = isPast ? page[next] : one.queue[0];
      if (event === undefined) return undefined;
      if (count++ >= sourceEventsAtOnceMax) return sourceEventsPauseMs;
      const wait = isPast ? 0 : holdMs(one, event, clock.monotonic());
      if (wait > 0) return wait;
      const from = one.behindFrom;
      if (!(await tellOne(one, event, isPast))) return outboxRetryMs;
      next++;
      // Sent back to another time meanwhile: what was fetched is of no use.
      if (isPast && one.behindFrom !== from) page = [];
      else if (isPast) one.behindFrom = event.at + 1;
      else if (one.queue[0] === event) one.queue.shift();
      else if (one.behindFrom === event.at) one.behindFrom++;
    }
    return undefined;
  };

  /** False when it could not be sent now. */
  const tellOne = async (one: Follower, event: Waiting, isPast: boolean): Promise<boolean> => {
    const { news, seen } = await newsFor(one, event, isPast);
    if (one.over) return true;
    try {
      if (news !== undefined && one.hooks.wants(news.kind)) {
        one.hooks.tell(news);
        if (news.kind === "status" && !isPast) statusTold(one, news.node.nodeId, clock.monotonic());
      }
    } catch (error) {
      if (error instanceof Refusal && error.kind === "busy") return false;
      throw error;
    }
    for (const [nodeId, is] of seen) {
      if (is) one.seen.add(nodeId);
      else one.seen.delete(nodeId);
    }
    return true;
  };

  const nodesSeen = async (one: Follower): Promise<Set<TreeNode>> => {
    const nodes = [...one.source.nodes.values()];
    const refs = nodes.map(node => node.ref);
    const keys = await deps.visible(one.caller, refs, one.scope.signal);
    return new Set(nodes.filter(node => keys.has(nodeKey(node.ref))));
  };

  /** Differences between what he has been told of and what he sees now go into his queue, behind what waits there. */
  const lookAgain = async (one: Follower): Promise<void> => {
    one.unsure = false;
    try {
      await lookup.childSources(one.caller, one.source.sourceId);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return end(one);
    }
    const sees = await nodesSeen(one);
    if (one.over) return;
    const all = parentsFirst(one.source.roots);
    const lost = all.filter(node => !sees.has(node) && one.seen.has(node.ref.nodeId)).reverse();
    const gained = all.filter(node => sees.has(node) && !one.seen.has(node.ref.nodeId));
    if (lost.length + gained.length === 0) return;
    const at = tree.stamp(one.source.sourceId);
    for (const { ref } of [...lost, ...gained]) one.queue.push({ kind: "rights", node: ref, at });
  };

  const checkPast = (sourceId: string, since: number) => {
    const why = "the events of that time are not all kept any more; fetch the nodes of the source again";
    if (since < eventLog.completeFrom(sourceId)) throw new Refusal("unsupported", why);
    if (eventLog.count(sourceId, since, sourceReplayMax + 1) > sourceReplayMax) {
      throw new Refusal("unsupported", `there were more than ${sourceReplayMax} events since; fetch the nodes again`);
    }
  };
  const goBack = (one: Follower, since: number) => {
    one.behindFrom = since;
    one.queue = [];
    one.unsure = true;
    start(one);
  };

  /** One entry that looks again when the time was prolonged; another only when it was cut. */
  const expire = (one: Follower) => {
    const at = one.expiresAt;
    one.expiryAt = at;
    one.expiry?.[Symbol.dispose]();
    one.expiry = tree.after(at - clock.monotonic(), () => {
      if (one.over) return;
      if (clock.monotonic() >= one.expiresAt) end(one);
      else expire(one);
    });
  };

  return {
    async follow({ caller, sourceId, ttlMs, since }, hooks, signal) {
      const source = tree.sources.get(sourceId === "" ? meteringTopology : sourceId);
      // Throws for an unknown one as for an invisible one.
      await lookup.childSources(caller, source?.sourceId ?? sourceId);
      if (source === undefined) throw new Refusal("not-found", "There is no such source.");
      if (since !== undefined) checkPast(source.sourceId, since);
      signal.throwIfAborted();
      const one: Follower = {
        caller,
        source,
        hooks,
        scope: createScope(signal),
        seen: new Set(),
        queue: [],
        behindFrom: undefined,
        unsure: false,
        statusAt: new Map(),
        expiresAt: clock.monotonic() + ttlMs,
        expiryAt: 0,
        expiry: undefined,
        working: true,
        over: false,
      };
      followers.add(one);
      // What happens while this is looked up waits in the queue.
      for (const node of await nodesSeen(one)) one.seen.add(node.ref.nodeId);
      one.working = false;
      expire(one);
      if (since !== undefined) goBack(one, since);
      else start(one);
      return {
        sourceId: source.sourceId,
        renew(again) {
          if (again.since !== undefined) checkPast(source.sourceId, again.since);
          one.expiresAt = clock.monotonic() + again.ttlMs;
          if (one.expiresAt < one.expiryAt) expire(one);
          if (again.since !== undefined) goBack(one, again.since);
        },
        [Symbol.dispose]: () => void drop(one),
      };
    },
    changed(change, node) {
      const event = eventOf(change, node);
      eventLog.append(event);
      for (const one of followers) {
        if (one.source.sourceId !== change.node.sourceId) continue;
        enqueue(one, event);
        start(one);
      }
    },
    reconsider() {
      for (const one of followers) {
        one.unsure = true;
        start(one);
      }
    },
  };
}

const eventOf = ({ kind, node: ref, at, old, after }: Parameters<ChangeUser>[0], node: TreeNode): SourceEvent => ({
  kind,
  node: ref,
  at,
  ...(old === undefined ? {} : { old }),
  ...(after === undefined ? {} : { after }),
  displayName: node.record.displayName,
  nodeType: node.record.type,
  ...(node.parent === undefined ? {} : { parent: node.parent.ref }),
  state: stateOf(node),
  ...(kind === "status" ? { messages: [...node.messages.values()] } : {}),
});

function parentsFirst(roots: Iterable<TreeNode>): TreeNode[] {
  const nodes = [...roots];
  for (const node of nodes) nodes.push(...node.children);
  return nodes;
}
