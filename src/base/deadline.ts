// A bound on any wait: runs work with a signal of its own that is aborted when the time is up or the caller leaves.

import type { Clock } from "./clock.ts";

/** The wait was longer than its bound. `what` names who or what was waited for. */
export class TimeoutError extends Error {
  override name = "TimeoutError";
  constructor(what: string, ms: number) {
    super(`${what}: no answer within ${ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`}`);
  }
}

/** One for all: making an exception gathers a stack, and this happens with every wait. */
const over = new DOMException("the wait is over", "AbortError");

/**
 * Runs `work` for at most `ms`. On expiry its signal is aborted and the returned promise rejects with `TimeoutError` at
 * once, even when the work ignores its signal: a driver that hangs must not hang its caller.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  what: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const inner = new AbortController();
  const onAbort = () => inner.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = new AbortController();
  const expiry = clock.sleep(ms, timer.signal).then(
    () => {
      const error = new TimeoutError(what, ms);
      inner.abort(error);
      throw error;
    },
    () => new Promise<never>(() => {}),
  );
  const left = new Promise<never>((_, reject) => {
    inner.signal.addEventListener("abort", () => reject(inner.signal.reason), { once: true });
  });
  left.catch(() => {});
  // Async, so that work which throws at once ends like work which rejects: with the timer stopped and the listener gone.
  const working = (async () => work(inner.signal))();
  working.catch(() => {});
  try {
    return await Promise.race([working, expiry, left]);
  } finally {
    timer.abort(over);
    signal.removeEventListener("abort", onAbort);
  }
}
