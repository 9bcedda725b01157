// Our presence on a new stream: without it nobody reaches us, so it is tried until it is done, or the stream is another one.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { supervise, type Task } from "#base/supervise.ts";
import { reconnectFirstMs, reconnectMsMax } from "#limits.ts";

/** `announce` asks for the roster first, then says that we are here. */
export function createAnnouncing(announce: Task, clock: Clock, log: Log, signal: AbortSignal): () => void {
  let announcing = createScope(signal);
  return () => {
    announcing.abort();
    announcing[Symbol.dispose]();
    announcing = createScope(signal);
    const delays = () => backoff(reconnectFirstMs, reconnectMsMax);
    const failed = (error: unknown) => log.warning("presence-not-announced", { error });
    void supervise(announce, { delays, healthyMs: 0, clock, failed }, announcing.signal);
  };
}
