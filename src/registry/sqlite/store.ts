// The registry's store in one SQLite file. Statements run at once and in turn; what makes this asynchronous is only the
// interface, the gathering of changes, and the rule that nobody reads in the middle of another's change.

import type { Log } from "#base/log.ts";
import { type Database, openDatabase } from "#store/database.ts";
import type { Promised, Reads, Records, RegistryStore, Writes } from "../store.ts";
import { createCatalogue, type Sizes, standardSizes } from "./catalogue.ts";
import { createChanges } from "./changes.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { decisionRecords } from "./decisions.ts";
import { createDiskWatch } from "./disk.ts";
import { registryMigrations } from "./schema.ts";
import { createSearch } from "./search.ts";
import { tagRecords } from "./tags.ts";
import { createTerms, remembered } from "./terms.ts";
import { listedReader, thingRecords } from "./things.ts";
import { tokenRecords } from "./tokens.ts";
import { trafficRecords } from "./traffic.ts";

/** Opens or creates the file. Throws `DatabaseFault`. `sizes`: for tests, which have fewer things. */
export function openRegistryStore(path: string, log: Log, sizes: Sizes = standardSizes): RegistryStore {
  return createRegistryStore(openDatabase(path, registryMigrations, log, { synchronous: "FULL" }), log, sizes);
}

/** On an open file, which it closes in the end. */
export function createRegistryStore(database: Database, log: Log, sizes: Sizes = standardSizes): RegistryStore {
  // Pages of the indices that every request walks; the rest is the file cache's business.
  database.pragma("cache_size = -32768");
  database.pragma("temp_store = MEMORY");
  const checkpoints = createCheckpoints(database, log);
  const disk = createDiskWatch(database.name, log);
  const settled = () => changes.settled();
  const catalogue = createCatalogue(database, sizes, settled);
  const terms = createTerms(database);
  const counts = remembered<string>();
  const { index, ...tags } = tagRecords(database, terms, listedReader(database), catalogue.touched);
  const plain: Reads & Writes = {
    ...thingRecords(database, index, counts, catalogue.touched),
    ...tags,
    ...decisionRecords(database),
    ...trafficRecords(database),
    ...tokenRecords(database),
  };
  const direct: Record<string, unknown> = {};
  const waiting: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(plain) as [string, (...args: unknown[]) => unknown][]) {
    direct[name] = async (...args: unknown[]) => method(...args);
    waiting[name] = async (...args: unknown[]) => {
      await settled();
      return method(...args);
    };
  }
  const changes = createChanges(database, direct as unknown as Records, {
    committed(count) {
      catalogue.committed();
      checkpoints.committed(count);
      disk.written();
    },
    undone() {
      terms.undone();
      counts.clear();
    },
  });
  const { search } = createSearch(database, catalogue, sizes, settled);

  return {
    ...(waiting as unknown as Promised<Reads>),
    change: work =>
      changes.change(work).catch(error => {
        throw disk.refusalOf(error);
      }),
    async search(criteria, page, signal) {
      await settled();
      return search(criteria, page, signal);
    },
    async [Symbol.asyncDispose]() {
      catalogue.close();
      await changes.drained();
      await checkpoints[Symbol.asyncDispose]();
      if (database.open) database.close();
    },
  };
}
