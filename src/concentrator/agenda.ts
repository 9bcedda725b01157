// Everything that is due later, on one timer: reopening, polls, retries. Ten thousand nodes are ten thousand entries here
// and no timers of their own.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";

export interface Agenda {
  /** Runs `work` once, `ms` from now or a little later. Dispose to call it off. What it throws is logged. */
  after(ms: number, work: () => void): Disposable;
  /** Keeps the agenda until aborted. */
  run(signal: AbortSignal): Promise<void>;
  readonly size: number;
}

interface Entry {
  readonly due: number;
  work: (() => void) | undefined;
}

/** Fewer empty entries are not worth looking for. */
const emptyMin = 1_000;

export function createAgenda(clock: Clock, log: Log): Agenda {
  /** A binary heap, earliest first. What is called off stays in it, empty, until its time or until half of it is such. */
  let heap: Entry[] = [];
  let empty = 0;
  let wake = () => {};

  const runDue = () => {
    for (let first = heap[0]; first !== undefined && first.due <= clock.monotonic(); first = heap[0]) {
      pop(heap);
      const { work } = first;
      if (work === undefined) empty--;
      first.work = undefined;
      try {
        work?.();
      } catch (error) {
        log.error("agenda-work-failed", { error });
      }
    }
  };

  /** Who subscribes and leaves a million times, each time for a year, leaves nothing behind. */
  const sweep = () => {
    if (empty < emptyMin || 2 * empty < heap.length) return;
    const left = heap.filter(entry => entry.work !== undefined);
    heap = [];
    for (const entry of left) push(heap, entry);
    empty = 0;
  };

  return {
    after(ms, work) {
      const entry: Entry = { due: clock.monotonic() + Math.max(0, ms), work };
      push(heap, entry);
      if (heap[0] === entry) wake();
      return {
        [Symbol.dispose]() {
          if (entry.work === undefined) return;
          entry.work = undefined;
          empty++;
          sweep();
        },
      };
    },
    async run(signal) {
      const stop = () => wake();
      signal.addEventListener("abort", stop, { once: true });
      while (!signal.aborted) {
        runDue();
        const first = heap[0];
        const nap = new AbortController();
        const woken = new Promise<void>(resolve => {
          wake = () => {
            nap.abort();
            resolve();
          };
        });
        if (first === undefined) await woken;
        else await clock.sleep(first.due - clock.monotonic(), nap.signal).catch(() => {});
      }
      signal.removeEventListener("abort", stop);
    },
    get size() {
      return heap.length;
    },
  };
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const other = heap[above] as Entry;
    if (other.due <= entry.due) break;
    heap[at] = other;
    at = above;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && (heap[below + 1] as Entry).due < (heap[below] as Entry).due) below++;
    const other = heap[below] as Entry;
    if (other.due >= last.due) break;
    heap[at] = other;
    at = below;
  }
  heap[at] = last;
}
