// Bookkeeping of requests to see us: each is decided once, answers hold for a while, and both what waits and what comes from
// one domain is bounded (PRES-SUB-06).

import type { Clock } from "#base/clock.ts";
import {
  subscriptionAnswerMs,
  subscriptionAnswersMax,
  subscriptionsPendingMax,
  subscriptionsPerMinuteMax,
} from "#limits.ts";
import type { Consent } from "./presence.ts";

export interface SubscriptionBook {
  /** decide: ask the rules · waiting: they are being asked, or the operator is · full: drop it · else the answer given before. */
  ask(jid: string, domain: string): "decide" | "waiting" | "full" | Consent;
  /** `undecided`: the rules could not be asked; the next request asks them again. */
  decided(jid: string, outcome: Consent | "undecided"): void;
  /** No answer given before counts for this one any more. */
  forget(jid: string): void;
  /** Forgets all answers; returns those without one, which count as being decided again. */
  reopen(): readonly string[];
  /** Left to the operator, or not decided yet for want of rules. */
  readonly pending: readonly string[];
}

export function createSubscriptionBook(clock: Clock): SubscriptionBook {
  const deciding = new Set<string>();
  const open = new Map<string, "pending" | "undecided">();
  const answers = new Map<string, { consent: Consent; at: number }>();
  const askedBy = new Map<string, number[]>();

  /** False when this domain asked too often within the last minute; else this request is counted. */
  const isWithinRate = (domain: string): boolean => {
    const now = clock.monotonic();
    for (const [one, times] of askedBy) {
      const recent = times.filter(at => now - at < 60_000);
      if (recent.length === 0) askedBy.delete(one);
      else askedBy.set(one, recent);
    }
    const times = askedBy.get(domain) ?? [];
    if (times.length >= subscriptionsPerMinuteMax) return false;
    askedBy.set(domain, [...times, now]);
    return true;
  };

  return {
    ask(jid, domain) {
      const answer = answers.get(jid);
      if (answer !== undefined && clock.monotonic() - answer.at < subscriptionAnswerMs) return answer.consent;
      if (deciding.has(jid) || open.get(jid) === "pending") return "waiting";
      if (deciding.size >= subscriptionsPendingMax || !isWithinRate(domain)) return "full";
      deciding.add(jid);
      return "decide";
    },
    decided(jid, outcome) {
      deciding.delete(jid);
      open.delete(jid);
      if (outcome === "decline-for-now") return;
      if (outcome === "pending" || outcome === "undecided") {
        // Beyond the bound it is dropped here; the server holds it and gives it to us again at the next log-in.
        if (open.size < subscriptionsPendingMax) open.set(jid, outcome);
        return;
      }
      answers.delete(jid);
      answers.set(jid, { consent: outcome, at: clock.monotonic() });
      for (const oldest of answers.keys()) {
        if (answers.size <= subscriptionAnswersMax) break;
        answers.delete(oldest);
      }
    },
    forget(jid) {
      answers.delete(jid);
    },
    reopen() {
      answers.clear();
      const again = [...open.keys()];
      open.clear();
      for (const jid of again) deciding.add(jid);
      return again;
    },
    get pending() {
      return [...open.keys()];
    },
  };
}
