// Changes of the registry's file, gathered: whatever has come in since the last commit goes to the disk together, each
// change in a savepoint of its own, and nobody is told before that. One write to the disk for many things registered.

import { registryChangesAtOnceMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import type { Records } from "../store.ts";

export interface Changes {
  /** Runs `work` alone and all or nothing; resolves when it is on the disk. */
  change<T>(work: (records: Records) => Promise<T>): Promise<T>;
  /** Resolves when no change is under way. */
  settled(): Promise<void>;
  /** Resolves when everything that was asked for is on the disk. */
  drained(): Promise<void>;
}

/** Turns of the event loop, in each of which some sixty kilobytes are read. */
const gatherTurns = 8;

interface Job {
  readonly work: (records: Records) => Promise<unknown>;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

/** What is remembered of the file outside of it; neither may throw. */
export interface Followers {
  /** After each commit, of so many changes, before anybody is told. */
  committed(changes: number): void;
  /** A change was taken back. */
  undone(): void;
}

export function createChanges(database: Database, records: Records, { committed, undone }: Followers): Changes {
  const [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map(sql => database.prepare(sql));
  const [mark, keep, undo] = ["SAVEPOINT one", "RELEASE one", "ROLLBACK TO one"].map(sql => database.prepare(sql));
  const jobs: Job[] = [];
  let changing: Promise<void> | undefined;
  let waiting = false;

  /** What to tell whom once it is on the disk. A job that fails takes nothing else with it. */
  const one = async ({ work, done, failed }: Job): Promise<() => void> => {
    mark?.run();
    try {
      const value = await work(records);
      keep?.run();
      return () => done(value);
    } catch (error) {
      undone();
      // A full disk ends the whole transaction by itself: then nothing of it stands.
      if (!database.inTransaction) throw error;
      undo?.run();
      keep?.run();
      return () => failed(error);
    }
  };
  const batch = async (those: readonly Job[]) => {
    try {
      begin?.run();
      const answers: (() => void)[] = [];
      for (const job of those) answers.push(await one(job));
      commit?.run();
      committed(those.length);
      return answers;
    } catch (error) {
      undone();
      if (database.inTransaction) database.exec("ROLLBACK");
      return those.map(
        ({ failed }) =>
          () =>
            failed(error),
      );
    }
  };
  const run = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    changing = promise;
    const answers = await batch(jobs.splice(0, registryChangesAtOnceMax));
    changing = undefined;
    waiting = false;
    look();
    resolve();
    for (const answer of answers) answer();
  };
  /** As long as each turn of the event loop brings more, they are waited for: what the broker sends together is committed together. */
  const gather = (before: number, turns: number) => {
    const isEnough = jobs.length === before || jobs.length >= registryChangesAtOnceMax || turns === 0;
    if (isEnough) void run();
    else setImmediate(gather, jobs.length, turns - 1);
  };
  const look = () => {
    if (waiting || jobs.length === 0) return;
    waiting = true;
    setImmediate(gather, 0, gatherTurns);
  };
  const settled = async () => {
    while (changing !== undefined) await changing;
  };

  return {
    change: <T>(work: (records: Records) => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        jobs.push({ work, done: value => resolve(value as T), failed: reject });
        look();
      }),
    settled,
    async drained() {
      while (changing !== undefined || jobs.length > 0) {
        await settled();
        if (jobs.length > 0) await new Promise(resolve => setImmediate(resolve));
      }
    },
  };
}
