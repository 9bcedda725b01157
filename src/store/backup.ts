// A copy of a database as it is at one moment, while it is being used: by SQLite's own backup, without what is better learned
// anew, and in place only when it is whole and on the disk.

import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { type Database, DatabaseFault } from "./database.ts";

/** Resolves with the octets of the copy. Throws `DatabaseFault` unusable, and leaves nothing behind then. */
export async function backUp(database: Database, file: string, without: readonly string[]): Promise<number> {
  const beside = `${file}.new`;
  try {
    // Readable by its owner alone from the first octet on: it has the secrets of the configuration in it.
    closeSync(openSync(beside, "w", 0o600));
    await database.backup(beside);
    const copy = new SQLite(beside);
    try {
      // One file, with nothing in a log beside it and nothing left of what was taken out.
      copy.pragma("journal_mode = DELETE");
      copy.pragma("secure_delete = ON");
      for (const table of without) copy.prepare(`DELETE FROM ${table}`).run();
      copy.exec("VACUUM");
      const found = copy.pragma("integrity_check(1)", { simple: true });
      if (found !== "ok") throw new Error(String(found));
    } finally {
      copy.close();
    }
    const descriptor = openSync(beside, "r+");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, file);
    return statSync(file).size;
  } catch (error) {
    rmSync(beside, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new DatabaseFault("unusable", `The backup could not be written: ${why}`, { cause: error });
  }
}

/** The oldest files of that name go, so that `keep` are left. Their names sort by age. */
export function thinOut(folder: string, pattern: RegExp, keep: number): void {
  const files = readdirSync(folder)
    .filter(name => pattern.test(name))
    .sort();
  for (const name of files.slice(0, Math.max(0, files.length - keep))) rmSync(join(folder, name), { force: true });
}
