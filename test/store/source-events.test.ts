// The log of source events on a real file: in order, over restarts, bounded, and honest about what may be missing.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { SourceEvent } from "#concentrator/records.ts";
import { meteringTopology as source } from "#contract/node.ts";
import { historyPruneRows } from "#limits.ts";
import { createBehind } from "#store/behind.ts";
import { openDatabase } from "#store/database.ts";
import { openHistory } from "#store/history.ts";
import { historyMigrations } from "#store/migrations.ts";
import { createSourceEvents } from "#store/source-events.ts";
import { manualClock } from "../support/manual-clock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = manualClock();
const start = clock.now();
const day = 86_400_000;
const open = () => openHistory(join(folder, "history.db"), { clock, log: silentLog, keepMs: day });

const event = (at: number, nodeId = "a"): SourceEvent => ({
  kind: "status",
  node: { nodeId, sourceId: source, partition: "p" },
  at,
  displayName: "A meter",
  nodeType: "x",
  state: "ErrorUnsigned",
  messages: [{ at, type: "Error", eventId: "E", text: "Oh" }],
});

it("CON-SUB-05, -07: what was told is there again after an orderly restart, in order, from a time on", () => {
  const first = open();
  expect(first.events.last(source)).toBeUndefined();
  for (const at of [3, 1, 2]) first.events.append(event(start + at));
  expect(first.events.since(source, start + 2, 10), "what waits is among them").toEqual([
    event(start + 2),
    event(start + 3),
  ]);
  first[Symbol.dispose]();
  const second = open();
  expect(second.events.since(source, start, 2)).toEqual([event(start + 1), event(start + 2)]);
  expect(second.events.since("Appliance", 0, 10)).toEqual([]);
  expect(second.events.count(source, start + 2, 10)).toBe(2);
  expect(second.events.count(source, 0, 2)).toBe(2);
  expect(second.events.last(source)).toBe(start + 3);
  expect(second.events.completeFrom(source)).toBe(start);
  second[Symbol.dispose]();
});

it("CON-SUB-06: after a stop that was none, nothing before it is claimed to be whole", () => {
  const first = open();
  first.events.append(event(start + 5));
  first.flush();
  // Not closed: as after a kill, the file is opened by the next.
  const second = open();
  expect(second.events.since(source, 0, 10)).toHaveLength(1);
  expect(second.events.completeFrom(source)).toBe(start + 6);
  second[Symbol.dispose]();
  first[Symbol.dispose]();
});

it("CON-SUB-06: a past with a hole begins behind it, also after a restart", () => {
  open()[Symbol.dispose]();
  const history = open();
  history.events.beginAt(source, start + 100);
  history.events.beginAt(source, start + 50);
  expect(history.events.completeFrom(source)).toBe(start + 100);
  expect(history.events.completeFrom("Appliance")).toBe(start);
  history[Symbol.dispose]();
  const again = open();
  expect(again.events.completeFrom(source)).toBe(start + 100);
  again[Symbol.dispose]();
});

it("CON-SUB-07: the young and the newest are kept, what is both old and many goes, and no more than a bound ever", () => {
  const database = openDatabase(join(folder, "history.db"), historyMigrations, silentLog, { synchronous: "NORMAL" });
  const behind = createBehind(database, clock, silentLog);
  const events = createSourceEvents(database, behind, { clock, log: silentLog, keptMin: 10, keptMax: 50 });
  const pruneAll = () => {
    while (events.prune());
  };
  for (let index = 0; index < 30; index++) events.append(event(start - 30 * day + index));
  for (let index = 0; index < 5; index++) events.append(event(start - day + index));
  behind.flush();
  pruneAll();
  expect(events.since(source, 0, 100).map(one => one.at)).toEqual([
    ...Array.from({ length: 5 }, (_, index) => start - 30 * day + 25 + index),
    ...Array.from({ length: 5 }, (_, index) => start - day + index),
  ]);
  for (let index = 0; index < 20; index++) events.append(event(start - day + 100 + index));
  behind.flush();
  pruneAll();
  expect(events.since(source, 0, 100), "all of the last days, though more than ten").toHaveLength(25);
  for (let index = 0; index < 80; index++) events.append(event(start + index));
  behind.flush();
  pruneAll();
  expect(events.since(source, 0, 100)).toHaveLength(50);
  expect(events.completeFrom(source)).toBe(start + 30);
  database.close();
});

it("PROVO-THR-04: what somebody said is forgotten in steps, from the first event to the last, and nothing else is", () => {
  const file = open();
  const said = (at: number, text: string): SourceEvent => ({
    ...event(start + at),
    messages: [{ at: start, type: "Information", eventId: `logged-by-${text}`, text: '"It" is mine' }],
  });
  const count = 3 * historyPruneRows;
  for (let at = 1; at <= count; at++)
    file.events.append(said(at, at % 3 === 0 ? "former@x.example" : "other@x.example"));
  let steps = 1;
  while (file.events.forget("former@x.example")) steps++;
  expect(steps).toBe(3);
  const left = file.events.since(source, 0, count);
  expect(left).toHaveLength((count / 3) * 2);
  expect(JSON.stringify(left)).not.toContain("former");
  // As a person wrote it, and not as JSON escapes it.
  while (file.events.forget('"It" is mine')) steps++;
  expect(file.events.since(source, 0, count)).toEqual([]);
  file[Symbol.dispose]();
});
