// A disk that takes nothing more, and a power cut in the middle of a burst: what was acknowledged is there, what is not there
// was refused in words that say why, and when there is room again everything goes on by itself.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { rootRef } from "#contract/node.ts";
import { type Child, startChild } from "#lab/child.ts";
import { openDatabase } from "#store/database.ts";
import { startWire, type Wire } from "../../bench/registry-wire.ts";
import { registryMigrations } from "../../src/registry/sqlite/schema.ts";
import { createRegistryStore } from "../../src/registry/sqlite/store.ts";
import { forever } from "../lab/scene.ts";
import {
  ana,
  anaFull,
  canRead,
  claimedMeter,
  disco,
  gateway,
  gatewayFull,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadText,
  register,
} from "./pipe.ts";

/** A pipe whose file can be kept from growing. */
async function openFullable() {
  let limit = (_pages: number): void => {};
  let pages = () => 0;
  const pipe = await openPipe({
    openStore(path, log) {
      const database = openDatabase(path, registryMigrations, log);
      limit = most => void database.pragma(`max_page_count = ${most}`);
      pages = () => database.pragma("page_count", { simple: true }) as number;
      return createRegistryStore(database, log);
    },
  });
  return {
    pipe,
    fill: () => limit(pages()),
    makeRoom: () => limit(1_000_000),
    [Symbol.asyncDispose]: () => pipe[Symbol.asyncDispose](),
  };
}
const long = (n: number) => `<str name='NOTE${n}' value='${"x".repeat(120)}'/>`;
const bulky = (n: number) =>
  meterTags(`key-${n}-`.padEnd(32, "k")) + Array.from({ length: 20 }, (_, at) => long(at)).join("");
const registerBulky = (pipe: Pipe, n: number) => register(pipe, `id='n${n}'`, bulky(n), `gw${n}@hub.example/e`);
/** Up to the last octet of where pushes are kept. */
async function fillPending(pipe: Pipe): Promise<void> {
  const put = (n: number) =>
    pipe.store.change(records =>
      records.putPending(
        { jid: `nobody-${n}@hub.example`, what: "removed", ref: rootRef, owner: undefined, isPublic: false },
        undefined,
      ),
    );
  for (let n = 0, failures = 0; failures < 3; n++) await put(n).catch(() => failures++);
}
const events = (pipe: Pipe, name: string) => pipe.log.filter(({ event }) => event === name);

it("a full disk refuses each change in words, keeps what it acknowledged, says so once, and goes on when there is room", async () => {
  await using full = await openFullable();
  const { pipe } = full;
  await registerBulky(pipe, 0);
  full.fill();
  const outcomes = new Map<number, string>();
  for (let n = 1; n <= 30; n++) {
    const reply = await registerBulky(pipe, n);
    outcomes.set(n, outcome(reply));
    if (outcome(reply) !== "result") {
      expect(reply.children[1] ?? reply.children[0]).toMatchObject({ name: "error", attrs: { type: "wait" } });
      expect(payloadText(reply)).toContain("the disk of the registry takes nothing more; try again later");
    }
  }
  expect([...outcomes.values()].filter(one => one === "service-unavailable").length).toBeGreaterThan(20);
  for (const [n, said] of outcomes)
    expect([n, await pipe.store.hasThings(`gw${n}@hub.example`)]).toEqual([n, said === "result"]);
  expect(events(pipe, "registry-not-written")).toHaveLength(1);
  expect(events(pipe, "registry-not-written")[0]).toMatchObject({
    level: "error",
    facts: { why: "database or disk is full" },
  });
  // Whoever only asks is answered as before.
  expect(
    payloadText(await pipe.iq("get", anaFull, `<search xmlns='${disco}'><strEq name='MNR' value='1'/></search>`)),
  ).toContain("<found");

  full.makeRoom();
  for (const n of outcomes.keys()) expect(outcome(await registerBulky(pipe, n))).toBe("result");
  expect(events(pipe, "registry-written-again")).toHaveLength(1);
  await pipe.restart();
  for (const n of outcomes.keys()) expect(await pipe.store.hasThings(`gw${n}@hub.example`)).toBe(true);
  // Nobody did anything wrong.
  for (const name of ["RequestRefused", "RegistryTagRejected", "RateLimited", "request-failed"])
    expect(events(pipe, name)).toEqual([]);
});

it("a disk that is full every other moment is in the log a few times, not at each", async () => {
  await using full = await openFullable();
  const { pipe } = full;
  const put = () => register(pipe, "id='n1'", bulky(1), "gw1@hub.example/e").then(outcome);
  for (let round = 0; round < 30; round++) {
    full.fill();
    for (let n = 0; n < 40 && (await registerBulky(pipe, 100 + round * 40 + n).then(outcome)) === "result"; n++);
    full.makeRoom();
    expect(await put()).toBe("result");
    await pipe.clock.advance(1_000);
  }
  const lines = [...events(pipe, "registry-not-written"), ...events(pipe, "registry-written-again")].length;
  expect(lines).toBeGreaterThan(2);
  expect(lines).toBeLessThan(15);
});

it("many at once on a disk that fills up among them: each answer is true", async () => {
  await using full = await openFullable();
  const { pipe } = full;
  await registerBulky(pipe, 0);
  full.fill();
  const asked = Array.from({ length: 60 }, (_, n) => ({
    n,
    reply: pipe.start(
      "set",
      `gw${n}@hub.example/e`,
      `<register xmlns='${disco}' id='n${n}'>${n % 3 ? bulky(n) : ""}</register>`,
    ),
  }));
  await pipe.settle();
  let refused = 0;
  for (const { n, reply } of asked) {
    const said = outcome(await reply);
    if (said !== "result") refused++;
    expect(["result", "service-unavailable"]).toContain(said);
    if (n > 0)
      expect([n, said, await pipe.store.hasThings(`gw${n}@hub.example`)]).toEqual([n, said, said === "result"]);
  }
  expect(refused).toBeGreaterThan(0);
});

it("on a full disk nothing is claimed by halves, decided or forgotten, and a question that could not be kept is asked later", async () => {
  await using full = await openFullable();
  const { pipe } = full;
  await claimedMeter(pipe);
  for (let n = 1; n < 4; n++) await registerBulky(pipe, n);
  full.fill();
  for (let n = 10; n < 40; n++) await registerBulky(pipe, n);
  const asking = await canRead(pipe);
  const claiming = await mine(pipe, bulky(2));
  const claimed = outcome(claiming) === "result";
  expect(["result", "service-unavailable"]).toContain(outcome(claiming));
  expect(await pipe.store.ownsAnything(ana)).toBe(true);
  expect((await pipe.store.thing("gw2@hub.example", { nodeId: "n2", sourceId: "", partition: "" }))?.owner).toBe(
    claimed ? ana : undefined,
  );
  expect(pipe.pushedTo("gw2@hub.example/e").length).toBe(0);
  const isKept = outcome(asking) === "result";
  const questions = () => pipe.messagesTo(ana).length;
  if (!isKept) expect(questions()).toBe(0);

  full.makeRoom();
  if (!claimed) expect(outcome(await mine(pipe, bulky(2)))).toBe("result");
  expect(payloadText(await canRead(pipe))).toContain("result='false'");
  await pipe.clock.advance(120_000);
  expect(questions()).toBe(1);
  const own = await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}' offset='0' maxCount='10'/>`);
  expect(payloadText(own)).toContain("gw2@hub.example");
  expect(payloadText(own)).toContain(gateway);
});

it("PROV-CLEAR-05: a disk that is full when the service comes back does not keep it from finding who is there, nor devices from being told", async () => {
  await using full = await openFullable();
  const { pipe } = full;
  await claimedMeter(pipe);
  await pipe.clock.advance(60_000);
  const clears = () => pipe.pushedTo(gatewayFull).filter(one => one.startsWith("<clearCache")).length;
  const before = clears();
  const probes = () => pipe.sent.filter(text => text.includes("type='probe'") && text.includes(gateway)).length;
  const asked = probes();
  for (let n = 1; n < 60; n++) await registerBulky(pipe, n);
  full.fill();
  await fillPending(pipe);
  pipe.registry.inbound.offline("cut");
  await pipe.clock.advance(60_000);
  pipe.registry.inbound.online("reg.hub.example", false);
  await pipe.clock.advance(10_000);
  expect(probes()).toBeGreaterThan(asked);
  full.makeRoom();
  await pipe.clock.advance(600_000);
  await pipe.presence(gatewayFull);
  await pipe.clock.advance(10_000);
  expect(clears()).toBeGreaterThan(before);
  expect(outcome(await register(pipe, meter))).toBe("result");
});

const service = "things.hub.localhost";
const secret = "s".repeat(64);

let folder: string;
let wire: Wire;
let child: Child | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-disk-"));
  wire = await startWire(service);
  writeFileSync(join(folder, "secret"), secret, { mode: 0o600 });
  const settings = {
    jid: service,
    port: wire.port,
    secretFile: "secret",
    database: "registry.db",
    localDomains: ["hub.localhost"],
  };
  writeFileSync(join(folder, "registry.yaml"), JSON.stringify(settings));
});
afterEach(async () => {
  await child?.stop();
  await wire[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
/** The program itself, as it is run beside a broker. */
const start = async () => {
  child = await startChild(
    {
      name: "registry",
      command: process.execPath,
      args: [join(import.meta.dirname, "../../src/registry/main.ts"), "--config", join(folder, "registry.yaml")],
      readyMs: 30_000,
      ready: async (signal, output) => {
        while (!/notice +ready/.test(output())) await systemClock.sleep(20, signal);
      },
    },
    systemClock,
    forever,
  );
  return child;
};
/** Programs that start several times on a disk that others use too. */
const programMs = 120_000;
const keyOf = (n: number) => `key-${n}-`.padEnd(32, "k");
const tagsOf = (n: number) => `<str name='SN' value='${n}'/><str name='KEY' value='${keyOf(n)}'/>`;
const registering = (n: number) =>
  wire.ask("set", `gw${n % 97}@hub.localhost/e`, `<register xmlns='${disco}' id='n${n}'>${tagsOf(n)}</register>`);
const owners = 89;
const ownerOf = (n: number) => `owner${n % owners}@home.localhost/p`;
const claiming = (n: number) => wire.ask("set", ownerOf(n), `<mine xmlns='${disco}'>${tagsOf(n)}</mine>`);

/** A hundred under way at once, until there are enough; what is under way then goes on. */
async function burst(
  numbers: readonly number[],
  enough: number,
  ask: (n: number) => Promise<string>,
  take: (n: number, answer: string) => void,
) {
  const left = [...numbers];
  const done = Promise.withResolvers<void>();
  let answered = 0;
  const one = async () => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) {
      take(n, await ask(n));
      if (++answered >= enough) done.resolve();
    }
  };
  for (let at = 0; at < 100; at++) one().catch(done.reject);
  await done.promise;
}

it(
  "kill -9 in the middle of a burst: every registration and every claim that was acknowledged is there afterwards",
  async () => {
    const registered = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const running = await start();
      const numbers = Array.from({ length: 1_000 }, (_, at) => round * 1_000 + at);
      await burst(numbers, 100 + 150 * round, registering, (n, answer) => {
        expect(answer).toContain("type='result'");
        registered.add(n);
      });
      await running.kill();
    }
    const running = await start();
    const claimed = new Set<number>();
    await burst([...registered], registered.size / 2, claiming, (n, answer) => {
      expect([n, answer]).toEqual([n, expect.stringContaining("<claimed")]);
      claimed.add(n);
    });
    await running.kill();

    await start();
    expect(registered.size).toBeGreaterThan(600);
    const owned = new Set<number>();
    for (let owner = 0; owner < owners; owner++) {
      const list = `<getDevices xmlns='${owning}' offset='0' maxCount='100'/>`;
      const answer = await wire.ask("get", ownerOf(owner), list);
      for (const [, n] of answer.matchAll(/ id='n(\d+)'/g)) owned.add(Number(n));
    }
    expect([...claimed].filter(n => !owned.has(n))).toEqual([]);
    const free = [...registered].filter(n => !owned.has(n));
    await burst(free, free.length, claiming, (n, answer) =>
      expect([n, answer]).toEqual([n, expect.stringContaining("<claimed")]),
    );
  },
  programMs,
);

it(
  "a disk that takes nothing more under the running program: refused in words, and well again by itself",
  async () => {
    const running = await start();
    const limit = (octets: string) => execFileSync("prlimit", ["--pid", `${running.pid}`, `--fsize=${octets}:`]);
    for (let n = 0; n < 50; n++) expect(await registering(n)).toContain("type='result'");
    limit(`${statSync(join(folder, "registry.db-wal")).size}`);
    const refused: number[] = [];
    const taken: number[] = [];
    for (let n = 50; n < 120; n++) {
      const answer = await registering(n);
      if (answer.includes("type='result'")) taken.push(n);
      else {
        refused.push(n);
        expect(answer).toContain("service-unavailable");
      }
    }
    expect(refused.length).toBeGreaterThan(0);
    expect(running.output()).toContain("registry-not-written");
    limit("unlimited");
    for (const n of refused) expect(await registering(n)).toContain("type='result'");
    expect(running.output()).toContain("registry-written-again");
    await running.kill();
    await start();
    for (let n = 0; n < 120; n++) expect([n, await claiming(n)]).toEqual([n, expect.stringContaining("<claimed")]);
  },
  programMs,
);
