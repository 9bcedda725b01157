// Who the person at the command line is on the network: a JID, how to reach its broker and, in a file only its user can
// read, the password. The running demonstration offers "owner" and "stranger" the same way.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { CommandError } from "./command.ts";

export const identitySchema = z.strictObject({
  jid: z.string().min(3).max(2047),
  password: z.string().min(1).max(1024),
  /** Only where DNS does not say it. */
  host: z.string().optional(),
  port: z.int().min(1).max(65_535).optional(),
  /** A private certificate authority, PEM. */
  caFile: z.string().optional(),
  /** The appliance that is meant when none is named. */
  appliance: z.string().optional(),
});
export type Identity = z.output<typeof identitySchema>;

export const identitiesFolder = (): string =>
  process.env.ISTHMUS_IDENTITIES ?? join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "isthmus", "identities");

/** Where a running demonstration leaves its folder's name. */
export const demoPointer = (): string => join(tmpdir(), `isthmus-demo-${userInfo().uid}`);

function candidates(): string[] {
  const pointer = demoPointer();
  const demo = existsSync(pointer) ? join(readFileSync(pointer, "utf8").trim(), "identities") : undefined;
  return [identitiesFolder(), ...(demo === undefined ? [] : [demo])];
}

export function loadIdentity(name: string | undefined): Identity {
  const folders = candidates();
  const known = folders.flatMap(folder => (existsSync(folder) ? readdirSync(folder).filter(one => one.endsWith(".json")) : []));
  const names = known.map(one => one.slice(0, -".json".length));
  const wanted = name ?? (names.length === 1 ? names[0] : undefined);
  if (wanted === undefined) {
    throw new CommandError(
      names.length === 0
        ? "No identity is known on this machine: add one with `isthmus identity add NAME --jid you@example.org`, or start `npm run demo` in another terminal."
        : `Say as whom with --as: ${names.join(", ")}.`,
    );
  }
  const file = folders.map(folder => join(folder, `${wanted}.json`)).find(existsSync);
  if (!/^[\w.-]+$/.test(wanted) || file === undefined) {
    throw new CommandError(`There is no identity "${wanted}"${names.length > 0 ? `; known are ${names.join(", ")}` : ""}.`);
  }
  const parsed = identitySchema.safeParse(parseJson(file));
  if (!parsed.success) throw new CommandError(`${file} is not an identity: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export function saveIdentity(name: string, identity: Identity, folder = identitiesFolder()): string {
  if (!/^[\w.-]+$/.test(name)) throw new CommandError(`"${name}" cannot be the name of a file: use letters, digits, . _ -`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(identity, undefined, 2)}\n`, { mode: 0o600 });
  return file;
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new CommandError(`${file} cannot be read as JSON.`);
  }
}
