// Checkpoints of a database beside the program: a thread moves committed pages from the log into the file while requests
// are answered. SQLite's own checkpoint stays as a net for the log that grows all the same; it finds little left to do.

import { Worker } from "node:worker_threads";
import type { Log } from "#base/log.ts";
import { checkpointChanges, checkpointThreadMb, walPagesMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import type { Moved, Order } from "./checkpoint-thread.ts";

export interface Checkpoints extends AsyncDisposable {
  /** So many changes were committed just now. */
  committed(changes: number): void;
  /** Resolves when no checkpoint is under way. */
  idle(): Promise<void>;
}

/** `changes`: after how many a checkpoint is due. `startThread` may throw: a system under limits has no thread to give. */
export function createCheckpoints(
  database: Database,
  log: Log,
  changes = checkpointChanges,
  startThread = checkpointThread,
): Checkpoints {
  let thread: Worker | undefined;
  let since = 0;
  let underWay: PromiseWithResolvers<void> | undefined;
  let hasFailed = false;

  const order = (what: Order) => thread?.postMessage(what);
  const ended = () => {
    thread = undefined;
    underWay?.resolve();
    underWay = undefined;
  };
  /** Another is started when the next checkpoint is due; until one succeeds, this is said once. */
  const failed = ({ message }: Error) => {
    if (!hasFailed) log.warning("checkpoint-failed", { file: database.name, why: message });
    hasFailed = true;
  };
  const start = (): Worker => {
    const started = startThread(database.name);
    started.unref();
    started.on("message", ({ pages }: Moved) => {
      log.debug("checkpoint", { file: database.name, pages });
      hasFailed = false;
      underWay?.resolve();
      underWay = undefined;
    });
    started.on("error", failed);
    started.on("exit", ended);
    return started;
  };

  database.pragma(`wal_autocheckpoint = ${walPagesMax}`);
  return {
    committed(count) {
      since += count;
      if (database.memory || since < changes || underWay !== undefined) return;
      since = 0;
      try {
        thread ??= start();
      } catch (error) {
        // Whoever is to be told that his change is on the disk is told, thread or not.
        return failed(error as Error);
      }
      underWay = Promise.withResolvers();
      order("checkpoint");
    },
    async idle() {
      await underWay?.promise;
    },
    async [Symbol.asyncDispose]() {
      if (thread === undefined) return;
      // What is waited for is the disk, as the closing of the database itself would, and nobody can call that off.
      thread.ref();
      const gone = new Promise<void>(resolve => thread?.once("exit", () => resolve()));
      order("end");
      await gone;
    },
  };
}

const checkpointThread = (path: string): Worker =>
  new Worker(new URL("./checkpoint-thread.ts", import.meta.url), {
    workerData: { path },
    resourceLimits: { maxOldGenerationSizeMb: checkpointThreadMb, maxYoungGenerationSizeMb: 1 },
  });
