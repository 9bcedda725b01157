// The account's secrets, in files: one of our own making is kept in the data folder for its owner alone, whole through a power
// cut; what a person configured is read and never written.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type BootSettings, ConfigError } from "#config.ts";
import { parseInvite } from "#xmpp/invite.ts";
import { bundleOf, type CredentialStore, type RegisterOptions } from "#xmpp/registration.ts";
import type { Credentials } from "#xmpp/sasl.ts";

/** What is left of an account that was given back: with what it had been made, and nothing to log in with. */
interface Retired {
  readonly retired: string;
}

export interface AccountFile extends Required<CredentialStore> {
  /** By a person, in the boot file. */
  readonly configured: boolean;
}

export function createAccountFile(settings: BootSettings): AccountFile {
  const { account, passwordFile, dataFolder } = settings;
  if (account !== undefined) {
    if (passwordFile === undefined)
      throw new ConfigError("passwordFile: an account needs the file that holds its password");
    const password = readSecret("passwordFile", passwordFile);
    return {
      configured: true,
      load: () => ({ username: account, password }),
      save() {},
      retire() {},
      retired: () => undefined,
    };
  }
  const file = join(dataFolder, "account.json");
  let kept = existsSync(file) ? readAccount(file) : undefined;
  return {
    configured: false,
    load: () => (kept === undefined || "retired" in kept ? undefined : kept),
    save(credentials) {
      writeDurably(file, JSON.stringify(credentials));
      kept = credentials;
    },
    retire() {
      const bundle = kept === undefined || "retired" in kept ? undefined : kept.bundle;
      const retired: Retired = { retired: bundle ?? bundleOf(registerOptions(settings)) };
      writeDurably(file, JSON.stringify(retired));
      kept = retired;
    },
    retired: () => (kept !== undefined && "retired" in kept ? kept.retired : undefined),
  };
}

/** How an account is made where there is none. Throws `ConfigError`. */
export function registerOptions(settings: BootSettings): RegisterOptions {
  const { accountPrefix: prefix, invite, apiKey, apiSecretFile, allowUnsigned, dataFolder } = settings;
  // Once there is an account the secret is better not on the device (ACC-THR-01).
  const isSpent = (file: string) => existsSync(join(dataFolder, "account.json")) && !existsSync(file);
  return {
    prefix,
    allowUnsigned,
    ...(invite === undefined ? {} : { invite: parseInvite(invite) }),
    ...(apiKey === undefined || apiSecretFile === undefined
      ? {}
      : { apiKey: { id: apiKey, secret: isSpent(apiSecretFile) ? "" : readSecret("apiSecretFile", apiSecretFile) } }),
  };
}

/** A new account would be a new appliance, without its owner: so a damaged file is for a person to put right (ACC-IBR-01). */
function readAccount(file: string): Credentials | Retired {
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Credentials & Retired;
    if (typeof found.username === "string" && typeof found.password === "string") return found;
    if (typeof found.retired === "string") return { retired: found.retired };
  } catch {
    // The text is not repeated: it may hold the password.
  }
  throw new ConfigError(`${file} is damaged: put back the last good copy; without it the appliance has no account`);
}

/** One line; the end of it is not part of the secret. */
function readSecret(setting: string, file: string): string {
  const secret = readSetting(setting, file).replace(/\r?\n$/, "");
  if (secret === "") throw new ConfigError(`${setting}: ${file} is empty`);
  return secret;
}

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
export function writeDurably(file: string, text: string): void {
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
