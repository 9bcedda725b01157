// Makes a test fail on a rejection that nobody handles: in the program one of those ends the process.

import { afterEach, beforeEach, expect } from "vitest";

/** For every test of the file that calls it. */
export function failOnUnhandledRejections(): void {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => {
    unhandled.length = 0;
    process.on("unhandledRejection", note);
  });
  afterEach(async () => {
    // Node tells of them after the microtasks of the turn in which they happened.
    for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
}
