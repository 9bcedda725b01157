// The registry's store in one SQLite file. Statements run at once and in turn; what makes this asynchronous is only the
// interface, and the rule that nobody reads in the middle of another's change.

import type { Log } from "#base/log.ts";
import { openDatabase } from "#store/database.ts";
import type { Promised, Reads, Records, RegistryStore, Writes } from "../store.ts";
import { createChanges } from "./changes.ts";
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
  const direct: Record<string, unknown> = {};
  const waiting: Record<string, unknown> = {};
  const methods = Object.entries(plain) as [string, (...args: unknown[]) => unknown][];
  for (const [name, method] of methods) direct[name] = async (...args: unknown[]) => method(...args);
  const changes = createChanges(database, direct as unknown as Records, () => {});
  for (const [name, method] of methods) {
    waiting[name] = async (...args: unknown[]) => {
      await changes.settled();
      return method(...args);
    };
  }

  return {
    ...(waiting as unknown as Promised<Reads>),
    change: changes.change,
    async [Symbol.asyncDispose]() {
      await changes.drained();
      if (database.open) database.close();
    },
  };
}
