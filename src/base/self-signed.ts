// An RSA key and a certificate that vouches for itself (RFC 5280), for who has no authority to ask: it says a name and a
// key, and whoever pins it knows the key again.

import { createHash, createPublicKey, generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { promisify } from "node:util";
import { certificateNameCharsMax, tokenKeyBits } from "#limits.ts";
import * as der from "./der.ts";

export interface SelfSigned {
  /** PEM, PKCS #8. */
  readonly key: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** `from`, `to`: milliseconds since 1970 UTC. `name`: who it is for, as the common name. */
export interface SelfSignedOptions {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** Makes a key of `tokenKeyBits`, which takes a second or so on a small machine, off the main thread. */
export async function makeSelfSigned(options: SelfSignedOptions): Promise<SelfSigned> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: tokenKeyBits });
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: selfSign(privateKey, options),
  };
}

const oids = {
  sha256WithRsa: "1.2.840.113549.1.1.11",
  commonName: "2.5.4.3",
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  subjectKey: "2.5.29.14",
} as const;

/** DER of the certificate. */
export function selfSign(key: KeyObject, { name, from, to }: SelfSignedOptions): Uint8Array {
  const common = [...name].slice(0, certificateNameCharsMax).join("");
  const algorithm = der.sequence(der.objectIdentifier(oids.sha256WithRsa), der.nothing());
  const who = der.sequence(der.set(der.sequence(der.objectIdentifier(oids.commonName), der.utf8String(common))));
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  // Not zero, not negative, and no two alike (RFC 5280 section 4.1.2.2).
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const extension = (oid: string, critical: boolean, value: Uint8Array) =>
    der.sequence(der.objectIdentifier(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
  const content = der.sequence(
    der.context(0, der.integer(Uint8Array.of(2))),
    der.integer(serial),
    algorithm,
    who,
    der.sequence(der.time(from), der.time(to)),
    who,
    publicKey,
    der.context(
      3,
      der.sequence(
        // No authority: it signs nothing but itself.
        extension(oids.basicConstraints, true, der.sequence()),
        // keyEncipherment alone: the key is for challenges and for nothing else (TOK-CHAL-04).
        extension(oids.keyUsage, true, der.bitString(Uint8Array.of(0b0010_0000), 5)),
        extension(
          oids.subjectKey,
          false,
          der.octetString(createHash("sha256").update(publicKey).digest().subarray(0, 20)),
        ),
      ),
    ),
  );
  return der.sequence(content, algorithm, der.bitString(sign("sha256", content, key)));
}

/** PEM of octets: "CERTIFICATE". */
export const pem = (label: string, octets: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(octets)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
