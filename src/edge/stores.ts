// The appliance's files, all in its data folder: configuration and ownership, history, and the account's secret.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type BootSettings, ConfigError } from "#config.ts";
import { backupsMax, clockEarliestMs } from "#limits.ts";
import { backUp, thinOut } from "#store/backup.ts";
import { openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { createDriverMemory } from "#store/driver-memory.ts";
import { lockFolder } from "#store/folder-lock.ts";
import { createGrantStore } from "#store/grants.ts";
import { openHistory } from "#store/history.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { createOutboxStore, openOutboxDatabase } from "#store/outbox.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { createPublicationStore } from "#store/publications.ts";
import type { CredentialStore } from "#xmpp/registration.ts";
import type { Credentials } from "#xmpp/sasl.ts";
import { backupPattern } from "./appliance-commands.ts";

export function openStores(settings: BootSettings, clock: Clock, log: Log) {
  const { dataFolder } = settings;
  makeFolder(dataFolder);
  using opened = new DisposableStack();
  opened.use(lockFolder(dataFolder));
  const database = openDatabase(join(dataFolder, "edge.db"), edgeMigrations, log);
  opened.defer(() => database.close());
  const waiting = openOutboxDatabase(join(dataFolder, "outbox.db"), log);
  opened.defer(() => waiting.close());
  const credentials = createCredentialFile(settings);
  const history = opened.use(
    openHistory(join(dataFolder, "history.db"), {
      clock,
      log,
      keepMs: settings.historyDays * 86_400_000,
      clockTrusted: () => clock.now() >= clockEarliestMs,
    }),
  );
  const files = opened.move();
  return {
    history,
    nodes: createNodeStore(database),
    ownership: createOwnershipStore(database),
    decisions: createDecisionStore(database),
    grants: createGrantStore(database),
    publications: createPublicationStore(database),
    driverMemory: createDriverMemory(database, clock, log),
    outbox: createOutboxStore(waiting),
    credentials,
    backups: join(dataFolder, "backups"),
    /** A copy of the configuration in `backups`: rights that were learned are left out, being the service's to say again. */
    async backUp(file: string): Promise<number> {
      const folder = join(dataFolder, "backups");
      makeFolder(folder);
      const octets = await backUp(database, file, ["decisions"]);
      thinOut(folder, backupPattern, backupsMax);
      return octets;
    },
    [Symbol.dispose]: () => files.dispose(),
  };
}
export type Stores = ReturnType<typeof openStores>;

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError(`dataFolder: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** A configured account is read and never written; one of our own making is kept in the data folder. */
function createCredentialFile({ account, passwordFile, dataFolder }: BootSettings): CredentialStore {
  if (account !== undefined) {
    if (passwordFile === undefined)
      throw new ConfigError("passwordFile: an account needs the file that holds its password");
    const password = readPassword(passwordFile);
    return { load: () => ({ username: account, password }), save() {} };
  }
  const file = join(dataFolder, "account.json");
  let kept = existsSync(file) ? readCredentials(file) : undefined;
  return {
    load: () => kept,
    save(credentials) {
      writeDurably(file, JSON.stringify(credentials));
      kept = credentials;
    },
  };
}

/** A new account would be a new appliance, without its owner: so a damaged file is for a person to put right (ACC-IBR-01). */
function readCredentials(file: string): Credentials {
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Credentials;
    if (typeof found.username === "string" && typeof found.password === "string") return found;
  } catch {
    // The text is not repeated: it may hold the password.
  }
  throw new ConfigError(`${file} is damaged: put back the last good copy; without it the appliance has no account`);
}

const readPassword = (file: string): string => readSetting("passwordFile", file).replace(/\r?\n$/, "");
/** PEM. Throws `ConfigError`. */
export function readAuthority(file: string): string {
  const text = readSetting("caFile", file);
  if (!text.includes("-----BEGIN CERTIFICATE-----"))
    throw new ConfigError(`caFile: ${file} holds no certificate (PEM)`);
  return text;
}

function readSetting(setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new ConfigError(`${setting}: ${file} cannot be read`);
  }
}

/** Whole or not at all, also through a power cut: written beside, forced to disk, put in place, and the folder forced too. */
function writeDurably(file: string, text: string): void {
  const beside = `${file}.new`;
  const descriptor = openSync(beside, "w", 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(beside, file);
  const folder = openSync(join(file, ".."), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
