// The past of the data sources in history.db (CON-SUB-05…07): written behind with everything else, kept for a week and for ten
// thousand events at least, and never claimed to be whole when something may be missing.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { EventLog, SourceEvent } from "#concentrator/records.ts";
import { historyPruneRows, sourceEventsKeepMs, sourceEventsKeptMax, sourceEventsKeptMin } from "#limits.ts";
import type { Behind } from "./behind.ts";
import type { Database } from "./database.ts";

export interface SourceEvents extends EventLog {
  /** One bounded step of deleting; true when there is more to do. */
  prune(): boolean;
  /** After the last write: what is there is all there was. */
  close(): void;
}

export interface SourceEventsDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** False until the time is synchronised: by a wrong clock everything would be too old. */
  readonly clockTrusted?: () => boolean;
  readonly keptMin?: number;
  readonly keptMax?: number;
}

/** Of all sources together. */
const allSources = "";

export function createSourceEvents(database: Database, behind: Behind, deps: SourceEventsDeps): SourceEvents {
  const { clock, log, keptMin = sourceEventsKeptMin, keptMax = sourceEventsKeptMax } = deps;
  const insert = database.prepare("INSERT OR REPLACE INTO source_events VALUES (?, ?, ?)");
  const page = database
    .prepare<[string, number, number], string>(
      "SELECT event FROM source_events WHERE source = ? AND at >= ? ORDER BY at LIMIT ?",
    )
    .pluck();
  const count = database
    .prepare<[string, number, number], number>(
      "SELECT count(*) FROM (SELECT 1 FROM source_events WHERE source = ? AND at >= ? LIMIT ?)",
    )
    .pluck();
  const newest = database
    .prepare<[string], number | null>("SELECT max(at) FROM source_events WHERE source = ?")
    .pluck();
  const begins = database.prepare<[], { source: string; at: number }>("SELECT source, at FROM source_events_from");
  const keepBegin = database.prepare(`
    INSERT INTO source_events_from VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET at = max(at, excluded.at)`);
  const state = database.prepare<[], number>("SELECT whole FROM source_events_state").pluck();
  const setState = database.prepare("UPDATE source_events_state SET whole = ?");

  const from = new Map(begins.all().map(({ source, at }) => [source, at]));
  const beginAt = (source: string, at: number) => {
    if ((from.get(source) ?? Number.NEGATIVE_INFINITY) >= at) return;
    from.set(source, at);
    keepBegin.run(source, at);
  };
  let marked = false;
  const mark = () => {
    if (!marked) setState.run(0);
    marked = true;
  };
  try {
    if (state.get() !== 1) {
      // Killed, or new: what happened in the last second before may not be in here.
      const last = database.prepare<[], number | null>("SELECT max(at) FROM source_events").pluck().get() ?? 0;
      beginAt(allSources, Math.max(clock.now(), last + 1));
    }
    mark();
    // On the disk before the first event is: else a power cut could leave the events out and the mark in.
    if (!database.memory) database.pragma("wal_checkpoint(TRUNCATE)");
  } catch (error) {
    // A full disk keeps nobody from starting; but nothing can be promised of the past then.
    log.warning("source-events-not-marked", { error });
    from.set(allSources, Number.POSITIVE_INFINITY);
  }

  /** Rows that had to be given up, since the disk was full for too long, leave a gap in the numbers. */
  let appended = 0;
  let written = 0;

  const pruning = createPruning(database, keptMin, keptMax, beginAt);
  const forgetting = createForgetting(database);
  return {
    append(event) {
      const number = ++appended;
      const text = JSON.stringify(event);
      behind.add(() => {
        mark();
        if (number > written + 1) beginAt(allSources, event.at);
        written = Math.max(written, number);
        insert.run(event.node.sourceId, event.at, text);
      });
    },
    since(source, at, max) {
      behind.flush();
      return page.all(source, Math.ceil(at), max).map(text => JSON.parse(text) as SourceEvent);
    },
    count(source, at, max) {
      behind.flush();
      return count.get(source, Math.ceil(at), max) ?? 0;
    },
    completeFrom: source => Math.max(from.get(allSources) ?? 0, from.get(source) ?? 0),
    beginAt,
    last(source) {
      behind.flush();
      return newest.get(source) ?? undefined;
    },
    forget(text) {
      try {
        behind.flush();
        return forgetting(text);
      } catch (error) {
        log.warning("source-events-not-forgotten", { error });
        return false;
      }
    },
    prune() {
      try {
        const trusted = deps.clockTrusted?.() ?? true;
        return pruning(trusted ? clock.now() - sourceEventsKeepMs : Number.NEGATIVE_INFINITY);
      } catch (error) {
        log.warning("source-events-not-pruned", { error });
        return false;
      }
    },
    close() {
      if (behind.waiting > 0) return;
      try {
        setState.run(1);
      } catch (error) {
        log.warning("source-events-not-marked", { error });
      }
    },
  };
}

/** Deletes events in which a text stands, in bounded steps from the first to the last; true when there is more to do. */
function createForgetting(database: Database) {
  const end = database.prepare<[string, number, number], { source: string; at: number }>(
    "SELECT source, at FROM source_events WHERE (source, at) > (?, ?) ORDER BY source, at LIMIT 1 OFFSET ?",
  );
  const remove = database.prepare(
    "DELETE FROM source_events WHERE (source, at) > (?, ?) AND (source, at) <= (?, ?) AND instr(event, ?) > 0",
  );
  const removeRest = database.prepare("DELETE FROM source_events WHERE (source, at) > (?, ?) AND instr(event, ?) > 0");
  const reached = new Map<string, { source: string; at: number }>();
  return (text: string): boolean => {
    // As it stands in JSON.
    const sought = JSON.stringify(text).slice(1, -1);
    const from = reached.get(text) ?? { source: "", at: Number.MIN_SAFE_INTEGER };
    const to = end.get(from.source, from.at, historyPruneRows);
    if (to === undefined) {
      removeRest.run(from.source, from.at, sought);
      reached.delete(text);
      return false;
    }
    remove.run(from.source, from.at, to.source, to.at, sought);
    reached.set(text, to);
    return true;
  };
}

/** Deletes what is both old and beyond the number that is always kept, and whatever is beyond the number that ever is. */
function createPruning(
  database: Database,
  keptMin: number,
  keptMax: number,
  beginAt: (source: string, at: number) => void,
) {
  const sources = database.prepare<[], string>("SELECT DISTINCT source FROM source_events").pluck();
  const nth = database
    .prepare<[string, number], number>(
      "SELECT at FROM source_events WHERE source = ? ORDER BY at DESC LIMIT 1 OFFSET ?",
    )
    .pluck();
  const last = database
    .prepare<[string, number, number], number | null>(
      "SELECT max(at) FROM (SELECT at FROM source_events WHERE source = ? AND at < ? ORDER BY at LIMIT ?)",
    )
    .pluck();
  const remove = database.prepare("DELETE FROM source_events WHERE source = ? AND at <= ?");
  const step = database.transaction((source: string, before: number): boolean => {
    const until = last.get(source, before, historyPruneRows) ?? undefined;
    if (until === undefined) return false;
    const { changes } = remove.run(source, until);
    beginAt(source, until + 1);
    return changes === historyPruneRows;
  });

  return (oldest: number): boolean => {
    let more = false;
    for (const source of sources.all()) {
      const firstKept = nth.get(source, keptMin - 1);
      const firstOfAll = nth.get(source, keptMax - 1) ?? Number.NEGATIVE_INFINITY;
      const before = Math.max(
        firstOfAll,
        firstKept === undefined ? Number.NEGATIVE_INFINITY : Math.min(firstKept, oldest),
      );
      if (Number.isFinite(before) && step(source, Math.ceil(before))) more = true;
    }
    return more;
  };
}
