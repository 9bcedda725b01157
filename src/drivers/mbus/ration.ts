// Battery meters answer only so often: one model gives one telegram each 69 minutes. Within that time the last readout is the
// answer, with its own time; the last question is remembered over a restart, so that restarts do not use the ration up.

import type { Clock } from "#base/clock.ts";
import type { Memory } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";

export interface Ration {
  /** May the meter be asked now? `undefined`: yes. */
  waitMs(): number | undefined;
  /** It answered: its ration is used. */
  used(): void;
  /** The next question is allowed, once: a person insists. */
  override(): void;
}

/** `name`: the meter's own address, the same after a restart. */
export function createRation(name: string, intervalMs: number, clock: Clock, memory: Memory | undefined): Ration {
  const key = `ration ${name}`;
  let until = clock.monotonic() + leftOf(memory?.recall(key), intervalMs, clock.now());
  return {
    waitMs() {
      const leftMs = until - clock.monotonic();
      return leftMs > 0 ? leftMs : undefined;
    },
    used() {
      if (intervalMs === 0) return;
      until = clock.monotonic() + intervalMs;
      memory?.keep(key, String(clock.now()));
    },
    override() {
      until = clock.monotonic();
    },
  };
}

/** A clock that was set back or a text from elsewhere makes a meter wait no longer than its interval. */
function leftOf(kept: string | undefined, intervalMs: number, now: number): number {
  const since = now - Number(kept ?? Number.NaN);
  return since >= 0 && since < intervalMs ? intervalMs - since : 0;
}

/** Asked too soon, and there is no readout yet to give instead. The same words each time: they stand on the node. */
export const rationed = (who: string): DeviceFault =>
  new DeviceFault("refused", `${who}: it answered not long ago and may not be asked again yet`);
