// Keeps a task alive: restarts what rejects, waiting by an iterable of delays that begins again after a period of health.

import type { Clock } from "./clock.ts";

/** Works until aborted, cleans up, resolves; rejects if it cannot go on. */
export type Task = (signal: AbortSignal) => Promise<void>;

export interface Supervision {
  /** Delays in milliseconds between attempts; asked anew after a run of at least `healthyMs`. */
  delays: () => Iterator<number, unknown>;
  /** A run that lasted this long counts as health. */
  healthyMs: number;
  clock: Clock;
  /** Told of each failure and of the wait before the next attempt. Must not throw. */
  failed?: (error: unknown, nextMs: number) => void;
}

/** Resolves when aborted, or when the task resolves by itself or the delays are used up (then the last error is thrown). */
export async function supervise(task: Task, how: Supervision, signal: AbortSignal): Promise<void> {
  let delays = how.delays();
  while (!signal.aborted) {
    const began = how.clock.monotonic();
    try {
      return await task(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (how.clock.monotonic() - began >= how.healthyMs) delays = how.delays();
      const next = delays.next();
      if (next.done) throw error;
      how.failed?.(error, next.value);
      await how.clock.sleep(next.value, signal).catch(() => {});
    }
  }
}
