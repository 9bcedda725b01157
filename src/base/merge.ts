// Many streams into one, a bounded number open at a time, with the rule of leaving: what feeds the stream is aborted
// first and then waited for. This lives here, once.

import { leftBehindMs } from "#limits.ts";
import type { Clock } from "./clock.ts";
import { createScope, type Scope } from "./scope.ts";

export type Source<T> = (signal: AbortSignal) => AsyncIterable<T>;

/**
 * Items as they come, each source in its turn, at most `openMax` sources at once. A source that throws ends the whole
 * stream with its error; an abort ends it with the signal's reason, so that a stream cut short never looks complete. Then,
 * as when the reader leaves, the other sources are aborted and waited for, but no longer than `leftBehindMs`: one that
 * ignores its signal is left behind, and what it still says goes nowhere.
 */
export function merge<T>(
  sources: Iterable<Source<T>>,
  openMax: number,
  signal: AbortSignal,
  clock: Clock,
): AsyncIterableIterator<T> {
  if (!(openMax >= 1)) throw new RangeError("merge opens at least one source at a time");
  let scope: Scope | undefined;
  const items = (async function* () {
    scope = createScope(signal);
    yield* mergeWithin(scope, sources, openMax, signal, clock);
  })();
  return {
    next: () => items.next(),
    return() {
      // Not left to the generator: it would hear of it only after the item that nobody waits for any more.
      scope?.[Symbol.dispose]();
      return items.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

type Turn<T> = { iterator: AsyncIterator<T> } & ({ result: IteratorResult<T> } | { error: unknown });

async function* mergeWithin<T>(
  scope: Scope,
  sources: Iterable<Source<T>>,
  openMax: number,
  signal: AbortSignal,
  clock: Clock,
): AsyncGenerator<T> {
  const waiting = sources[Symbol.iterator]();
  const running = new Map<AsyncIterator<T>, Promise<void>>();
  // A queue, not a race of promises: a race begins anew with each item and leaves a reaction on every source that is silent.
  const ready: Turn<T>[] = [];
  let wake = () => {};

  const ask = async (iterator: AsyncIterator<T>): Promise<void> => {
    try {
      ready.push({ iterator, result: await iterator.next() });
    } catch (error) {
      ready.push({ iterator, error });
    }
    wake();
  };
  const open = () => {
    while (running.size < openMax) {
      const next = waiting.next();
      if (next.done) return;
      const iterator = next.value(scope.signal)[Symbol.asyncIterator]();
      running.set(iterator, ask(iterator));
    }
  };
  const onAbort = () => wake();
  scope.signal.addEventListener("abort", onAbort, { once: true });

  try {
    open();
    while (running.size > 0) {
      if (signal.aborted) throw signal.reason;
      if (scope.signal.aborted) return;
      const turn = ready.shift();
      if (turn === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      } else if ("error" in turn) {
        running.delete(turn.iterator);
        throw turn.error;
      } else if (turn.result.done) {
        running.delete(turn.iterator);
        open();
      } else {
        running.set(turn.iterator, ask(turn.iterator));
        yield turn.result.value;
      }
    }
    if (signal.aborted) throw signal.reason;
  } finally {
    scope[Symbol.dispose]();
    waiting.return?.();
    await leave(running, clock);
  }
}

/** Waits for what each source does last, and closes it; bounded, and whatever goes wrong there is of no interest any more. */
async function leave(running: ReadonlyMap<AsyncIterator<unknown>, Promise<void>>, clock: Clock): Promise<void> {
  if (running.size === 0) return;
  const timer = new AbortController();
  const all = Promise.allSettled(
    Array.from(running, async ([iterator, turn]) => {
      await turn;
      await iterator.return?.();
    }),
  );
  await Promise.race([all, clock.sleep(leftBehindMs, timer.signal).catch(() => {})]);
  timer.abort();
}
