// A disk that is full or failing: whoever wanted something changed is told that it was not, and to come again, in words that
// blame neither him nor us; the operator is told once when it begins and once when it is over.

import type { Log } from "#base/log.ts";
import { StanzaError } from "#xmpp/stanza.ts";

export interface DiskWatch {
  /** What to answer in place of this error: itself, when it is none of the disk. */
  refusalOf(error: unknown): unknown;
  /** Something was committed. */
  written(): void;
}

export function createDiskWatch(file: string, log: Log): DiskWatch {
  let isFailing = false;
  return {
    refusalOf(error) {
      if (!isOfTheDisk(error)) return error;
      if (!isFailing) log.error("registry-not-written", { file, why: error.message });
      isFailing = true;
      // A device takes it for a service that is away, keeps what it was told before, and asks again.
      return new StanzaError(
        "wait",
        "service-unavailable",
        "the disk of the registry takes nothing more; try again later",
      );
    },
    written() {
      if (isFailing) log.info("registry-written-again", { file });
      isFailing = false;
    },
  };
}

/** It may be well again in a second, or when somebody has made room. */
const isOfTheDisk = (error: unknown): error is Error =>
  error instanceof Error &&
  /^SQLITE_(FULL|BUSY|IOERR|LOCKED|READONLY|CANTOPEN)/.test(String((error as { code?: unknown }).code ?? ""));
