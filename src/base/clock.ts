// Time as an argument: the only file that reads the clock or sets a timer. Everything else receives a `Clock`, so that
// years of timeouts test in milliseconds (test/support/manual-clock.ts is the other implementation).

export interface Clock {
  /** Wall clock, milliseconds since 1970 UTC. May jump; use it for what is shown or stored, never for durations. */
  now(): number;
  /** Milliseconds that never go backwards; only differences mean anything. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. The timer is gone either way. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Node caps a timer at 2^31-1 ms and fires a longer one at once; a longer sleep is taken in steps. */
const stepMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    let left = Math.max(0, ms);
    do {
      const step = Math.min(left, stepMsMax);
      await timer(step, signal);
      left -= step;
    } while (left > 0);
  },
};

function timer(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(handle);
      reject(signal.reason);
    };
    const handle = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
