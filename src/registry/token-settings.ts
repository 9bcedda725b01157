// Whose certificates may have tokens, as the operator says it: a folder of PEM files, and what he has taken back.

import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { isSelfSigned } from "#base/certificates.ts";
import { bareJid } from "#xmpp/jid.ts";
import { type RegistrySettings, SettingsError } from "./config.ts";
import type { TokenOptions } from "./token-trust.ts";

type TokenSettings = Pick<RegistrySettings, "tokenCertificates" | "tokenPinFirst" | "revokedTokens">;

/** Undefined: no tokens here. Throws `SettingsError` with the file that is wrong. */
export function tokenOptionsOf(settings: TokenSettings): TokenOptions | undefined {
  const { tokenCertificates: folder, tokenPinFirst: pinFirst, revokedTokens: revoked } = settings;
  if (folder === undefined && !pinFirst) return undefined;
  const authorities: X509Certificate[] = [];
  const pinned = new Map<string, X509Certificate[]>();
  for (const file of folder === undefined ? [] : pemFilesIn(folder)) {
    const name = basename(file, ".pem");
    const certificates = certificatesIn(file);
    if (!name.includes("@")) authorities.push(...certificates.map(one => authority(one, file)));
    else pinned.set(accountOf(name, file), certificates);
  }
  return { authorities, pinned, pinFirst, revoked };
}

function pemFilesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith(".pem"))
      .map(name => join(folder, name));
  } catch (error) {
    throw new SettingsError(`tokenCertificates: ${folder} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(file: string): X509Certificate[] {
  try {
    const found = readFileSync(file, "utf8").match(block) ?? [];
    if (found.length === 0) throw new SettingsError(`tokenCertificates: ${file} holds no certificate in PEM`);
    return found.map(text => new X509Certificate(text));
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError(`tokenCertificates: ${file} cannot be read as certificates`);
  }
}

function authority(certificate: X509Certificate, file: string): X509Certificate {
  if (certificate.ca) return certificate;
  const hint = isSelfSigned(certificate)
    ? "; to pin it for an account, name the file after it, as ana@hub.example.pem"
    : "";
  throw new SettingsError(`tokenCertificates: ${file} is not the certificate of an authority${hint}`);
}

function accountOf(name: string, file: string): string {
  const account = bareJid(name);
  if (account === undefined || name.includes("/"))
    throw new SettingsError(`tokenCertificates: ${file} is not named after an account, as ana@hub.example.pem`);
  return account;
}
