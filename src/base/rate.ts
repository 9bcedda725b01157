// How often one sender may do a thing: a bucket each that fills steadily, forgotten when it is full again or too many are
// counted. Kept in memory; a restart forgives.

import type { Clock } from "./clock.ts";

export interface Rate {
  /** True when one more is allowed; does not count it. */
  allows(sender: string): boolean;
  /** Counts one. */
  spend(sender: string): void;
  /** `allows`, and counts it when so. */
  take(sender: string): boolean;
  readonly counted: number;
}

/** `burst` at once, then `burst`… no more than `perMs` apart: one is given back each `perMs` milliseconds. */
export function createRate(clock: Clock, burst: number, perMs: number, sendersMax: number): Rate {
  // Spent and when last looked at, oldest use first.
  const senders = new Map<string, { spent: number; at: number }>();

  const spentBy = (sender: string): number => {
    const one = senders.get(sender);
    return one === undefined ? 0 : Math.max(0, one.spent - (clock.monotonic() - one.at) / perMs);
  };
  const forget = () => {
    for (const sender of senders.keys()) {
      if (senders.size <= sendersMax && spentBy(sender) > 0) return;
      senders.delete(sender);
    }
  };
  // The rounding of so many subtractions must not cost the last one.
  const allows = (sender: string) => spentBy(sender) <= burst - 1 + 1e-6;
  const spend = (sender: string) => {
    const spent = spentBy(sender) + 1;
    senders.delete(sender);
    senders.set(sender, { spent, at: clock.monotonic() });
    forget();
  };
  return {
    allows,
    spend,
    take(sender) {
      if (!allows(sender)) return false;
      spend(sender);
      return true;
    },
    get counted() {
      return senders.size;
    },
  };
}
