// The line and its meters over a real socket: addressing, frame count bit, timeouts, echo, and what must never become a value.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { DeviceFault } from "#contract/faults.ts";
import { askAll } from "#contract/field.ts";
import { readMeter } from "#drivers/mbus/readout.ts";
import { createMbusMeter } from "#lab/mbus-slave.ts";
import { fieldOf, never, openBench, readAll } from "./bench.ts";

const faultOf = async (work: Promise<unknown>): Promise<DeviceFault> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DeviceFault);
  return error as DeviceFault;
};

const text = (device: { describe?(): readonly { id: string; value: { value: unknown } }[] }, id: string) =>
  device.describe?.().find(one => one.id === id)?.value.value;

describe("reading", () => {
  it("M-Bus 1.3: a meter by its primary address, with units, decimals, categories and times", async () => {
    await using bench = await openBench();
    const samples = await bench.read(await bench.meter({ address: "5" }));
    expect(fieldOf(samples, "Energy")).toMatchObject({
      value: { kind: "quantity", value: 18_437, decimals: 0, unit: "kWh" },
      categories: { momentary: true, historical: false },
      quality: { automaticReadout: true },
    });
    expect(fieldOf(samples, "Volume")?.value).toMatchObject({ value: 737.48, decimals: 3, unit: "m3" });
    expect(fieldOf(samples, "Flow")?.value).toMatchObject({ value: 0.532, decimals: 3, unit: "m3/h" });
    expect(fieldOf(samples, "Supply Temperature")?.value).toMatchObject({ value: 71.2, decimals: 1, unit: "Cel" });
    expect(fieldOf(samples, "Return Temperature")?.value).toMatchObject({ value: 41.8, decimals: 1, unit: "Cel" });
    expect(fieldOf(samples, "Temperature Difference")?.value).toMatchObject({ value: 29.4, decimals: 2, unit: "K" });
    expect(fieldOf(samples, "Operating Time")).toMatchObject({
      value: { value: 21_900, decimals: 0, unit: "h" },
      categories: { status: true },
    });
    expect(fieldOf(samples, "Identification")).toMatchObject({
      value: { value: "30100608" },
      categories: { identity: true },
    });
    const stored = samples.find(sample => sample.fields.some(field => field.name === "Energy, Storage 1"));
    // 31 December at midnight in the meter's zone.
    expect(stored?.at).toBe(Date.parse("2030-12-30T23:00:00Z"));
    expect(stored?.fields[0]?.categories).toMatchObject({ historical: true, momentary: false });
    expect(samples[0]?.at).toBeGreaterThan(stored?.at ?? 0);
  });

  it("M-Bus 1.4: two meters by the number on their face, in turn", async () => {
    await using bench = await openBench();
    const heat = await bench.meter({ address: "30100608" });
    const water = await bench.meter({ address: "41205512FFFFFF07" });
    const [one, two] = await bench.settle(Promise.all([readAll(heat), readAll(water)]));
    expect(fieldOf(one, "Identification")?.value).toMatchObject({ value: "30100608" });
    expect(fieldOf(two, "Identification")?.value).toMatchObject({ value: "41205512" });
    expect(fieldOf(two, "Volume")?.value).toMatchObject({ value: 731.226, unit: "m3" });
    expect(bench.converter.overlap).toBe(1);
  });

  it("M-Bus 1.3: a readout over two telegrams is one readout, with the frame count bit toggled between them", async () => {
    await using bench = await openBench(undefined, 2);
    const device = await bench.meter({ address: "5" });
    for (const round of [1, 2]) {
      const samples = await bench.read(device);
      expect(fieldOf(samples, "Energy")?.value).toMatchObject({ unit: "kWh" });
      expect(fieldOf(samples, "Energy, Storage 1")?.value).toMatchObject({ value: 14_237 });
      expect(bench.heat.readouts).toBe(2 * round);
    }
  });

  it("M-Bus 1.3: a meter that sends the same telegram for ever, or never ends, is left at a bound", async () => {
    const more = (n: number) => Uint8Array.of(0x01, 0xfd, 0x3a, n, 0x1f);
    const plan = { identity: { id: "00000001", manufacturer: "ABB", version: 1, medium: 2 }, primary: 1 };
    await using bench = await openBench(() => [
      createMbusMeter({ ...plan, telegrams: () => [], raw: recorded("svm_f22_telegram1") }),
      createMbusMeter({ ...plan, primary: 2, telegrams: () => Array.from({ length: 40 }, (_, n) => more(n)) }),
    ]);
    const same = await bench.read(await bench.meter({ address: "1" }));
    expect(same[0]?.fields.length).toBeGreaterThan(3);
    const endless = await bench.read(await bench.meter({ address: "2" }));
    expect(endless[0]?.fields.filter(field => field.name.startsWith("Value"))).toHaveLength(16);
    expect(fieldOf(endless, "Further Records")?.value).toMatchObject({ kind: "missing" });
  });

  it("M-Bus 1.10: a recorded telegram gives stored values with the meter's own dates", async () => {
    const plan = { identity: { id: "06855817", manufacturer: "KAM", version: 8, medium: 4 }, primary: 17 };
    await using bench = await openBench(() => [
      createMbusMeter({ ...plan, telegrams: () => [], raw: recorded("kamstrup_multical_601") }),
    ]);
    const samples = await bench.read(await bench.meter({ address: "17" }));
    const stored = samples.find(sample => sample.fields.some(field => field.name === "Power, Storage 1, Max"));
    expect(stored?.at).toBe(Date.parse("2010-12-30T23:00:00Z"));
    expect(fieldOf(samples, "Power, Max")?.value).toMatchObject({ value: 44_800, decimals: 0, unit: "W" });
    expect(fieldOf(samples, "Energy, Tariff 2")?.value).toMatchObject({ value: 0, unit: "kWh" });
    // Twenty years off: the clock is flagged, and so is what it dated.
    expect(fieldOf(samples, "Date and Time")?.quality).toMatchObject({ timeOffset: true });
    expect(fieldOf(samples, "Energy, Storage 1")?.quality).toMatchObject({ timeOffset: true });
    expect(fieldOf(samples, "Energy")?.quality.timeOffset).toBeUndefined();
  });

  it("M-Bus 1.2: a rationed meter is not asked again, and its last readout keeps its own time", async () => {
    await using bench = await openBench();
    const device = await bench.meter({ address: "6", minIntervalSeconds: 4140 });
    const first = await bench.read(device);
    await bench.clock.advance(4_000_000);
    expect(await bench.read(device)).toEqual(first);
    expect(bench.water.readouts).toBe(1);
    await bench.clock.advance(200_000);
    const next = await bench.read(device);
    expect(bench.water.readouts).toBe(2);
    expect(next[0]?.at).toBeGreaterThan(first[0]?.at ?? 0);
  });
});

interface Multi {
  address: number;
  start: string;
  startResponse: string;
  exchanges: { request: string; response: string }[];
  expectRecords: { raw: string }[];
}
const { multi } = JSON.parse(readFileSync(join(import.meta.dirname, "../../vectors/mbus/session.json"), "utf8")) as {
  multi: Multi[];
};

it.each(multi.map((one, n) => ({ ...one, n })))("M-Bus 1.3: recorded readout $n, octet for octet", async vector => {
  await using bench = await openBench(() => []);
  const script = [{ request: vector.start, response: vector.startResponse }, ...vector.exchanges];
  const asked: string[] = [];
  bench.converter.meters.push({
    answer(request) {
      asked.push(Buffer.from(request).toString("hex").toUpperCase());
      return parseHex(script[asked.length - 1]?.response ?? "");
    },
    behaviour: "normal",
    slowMs: 0,
    primary: vector.address,
    readouts: 0,
    identity: { id: "0", manufacturer: "ABB", version: 0, medium: 4 },
  });
  const how = { address: { kind: "primary", address: vector.address }, probing: false, retried: () => {} } as const;
  const readout = await bench.settle(bench.line.line.take("read", never, bus => readMeter(bus, how, never)));
  expect(asked).toEqual(script.map(({ request }) => request));
  expect(readout.items.map(({ raw }) => Buffer.from(raw).toString("hex"))).toEqual(
    vector.expectRecords.map(({ raw }) => raw),
  );
  expect(readout.telegrams).toBe(script.length - 1);
});

it("0.2: a person who asks goes before polls that wait for the line already", async () => {
  await using bench = await openBench();
  const [heat, water] = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
  const order: string[] = [];
  const ask = async (name: string, device: typeof heat, how: "read" | "poll") => {
    for await (const _sample of device.read?.({ ...askAll, order: how }, never) ?? []) {
      if (order.at(-1) !== name) order.push(name);
    }
  };
  const all = [ask("first", heat, "poll"), ask("poll", heat, "poll"), ask("person", water, "read")];
  await bench.settle(Promise.all(all));
  expect(order).toEqual(["first", "person", "poll"]);
});

describe("trouble", () => {
  it("0.7: of two meters one is dead: it costs three tries, rests visibly, and the other is served", async () => {
    await using bench = await openBench();
    const [dead, alive] = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
    bench.heat.behaviour = "silent";
    const began = bench.clock.monotonic();
    const fault = await faultOf(bench.read(dead));
    expect(fault).toMatchObject({
      kind: "timeout",
      message: "primary address 5: no answer: check the address, the wiring and the meter",
    });
    expect(bench.clock.monotonic() - began).toBeLessThan(3 * 2_000);
    expect(text(dead, "retries")).toBe(2);
    await faultOf(bench.read(dead));
    expect(text(dead, "state")).toMatch(/^resting, next try in \d+ s$/);
    // At rest it costs nothing, and the other answers as ever.
    const before = bench.line.line.counters.requests;
    expect(await faultOf(bench.read(dead))).toMatchObject({ kind: "timeout" });
    expect(bench.line.line.counters.requests).toBe(before);
    expect(fieldOf(await bench.read(alive), "Volume")?.value).toMatchObject({ kind: "quantity" });

    await bench.clock.advance(40_000);
    const rested = bench.line.line.counters.requests;
    // After the rest one try, not three; the words that stand on the node do not change with it.
    expect(await faultOf(bench.read(dead))).toMatchObject({ message: `${fault.message} (resting between tries)` });
    expect(bench.line.line.counters.requests).toBe(rested + 1);

    bench.heat.behaviour = "normal";
    await bench.clock.advance(90_000);
    expect(fieldOf(await bench.read(dead), "Energy")?.value).toMatchObject({ unit: "kWh" });
    expect(text(dead, "state")).toBe("answering");
  });

  it("6.4: a garbled answer is a fault and never a value", async () => {
    await using bench = await openBench();
    const device = await bench.meter({ address: "5" });
    bench.heat.behaviour = "garbled";
    expect((await faultOf(bench.read(device))).kind).toBe("garbled");
    bench.heat.behaviour = "normal";
    expect(fieldOf(await bench.read(device), "Energy")).toBeDefined();
    expect(bench.line.line.counters.garbled).toBeGreaterThan(0);
  });

  it("0.11: a converter that echoes is seen through, also when the echo comes in pieces", async () => {
    await using bench = await openBench();
    bench.converter.echo = true;
    const device = await bench.meter({ address: "30100608" });
    expect(fieldOf(await bench.read(device), "Energy")?.value).toMatchObject({ value: 18_437 });
    expect(bench.line.line.counters.echoes).toBeGreaterThan(2);
    expect(bench.line.line.counters.garbled).toBe(0);
  });

  it("1.2: an answer that trickles octet by octet is waited for to its announced length", async () => {
    await using bench = await openBench();
    bench.converter.disturb = answer => Array.from(answer, octet => ({ afterMs: 9, bytes: Uint8Array.of(octet) }));
    const samples = await bench.read(await bench.meter({ address: "5" }));
    expect(fieldOf(samples, "Energy")?.value).toMatchObject({ value: 18_437 });
    expect(bench.line.line.counters.timeouts).toBe(0);
  });

  it("0.8: an answer that comes after its time is thrown away and shifts nothing", async () => {
    await using bench = await openBench();
    const [heat, water] = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
    const ids: string[] = [];
    for (const slowMs of [1_700, 3_000, 4_400, 5_600, 7_000, 20_000]) {
      bench.heat.slowMs = slowMs;
      const outcomes = await bench.settle(Promise.allSettled([readAll(heat), readAll(water)]));
      for (const [n, outcome] of outcomes.entries()) {
        const id = outcome.status === "fulfilled" ? fieldOf(outcome.value, "Identification")?.value : undefined;
        if (id !== undefined) expect(id, `${slowMs} ms`).toMatchObject({ value: n === 0 ? "30100608" : "41205512" });
        ids.push(`${n}:${outcome.status}`);
      }
      await bench.clock.advance(60_000);
    }
    // The slow one fails when it is slower than its three tries together; its neighbour is served each time.
    expect(ids.filter(id => id === "1:fulfilled")).toHaveLength(6);
    expect(ids).toContain("0:rejected");
  });

  it("0.8: an answer that comes twice is published once, for the meter that gave it", async () => {
    await using bench = await openBench(undefined, 2);
    const [heat, water] = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
    for (const apartMs of [0, 30, 90, 150, 400]) {
      bench.converter.disturb = answer => [
        { afterMs: 0, bytes: answer },
        { afterMs: apartMs, bytes: answer },
      ];
      for (const [device, id] of [
        [heat, "30100608"],
        [water, "41205512"],
      ] as const) {
        const samples = await bench.read(device);
        expect(fieldOf(samples, "Identification")?.value, `${apartMs} ms`).toMatchObject({ value: id });
        if (device === heat) expect(fieldOf(samples, "Energy, Storage 1"), `${apartMs} ms`).toBeDefined();
        expect(samples.flatMap(({ fields }) => fields).filter(({ name }) => name.endsWith(", 2"))).toEqual([]);
      }
    }
  });

  it("0.8: what another meter or another master says is counted and not believed", async () => {
    await using bench = await openBench();
    const device = await bench.meter({ address: "6" });
    const foreign = recorded("kamstrup_multical_601");
    bench.converter.disturb = answer => [{ afterMs: 0, bytes: Uint8Array.of(...foreign, ...answer) }];
    const samples = await bench.read(device);
    expect(fieldOf(samples, "Identification")?.value).toMatchObject({ value: "41205512" });
    expect(bench.line.line.counters.foreign).toBeGreaterThan(0);
  });

  it("1.4: two meters with one address are a garbled fault that says so", async () => {
    await using bench = await openBench();
    bench.water.primary = 5;
    const fault = await faultOf(bench.read(await bench.meter({ address: "5" })));
    expect(fault.kind).toBe("garbled");
    expect(fault.message).toContain("two meters with one address");
  });

  it("1.5: what the meter itself reports as an error is passed on in words", async () => {
    await using bench = await openBench(() => [
      createMbusMeter({
        identity: { id: "1", manufacturer: "ABB", version: 1, medium: 2 },
        primary: 1,
        telegrams: () => [],
        raw: parseHex("68 04 04 68 08 01 70 08 81 16") as Uint8Array,
      }),
    ]);
    const fault = await faultOf(bench.read(await bench.meter({ address: "1" })));
    expect(fault).toMatchObject({ kind: "refused" });
    expect(fault.message).toContain("busy");
  });
});

describe("loss", () => {
  it("0.9: unplugged at each octet of an exchange: a fault, never a value, and well again when it is back", async () => {
    await using bench = await openBench();
    const whole = await bench.read(await bench.meter({ address: "6" }));
    // E5 and the telegram, octet by octet; behind the last the readout is whole.
    for (let octets = 1; octets <= 52; octets++) {
      await bench.converter.cut(octets);
      const device = await bench.meter({ address: "6" });
      const outcome = await bench.settle(readAll(device).catch((error: unknown) => error));
      if (Array.isArray(outcome)) expect(outcome[0].fields.length, `${octets}`).toBe(whole[0]?.fields.length);
      else expect(outcome, `${octets}`).toMatchObject({ kind: "unreachable" });
      if (!Array.isArray(outcome)) expect((await bench.line.closed)?.kind).toBe("unreachable");
      await bench.converter.restore();
      await bench.reopen();
    }
    expect(fieldOf(await bench.read(await bench.meter({ address: "6" })), "Volume")).toBeDefined();
  });

  it("0.9: a cut line settles `closed` and fails whoever waits for a turn", async () => {
    await using bench = await openBench();
    const devices = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
    bench.heat.slowMs = 1_000;
    const readings = Promise.allSettled(devices.map(device => readAll(device)));
    await bench.clock.advance(200);
    await bench.converter.cut();
    const outcomes = await bench.settle(readings);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await bench.line.closed).toMatchObject({ kind: "unreachable" });
  });

  it("an abort leaves at once, and what arrives afterwards disturbs nobody", async () => {
    await using bench = await openBench();
    const [heat, water] = [await bench.meter({ address: "5" }), await bench.meter({ address: "6" })];
    bench.heat.slowMs = 900;
    const stop = new AbortController();
    const reading = readAll(heat, stop.signal);
    reading.catch(() => {});
    await bench.clock.advance(300);
    stop.abort(new Error("the asker left"));
    await expect(reading).rejects.toThrow("the asker left");
    expect(fieldOf(await bench.read(water), "Identification")?.value).toMatchObject({ value: "41205512" });
    expect(text(heat, "failures")).toBe(0);
  });
});

function recorded(name: string): Uint8Array {
  const path = join(import.meta.dirname, "../../vectors/mbus/frames", `${name}.hex`);
  const frame = parseHex(readFileSync(path, "utf8")) as Uint8Array;
  return frame;
}
