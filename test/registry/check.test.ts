// `isthmus-registry check` before real brokers, set up well and carelessly.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { BrokerOptions, StartBroker } from "#lab/broker.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { startEjabberd } from "#lab/ejabberd.ts";
import { freePort, freePorts } from "#lab/ports.ts";
import { startProsody } from "#lab/prosody.ts";
import { element } from "#xml/element.ts";
import { CheckError, check } from "../../src/registry/check.ts";
import { project, startCommand } from "../e2e/command-line.ts";
import { secret, startComponent } from "../e2e/house.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";

const domain = "hub.localhost";
const jid = `things.${domain}`;
const city = "city.localhost";
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: Authority;

beforeAll(async () => {
  home = await temporaryFolder();
  authority = await createAuthority(join(home.path, "ca"), clock, forever);
});
afterAll(() => home[Symbol.asyncDispose]());

let folders = 0;
async function broker(start: StartBroker, careless: boolean, hosts = [domain, jid], more: Partial<BrokerOptions> = {}) {
  const port = await freePort();
  const running = await start({
    folder: join(home.path, `${++folders}`),
    domain,
    certificate: await authority.issue({ hosts }),
    clock,
    signal: forever,
    servers: { port, peers: { [domain]: port }, caPath: authority.caPath, careless },
    ...more,
  });
  return { port, ports: running.ports, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

async function run(...words: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const settings = () => ({ jid, localDomains: [domain] });
  const out = (text: string) => {
    said += text;
  };
  return { code: await check(words, { settings, out, clock, signal: forever }), said };
}
const look = (port: number, ...more: string[]) =>
  run("--server", `127.0.0.1:${port}`, "--ca", authority.caPath, ...more);

describe.for([
  ["Prosody", startProsody, "s2s_secure_auth = true", true],
  ["ejabberd", startEjabberd, "take mod_s2s_dialback out of modules", false],
] as const)("FED-01: %s", ([name, start, remedy, knowsAway]) => {
  it(`FED-01: ${name}, set up as it should be, is all right`, async () => {
    await using well = await broker(start, false);
    expect(await look(well.port)).toEqual({
      code: 0,
      said: [
        `${domain}, by way of 127.0.0.1:${well.port}`,
        "  ok     Other servers have to encrypt.",
        `  ok     Its certificate is valid for ${domain} and the registry.`,
        "  ok     Other servers have to show a valid certificate.",
        "",
      ].join("\n"),
    });
    const distrusted = await run("--server", `127.0.0.1:${well.port}`);
    expect(distrusted.code).toBe(1);
    expect(distrusted.said).toMatch(/WRONG {2}Other servers will not believe its certificate: .*private authority/);
  }, 60_000);

  it(`FED-01: ${name} with a certificate for each of its names is all right too`, async () => {
    const certificate = await authority.issue({ hosts: [jid] });
    const components = [{ jid, secret, certificate }];
    const [port = 0, there = 0] = await freePorts(2);
    const servers = { port, peers: { [domain]: port, [jid]: port, [city]: there }, caPath: authority.caPath };
    await using well = await broker(start, false, [domain], { components, servers });
    const other = { domain: city, servers: { ...servers, port: there } };
    await using _city = await broker(startProsody, false, [city], other);
    // ejabberd knows the name of a component only while it is there.
    const away = await look(port);
    expect(away.code).toBe(knowsAway ? 0 : 1);
    if (!knowsAway) expect(away.said).toContain("nobody answers for that name. Is the registry running?");

    await using registry = await startComponent(jid, well.ports.component);
    const { code, said } = await look(port);
    expect(said).toContain(`  ok     Its certificates are valid for ${domain} and the registry.`);
    expect(code).toBe(0);
    // And so it is: another server believes what the registry says.
    const ping = element("ping", "urn:xmpp:ping");
    await expect(registry.component.request("get", city, ping, { timeoutMs: 30_000 })).resolves.toBeUndefined();
  }, 60_000);

  it(`FED-01: ${name}, set up carelessly, is told what to change`, async () => {
    await using loose = await broker(start, true, [domain]);
    const { code, said } = await look(loose.port);
    expect(code).toBe(1);
    expect(said).toContain("WRONG  Other servers may come without encryption. Prosody: s2s_require_encryption = true");
    expect(said).toContain(`WRONG  The certificate is not for ${jid}`);
    expect(said).toContain("WRONG  Servers without a valid certificate are let in by a call back");
    expect(said).toContain(remedy);
  }, 60_000);
});

it("FED-01: a broker that no other server reaches is no fault", async () => {
  const { code, said } = await look(1);
  expect(code).toBe(0);
  expect(said).toContain("none   No other server gets through: 127.0.0.1:1 refused the connection");
});

it("FED-01: words that make no sense, and help", async () => {
  await expect(run("--server", "a b")).rejects.toThrow(new CheckError('--server is HOST or HOST:PORT, not "a b"'));
  await expect(run("--ca", "/nowhere.pem")).rejects.toThrow("--ca: /nowhere.pem cannot be read (ENOENT)");
  await expect(run("--loud")).rejects.toThrow("Try isthmus-registry check --help.");
  expect((await run("--help")).said).toContain("isthmus-registry check --config FILE");
});

it("FED-01: as an installer types it", async () => {
  const config = join(home.path, "registry.yaml");
  await writeFile(config, `jid: ${jid}\n`);
  const program = (...words: string[]) =>
    startCommand(process.execPath, [join(project, "bin/isthmus-registry.mjs"), "check", ...words]).ended;
  const [unsaid, away] = await Promise.all([program(), program("--config", config, "--server", "127.0.0.1:1")]);
  expect(unsaid).toEqual({ code: 2, out: "", err: "say with --config FILE which registry is meant\n" });
  expect(away).toMatchObject({ code: 0, err: "" });
  expect(away.out).toContain("No other server gets through");
});
