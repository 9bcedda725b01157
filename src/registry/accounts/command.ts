// `isthmus-registry keys …`: what the operator does with API keys. It works on the files, also while the service runs, which
// heeds each change at once.

import { parseArgs } from "node:util";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { listedAccountsMax } from "#limits.ts";
import { accountFiles } from "./accounts.ts";
import { type ApiKeyRecord, faultOf, type KeyState, type KeyTerms, newSecret } from "./keys.ts";
import { openSeal } from "./seal.ts";
import { type AccountStore, openAccountStore } from "./store.ts";
import { accountLines, keyLines, keyTable } from "./tables.ts";

/** The words are wrong, or what they say cannot be done: a sentence. */
export class KeysError extends Error {
  override name = "KeysError";
  readonly isUsage: boolean;
  constructor(message: string, isUsage = false) {
    super(message);
    this.isUsage = isUsage;
  }
}

export interface KeysIo {
  /** Path of the registry's database, from `--config` or `--database`. */
  readonly database: (config: string | undefined, database: string | undefined) => string;
  readonly out: (text: string) => void;
  readonly note: (text: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export const keysHelp = `API keys with which appliances get their accounts (docs/accounts.md).

  isthmus-registry keys add KEY --owner WHO --accounts N [OPTIONS]    prints the secret, once
  isthmus-registry keys list
  isthmus-registry keys show KEY         the accounts it made
  isthmus-registry keys who NAME@DOMAIN  the key that made an account
  isthmus-registry keys suspend KEY      no new accounts, and those it made are shut out
  isthmus-registry keys resume KEY
  isthmus-registry keys revoke KEY       no new accounts; those it made stay

  --config FILE     settings of the registry, which say where its database lies
  --database FILE   the database itself
  --json            one JSON object a line, for programs

keys add:
  --owner WHO       who answers for it: a JID, a name, an order
  --accounts N      how many accounts it makes at most; one that is removed is not given back
  --prefix TEXT     user names begin with it (KEY in lower case, unless said)
  --days N          it ends by itself after so many days
  --network CIDR    only from there; may be said several times
  --rate N          accounts a minute (10), after a burst of
  --burst N         accounts at once (50)
  --clockless       for devices without a clock: their time may be off by a day
`;

const words = {
  config: { type: "string" },
  database: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
  owner: { type: "string" },
  accounts: { type: "string" },
  prefix: { type: "string" },
  days: { type: "string" },
  network: { type: "string", multiple: true },
  rate: { type: "string" },
  burst: { type: "string" },
  clockless: { type: "boolean" },
} as const;
type Values = ReturnType<typeof read>["values"];

const read = (args: readonly string[]) => parseArgs({ args: [...args], options: words, allowPositionals: true });

/** Throws `KeysError`, `SealError`, `DatabaseFault`. */
export function keysCommand(args: readonly string[], io: KeysIo): void {
  const { values, positionals } = readWords(args);
  const [verb = "", name, ...more] = positionals;
  if (values.help || positionals.length === 0) {
    io.out(keysHelp);
    return;
  }
  const takesName = verb !== "list";
  if (!Object.hasOwn(verbs, verb)) throw usage(`there is no "keys ${verb}"`);
  if (takesName ? name === undefined || more.length > 0 : name !== undefined)
    throw usage(`keys ${verb} is said otherwise`);
  const database = io.database(values.config, values.database);
  using store = openAccountStore(accountFiles(database).store, io.log);
  verbs[verb as keyof typeof verbs]({ name: name ?? "", values, store, seal: accountFiles(database).seal, io });
}

const usage = (message: string): KeysError => new KeysError(`${message}\nTry isthmus-registry keys --help.`, true);

function readWords(args: readonly string[]): ReturnType<typeof read> {
  try {
    return read(args);
  } catch (error) {
    throw usage((error as Error).message.replace(/\. To specify a positional.*$/s, "."));
  }
}

interface Call {
  readonly name: string;
  readonly values: Values;
  readonly store: AccountStore;
  readonly seal: string;
  readonly io: KeysIo;
}

const verbs = {
  add({ name, values, store, seal, io }: Call) {
    const terms = termsOf(name, values, io.clock.now());
    const fault = faultOf(terms);
    if (fault !== undefined) throw usage(fault);
    if (store.key(name) !== undefined) throw new KeysError(`there is a key ${name} already`);
    const secret = newSecret();
    if (!store.addKey(terms, openSeal(seal, true).seal(name, secret), io.clock.now()))
      throw new KeysError(`there is a key ${name} already`);
    io.out(values.json ? `${JSON.stringify({ ...terms, secret })}\n` : keyLines(terms, secret));
    if (!values.json) io.note("The secret is not shown again. Whoever has it makes accounts within these bounds.\n");
  },
  list({ values, store, io }: Call) {
    const keys = store.keys();
    if (values.json) for (const one of keys) io.out(`${JSON.stringify(one)}\n`);
    else if (keys.length === 0) io.note("No keys yet: make one with isthmus-registry keys add.\n");
    else io.out(keyTable(keys, io.clock.now()));
  },
  show(call: Call) {
    const { values, store, io } = call;
    const { id } = requireKey(call);
    const accounts = store.accountsOf(id, listedAccountsMax);
    if (values.json) for (const one of accounts) io.out(`${JSON.stringify(one)}\n`);
    else if (accounts.length === 0) io.note(`${id} has made no accounts yet.\n`);
    else io.out(accountLines(accounts));
    if (accounts.length === listedAccountsMax) io.note(`Only the newest ${listedAccountsMax} are shown.\n`);
  },
  who({ name, values, store, io }: Call) {
    const [local = "", domain = ""] = name.toLowerCase().split("@");
    const account = store.account(domain, local);
    if (account === undefined) throw new KeysError(`no key made ${name}: it was made in another way, or not here`);
    if (values.json) return io.out(`${JSON.stringify(account)}\n`);
    io.out(
      `${name} was made with the key ${account.key}, from ${account.from}, ${new Date(account.at).toISOString()}\n`,
    );
  },
  suspend: (call: Call) =>
    change(call, "suspended", "makes no accounts now; those it made are shut out within a minute, until keys resume"),
  resume: (call: Call) => change(call, "active", "may make accounts again, and those it made may log in"),
  revoke: (call: Call) => change(call, "revoked", "makes no accounts any more; those it made stay"),
};

function requireKey({ name, store }: Call): ApiKeyRecord {
  const key = store.key(name);
  if (key === undefined) throw new KeysError(`there is no key ${name}: see isthmus-registry keys list`);
  return key;
}

function change(call: Call, state: KeyState, said: string): void {
  const { id, state: before } = requireKey(call);
  if (before === "revoked" && state !== "revoked")
    throw new KeysError(`${id} was revoked, which is for good: make another key`);
  call.store.setState(id, state);
  if (call.values.json) call.io.out(`${JSON.stringify({ id, state })}\n`);
  else call.io.note(`${id} ${said}.\n`);
}

function termsOf(id: string, values: Values, now: number): KeyTerms {
  const number = (text: string | undefined, standard: number): number =>
    text === undefined ? standard : /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  const days = number(values.days, 0);
  if (values.days !== undefined && !(days > 0)) throw usage("--days is a number of days");
  return {
    id,
    owner: values.owner ?? "",
    accountsMax: number(values.accounts, 0),
    prefix:
      values.prefix ??
      id
        .toLowerCase()
        .replace(/[^a-z0-9-]/g, "-")
        .slice(0, 20),
    expiresAt: values.days === undefined ? undefined : now + days * 86_400_000,
    networks: values.network ?? [],
    perMinute: number(values.rate, 10),
    burst: number(values.burst, 50),
    clockless: values.clockless ?? false,
  };
}
