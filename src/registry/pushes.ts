// What the registry tells devices unasked: claimed, removed, clearCache. Kept until acknowledged, sent to every full JID
// that is online, in order, until one of them agrees; again after 10 s, 1 min, 10 min, and then at the next sign of life
// (PROV-CLEAR-02).

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import * as discovery from "#iot/discovery.wire.ts";
import type { Family } from "#iot/generations.ts";
import type { Dialect } from "#iot/old-discovery.ts";
import * as device from "#iot/provisioning-device.wire.ts";
import {
  clearBeforeAnswerMs,
  clearSpacingMs,
  countedSendersMax,
  pushesAtOnceMax,
  pushRetriesMs,
  requestMs,
} from "#limits.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { payloadIn } from "./old-dialect.ts";
import type { Peers } from "./peers.ts";
import { type Answer, type Round, startRound } from "./round.ts";
import type { Pending, RegistryStore } from "./store.ts";

export interface PushesDeps {
  readonly store: RegistryStore;
  readonly connection: Connection;
  readonly peers: Peers;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Devices may speak what was before the generations. */
  readonly speaksOld: boolean;
}

export interface Pushes {
  /** Sends what waits for this JID; `also` is a full JID that has just spoken. Never rejects for what the device does. */
  deliver(bare: string, also?: string): Promise<void>;
  /** Before an answer: what is pending reaches the device first, and is waited for a little. */
  beforeAnswer(bare: string, full: string): Promise<void>;
  /** Asks the device one thing, falling back through the generations; true as soon as one of its sessions agreed. */
  ask(bare: string, push: Push, timeoutMs: number): Promise<boolean>;
  /** Something may have become due. */
  wake(): void;
  /** The retries. */
  run(signal: AbortSignal): Promise<void>;
}

export interface Push {
  readonly family: Family;
  readonly make: (ns: string) => Element;
}

/** One request for one or several pending rows: several clears of one device become one of everything (PROV-CLEAR-06). */
interface Parcel {
  readonly push: Push;
  readonly ids: readonly number[];
  readonly isClear: boolean;
}

/** One device being told. */
interface Delivery {
  done: Promise<void>;
  /** Somebody asked for it once more; with a full JID that nobody had asked yet when `isFresh`. */
  again: boolean;
  isFresh: boolean;
  /** A full JID that has just spoken, presence or not. */
  also: string | undefined;
}

export function createPushes(deps: PushesDeps): Pushes {
  const { store, connection, peers, clock, log } = deps;
  const delivering = new Map<string, Delivery>();
  const rounds = new Map<string, Set<Round>>();
  const clearedAt = new Map<string, number>();
  const failedAt = new Map<string, number>();
  const faults = new Map<string, Answer>();
  let wake = Promise.withResolvers<void>();

  const askOne = async (bare: string, full: string, push: Push, timeoutMs: number): Promise<Answer> => {
    const spoken = await peers.dialect(bare);
    let last: Answer = "refused";
    for (const generation of new Set<Dialect>([spoken, "nf", "ieee", ...(deps.speaksOld ? ["xsf" as const] : [])])) {
      try {
        await connection.request("set", full, payloadIn(push, generation), {
          timeoutMs,
          signal: deps.signal,
        });
        if (generation !== spoken) await peers.spoke(bare, generation);
        return "agreed";
      } catch (error) {
        if (!(error instanceof StanzaError)) return "silent";
        // Not served in this generation, or nobody there: the broker answers the second like some devices the first.
        last = error.condition === "service-unavailable" ? "gone" : "refused";
        if (last === "gone" || error.condition === "feature-not-implemented") continue;
        if (isGone(error)) {
          last = "gone";
          break;
        }
        // The device knows no such node: there is nothing to tell it.
        return error.condition === "item-not-found" ? "settled" : "refused";
      }
    }
    if (last === "gone") peers.gone(full);
    return last;
  };

  /** To all sessions at once, those included that come online meanwhile. */
  const round = async (bare: string, fulls: readonly string[], push: Push, timeoutMs: number): Promise<Answer> => {
    const one = startRound(fulls, {
      ask: full => askOne(bare, full, push, timeoutMs),
      isSuspect: peers.isSuspect,
      suspect: peers.suspect,
      clock,
      signal: deps.signal,
    });
    const those = rounds.get(bare) ?? new Set();
    rounds.set(bare, those.add(one));
    try {
      return await one.answer;
    } finally {
      those.delete(one);
      if (those.size === 0) rounds.delete(bare);
    }
  };
  const join = (bare: string, full: string) => {
    for (const one of rounds.get(bare) ?? []) one.add(full);
  };

  const note = (times: Map<string, number>, bare: string) => {
    times.delete(bare);
    times.set(bare, clock.monotonic());
    for (const [one, at] of times) {
      if (clock.monotonic() - at < pushRetriesMs[0]) break;
      times.delete(one);
    }
  };
  const recently = (times: Map<string, number>, bare: string, ms: number) => {
    const at = times.get(bare);
    return at !== undefined && clock.monotonic() - at < ms;
  };

  /** Once for each change: a device that does not answer is no news at its fourth try. `fault` undefined: it has answered. */
  const told = (bare: string, fault: Answer | undefined) => {
    if (faults.get(bare) === fault) return;
    faults.delete(bare);
    if (fault === undefined) return log.info("push-answered", { device: bare });
    faults.set(bare, fault);
    const [oldest = ""] = faults.keys();
    if (faults.size > countedSendersMax) faults.delete(oldest);
    log.info("push-unanswered", { device: bare, answer: fault });
  };

  /** One pass over what waits. `also`: the device itself waits for it, so pacing has to stand back. */
  const pass = async (bare: string, job: Delivery): Promise<void> => {
    const rows = await store.pendingOf(bare);
    if (rows.length === 0) return;
    const tries = Math.max(...rows.map(row => row.tries));
    const defer = (count: number, due: number | undefined) =>
      store.change(records => records.deferPending(bare, count, due));
    const sessions = () => [...new Set([...peers.fulls(bare), ...(job.also === undefined ? [] : [job.also])])];
    if (sessions().length === 0 || !connection.online) return defer(tries, undefined);
    let failed = false;
    for (const parcel of parcels(rows)) {
      if (parcel.isClear && job.also === undefined && recently(clearedAt, bare, clearSpacingMs)) {
        await defer(tries, clock.now() + clearSpacingMs);
        return wakeUp();
      }
      if (parcel.isClear) note(clearedAt, bare);
      const answer = await round(bare, sessions(), parcel.push, requestMs);
      if (answer === "agreed" || answer === "settled") {
        await store.change(records => records.deletePending(parcel.ids));
        told(bare, undefined);
        continue;
      }
      failed = true;
      told(bare, answer);
      if (answer !== "refused") break;
    }
    if (!failed) return;
    note(failedAt, bare);
    const wait = pushRetriesMs[tries];
    await defer(tries + 1, wait === undefined ? undefined : clock.now() + wait);
    wakeUp();
  };

  const wakeUp = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };

  const deliver = (bare: string, also?: string): Promise<void> => {
    if (also !== undefined) join(bare, also);
    const running = delivering.get(bare);
    if (running !== undefined) {
      running.again = true;
      running.isFresh ||= also !== undefined && also !== running.also;
      running.also = also ?? running.also;
      return running.done;
    }
    const job: Delivery = { done: Promise.resolve(), again: false, isFresh: false, also };
    delivering.set(bare, job);
    job.done = (async () => {
      try {
        do {
          job.again = job.isFresh = false;
          await pass(bare, job);
        } while (job.again && (job.isFresh || !recently(failedAt, bare, 1)));
      } finally {
        delivering.delete(bare);
      }
    })();
    return job.done;
  };

  return {
    deliver,
    async beforeAnswer(bare, full) {
      if ((await store.pendingOf(bare)).length === 0) return;
      const scope = createScope(deps.signal);
      using _ = scope;
      const sent = deliver(bare, full).catch(error => log.error("push-failed", { device: bare, error }));
      // A device that has just not answered is not waited for as long again with each of its stanzas.
      const patience = recently(failedAt, bare, pushRetriesMs[0]) ? clearSpacingMs / 10 : clearBeforeAnswerMs;
      await Promise.race([sent, clock.sleep(patience, scope.signal).catch(() => {})]);
    },
    ask: async (bare, push, timeoutMs) => (await round(bare, peers.fulls(bare), push, timeoutMs)) === "agreed",
    wake: wakeUp,
    async run(signal) {
      while (!signal.aborted) {
        const woken = wake.promise;
        const due = await store.pendingDue(clock.now(), pushesAtOnceMax);
        // Each of them ends with its rows gone or due later, so that the next look sees others; a store that fails ends
        // this task, and who supervises it waits before it begins again.
        await Promise.all(due.map(bare => deliver(bare)));
        if (due.length === 0) await untilDue(signal, woken);
      }
    },
  };

  async function untilDue(signal: AbortSignal, woken: Promise<void>): Promise<void> {
    const due = await store.nextDue();
    if (due !== undefined && due <= clock.now()) return;
    const scope = createScope(signal);
    using _ = scope;
    const wait = due === undefined ? 3_600_000 : Math.min(due - clock.now(), 3_600_000);
    await Promise.race([woken, clock.sleep(wait, scope.signal).catch(() => {})]);
  }
}

const isGone = ({ condition }: StanzaError): boolean =>
  condition === "recipient-unavailable" ||
  condition === "remote-server-not-found" ||
  condition === "remote-server-timeout" ||
  condition === "gone";

function parcels(rows: readonly Pending[]): Parcel[] {
  const clears = rows.filter(row => row.what === "clearCache");
  const result: Parcel[] = [];
  for (const row of rows) {
    if (row.what !== "clearCache") result.push({ push: pushOf(row), ids: [row.id], isClear: false });
    else if (row === clears.at(-1)) {
      const ref = clears.length === 1 ? row.ref : rootRef;
      result.push({ push: clearPush(ref), ids: clears.map(one => one.id), isClear: true });
    }
  }
  return result;
}

const clearPush = (ref: NodeRef): Push => ({
  family: "provisioningDevice",
  make: ns => device.clearCache.encode({ ref }, ns),
});

const pushOf = ({ what, ref, owner = "", isPublic }: Pending): Push => ({
  family: "discovery",
  make: ns =>
    what === "removed"
      ? discovery.removed.encode({ ref }, ns)
      : discovery.claimed.encode({ jid: owner, ref, isPublic }, ns),
});

export const disownedPush = (ref: NodeRef): Push => ({
  family: "discovery",
  make: ns => discovery.disowned.encode({ ref }, ns),
});
