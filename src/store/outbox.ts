// Messages that wait for the broker, kept over a restart: the outbox's own small file, apart from configuration, because it
// is written often when the broker is away and is worth nothing in a backup.

import type { Log } from "#base/log.ts";
import { type Database, type Migration, openDatabase } from "./database.ts";

/** The same shape as the XMPP room's OutboxStore, which this room may not name. */
export interface KeptMessage {
  readonly seq: number;
  readonly at: number;
  readonly text: string;
}

export const outboxMigrations: readonly Migration[] = [
  {
    version: 1,
    name: "messages waiting for the broker",
    sql: "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;",
  },
];

/** outbox.db, synchronous FULL: a message that was taken is not lost to a power cut. */
export const openOutboxDatabase = (path: string, log: Log): Database =>
  openDatabase(path, outboxMigrations, log, { backup: false });

export function createOutboxStore(database: Database) {
  const all = database.prepare<[], KeptMessage>("SELECT seq, at, text FROM outbox ORDER BY seq");
  const insert = database.prepare("INSERT OR REPLACE INTO outbox (seq, at, text) VALUES (?, ?, ?)");
  const remove = database.prepare("DELETE FROM outbox WHERE seq = ?");
  const addAll = database.transaction((messages: readonly KeptMessage[]) => {
    for (const { seq, at, text } of messages) insert.run(seq, at, text);
  });
  const removeAll = database.transaction((seqs: readonly number[]) => {
    for (const seq of seqs) remove.run(seq);
  });
  return {
    load: (): KeptMessage[] => all.all(),
    add: (messages: readonly KeptMessage[]) => addAll(messages),
    remove: (seqs: readonly number[]) => removeAll(seqs),
  };
}
