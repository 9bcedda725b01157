// Secrets of API keys at rest: HMAC needs them as they are, so they are sealed and not hashed (ACC-SRV-04). AES-256-GCM with a
// key in a file of its own, so that the database alone, or a backup of it, gives nobody a secret.

import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { chownSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export interface Seal {
  seal(id: string, secret: string): Buffer;
  /** Undefined when it was sealed with another key, or for another id. */
  open(id: string, sealed: Uint8Array): string | undefined;
}

/** The file of the seal is missing or damaged: a sentence that names it. */
export class SealError extends Error {
  override name = "SealError";
}

const method = "aes-256-gcm";
const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];

/** Reads the key, or makes it where `create` says so. Throws `SealError`. */
export function openSeal(file: string, create: boolean): Seal {
  const key = readKey(file) ?? (create ? makeKey(file) : undefined);
  if (key === undefined) {
    throw new SealError(`${file} is missing: without it no secret of an API key can be read. Put back the copy of it`);
  }
  return {
    seal(id, secret) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(method, key, nonce).setAAD(Buffer.from(id));
      const text = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(id, sealed) {
      const bytes = Buffer.from(sealed);
      try {
        const decipher = createDecipheriv(method, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
          .setAAD(Buffer.from(id))
          .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
        const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
        return text.toString("utf8");
      } catch {
        return undefined;
      }
    },
  };
}

function readKey(file: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new SealError(`${file} cannot be read (${code ?? "unknown reason"})`);
  }
  const key = Buffer.from(text.trim(), "base64url");
  if (key.length !== keyBytes) throw new SealError(`${file} is damaged: put back the copy of it`);
  return key;
}

function makeKey(file: string): Buffer {
  const key = randomBytes(keyBytes);
  try {
    // Not over another: whoever was quicker has sealed with it already.
    writeFileSync(file, `${key.toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    // An operator may be root where the service is not.
    const { uid, gid } = statSync(dirname(file));
    if (process.getuid?.() === 0) chownSync(file, uid, gid);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new SealError(`${file} cannot be written (${code ?? "unknown reason"})`);
    const other = readKey(file);
    if (other !== undefined) return other;
  }
  return key;
}
