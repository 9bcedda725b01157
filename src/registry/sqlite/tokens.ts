// Rows of tokens, and the things whose rules rest on one.

import type { Database } from "#store/database.ts";
import type { TokenReads, TokenRecord, TokenWrites } from "../token-records.ts";
import { asThing, type ThingRow, thingColumns } from "./things.ts";

interface TokenRow {
  token: string;
  account: string;
  certificate: Uint8Array;
  digest: Uint8Array;
  key_digest: Uint8Array;
  issued_at: number;
  expires_at: number;
  revoked_at: number | null;
}

export function tokenRecords(database: Database): TokenReads & TokenWrites {
  const select = (rest: string) => database.prepare<unknown[], TokenRow>(`SELECT * FROM token WHERE ${rest}`);
  const one = select("token = ?");
  const ofAccount = select("account = ? AND revoked_at IS NULL ORDER BY issued_at");
  const expired = select("revoked_at IS NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?");
  const held = select("revoked_at IS NULL ORDER BY expires_at, token LIMIT ? OFFSET ?");
  const trusting = database.prepare<[string], ThingRow>(
    `SELECT DISTINCT ${thingColumns} FROM rule JOIN thing ON thing.id = rule.thing
     WHERE rule.value = ? AND rule.origin IN ('user','device','service')`,
  );
  const insert = database.prepare(
    `INSERT INTO token (token, account, certificate, digest, key_digest, issued_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const revoke = database.prepare("UPDATE token SET revoked_at = ? WHERE token = ? AND revoked_at IS NULL");

  return {
    token(token) {
      const row = one.get(token);
      return row && asToken(row);
    },
    tokensOf: account => ofAccount.all(account).map(asToken),
    tokensExpired: (at, count) => expired.all(at, count).map(asToken),
    tokensHeld: (offset, count) => held.all(count, offset).map(asToken),
    thingsTrusting: token => trusting.all(token).map(asThing),
    insertToken({ token, account, certificate, digest, keyDigest, issuedAt, expiresAt }) {
      insert.run(token, account, certificate, digest, keyDigest, issuedAt, expiresAt);
    },
    revokeToken(token, at) {
      revoke.run(at, token);
    },
  };
}

const asToken = (row: TokenRow): TokenRecord => ({
  token: row.token,
  account: row.account,
  certificate: row.certificate,
  digest: row.digest,
  keyDigest: row.key_digest,
  issuedAt: row.issued_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at ?? undefined,
});
