// Checkpoints beside the program: the file itself gets what was committed, nobody is kept waiting or told wrong, and a
// thread that fails is said once and followed by another.

import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLog, silentLog } from "#base/log.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createCheckpoints } from "../../src/registry/sqlite/checkpoints.ts";

const migrations = [{ version: 1, name: "rows", sql: "CREATE TABLE row (n INTEGER PRIMARY KEY, text TEXT) STRICT" }];

let folder: string;
let path: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-checkpoints-"));
  path = join(folder, "rows.db");
  database = openDatabase(path, migrations, silentLog);
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (count: number) => {
  const insert = database.prepare("INSERT INTO row (text) VALUES (?)");
  for (let at = 0; at < count; at++) insert.run("x".repeat(100));
};
/** Rows in the file itself, read without its log. */
const rowsInFile = (): number => {
  const copy = join(folder, "copy.db");
  copyFileSync(path, copy);
  const opened = new SQLite(copy);
  try {
    return opened.prepare<[], number>("SELECT count(*) FROM row").pluck().get() ?? 0;
  } catch {
    return 0;
  } finally {
    opened.close();
    rmSync(copy);
  }
};

it("what was committed is moved into the file when enough has changed, and not before", async () => {
  await using checkpoints = createCheckpoints(database, silentLog, 50);
  write(49);
  checkpoints.committed(49);
  await checkpoints.idle();
  expect(rowsInFile()).toBe(0);
  write(1);
  checkpoints.committed(1);
  await checkpoints.idle();
  expect(rowsInFile()).toBe(50);
});

it("changes and reads go on meanwhile, and the next checkpoint has the rest", async () => {
  await using checkpoints = createCheckpoints(database, silentLog, 10);
  database.exec("BEGIN");
  const seen = database.prepare<[], number>("SELECT count(*) FROM row").pluck();
  expect(seen.get()).toBe(0);
  // A reader of the old state, as long as it reads.
  const other = new SQLite(path);
  const insert = other.prepare("INSERT INTO row (text) VALUES ('y')");
  for (let at = 0; at < 10; at++) insert.run();
  checkpoints.committed(10);
  for (let at = 0; at < 10; at++) insert.run();
  await checkpoints.idle();
  expect(seen.get()).toBe(0);
  database.exec("COMMIT");
  expect(seen.get()).toBe(20);
  checkpoints.committed(10);
  await checkpoints.idle();
  expect(rowsInFile()).toBe(20);
  other.close();
});

it("a thread that fails is said once, costs nothing, and is followed by another", async () => {
  const lines: string[] = [];
  const log = createLog(({ event }) => void lines.push(event));
  await using checkpoints = createCheckpoints(database, log, 10);
  write(10);
  renameSync(path, `${path}.away`);
  for (let round = 0; round < 3; round++) {
    checkpoints.committed(10);
    await checkpoints.idle();
  }
  expect(lines).toEqual(["checkpoint-failed"]);
  renameSync(`${path}.away`, path);
  checkpoints.committed(10);
  await checkpoints.idle();
  expect(rowsInFile()).toBe(10);
});

it("a system that gives no thread is said once, and the changes stand", async () => {
  const lines: string[] = [];
  const log = createLog(({ event }) => void lines.push(event));
  await using checkpoints = createCheckpoints(database, log, 10, () => {
    throw new Error("ERR_WORKER_INIT_FAILED: EAGAIN");
  });
  write(20);
  for (let round = 0; round < 2; round++) checkpoints.committed(10);
  await checkpoints.idle();
  expect(lines).toEqual(["checkpoint-failed"]);
});

it("when it ends nobody holds the file any more, also in the middle of a checkpoint", async () => {
  const checkpoints = createCheckpoints(database, silentLog, 10);
  write(1_000);
  checkpoints.committed(1_000);
  await checkpoints[Symbol.asyncDispose]();
  database.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  database = openDatabase(path, migrations, silentLog);
  expect(database.prepare("SELECT count(*) AS n FROM row").get()).toEqual({ n: 1_000 });
});
