// API keys and the accounts they made, in a file of their own beside the registry's: the command line writes it while the
// service runs, and each check reads it anew, so that what an operator says holds at once.

import type { Log } from "#base/log.ts";
import { accountNoncesMax } from "#limits.ts";
import { type Database, type Migration, openDatabase } from "#store/database.ts";
import type { AccountRecord, ApiKeyRecord, KeyState, KeyTerms } from "./keys.ts";

const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "API keys, accounts, nonces",
    sql: `
CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  secret BLOB NOT NULL,
  owner TEXT NOT NULL,
  accounts_max INTEGER NOT NULL,
  used INTEGER NOT NULL DEFAULT 0,
  prefix TEXT NOT NULL,
  expires_at INTEGER,
  networks TEXT NOT NULL,
  per_minute INTEGER NOT NULL,
  burst INTEGER NOT NULL,
  clockless INTEGER NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CHECK (used BETWEEN 0 AND accounts_max)
) STRICT;
CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL REFERENCES api_key (id),
  domain TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  ip TEXT NOT NULL
) STRICT;
CREATE INDEX account_key ON account (key, id);
CREATE INDEX account_name ON account (domain, name);
CREATE TABLE nonce (
  key TEXT NOT NULL,
  nonce TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (key, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_until ON nonce (until);
`,
  },
];

export interface AccountStore extends Disposable {
  key(id: string): (ApiKeyRecord & { readonly sealed: Uint8Array }) | undefined;
  keys(): readonly ApiKeyRecord[];
  /** False when there is one of that id already. */
  addKey(terms: KeyTerms, sealed: Uint8Array, at: number): boolean;
  /** False when there is none of that id. */
  setState(id: string, state: KeyState): boolean;
  isNonceUsed(key: string, nonce: string, now: number): boolean;
  /**
   * Counts one account and notes the nonce, all or nothing (ACC-SRV-04). Undefined when the quota is used up, the key is
   * active no longer, or the nonce was used meanwhile.
   */
  reserve(one: Omit<AccountRecord, "id" | "state">, nonce: string, nonceUntil: number): number | undefined;
  /** The broker made it. False when there is no such reservation of that domain. */
  made(id: number, domain: string): boolean;
  /** The broker did not make it: its place is free again. */
  release(id: number, domain: string): boolean;
  accountsOf(key: string, count: number): readonly AccountRecord[];
  /** The newest under that name. */
  account(domain: string, name: string): AccountRecord | undefined;
}

/** Throws `DatabaseFault`. */
export function openAccountStore(path: string, log: Log): AccountStore {
  const database = openDatabase(path, migrations, log);
  return { ...keyRecords(database), ...accountRecords(database), [Symbol.dispose]: () => void database.close() };
}

interface KeyRow {
  id: string;
  secret: Buffer;
  owner: string;
  accounts_max: number;
  used: number;
  prefix: string;
  expires_at: number | null;
  networks: string;
  per_minute: number;
  burst: number;
  clockless: number;
  state: KeyState;
  created_at: number;
}

const asKey = (row: KeyRow): ApiKeyRecord => ({
  id: row.id,
  owner: row.owner,
  accountsMax: row.accounts_max,
  used: row.used,
  prefix: row.prefix,
  expiresAt: row.expires_at ?? undefined,
  networks: JSON.parse(row.networks) as string[],
  perMinute: row.per_minute,
  burst: row.burst,
  clockless: row.clockless === 1,
  state: row.state,
  createdAt: row.created_at,
});

function keyRecords(database: Database): Pick<AccountStore, "key" | "keys" | "addKey" | "setState"> {
  const one = database.prepare<[string], KeyRow>("SELECT * FROM api_key WHERE id = ?");
  const all = database.prepare<[], KeyRow>("SELECT * FROM api_key ORDER BY created_at, id");
  const add = database.prepare(
    `INSERT INTO api_key
       (id, secret, owner, accounts_max, prefix, expires_at, networks, per_minute, burst, clockless, state, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?) ON CONFLICT DO NOTHING`,
  );
  const state = database.prepare("UPDATE api_key SET state = ? WHERE id = ?");
  return {
    key(id) {
      const row = one.get(id);
      return row && { ...asKey(row), sealed: row.secret };
    },
    keys: () => all.all().map(asKey),
    addKey(terms, sealed, at) {
      const { id, owner, accountsMax, prefix, expiresAt, networks, perMinute, burst, clockless } = terms;
      const ranges = JSON.stringify(networks);
      const words = [prefix, expiresAt ?? null, ranges, perMinute, burst, clockless ? 1 : 0];
      return add.run(id, sealed, owner, accountsMax, ...words, at).changes === 1;
    },
    setState: (id, next) => state.run(next, id).changes === 1,
  };
}

interface AccountRow extends Omit<AccountRecord, "from"> {
  ip: string;
}
const asAccount = ({ ip, ...row }: AccountRow): AccountRecord => ({ ...row, from: ip });

function accountRecords(database: Database): Omit<AccountStore, keyof ReturnType<typeof keyRecords> | symbol> {
  const used = database.prepare<[string, string, number], { one: number }>(
    "SELECT 1 AS one FROM nonce WHERE key = ? AND nonce = ? AND until > ?",
  );
  const count = database.prepare(
    "UPDATE api_key SET used = used + 1 WHERE id = ? AND state = 'active' AND used < accounts_max",
  );
  const forget = database.prepare("DELETE FROM nonce WHERE until <= ?");
  const nonces = database.prepare<[], { n: number }>("SELECT count(*) AS n FROM nonce");
  const note = database.prepare("INSERT INTO nonce (key, nonce, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
  const add = database.prepare(
    "INSERT INTO account (key, domain, name, state, at, ip) VALUES (?, ?, ?, 'reserved', ?, ?)",
  );
  const made = database.prepare("UPDATE account SET state = 'made' WHERE id = ? AND domain = ? AND state = 'reserved'");
  const drop = database.prepare<[number, string], { key: string }>(
    "DELETE FROM account WHERE id = ? AND domain = ? AND state = 'reserved' RETURNING key",
  );
  const giveBack = database.prepare("UPDATE api_key SET used = used - 1 WHERE id = ?");
  const ofKey = database.prepare<[string, number], AccountRow>(
    "SELECT * FROM account WHERE key = ? ORDER BY id DESC LIMIT ?",
  );
  const named = database.prepare<[string, string], AccountRow>(
    "SELECT * FROM account WHERE domain = ? AND name = ? ORDER BY id DESC LIMIT 1",
  );

  return {
    isNonceUsed: (key, nonce, now) => used.get(key, nonce, now) !== undefined,
    reserve({ key, domain, name, at, from }, nonce, until) {
      const work = database.transaction((): number | undefined => {
        forget.run(at);
        // Only who has the secret gets here, so this is a flood by a holder of a key: he waits.
        if ((nonces.get()?.n ?? 0) >= accountNoncesMax) return undefined;
        if (note.run(key, nonce, until).changes === 0 || count.run(key).changes === 0) return undefined;
        return Number(add.run(key, domain, name, at, from).lastInsertRowid);
      });
      return work.immediate();
    },
    made: (id, domain) => made.run(id, domain).changes === 1,
    release: (id, domain) =>
      database
        .transaction(() => {
          const dropped = drop.get(id, domain);
          if (dropped !== undefined) giveBack.run(dropped.key);
          return dropped !== undefined;
        })
        .immediate(),
    accountsOf: (key, most) => ofKey.all(key, most).map(asAccount),
    account(domain, name) {
      const row = named.get(domain, name);
      return row && asAccount(row);
    },
  };
}
