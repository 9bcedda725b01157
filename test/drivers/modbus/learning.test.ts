// What a unit refuses is found by halving, told apart, remembered for its model and kept over a restart; and plans are as short
// as plans can be.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device, Memory } from "#contract/driver.ts";
import { askAll, categories, formatValue } from "#contract/field.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { createLearned } from "#drivers/modbus/learned.ts";
import type { ModbusLine } from "#drivers/modbus/line.ts";
import { misfit, type PlanLimits, plan, type Span } from "#drivers/modbus/plan.ts";
import type { Point } from "#drivers/modbus/point.ts";
import type { ModbusUnit } from "#drivers/modbus/unit.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { commandOf } from "../report-log.ts";

const never = new AbortController().signal;

async function open<D extends Device>(name: string, settings: object, parent?: Device, memory?: Memory): Promise<D> {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  const own = () => ({ [Symbol.dispose]() {} });
  const env = { clock: systemClock, log: silentLog, parent, timeZone: "UTC", own, ...(memory && { memory }) };
  return (await type?.open(type.settings.parse(settings), env, never)) as D;
}

function notebook(): Memory & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  return { texts, recall: key => texts.get(key), keep: (key, text) => void texts.set(key, text) };
}

const point = (address: number, words = 1): Point => ({
  field: `R${address}`,
  table: "holding",
  address,
  words,
  type: words === 4 ? "uint64" : words === 2 ? "uint32" : "uint16",
  unit: "",
  categories: categories("momentary"),
});

async function bench(settings: object = {}, memory = notebook()) {
  const server = await startModbusServer(systemClock);
  const unit = createLabUnit();
  server.units.set(1, unit);
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port });
  const device = await open<ModbusUnit>("modbus.unit", { address: 1, ...settings }, line, memory);
  return {
    unit,
    line,
    device,
    memory,
    server,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function read(device: Device): Promise<Record<string, string>> {
  const shown: Record<string, string> = {};
  for await (const { fields } of device.read?.(askAll, never) ?? []) {
    for (const { name, value } of fields) {
      expect(shown[name], `${name} is told once`).toBeUndefined();
      shown[name] = formatValue(value);
    }
  }
  return shown;
}

const requestsOf = async (unit: LabUnit, work: () => Promise<unknown>): Promise<number> => {
  const before = unit.requests.length;
  await work();
  return unit.requests.length - before;
};

describe("holes", () => {
  it("a hole costs its own field; the second readout has as few reads as a map without it could", async () => {
    await using it = await bench();
    for (let n = 0; n < 40; n++) if (n !== 13) it.unit.set("holding", n, n);
    it.device.add(Array.from({ length: 40 }, (_, n) => point(n)));
    const first = await read(it.device);
    expect(first.R13).toContain("illegal data address");
    expect(Object.entries(first).filter(([, value]) => value.startsWith("no value"))).toHaveLength(1);
    expect(await requestsOf(it.unit, () => read(it.device))).toBe(2);
  });

  it("registers between two wanted ones that do not exist are no longer read along", async () => {
    await using it = await bench({ gapMax: 10 });
    for (const n of [0, 1, 5, 6, 7, 8]) it.unit.set("holding", n, n);
    it.device.add([0, 1, 5, 6, 7, 8].map(n => point(n)));
    expect(Object.values(await read(it.device))).toEqual(["0", "1", "5", "6", "7", "8"]);
    expect(await requestsOf(it.unit, () => read(it.device))).toBe(2);
  });

  it("a strict unit is never asked for what nobody wants, whatever its profile says", async () => {
    await using it = await bench({ gapMax: 16, strict: true });
    for (let n = 0; n < 10; n++) it.unit.set("holding", n, n);
    it.device.add([point(0), point(2)]);
    await read(it.device);
    expect(it.unit.requests.map(pdu => [pdu[2], pdu[4]])).toEqual([
      [0, 1],
      [2, 1],
    ]);
  });

  it("is asked again after a day, or when somebody says so", async () => {
    const clock = manualClock();
    const learned = createLearned("model", undefined, clock);
    learned.refuse("holding", point(5), 2);
    expect(learned.refusal("holding", point(5))).toBe(2);
    expect(learned.refusal("input", point(5))).toBeUndefined();
    await clock.advance(86_400_001);
    expect(learned.refusal("holding", point(5))).toBeUndefined();

    await using it = await bench();
    it.device.add([point(3)]);
    expect((await read(it.device)).R3).toContain("illegal data address");
    it.unit.set("holding", 3, 77);
    expect((await read(it.device)).R3).toContain("illegal data address");
    const command = commandOf(it.device, "ForgetRefusals");
    if (command.kind === "simple") await command.execute(never);
    expect((await read(it.device)).R3).toBe("77");
  });
});

describe("lengths and borders", () => {
  it.each([
    [50, 125],
    [30, 200],
    [7, 60],
  ])(
    "a read of at most %i registers, whatever is printed: %i of them soon take as few reads as they can",
    async (max, count) => {
      await using it = await bench();
      it.unit.wordsMax = max;
      for (let n = 0; n < count; n++) it.unit.set("holding", n, n);
      it.device.add(Array.from({ length: count }, (_, n) => point(n)));
      const all = Object.fromEntries(Array.from({ length: count }, (_, n) => [`R${n}`, String(n)]));
      for (let round = 0; round < 8; round++) expect(await read(it.device)).toEqual(all);
      expect(await requestsOf(it.unit, () => read(it.device))).toBeLessThanOrEqual(Math.ceil(count / max) + 1);
    },
  );

  it("an address no read may go across is not mistaken for a length", async () => {
    await using it = await bench();
    for (let n = 0; n < 60; n++) it.unit.set("holding", n, n);
    const { answer } = it.unit;
    // As in devices that keep two memories behind one list of registers.
    it.unit.answer = pdu => {
      const [from = 0, count = 0] = [pdu[2], pdu[4]];
      const reply = answer(pdu);
      return from < 17 && from + count > 17 ? Uint8Array.of((pdu[0] ?? 0) | 0x80, 2) : reply;
    };
    it.device.add(Array.from({ length: 60 }, (_, n) => point(n)));
    expect(Object.keys(await read(it.device))).toHaveLength(60);
    await read(it.device);
    expect(await requestsOf(it.unit, () => read(it.device))).toBe(2);
  });

  it("reads that must begin at multiples of 40 do, and end before the next", async () => {
    await using it = await bench({ align: 40 });
    for (let n = 0; n < 200; n++) it.unit.set("holding", n, n);
    it.device.add([point(12), point(30, 2), point(41), point(119), point(120)]);
    await read(it.device);
    expect(it.unit.requests.map(pdu => [pdu[2], pdu[4]])).toEqual([
      [0, 32],
      [40, 2],
      [80, 40],
      [120, 1],
    ]);
    expect(() => it.device.add([point(39, 2)])).toThrow("do not lie within one read of 40 from 0");
  });

  it("a value that no read can hold refuses its map instead of being torn", async () => {
    await using it = await bench({ wordsMax: 2 });
    expect(() => it.device.add([point(0, 4)])).toThrow("R0: 4 registers at 0 exceed the 2 of one read");
    const settings = { fieldName: "Counter", address: 0, type: "uint64" };
    await expect(open("modbus.register", settings, it.device)).rejects.toMatchObject({ kind: "refused" });
  });
});

describe("memory", () => {
  it("a model is learnt once: by its next unit on the line, and after a restart", async () => {
    const memory = notebook();
    const identity = { manufacturer: "Example", model: "M1" };
    await using it = await bench(identity, memory);
    const map = Array.from({ length: 40 }, (_, n) => point(n));
    const fill = (unit: LabUnit) => {
      for (let n = 0; n < 40; n++) if (n !== 13) unit.set("holding", n, n);
    };
    fill(it.unit);
    it.device.add(map);
    await read(it.device);

    const sibling = createLabUnit();
    fill(sibling);
    it.server.units.set(2, sibling);
    const second = await open<ModbusUnit>("modbus.unit", { address: 2, ...identity }, it.line, memory);
    second.add(map);
    expect(await requestsOf(sibling, () => read(second))).toBe(2);

    await using restarted = await bench(identity, memory);
    fill(restarted.unit);
    restarted.device.add(map);
    expect(await requestsOf(restarted.unit, () => read(restarted.device))).toBe(2);
    expect([...memory.texts.keys()]).toEqual(["model Example M1"]);
  });

  it("whatever text is found there does no harm", () => {
    const clock = manualClock();
    const table = fc.record(
      {
        refused: fc.oneof(
          fc.jsonValue(),
          fc.array(fc.tuple(fc.constantFrom("1+1", "x", "70000+1"), fc.double(), fc.nat())),
        ),
        cuts: fc.oneof(fc.jsonValue(), fc.array(fc.double())),
        good: fc.jsonValue(),
        bad: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ holding: table }).map(one => JSON.stringify(one)),
    );
    fc.assert(
      fc.property(text, stored => {
        const memory = { recall: () => stored, keep: () => {} };
        const learned = createLearned("key", memory, clock);
        const points = [point(0), point(1, 4), point(9, 2)];
        const blocks = learned.plan("holding", points, { wordsMax: 125, gapMax: 16 });
        expect(blocks.flatMap(block => block.points)).toHaveLength(3);
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});

describe("plans beside the best there are", () => {
  const span = fc.record({ address: fc.integer({ min: 0, max: 30 }), words: fc.constantFrom(1, 1, 2, 4) });
  const limits = fc.record({
    wordsMax: fc.integer({ min: 4, max: 20 }),
    gapMax: fc.integer({ min: 0, max: 6 }),
    holes: fc.array(span, { maxLength: 2 }),
  });

  it("at most one request more than the best of all ways to group a map; no value split, no hole crossed", () => {
    let excess = 0;
    fc.assert(
      fc.property(fc.array(span, { minLength: 1, maxLength: 7 }), limits, (points, bounds) => {
        const blocks = plan(points, bounds);
        const best = fewestGroups(points, bounds);
        excess += blocks.length - best;
        expect(blocks.length).toBeLessThanOrEqual(best + 1);
        for (const block of blocks) expect(isReadable(block.points, bounds)).toBe(true);
        expect(blocks.flatMap(block => block.points)).toHaveLength(points.length);
        expect(points.every(one => misfit(one, bounds) === undefined)).toBe(true);
      }),
      { numRuns: 2_000, seed: 11 },
    );
    expect(excess / 2_000).toBeLessThan(0.01);
  });

  /** Every way to divide the points into groups, by brute force. */
  function fewestGroups(points: readonly Span[], bounds: PlanLimits): number {
    let best = points.length;
    const place = (at: number, groups: Span[][]) => {
      if (groups.length >= best) return;
      const next = points[at];
      if (next === undefined) {
        if (groups.every(group => isReadable(group, bounds))) best = groups.length;
        return;
      }
      for (const group of groups) {
        group.push(next);
        place(at + 1, groups);
        group.pop();
      }
      place(at + 1, [...groups, [next]]);
    };
    place(0, []);
    return best;
  }

  function isReadable(group: readonly Span[], { wordsMax, gapMax, holes = [] }: PlanLimits): boolean {
    const begin = Math.min(...group.map(({ address }) => address));
    const end = Math.max(...group.map(({ address, words }) => address + words));
    if (end - begin > wordsMax) return false;
    const wanted = new Set(group.flatMap(({ address, words }) => Array.from({ length: words }, (_, n) => address + n)));
    let gap = 0;
    for (let at = begin; at < end; at++) {
      gap = wanted.has(at) ? 0 : gap + 1;
      if (gap > gapMax) return false;
      // A hole is avoided where nobody wants it.
      if (gap > 0 && holes.some(hole => at >= hole.address && at < hole.address + hole.words)) return false;
    }
    return true;
  }
});
