// One writer, many readers: each reader is an async iterable with a bounded buffer of its own; a slow reader loses the
// oldest items and is told how many, it never holds up the writer.

export interface Broadcast<T> {
  send(item: T): void;
  /** Items sent from now on, until aborted. `lost` is called with the number dropped since the last item taken. */
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
      let wake = () => {};
      const deliver = (item: T) => {
        if (buffer.length >= bufferMax) {
          buffer.shift();
          dropped++;
        }
        buffer.push(item);
        wake();
      };
      const leave = () => {
        readers.delete(deliver);
        wake();
      };
      if (!signal.aborted) readers.add(deliver);
      signal.addEventListener("abort", leave, { once: true });

      async function* items(): AsyncGenerator<T> {
        try {
          for (;;) {
            if (dropped > 0) {
              lost?.(dropped);
              dropped = 0;
            }
            if (buffer.length > 0) {
              yield buffer.shift() as T;
            } else if (signal.aborted) {
              return;
            } else {
              await new Promise<void>(resolve => {
                wake = resolve;
              });
            }
          }
        } finally {
          signal.removeEventListener("abort", leave);
          readers.delete(deliver);
        }
      }
      return items();
    },
    get listeners() {
      return readers.size;
    },
  };
}
