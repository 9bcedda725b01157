// A trace of a node's line written to a file while something else goes on: what is overheard there, in the one format that
// `isthmus decode` reads.

import { closeSync, openSync, writeSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import type { SniffedOnWire } from "#client/sniffers.ts";
import { formatTraceItem, traceHeader } from "#drivers/trace.ts";
import { CommandError } from "./command.ts";

export interface TraceFile extends Disposable {
  take(item: SniffedOnWire): void;
  /** Frames and remarks written. */
  readonly items: number;
}

/** Throws `CommandError` when the file cannot be written: before anything is asked of anybody. */
export function openTraceFile(path: string, what: string): TraceFile {
  let file: number;
  try {
    file = openSync(path, "w", 0o600);
  } catch (error) {
    throw new CommandError(`${path} cannot be written: ${(error as Error).message}`);
  }
  const write = (lines: readonly string[]) => void writeSync(file, lines.map(line => `${line}\n`).join(""));
  write([traceHeader(what, systemClock.now())]);
  let items = 0;
  return {
    take(item) {
      if (item.kind === "expired") return;
      items++;
      write(formatTraceItem(item));
    },
    get items() {
      return items;
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}
