// A file of a person's own: whole or not at all, and readable by nobody else from its first octet on.

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export function writePrivately(file: string, text: string): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // A new file each time: an existing one would keep its own permissions, and be cut short by a full disk.
  const fresh = join(folder, `.${basename(file)}.${process.pid}`);
  rmSync(fresh, { force: true });
  writeFileSync(fresh, text, { mode: 0o600, flag: "wx" });
  renameSync(fresh, file);
}
