// The check of a signed registration, by the clock: what ends, what fills again, what is remembered how long, and who may ask.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { parse } from "#xml/parser.ts";
import type { SignedField } from "#xmpp/signed-form.ts";
import { createAccountCheck, type Granted } from "../../../src/registry/accounts/check.ts";
import { type ApiKeyRecord, faultOf, isWithin, type KeyTerms } from "../../../src/registry/accounts/keys.ts";
import { accountRoutes } from "../../../src/registry/accounts/routes.ts";
import { openSeal, SealError } from "../../../src/registry/accounts/seal.ts";
import { type AccountStore, openAccountStore } from "../../../src/registry/accounts/store.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { type SignOptions, signByHand } from "./talk.ts";

let folder: string;
let store: AccountStore;
let clock: ManualClock;
let logged: LogEvent[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-accounts-"));
  store = openAccountStore(join(folder, "accounts.db"), silentLog);
  clock = manualClock();
  logged = [];
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const secret = "the secret of the key, long enough";
const sealFile = () => join(folder, "accounts.key");
const addKey = (more: Partial<KeyTerms> = {}): void => {
  const terms: KeyTerms = {
    id: "k1",
    owner: "ana",
    accountsMax: 100,
    prefix: "k1",
    expiresAt: undefined,
    networks: [],
    perMinute: 10,
    burst: 50,
    clockless: false,
    ...more,
  };
  expect(store.addKey(terms, openSeal(sealFile(), true).seal(terms.id, secret), clock.now())).toBe(true);
};
const checking = () =>
  createAccountCheck({
    store,
    seal: () => openSeal(sealFile(), false),
    clock,
    log: createLog(event => logged.push(event)),
  });
const stream = { domain: "hub.example", to: "", token: "t1", tokenSecret: "ts1", from: "198.51.100.7" };
const form = { FORM_TYPE: "urn:xmpp:xdata:signature:oauth1", oauth_token: "t1", oauth_token_secret: "ts1" };
const signed = (how: Partial<SignOptions> = {}): SignedField[] =>
  Object.entries(
    signByHand(form, { key: "k1", secret, username: "k1-a", time: Math.floor(clock.now() / 1_000), ...how }),
  ).map(([name, value]) => ({ name, values: [value] }));
const reason = (): unknown => logged.at(-1)?.facts.reason;

it("ACC-SRV-04: ten a minute after a burst of fifty, and who has not the secret uses up nothing of it", async () => {
  addKey();
  const check = checking();
  for (let n = 0; n < 200; n++) expect(check({ ...stream, fields: signed({ secret: "wrong" }) })).toBeUndefined();
  const some = () => check({ ...stream, fields: signed() });
  for (let n = 0; n < 50; n++) expect(some()).toBeDefined();
  expect(some()).toBeUndefined();
  expect(reason()).toBe("too many accounts in a short time");
  await clock.advance(6_000);
  expect(some()).toBeDefined();
  expect(some()).toBeUndefined();
});

it("ACC-SRV-03: five minutes of a clock, a day for keys of devices without one, whose nonces are remembered that long", async () => {
  addKey();
  addKey({ id: "k2", prefix: "k2", clockless: true });
  const check = checking();
  const off = (key: string, seconds: number, nonce?: string) => {
    const time = Math.floor(clock.now() / 1_000) + seconds;
    return check({ ...stream, fields: signed({ key, username: `${key}-a`, time, ...(nonce && { nonce }) }) });
  };
  expect(off("k1", -299)).toBeDefined();
  expect(off("k1", 299)).toBeDefined();
  expect(off("k1", -301)).toBeUndefined();
  expect(off("k1", 301)).toBeUndefined();
  expect(off("k2", -86_000)).toBeDefined();
  expect(off("k2", -86_500)).toBeUndefined();
  expect(reason()).toBe("the clock of the sender is off");
  // The latest form that is good now is good for two tolerances more; so long its nonce is known, also to a new process.
  const [early, late] = ["n".repeat(16), "m".repeat(16)];
  expect(off("k1", 290, early)).toBeDefined();
  expect(off("k2", 80_000, late)).toBeDefined();
  await clock.advance(590_000);
  expect(
    checking()({ ...stream, fields: signed({ nonce: early, time: Math.floor(clock.now() / 1_000) - 299 }) }),
  ).toBeUndefined();
  expect(reason()).toBe("the form came a second time");
  await clock.advance(160_000_000);
  expect(off("k2", -86_000, late)).toBeUndefined();
  expect(reason()).toBe("the form came a second time");
});

it("ACC-SRV-04: a key ends by itself, and what the operator says holds at once, for a running service too", async () => {
  addKey({ expiresAt: clock.now() + 1_000 });
  addKey({ id: "k2", prefix: "k2" });
  const check = checking();
  expect(check({ ...stream, fields: signed() })).toBeDefined();
  await clock.advance(1_000);
  expect(check({ ...stream, fields: signed() })).toBeUndefined();
  expect(reason()).toBe("the key has ended");
  using operator = openAccountStore(join(folder, "accounts.db"), silentLog);
  const second = () => check({ ...stream, fields: signed({ key: "k2", username: "k2-a" }) });
  expect(second()).toBeDefined();
  operator.setState("k2", "suspended");
  expect(second()).toBeUndefined();
  expect(reason()).toBe("the key is suspended");
  operator.setState("k2", "active");
  expect(second()).toBeDefined();
});

it("ACC-SRV-04: what the broker did not make is given back, what was made and removed is not, and what it did not confirm stays counted", () => {
  addKey({ accountsMax: 3 });
  const check = checking();
  const some = () => check({ ...stream, fields: signed() }) as Granted;
  const [first, second, third] = [some(), some(), some()];
  expect(some()).toBeUndefined();
  expect(reason()).toBe("the key is used up");
  expect(store.made(first.id, "hub.example")).toBe(true);
  expect(store.release(first.id, "hub.example")).toBe(false);
  // Another domain of the same service has no say in it.
  expect(store.release(second.id, "other.example")).toBe(false);
  expect(store.release(second.id, "hub.example")).toBe(true);
  expect(store.release(second.id, "hub.example")).toBe(false);
  expect((store.key("k1") as ApiKeyRecord).used).toBe(2);
  expect(store.accountsOf("k1", 10).map(({ id, state }) => [id, state])).toEqual([
    [third.id, "reserved"],
    [first.id, "made"],
  ]);
});

it("ACC-SRV-01: only a broker's domain that is served may ask; to all others there is nothing here", async () => {
  addKey();
  const [sign] = accountRoutes({ store, check: checking(), isLocal: one => one === "hub.example", log: silentLog });
  const values = signed().map(({ name, values: [value] }) => `<field var='${name}'><value>${value}</value></field>`);
  const payload = parse(
    `<sign xmlns='urn:isthmus:accounts:0' token='t1' tokenSecret='ts1' ip='198.51.100.7' to=''><x xmlns='jabber:x:data' type='submit'>${values.join("")}</x></sign>`,
  );
  const from = async (jid: string) => sign?.handle({ from: jid, payload } as never);
  for (const stranger of ["ana@hub.example", "hub.example/x", "evil.example", "things.hub.example"])
    await expect(from(stranger)).rejects.toMatchObject({ condition: "service-unavailable" });
  expect((await from("hub.example"))?.attrs).toMatchObject({ key: "k1", name: "k1-a" });
  await expect(from("hub.example")).rejects.toMatchObject({ condition: "bad-request" });
});

it("ACC-SRV-03, ACC-SIG-06: every fault is refused, and the operator's log alone says which", () => {
  addKey();
  addKey({ id: "far", prefix: "far", networks: ["192.0.2.0/24"] });
  addKey({ id: "full", prefix: "full", accountsMax: 1 });
  const check = checking();
  const change = (name: string, value: string) => (fields: SignedField[]) =>
    fields.map(one => (one.name === name ? { name, values: [value] } : one));
  expect(check({ ...stream, fields: signed({ key: "full", username: "full-a" }) })).toBeDefined();
  const wrong: [reason: RegExp, how: Partial<SignOptions>, change?: (fields: SignedField[]) => SignedField[]][] = [
    [/no such key/, { key: "nobody" }],
    [/no such key/, { key: "" }],
    [/the signature is not right/, { secret: "another" }],
    [/the signature is not right/, {}, change("password", "another password, as long")],
    [/the signature is not right/, {}, change("oauth_signature", "%")],
    [/another version/, {}, change("oauth_version", "2.0")],
    [/another form/, {}, change("FORM_TYPE", "jabber:iq:register")],
    [/another method/, { method: "PLAINTEXT" }],
    [/another method/, { method: "RSA-SHA1" }],
    [/the nonce is too short/, { nonce: "short" }],
    [/the clock of the sender/, { time: 0 }],
    [/the clock of the sender/, { time: Number.NaN }],
    [/the signature is not right/, {}, change("oauth_timestamp", "0")],
    [/not the prefix/, { username: "admin" }],
    [/other networks/, { key: "far", username: "far-a" }],
    [/used up/, { key: "full", username: "full-b" }],
    [/token is not that of the stream/, {}, change("oauth_token", "t2")],
    [/token's secret was changed/, {}, change("oauth_token_secret", "ts2")],
  ];
  for (const [reason, how, damage = (one: SignedField[]) => one] of wrong) {
    expect(check({ ...stream, fields: damage(signed(how)) })).toBeUndefined();
    expect(logged.at(-1)?.facts.reason).toMatch(reason);
  }
  const said = JSON.stringify(logged);
  for (const hidden of [secret, "correct horse", "ts1"]) expect(said).not.toContain(hidden);
});

it("ACC-SRV-03: a field said twice, a name that is none, and a short password are refused", () => {
  addKey();
  const check = checking();
  const twice = signed();
  expect(check({ ...stream, fields: [...twice, { name: "username", values: ["k1-b"] }] })).toBeUndefined();
  expect(reason()).toBe("a field is there twice");
  for (const username of ["K1-a", "k1 a", "k1-é", `k1${"x".repeat(70)}`, "", "a-k1"]) {
    expect(check({ ...stream, fields: signed({ username }) }), username).toBeUndefined();
    expect(reason()).toBe("the user name has not the prefix of the key");
  }
  expect(check({ ...stream, fields: signed({ password: "short" }) })).toBeUndefined();
  expect(check({ ...stream, fields: [] })).toBeUndefined();
  expect(check({ ...stream, token: "", fields: signed() })).toBeUndefined();
});

it("networks: ranges of both families, and IPv4 as one socket for both tells it", () => {
  const ranges = ["192.0.2.0/24", "2001:db8::/32"];
  for (const [address, isIn] of Object.entries({
    "192.0.2.9": true,
    "::ffff:192.0.2.9": true,
    "192.0.3.9": false,
    "2001:db8:5::1": true,
    "2001:db9::1": false,
    "": false,
    nonsense: false,
  }))
    expect(isWithin(ranges, address), address).toBe(isIn);
  expect(isWithin([], "")).toBe(true);
  const terms = { id: "k", owner: "o", accountsMax: 1, prefix: "k", expiresAt: undefined, perMinute: 1, burst: 1 };
  for (const range of ["192.0.2.0", "192.0.2.0/33", "x/8", "::/129", "1.2.3.4/8/8"])
    expect(faultOf({ ...terms, networks: [range], clockless: false })).toMatch(/--network/);
});

it("ACC-SRV-04: secrets lie sealed: the database alone gives none, nor does the seal of another", () => {
  addKey();
  expect(readFileSync(join(folder, "accounts.db")).includes(secret)).toBe(false);
  expect(statSync(sealFile()).mode & 0o077).toBe(0);
  const sealed = store.key("k1")?.sealed as Uint8Array;
  expect(openSeal(sealFile(), false).open("k1", sealed)).toBe(secret);
  expect(openSeal(sealFile(), false).open("k2", sealed)).toBeUndefined();
  rmSync(sealFile());
  expect(() => openSeal(sealFile(), false)).toThrow(SealError);
  openSeal(sealFile(), true);
  expect(checking()({ ...stream, fields: signed() })).toBeUndefined();
  expect(reason()).toMatch(/the seal is not the right one/);
  writeFileSync(sealFile(), "damaged");
  expect(() => openSeal(sealFile(), true)).toThrow(/is damaged: put back the copy/);
});
