// What drivers have learnt about products, in edge.db: small texts by driver and key, so that a restart does not begin with
// every refusal anew. It is knowledge that can be had again: a full disk costs no more than learning once more.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Memory } from "#contract/driver.ts";
import { memoryEntriesMax, memoryKeyCharsMax, memoryTextCharsMax } from "#limits.ts";
import type { Database } from "./database.ts";

/** As if no driver had ever learnt anything. */
export const forgetDrivers = (database: Database): void => {
  database.prepare("DELETE FROM driver_memory").run();
};

export function createDriverMemory(database: Database, clock: Clock, log: Log): (driver: string) => Memory {
  const find = database.prepare<[string, string], { text: string }>(
    "SELECT text FROM driver_memory WHERE driver = ? AND key = ?",
  );
  const put = database.prepare("INSERT OR REPLACE INTO driver_memory (driver, key, text, at) VALUES (?, ?, ?, ?)");
  const prune = database.prepare(`
    DELETE FROM driver_memory WHERE driver = @driver AND key IN (
      SELECT key FROM driver_memory WHERE driver = @driver ORDER BY at DESC, key LIMIT -1 OFFSET ${memoryEntriesMax})`);
  return driver => ({
    recall: key => find.get(driver, key)?.text,
    keep(key, text) {
      if (key.length > memoryKeyCharsMax || text.length > memoryTextCharsMax) return;
      // An SD card wears by writing: what is known already is not written again.
      if (find.get(driver, key)?.text === text) return;
      try {
        put.run(driver, key, text, clock.now());
        prune.run({ driver });
      } catch (error) {
        log.warning("driver-memory-not-kept", { driver, error });
      }
    },
  });
}
