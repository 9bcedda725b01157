// Facts a device or line shows on its node: short to make, the same words in every driver.

import type { DisplayParameter } from "#contract/node.ts";

export const textFact = (id: string, name: string, value: string): DisplayParameter => ({
  id,
  name,
  value: { kind: "string", value },
});

export const countFact = (id: string, name: string, value: number): DisplayParameter => ({
  id,
  name,
  value: { kind: "int", value },
});

export const timeFact = (id: string, name: string, at: number): DisplayParameter => ({
  id,
  name,
  value: { kind: "dateTime", value: at },
});

/** Counters by id, each under the name it has in every driver. */
export const counterFacts = (counters: Readonly<Partial<Record<CounterId, number>>>): DisplayParameter[] =>
  Object.entries(counters).map(([id, value]) => countFact(id, counterNames[id as CounterId], value));

export type CounterId = keyof typeof counterNames;

const counterNames = {
  requests: "Requests",
  answers: "Answers",
  timeouts: "Requests Without Answer",
  garbled: "Garbled Answers",
  exceptions: "Refusals",
  retries: "Repeated Requests",
  late: "Late Answers Discarded",
  foreign: "Foreign Answers Discarded",
  discarded: "Discarded Octets",
  echoes: "Echoes Removed",
  reopened: "Connections Reopened",
  waiting: "Waiting Requests",
  readouts: "Readouts",
  failures: "Failed Readouts",
  failuresInARow: "Failures in a Row",
  refused: "Refused Fields",
} as const;

export interface LastFault {
  note(error: unknown): void;
  facts(): DisplayParameter[];
}

/** The last thing that went wrong, with its time; it stays when all is well again. */
export function createLastFault(now: () => number): LastFault {
  let last: { readonly text: string; readonly at: number } | undefined;
  return {
    note(error) {
      last = { text: error instanceof Error ? error.message : String(error), at: now() };
    },
    facts: () =>
      last === undefined
        ? []
        : [textFact("lastError", "Last Error", last.text), timeFact("lastErrorAt", "Time of Last Error", last.at)],
  };
}
