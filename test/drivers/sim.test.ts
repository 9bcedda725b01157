import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { askAll, formatValue } from "#contract/field.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { driverSuite } from "../support/driver-suite.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

const [line, meter] = simDriver.nodeTypes;
if (line === undefined || meter === undefined) throw new Error("the sim driver has a line and a meter");

const env = (clock: ManualClock, parent?: Device): Env<unknown> => ({
  clock,
  log: silentLog,
  parent,
  own: () => ({ [Symbol.dispose]() {} }),
  timeZone: "UTC",
});
const never = new AbortController().signal;

driverSuite("sim", async () => {
  const clock = manualClock();
  const parent: Device = await line.open(line.settings.parse({}), env(clock), never);
  let atOnce = 0;
  let most = 0;
  // The simulated latency is slept on the clock: who sleeps is at work.
  const counting: ManualClock = {
    ...clock,
    async sleep(ms, signal) {
      most = Math.max(most, ++atOnce);
      try {
        await clock.sleep(ms, signal);
      } finally {
        atOnce--;
      }
    },
  };
  return {
    nodeType: meter,
    settings: { fields: 20, latencyMs: 100 },
    parent,
    clock: counting,
    pass: clock.advance,
    async silence(silent, device) {
      await device.parameters?.find(one => one.name === "Silent")?.set({ kind: "boolean", value: silent }, never);
    },
    overlap: () => most,
    async [Symbol.asyncDispose]() {
      await parent[Symbol.asyncDispose]();
    },
  };
});

describe("the simulated meter", () => {
  it("has as many fields as told, each of another name, with unit and decimals", async () => {
    const clock = manualClock();
    for (const count of [1, 7, 8, 20, 500]) {
      await using device: Device = await meter.open(meter.settings.parse({ fields: count }), env(clock), never);
      for await (const sample of device.read?.(askAll, never) ?? []) {
        expect(new Set(sample.fields.map(field => field.name)).size).toBe(count);
        expect(formatValue(sample.fields[0]?.value ?? { kind: "missing", reason: "" })).toMatch(/^\d+\.\d\d kWh$/);
      }
    }
  });

  it("fails as told: garbled when read, absent when opened, timeout when slower than its timeout", async () => {
    const clock = manualClock();
    const garbled: Device = await meter.open(meter.settings.parse({ failing: "garbled" }), env(clock), never);
    const first = garbled.read?.(askAll, never)[Symbol.asyncIterator]();
    await expect(first?.next()).rejects.toMatchObject({ kind: "garbled" });
    const absent = meter.open(meter.settings.parse({ failing: "absent" }), env(clock), never);
    await expect(absent).rejects.toBeInstanceOf(DeviceFault);
    const slow: Device = await meter.open(meter.settings.parse({ latencyMs: 5_000 }), env(clock), never);
    const second = slow.read?.(askAll, never)[Symbol.asyncIterator]().next();
    second?.catch(() => {});
    await clock.advance(2_000);
    await expect(second).rejects.toMatchObject({ kind: "timeout" });
  });
});
