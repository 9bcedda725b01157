// A device that does not answer rests, so that its silence costs its neighbours on the line little: after some failed
// attempts asking it fails at once, and after each rest one cheap try is let through (half open). One good answer ends it.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { TurnOrder } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";

export interface Rest {
  /** Failed attempts in a row until the device rests. */
  readonly failuresMax: number;
  /** Rests double from the first to the last, milliseconds. */
  readonly firstMs: number;
  readonly msMax: number;
}

export interface Breaker {
  /**
   * Throws while the device rests or its one try is under way: what the last try found. Polls wait out the whole rest; a
   * person who asks is let through once the first rest is over, so that a repair shows soon after it was made.
   */
  check(order: TurnOrder): void;
  /**
   * Runs one attempt; `probing`: it is the one try after a rest, to be kept short. A `DeviceFault` timeout or garbled counts
   * against the device, anything else that is thrown does not; a result counts against it when `silenceIn` says in words why
   * (a gateway that answers for a unit that did not).
   */
  attempt<T>(
    order: TurnOrder,
    work: (probing: boolean) => Promise<T>,
    silenceIn?: (result: T) => string | undefined,
  ): Promise<T>;
  /** "answering", "resting, next try in 40 s", "being tried" */
  describe(): string;
  readonly resting: boolean;
  /** Failed attempts in a row. */
  readonly failures: number;
}

/**
 * `turned` is told once when the device turns bad and once when it is well again; `rested` of each rest until when it lasts
 * (`clock.monotonic`), and undefined when there is none any more.
 */
export function createBreaker(
  rest: Rest,
  clock: Clock,
  turned: (resting: boolean) => void,
  rested: (untilMs: number | undefined) => void = () => {},
): Breaker {
  let failures = 0;
  let rests: Iterator<number> | undefined;
  let triedAt = 0;
  let until = 0;
  let probing = false;
  let found: DeviceFault | undefined;

  const check = (order: TurnOrder) => {
    if (rests === undefined || found === undefined) return;
    const due = order === "poll" || order === "scan" ? until : Math.min(until, triedAt + rest.firstMs);
    // The same words each time: they stand on the node until the device answers.
    if (probing || clock.monotonic() < due) throw atRest(found);
  };
  const failed = (fault: DeviceFault) => {
    found = fault;
    failures++;
    triedAt = clock.monotonic();
    const first = rests === undefined;
    if (first && failures < rest.failuresMax) return;
    rests ??= backoff(rest.firstMs, rest.msMax);
    until = triedAt + (rests.next().value as number);
    rested(until);
    if (first) turned(true);
  };
  const answered = () => {
    failures = 0;
    if (rests === undefined) return;
    rests = undefined;
    rested(undefined);
    turned(false);
  };

  return {
    check,
    describe() {
      if (rests === undefined) return "answering";
      if (probing) return "being tried";
      const leftMs = until - clock.monotonic();
      return leftMs <= 0 ? "resting, next try when asked" : `resting, next try in ${spanOf(leftMs)}`;
    },
    async attempt(order, work, silenceIn) {
      check(order);
      const half = rests !== undefined;
      probing = half;
      try {
        const result = await work(half);
        const silence = silenceIn?.(result);
        if (silence === undefined) answered();
        else failed(new DeviceFault("timeout", silence));
        return result;
      } catch (error) {
        if (!(error instanceof DeviceFault) || (error.kind !== "timeout" && error.kind !== "garbled")) throw error;
        failed(error);
        throw rests === undefined ? error : atRest(error);
      } finally {
        if (half) probing = false;
      }
    },
    get resting() {
      return rests !== undefined;
    },
    get failures() {
      return failures;
    },
  };
}

const atRest = (fault: DeviceFault): DeviceFault =>
  new DeviceFault(fault.kind, `${fault.message} (resting between tries)`, { cause: fault });

const spanOf = (ms: number): string => {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds <= 120) return `${seconds} s`;
  return seconds <= 7_200 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`;
};
