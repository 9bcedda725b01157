// How many new questions callers may cause: by one, by one foreign domain, and by all together, so that inventing callers,
// names or tokens floods neither the service nor its owner (PROV-THR-03).

import type { Clock } from "#base/clock.ts";
import {
  newQuestionsCountedMax,
  newQuestionsMax,
  newQuestionsMs,
  newQuestionsPerCallerMax,
  newQuestionsPerDomainMax,
} from "#limits.ts";
import { domainOf } from "../jid.ts";

export interface QuestionRate {
  /** Counts a new question of this caller; false when there were too many within the last minute. */
  take(caller: string, ownDomain: string): boolean;
  /** The next one would be one too many; counts nothing. */
  isFull(caller: string, ownDomain: string): boolean;
}

export function createQuestionRate(clock: Clock): QuestionRate {
  const callers = createCounts(clock, newQuestionsPerCallerMax);
  const domains = createCounts(clock, newQuestionsPerDomainMax);
  const total = createCounts(clock, newQuestionsMax);
  const isFull = (caller: string, ownDomain: string): boolean => {
    const domain = domainOf(caller);
    return callers.full(caller) || (domain !== ownDomain && domains.full(domain)) || total.full("");
  };
  return {
    isFull,
    take(caller, ownDomain) {
      if (isFull(caller, ownDomain)) return false;
      const domain = domainOf(caller);
      callers.count(caller);
      if (domain !== ownDomain) domains.count(domain);
      total.count("");
      return true;
    },
  };
}

/** Times of the last events of each name, none older than the window. */
function createCounts(clock: Clock, max: number) {
  const times = new Map<string, number[]>();
  const recent = (name: string): number[] =>
    (times.get(name) ?? []).filter(at => clock.monotonic() - at < newQuestionsMs);
  return {
    full: (name: string): boolean => recent(name).length >= max,
    count(name: string): void {
      const now = [...recent(name), clock.monotonic()];
      times.delete(name);
      times.set(name, now);
      if (times.size > newQuestionsCountedMax) times.delete(times.keys().next().value as string);
    },
  };
}
