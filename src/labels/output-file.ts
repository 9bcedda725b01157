// Files that are there whole or not at all: written beside their place under a name of their own, forced to disk, and put in
// their places when all of them are done. What was there before is replaced only where that was asked for.

import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LabelError } from "./label-error.ts";

export interface OutputFiles extends Disposable {
  /** A file that gets this name in the end. Bytes are appended. */
  open(path: string): (bytes: Uint8Array) => void;
  /** Puts all files in their places; their paths. Throws `LabelError` where something is there already. */
  commit(): string[];
}

/** Disposing it without `commit` leaves nothing behind. */
export function createOutputFiles(replace: boolean): OutputFiles {
  const made: { path: string; beside: string }[] = [];
  let current: number | undefined;
  const finish = () => {
    if (current === undefined) return;
    fsyncSync(current);
    closeSync(current);
    current = undefined;
  };
  return {
    open(path) {
      finish();
      if (!replace && existsSync(path)) throw isThere(path);
      const beside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
      const descriptor = explained(path, () => openSync(beside, "wx", 0o600));
      current = descriptor;
      made.push({ path, beside });
      return bytes => {
        explained(path, () => {
          for (let from = 0; from < bytes.length; ) from += writeSync(descriptor, bytes, from);
        });
      };
    },
    commit() {
      finish();
      if (!replace) for (const { path } of made) if (existsSync(path)) throw isThere(path);
      const done: string[] = [];
      for (const { path, beside } of made) {
        explained(path, () => put(beside, path, replace));
        done.push(path);
      }
      made.length = 0;
      return done;
    },
    [Symbol.dispose]() {
      if (current !== undefined) closeSync(current);
      current = undefined;
      for (const { beside } of made) rmSync(beside, { force: true });
    },
  };
}

/** A link is made only where nothing is: nobody's file is lost that came to be a moment ago. */
function put(beside: string, path: string, replace: boolean): void {
  if (replace) {
    renameSync(beside, path);
    return;
  }
  try {
    linkSync(beside, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw isThere(path);
    // Memory sticks know no links.
    if (existsSync(path)) throw isThere(path);
    renameSync(beside, path);
    return;
  }
  rmSync(beside);
}

const isThere = (path: string) => new LabelError(`${path} is there already: say --force to replace it.`);

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write there",
  ENOENT: "there is no such folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "there is no such folder",
  EISDIR: "it is a folder",
  EROFS: "the disk is read only",
};

function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof LabelError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new LabelError(`${path} cannot be written: ${reasons[code] ?? code}.`);
  }
}
