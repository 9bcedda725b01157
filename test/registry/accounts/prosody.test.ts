// Accounts by API key with everything real: Prosody with our module, the registry beside it, keys made on its command line, the
// appliance's own session, and attackers who speak XMPP by hand.

import { execFile } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { keysCommand } from "../../../src/registry/accounts/command.ts";
import { readSettings } from "../../../src/registry/config.ts";
import { runRegistry } from "../../../src/registry/main.ts";
import { applianceWith, found, statusIn, writeBoot, writeText } from "../../e2e/house.ts";
import { forever, temporaryFolder } from "../../lab/scene.ts";
import { prosodyInvite } from "../../support/prosody-invite.ts";
import { memoryCredentials, type PeerOptions, startPeer, until } from "../../support/xmpp-peer.ts";
import { openTalk, type SignOptions, signByHand } from "./talk.ts";

const domain = "hub.localhost";
const service = `things.${domain}`;
const root = join(import.meta.dirname, "../../..");
const refusalSeconds = 0.3;

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let prosody: Prosody;
let ca: string;
let database: string;
const stop = new AbortController();
let registry: Promise<void>;
const logged: LogEvent[] = [];

/** The operator's command. */
function keys(...args: string[]): { out: string; note: string } {
  const said = { out: "", note: "" };
  const out = (text: string) => {
    said.out += text;
  };
  const note = (text: string) => {
    said.note += text;
  };
  keysCommand(args, { database: () => database, out, note, clock, log: silentLog });
  return said;
}
/** The same as a process. */
async function program(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const words = [join(root, "src/registry/main.ts"), "keys", ...args, "--database", database];
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, words);
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}
function addKey(id: string, ...args: string[]): { id: string; secret: string } {
  const { out } = keys("add", id, "--owner", "ana@hub.localhost", "--accounts", "3", "--json", ...args);
  return { id, secret: (JSON.parse(out) as { secret: string }).secret };
}

beforeAll(async () => {
  home = await temporaryFolder();
  const authority = await createAuthority(join(home.path, "ca"), clock, forever);
  ca = authority.ca;
  const secret = "s".repeat(64);
  prosody = await startProsody({
    folder: join(home.path, "prosody"),
    domain,
    certificate: await authority.issue({ hosts: [domain] }),
    clock,
    signal: forever,
    components: [{ jid: service, secret }],
    // Open to anybody, if it were not for the module: it has to close this.
    registration: true,
    extraConfig: `plugin_paths = { ${JSON.stringify(join(root, "broker/prosody"))} }`,
    hostConfig: `
modules_enabled = { "isthmus_accounts"; "invites"; "invites_register" }
registration_invite_only = true
isthmus_accounts_service = "${service}"
isthmus_accounts_refusal_time = ${refusalSeconds}
isthmus_accounts_poll_time = 1`,
  });
  await mkdir(join(home.path, "data"));
  database = join(home.path, "data", "registry.db");
  const settings = readSettings({ jid: service, port: prosody.ports.component, database }, {}, {});
  registry = runRegistry({ settings, secret, clock, log: createLog(event => logged.push(event)) }, stop.signal);
  await until("the registry is ready", () => logged.some(({ event }) => event === "ready"));
});
afterAll(async () => {
  stop.abort();
  await registry;
  await prosody?.stop();
  await home?.[Symbol.asyncDispose]();
});

const edgeOptions = (more: Partial<PeerOptions>): PeerOptions => ({
  domain,
  ca: [ca],
  host: "127.0.0.1",
  port: prosody.ports.tls,
  tls: "direct",
  ...more,
});
const talk = (localAddress?: string) => openTalk(prosody.ports.tls, ca, domain, localAddress);
/** Signs and submits on a stream of its own; "result", or the name of the condition. */
async function attempt(how: SignOptions, change: (fields: Record<string, string>) => object = one => one) {
  using line = await talk();
  const fields = change(signByHand(await line.form(), how)) as Record<string, string>;
  return outcomeOf(await line.submit(fields));
}
const outcomeOf = (answer: string): string =>
  /type=['"]result/.test(answer)
    ? "result"
    : (/<([a-z-]+) xmlns=['"]urn:ietf:params:xml:ns:xmpp-stanzas/.exec(answer)?.[1] ?? answer);

it("ACC-SRV-01, ACC-SIG-01, ACC-SIG-03: the appliance signs the form of the module, gets its account, and it is known whose key made it (ACC-SRV-05)", async () => {
  const apiKey = addKey("batch-07", "--prefix", "edge");
  await using edge = startPeer(edgeOptions({ register: { prefix: "edge", apiKey } }));
  await edge.session.whenOnline(forever);
  const made = edge.credentials.load();
  expect(made).toMatchObject({ bundle: "key batch-07", mechanism: expect.stringMatching(/^SCRAM/) });
  const who = keys("who", `${made?.username}@${domain}`);
  expect(who.out).toContain("was made with the key batch-07, from 127.0.0.1");
  await until("confirmed", () => logged.some(({ event }) => event === "account-made"));
  expect(keys("show", "batch-07").out).toMatch(new RegExp(`${made?.username}@${domain} +made`));
  expect(keys("list").out).toMatch(/^batch-07 +active +1 of 3 +edge +- +anywhere +ana@/m);
  // Neither the secret nor the password is in any log.
  const said = JSON.stringify([logged, edge.logged]) + prosody.log();
  for (const secret of [apiKey.secret, made?.password ?? "?"]) expect(said).not.toContain(secret);
});

it("ACC-SRV-01, ACC-IBR-06: the whole appliance, from its boot file; afterwards the secret may leave the machine", async () => {
  const { id, secret } = addKey("cellar", "--prefix", "cellar");
  const dataFolder = join(home.path, "edge");
  const secretFile = writeText(home.path, "api-secret", `${secret}\n`);
  const boot = writeBoot(home.path, "isthmus", {
    domain,
    host: "127.0.0.1",
    port: prosody.ports.tls,
    caFile: join(home.path, "ca", "ca.pem"),
    dataFolder,
    accountPrefix: "cellar",
    apiKey: id,
    apiSecretFile: secretFile,
  });
  await using edge = applianceWith(boot);
  const isOnline = async () => {
    await edge.start();
    return await found("online", async () => {
      const { connection } = await statusIn(dataFolder);
      return connection.phase === "online" ? connection.jid : undefined;
    });
  };
  const jid = await isOnline();
  expect(jid).toMatch(/^cellar-[a-z2-7]{10}@hub\.localhost\//);
  expect(keys("list").out).toMatch(/^cellar +active +1 of 3/m);
  expect(edge.output()).not.toContain(secret);
  await edge.stop();
  await rm(secretFile);
  expect((await isOnline()).split("/")[0]).toBe(jid.split("/")[0]);
  expect(keys("list").out).toMatch(/^cellar +active +1 of 3/m);
});

describe("by hand", () => {
  it("ACC-SIG-03, ACC-SIG-04: signed for the domain or for nobody, escaped in its field or not, all are right", async () => {
    const key = addKey("readings", "--accounts", "9");
    const sign = { key: key.id, secret: key.secret };
    expect(await attempt({ ...sign, username: "readings-a" })).toBe("result");
    expect(await attempt({ ...sign, username: "readings-b", to: domain })).toBe("result");
    expect(await attempt({ ...sign, username: "readings-c", escaped: false })).toBe("result");
    expect(await attempt({ ...sign, username: "readings-d", to: "elsewhere.example" })).toBe("bad-request");
  });

  it("ACC-SRV-03, ACC-SIG-06, ACC-THR-01: whatever is wrong, the answer is the same bad-request, after the same time at least", async () => {
    const key = addKey("strict", "--accounts", "50");
    const far = addKey("far", "--network", "192.0.2.0/24", "--network", "2001:db8::/32");
    const gone = addKey("gone");
    keys("revoke", "gone");
    const sign = { key: key.id, secret: key.secret, username: "strict-1" };
    const now = Math.floor(clock.now() / 1_000);
    const wrong: [how: SignOptions, change?: (fields: Record<string, string>) => object][] = [
      [{ ...sign, key: "nobody" }],
      [{ ...sign, secret: "another" }],
      [sign, fields => ({ ...fields, username: "strict-2" })],
      [{ ...sign, time: now - 600 }],
      [{ ...sign, time: now + 600 }],
      [{ ...sign, method: "PLAINTEXT" }],
      [{ ...sign, nonce: "short" }],
      [{ ...sign, username: "admin" }],
      [{ key: far.id, secret: far.secret, username: "far-1" }],
      [{ key: gone.id, secret: gone.secret, username: "gone-1" }],
      [sign, fields => ({ ...fields, oauth_token_secret: "mine" })],
    ];
    for (const [how, change] of wrong) {
      const began = clock.monotonic();
      expect(await attempt(how, change)).toBe("bad-request");
      expect(clock.monotonic() - began).toBeGreaterThanOrEqual(refusalSeconds * 1_000 - 20);
    }
    expect(keys("list").out).toMatch(/^strict +active +0 of 50/m);
  });

  it("ACC-SRV-03, ACC-THR-02: a form is good once, on its own stream", async () => {
    const key = addKey("once", "--accounts", "50");
    const sign = { key: key.id, secret: key.secret };
    using line = await talk();
    const fields = signByHand(await line.form(), { ...sign, username: "once-1" });
    expect(outcomeOf(await line.submit(fields))).toBe("result");
    // The same stream has no token any more; another has another.
    expect(outcomeOf(await line.submit(fields))).toBe("bad-request");
    using other = await talk();
    await other.form();
    expect(outcomeOf(await other.submit(fields))).toBe("bad-request");
    // A nonce that was used, in a form that is right otherwise.
    expect(await attempt({ ...sign, username: "once-2", nonce: fields.oauth_nonce ?? "" })).toBe("bad-request");
    expect(keys("list").out).toMatch(/^once +active +1 of 50/m);
  });

  it("ACC-SRV-04: the quota holds when many come at once, and a name that is taken costs none of it (ACC-THR-05)", async () => {
    const key = addKey("few");
    const sign = { key: key.id, secret: key.secret };
    expect(await attempt({ ...sign, username: "few-1" })).toBe("result");
    expect(await attempt({ ...sign, username: "few-1" })).toBe("conflict");
    const names = ["few-2", "few-3", "few-4", "few-5", "few-6"];
    const outcomes = await Promise.all(names.map(username => attempt({ ...sign, username })));
    expect(outcomes.toSorted()).toEqual(["bad-request", "bad-request", "bad-request", "result", "result"]);
    expect(keys("list").out).toMatch(/^few +used up +3 of 3/m);
  });

  it("ACC-SRV-06: without key or invitation nobody gets an account, however he asks", async () => {
    using line = await talk();
    const form = await line.form();
    expect(Object.keys(form)).toContain("oauth_signature");
    const legacy =
      "<query xmlns='jabber:iq:register'><username>eve</username><password>secret-secret-secret</password></query>";
    expect(outcomeOf(await line.ask("set", legacy))).toBe("bad-request");
    expect(outcomeOf(await line.submit({ username: "eve", password: "secret-secret-secret" }))).toBe("bad-request");
    // Five refusals, and the stream is closed.
    let last = "";
    for (let more = 0; more < 4 && last !== "closed"; more++) last = await line.ask("set", legacy);
    expect(last).toBe("closed");
    await using eve = startPeer(edgeOptions({ user: "eve", password: "secret-secret-secret" }));
    await until("refused", () => eve.logged.some(one => one.event === "xmpp-offline"));
    expect(eve.session.state().reason).toMatch(/does not accept/);
  });
});

it("ACC-THR-06: an appliance whose clock is hours off signs with the time of the broker it verified", async () => {
  const apiKey = addKey("late", "--prefix", "late");
  const late = { ...clock, now: () => clock.now() - 7_200_000 };
  await using edge = startPeer(edgeOptions({ register: { prefix: "late", apiKey } }), late);
  await edge.session.whenOnline(forever);
  expect(keys("list").out).toMatch(/^late +active +1 of 3/m);
});

it("ACC-IBR-05: refused, the appliance says what may be wrong, waits long, and asks once", async () => {
  const { id } = addKey("mistyped", "--prefix", "edge");
  const apiKey = { id, secret: "mistyped" };
  await using edge = startPeer(edgeOptions({ register: { prefix: "edge", apiKey } }));
  await until("refused", () => edge.logged.some(one => one.event === "xmpp-offline"));
  expect(edge.session.state().reason).toMatch(
    /did not accept the registration.*the API key or its secret is wrong.*clock here/,
  );
  expect(edge.logged.filter(one => one.event === "xmpp-offline")).toHaveLength(1);
  expect(edge.logged.at(-1)?.facts.nextMs).toBeGreaterThanOrEqual(900_000);
});

it("ACC-SRV-05: a suspended batch is shut out, also what is logged in, and let in again when it is resumed", async () => {
  const apiKey = addKey("stolen", "--prefix", "stolen");
  await using edge = startPeer(edgeOptions({ register: { prefix: "stolen", apiKey } }));
  await edge.session.whenOnline(forever);
  keys("suspend", "stolen");
  await until("its stream is ended", () => edge.logged.some(one => one.event === "xmpp-offline"), 60_000);
  expect(edge.session.state().reason).toMatch(/not-authorized: This account is suspended/);
  // It is not to come back every second.
  expect(edge.logged.at(-1)?.facts.nextMs).toBeGreaterThanOrEqual(300_000);
  const credentials = memoryCredentials(edge.credentials.load());
  await using again = startPeer(edgeOptions({ credentials }));
  await until("refused", () => again.logged.some(one => one.event === "xmpp-offline"));
  expect(again.session.state().reason).toMatch(/This account is suspended: ask who runs this server/);
  expect(again.logged.at(-1)?.facts.nextMs).toBeGreaterThanOrEqual(300_000);
  await again.stop();
  // Others are not.
  expect(await attempt({ key: "stolen", secret: apiKey.secret, username: "stolen-2" })).toBe("bad-request");
  keys("resume", "stolen");
  let online = false;
  for (let tries = 0; tries < 60 && !online; tries++) {
    await using once = startPeer(edgeOptions({ credentials }));
    await until("an end", () => once.session.online || once.logged.some(one => one.event === "xmpp-offline"));
    online = once.session.online;
    if (!online) await clock.sleep(500, forever);
  }
  expect(online).toBe(true);
});

it("ACC-SRV-02: an invitation of Prosody's own opens the same door, once", async () => {
  const token = /preauth=(.+)$/.exec(await prosodyInvite(join(home.path, "prosody"), domain))?.[1] ?? "";
  const invite = { domain, token };
  await using edge = startPeer(edgeOptions({ register: { prefix: "guest", invite } }));
  await edge.session.whenOnline(forever);
  expect(edge.credentials.load()?.username).toMatch(/^guest-/);
  await using second = startPeer(edgeOptions({ register: { prefix: "guest", invite } }));
  await until("refused", () => second.logged.some(one => one.event === "xmpp-offline"));
  expect(second.session.state().reason).toMatch(/does not know the invite: it was used already, or it has expired/);
});

it("the operator's command is a program: help, a sentence for what is wrong, and the code of it", async () => {
  expect((await program("--help")).out).toContain("isthmus-registry keys add KEY --owner WHO");
  const { code, err } = await program("frobnicate");
  expect([code, err]).toEqual([2, 'there is no "keys frobnicate"\nTry isthmus-registry keys --help.\n']);
  expect(await program("suspend", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^there is no key nobody/),
  });
  expect(await program("list")).toMatchObject({ code: 0, out: expect.stringMatching(/^batch-07 +active +1 of 3/m) });
  for (const file of ["accounts.db", "accounts.key"])
    expect((await stat(join(home.path, "data", file))).mode & 0o077, file).toBe(0);
});
