// Writing behind: rows gather in memory and go to the disk in one transaction a second, or earlier when many wait. An SD
// card wears by transactions, and no reader may wait for it. A full disk keeps the rows waiting, up to a bound, and says so.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { historyBatchMs, historyBatchRows, historyWaitingMax } from "#limits.ts";
import type { Database } from "./database.ts";

export interface Behind {
  /** `write` runs later, inside the batch's transaction; it must bind its own values and never throw on purpose. */
  add(write: () => void): void;
  /** What waits, now. Failures are logged, never thrown. */
  flush(): void;
  /** Writes once a batch time; the rest when aborted. */
  run(signal: AbortSignal): Promise<void>;
  readonly waiting: number;
}

export function createBehind(database: Database, clock: Clock, log: Log): Behind {
  let queue: (() => void)[] = [];
  let dropped = 0;
  let failing = false;
  let wake = () => {};
  const write = database.transaction((writes: readonly (() => void)[]) => {
    for (const one of writes) one();
  });

  const failed = (error: unknown, batch: (() => void)[]) => {
    if (isPassing(error)) {
      queue = [...batch, ...queue];
      if (!failing) log.error("history-not-written", { error, waiting: queue.length });
      failing = true;
      trim();
    } else {
      // Not the disk's fault: trying the same rows again would fail for ever and hold up the rest.
      log.error("history-rows-lost", { error, rows: batch.length });
    }
  };

  const trim = () => {
    if (queue.length <= historyWaitingMax) return;
    dropped += queue.length - historyWaitingMax;
    queue = queue.slice(-historyWaitingMax);
  };

  const flush = () => {
    if (queue.length === 0) return;
    const batch = queue;
    queue = [];
    try {
      write(batch);
      if (failing || dropped > 0) log.notice("history-written-again", { dropped });
      failing = false;
      dropped = 0;
    } catch (error) {
      failed(error, batch);
    }
  };

  return {
    add(one) {
      queue.push(one);
      if (queue.length === 1) wake();
      if (queue.length >= historyBatchRows && !failing) flush();
      else trim();
    },
    flush,
    async run(signal) {
      const stop = () => wake();
      signal.addEventListener("abort", stop, { once: true });
      while (!signal.aborted) {
        if (queue.length === 0) {
          await new Promise<void>(resolve => {
            wake = resolve;
          });
        }
        await clock.sleep(historyBatchMs, signal).catch(() => {});
        flush();
      }
      signal.removeEventListener("abort", stop);
    },
    get waiting() {
      return queue.length;
    },
  };
}

/** A disk that is full, busy or failing now may be well again in a second. */
const isPassing = (error: unknown): boolean =>
  /^SQLITE_(FULL|BUSY|IOERR|LOCKED|READONLY|CANTOPEN)/.test(String((error as { code?: unknown }).code ?? ""));
