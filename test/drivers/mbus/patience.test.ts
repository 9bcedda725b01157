// Meters that want patience: busy ones, rationed ones, ones with several applications, strict ones, and what is remembered of them.

import { describe, expect, it } from "vitest";
import { commandOf } from "../report-log.ts";
import { fieldOf, readAll } from "./bench.ts";
import { createMemory, never, openWire, simpleMeter } from "./wire.ts";

const factOf = (device: { describe?(): readonly { id: string; value: { value: unknown } }[] }, id: string) =>
  device.describe?.().find(one => one.id === id)?.value.value;

describe("M-Bus 1.5: a busy meter", () => {
  it("is asked again later, which is no failure and costs no rest", async () => {
    const meter = simpleMeter("11111111", { primary: 5, busyTimes: 2 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5" });
    const began = wire.clock.monotonic();
    expect(fieldOf(await wire.settle(readAll(device)), "Volume")).toBeDefined();
    expect(wire.clock.monotonic() - began).toBeGreaterThan(6_000);
    expect([factOf(device, "failures"), factOf(device, "state")]).toEqual([0, "answering"]);
    expect(wire.line.line.health.figures().total.exceptions).toBe(2);
  });

  it("leaves the line to others meanwhile, and ends in words when it stays busy", async () => {
    const meters = [simpleMeter("11111111", { primary: 5, busyTimes: 99 }), simpleMeter("22222222", { primary: 6 })];
    await using wire = openWire(() => meters);
    const [busy, other] = [await wire.meter({ address: "5" }), await wire.meter({ address: "6" })];
    const ended: string[] = [];
    const reading = readAll(busy).catch(error => {
      ended.push("busy");
      return error;
    });
    await wire.settle(readAll(other).then(() => ended.push("other")));
    expect(ended).toEqual(["other"]);
    expect(await wire.settle(reading)).toMatchObject({ kind: "refused", message: expect.stringContaining("busy") });
    expect(factOf(busy, "state")).toBe("answering");
  });
});

describe("M-Bus 1.2: a rationed meter", () => {
  const hour = 3_600;

  it("is not asked again within its interval, by nobody and not after a restart", async () => {
    const memory = createMemory();
    const meter = simpleMeter("11111111", { primary: 5 });
    const first = openWire(() => [meter], { memory });
    const device = await first.meter({ address: "5", minIntervalSeconds: hour });
    const told = await first.settle(readAll(device));
    await first.clock.advance(1_800_000);
    expect(await first.settle(readAll(device))).toEqual(told);
    expect(meter.readouts).toBe(1);
    await first[Symbol.asyncDispose]();

    await using second = openWire(() => [meter], { memory, clock: first.clock });
    const again = await second.meter({ address: "5", minIntervalSeconds: hour });
    await expect(second.settle(readAll(again))).rejects.toMatchObject({
      kind: "refused",
      message: "primary address 5: it answered not long ago and may not be asked again yet",
    });
    expect(meter.readouts).toBe(1);
    await second.clock.advance(1_800_000);
    expect(fieldOf(await second.settle(readAll(again)), "Volume")).toBeDefined();
    expect(meter.readouts).toBe(2);
  });

  it("a person may insist, once", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5", minIntervalSeconds: hour });
    await wire.settle(readAll(device));
    const command = commandOf(device, "ReadNow");
    expect(command.confirmation).toContain("battery");
    if (command.kind === "simple") await wire.settle(command.execute(never));
    expect(meter.readouts).toBe(2);
    await wire.settle(readAll(device));
    expect(meter.readouts).toBe(2);
    const free = await wire.meter({ address: "5" });
    expect(() => commandOf(free, "ReadNow")).toThrow();
  });

  it("a clock that was set back, or a text that is none, makes it wait no longer than its interval", async () => {
    for (const text of ["soon", "", String(Date.parse("2040-01-01"))]) {
      const memory = createMemory();
      memory.keep("ration primary address 5", text);
      await using wire = openWire(() => [simpleMeter("11111111", { primary: 5 })], { memory });
      const device = await wire.meter({ address: "5", minIntervalSeconds: hour });
      expect(fieldOf(await wire.settle(readAll(device)), "Volume")).toBeDefined();
    }
  });

  it("one that is silent to what comes too soon is asked in its own time and never fails", async () => {
    await using wire = openWire(clock => [simpleMeter("11111111", { primary: 5, rationMs: 300_000, clock })]);
    const device = await wire.meter({ address: "5", minIntervalSeconds: 301 });
    for (let n = 0; n < 20; n++) {
      await wire.settle(readAll(device));
      await wire.clock.advance(60_000);
    }
    expect(factOf(device, "failures")).toBe(0);
  });
});

describe("M-Bus 1.2, 1.3: application and frame count", () => {
  const short = (application: number) => [Uint8Array.of(0x01, 0xfd, 0x3a, application)];

  it("an application is selected before each readout where the node says so", async () => {
    const meter = simpleMeter("11111111", { primary: 5, telegrams: short });
    await using wire = openWire(() => [meter]);
    for (const address of ["5", "11111111"]) {
      const device = await wire.meter({ address, applicationSelect: "50" });
      const samples = await wire.settle(readAll(device));
      const values = samples.flatMap(({ fields }) => fields).map(({ value }) => ("value" in value ? value.value : ""));
      expect(values).toContain(0x50);
    }
    expect(meter.told).toEqual(["application 50", "application 50"]);
  });

  it("a meter that takes the frame count at its word gives every part, however it is called", async () => {
    const parts = () => [
      Uint8Array.of(0x0c, 0x13, 1, 0, 0, 0, 0x1f),
      Uint8Array.of(0x4c, 0x13, 2, 0, 0, 0, 0x1f),
      Uint8Array.of(0x8c, 0x01, 0x13, 3, 0, 0, 0),
    ];
    const meter = simpleMeter("11111111", { primary: 5, telegrams: parts, strictFcb: true });
    await using wire = openWire(() => [meter]);
    for (const more of [{}, { applicationSelect: "00" }]) {
      for (const address of ["5", "11111111"]) {
        const device = await wire.meter({ address, ...more });
        for (let round = 0; round < 2; round++) {
          const names = (await wire.settle(readAll(device))).flatMap(({ fields }) => fields.map(({ name }) => name));
          expect(
            names.filter(name => name.startsWith("Volume")),
            `${address} ${JSON.stringify(more)}`,
          ).toHaveLength(3);
        }
      }
    }
  });

  it("telegrams alike but for their access number are one: the meter never moves on", async () => {
    const same = () => [Uint8Array.of(0x0c, 0x13, 1, 0, 0, 0, 0x1f)];
    const meter = simpleMeter("11111111", { primary: 5, telegrams: same });
    await using wire = openWire(() => [meter]);
    const samples = await wire.settle(readAll(await wire.meter({ address: "5" })));
    expect(samples.flatMap(({ fields }) => fields).filter(({ name }) => name.startsWith("Volume"))).toHaveLength(1);
    expect(meter.readouts).toBe(2);
  });

  it("a noisy meter is read by repeating with the same frame count bit: no part is lost or doubled", async () => {
    const parts = () => [Uint8Array.of(0x0c, 0x13, 1, 0, 0, 0, 0x1f), Uint8Array.of(0x4c, 0x13, 2, 0, 0, 0)];
    const meter = simpleMeter("11111111", { primary: 5, telegrams: parts, strictFcb: true });
    meter.behaviour = "noisy";
    await using wire = openWire(() => [meter], { paced: true });
    const device = await wire.meter({ address: "5" });
    for (let round = 0; round < 9; round++) {
      const volumes = (await wire.settle(readAll(device)))
        .flatMap(({ fields }) => fields)
        .filter(({ name }) => name.startsWith("Volume"));
      expect(volumes.map(({ value }) => ("value" in value ? value.value : undefined))).toEqual([0.001, 0.002]);
    }
    expect(factOf(device, "retries")).toBeGreaterThan(0);
    expect(factOf(device, "failures")).toBe(0);
  });
});

describe("M-Bus 0.11: a converter that echoes", () => {
  it("is known from its first echo; without one it is the converter that is silent, not the meter", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    wire.bus.echo = true;
    const device = await wire.meter({ address: "5" });
    await wire.settle(readAll(device));
    expect(wire.line.line.describe().map(({ id }) => id)).toContain("converter");
    meter.behaviour = "silent";
    await expect(wire.settle(readAll(device))).rejects.toMatchObject({
      message: expect.stringContaining("no answer: check the address"),
    });
    wire.bus.echo = false;
    await expect(wire.settle(readAll(device))).rejects.toMatchObject({
      message: expect.stringContaining("the level converter is silent"),
    });
  });
});
