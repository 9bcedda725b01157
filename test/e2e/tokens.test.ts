// Tokens through a real broker, with the program as a person starts it: got, shown, proven through the appliance to the
// service, good under another account, and worth nothing to who has only read them.

import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { makeSelfSigned } from "#base/self-signed.ts";
import { namespace } from "#iot/generations.ts";
import { parse } from "#xml/parser.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { type Ended, isthmus } from "./command-line.ts";
import { domain, found, type House, ownerIn, service, startHouse, uriOf } from "./house.ts";

const site = JSON.stringify({
  nodes: [{ type: "sim.line", id: "attic", nodes: [{ type: "sim.meter", id: "heat-3", settings: { fields: 3 } }] }],
});
const people = ["owner", "carla", "dan", "eve", "display", "spare", "pump"];
/** Keys of devices, and the certificates the service is told to trust. */
const pki = mkdtempSync(join(tmpdir(), "isthmus-pki-"));

let house: House;
let env: Record<string, string>;
let appliance: string;
let token: string;

/** Made in a factory, not by the command line: `device.pem` and `device.key`, and pinned for its account. */
async function makeDevice(name: string): Promise<void> {
  const now = systemClock.now();
  const { key, certificate } = await makeSelfSigned({ name: `${name}-0007`, from: now - 60_000, to: now + 86_400_000 });
  const pem = new X509Certificate(certificate).toString();
  writeFileSync(join(pki, `${name}.key`), key);
  writeFileSync(join(pki, `${name}.pem`), pem);
  writeFileSync(join(pki, "trusted", `${name}@${domain}.pem`), pem);
}

beforeAll(async () => {
  mkdirSync(join(pki, "trusted"));
  for (const name of ["display", "pump"]) await makeDevice(name);
  const registry = { tokenPinFirst: true, tokenCertificates: join(pki, "trusted") };
  house = await startHouse({ site, people, boot: { tokens: true }, registry });
  const identities = join(house.folder, "people", "identities");
  mkdirSync(identities, { recursive: true });
  env = { ISTHMUS_IDENTITIES: identities, TMPDIR: join(house.folder, "people") };
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes.every(({ thing }) => !thing || thing.uri));
  appliance = status.connection.jid.split("/")[0] ?? "";
  for (const name of people)
    writeFileSync(join(identities, `${name}.json`), JSON.stringify({ ...house.identity(name), appliance }));
  const client = await house.client("owner");
  await client.owner.claim(uriOf(status, ""), true, forever);
  await client.owner.claim(uriOf(status, "heat-3"), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "heat-3") !== undefined);
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  rmSync(pki, { recursive: true, force: true });
});

const run = (...words: string[]): Promise<Ended> => isthmus(words, { env }).ended;
const ok = async (...words: string[]): Promise<string> => {
  const { code, out, err } = await run(...words);
  expect([code, err], words.join(" ")).toEqual([0, ""]);
  return out;
};
/** The owner answers the one open question of that kind about that person. */
async function answered(who: string, wish: RegExp, ...answer: string[]): Promise<string> {
  const line = await found(`a question about ${who}`, async () =>
    (await ok("owner", "questions", "--as", "owner"))
      .split("\n")
      .find(one => one.includes(`${who}@`) && wish.test(one)),
  );
  await ok("owner", "answer", line.split(" ")[0] ?? "", ...answer, "--as", "owner");
  return line;
}
const read = (who: string, ...more: string[]) => run("read", "heat-3", "--as", who, ...more);
const reads = (who: string, ...more: string[]) =>
  found(
    `${who} reads`,
    async () => {
      const said = await read(who, ...more);
      return said.code === 0 ? said.out : undefined;
    },
    30_000,
  );

it("TOK-GET-01: a token is got for a key made at need, kept where only its user reads it, and said what it stands for", async () => {
  const said = await ok("token", "get", "laptop", "--as", "carla");
  token = said.split("\n")[0] ?? "";
  expect(token).toMatch(new RegExp(`^${service.replaceAll(".", "\\.")}:[\\w-]{32}$`));
  const file = join(house.folder, "people", "tokens", "laptop.json");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  // The same key, the same token; anybody may know what it stands for.
  expect(await ok("token", "get", "laptop", "--as", "carla")).toBe(said);
  const shown = await ok("token", "show", token, "--as", "eve");
  expect(shown.startsWith(`Token           ${token}\nStands for`)).toBe(true);
  expect(shown).toMatch(/^Stands for +CN=laptop$/m);
  expect(shown).toMatch(/^Vouched for by +itself$/m);
  expect(await ok("token", "list")).toContain(token);
  // The first key of an account is pinned: another one is refused in words.
  const other = await run("token", "get", "phone", "--as", "carla");
  expect(other.code).toBe(1);
  expect(other.err).toMatch(/^The service does not take this certificate: this account has a token for another key/);
  expect((await read("carla", "--token", "none")).err).toMatch(/^There is no token "none": get one with/);
}, 60_000);

it("TOK-FWD-01, TOK-FWD-02, TOK-CHAL-01, TOK-CHAL-03: it opens what the owner opened to its holder, under any account", async () => {
  expect((await read("carla")).code).toBe(1);
  await answered("carla", /let in/, "yes", "--for", "domain");
  await found(
    "let in",
    async () => {
      const said = await read("carla", "--token", "laptop");
      return said.err.startsWith("You may not") ? true : undefined;
    },
    30_000,
  );
  const question = await answered("carla", /to read/, "yes", "--for", "user");
  expect(question).toContain(`(user token ${token})`);
  expect(await reads("carla", "--token", "laptop")).toMatch(/heat-3/);
  // Dan holds the key too: the service asks for the proof through the appliance.
  expect(await reads("dan", "--token", "laptop")).toMatch(/heat-3/);
  expect((await read("dan")).err).toMatch(/^You may not/);
}, 120_000);

it("TOK-THR-01: whoever has only read it gets nothing with it", async () => {
  const eve = await house.peer("eve");
  await found(
    "eve is let in",
    async () => ((await read("eve")).err.startsWith("You may not") ? true : undefined),
    30_000,
  );
  const jid = (await house.status()).connection.jid;
  for (const kind of ["ut", "dt", "st"]) {
    const request = `<req xmlns='${namespace("sensorData", "nf")}' id='${kind}' m='true' ${kind}='${token}'><nd id='heat-3' src='MeteringTopology' pt='attic'/></req>`;
    const said = await eve.session.request("get", jid, parse(request)).catch((error: unknown) => error);
    expect(said).toBeInstanceOf(StanzaError);
    expect((said as StanzaError).condition).toBe("forbidden");
  }
}, 60_000);

it("TOK-GET-01, TOK-FWD-01, TOK-FWD-02: a device with a certificate gets a token, and the owner's rule on it decides", async () => {
  const get = (name: string, as = name) =>
    ok(
      ...["token", "get", name, "--kind", "device", "--as", as],
      ...["--certificate", join(pki, `${name}.pem`), "--key", join(pki, `${name}.key`)],
    );
  const display = (await get("display")).split("\n")[0] ?? "";
  expect(await ok("token", "show", "display", "--as", "eve")).toMatch(/^Stands for +CN=display-0007$/m);
  // The same key, the same token, for the one account whose certificate it is.
  expect((await get("display")).split("\n")[0]).toBe(display);
  // Let in are all of the domain since carla asked; to read is another question, and it names the device.
  await found("the display is let in", async () =>
    (await read("display", "--token", "display")).err.startsWith("You may not") ? true : undefined,
  );
  const question = await answered("display", /to read/, "yes", "--for", "device");
  expect(question).toContain(`(device token ${display})`);
  expect(await reads("display", "--token", "display")).toMatch(/heat-3/);
  // The rule is on the device, not on its account: without the token no, and with it under a spare account yes.
  expect((await read("display")).err).toMatch(/^You may not/);
  expect(await reads("spare", "--token", "display")).toMatch(/heat-3/);
  // What decided is told to the owner, and no token whole.
  const told = await ok("why", `display@${domain}`, "heat-3", "read", "--as", "owner");
  expect(told).toMatch(/^Yes: /);
  expect(told).toContain(`issued by ${service}`);
  expect(told).toContain("It counts: who showed it proved on");
  expect(told).toMatch(/the device token [\w-]{6}… was shown/);
  expect(told).toContain("Without tokens it would be refused.");
  expect(told).not.toContain(display.slice(0, -8));
  // A no for another device holds for that one.
  const pump = (await get("pump")).split("\n")[0] ?? "";
  await found("the pump asks", async () =>
    (await read("pump", "--token", "pump")).err.startsWith("You may not") ? true : undefined,
  );
  expect(await answered("pump", /to read/, "no", "--for", "device")).toContain(`(device token ${pump})`);
  expect((await read("pump", "--token", "pump")).err).toMatch(/^You may not/);
}, 120_000);
