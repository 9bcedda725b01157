// One SQLite file, opened so that a power cut at any moment leaves it whole: WAL, synchronous FULL, foreign keys, a check
// on opening, and numbered migrations each in a transaction of its own. Used by the edge program and by the registry.

import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import SQLite from "better-sqlite3";
import type { Log } from "#base/log.ts";
import { databaseBusyMs, walBytesMax } from "#limits.ts";

export type Database = SQLite.Database;

/** One step of the schema. Numbers count up from 1 without gaps; a released step is never edited, only followed. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** damaged: not a sound database · newer: written by a newer program · unusable: cannot be opened or written at all. */
export type DatabaseFaultKind = "damaged" | "newer" | "unusable";

/** The file cannot be used. The message names the file and says what a person can do. */
export class DatabaseFault extends Error {
  override name = "DatabaseFault";
  readonly kind: DatabaseFaultKind;
  constructor(kind: DatabaseFaultKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export interface DatabaseOptions {
  /** FULL (default) for what must survive a power cut to the last commit; NORMAL for history that may lose its last second. */
  readonly synchronous?: "FULL" | "NORMAL";
  /** Keep a copy of the file as it was before an upgrade of its schema. Default true; false for bulk data. */
  readonly backup?: boolean;
}

/** Opens or creates the file, readable by its owner alone, and brings it to the newest schema. Throws `DatabaseFault`. */
export function openDatabase(
  path: string,
  migrations: readonly Migration[],
  log: Log,
  options: DatabaseOptions = {},
): Database {
  checkOrder(migrations);
  const database = openFile(path);
  try {
    database.pragma(`busy_timeout = ${databaseBusyMs}`);
    checkIntegrity(database, path);
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${options.synchronous ?? "FULL"}`);
    database.pragma("foreign_keys = ON");
    database.pragma(`journal_size_limit = ${walBytesMax}`);
    migrate(database, migrations, log, options.backup ?? true);
    return database;
  } catch (error) {
    database.close();
    throw asFault(error, path);
  }
}

/** Runs what is missing, one transaction a step, so that an interrupted upgrade goes on where it stopped. */
export function migrate(database: Database, migrations: readonly Migration[], log: Log, backup = false): void {
  database.exec("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
  const done = database.prepare("SELECT version, name FROM migrations ORDER BY version").all() as Done[];
  const present = done.at(-1)?.version ?? 0;
  if (present > migrations.length) {
    throw new DatabaseFault(
      "newer",
      `${database.name} was written by a newer version of this program (schema ${present}, this one knows ${migrations.length}). Install the newer version again, or restore the copy made before the upgrade.`,
    );
  }
  for (const { version, name } of done) {
    const known = migrations[version - 1];
    if (known?.name !== name) {
      throw new DatabaseFault(
        "newer",
        `${database.name} has the schema step ${version} "${name}", which this program does not know. It belongs to another program or another branch of this one.`,
      );
    }
  }
  const missing = migrations.slice(present);
  if (missing.length === 0) return;
  if (backup && present > 0) keepCopy(database, present, log);
  const note = database.prepare("INSERT INTO migrations (version, name) VALUES (?, ?)");
  for (const { version, name, sql } of missing) {
    database.transaction(() => {
      database.exec(sql);
      note.run(version, name);
    })();
    log.info("database-migrated", { file: database.name, version, step: name });
  }
}

interface Done {
  version: number;
  name: string;
}

function checkOrder(migrations: readonly Migration[]): void {
  migrations.forEach(({ version, name }, index) => {
    if (version !== index + 1) throw new Error(`migration "${name}" has the number ${version}, not ${index + 1}`);
  });
}

function openFile(path: string): Database {
  try {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const created = path !== ":memory:" && !existsSync(path);
    const database = new SQLite(path);
    // The -wal and -shm files take their mode from this one.
    if (created) chmodSync(path, 0o600);
    return database;
  } catch (error) {
    throw asFault(error, path);
  }
}

function checkIntegrity(database: Database, path: string): void {
  const found = database.pragma("quick_check(1)", { simple: true });
  if (found !== "ok") throw new DatabaseFault("damaged", damagedText(path, String(found)));
}

const damagedText = (path: string, what: string): string =>
  `${path} is damaged (${what}). Stop the program, move the file away together with its -wal and -shm files, and put back the last good copy.`;

function asFault(error: unknown, path: string): unknown {
  if (error instanceof DatabaseFault) return error;
  const code = (error as { code?: unknown }).code;
  const text = error instanceof Error ? error.message : String(error);
  if (code === "SQLITE_NOTADB" || (typeof code === "string" && code.startsWith("SQLITE_CORRUPT"))) {
    return new DatabaseFault("damaged", damagedText(path, text), { cause: error });
  }
  // A wrong SQL statement is our bug and not to be dressed up as a fault of the disk.
  if (code === "SQLITE_ERROR" || typeof code !== "string") return error;
  return new DatabaseFault(
    "unusable",
    `${path} cannot be opened for writing: ${text}. Check that the folder exists, belongs to this user and has free space.`,
    { cause: error },
  );
}

/** The file as it was under the old schema, beside it; an older copy of the same schema is kept, being the one before trouble. */
function keepCopy(database: Database, version: number, log: Log): void {
  if (database.memory) return;
  const copy = `${database.name}.schema-${version}`;
  if (existsSync(copy)) return;
  database.prepare("VACUUM INTO ?").run(copy);
  chmodSync(copy, 0o600);
  log.notice("database-copied", { file: database.name, copy, why: "before an upgrade of its schema" });
}
