// The registry as a process of its own beside a real Prosody, with real clients: what only a broker does (offline storage,
// presence, probes, routing by full JID) is not to be believed from a pipe.

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { namespace } from "#iot/generations.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Child, startChild } from "#lab/child.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { type Element, element, firstElement, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { discover } from "#xmpp/disco.ts";
import { clientNs } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { type Peer, startPeer, until } from "../support/xmpp-peer.ts";

const domain = "hub.localhost";
const service = `things.${domain}`;
const disco = namespace("discovery", "nf");
const deciding = namespace("provisioningDevice", "nf");
const owning = namespace("provisioningOwner", "nf");
const tags = `<str name='CLASS' value='HeatMeter'/><str name='KEY' value='${"k".repeat(32)}'/>`;

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let prosody: Prosody;
let ca: string;
let registry: Child;
let configFile: string;

const start = () =>
  startChild(
    {
      name: "registry",
      command: process.execPath,
      args: [join(import.meta.dirname, "../../src/registry/main.ts"), "--config", configFile],
      readyMs: 20_000,
      ready: async (signal, output) => {
        while (!/notice +ready/.test(output())) await systemClock.sleep(20, signal);
      },
    },
    systemClock,
    forever,
  );

beforeAll(async () => {
  home = await temporaryFolder();
  const authority = await createAuthority(join(home.path, "ca"), systemClock, forever);
  ca = authority.ca;
  const secret = "s".repeat(64);
  prosody = await startProsody({
    folder: join(home.path, "prosody"),
    domain,
    certificate: await authority.issue({ hosts: [domain, "localhost"] }),
    clock: systemClock,
    signal: forever,
    components: [{ jid: service, secret }],
    hostConfig: 'VirtualHost "other.localhost"',
    users: ["gw", "fallen", "away", "ana", "bob"].map(name => ({ name, password: "secret" })),
  });
  await writeFile(join(home.path, "secret"), secret, { mode: 0o600 });
  configFile = join(home.path, "registry.yaml");
  const settings = {
    jid: service,
    port: prosody.ports.component,
    secretFile: "secret",
    database: "data/registry.db",
    localDomains: [domain, "other.localhost", "nowhere.localhost"],
  };
  await writeFile(configFile, JSON.stringify(settings));
  registry = await start();
});
afterAll(async () => {
  await registry?.stop();
  await prosody?.stop();
  await home?.[Symbol.asyncDispose]();
});

const login = async (user: string, port = prosody.ports.tls): Promise<Peer> => {
  const peer = startPeer({ domain, host: "127.0.0.1", port, tls: "direct", ca: [ca], user });
  await peer.session.whenOnline(forever);
  return peer;
};
const ask = async (peer: Peer, type: "get" | "set", payload: string): Promise<string> => {
  const answer = await peer.session.request(type, service, parse(payload));
  return answer === undefined ? "" : shape(answer);
};
/** As text with attributes in order: the broker writes them as it likes. */
const shape = (one: Element): string => format(ordered(one));
const ordered = (one: Element): Element => ({
  ...one,
  attrs: Object.fromEntries(Object.entries(one.attrs).sort()),
  children: one.children.map(part => (typeof part === "string" ? part : ordered(part))),
});
const xml = (text: string): string => shape(parse(text));
/** Accepts the service's request for presence once it comes, as a device or an owner's app does. */
const letIn = async (peer: Peer) => {
  await until("a subscription", () =>
    peer.presences.some(({ attrs }) => attrs.type === "subscribe" && attrs.from === service),
  );
  peer.session.send(element("presence", clientNs, { to: service, type: "subscribed" }));
};
const pushes = ({ iqs }: Peer): string[] =>
  iqs.filter(({ attrs }) => attrs.from === service).map(iq => shape(firstElement(iq) as Element));
const canRead = (peer: Peer) =>
  ask(peer, "get", `<canRead xmlns='${deciding}' jid='bob@${domain}' m='true'><nd id='heat-3' src='M'/></canRead>`);
const questionIn = ({ messages }: Peer): Element | undefined =>
  messages.flatMap(one => one.children).find((one): one is Element => typeof one !== "string" && one.ns === owning);

it("register, claim, question to an owner who is away, kill -9 in between, rule, clearCache, grant", async () => {
  await using device = await login("gw");
  const found = await discover(device.session, domain, silentLog, forever);
  expect([found.registry?.jid, found.provisioning?.jid]).toEqual([service, service]);

  expect(await ask(device, "set", `<register xmlns='${disco}' id='heat-3' src='M'>${tags}</register>`)).toBe("");
  await letIn(device);
  {
    await using ana = await login("ana");
    const claimed = await ask(ana, "set", `<mine xmlns='${disco}'>${tags}</mine>`);
    expect(claimed).toBe(xml(`<claimed xmlns='${disco}' jid='gw@${domain}' id='heat-3' src='M' public='true'/>`));
    await letIn(ana);
    await until("claimed and clearCache at the device", () => pushes(device).length === 2);
    expect(pushes(device)).toEqual([
      xml(`<claimed xmlns='${disco}' jid='ana@${domain}' id='heat-3' src='M' public='true'/>`),
      xml(`<clearCache xmlns='${deciding}' id='heat-3' src='M'/>`),
    ]);
  }

  // Ana is away: her broker keeps the question for her.
  expect(await canRead(device)).toContain("result='false'");
  await registry.kill();
  registry = await start();
  await until("a clearCache after the restart", () => pushes(device).length === 3);

  await using ana = await login("ana");
  await until("the question", () => questionIn(ana) !== undefined);
  const question = questionIn(ana) as Element;
  expect(question.attrs).toMatchObject({ jid: `gw@${domain}`, remoteJid: `bob@${domain}`, m: "true" });
  await expect(canRead(device)).resolves.toContain("result='false'");
  const rule = `<canReadRule xmlns='${owning}' jid='gw@${domain}' remoteJid='bob@${domain}' key='${question.attrs.key}' result='true'><nd id='heat-3' src='M'/><partial m='true'><f n='Energy'/></partial><fromJid/></canReadRule>`;
  const before = pushes(device).length;
  expect(await ask(ana, "set", rule)).toBe("");
  await until("clearCache at the device", () => pushes(device).length > before);
  expect(pushes(device).at(-1)).toContain("<clearCache");
  expect(await canRead(device)).toBe(
    xml(
      `<canReadResponse xmlns='${deciding}' jid='bob@${domain}' result='true' m='true'><nd id='heat-3' src='M'/><f n='Energy'/></canReadResponse>`,
    ),
  );

  // A stranger with the right key is nobody, and the broker keeps everybody from saying he is the service.
  await using bob = await login("bob");
  await expect(ask(bob, "set", rule)).rejects.toMatchObject({ condition: "item-not-found" });
});

it("a disown reaches the device before its owner is answered, and an owner whose device is away is told no", async () => {
  await using ana = await login("ana");
  const disown = `<disown xmlns='${disco}' jid='gw@${domain}' id='heat-3' src='M'/>`;
  await expect(ask(ana, "set", disown)).rejects.toMatchObject({ condition: "not-allowed" });
  await using device = await login("gw");
  // Online to the service when its presence has arrived there; an answered request is later than that.
  await ask(device, "get", `<isFriend xmlns='${deciding}' jid='bob@${domain}'/>`);
  expect(await ask(ana, "set", disown)).toBe("");
  expect(pushes(device)).toContain(xml(`<disowned xmlns='${disco}' id='heat-3' src='M'/>`));
});

it("PROV-CLEAR-01, DISCO-DISOWN-01: a device killed and logged in anew is told at once, beside the ghost the broker keeps of it", async () => {
  await using cable = await startTcpProxy({ targetPort: prosody.ports.tls });
  await using before = await login("fallen", cable.port);
  const key = "f".repeat(32);
  expect(
    await ask(before, "set", `<register xmlns='${disco}' id='n1'><str name='KEY' value='${key}'/></register>`),
  ).toBe("");
  await letIn(before);
  // Answered later than the consent before it arrived.
  await ask(before, "get", `<isFriend xmlns='${deciding}' jid='ana@${domain}'/>`);
  const ghost = before.session.jid;
  cable.refuse();
  cable.cut();
  await using device = await login("fallen");
  await until("the broker shows both sessions", () => device.presences.some(({ attrs }) => attrs.from === ghost));
  await using ana = await login("ana");

  const soonMs = 1_500;
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const began = systemClock.monotonic();
    const result = await work;
    expect(systemClock.monotonic() - began).toBeLessThan(soonMs);
    return result;
  };
  const told = (name: string) => pushes(device).filter(one => one.startsWith(`<${name}`)).length;

  await timed(ask(ana, "set", `<mine xmlns='${disco}'><str name='KEY' value='${key}'/></mine>`));
  await until("claimed and clearCache", () => told("claimed") === 1 && told("clearCache") === 1, soonMs);
  expect(await timed(ask(device, "get", `<isFriend xmlns='${deciding}' jid='ana@${domain}'/>`))).toContain("'true'");

  // A registry that starts anew hears of both sessions, and cannot know which is the ghost.
  await registry.kill();
  registry = await start();
  await until("a clear after the restart", () => told("clearCache") === 2);
  expect(await timed(ask(device, "get", `<isFriend xmlns='${deciding}' jid='ana@${domain}'/>`))).toContain("'true'");

  const thing = `jid='fallen@${domain}' id='n1'`;
  expect(await timed(ask(ana, "set", `<disown xmlns='${disco}' ${thing}/>`))).toBe("");
  expect(told("disowned")).toBe(1);
  expect(registry.output()).not.toContain("push-unanswered");
  expect(pushes(before)).toEqual([]);
});

it("DISCO-MINE-05, DISCO-RM-01, PROV-CLEAR-02: what a device was not told survives the end of the service and of the device", async () => {
  const key = "p".repeat(32);
  const thing = `<str name='CLASS' value='Pump'/><str name='KEY' value='${key}'/>`;
  const told = (peer: Peer) => pushes(peer).map(one => /^<(\w+)/.exec(one)?.[1]);
  {
    await using device = await login("away");
    expect(await ask(device, "set", `<register xmlns='${disco}' id='p1'>${thing}</register>`)).toBe("");
    await letIn(device);
    await ask(device, "get", `<isFriend xmlns='${deciding}' jid='ana@${domain}'/>`);
  }
  await using ana = await login("ana");
  // The device is gone; the service is ended without a word while it owes it the claim.
  expect(await ask(ana, "set", `<mine xmlns='${disco}'>${thing}</mine>`)).toContain("<claimed");
  await registry.kill();
  registry = await start();
  {
    await using device = await login("away");
    await until("claimed, then clearCache", () => told(device).join().startsWith("claimed,clearCache"));
    expect(pushes(device)[0]).toContain(`jid='ana@${domain}'`);
  }
  // Again the other way: removed while the device is away, and the service started while it is still away.
  expect(await ask(ana, "set", `<remove xmlns='${disco}' jid='away@${domain}' id='p1'/>`)).toBe("");
  await registry.stop();
  registry = await start();
  await using device = await login("away");
  await until("removed, and all is forgotten", () => told(device).join() === "removed,clearCache");
  // Answered later than the acknowledgements before it arrived.
  await ask(device, "get", `<isFriend xmlns='${deciding}' jid='ana@${domain}'/>`);
  // What was acknowledged once is not said again by another start.
  await registry.kill();
  registry = await start();
  await until("a clear after the start", () => told(device).filter(one => one === "clearCache").length > 1);
  expect(told(device).filter(one => one === "removed")).toHaveLength(1);
  expect(told(device)).not.toContain("claimed");
  expect(await readFile(join(home.path, "data/registry.db")).then(file => file.includes(key))).toBe(false);
  expect(registry.output()).not.toContain(key);
});

it("the broker restarts: the service comes back by itself and answers", async () => {
  await prosody.restart();
  await using device = await login("gw");
  let answered = false;
  for (let tries = 0; tries < 100 && !answered; tries++) {
    answered = await ask(device, "get", "<ping xmlns='urn:xmpp:ping'/>").then(
      () => true,
      () => false,
    );
    if (!answered) await systemClock.sleep(200, forever);
  }
  expect(answered).toBe(true);
});

/** Runs the program with these settings until it ends, or has said this much and is asked to end. */
async function runProgram(settings: Record<string, unknown>, until?: RegExp): Promise<{ code: unknown; said: string }> {
  const file = join(home.path, "other.yaml");
  await writeFile(file, JSON.stringify({ jid: service, port: prosody.ports.component, ...settings }));
  const child = spawn(process.execPath, [join(import.meta.dirname, "../../src/registry/main.ts"), "--config", file]);
  let said = "";
  child.stderr.on("data", chunk => {
    const before = said;
    said += chunk;
    if (until?.test(said) && !until.test(before)) child.kill("SIGTERM");
  });
  const code = await new Promise(resolve => child.once("exit", resolve));
  return { code, said };
}

it("PRES-CMP-01: a wrong secret ends the program with a sentence that does not contain it", async () => {
  await writeFile(join(home.path, "wrong-secret"), "not the secret".repeat(4), { mode: 0o600 });
  const { code, said } = await runProgram({ secretFile: "wrong-secret", database: "wrong.db" });
  expect(code).toBe(1);
  expect(said).toContain(`the broker does not accept the secret of the component ${service}`);
  expect(said).not.toContain("not the secret");
});

it("PRES-CMP-01: a second registry of the same JID ends with a sentence, and the first goes on", async () => {
  await until("the first is online", () => /component-online/.test(registry.output()));
  const { code, said } = await runProgram({ secretFile: "secret", database: "second.db" });
  expect(code).toBe(1);
  expect(said).toContain(`another process is connected as the component ${service}`);
  await using device = await login("gw");
  expect(await ask(device, "get", "<ping xmlns='urn:xmpp:ping'/>")).toBe("");
});

it("a JID that the broker does not know ends the program with a sentence that says what to do", async () => {
  const jid = `unheard.${domain}`;
  const { code, said } = await runProgram({ jid, secretFile: "secret", database: "unheard.db" });
  expect(code).toBe(1);
  expect(said).toContain(`the broker knows no component ${jid}: it must be declared in its configuration`);
});

it("a broker that is away is said once, and does not keep the program from ending when it is told to", async () => {
  const began = systemClock.monotonic();
  const { code, said } = await runProgram({ port: 1, secretFile: "secret", database: "away.db" }, /component-offline/);
  expect(code).toBe(0);
  expect(said).toMatch(/component-offline reason="127\.0\.0\.1:1 refused the connection: no broker listens there/);
  expect(said.match(/component-offline/g)).toHaveLength(1);
  expect(systemClock.monotonic() - began).toBeLessThan(5_000);
});

it("PRES-CMP-05: at start it says which of its domains list it, which do not and what to do, and which cannot be asked", async () => {
  const said = () => registry.output();
  expect(said()).toContain(`info    listed domain=${domain}`);
  expect(said()).toContain("warning not-listed domain=other.localhost");
  expect(said()).toContain(`remedy="add ${service} to disco_items of other.localhost in the broker's configuration"`);
  expect(said()).toMatch(/warning not-checked domain=nowhere\.localhost why="?not-allowed/);
});
