// The appliance's files, all in its data folder: configuration and ownership, history, and the account's secret.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type BootSettings, ConfigError } from "#config.ts";
import { clockEarliestMs } from "#limits.ts";
import { openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { openHistory } from "#store/history.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { createOutboxStore, openOutboxDatabase } from "#store/outbox.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import type { CredentialStore } from "#xmpp/registration.ts";
import type { Credentials } from "#xmpp/sasl.ts";

export function openStores(settings: BootSettings, clock: Clock, log: Log) {
  mkdirSync(settings.dataFolder, { recursive: true, mode: 0o700 });
  const database = openDatabase(join(settings.dataFolder, "edge.db"), edgeMigrations, log);
  const history = openHistory(join(settings.dataFolder, "history.db"), {
    clock,
    log,
    keepMs: settings.historyDays * 86_400_000,
    clockTrusted: () => clock.now() >= clockEarliestMs,
  });
  const waiting = openOutboxDatabase(join(settings.dataFolder, "outbox.db"), log);
  return {
    history,
    nodes: createNodeStore(database),
    ownership: createOwnershipStore(database),
    decisions: createDecisionStore(database),
    outbox: createOutboxStore(waiting),
    credentials: createCredentialFile(settings),
    [Symbol.dispose]() {
      history[Symbol.dispose]();
      waiting.close();
      database.close();
    },
  };
}
export type Stores = ReturnType<typeof openStores>;

/** A configured account is read and never written; one of our own making is kept in the data folder. */
function createCredentialFile({ account, passwordFile, dataFolder }: BootSettings): CredentialStore {
  if (account !== undefined) {
    if (passwordFile === undefined)
      throw new ConfigError("passwordFile: an account needs the file that holds its password");
    const password = readPassword(passwordFile);
    return { load: () => ({ username: account, password }), save() {} };
  }
  const file = join(dataFolder, "account.json");
  let kept = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Credentials) : undefined;
  return {
    load: () => kept,
    save(credentials) {
      writeDurably(file, JSON.stringify(credentials));
      kept = credentials;
    },
  };
}

const readPassword = (file: string): string => readSetting("passwordFile", file).replace(/\r?\n$/, "");
export const readAuthority = (file: string): string => readSetting("caFile", file);

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
