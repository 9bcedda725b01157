// Waiting for a port that is not there: the adapter is plugged in again, perhaps under another number, and its lasting name is
// back. The folder is watched, and looked at every now and then all the same: not every system tells of what it makes in /dev.

import { watch } from "node:fs";
import { access } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import { serialLookMs } from "#limits.ts";

/** Resolves when something of this name is there; rejects with the abort reason. */
export async function untilPortIsThere(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    if (await isThere(path)) return;
    using pause = createScope(signal);
    await Promise.race([clock.sleep(serialLookMs, pause.signal), untilChanged(path, pause.signal)]);
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Resolves when something changed in the nearest folder above it that exists; /dev/serial goes with the last adapter. */
async function untilChanged(path: string, signal: AbortSignal): Promise<void> {
  let missing = path;
  while (dirname(missing) !== "/" && !(await isThere(dirname(missing)))) missing = dirname(missing);
  if (signal.aborted) return;
  await new Promise<void>(resolve => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    try {
      const watcher = watch(dirname(missing), { signal, persistent: false });
      watcher.once("change", () => resolve());
      // The folder went: looking now and then goes on.
      watcher.on("error", () => {});
    } catch {
      // The system has no watch left: the same.
    }
    // It may have come before the watch was set.
    void isThere(missing).then(there => there && resolve());
  });
}
