// One at a time: the queue of a shared line. Bounded, ordered by priority, abortable while waiting; a full queue refuses.

/** The queue is full: an answer to the asker ("busy"), never a growing array. */
export class QueueFull extends Error {
  override name = "QueueFull";
}

/** Lower goes first: control before reading, reading before background polls, polls before scans. */
export const turnOrder = { control: 0, read: 1, poll: 2, scan: 3 } as const;
export type TurnOrder = keyof typeof turnOrder;

export interface Turns {
  /** Waits for the turn, runs the work alone, passes the turn on. Rejects with `QueueFull`, the abort reason, or the work's error. */
  take<T>(order: TurnOrder, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Waiting, not counting the one that works. */
  readonly waiting: number;
}

interface Waiter {
  order: number;
  start: () => void;
}

/** Waiters of equal order go first come, first served. `atOnce`: how many work at a time, usually one. */
export function createTurns(waitingMax: number, atOnce = 1): Turns {
  const queue: Waiter[] = [];
  let working = 0;

  const next = () => {
    const first = queue.shift();
    if (first) first.start();
    else working--;
  };

  const wait = (order: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        order,
        start: () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        const at = queue.indexOf(waiter);
        if (at >= 0) queue.splice(at, 1);
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      const after = queue.findIndex(other => other.order > order);
      queue.splice(after < 0 ? queue.length : after, 0, waiter);
    });

  return {
    async take(order, signal, work) {
      signal.throwIfAborted();
      if (working >= atOnce) {
        if (queue.length >= waitingMax) throw new QueueFull(`busy: ${queue.length} requests are waiting already`);
        await wait(turnOrder[order], signal);
      } else {
        working++;
      }
      try {
        // Aborted between being called and coming here: the turn is passed on unused.
        signal.throwIfAborted();
        return await work();
      } finally {
        next();
      }
    },
    get waiting() {
      return queue.length;
    },
  };
}
