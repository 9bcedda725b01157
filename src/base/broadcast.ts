// One writer, many readers: each reader is an async iterable with a bounded buffer of its own; a slow reader loses the
// oldest items and is told how many, it never holds up the writer.

export interface Broadcast<T> {
  send(item: T): void;
  /**
   * Items sent from now on, until aborted or left; what was sent before the abort is still told. `lost` is called with the
   * number dropped since the last item taken. A reader counts from this call on, so one that is never read must be left.
   */
  listen(signal: AbortSignal, lost?: (count: number) => void): AsyncIterableIterator<T>;
  readonly listeners: number;
}

export function createBroadcast<T>(bufferMax: number): Broadcast<T> {
  const readers = new Set<(item: T) => void>();

  return {
    send(item) {
      for (const deliver of readers) deliver(item);
    },
    listen(signal, lost) {
      const buffer: T[] = [];
      let dropped = 0;
      let ended = signal.aborted;
      let wake = () => {};
      const deliver = (item: T) => {
        if (buffer.length >= bufferMax) {
          buffer.shift();
          dropped++;
        }
        buffer.push(item);
        wake();
      };
      const end = () => {
        ended = true;
        signal.removeEventListener("abort", end);
        readers.delete(deliver);
        wake();
      };
      if (!ended) {
        readers.add(deliver);
        signal.addEventListener("abort", end, { once: true });
      }

      async function* items(): AsyncGenerator<T> {
        for (;;) {
          if (dropped > 0) {
            const count = dropped;
            dropped = 0;
            lost?.(count);
          }
          if (buffer.length > 0) {
            yield buffer.shift() as T;
          } else if (ended) {
            return;
          } else {
            await new Promise<void>(resolve => {
              wake = resolve;
            });
          }
        }
      }

      const told = items();
      return {
        next: () => told.next(),
        return() {
          // Not left to the generator: it may never have begun, or be waiting for an item that nobody wants any more.
          buffer.length = 0;
          end();
          return told.return(undefined);
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
    get listeners() {
      return readers.size;
    },
  };
}
