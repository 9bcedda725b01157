// What comes one by one, sent together: items are collected for a moment, or until a message is full, and messages are spaced
// out and wait while the outbox is full. The progress of queries and what sniffers hear both go out like this.

import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import { Refusal } from "#contract/faults.ts";
import { outboxRetryMs } from "#limits.ts";

export interface Batching<T> {
  /** From the first item of a batch. */
  readonly delayMs: number;
  /** Bytes of an item, and of a batch at most; a single item may be larger. */
  readonly weigh: (item: T) => number;
  readonly weightMax: number;
  readonly countMax: number;
}

/** Batches in the order of their items, none empty. Ends with the items, or rejects with the reason of the abort. */
export async function* batches<T>(
  items: AsyncIterable<T>,
  how: Batching<T>,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly T[]> {
  const stream = items[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<T, unknown>> | undefined;
  let batch: T[] = [];
  let weight = 0;
  let since = 0;
  const take = (): T[] => {
    const full = batch;
    batch = [];
    weight = 0;
    return full;
  };
  try {
    for (;;) {
      next ??= stream.next();
      const item = await within(
        next,
        batch.length === 0 ? undefined : since + how.delayMs - clock.monotonic(),
        clock,
        signal,
      );
      if (item === undefined) {
        yield take();
        continue;
      }
      next = undefined;
      if (item.done) break;
      const more = how.weigh(item.value);
      if (batch.length > 0 && (weight + more > how.weightMax || batch.length >= how.countMax)) yield take();
      if (batch.length === 0) since = clock.monotonic();
      batch.push(item.value);
      weight += more;
    }
    if (batch.length > 0) yield take();
  } finally {
    // A stream that waits for its next item is not waited for.
    Promise.resolve(stream.return?.()).catch(() => {});
    next?.catch(() => {});
  }
}

/** The result, or undefined when `ms` are over; undefined milliseconds are for ever. Rejects with the reason of the abort. */
async function within<R>(
  result: Promise<R>,
  ms: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<R | undefined> {
  signal.throwIfAborted();
  using timer = createScope(signal);
  const left = new Promise<never>((_, reject) => {
    timer.signal.addEventListener("abort", () => signal.aborted && reject(signal.reason), { once: true });
  });
  left.catch(() => {});
  if (ms === undefined) return await Promise.race([result, left]);
  const expiry = clock.sleep(Math.max(0, ms), timer.signal).then(
    () => undefined,
    () => undefined,
  );
  // What is there already goes before a time that is over.
  const found = await Promise.race([result, left, expiry]);
  signal.throwIfAborted();
  return found;
}

/** Sends one after the other with a pause between, again and again while the outbox is full. Rejects with the abort reason. */
export function createSender<T>(send: (item: T) => void, perSecondMax: number, clock: Clock, signal: AbortSignal) {
  let last = Number.NEGATIVE_INFINITY;
  return async (item: T): Promise<void> => {
    const wait = last + 1000 / perSecondMax - clock.monotonic();
    if (wait > 0) await clock.sleep(wait, signal);
    for (;;) {
      signal.throwIfAborted();
      try {
        send(item);
        last = clock.monotonic();
        return;
      } catch (error) {
        if (!(error instanceof Refusal) || error.kind !== "busy") throw error;
        await clock.sleep(outboxRetryMs, signal);
      }
    }
  };
}
