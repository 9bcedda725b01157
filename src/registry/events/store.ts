// Events that were received, in a file of their own beside the registry's: the newest of them, in number and in bytes. What may
// lose its last second (synchronous NORMAL): the senders have them too.

import { dirname, join } from "node:path";
import type { Log } from "#base/log.ts";
import type { EventLogEntry } from "#iot/event-log.wire.ts";
import { receivedEventsBytesMax, receivedEventsMax } from "#limits.ts";
import { type Migration, openDatabase } from "#store/database.ts";

export const eventsFile = (database: string): string => join(dirname(database), "events.db");

export interface Received {
  /** Our own clock's word, and the broker's on who it was; the rest is what he says. */
  readonly received: number;
  readonly sender: string;
  readonly entry: EventLogEntry;
}

export interface Wanted {
  readonly last: number;
  readonly sinceMs?: number;
  readonly sender?: string;
  /** By its word; all unless said. */
  readonly types?: readonly string[];
}

export interface EventStore extends Disposable {
  add(one: Received): void;
  /** The newest that are wanted, the oldest of them first. */
  list(wanted: Wanted): Received[];
  readonly size: number;
}

const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "events received",
    sql: `
      CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        received INTEGER NOT NULL,
        sender TEXT NOT NULL,
        type TEXT NOT NULL,
        entry TEXT NOT NULL
      ) STRICT;`,
  },
];

/** Removed in one step when it is too much: not with each event. */
const pruneStep = 100;

/** Throws `DatabaseFault`. */
export function openEventStore(file: string, log: Log): EventStore {
  const database = openDatabase(file, migrations, log, { synchronous: "NORMAL", backup: false });
  const insert = database.prepare("INSERT INTO events (received, sender, type, entry) VALUES (?, ?, ?, ?)");
  const oldest = database.prepare<[], { id: number; bytes: number }>(
    `SELECT id, length(CAST(entry AS BLOB)) AS bytes FROM events ORDER BY id LIMIT ${pruneStep}`,
  );
  const removeTo = database.prepare("DELETE FROM events WHERE id <= ?");
  const total = database
    .prepare<[], { size: number; bytes: number | null }>(
      "SELECT count(*) AS size, sum(length(CAST(entry AS BLOB))) AS bytes FROM events",
    )
    .get();
  let size = total?.size ?? 0;
  let bytes = total?.bytes ?? 0;

  const prune = () => {
    while (size > receivedEventsMax || bytes > receivedEventsBytesMax) {
      const going = oldest.all();
      const last = going.at(-1);
      if (last === undefined) return;
      removeTo.run(last.id);
      size -= going.length;
      bytes -= going.reduce((sum, one) => sum + one.bytes, 0);
    }
  };

  return {
    add({ received, sender, entry }) {
      const text = JSON.stringify(entry);
      insert.run(received, sender, entry.type.is, text);
      size++;
      bytes += Buffer.byteLength(text);
      prune();
    },
    list({ last, sinceMs = 0, sender, types }) {
      const rows = database
        .prepare<unknown[], { received: number; sender: string; entry: string }>(
          `SELECT received, sender, entry FROM events
           WHERE received >= ?${sender === undefined ? "" : " AND sender = ?"}${
             types === undefined ? "" : ` AND type IN (${types.map(() => "?").join(", ")})`
           } ORDER BY id DESC LIMIT ?`,
        )
        .all(sinceMs, ...(sender === undefined ? [] : [sender]), ...(types ?? []), last);
      return rows.reverse().map(row => ({ ...row, entry: JSON.parse(row.entry) as EventLogEntry }));
    },
    get size() {
      return size;
    },
    [Symbol.dispose]: () => database.close(),
  };
}
