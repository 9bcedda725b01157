import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { categories, type Field, type FieldValue, type Sample } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { openDatabase } from "#store/database.ts";
import { formatFields, parseFields } from "#store/field-text.ts";
import { createHistory, openHistory } from "#store/history.ts";
import { historyMigrations } from "#store/migrations.ts";
import { manualClock } from "../support/manual-clock.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-history-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const node: NodeRef = { nodeId: "heat-1", sourceId: "MeteringTopology", partition: "attic" };
const field = (name: string, value: FieldValue): Field => ({
  name,
  value,
  categories: categories("momentary"),
  quality: { automaticReadout: true },
});
const energy = (at: number, value: number): Sample => ({
  at,
  fields: [field("Energy", { kind: "quantity", value, decimals: 2, unit: "kWh" })],
});
const day = 86_400_000;

describe("history", () => {
  it("keeps every kind of field exactly: 64-bit integers, decimals, reasons", () => {
    const text = fc.string({ unit: "grapheme" });
    const value: fc.Arbitrary<FieldValue> = fc.oneof(
      fc.record({
        kind: fc.constant("quantity" as const),
        value: fc.double({ noNaN: true, noDefaultInfinity: true }).map(one => one + 0),
        decimals: fc.nat(9),
        unit: text,
      }),
      fc.record({ kind: fc.constant("int64" as const), value: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
      fc.record({ kind: fc.constant("int32" as const), value: fc.integer() }),
      fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
      fc.record({
        kind: fc.constantFrom("string" as const, "date" as const, "time" as const, "duration" as const),
        value: text,
      }),
      fc.record({ kind: fc.constant("dateTime" as const), value: fc.integer() }),
      fc.record({ kind: fc.constant("enum" as const), value: text, type: text }),
      fc.record({ kind: fc.constant("missing" as const), reason: text }),
    );
    fc.assert(
      fc.property(text, value, (name, one) => {
        const before = [{ ...field(name, one), writable: true as const }];
        expect(parseFields(formatFields(before))).toEqual(before);
      }),
    );
  });

  it("writes behind: nothing at once, one transaction after a second, the rest when aborted", async () => {
    const clock = manualClock();
    const path = join(folder, "history.db");
    const database = openDatabase(path, historyMigrations, silentLog, { synchronous: "NORMAL" });
    const history = createHistory(database, { clock, log: silentLog, keepMs: day });
    const stop = new AbortController();
    const running = history.run(stop.signal);
    const rows = () => database.prepare("SELECT count(*) FROM samples").pluck().get();

    history.readings.record(node, energy(clock.now(), 1));
    history.readings.record(node, energy(clock.now(), 2));
    expect(rows()).toBe(0);
    await clock.advance(1_000);
    expect(rows()).toBe(2);
    history.readings.record(node, energy(clock.now(), 3));
    stop.abort();
    await running;
    expect(rows()).toBe(3);
    history[Symbol.dispose]();
  });

  it("a readout that is only remembered writes nothing", async () => {
    const clock = manualClock();
    const database = openDatabase(":memory:", historyMigrations, silentLog);
    using history = createHistory(database, { clock, log: silentLog, keepMs: day });
    const before = database.prepare("SELECT total_changes()").pluck().get();
    history.readings.remember(node, energy(clock.now(), 1));
    history.flush();
    expect(database.prepare("SELECT total_changes()").pluck().get()).toBe(before);
    expect(history.readings.latest(node).map(one => one.field.name)).toEqual(["Energy"]);
  });

  it("latest values have each their own time and survive a restart; a late old sample changes nothing", () => {
    const clock = manualClock();
    const path = join(folder, "history.db");
    const deps = { clock, log: silentLog, keepMs: day };
    const at = clock.now();
    {
      using history = openHistory(path, deps);
      history.readings.record(node, energy(at, 1));
      history.readings.record(node, { at: at + 5, fields: [field("Flow", { kind: "int64", value: 2n ** 60n })] });
      history.readings.record(node, energy(at - 99, 7));
    }
    using history = openHistory(path, deps);
    expect(history.readings.latest(node)).toEqual([
      { at, field: energy(at, 1).fields[0] },
      { at: at + 5, field: field("Flow", { kind: "int64", value: 2n ** 60n }) },
    ]);
  });

  it("SD-REQ-05: gives samples from and to inclusive, oldest first, over many pages", () => {
    const clock = manualClock();
    using history = openHistory(join(folder, "history.db"), { clock, log: silentLog, keepMs: day });
    for (let index = 1000; index > 0; index--) history.readings.record(node, energy(index, index));
    const found = [...history.readings.between(node, 100, 900)];
    expect(found.map(sample => sample.at)).toEqual(Array.from({ length: 801 }, (_, index) => index + 100));
    expect([...history.readings.between(node, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)]).toHaveLength(1000);
    expect([...history.readings.between({ ...node, partition: "" }, 0, 2000)]).toEqual([]);
    history.readings.forget(node);
    expect([...history.readings.between(node, 0, 2000)]).toEqual([]);
    expect(history.readings.latest(node)).toEqual([]);
  });

  it("deletes by age and by number, and by age only when the clock is trusted", async () => {
    const clock = manualClock();
    let trusted = false;
    const database = openDatabase(":memory:", historyMigrations, silentLog);
    using history = createHistory(database, {
      clock,
      log: silentLog,
      keepMs: day,
      rowsMax: 50,
      clockTrusted: () => trusted,
    });
    for (let index = 0; index < 100; index++) history.readings.record(node, energy(clock.now() - 2 * day, index));
    for (let index = 0; index < 20; index++) history.readings.record(node, energy(clock.now(), index));
    history.flush();
    const stop = new AbortController();
    const running = history.run(stop.signal);
    await clock.advance(1);
    const rows = () => database.prepare("SELECT count(*) FROM samples").pluck().get();
    expect(rows()).toBe(50);
    trusted = true;
    await clock.advance(3_600_000);
    expect(rows()).toBe(20);
    stop.abort();
    await running;
  });

  it("a full disk keeps rows waiting, says so once, and writes them when there is room again", async () => {
    const clock = manualClock();
    const events: LogEvent[] = [];
    const database = openDatabase(join(folder, "history.db"), historyMigrations, silentLog);
    const log = createLog(event => events.push(event));
    using history = createHistory(database, { clock, log, keepMs: day });
    const pages = database.pragma("page_count", { simple: true }) as number;
    database.pragma(`max_page_count = ${pages}`);
    const many = { at: clock.now(), fields: Array.from({ length: 400 }, (_, i) => energy(0, i).fields[0] as Field) };
    for (let index = 0; index < 10; index++) history.readings.record(node, many);
    history.flush();
    history.flush();
    expect(events.map(one => one.event)).toEqual(["history-not-written"]);
    database.pragma("max_page_count = 100000");
    history.flush();
    expect(events.map(one => one.event)).toEqual(["history-not-written", "history-written-again"]);
    expect([...history.readings.between(node, 0, clock.now())]).toHaveLength(10);
  });

  it("a damaged file is set aside and begun anew", () => {
    const clock = manualClock();
    const path = join(folder, "history.db");
    writeFileSync(path, "no database at all, but long enough to look at ".repeat(40));
    using history = openHistory(path, { clock, log: silentLog, keepMs: day });
    expect(history.readings.latest(node)).toEqual([]);
    expect(readdirSync(folder).some(name => name.startsWith("history.db.damaged-2031"))).toBe(true);
  });

  it("messages and times of change survive a restart; an empty set is gone", () => {
    const clock = manualClock();
    const path = join(folder, "history.db");
    const deps = { clock, log: silentLog, keepMs: day };
    const message = { at: 5, type: "Error", eventId: "timeout", text: "no answer" } as const;
    {
      using history = openHistory(path, deps);
      history.statuses.keepMessages(node, [message]);
      history.statuses.keepMessages({ ...node, nodeId: "other" }, [message]);
      history.statuses.keepMessages({ ...node, nodeId: "other" }, []);
      history.statuses.keepSourceChange("MeteringTopology", 99);
    }
    using history = openHistory(path, deps);
    expect(history.statuses.messages()).toEqual([{ node, messages: [message] }]);
    expect(history.statuses.sourceChanges()).toEqual(new Map([["MeteringTopology", 99]]));
  });
});
