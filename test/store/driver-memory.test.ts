// What drivers learn, over a restart on a real file, and within its bounds.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { memoryEntriesMax, memoryTextCharsMax } from "#limits.ts";
import { openDatabase } from "#store/database.ts";
import { createDriverMemory } from "#store/driver-memory.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { manualClock } from "../support/manual-clock.ts";

const open = (file: string, clock = manualClock()) => {
  const database = openDatabase(file, edgeMigrations, silentLog);
  return { database, memoryOf: createDriverMemory(database, clock, silentLog), clock };
};

it("survives a restart, each driver for itself; the last text counts", () => {
  const file = join(mkdtempSync(join(tmpdir(), "memory-")), "edge.db");
  const first = open(file);
  first.memoryOf("modbus").keep("sdm630", "one");
  first.memoryOf("modbus").keep("sdm630", "two");
  first.memoryOf("mbus").keep("sdm630", "other");
  first.database.close();
  const { memoryOf, database } = open(file);
  expect(memoryOf("modbus").recall("sdm630")).toBe("two");
  expect(memoryOf("mbus").recall("sdm630")).toBe("other");
  expect(memoryOf("mqtt").recall("sdm630")).toBeUndefined();
  database.close();
});

it("is bounded: the oldest go, what is too long is not kept", async () => {
  const { memoryOf, clock } = open(":memory:");
  const memory = memoryOf("modbus");
  for (let n = 0; n <= memoryEntriesMax; n++) {
    memory.keep(`key ${n}`, "text");
    if (n < 3) await clock.advance(1);
  }
  expect(memory.recall("key 0")).toBeUndefined();
  expect(memory.recall("key 1")).toBe("text");
  memory.keep("key 1", "x".repeat(memoryTextCharsMax + 1));
  expect(memory.recall("key 1")).toBe("text");
});
