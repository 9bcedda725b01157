// One appliance a data folder: two would fight over the account and write into each other's files. The lock is SQLite's own
// on a file of its own, and the kernel lets it go when its holder dies, however it dies.

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { DatabaseFault } from "./database.ts";

/** Held until disposed. Throws `DatabaseFault` when somebody else has it, or when nothing can be written there. */
export function lockFolder(folder: string): Disposable {
  const path = join(folder, "lock");
  let held: SQLite.Database | undefined;
  try {
    closeSync(openSync(path, "a", 0o600));
    held = new SQLite(path, { timeout: 0 });
    held.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    held?.close();
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "SQLITE_BUSY"
        ? `${folder} is in use by another appliance that is running: stop it, or give this one another dataFolder.`
        : `${folder} cannot be written (${message}): check that it belongs to this user and has free space.`;
    throw new DatabaseFault("unusable", why, { cause: error });
  }
  return { [Symbol.dispose]: () => void held.close() };
}
