import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Device } from "#contract/driver.ts";
import { drivers } from "#drivers/all.ts";
import { blueprintDriver } from "#drivers/blueprint/driver.ts";
import { driverSuite } from "../support/driver-suite.ts";
import { manualClock } from "../support/manual-clock.ts";

const [line, unit] = blueprintDriver.nodeTypes;
if (line === undefined || unit === undefined) throw new Error("the blueprint has a line and a unit");

driverSuite("blueprint", async () => {
  const clock = manualClock();
  const settings = line.settings.parse({ host: "converter" });
  const env = { clock, log: silentLog, parent: undefined, own: () => ({ [Symbol.dispose]() {} }), timeZone: "UTC" };
  const parent: Device = await line.open(settings, env, new AbortController().signal);
  return {
    nodeType: unit,
    settings: { address: 7 },
    parent,
    clock,
    pass: clock.advance,
    // Nothing is connected to it: a driver made of it has silence and overlap here.
    line: false,
    [Symbol.asyncDispose]: () => parent[Symbol.asyncDispose](),
  };
});

describe("the list of drivers", () => {
  it("offers node types of distinct names, each below a type that exists, and the blueprint is not among them", () => {
    const types = drivers.flatMap(driver => driver.nodeTypes);
    const names = types.map(type => type.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).not.toContain("blueprint.unit");
    for (const type of types) for (const parent of type.parents) expect(["", ...names]).toContain(parent);
    for (const driver of drivers) for (const type of driver.nodeTypes) expect(type.name).toMatch(`${driver.name}.`);
  });
});
