// The file history.db as a whole: readings and statuses over one write-behind queue, and the retention that keeps the file bounded.

import { existsSync, renameSync } from "node:fs";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { EventLog, Readings, Statuses } from "#concentrator/records.ts";
import { historyPruneMs, historyPruneRows, historyRowsMax } from "#limits.ts";
import { createBehind } from "./behind.ts";
import { type Database, DatabaseFault, openDatabase } from "./database.ts";
import { historyMigrations } from "./migrations.ts";
import { createReadings } from "./readings.ts";
import { createRetention } from "./retention.ts";
import { createSourceEvents } from "./source-events.ts";
import { createStatuses } from "./statuses.ts";

export interface HistoryDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Samples older than this are deleted, milliseconds. */
  readonly keepMs: number;
  readonly rowsMax?: number;
  /** False until the time is synchronised: by a wrong clock everything would be too old. */
  readonly clockTrusted?: () => boolean;
}

export interface History extends Disposable {
  readonly readings: Readings;
  readonly statuses: Statuses;
  readonly events: EventLog;
  /** Writes behind and prunes, until aborted; what waits is written before it resolves. */
  run(signal: AbortSignal): Promise<void>;
  /** What waits to be written, now. */
  flush(): void;
}

/** Opens the file; a damaged one is set aside under another name and begun anew: the past must not keep the appliance from its work. */
export function openHistory(path: string, deps: HistoryDeps): History {
  const open = () => openDatabase(path, historyMigrations, deps.log, { synchronous: "NORMAL", backup: false });
  try {
    return createHistory(open(), deps);
  } catch (error) {
    if (!(error instanceof DatabaseFault) || error.kind !== "damaged") throw error;
    const aside = `${path}.damaged-${new Date(deps.clock.now()).toISOString().replace(/[:.]/g, "")}`;
    for (const end of ["", "-wal", "-shm"]) if (existsSync(path + end)) renameSync(path + end, aside + end);
    deps.log.error("history-set-aside", { error, aside });
    return createHistory(open(), deps);
  }
}

export function createHistory(database: Database, deps: HistoryDeps): History {
  const { clock, log } = deps;
  const behind = createBehind(database, clock, log);
  const prune = createPruning(database, deps);
  const retention = createRetention(database, deps);
  const events = createSourceEvents(database, behind, deps);

  const pruneAtTimes = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      const more = [prune(), retention.prune(), events.prune()].includes(true);
      await clock.sleep(more ? historyPruneMs / 3_600 : historyPruneMs, signal).catch(() => {});
    }
  };

  return {
    readings: { ...createReadings(database, behind), keepFor: retention.keepFor },
    statuses: createStatuses(database, behind),
    events,
    flush: behind.flush,
    async run(signal) {
      await Promise.all([behind.run(signal), pruneAtTimes(signal)]);
    },
    [Symbol.dispose]() {
      if (!database.open) return;
      behind.flush();
      events.close();
      database.close();
    },
  };
}

/** One bounded step of deleting; true when there is more to do. */
function createPruning(database: Database, { clock, log, keepMs, rowsMax, clockTrusted }: HistoryDeps) {
  const byAge = database.prepare(
    "DELETE FROM samples WHERE id IN (SELECT id FROM samples WHERE id < ? AND at < ? ORDER BY id LIMIT ?)",
  );
  const byNumber = database.prepare(
    "DELETE FROM samples WHERE id IN (SELECT id FROM samples WHERE id <= ? ORDER BY id LIMIT ?)",
  );
  const ends = database.prepare<[], { first: number | null; last: number | null }>(
    "SELECT (SELECT min(id) FROM samples) AS first, (SELECT max(id) FROM samples) AS last",
  );
  return (): boolean => {
    try {
      const { first, last } = ends.get() ?? { first: null, last: null };
      if (first === null || last === null) return false;
      const surplus = byNumber.run(last - (rowsMax ?? historyRowsMax), historyPruneRows).changes;
      // Rows were written in about the order of their times: only the oldest few pages are looked at.
      const aged =
        (clockTrusted?.() ?? true)
          ? byAge.run(first + historyPruneRows * 10, clock.now() - keepMs, historyPruneRows).changes
          : 0;
      return surplus === historyPruneRows || aged === historyPruneRows;
    } catch (error) {
      log.warning("history-not-pruned", { error });
      return false;
    }
  };
}
