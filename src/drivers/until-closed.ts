// Waits that the end of a channel ends. A channel lives for years and is written to without end, so a wait that is over
// leaves nothing behind: a promise that many wait on would keep every one of them.

import type { DeviceFault } from "#contract/faults.ts";

type Start = (done: () => void, failed: (error: Error) => void) => void;

/** Returns a function that starts something and resolves when it is done; it rejects when `closed` settles first. */
export function untilClosed(closed: Promise<DeviceFault>): (start: Start) => Promise<void> {
  const waiting = new Set<(fault: DeviceFault) => void>();
  let ended: DeviceFault | undefined;
  void closed.then(fault => {
    ended = fault;
    for (const end of waiting) end(fault);
    waiting.clear();
  });
  return start =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      waiting.add(reject);
      const over = (settle: () => void) => {
        waiting.delete(reject);
        settle();
      };
      start(
        () => over(resolve),
        error => over(() => reject(error)),
      );
    });
}
