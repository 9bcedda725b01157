// Who the person at the command line is on the network: a JID, how to reach its broker and, in a file only its user can
// read, the password. The running demonstration offers "owner" and "stranger" the same way.

import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { CommandError } from "./command.ts";
import { writePrivately } from "./private-file.ts";

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
  process.env.ISTHMUS_IDENTITIES ??
  join(process.env.XDG_CONFIG_HOME ?? join(homedir(), ".config"), "isthmus", "identities");

/** Where a running demonstration says where it lives. */
export const demoPointer = (): string => join(tmpdir(), `isthmus-demo-${userInfo().uid}.json`);

const demoSchema = z.object({ identities: z.string(), dataFolder: z.string() });
export type RunningDemo = z.output<typeof demoSchema>;

/** The folder for temporary files is everybody's: only a file that our own user alone can write is believed. */
export function runningDemo(): RunningDemo | undefined {
  const pointer = demoPointer();
  // Not through a link: another user may have made it.
  const found = lstatSync(pointer, { throwIfNoEntry: false });
  if (!found?.isFile() || found.uid !== userInfo().uid || (found.mode & 0o022) !== 0) return undefined;
  try {
    const parsed = demoSchema.safeParse(parseJson(pointer));
    return parsed.success && existsSync(parsed.data.identities) ? parsed.data : undefined;
  } catch {
    // Left half written by a demonstration that was killed: no reason to refuse other identities.
    return undefined;
  }
}

function folders(): string[] {
  const demo = runningDemo();
  return [identitiesFolder(), ...(demo === undefined ? [] : [demo.identities])];
}

const namesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter(file => file.endsWith(".json"))
        .map(file => file.slice(0, -".json".length))
    : [];

export const identityNames = (): string[] => [...new Set(folders().flatMap(namesIn))];

export const loadIdentity = (name: string | undefined): Identity => findIdentity(name).identity;

/** `servicesFile`: what is known of the services it deals with, whether it is there yet or not. */
export function findIdentity(name: string | undefined): { name: string; identity: Identity; servicesFile: string } {
  const names = identityNames();
  const wanted = name ?? (names.length === 1 ? names[0] : undefined);
  if (wanted === undefined) {
    throw new CommandError(
      names.length === 0
        ? "No identity is known on this machine: add one with `isthmus identity add NAME --jid you@example.org`, or start `npm run demo` in another terminal."
        : `Say as whom with --as: ${names.join(", ")}.`,
    );
  }
  const folder = folders().find(one => namesIn(one).includes(wanted));
  if (folder === undefined) {
    throw new CommandError(
      `There is no identity "${wanted}"${names.length > 0 ? `; known are ${names.join(", ")}` : ""}.`,
    );
  }
  const file = join(folder, `${wanted}.json`);
  const parsed = identitySchema.safeParse(parseJson(file));
  if (!parsed.success) throw new CommandError(`${file} is not an identity: ${z.prettifyError(parsed.error)}`);
  return { name: wanted, identity: parsed.data, servicesFile: join(folder, `${wanted}.services`) };
}

/** Throws `CommandError`. */
export function checkName(name: string): void {
  if (!/^[\w.-]+$/.test(name))
    throw new CommandError(`"${name}" cannot be the name of a file: use letters, digits, . _ -`);
}

export function saveIdentity(name: string, identity: Identity, folder = identitiesFolder()): string {
  checkName(name);
  const file = join(folder, `${name}.json`);
  writePrivately(file, `${JSON.stringify(identity, undefined, 2)}\n`);
  return file;
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new CommandError(`${file} cannot be read as JSON.`);
  }
}
