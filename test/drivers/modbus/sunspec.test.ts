// SunSpec devices from settings to fields and control, over a real socket against a simulated unit that holds the register images.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device } from "#contract/driver.ts";
import { type Ask, askAll, categories, type Field, formatValue } from "#contract/field.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import type { ModbusLine } from "#drivers/modbus/line.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { driverSuite } from "../../support/driver-suite.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { ask } from "../report-log.ts";

const never = new AbortController().signal;
const { devices } = JSON.parse(readFileSync(new URL("../../vectors/modbus/sunspec.json", import.meta.url), "utf8")) as {
  devices: { name: string; base: number; registers: string }[];
};

const imageOf = (name: string) => {
  const image = devices.find(one => one.name === name);
  if (image === undefined) throw new Error(`no image ${name}`);
  return { base: image.base, words: (image.registers.match(/.{4}/g) ?? []).map(word => Number.parseInt(word, 16)) };
};

const typeOf = (name: string) => {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  if (type === undefined) throw new Error(`no type ${name}`);
  return type;
};

async function open<D extends Device>(
  name: string,
  settings: object,
  parent?: Device,
  clock: Clock = systemClock,
): Promise<D> {
  const type = typeOf(name);
  const env = {
    clock,
    log: silentLog,
    parent,
    timeZone: "UTC",
    own: () => ({ [Symbol.dispose]() {} }),
  };
  return (await type.open(type.settings.parse(settings), env, never)) as D;
}

async function bench(image = "three-phase-integer", settings: object = {}) {
  const server = await startModbusServer(systemClock);
  const unit = createLabUnit();
  const { base, words } = imageOf(image);
  unit.setWords("holding", base, words);
  server.units.set(1, unit);
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port, timeoutMs: 200 });
  const device = await open<Device>("modbus.sunspec", settings, line);
  return {
    server,
    unit,
    line,
    device,
    base,
    words,
    async [Symbol.asyncDispose]() {
      await device[Symbol.asyncDispose]();
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function fields(device: Device, asked: Ask = askAll): Promise<Field[]> {
  const all: Field[] = [];
  for await (const sample of device.read?.(asked, never) ?? []) all.push(...sample.fields);
  return all;
}
const shown = (all: Field[]) => Object.fromEntries(all.map(field => [field.name, formatValue(field.value)]));

/** Moves what the unit holds: a new firmware has its map elsewhere. */
function move(unit: LabUnit, words: readonly number[], from: number, to: number): void {
  for (let n = 0; n < words.length; n++) unit.remove("holding", from + n);
  unit.setWords("holding", to, words);
}

const readsOf = (unit: LabUnit) =>
  unit.requests.filter(pdu => pdu[0] === 3).map(pdu => [(pdu[1] ?? 0) * 256 + (pdu[2] ?? 0), pdu[4]]);

describe("reading", () => {
  it("values come with the scale factor of the same request, in the units all devices have", async () => {
    await using it = await bench();
    const all = await fields(it.device);
    expect(shown(all)).toMatchObject({
      Manufacturer: "Example Energy",
      Model: "X3",
      "Serial Number": "A1",
      Current: "23.02 A",
      "Current, L1": "46.62 A",
      "Voltage, L2-L3": "3711.8 V",
      "Power, Export": "-9142 W",
      "Power Factor": "-0.8049",
      "Energy, Export": "472.25720 kWh",
      "Temperature, Cabinet": "-192.25 Cel",
      "Operating State": "SLEEPING",
      Events: "DC_OVER_VOLT, CABINET_OPEN",
      "Power Rating": "27691 W",
      "Charging Power Rating": "234250 W",
      "Power, DC, Module 1": "848.6 W",
      "Current, DC, Module 2": "411.25 A",
      "Input Name, Module 2": "UV260",
    });
    // The scale factor of each model came in one read with its values: one read a model once the map is known.
    const before = it.unit.requests.length;
    await fields(it.device);
    expect(readsOf(it.unit).slice(before)).toEqual([
      [40_002, 67],
      [40_070, 52],
      [40_122, 27],
      [40_150, 50],
    ]);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });

  it("a scale factor that moves between two readings changes no value", async () => {
    await using it = await bench();
    const [current, scale] = [40_070 + 2, 40_070 + 6];
    it.unit.setWords("holding", current, [1234]);
    it.unit.setWords("holding", scale, [0xfffe]);
    expect(shown(await fields(it.device)).Current).toBe("12.34 A");
    it.unit.setWords("holding", current, [12]);
    it.unit.setWords("holding", scale, [0]);
    expect(shown(await fields(it.device)).Current).toBe("12 A");
  });

  it("what is not implemented is missing with a reason and never 0; an inverter asleep too", async () => {
    await using it = await bench();
    const all = await fields(it.device);
    const options = all.find(({ name }) => name === "Options");
    expect(options).toMatchObject({ value: { kind: "missing" }, quality: { missing: true } });
    for (let n = 2; n < 52; n++)
      it.unit.set("holding", 40_070 + n, n < 33 && [7, 13].includes(n) === false ? 0xffff : 0x8000);
    const asleep = await fields(it.device);
    const ac = asleep.filter(
      ({ name }) => /^(Current|Voltage|Frequency|Temperature)/.test(name) && !/Module|Rating/.test(name),
    );
    expect(ac.length).toBeGreaterThan(8);
    expect(new Set(ac.map(({ value }) => value.kind))).toEqual(new Set(["missing"]));
  });

  it("asked for one field it reads one model, and nothing for a time that is past", async () => {
    await using it = await bench();
    await fields(it.device);
    const before = it.unit.requests.length;
    expect(Object.keys(shown(await fields(it.device, { ...askAll, names: ["Frequency"] })))).toEqual(["Frequency"]);
    expect(it.unit.requests.length - before).toBe(1);
    expect(await fields(it.device, { ...askAll, to: systemClock.now() - 1_000 })).toEqual([]);
    const identity = await fields(it.device, { ...askAll, categories: categories("identity") });
    expect(identity.map(({ name }) => name)).toContain("Serial Number");
    expect(identity.every(one => one.categories.identity)).toBe(true);
  });

  it("a base that moved with a new firmware is found again, in the same readout", async () => {
    await using it = await bench();
    await fields(it.device);
    move(it.unit, it.words, 40_000, 50_000);
    expect(shown(await fields(it.device)).Current).toBe("23.02 A");
  });

  it("another model where one was: nothing is read as what it is not", async () => {
    await using it = await bench();
    await fields(it.device);
    const { words } = imageOf("mppt-3-float-112");
    move(it.unit, words, 40_000, 40_000);
    const all = shown(await fields(it.device));
    expect(all.Current).toBe("661.106 A");
    expect(all["Operating State"]).toBe("FAULT");
  });

  it.each([39_999, 49_999, 1])("a map that begins at %i is found: off by one", async base => {
    await using it = await bench();
    move(it.unit, it.words, 40_000, base);
    expect(shown(await fields(it.device)).Model).toBe("X3");
  });

  it("another base where the settings say so, and no other then", async () => {
    await using it = await bench("three-phase-integer", { base: 1_000 });
    await expect(fields(it.device)).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("no SunSpec map"),
    });
    move(it.unit, it.words, 40_000, 1_000);
    expect(shown(await fields(it.device)).Model).toBe("X3");
  });

  it("a unit without a map says so; a silent one is asked at one base only", async () => {
    await using it = await bench();
    for (let n = 0; n < it.words.length; n++) it.unit.remove("holding", 40_000 + n);
    await expect(fields(it.device)).rejects.toThrow("no SunSpec map");
    it.unit.silent = true;
    const before = it.unit.requests.length;
    await expect(fields(it.device)).rejects.toMatchObject({ kind: "timeout" });
    expect(it.unit.requests.length).toBe(before);
  });

  it("one model that answers nothing costs its own fields, and the others are kept", async () => {
    await using it = await bench();
    await fields(it.device);
    const answer = it.unit.answer;
    it.unit.answer = pdu => ((pdu[1] ?? 0) * 256 + (pdu[2] ?? 0) === 40_122 ? Uint8Array.of(3, 0) : answer(pdu));
    const all = await fields(it.device);
    expect(shown(all).Current).toBe("23.02 A");
    expect(all.find(({ name }) => name === "Power Rating")).toMatchObject({
      value: { kind: "missing" },
      quality: { missing: true, error: true },
    });
  });

  it("short reads: a model longer than the unit allows comes in parts, each value with its scale", async () => {
    await using it = await bench("der-701-713", { wordsMax: 125 });
    it.unit.wordsMax = 125;
    const wide = shown(await fields(it.device));
    expect(wide).toMatchObject({
      "Reactive Power": "-124950 var",
      "Energy, Export": "25435373897006.85 kWh",
      "State of Charge": "352.70 %",
    });
    await using narrow = await bench("der-701-713", { wordsMax: 30 });
    narrow.unit.wordsMax = 30;
    expect(shown(await fields(narrow.device))).toEqual(wide);
  });

  it("a scale factor too far away is read before and after; one that moved meanwhile makes its values missing", async () => {
    await using it = await bench("der-701-713", { wordsMax: 30 });
    await fields(it.device);
    const answer = it.unit.answer;
    const scale = 40_070 + 119;
    let asked = 0;
    it.unit.answer = pdu => {
      const from = (pdu[1] ?? 0) * 256 + (pdu[2] ?? 0);
      if (pdu[0] === 3 && from <= scale && from + (pdu[4] ?? 0) > scale && asked++ > 0)
        it.unit.set("holding", scale, 0);
      return answer(pdu);
    };
    const all = await fields(it.device);
    expect(shown(all)["Reactive Power"]).toContain("its scale factor changed while it was read");
  });
});

describe("control", () => {
  /** Model 123 behind the others: limits the power. */
  async function limited() {
    const it = await bench();
    const end = 40_000 + it.words.length - 2;
    const controls = [0, 0, 1, 800, 0, 0, 0, 0, 1000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xffff, 0xfffd, 0];
    it.unit.setWords("holding", end, [123, 24, ...controls, 0xffff, 0]);
    await fields(it.device);
    const parameter = (name: string) => {
      const found = it.device.parameters?.find(one => one.name === name);
      if (found === undefined) throw new Error(`no parameter ${name}`);
      return found;
    };
    return { ...it, end, parameter, [Symbol.asyncDispose]: it[Symbol.asyncDispose] };
  }

  it("what the model says may be written is written with its scale, and read back", async () => {
    await using it = await limited();
    const limit = it.parameter("Power Limit");
    expect(limit).toMatchObject({ kind: "double", unit: "%" });
    expect(await limit.get?.(never)).toEqual({ kind: "double", value: 80 });
    expect(await limit.set({ kind: "double", value: 62.5 }, never)).toBe("confirmed");
    expect(it.unit.get("holding", it.end + 5)).toBe(625);
    const enabled = it.parameter("Power Limit, Enabled");
    expect(enabled).toMatchObject({ kind: "enum", options: ["DISABLED", "ENABLED"] });
    expect(await enabled.set({ kind: "enum", value: "ENABLED", type: "" }, never)).toBe("confirmed");
    expect(it.unit.get("holding", it.end + 9)).toBe(1);
    expect(shown(await fields(it.device))).toMatchObject({
      "Power Limit": "62.5 %",
      "Power Limit, Enabled": "ENABLED",
    });
  });

  it("what does not fit the scale or the register is refused, and nothing is sent", async () => {
    await using it = await limited();
    const limit = it.parameter("Power Limit");
    await expect(limit.set({ kind: "double", value: 62.55 }, never)).rejects.toThrow("62.55 is not a multiple of 0.1");
    await expect(limit.set({ kind: "double", value: 6553.5 }, never)).rejects.toThrow("does not fit");
    await expect(limit.set({ kind: "double", value: -1 }, never)).rejects.toThrow("does not fit");
    await expect(it.parameter("Connection").set({ kind: "enum", value: "MAYBE", type: "" }, never)).rejects.toThrow(
      "not in the list",
    );
    expect(it.unit.requests.some(pdu => pdu[0] === 16)).toBe(false);
  });

  it("after the map moved it is written where the model is now, and never where it was", async () => {
    await using it = await limited();
    const all = Array.from({ length: it.words.length + 26 }, (_, n) => it.unit.get("holding", 40_000 + n) ?? 0);
    move(it.unit, all, 40_000, 50_000);
    it.unit.setWords(
      "holding",
      40_000,
      all.map(() => 7),
    );
    it.unit.setWords("holding", 40_000, [1, 2]);
    expect(await it.parameter("Power Limit").set({ kind: "double", value: 50 }, never)).toBe("confirmed");
    expect(it.unit.get("holding", it.end + 10_000 + 5)).toBe(500);
    expect(it.unit.get("holding", it.end + 5)).toBe(7);
  });

  it("a unit that ignores what it is told is found out", async () => {
    await using it = await limited();
    const answer = it.unit.answer;
    it.unit.answer = pdu => (pdu[0] === 16 ? Uint8Array.of(16, ...pdu.slice(1, 5)) : answer(pdu));
    await expect(it.parameter("Power Limit").set({ kind: "double", value: 10 }, never)).rejects.toMatchObject({
      kind: "refused",
    });
  });

  it("what the device does not implement, and its own address and networks, are not offered", async () => {
    await using it = await limited();
    const names = it.device.parameters?.map(({ name }) => name) ?? [];
    expect(names).not.toContain("Device Address");
    expect(names).not.toContain("Reactive Power Set Point, Enabled, Mode");
    expect(names).toContain("Connection");
  });
});

describe("the chain of models", () => {
  it("ends at its mark, at the last register, at a length of 0; unknown models are stepped over", async () => {
    await using it = await bench();
    const end = 40_000 + it.words.length - 2;
    it.unit.remove("holding", end);
    it.unit.remove("holding", end + 1);
    expect(shown(await fields(it.device)).Current).toBe("23.02 A");
    it.unit.setWords("holding", end, [65_000, 3, 1, 2, 3, 201, 0]);
    const { rows, messages } = await ask(it.device, "SunspecModels");
    expect(rows.map(row => row.slice(0, 2))).toEqual([
      [1, "Common"],
      [103, "Inverter (Three Phase)"],
      [120, "Nameplate"],
      [160, "Multiple MPPT Inverter Extension Model"],
      [65_000, "Not a published model"],
    ]);
    expect(messages).toEqual(["The list of models breaks off: model 201 has no length."]);
  });

  it("more than 200 models are no device", async () => {
    await using it = await bench();
    for (let n = 0; n < 300; n++) it.unit.setWords("holding", 41_000 + n * 3, [65_001, 1, 0]);
    it.unit.setWords("holding", 40_002, [65_001, 996]);
    const { messages } = await ask(it.device, "SunspecModels");
    expect(messages).toEqual(["The list of models breaks off: more than 200 models."]);
  });
});

describe("searching", () => {
  it("a search of the line shows which units are SunSpec devices, and who they are", async () => {
    await using it = await bench();
    const plain = createLabUnit();
    plain.set("holding", 0, 7);
    it.server.units.set(2, plain);
    const { rows, messages } = await ask(it.line, "ScanUnits", { from: 1, to: 2 });
    expect(rows).toEqual([
      [1, "refuses: exception 2 (illegal data address)", "Example Energy", "X3", "1.2.3", "map at 40000"],
      [2, "reads", undefined, undefined, undefined, undefined],
    ]);
    expect(messages).toEqual(["Add a SunSpec device as a node of that type: it says itself what it has."]);
  });

  it("a unit that is asked who it is says it by its common model", async () => {
    await using it = await bench();
    const { rows } = await ask(it.device, "Identify");
    expect(rows).toEqual([
      ["SunSpec map at", 40_000],
      ["Vendor", "Example Energy"],
      ["Product", "X3"],
      ["Revision", "1.2.3"],
      ["Serial number", "A1"],
    ]);
  });
});

driverSuite("modbus.sunspec", async () => {
  const clock = manualClock();
  const server = await startModbusServer(clock);
  const unit = createLabUnit();
  const { base, words } = imageOf("three-phase-integer");
  unit.setWords("holding", base, words);
  server.units.set(1, unit);
  // On the clock that stands still: whatever is asked meanwhile overlaps.
  server.always = { delayMs: 20 };
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port }, undefined, clock);
  return {
    nodeType: typeOf("modbus.sunspec"),
    settings: { address: 1 },
    parent: line,
    clock,
    pass: clock.advance,
    silence(silent) {
      unit.silent = silent;
    },
    overlap: () => server.overlapMax,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});
