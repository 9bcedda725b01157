// A node's own retention, over real SQLite.

import { expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { categories } from "#contract/field.ts";
import { historyPruneMs } from "#limits.ts";
import { openDatabase } from "#store/database.ts";
import { createHistory } from "#store/history.ts";
import { historyMigrations } from "#store/migrations.ts";
import { manualClock } from "../support/manual-clock.ts";

const day = 86_400_000;
const ref = (nodeId: string) => ({ nodeId, sourceId: "MeteringTopology", partition: "" });

async function left(clockTrusted = true) {
  const clock = manualClock();
  const database = openDatabase(":memory:", historyMigrations, silentLog);
  const history = createHistory(database, {
    clock,
    log: silentLog,
    keepMs: 100 * day,
    clockTrusted: () => clockTrusted,
  });
  const days = Array.from({ length: 50 }, (_, ago) => clock.now() - ago * day);
  for (const node of ["short", "usual", "renamed"]) {
    for (const at of days) {
      history.readings.record(ref(node), {
        at,
        fields: [{ name: "E", value: { kind: "int32", value: 1 }, categories: categories("momentary"), quality: {} }],
      });
    }
  }
  history.readings.keepFor(ref("short"), 10 * day);
  history.readings.keepFor(ref("renamed"), 10 * day);
  history.readings.keepFor(ref("renamed"), undefined);
  const stop = new AbortController();
  const running = history.run(stop.signal);
  await clock.advance(historyPruneMs * 2);
  const count = (node: string) => [...history.readings.between(ref(node), 0, Number.MAX_SAFE_INTEGER)].length;
  const counts = ["short", "usual", "renamed"].map(count);
  stop.abort();
  await clock.advance(0);
  await running;
  history[Symbol.dispose]();
  return counts;
}

it("history of a node is kept as long as it says, that of others as long as the appliance", async () => {
  expect(await left()).toEqual([10, 50, 50]);
});

it("a clock that has not been set makes nothing too old", async () => {
  expect(await left(false)).toEqual([50, 50, 50]);
});
