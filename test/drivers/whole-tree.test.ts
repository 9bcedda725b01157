// Both wired drivers below the real tree with real SQLite, against partners that speak bytes, on a clock that stands still:
// polls and readouts at once, a dead device, a line that goes and comes back, and what a technician reads of it on the nodes.

import { rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { createConcentrator } from "#concentrator/concentrator.ts";
import { ownerRule } from "#concentrator/rules.ts";
import { createTree } from "#concentrator/tree.ts";
import { noTokens } from "#contract/caller.ts";
import { type Ask, askAll, formatValue, type Reading } from "#contract/field.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { mbusDriver } from "#drivers/mbus/driver.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import { createMbusMeter } from "#lab/mbus-slave.ts";
import { createLabMeter } from "#lab/modbus-meter.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { openDatabase } from "#store/database.ts";
import { createHistory } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { manualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;
const owner = "owner@example.org";
const caller = { bareJid: owner, fullJid: `${owner}/test`, tokens: noTokens, language: "en" };
const minute = 60_000;

interface Place {
  readonly nodeId: string;
  readonly partition: string;
}

function house(clock = manualClock()) {
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  const edge = openDatabase(":memory:", edgeMigrations, log);
  const file = openDatabase(":memory:", historyMigrations, log);
  const history = createHistory(file, { clock, log, keepMs: 30 * 86_400_000 });
  const tree = createTree({
    drivers: [mbusDriver, modbusDriver],
    nodes: createNodeStore(edge),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log,
    timeZone: "Europe/Berlin",
  });
  const rules = [ownerRule({ ownerOf: () => undefined, rootOwner: () => owner })];
  const concentrator = createConcentrator({ tree, readings: history.readings, rules, clock, log });
  const stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  const refOf = ({ nodeId, partition }: Place): NodeRef => ({ nodeId, partition, sourceId: meteringTopology });
  const texts = new Set<string>();

  const it = {
    clock,
    history,
    events,
    /** Every message a node ever showed. */
    texts,
    /** In small steps: what goes over a socket needs turns of the event loop, not time. */
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 50) await clock.advance(50);
    },
    async settle<T>(work: Promise<T>): Promise<T> {
      let over = false;
      const end = () => {
        over = true;
      };
      work.then(end, end);
      for (let waited = 0; !over && waited < 5 * minute; waited += 50) await clock.advance(50);
      if (!over) throw new Error("neither answered nor failed within five minutes of the clock");
      return work;
    },
    async start() {
      running = Promise.all([tree.run(stop.signal), history.run(stop.signal), watchTexts()]);
      await it.pass(500);
    },
    add: (type: string, nodeId: string, settings: object, parent?: string) =>
      tree.create({
        sourceId: meteringTopology,
        type,
        nodeId,
        settings: { ...settings },
        displayName: nodeId,
        tags: [],
        parent: parent === undefined ? undefined : refOf({ nodeId: parent, partition: "" }),
      }),
    async read(nodes: readonly Place[], ask: Ask = askAll): Promise<Reading[]> {
      const admitted = await concentrator.admitRead(caller, nodes.map(refOf), ask, never);
      const all: Reading[] = [];
      for await (const one of concentrator.readout(admitted, never)) all.push(one);
      return all;
    },
    node: (place: Place) => concentrator.node(caller, refOf(place)),
    async message(place: Place) {
      const { messages } = await it.node(place);
      return messages.at(-1)?.text;
    },
    async fact(place: Place, id: string) {
      const { parameters } = await it.node(place);
      return parameters.find(one => one.id === id)?.value.value;
    },
    recorded: (place: Place) => [...history.readings.between(refOf(place), -1e12, clock.now())],
    async [Symbol.asyncDispose]() {
      stop.abort();
      const ending = Promise.all([running]);
      await it.settle(ending);
      history[Symbol.dispose]();
      edge.close();
    },
  };

  async function watchTexts() {
    for await (const { node } of tree.changes(stop.signal)) {
      for (const { text } of tree.find(node)?.messages.values() ?? []) texts.add(text);
    }
  }
  return it;
}

const heat = { nodeId: "heat", partition: "attic" };
const water = { nodeId: "water", partition: "attic" };
const main = { nodeId: "main", partition: "cellar" };
const sub = { nodeId: "sub", partition: "cellar" };
const everything = [heat, water, main, sub];
const attic = { nodeId: "attic", partition: "" };
const cellar = { nodeId: "cellar", partition: "" };

async function site() {
  const clock = manualClock();
  const stack = new AsyncDisposableStack();
  const meters = {
    heat: heatMeter({ id: "30100608", primary: 5, clock }),
    water: waterMeter({ id: "41205512", primary: 6, clock }),
  };
  const converter = stack.use(await startMbusConverter(clock, [meters.heat, meters.water]));
  const server = await startModbusServer(clock);
  const units = { main: createLabMeter(clock), sub: createLabMeter(clock) };
  server.units.set(1, units.main).set(2, units.sub);
  server.always = { delayMs: 20 };
  stack.defer(() => server[Symbol.asyncDispose]());
  const one = stack.use(house(clock));
  one.add("mbus.tcp", "attic", { host: "127.0.0.1", port: converter.port });
  one.add("mbus.meter", "heat", { address: "5", pollSeconds: 60 }, "attic");
  one.add("mbus.meter", "water", { address: "41205512", pollSeconds: 60 }, "attic");
  one.add("modbus.tcp", "cellar", { host: "127.0.0.1", port: server.port, timeoutMs: 1_000 });
  for (const [name, address] of Object.entries({ main: 1, sub: 2 })) {
    one.add("modbus.unit", name, { address, profile: "eastron-sdm630", pollSeconds: 60 }, "cellar");
  }
  await one.start();
  return { ...one, meters, converter, server, units, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What a person on a ladder can use: whole words, one address at most, nothing of the program's insides. */
function expectSensible(text: string) {
  expect(text.split(/127\.0\.0\.1:\d+/).length - 1, text).toBeLessThanOrEqual(1);
  expect(text).not.toMatch(/\bE[A-Z]{4,}\b|Error\b|undefined|\[object|\bat .*:\d+:\d+|errno|node:|serial:|tcp:/);
  expect(text.length).toBeLessThan(200);
}

describe("M-Bus and Modbus below one tree", () => {
  it("polls and readouts of both lines at once: each is answered, one exchange at a time on each line", async () => {
    await using it = await site();
    const energies: string[] = [];
    for (let round = 0; round < 4; round++) {
      // Polls are due within these seconds too.
      for (const reading of await it.settle(it.read(everything))) {
        if (reading.kind === "fault") throw new Error(reading.message);
        for (const field of reading.fields)
          if (field.name === "Energy") energies.push(`${reading.node.nodeId} ${formatValue(field.value)}`);
      }
      await it.pass(40_000);
    }
    expect(energies.filter(one => one.startsWith("heat 184"))).toHaveLength(4);
    expect(energies.filter(one => one.startsWith("main 184"))).toHaveLength(4);
    for (const place of everything) expect(it.recorded(place).length, place.nodeId).toBeGreaterThanOrEqual(2);
    expect([it.converter.overlap, it.server.overlapMax]).toEqual([1, 1]);
    expect(await it.fact(heat, "state")).toBe("answering");
    expect(await it.fact(main, "state")).toBe("answering");
    expect([...it.texts]).toEqual([]);
  }, 60_000);

  it("a dead meter and a dead unit cost their neighbours nothing, say why on their nodes once, and come back", async () => {
    await using it = await site();
    await it.pass(minute);
    it.meters.heat.behaviour = "silent";
    it.units.sub.silent = true;
    const before = { water: it.recorded(water).length, main: it.recorded(main).length };
    await it.pass(10 * minute);
    expect(it.recorded(water).length - before.water).toBeGreaterThanOrEqual(9);
    expect(it.recorded(main).length - before.main).toBeGreaterThanOrEqual(9);
    const [atHeat, atSub] = [await it.message(heat), await it.message(sub)];
    expect(atHeat).toBe(
      "primary address 5: no answer: check the address, the wiring and the meter (resting between tries)",
    );
    expect(atSub).toBe(
      "unit 2: no answer within 1000 ms: check the address, the wiring and the unit (resting between tries)",
    );
    expect(await it.fact(heat, "state")).toMatch(/^resting, next try (in \d+ (s|min)|when asked)$/);
    // Who asks now is told the same, at once or after one short try.
    const asked = await it.settle(it.read([heat, sub, water]));
    const faults = asked.filter(one => one.kind === "fault").map(one => one.message);
    expect(faults.toSorted()).toEqual([atHeat, atSub].toSorted());
    expect(asked.some(one => one.kind === "reading" && one.node.nodeId === "water")).toBe(true);

    it.meters.heat.behaviour = "normal";
    it.units.sub.silent = false;
    // The technician does not wait for the next poll: the first rest is all he has to wait for.
    await it.pass(30_000);
    const repaired = await it.settle(it.read([heat, sub]));
    expect(repaired.filter(one => one.kind === "fault")).toEqual([]);
    expect([await it.message(heat), await it.message(sub)]).toEqual(["Works again.", "Works again."]);
    expect([...it.texts].length).toBeLessThanOrEqual(5);
    for (const text of it.texts) expectSensible(text);
    expect(it.events.filter(({ level }) => level === "error")).toEqual([]);
  }, 60_000);

  it("both lines are lost and return: the nodes say what to do, and are well again without a restart", async () => {
    await using it = await site();
    await it.pass(minute);
    const port = it.server.port;
    await it.converter.cut();
    await it.server[Symbol.asyncDispose]();
    await it.pass(30_000);
    const why = "nothing listens there: check the port and whether the device allows another connection";
    expect(await it.message(attic)).toBe(`127.0.0.1:${it.converter.port}: ${why}`);
    expect(await it.message(heat)).toBe(`attic: 127.0.0.1:${it.converter.port}: ${why}`);
    // Modbus TCP notices at the next request.
    await it.pass(minute);
    expect(await it.message(cellar)).toBe(`127.0.0.1:${port}: ${why}`);
    expect(await it.message(sub)).toBe(`cellar: 127.0.0.1:${port}: ${why}`);
    const lost = await it.settle(it.read(everything));
    expect(lost.map(one => one.kind)).toEqual(["fault", "fault", "fault", "fault"]);

    await it.converter.restore();
    await using again = await startModbusServer(it.clock, port);
    again.units.set(1, it.units.main).set(2, it.units.sub);
    await it.pass(2 * minute);
    const back = await it.settle(it.read(everything));
    expect(back.filter(one => one.kind === "fault")).toEqual([]);
    for (const place of [attic, cellar, ...everything]) expect(await it.message(place)).toBe("Works again.");
    for (const text of it.texts) expectSensible(text);
    expect(it.events.filter(({ level }) => level === "error")).toEqual([]);
  }, 60_000);
});

describe("a stored value without a date (drivers 1.10)", () => {
  it("goes out as historical at no time that could be taken for it, is never recorded and never the newest", async () => {
    const clock = manualClock();
    const undated = createMbusMeter({
      identity: { id: "12345678", manufacturer: "ABB", version: 1, medium: 2 },
      primary: 9,
      // Energy now, energy stored, no date anywhere.
      telegrams: () => [Uint8Array.of(0x04, 0x06, 200, 0, 0, 0, 0x44, 0x06, 100, 0, 0, 0)],
    });
    await using converter = await startMbusConverter(clock, [undated]);
    await using it = house(clock);
    it.add("mbus.tcp", "attic", { host: "127.0.0.1", port: converter.port });
    const place = { nodeId: "old", partition: "attic" };
    const ref = it.add("mbus.meter", "old", { address: "9", pollSeconds: 60 }, "attic");
    await it.start();
    await it.pass(5 * minute);
    const readings = await it.settle(it.read([place]));
    const storedAt = readings.flatMap(one =>
      one.kind === "reading" ? one.fields.filter(({ name }) => name === "Energy, Storage 1").map(() => one.at) : [],
    );
    expect(storedAt).toEqual([0]);
    const stored = readings.find(one => one.at === 0);
    expect(stored?.kind === "reading" && stored.fields).toMatchObject([
      { categories: { historical: true, momentary: false }, quality: { warning: true, automaticReadout: true } },
    ]);
    // Of some span of time it is not told: nobody knows that it belongs there.
    const since = { ...askAll, from: clock.now() - 86_400_000 };
    const named = (await it.settle(it.read([place], since))).flatMap(one => (one.kind === "reading" ? one.fields : []));
    expect(named.map(({ name }) => name)).not.toContain("Energy, Storage 1");

    const recorded = it.recorded(place);
    expect(recorded.length).toBeGreaterThanOrEqual(4);
    expect(recorded.every(({ at }) => at > clock.now() - 6 * minute)).toBe(true);
    expect(recorded.flatMap(({ fields }) => fields).map(({ name }) => name)).not.toContain("Energy, Storage 1");
    const latest = it.history.readings.latest(ref);
    expect(latest.find(({ field }) => field.name === "Energy, Storage 1")?.at).toBe(0);
    expect(Math.max(...latest.map(({ at }) => at))).toBe(latest.find(({ field }) => field.name === "Energy")?.at);
    // Retention ran at the start and leaves what is young alone, whatever times lie beside it.
    await it.pass(2 * minute);
    expect(it.recorded(place).length).toBeGreaterThan(recorded.length);
    expect(it.events.filter(({ level }) => level === "error" || level === "warning")).toEqual([]);
  }, 60_000);
});

describe("one line, one owner", () => {
  it("a serial port has one owner by whatever name and driver: the second is refused in the name of the first", async () => {
    await using terminal = await openPseudoTerminal();
    const alias = join(tmpdir(), `isthmus-port-${process.pid}`);
    await symlink(terminal.path, alias);
    await using cleaning = new AsyncDisposableStack();
    cleaning.defer(() => rm(alias, { force: true }));
    const clock = manualClock();
    await using it = house(clock);
    // Settings want a path below /dev: the alias is reached through it.
    const viaDev = `/dev/..${alias}`;
    it.add("mbus.serial", "meters", { serialDevice: viaDev });
    await it.start();
    // Opening a port takes real time.
    while ((await it.node({ nodeId: "meters", partition: "" })).state === "None" && !(await opened(it, "meters")))
      await systemClock.sleep(10, never);
    it.add("modbus.rtu", "units", { serialDevice: terminal.path });
    await systemClock.sleep(50, never);
    await it.pass(500);
    expect(await it.message({ nodeId: "units", partition: "" })).toBe(`${terminal.path} is in use by the node meters.`);
    expect(await it.message({ nodeId: "meters", partition: "" })).toBeUndefined();
  });

  it("a converter behind TCP has one owner, whoever else wants it", async () => {
    const clock = manualClock();
    await using converter = await startMbusConverter(clock, []);
    await using it = house(clock);
    const settings = { host: "localhost", port: converter.port };
    it.add("modbus.rtu-tcp", "units", settings);
    await it.start();
    await it.pass(500);
    it.add("mbus.tcp", "meters", { ...settings, host: "LOCALHOST." });
    it.add("modbus.tcp", "others", settings);
    await it.pass(500);
    for (const nodeId of ["meters", "others"]) {
      expect(await it.message({ nodeId, partition: "" })).toBe(
        `localhost:${converter.port} is in use by the node units.`,
      );
    }
    expect(await it.message({ nodeId: "units", partition: "" })).toBeUndefined();
  });
});

/** Its line shows its counters as soon as it is open. */
const opened = async (it: ReturnType<typeof house>, nodeId: string) =>
  (await it.fact({ nodeId, partition: "" }, "requests")) !== undefined;
