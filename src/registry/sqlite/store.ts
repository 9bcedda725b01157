// The registry's store in one SQLite file. Statements run at once and in turn; what makes this asynchronous is only the
// interface, and the rule that nobody reads in the middle of another's change.

import type { Log } from "#base/log.ts";
import { type Database, openDatabase } from "#store/database.ts";
import type { Promised, Reads, Records, RegistryStore, Writes } from "../store.ts";
import { decisionRecords } from "./decisions.ts";
import { registryMigrations } from "./schema.ts";
import { searchRecords } from "./search.ts";
import { tagRecords } from "./tags.ts";
import { thingRecords } from "./things.ts";
import { trafficRecords } from "./traffic.ts";

/** Opens or creates the file. Throws `DatabaseFault`. */
export function openRegistryStore(path: string, log: Log): RegistryStore {
  const database = openDatabase(path, registryMigrations, log, { synchronous: "FULL" });
  // Pages of the indices that every request walks; the rest is the file cache's business.
  database.pragma("cache_size = -32768");
  database.pragma("temp_store = MEMORY");
  const plain: Reads & Writes = {
    ...thingRecords(database),
    ...tagRecords(database),
    ...searchRecords(database),
    ...decisionRecords(database),
    ...trafficRecords(database),
  };
  return serialised(database, plain);
}

function serialised(database: Database, plain: Reads & Writes): RegistryStore {
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  let changing: Promise<void> | undefined;

  const direct: Record<string, unknown> = {};
  const waiting: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(plain) as [string, (...args: unknown[]) => unknown][]) {
    direct[name] = async (...args: unknown[]) => method(...args);
    waiting[name] = async (...args: unknown[]) => {
      while (changing !== undefined) await changing;
      return method(...args);
    };
  }
  const records = direct as unknown as Records;

  return {
    ...(waiting as unknown as Promised<Reads>),
    async change(work) {
      while (changing !== undefined) await changing;
      const { promise, resolve } = Promise.withResolvers<void>();
      changing = promise;
      try {
        begin.run();
        const result = await work(records);
        commit.run();
        return result;
      } catch (error) {
        if (database.inTransaction) database.exec("ROLLBACK");
        throw error;
      } finally {
        changing = undefined;
        resolve();
      }
    },
    async [Symbol.asyncDispose]() {
      while (changing !== undefined) await changing;
      if (database.open) database.close();
    },
  };
}
