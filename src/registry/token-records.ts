// What is kept of tokens: which certificate of which account each stands for, and until when.

import type { Thing } from "./store.ts";

export interface TokenRecord {
  /** With the issuer in front. */
  readonly token: string;
  /** Bare JID that proved to have the key. */
  readonly account: string;
  /** DER. */
  readonly certificate: Uint8Array;
  /** SHA-256 of the certificate. */
  readonly digest: Uint8Array;
  /** SHA-256 of its public key: the same in a certificate that was renewed. */
  readonly keyDigest: Uint8Array;
  /** Milliseconds since 1970 UTC. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** Undefined while it holds. */
  readonly revokedAt: number | undefined;
}

export interface TokenReads {
  token(token: string): TokenRecord | undefined;
  /** Those that were not revoked. */
  tokensOf(account: string): readonly TokenRecord[];
  /** Not revoked, and expired by then. */
  tokensExpired(at: number, count: number): readonly TokenRecord[];
  tokensHeld(offset: number, count: number): readonly TokenRecord[];
  /** With a rule that rests on the token. */
  thingsTrusting(token: string): readonly Thing[];
}

export interface TokenWrites {
  insertToken(token: Omit<TokenRecord, "revokedAt">): void;
  revokeToken(token: string, at: number): void;
}
