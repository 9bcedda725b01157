// Many streams into one, a bounded number open at a time, with the rule of leaving: what feeds the stream is aborted
// first and then waited for. This lives here, once.

export type Source<T> = (signal: AbortSignal) => AsyncIterable<T>;

/** Items as they come, at most `openMax` sources at once. A source that throws ends the whole stream with its error. */
export async function* merge<T>(sources: Iterable<Source<T>>, openMax: number, signal: AbortSignal): AsyncGenerator<T> {
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  const waiting = sources[Symbol.iterator]();
  const running = new Map<AsyncIterator<T>, Promise<Turn<T>>>();

  const open = () => {
    while (running.size < openMax) {
      const next = waiting.next();
      if (next.done) return;
      const iterator = next.value(inner)[Symbol.asyncIterator]();
      running.set(iterator, turn(iterator));
    }
  };

  try {
    open();
    while (running.size > 0) {
      const { iterator, result } = await Promise.race(running.values());
      if (result.done) {
        running.delete(iterator);
        open();
      } else {
        running.set(iterator, turn(iterator));
        yield result.value;
      }
    }
  } finally {
    stop.abort(signal.aborted ? signal.reason : new DOMException("the reader left", "AbortError"));
    const left = [...running.keys()];
    await Promise.allSettled(running.values());
    await Promise.allSettled(left.map(iterator => iterator.return?.()));
  }
}

interface Turn<T> {
  iterator: AsyncIterator<T>;
  result: IteratorResult<T>;
}

const turn = <T>(iterator: AsyncIterator<T>): Promise<Turn<T>> => {
  const promise = iterator.next().then(result => ({ iterator, result }));
  // The race looks at it only later; until then a rejection must not count as unhandled.
  promise.catch(() => {});
  return promise;
};
