// SCRAM, the client's half (RFC 5802, RFC 7677): three texts go over the wire, and the server too must prove that it knows
// the password. Pure but for the random nonce, which may be given.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { scramIterationsMax, scramIterationsMin } from "#limits.ts";

export type ScramHash = "sha1" | "sha256";

/** The server's half of the exchange cannot be trusted or understood: a sentence. */
export class ScramError extends Error {
  override name = "ScramError";
}

/** What is expensive to derive and may be kept for the next log-in: it is as secret as the password. */
export interface ScramKeys {
  readonly salt: string;
  readonly iterations: number;
  readonly hash: ScramHash;
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
}

export interface ScramOptions {
  readonly hash: ScramHash;
  readonly username: string;
  readonly password: string;
  /** "n,," no channel binding · "y,," we could, the server did not offer · "p=type,," bound. */
  readonly gs2: string;
  /** The binding's data with "p=". */
  readonly binding?: Buffer;
  readonly nonce?: string;
  /** From an earlier exchange with the same password; used when salt and iterations are still the same. */
  readonly known?: ScramKeys;
}

export interface Scram {
  /** client-first-message */
  readonly first: string;
  /** Reads server-first, resolves with client-final. Throws `ScramError`. */
  answer(serverFirst: string): Promise<string>;
  /** Checks server-final: the broker knows the password as well. Throws `ScramError`. */
  verify(serverFinal: string): void;
  /** After `answer`. */
  keys(): ScramKeys;
}

const derive = promisify(pbkdf2);
const keyBytes = { sha1: 20, sha256: 32 } as const;

export function createScram(options: ScramOptions): Scram {
  const { hash, gs2 } = options;
  const nonce = options.nonce ?? randomBytes(18).toString("base64");
  const bare = `n=${escapeName(prepare(options.username))},r=${nonce}`;
  let keys: ScramKeys | undefined;
  let signature: Buffer | undefined;

  return {
    first: gs2 + bare,
    async answer(serverFirst) {
      const { r = "", s = "", i = "" } = attributes(serverFirst);
      if (!r.startsWith(nonce) || r.length === nonce.length)
        throw new ScramError("the broker did not continue our nonce");
      const iterations = /^[1-9]\d{0,8}$/.test(i) ? Number(i) : 0;
      if (iterations < scramIterationsMin || iterations > scramIterationsMax) {
        throw new ScramError(
          `the broker asks for ${i.slice(0, 12)} SCRAM iterations; ${scramIterationsMin} to ${scramIterationsMax} are accepted`,
        );
      }
      if (s === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(s)) throw new ScramError("the broker sent no valid salt");
      const { known } = options;
      const same = known?.salt === s && known.iterations === iterations && known.hash === hash;
      keys = same ? known : await deriveKeys(hash, options.password, s, iterations);
      const bound = Buffer.concat([Buffer.from(gs2), options.binding ?? Buffer.alloc(0)]).toString("base64");
      const withoutProof = `c=${bound},r=${r}`;
      const message = `${bare},${serverFirst},${withoutProof}`;
      const storedKey = createHash(hash).update(keys.clientKey).digest();
      const proof = xor(keys.clientKey, hmac(hash, storedKey, message));
      signature = hmac(hash, keys.serverKey, message);
      return `${withoutProof},p=${proof.toString("base64")}`;
    },
    verify(serverFinal) {
      const { v, e } = attributes(serverFinal);
      if (e !== undefined) throw new ScramError(`the broker refused the log-in (${e.slice(0, 100)})`);
      const given = Buffer.from(v ?? "", "base64");
      if (signature === undefined || given.length !== signature.length || !timingSafeEqual(given, signature)) {
        throw new ScramError("the broker could not prove that it knows the password: it may be somebody else");
      }
    },
    keys() {
      if (keys === undefined) throw new Error("no keys before the exchange");
      return keys;
    },
  };
}

async function deriveKeys(hash: ScramHash, password: string, salt: string, iterations: number): Promise<ScramKeys> {
  const bytes = Buffer.from(salt, "base64");
  const salted = await derive(prepare(password), bytes, iterations, keyBytes[hash], hash);
  return {
    salt,
    iterations,
    hash,
    clientKey: hmac(hash, salted, "Client Key"),
    serverKey: hmac(hash, salted, "Server Key"),
  };
}

const hmac = (hash: ScramHash, key: Buffer, text: string): Buffer => createHmac(hash, key).update(text).digest();

const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));

const escapeName = (name: string): string => name.replaceAll("=", "=3D").replaceAll(",", "=2C");

/** SASLprep (RFC 4013) as far as it changes what people type: odd blanks, soft hyphens, compatibility forms. */
export const prepare = (text: string): string =>
  text
    .replace(/[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, " ")
    .replace(/\u00AD|\u034F|\u1806|[\u180B-\u180D]|[\u200B-\u200D]|\u2060|[\uFE00-\uFE0F]|\uFEFF/g, "")
    .normalize("NFKC");

/** "r=…,s=…,i=…" by letter. A mandatory extension (m=) is one we do not know. */
function attributes(text: string): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const part of text.split(",")) {
    const found = /^([A-Za-z])=(.*)$/s.exec(part);
    if (found === null) throw new ScramError("the broker's SCRAM message is malformed");
    result[found[1] as string] ??= found[2] as string;
  }
  if ("m" in result) throw new ScramError("the broker demands a SCRAM extension we do not know");
  return result;
}
