// A meter that does not answer rests, so that it costs the others on its line little: after some failed readouts asking it
// fails at once, and after each rest one cheap try is let through (half open). One good answer ends it.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import { DeviceFault } from "#contract/faults.ts";
import { mbusFailedMax, mbusRestFirstMs, mbusRestMsMax } from "#limits.ts";

export interface Breaker {
  /**
   * Runs one readout. `probing`: it is the one try after a rest, to be kept short. Throws `DeviceFault` timeout without
   * running it while the meter rests. A timeout or garbled fault counts against the meter, anything else does not.
   */
  attempt<T>(work: (probing: boolean) => Promise<T>): Promise<T>;
  /** "answering", "resting, next try in 40 s", "being tried" */
  describe(): string;
  readonly failed: number;
}

/** `turned` is told once when the meter turns bad and once when it is well again. */
export function createBreaker(name: string, clock: Clock, turned: (resting: boolean) => void): Breaker {
  let failed = 0;
  let rests: Iterator<number> | undefined;
  let until = 0;
  let probing = false;

  const describe = () => {
    if (rests === undefined) return "answering";
    if (probing) return "being tried";
    const left = until - clock.monotonic();
    return left <= 0 ? "resting, next try when asked" : `resting, next try in ${Math.ceil(left / 1000)} s`;
  };
  const rest = () => {
    failed++;
    if (rests === undefined) {
      if (failed < mbusFailedMax) return;
      rests = backoff(mbusRestFirstMs, mbusRestMsMax);
      turned(true);
    }
    until = clock.monotonic() + (rests.next().value as number);
  };
  const answered = () => {
    failed = 0;
    if (rests === undefined) return;
    rests = undefined;
    turned(false);
  };

  return {
    describe,
    async attempt(work) {
      const half = rests !== undefined;
      if (half && (probing || clock.monotonic() < until)) {
        throw new DeviceFault("timeout", `${name} does not answer: ${describe()}`);
      }
      probing = half;
      try {
        const result = await work(half);
        answered();
        return result;
      } catch (error) {
        if (error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled")) rest();
        throw error;
      } finally {
        if (half) probing = false;
      }
    },
    get failed() {
      return failed;
    },
  };
}
