// The checks of the played story: one printed line each with the values it saw, and the count at the end.

import { systemClock } from "#base/clock.ts";
import { describe } from "#base/log.ts";
import { safe } from "../output.ts";

/** What was seen is not what the story demands; the message says what was seen. */
export class CheckError extends Error {
  override name = "CheckError";
}

export interface Checks {
  /** A heading. */
  step(title: string): void;
  /** Runs one check; `work` returns the values it saw, for the line, or throws. Never rejects unless interrupted. */
  check(what: string, work: () => Promise<string>): Promise<boolean>;
  readonly passed: number;
  readonly failed: number;
}

export function createChecks(print: (line: string) => void, signal: AbortSignal): Checks {
  let passed = 0;
  let failed = 0;
  return {
    step: title => print(`\n${title}`),
    async check(what, work) {
      signal.throwIfAborted();
      try {
        print(`  ok    ${what}: ${safe(await work())}`);
        passed++;
        return true;
      } catch (error) {
        signal.throwIfAborted();
        print(`  FAIL  ${what}: ${safe(describe(error))}`);
        failed++;
        return false;
      }
    },
    get passed() {
      return passed;
    },
    get failed() {
      return failed;
    },
  };
}

/** Fails the check unless the claim holds. */
export function demand(holds: boolean, seen: string): void {
  if (!holds) throw new CheckError(seen);
}

const lookEveryMs = 100;

/** Looks until `look` gives something, at most `ms`; what it threw or gave last is in the error. */
export async function until<T>(
  what: string,
  ms: number,
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const began = systemClock.monotonic();
  let last = "";
  while (systemClock.monotonic() - began < ms) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      last = "";
    } catch (error) {
      last = `, last: ${describe(error)}`;
    }
    await systemClock.sleep(lookEveryMs, signal);
  }
  throw new CheckError(`${what}: not within ${ms / 1000} s${last}`);
}
