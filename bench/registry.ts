// What a registry of a million things costs: registering, claiming and searching over a bare component stream, so that the
// broker is not measured with it; decisions beside a bare echo component at a real broker; and what it occupies meanwhile.
// BENCH_THINGS says how many things; the figures have targets for a million. Wall time is the machine's as much as ours, so
// the processor time of each is told beside it.

import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { namespace } from "#iot/generations.ts";
import { openDatabase } from "#store/database.ts";
import type { Element } from "#xml/element.ts";
import { element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createSession, type Session } from "#xmpp/session.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { compare, comparison, startComponentEcho } from "./compare.ts";
import { type Figure, percentile } from "./figures.ts";
import { fill, gatewayOf, keyOf, nodeOf, ownerOf, perGateway, reader, tagsOf } from "./registry-mass.ts";
import { searchFigures } from "./registry-searches.ts";
import { startWire, type Wire } from "./registry-wire.ts";
import {
  createScene,
  domain,
  peakMb,
  processorMs,
  residentMb,
  type Scene,
  sessionOptions,
  startProgram,
} from "./scene.ts";

const thingsCount = Number(process.env.BENCH_THINGS ?? 1_000_000);
const registrations = 40_000;
const claims = 2_000;
/** Under way at once: as much as a broker passes on without waiting. */
const parallel = 256;
const service = `things.${domain}`;
const echoJid = `echo.${domain}`;
const secret = "bench".repeat(13);
const disco = namespace("discovery", "nf");

type Note = (text: string) => void;

export async function registryFigures(note: Note, signal: AbortSignal): Promise<Figure[]> {
  if (!Number.isInteger(thingsCount) || thingsCount < perGateway)
    throw new Error(`BENCH_THINGS is a number of things from ${perGateway} on, not ${process.env.BENCH_THINGS}`);
  await using scene = await createScene(signal, undefined, [{ jid: echoJid, secret }]);
  const database = join(scene.folder, "registry.db");
  note(`${thingsCount} things are written`);
  const began = performance.now();
  await filled(database, note, signal);
  const figures: Figure[] = [
    {
      name: "registry.fill",
      text: `${thingsCount} things written`,
      value: (performance.now() - began) / 1_000,
      unit: "s",
    },
  ];
  {
    await using wire = await startWire(service);
    const { child, readyMs } = await startRegistry(scene, database, wire.port, signal);
    await wire.connected;
    figures.push({ name: "registry.ready", text: "start to ready", value: readyMs / 1_000, unit: "s" });
    figures.push(...(await loading(wire, note)));
    figures.push(...(await registering(wire, child.pid, note, signal)));
    figures.push(...(await claiming(wire, scene.folder, note, signal)));
    figures.push(...(await searchFigures(wire, child.pid, disco, thingsCount, domain, note, signal)));
    figures.push(
      {
        name: "registry.rss",
        text: "memory after all of it",
        value: residentMb(child.pid),
        unit: "MB",
        target: { atMost: 300 },
      },
      {
        name: "registry.peak",
        text: "most memory at any moment",
        value: peakMb(child.pid),
        unit: "MB",
        target: { atMost: 300 },
      },
    );
    await child.stop();
  }
  figures.push(...(await deciding(scene, database, note, signal)));
  return figures;
}

/** A million things take minutes to write: BENCH_DATABASE names a file that is written once, and copied after that. */
async function filled(database: string, note: Note, signal: AbortSignal): Promise<void> {
  const kept = process.env.BENCH_DATABASE;
  if (kept === undefined || !existsSync(kept)) await fill(database, thingsCount, domain, note, signal);
  if (kept !== undefined)
    copyFileSync(...(existsSync(kept) ? ([kept, database] as const) : ([database, kept] as const)));
}

async function startRegistry(scene: Scene, database: string, port: number, signal: AbortSignal) {
  const config = join(scene.folder, `registry-${port}.yaml`);
  writeFileSync(join(scene.folder, "secret"), port === scene.prosody.ports.component ? scene.secret : secret, {
    mode: 0o600,
  });
  const settings = { jid: service, host: "127.0.0.1", port, database, secretFile: join(scene.folder, "secret") };
  writeFileSync(config, JSON.stringify({ ...settings, localDomains: [domain] }));
  const started = await startProgram("the registry", ["src/registry/main.ts", "--config", config], signal);
  scene.use(started.child);
  return started;
}

/** Until what is searched for is in memory, asked as a searcher would. */
async function loading(wire: Wire, note: Note): Promise<Figure[]> {
  note("the first search after the start");
  const began = performance.now();
  for (let attempt = 0; ; attempt++) {
    const answer = await wire.ask(
      "get",
      `first${attempt}@${domain}/q`,
      `<search xmlns='${disco}'><strEq name='CLASS' value='HeatMeter'/></search>`,
    );
    if (!answer.includes("type='error'")) break;
  }
  const value = (performance.now() - began) / 1_000;
  return [{ name: "registry.loaded", text: "ready to the first unselective search answered", value, unit: "s" }];
}

const xmlTags = (n: number): string =>
  tagsOf(n)
    .map(({ name, value }) => `<${typeof value === "number" ? "num" : "str"} name='${name}' value='${value}'/>`)
    .join("");
const withKey = (n: number): string => `${xmlTags(n)}<str name='KEY' value='${keyOf(n)}'/>`;
const address = (n: number): string => `id='${nodeOf(n).nodeId}' src='${nodeOf(n).sourceId}'`;

/** New things of new gateways, each answered when it is on the disk. */
async function registering(wire: Wire, pid: number, note: Note, signal: AbortSignal): Promise<Figure[]> {
  note(`${registrations} more things register`);
  const took = new Float64Array(registrations);
  const spentBefore = processorMs(pid);
  const began = performance.now();
  await inParallel(registrations, parallel, signal, async at => {
    const n = mixed(at);
    const sent = performance.now();
    const payload = `<register xmlns='${disco}' ${address(n)}>${withKey(n)}</register>`;
    const answer = await wire.ask("set", `${gatewayOf(n, domain)}/edge`, payload);
    if (!answer.includes("type='result'")) throw new Error(`not registered: ${answer}`);
    took[at] = performance.now() - sent;
  });
  const seconds = (performance.now() - began) / 1_000;
  const spent = (processorMs(pid) - spentBefore) / registrations;
  return [
    { name: "registry.register.processor", text: "register: processor", value: spent, unit: "ms" },
    {
      name: "registry.register.rate",
      text: `register, ${parallel} under way, each on the disk`,
      value: registrations / seconds,
      unit: "/s",
      ...million({ atLeast: 2_000 }),
    },
    { name: "registry.register.p99", text: "register: p99", value: percentile(took, 0.99), unit: "ms" },
  ];
}

/** One gateway after the other has a turn, as when a city comes back after a power cut. */
const mixed = (at: number): number => {
  const gateways = registrations / perGateway;
  return thingsCount + (at % gateways) * perGateway + Math.floor(at / gateways);
};

async function claiming(wire: Wire, folder: string, note: Note, signal: AbortSignal): Promise<Figure[]> {
  note(`${claims} things are claimed, one after the other, then with ${parallel / 16} under way`);
  const claim = async (n: number): Promise<number> => {
    const sent = performance.now();
    const answer = await wire.ask("set", `${ownerOf(n, domain)}/phone`, `<mine xmlns='${disco}'>${withKey(n)}</mine>`);
    if (!answer.includes("<claimed")) throw new Error(`not claimed: ${answer}`);
    return performance.now() - sent;
  };
  const alone = new Float64Array(claims);
  const bare = new Float64Array(claims);
  using disk = bareCommits(folder);
  for (let at = 0; at < claims; at++) {
    alone[at] = await claim(thingsCount + at * 7);
    bare[at] = disk.commit();
    signal.throwIfAborted();
  }
  const together = new Float64Array(claims);
  await inParallel(claims, parallel / 16, signal, async at => {
    together[at] = await claim(thingsCount + at * 7 + 1);
  });
  return [
    {
      name: "registry.disk.p50",
      text: "bare commit of one row, in turn with claims: p50",
      value: percentile(bare, 0.5),
      unit: "ms",
    },
    { name: "registry.disk.p99", text: "bare commit: p99", value: percentile(bare, 0.99), unit: "ms" },
    { name: "registry.claim.p50", text: "claim, one after the other: p50", value: percentile(alone, 0.5), unit: "ms" },
    {
      name: "registry.claim.p99",
      text: "claim, one after the other: p99",
      value: percentile(alone, 0.99),
      unit: "ms",
      ...million({ below: 10 }),
    },
    {
      name: "registry.claim.parallel",
      text: `claim, ${parallel / 16} under way: p99`,
      value: percentile(together, 0.99),
      unit: "ms",
    },
  ];
}

/** What the disk itself takes for one row, with the same promise: no claim is faster. Milliseconds. */
function bareCommits(folder: string): Disposable & { commit(): number } {
  const database = openDatabase(
    join(folder, "bare.db"),
    [{ version: 1, name: "rows", sql: "CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT) STRICT" }],
    silentLog,
  );
  const insert = database.prepare("INSERT INTO row (text) VALUES (?)");
  return {
    commit() {
      const began = performance.now();
      insert.run("x".repeat(400));
      return performance.now() - began;
    },
    [Symbol.dispose]: () => void database.close(),
  };
}

/** A target stands for a million; with fewer there is only the figure. */
export const million = (target: NonNullable<Figure["target"]>): Pick<Figure, "target"> =>
  thingsCount >= 1_000_000 ? { target } : {};

async function inParallel(count: number, atOnce: number, signal: AbortSignal, work: (at: number) => Promise<void>) {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let at = next++; at < count; at = next++) {
        await work(at);
        signal.throwIfAborted();
      }
    }),
  );
}

/** canRead of the first gateway beside a bare echo of its answer, both components of the same broker. */
async function deciding(scene: Scene, database: string, note: Note, signal: AbortSignal): Promise<Figure[]> {
  const registry = await startRegistry(scene, database, scene.prosody.ports.component, signal);
  const device = await connectDevice(scene, gatewayOf(0, domain).split("@")[0] as string, signal);
  await read(device, signal);
  let count = 0;
  const ask = async (to: string): Promise<Element> => {
    const { nodeId, sourceId } = nodeOf(count++ % 9);
    const question = `<canRead xmlns='${namespace("provisioningDevice", "nf")}' jid='${reader(domain)}' m='true'><nd id='${nodeId}' src='${sourceId}'/></canRead>`;
    const answer = await device.request("get", to, parse(question));
    if (answer?.attrs.result !== "true") throw new Error(`not granted: ${JSON.stringify(answer)}`);
    return answer;
  };
  const component = { host: "127.0.0.1", port: scene.prosody.ports.component, jid: echoJid, secret };
  const echo = await startComponentEcho(scene, component, await ask(service), signal);
  const figures: Figure[] = [];
  for (const [name, text, atOnce] of [
    ["sequential", "one after the other", 1],
    ["parallel", "32 under way", 32],
  ] as const) {
    note(`canRead and bare echo, ${text}`);
    const all = (to: string) => Array.from({ length: atOnce }, () => () => ask(to));
    const pids = { read: registry.child.pid, echo: echo.pid, broker: () => scene.prosody.pid() };
    const runs = await compare(all(service), all(echo.jid), pids, signal);
    figures.push(...comparison({ bench: "registry", kind: "canRead", atLeast: 0.7 }, name, text, runs));
  }
  return figures;
}

/** A component that still reads what searches need is not what is compared. */
async function read(device: Pick<Session, "request">, signal: AbortSignal): Promise<void> {
  const question = parse(`<search xmlns='${disco}'><strEq name='CLASS' value='HeatMeter'/></search>`);
  for (;;) {
    const answer = await device.request("get", service, question, { timeoutMs: 60_000, signal }).catch(error => {
      if (error instanceof StanzaError && error.condition === "resource-constraint") return undefined;
      throw error;
    });
    if (answer !== undefined) return;
    await systemClock.sleep(2_500, signal);
  }
}

/** A device that agrees to whatever the service tells it. */
async function connectDevice(scene: Scene, name: string, signal: AbortSignal) {
  await scene.prosody.register(name, "device-password");
  const login = { name, password: "device-password", port: scene.prosody.ports.tls, ca: scene.ca };
  const session = createSession(
    sessionOptions(login),
    {
      iq({ attrs }) {
        if (attrs.type === "set")
          session.send(element("iq", clientNs, { type: "result", id: attrs.id, to: attrs.from }));
      },
      message() {},
      presence() {},
    },
    { clock: systemClock, log: silentLog },
  );
  const stop = new AbortController();
  const running = session.run(stop.signal);
  scene.use({
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  });
  await session.whenOnline(AbortSignal.any([signal, AbortSignal.timeout(20_000)]));
  return session;
}
