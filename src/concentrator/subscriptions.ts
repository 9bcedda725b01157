// Who wants to hear about which change: values that were read or told by anybody are compared with what each subscriber last
// heard of (EV-TRG). A thousand subscriptions are a thousand records found by their nodes; a value costs those of its node.

import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { eventGatherMs } from "#limits.ts";
import type { Admitted } from "./admission.ts";
import type { Caller } from "./contract/caller.ts";
import type { Reading, Sample } from "./contract/field.ts";
import { createEventSchedule } from "./event-schedule.ts";
import type { TreeNode } from "./forest.ts";
import type { ChangeUser } from "./notices.ts";
import type { Readings } from "./records.ts";
import { faultText } from "./status.ts";
import { createSubscribedPolls, type SubscribedPolls } from "./subscribed-polls.ts";
import {
  faultMs,
  given,
  greatestMs,
  type Interest,
  newSubscription,
  type Running,
  type Subscriber,
  type Target,
} from "./subscription.ts";
import { admitAnew, alike, type EventDeps, tellEvent } from "./subscription-event.ts";
import type { Tree } from "./tree.ts";
import { isChange, isWatched } from "./triggers.ts";

/** Dispose to end it without a word. */
export interface Subscription extends Disposable {
  /** An event now, whatever the values are. */
  now(): void;
}

export interface Subscriptions extends Pick<SubscribedPolls, "pollMs" | "polled"> {
  /** Throws as admission does, and touches no device. */
  subscribe(interest: Interest, subscriber: Subscriber, signal: AbortSignal): Promise<Subscription>;
  /** A device said this, whoever had asked it. Once for each sample; a second time changes nothing. */
  heard(node: TreeNode, sample: Sample): void;
  /** Passes a readout on, so that its asker does not hear the same again as an event (EV-TRG-08). */
  telling(caller: Caller, readings: AsyncIterable<Reading>): AsyncIterable<Reading>;
  readonly changed: ChangeUser;
  /** Rights may have changed: all is decided anew, and nothing is said before that (COM-AUTH-09, PROV-CACHE-07). */
  reconsider(): void;
  /** What there is and what was done for it. */
  readonly counts: { readonly subscriptions: number; readonly nodes: number; readonly compared: number };
}

export interface SubscriptionsDeps extends Omit<EventDeps, "known"> {
  readonly after: Tree["after"];
  readonly readings: Pick<Readings, "latest">;
  /** The poll of the node is to look at its interval again. */
  readonly hurry: (node: TreeNode) => void;
  readonly log: Log;
}

export function createSubscriptions(deps: SubscriptionsDeps): Subscriptions {
  const { clock, log, find, after } = deps;
  const all = new Set<Running>();
  const byNode = new Map<TreeNode, Set<Running>>();
  const askers = new Map<string, number>();
  const lastSample = new WeakMap<TreeNode, Sample>();
  const polls = createSubscribedPolls({
    clock,
    hurry: deps.hurry,
    interests: node => [...(byNode.get(node) ?? [])].filter(one => one.targets.has(node)).map(one => one.interest),
  });
  const tools: EventDeps = { ...deps, known: polls.known };
  let compared = 0;
  let decided: Promise<void> | undefined;
  let decideAgain = false;

  /** As `admitAnew`; what the subscriber no longer sees is not his any more. */
  const decide = async (one: Running) => {
    const before = [...one.nodes];
    const admitted = await admitAnew(tools, one);
    for (const node of before) if (!one.nodes.has(node)) forget(one, node);
    return admitted;
  };

  const make = async (one: Running) => {
    try {
      const admitted = await decide(one);
      if (one.over) return "done";
      if (admitted === "later") return "later";
      if (admitted === undefined) end(one);
      else {
        apply(one, admitted);
        await tellEvent(tools, one, admitted, reading => told(one, reading, false));
      }
    } catch (error) {
      if (!one.over) log.error("event-failed", { to: one.interest.caller.fullJid, error });
    }
    return "done";
  };
  const schedule = createEventSchedule({ after, make, clock });

  const join = (one: Running, node: TreeNode, target: Target) => {
    one.targets.set(node, target);
    polls.changed(node);
  };
  const leave = (one: Running, node: TreeNode) => {
    one.causes.delete(node);
    if (one.targets.delete(node)) polls.changed(node);
  };
  const forget = (one: Running, node: TreeNode) => {
    one.nodes.delete(node);
    const others = byNode.get(node);
    others?.delete(one);
    if (others?.size === 0) byNode.delete(node);
    leave(one, node);
  };
  /** Only the nodes granted now, each with what is granted of it now. */
  const apply = (one: Running, admitted: Admitted) => {
    const granted = new Map(admitted.targets.map(({ node, ask }) => [find(node), ask]));
    for (const node of [...one.targets.keys()]) if (!granted.has(node)) leave(one, node);
    for (const [node, ask] of granted) {
      const target = node && one.targets.get(node);
      if (target !== undefined) target.ask = ask;
      else if (node !== undefined) join(one, node, { ask, references: given(one.interest) });
    }
  };

  const count = ({ interest: { caller } }: Running, by: 1 | -1) => {
    const left = (askers.get(caller.fullJid) ?? 0) + by;
    if (left > 0) askers.set(caller.fullJid, left);
    else askers.delete(caller.fullJid);
  };
  const drop = (one: Running): boolean => {
    if (one.over) return false;
    one.over = true;
    all.delete(one);
    count(one, -1);
    for (const node of [...one.nodes]) forget(one, node);
    // Its greatest interval may be a year: until then it would be remembered for nothing.
    one.wakeUp?.[Symbol.dispose]();
    one.silence?.[Symbol.dispose]();
    one.scope[Symbol.dispose]();
    return true;
  };
  const end = (one: Running) => {
    if (drop(one)) one.subscriber.ended();
  };

  const compare = (one: Running, node: TreeNode, { ask, references }: Target, sample: Sample) => {
    compared++;
    for (const field of sample.fields) {
      if (!isWatched(field, ask)) continue;
      const { name, value } = field;
      const known = references.get(name);
      if (known !== undefined && known.at > sample.at) continue;
      if (!isChange(known?.value, value, one.interest.limits.get(name))) continue;
      references.set(name, { value, at: sample.at });
      const causes = one.causes.get(node) ?? new Map<string, number>();
      one.causes.set(node, causes.set(name, sample.at));
      schedule.trigger(one, eventGatherMs);
    }
  };

  /** What the subscriber has just heard needs no event any more; `restarts`: and his intervals begin anew. */
  const told = (one: Running, reading: Reading, restarts: boolean) => {
    const node = reading.kind === "reading" ? find(reading.node) : undefined;
    const target = node && one.targets.get(node);
    if (reading.kind !== "reading" || node === undefined || target === undefined) return;
    const causes = one.causes.get(node);
    for (const { name } of reading.fields) if (causes?.get(name) === reading.at) causes.delete(name);
    if (causes?.size === 0) one.causes.delete(node);
    if (one.pending && !one.forced && one.causes.size === 0) one.pending = false;
    if (restarts && !one.pending && reading.fields.some(field => isWatched(field, target.ask))) {
      one.lastAt = clock.monotonic();
    }
  };

  const decideAnew = async (one: Running) => {
    const admitted = one.over ? "later" : await decide(one).catch(() => undefined);
    if (one.over || admitted === "later") return;
    if (admitted === undefined) end(one);
    else apply(one, admitted);
  };
  const decideAll = async () => {
    do {
      decideAgain = false;
      for (const group of alike(all)) {
        const [first] = group as [Running];
        // One question for all their nodes: what is learned by it answers for each subscription without asking again.
        const nodes = new Set(group.flatMap(one => [...one.nodes]));
        await admitAnew(tools, { ...first, nodes }).catch(() => {});
        for (const one of group) await decideAnew(one);
      }
    } while (decideAgain);
  };

  return {
    pollMs: polls.pollMs,
    polled: polls.polled,
    get counts() {
      return { subscriptions: all.size, nodes: byNode.size, compared };
    },
    async subscribe(interest, subscriber, signal) {
      const admitted = await deps.admission.read(interest.caller, interest.nodes, interest.ask, signal);
      signal.throwIfAborted();
      subscriber.admitted?.();
      const nodes = interest.nodes.flatMap(ref => find(ref) ?? []);
      const one = newSubscription(interest, subscriber, createScope(signal), nodes, clock.monotonic());
      all.add(one);
      count(one, 1);
      for (const node of one.nodes) byNode.set(node, (byNode.get(node) ?? new Set()).add(one));
      for (const { node: ref, ask } of admitted.targets) {
        const node = find(ref);
        if (node === undefined) continue;
        const known = deps.readings
          .latest(ref)
          .map(({ at, field }) => [field.name, { value: field.value, at }] as const);
        join(one, node, { ask, references: new Map([...known, ...given(interest)]) });
      }
      const maxMs = greatestMs(interest);
      if (maxMs !== undefined) schedule.watchSilence(one, maxMs);
      return {
        now() {
          one.lastAt = Number.NEGATIVE_INFINITY;
          schedule.force(one);
        },
        [Symbol.dispose]: () => void drop(one),
      };
    },
    heard(node, sample) {
      const subscribed = byNode.get(node);
      if (subscribed === undefined || lastSample.get(node) === sample) return;
      lastSample.set(node, sample);
      for (const one of subscribed) {
        const target = one.targets.get(node);
        if (target !== undefined) compare(one, node, target, sample);
      }
    },
    telling(caller, readings) {
      if (!askers.has(caller.fullJid)) return readings;
      const tell = (reading: Reading) => {
        const node = find(reading.node);
        for (const one of (node && byNode.get(node)) ?? []) {
          if (one.interest.caller.fullJid === caller.fullJid) told(one, reading, true);
        }
      };
      return (async function* () {
        for await (const reading of readings) {
          tell(reading);
          yield reading;
        }
      })();
    },
    changed({ kind }, node) {
      const subscribed = [...(byNode.get(node) ?? [])];
      if (kind === "status" && faultText(node) !== undefined) {
        const now = clock.monotonic();
        for (const one of subscribed) if (now - one.lastFaultAt >= faultMs(one.interest)) schedule.force(one);
      }
      if (kind !== "removed") return;
      for (const one of subscribed) {
        forget(one, node);
        if (one.nodes.size === 0) end(one);
      }
    },
    reconsider() {
      decideAgain = true;
      decided ??= decideAll().finally(() => {
        decided = undefined;
        for (const one of all) {
          one.undecided = undefined;
          schedule.wake(one);
        }
      });
      for (const one of all) one.undecided = decided;
    },
  };
}
