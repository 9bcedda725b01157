// The thread that moves what was committed from the log of a database into its file, on a connection of its own: the disk
// works for tens of milliseconds, on a card for seconds, and nobody else has to wait. Started by checkpoints.ts.

import { parentPort, workerData } from "node:worker_threads";
import SQLite from "better-sqlite3";
import { databaseBusyMs } from "#limits.ts";

export type Order = "checkpoint" | "end";
/** What of the log lies in the file now. */
export interface Moved {
  readonly pages: number;
}

const { path } = workerData as { path: string };
const database = new SQLite(path, { fileMustExist: true });
database.pragma(`busy_timeout = ${databaseBusyMs}`);
// As the writer's own: the log is on the disk before the file is touched, and the file before the log is used anew.
database.pragma("synchronous = FULL");

parentPort?.on("message", (order: Order) => {
  if (order === "end") {
    database.close();
    parentPort?.close();
    return;
  }
  // PASSIVE: moves what it can without keeping the writer waiting.
  const [row] = database.pragma("wal_checkpoint(PASSIVE)") as { log: number; checkpointed: number }[];
  parentPort?.postMessage({ pages: row?.checkpointed ?? 0 } satisfies Moved);
});
