// A clock that stands still until it is advanced: timeouts of years in milliseconds, without sleeping and without patching.

import type { Clock } from "#base/clock.ts";

export interface ManualClock extends Clock {
  /** Moves time on, waking sleepers in the order of their times, and lets the work they start run in between. */
  advance(ms: number): Promise<void>;
  readonly sleepers: number;
}

export function manualClock(startMs = Date.parse("2031-03-02T05:00:00.000Z")): ManualClock {
  let elapsed = 0;
  const sleepers = new Set<{ until: number; wake: () => void }>();

  return {
    // Whole milliseconds, as the system says them, though a sleep may end between two.
    now: () => Math.floor(startMs + elapsed),
    monotonic: () => elapsed,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        };
        const sleeper = {
          until: elapsed + Math.max(0, ms),
          wake: () => {
            sleepers.delete(sleeper);
            signal.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
    async advance(ms) {
      const target = elapsed + ms;
      await settle();
      for (;;) {
        const next = [...sleepers].sort((a, b) => a.until - b.until)[0];
        if (next === undefined || next.until > target) break;
        elapsed = next.until;
        next.wake();
        await settle();
      }
      elapsed = target;
      await settle();
    },
    get sleepers() {
      return sleepers.size;
    },
  };
}

/** Lets promises and immediate I/O run to where they wait again. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
}
