// Our own iqs that wait for an answer: matched by id and sender (PRES-REP-01), bounded in number and time, one timer for all.

import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { TimeoutError } from "#base/deadline.ts";
import { Refusal } from "#contract/faults.ts";
import { pendingRequestsMax } from "#limits.ts";
import { normalJid } from "./jid.ts";
import { decodeError } from "./stanza.ts";
import { type Element, firstElement } from "./xml/element.ts";

/** 128 random bits: nobody guesses the id of a question that is open. */
export const randomId = (): string => randomBytes(16).toString("base64url");

export interface Requests {
  /** Registers a question; `send` is given its id and writes it. */
  ask(ask: Ask, send: (id: string) => void): Promise<Element | undefined>;
  /** True when the result or error answered one of ours. */
  settle(stanza: Element): boolean;
  rejectAll(error: Error): void;
  readonly pending: number;
  /** Answers that came too late, twice, or from somebody else. */
  readonly dropped: number;
}

interface Ask {
  readonly to: string | undefined;
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

interface Pending extends PromiseWithResolvers<Element | undefined> {
  readonly ask: Ask;
  readonly until: number;
  readonly onAbort: () => void;
}

/** `fromServer`: whether a sender that was not named in the question may answer it (the own account and domain). */
export function createRequests(
  clock: Clock,
  fromServer: (from: string | undefined) => boolean,
  max = pendingRequestsMax,
  /** Told of somebody who answers, with the right id, what another was asked. */
  forged: (from: string | undefined, asked: string | undefined) => void = () => {},
) {
  const pending = new Map<string, Pending>();
  let dropped = 0;
  let timer: { until: number; stop: AbortController } | undefined;

  const take = (id: string): Pending | undefined => {
    const found = pending.get(id);
    if (found === undefined) return undefined;
    pending.delete(id);
    found.ask.signal?.removeEventListener("abort", found.onAbort);
    return found;
  };

  const answers = ({ to }: Ask, from: string | undefined): boolean => {
    if (to === undefined) return fromServer(from);
    if (from === undefined) return fromServer(to) && !to.includes("/");
    return from === to || normalJid(from) === normalJid(to);
  };

  const expire = () => {
    const now = clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const [id, { until, ask }] of pending) {
      if (until <= now) take(id)?.reject(new TimeoutError(ask.what, ask.timeoutMs));
      else if (until < next) next = until;
    }
    if (next !== Number.POSITIVE_INFINITY) wake(next);
  };

  const wake = (until: number) => {
    if (timer !== undefined && timer.until <= until) return;
    timer?.stop.abort();
    const mine = { until, stop: new AbortController() };
    timer = mine;
    clock.sleep(until - clock.monotonic(), mine.stop.signal).then(
      () => {
        timer = undefined;
        expire();
      },
      () => {},
    );
  };

  const requests: Requests = {
    ask(ask, send) {
      if (ask.signal?.aborted) return Promise.reject(ask.signal.reason);
      if (pending.size >= max) return Promise.reject(new Refusal("busy", `${max} requests are waiting for answers`));
      const id = randomId();
      const until = clock.monotonic() + ask.timeoutMs;
      const onAbort = () => take(id)?.reject(ask.signal?.reason);
      const one: Pending = { ...Promise.withResolvers<Element | undefined>(), ask, until, onAbort };
      pending.set(id, one);
      ask.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        send(id);
      } catch (error) {
        take(id)?.reject(error);
      }
      wake(until);
      return one.promise;
    },
    settle(stanza) {
      const id = stanza.attrs.id ?? "";
      const one = pending.get(id);
      const isOurs = one !== undefined && answers(one.ask, stanza.attrs.from);
      if (!isOurs) {
        dropped++;
        if (one !== undefined) forged(stanza.attrs.from, one.ask.to);
        return false;
      }
      take(id);
      if (stanza.attrs.type === "error") one.reject(decodeError(stanza));
      else one.resolve(firstElement(stanza));
      return true;
    },
    rejectAll(error) {
      for (const id of [...pending.keys()]) take(id)?.reject(error);
      timer?.stop.abort();
      timer = undefined;
    },
    get pending() {
      return pending.size;
    },
    get dropped() {
      return dropped;
    },
  };
  return requests;
}
