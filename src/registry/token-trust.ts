// Which certificates may stand behind a token here: those of authorities the operator named, those he pinned for an account,
// and, where he allows it, the first self-signed one that a local account shows (TOK-GET-01).

import { createHash, type X509Certificate } from "node:crypto";
import { isIssuedBy, isSelfSigned, weaknessOf } from "#base/certificates.ts";
import { domainOf } from "#xmpp/jid.ts";
import type { Promised } from "./store.ts";
import type { TokenReads, TokenRecord } from "./token-records.ts";

export interface TokenOptions {
  readonly authorities: readonly X509Certificate[];
  /** Self-signed certificates by bare JID. */
  readonly pinned: ReadonlyMap<string, readonly X509Certificate[]>;
  /** The first self-signed certificate of a local account is pinned by being the first. */
  readonly pinFirst: boolean;
  /** Tokens the operator takes back, with their issuer; their keys get no others. */
  readonly revoked: readonly string[];
}

/** What is looked up: in the store, or in the change that is under way. */
export type TokenReader = Pick<Promised<TokenReads>, "token" | "tokensOf">;

export interface TokenTrust {
  /** Why not, for a person; undefined when it may. `at`: milliseconds since 1970 UTC. */
  objection(reads: TokenReader, account: string, certificate: X509Certificate, at: number): Promise<string | undefined>;
}

export function createTokenTrust(
  { authorities, pinned, pinFirst, revoked }: TokenOptions,
  isLocal: (domain: string) => boolean,
): TokenTrust {
  /** A key that the operator took back gets no other token by asking again. */
  const isTakenBack = async (reads: TokenReader, certificate: X509Certificate): Promise<boolean> => {
    for (const token of revoked) {
      const record = await reads.token(token);
      if (record !== undefined && sameOctets(record.keyDigest, keyDigest(certificate))) return true;
    }
    return false;
  };

  return {
    async objection(reads, account, certificate, at) {
      const weakness = weaknessOf(certificate, at);
      if (weakness !== undefined) return weakness;
      if (await isTakenBack(reads, certificate)) return "the operator has taken this key back";
      if (authorities.some(authority => isIssuedBy(certificate, authority, at))) return undefined;
      if (!isSelfSigned(certificate)) return "the certificate was issued by nobody who is trusted here";
      const pins = pinned.get(account);
      if (pins !== undefined)
        return pins.some(pin => sameOctets(keyDigest(pin), keyDigest(certificate)))
          ? undefined
          : "another certificate is pinned for this account";
      if (!pinFirst || !isLocal(domainOf(account)))
        return "a certificate that vouches for itself must be pinned for this account by the operator";
      const first: readonly TokenRecord[] = (await reads.tokensOf(account)).filter(one => one.expiresAt > at);
      return first.every(one => sameOctets(one.keyDigest, keyDigest(certificate)))
        ? undefined
        : "this account has a token for another key, which the operator has to take back first";
    },
  };
}

export const digestOf = (certificate: X509Certificate): Buffer => createHash("sha256").update(certificate.raw).digest();
export const keyDigest = ({ publicKey }: X509Certificate): Buffer =>
  createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest();

const sameOctets = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
