// A unit that does not answer rests, so that its silence costs its neighbours on the line little: after some silent attempts
// requests to it fail at once, and after each rest one probe is let through (half open). One good answer ends it.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import { DeviceFault } from "#contract/faults.ts";
import { modbusRestFirstMs, modbusRestMsMax, modbusSilentMax } from "#limits.ts";

export interface Breaker {
  /** Throws `DeviceFault` timeout while the unit rests or its one probe is under way. */
  check(): void;
  /**
   * Runs one attempt. A `DeviceFault` timeout or garbled counts against the unit, anything else that is thrown does not; a
   * result counts against it when `isSilence` says so (a gateway that answers for a unit that did not).
   */
  attempt<T>(work: () => Promise<T>, isSilence: (result: T) => boolean): Promise<T>;
  /** "answering", "resting, next try in 40 s", "being probed" */
  describe(): string;
  readonly resting: boolean;
}

/** `turned` is told once when the unit turns bad and once when it is well again. */
export function createBreaker(name: string, clock: Clock, turned: (resting: boolean) => void): Breaker {
  let silent = 0;
  let rests: Iterator<number> | undefined;
  let until = 0;
  let probing = false;

  const check = () => {
    if (rests === undefined) return;
    if (probing || clock.monotonic() < until)
      throw new DeviceFault("timeout", `${name} does not answer: ${describe()}`);
  };
  const describe = () => {
    if (rests === undefined) return "answering";
    if (probing) return "being probed";
    const left = Math.max(0, until - clock.monotonic());
    return left === 0 ? "resting, next try at the next request" : `resting, next try in ${Math.ceil(left / 1000)} s`;
  };
  const failed = () => {
    silent++;
    if (rests === undefined && silent < modbusSilentMax) return;
    const first = rests === undefined;
    rests ??= backoff(modbusRestFirstMs, modbusRestMsMax);
    until = clock.monotonic() + rests.next().value;
    if (first) turned(true);
  };
  const answered = () => {
    silent = 0;
    if (rests === undefined) return;
    rests = undefined;
    turned(false);
  };

  return {
    check,
    describe,
    async attempt(work, isSilence) {
      check();
      probing = rests !== undefined;
      try {
        const result = await work();
        if (isSilence(result)) failed();
        else answered();
        return result;
      } catch (error) {
        if (error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled")) failed();
        throw error;
      } finally {
        probing = false;
      }
    },
    get resting() {
      return rests !== undefined;
    },
  };
}
