import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { DatabaseFault, type Migration, openDatabase } from "#store/database.ts";

const first: Migration = { version: 1, name: "first", sql: "CREATE TABLE a (x INTEGER) STRICT" };
const second: Migration = { version: 2, name: "second", sql: "CREATE TABLE b (x INTEGER) STRICT" };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-store-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fault = (work: () => unknown): DatabaseFault => {
  try {
    work();
  } catch (error) {
    if (error instanceof DatabaseFault) return error;
    throw error;
  }
  throw new Error("no fault was thrown");
};

describe("a database file", () => {
  it("is opened durable, checked and for its owner alone", () => {
    const path = join(folder, "deep", "edge.db");
    const database = openDatabase(path, [first], silentLog);
    expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(database.pragma("synchronous", { simple: true })).toBe(2);
    expect(database.pragma("foreign_keys", { simple: true })).toBe(1);
    expect(database.pragma("busy_timeout", { simple: true })).toBe(5000);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    database.close();
  });

  it("migrates once, keeps the rows, and leaves a copy from before the upgrade", () => {
    const path = join(folder, "edge.db");
    const events: LogEvent[] = [];
    const log = createLog(event => events.push(event));
    let database = openDatabase(path, [first], log);
    database.exec("INSERT INTO a VALUES (7)");
    database.close();
    database = openDatabase(path, [first, second], log);
    expect(database.prepare("SELECT x FROM a").pluck().all()).toEqual([7]);
    expect(database.prepare("SELECT count(*) FROM b").pluck().get()).toBe(0);
    database.close();
    openDatabase(path, [first, second], log).close();
    expect(events.filter(one => one.event === "database-migrated").map(one => one.facts.step)).toEqual([
      "first",
      "second",
    ]);
    const copy = openDatabase(`${path}.schema-1`, [first], log);
    expect(copy.prepare("SELECT x FROM a").pluck().all()).toEqual([7]);
    copy.close();
  });

  it("a step that fails leaves nothing of itself and the steps before it", () => {
    const path = join(folder, "edge.db");
    const broken: Migration = { version: 2, name: "second", sql: "CREATE TABLE b (x INTEGER); CREATE NONSENSE" };
    expect(() => openDatabase(path, [first, broken], silentLog)).toThrow(/NONSENSE/);
    const database = openDatabase(path, [first], silentLog);
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'b'").all()).toEqual([]);
    database.close();
  });

  it("refuses a newer schema and a foreign step with a sentence", () => {
    const path = join(folder, "edge.db");
    openDatabase(path, [first, second], silentLog).close();
    const newer = fault(() => openDatabase(path, [first], silentLog));
    expect(newer.kind).toBe("newer");
    expect(newer.message).toContain("newer version of this program (schema 2, this one knows 1)");
    const foreign = fault(() => openDatabase(path, [first, { ...second, name: "other" }], silentLog));
    expect(foreign.message).toContain('the schema step 2 "second"');
  });

  it("refuses what is no database, a torn file and an unusable place, each with what to do", () => {
    const text = join(folder, "text.db");
    writeFileSync(text, "this is not a database, whatever its name says. ".repeat(100));
    expect(fault(() => openDatabase(text, [first], silentLog)).kind).toBe("damaged");

    const torn = join(folder, "torn.db");
    const database = openDatabase(torn, [first], silentLog);
    database.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) INSERT INTO a SELECT i FROM n",
    );
    database.close();
    truncateSync(torn, 12_288);
    const damaged = fault(() => openDatabase(torn, [first], silentLog));
    expect(damaged.kind).toBe("damaged");
    expect(damaged.message).toContain("put back the last good copy");

    const unusable = fault(() => openDatabase(folder, [first], silentLog));
    expect(unusable.kind).toBe("unusable");
  });

  it("a list with a gap is our bug and says so", () => {
    expect(() => openDatabase(":memory:", [second], silentLog)).toThrow('migration "second" has the number 2, not 1');
  });
});
