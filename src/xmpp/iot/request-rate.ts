// So many requests a second of one JID and no more, for what is answered without looking at rights. Counted in whole seconds,
// with a bound on how many are counted.

import type { Clock } from "#base/clock.ts";
import { countedCallersMax } from "#limits.ts";

export interface RequestRate {
  /** Counts this one; false when it is one too many. */
  take(fullJid: string): boolean;
}

export function createRequestRate(perSecondMax: number, clock: Clock): RequestRate {
  let second = 0;
  let counts = new Map<string, number>();
  return {
    take(jid) {
      const now = Math.floor(clock.monotonic() / 1000);
      if (now !== second) {
        second = now;
        counts = new Map();
      }
      const count = (counts.get(jid) ?? 0) + 1;
      if (count > perSecondMax || (count === 1 && counts.size >= countedCallersMax)) return false;
      counts.set(jid, count);
      return true;
    },
  };
}
