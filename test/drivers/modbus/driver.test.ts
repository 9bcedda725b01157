// The node types from settings to fields, over real sockets against a simulated meter and unit; and the suite of all drivers.

import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { ControlValue } from "#contract/control.ts";
import type { Device } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, askAll, categories, type Field, formatValue } from "#contract/field.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { createLine, type ModbusLine } from "#drivers/modbus/line.ts";
import { rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import type { ModbusUnit } from "#drivers/modbus/unit.ts";
import { createLabMeter } from "#lab/modbus-meter.ts";
import { serveRtu } from "#lab/modbus-serial.ts";
import { type LabServer, startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { bytePipe } from "../../support/byte-pipe.ts";
import { driverSuite } from "../../support/driver-suite.ts";
import { manualClock } from "../../support/manual-clock.ts";

const never = new AbortController().signal;

const nodeType = (name: string) => {
  const found = modbusDriver.nodeTypes.find(type => type.name === name);
  if (!found) throw new Error(`no node type ${name}`);
  return found;
};

async function open<D extends Device>(
  name: string,
  settings: object,
  parent?: Device,
  owned: string[] = [],
  clock: Clock = systemClock,
): Promise<D> {
  const type = nodeType(name);
  const env = {
    clock,
    log: silentLog,
    parent,
    timeZone: "UTC",
    own(key: string) {
      if (owned.includes(key)) throw new DeviceFault("unreachable", `${key} is in use`);
      owned.push(key);
      return { [Symbol.dispose]: () => void owned.splice(owned.indexOf(key), 1) };
    },
  };
  return (await type.open(type.settings.parse(settings), env, never)) as D;
}

async function fields(device: Device, ask: Ask = askAll): Promise<Field[]> {
  const all: Field[] = [];
  for await (const sample of device.read?.(ask, never) ?? []) all.push(...sample.fields);
  return all;
}

const shown = (all: Field[]) => Object.fromEntries(all.map(field => [field.name, formatValue(field.value)]));

interface Bench extends AsyncDisposable {
  server: LabServer;
  unit: LabUnit;
  line: ModbusLine;
}

async function bench(timeoutMs = 200): Promise<Bench> {
  const server = await startModbusServer(systemClock);
  const unit = createLabUnit();
  server.units.set(1, unit);
  server.units.set(2, createLabMeter(systemClock));
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port, timeoutMs });
  return {
    server,
    unit,
    line,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("a unit with a profile", () => {
  it("gives the fields of an SDM630 in few reads, with unit, decimals, category and quality", async () => {
    await using site = await bench();
    const meter = await open<ModbusUnit>("modbus.unit", { address: 2, profile: "eastron-sdm630" }, site.line);
    const all = await fields(meter);
    expect(all).toHaveLength(52);
    expect(shown(all)).toMatchObject({
      Power: "2300 W",
      Energy: expect.stringMatching(/^1843\.7\d* kWh$/),
      "Voltage, L1": "230.1 V",
      Frequency: "50.02 Hz",
    });
    const energy = all.find(({ name }) => name === "Energy");
    expect(energy).toMatchObject({ categories: categories("momentary"), quality: { automaticReadout: true } });
    expect(site.server.requestCount).toBeLessThanOrEqual(12);
  });

  it("touches only what was asked, and nothing for a time that is past", async () => {
    await using site = await bench();
    const meter = await open<ModbusUnit>("modbus.unit", { address: 2, profile: "eastron-sdm630" }, site.line);
    expect(Object.keys(shown(await fields(meter, { ...askAll, names: ["Energy"] })))).toEqual(["Energy"]);
    expect(site.server.requestCount).toBe(1);
    expect(await fields(meter, { ...askAll, to: systemClock.now() - 1_000 })).toEqual([]);
    expect(await fields(meter, { ...askAll, categories: categories("historical") })).toEqual([]);
    expect(site.server.requestCount).toBe(1);
  });
});

describe("registers below a unit", () => {
  const register = (settings: object, parent: Device) => open("modbus.register", settings, parent);

  it("are read by themselves, and with the unit in one block", async () => {
    await using site = await bench();
    site.unit.setWords("holding", 10, [0xff38, 0x0001, 0x86a0, 3]);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    const supply = await register(
      { fieldName: "Supply Temperature", address: 10, type: "int16", scale: 0.1, unit: "Cel" },
      unit,
    );
    await register({ fieldName: "Volume", address: 11, type: "uint32", scale: 0.001, unit: "m3" }, unit);
    await register(
      { fieldName: "Mode", address: 13, type: "enum", names: "0=Off; 3=Heating", category: "status" },
      unit,
    );
    expect(shown(await fields(supply))).toEqual({ "Supply Temperature": "-20.0 Cel" });
    const before = site.unit.requests.length;
    const all = await fields(unit);
    expect(shown(all)).toEqual({ "Supply Temperature": "-20.0 Cel", Volume: "100.000 m3", Mode: "Heating" });
    expect(site.unit.requests.length - before).toBe(1);
    await supply[Symbol.asyncDispose]();
    expect(Object.keys(shown(await fields(unit)))).toEqual(["Volume", "Mode"]);
  });

  it("what the unit marks as no value, or a code without a name, is missing with a reason, never 0", async () => {
    await using site = await bench();
    site.unit.setWords("holding", 0, [0xffff, 0x7fc0, 0, 9, 0x1a34]);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    await register({ fieldName: "A", address: 0, noValue: "ffff" }, unit);
    await register({ fieldName: "B", address: 1, type: "float32" }, unit);
    await register({ fieldName: "C", address: 3, type: "enum", names: "0=Off" }, unit);
    await register({ fieldName: "D", address: 4, type: "bcd16" }, unit);
    for (const field of await fields(unit)) {
      expect(field.value.kind, field.name).toBe("missing");
      expect(field.quality).toEqual({ missing: true });
    }
  });

  it("64-bit counters keep their last digit", async () => {
    await using site = await bench();
    site.unit.setWords("holding", 0, [0x7fff, 0xffff, 0xffff, 0xfffe]);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    await register({ fieldName: "Counter", address: 0, type: "uint64" }, unit);
    await register({ fieldName: "Energy", address: 0, type: "uint64", unit: "Wh" }, unit);
    expect(shown(await fields(unit))).toEqual({ Counter: "9223372036854775806", Energy: "9223372036854775806 Wh" });
  });

  it("one register that does not exist costs its own field and no other, and is not asked for again", async () => {
    await using site = await bench();
    site.unit.setWords("holding", 0, [1, 2, 3, 4, 5]);
    site.unit.setWords("holding", 6, [7, 8]);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    for (let address = 0; address < 8; address++) await register({ fieldName: `R${address}`, address }, unit);
    const expected = { R0: "1", R1: "2", R2: "3", R3: "4", R4: "5", R6: "7", R7: "8" };
    const first = await fields(unit);
    expect(shown(first)).toMatchObject({ ...expected, R5: expect.stringContaining("illegal data address") });
    expect(first.find(({ name }) => name === "R5")?.quality).toEqual({ missing: true, error: true });
    const before = site.unit.requests.length;
    expect(shown(await fields(unit))).toMatchObject(expected);
    expect(site.unit.requests.length - before).toBeLessThanOrEqual(4);
    expect(site.unit.requests.slice(before).every(pdu => !(pdu[2] === 5 && pdu[4] === 1))).toBe(true);
  });

  it("a limit lower than printed is learnt by halving", async () => {
    await using site = await bench();
    site.unit.wordsMax = 50;
    for (let n = 0; n < 80; n++) site.unit.set("holding", n, n);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    for (let n = 0; n < 80; n++) await register({ fieldName: `R${n}`, address: n }, unit);
    expect(Object.values(shown(await fields(unit)))).toEqual(Array.from({ length: 80 }, (_, n) => String(n)));
    const before = site.unit.requests.length;
    await fields(unit);
    expect(site.unit.requests.length - before).toBe(2);
  });

  it("coils and discrete inputs are booleans", async () => {
    await using site = await bench();
    site.unit.set("coil", 3, 1);
    site.unit.set("discrete", 4, 0);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    await open("modbus.coil", { fieldName: "Pump", address: 3 }, unit);
    await open("modbus.input", { fieldName: "Door", address: 4 }, unit);
    expect(shown(await fields(unit))).toEqual({ Pump: "true", Door: "false" });
  });
});

describe("control parameters", () => {
  const writable = async (site: Bench, settings: object) => {
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    const node = await open("modbus.register", { fieldName: "Set Point", writable: true, ...settings }, unit);
    const parameter = node.parameters?.[0];
    if (!parameter) throw new Error("not writable");
    expect(unit.parameters?.map(({ name }) => name)).toEqual(["Set Point"]);
    return parameter;
  };
  const setPoint = { address: 5, type: "int16", scale: 0.5, unit: "Cel", min: 5, max: 30 };
  const double = (value: number): ControlValue => ({ kind: "double", value });

  it("a written value is read back and confirmed, raw with raw", async () => {
    await using site = await bench();
    site.unit.set("holding", 5, 40);
    const parameter = await writable(site, setPoint);
    expect(parameter).toMatchObject({ kind: "double", unit: "Cel", min: 5, max: 30 });
    expect(await parameter.get?.(never)).toEqual(double(20));
    expect(await parameter.set(double(21.5), never)).toBe("confirmed");
    expect(site.unit.get("holding", 5)).toBe(43);
  });

  it("every word order writes what it reads", async () => {
    await using site = await bench();
    for (const wordOrder of ["ABCD", "CDAB", "BADC", "DCBA"]) {
      for (const [type, value] of [
        ["int32", -123456],
        ["float32", 1.5],
        ["uint64", 5_000_000_000],
      ] as const) {
        site.unit.setWords("holding", 5, [0, 0, 0, 0]);
        const parameter = await writable(site, { address: 5, type, wordOrder, unit: "W" });
        expect(await parameter.set(double(value), never)).toBe("confirmed");
        expect(await parameter.get?.(never), `${type} ${wordOrder}`).toEqual(double(value));
      }
    }
  });

  it("what does not fit is refused before anything is sent", async () => {
    await using site = await bench();
    site.unit.set("holding", 5, 40);
    const parameter = await writable(site, setPoint);
    await expect(parameter.set(double(21.3), never)).rejects.toThrow("21.3 is not a multiple of 0.5");
    await expect(parameter.set(double(1e6), never)).rejects.toThrow("1000000 is more than 30");
    expect(site.unit.requests).toHaveLength(0);
  });

  it("a unit that takes only function 16, one that refuses, one that ignores, and one that cannot be read back", async () => {
    await using site = await bench();
    site.unit.set("holding", 5, 40);
    const parameter = await writable(site, setPoint);
    site.unit.unknownFunctions.add(6);
    expect(await parameter.set(double(20.5), never)).toBe("confirmed");
    site.unit.unknownFunctions.add(16);
    await expect(parameter.set(double(21), never)).rejects.toMatchObject({ kind: "refused" });
    site.unit.unknownFunctions.clear();
    site.unit.unknownFunctions.add(3);
    expect(await parameter.set(double(22), never)).toBe("unconfirmed");
    site.unit.unknownFunctions.clear();
    site.unit.set("holding", 6, 1);
    // Whatever is written, the register goes on showing the same.
    const answer = site.unit.answer;
    site.unit.answer = pdu => {
      const reply = answer(pdu);
      site.unit.set("holding", 5, 44);
      return reply;
    };
    await expect(parameter.set(double(25), never)).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("reads back 002c instead of 0032"),
    });
  });

  it("a write whose answer is lost is confirmed by reading back, or fails; it is never sent twice", async () => {
    await using site = await bench();
    site.unit.set("holding", 5, 40);
    const parameter = await writable(site, setPoint);
    site.server.next({ silent: true });
    expect(await parameter.set(double(23), never)).toBe("confirmed");
    expect(site.unit.requests.filter(pdu => pdu[0] === 6)).toHaveLength(1);
    site.unit.silent = true;
    await expect(parameter.set(double(24), never)).rejects.toMatchObject({ kind: "timeout" });
  });

  it("a coil", async () => {
    await using site = await bench();
    site.unit.set("coil", 0, 0);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    const pump = await open("modbus.coil", { fieldName: "Pump", address: 0, writable: true }, unit);
    expect(await pump.parameters?.[0]?.set({ kind: "boolean", value: true }, never)).toBe("confirmed");
    expect(site.unit.get("coil", 0)).toBe(1);
  });
});

describe("lines", () => {
  it("an address has one owner, and is given back with the line or when opening fails", async () => {
    await using server = await startModbusServer(systemClock);
    const owned: string[] = [];
    const settings = { host: "127.0.0.1", port: server.port };
    const line = await open("modbus.tcp", settings, undefined, owned);
    await expect(open("modbus.rtu-tcp", settings, undefined, owned)).rejects.toMatchObject({ kind: "unreachable" });
    await line[Symbol.asyncDispose]();
    expect(owned).toEqual([]);
    await server[Symbol.asyncDispose]();
    await expect(open("modbus.tcp", settings, undefined, owned)).rejects.toMatchObject({ kind: "unreachable" });
    await expect(
      open("modbus.rtu", { serialDevice: "/dev/serial/by-id/absent" }, undefined, owned),
    ).rejects.toMatchObject({ kind: "unreachable" });
    expect(owned).toEqual([]);
  });

  it("closing a line ends a request that waits out a pause", async () => {
    await using server = await startModbusServer(systemClock);
    const settings = { host: "127.0.0.1", port: server.port, gapMs: 5_000, timeoutMs: 50 };
    const line = await open<ModbusLine>("modbus.rtu-tcp", settings);
    const ask = () => line.unit(1, 0).ask({ function: 6, address: 0, value: 1 }, "control", never);
    await expect(ask()).rejects.toMatchObject({ kind: "timeout" });
    const waiting = ask().catch(error => error);
    await systemClock.sleep(20, never);
    await line[Symbol.asyncDispose]();
    expect(await waiting).toMatchObject({ kind: "unreachable" });
  });

  it("a real serial port: read, written, unplugged", async () => {
    await using terminal = await openPseudoTerminal();
    const slave = serveRtu(terminal, systemClock);
    const meter = createLabMeter(systemClock);
    meter.setWords("holding", 5, [1]);
    slave.units.set(3, meter);
    const owned: string[] = [];
    const settings = { serialDevice: terminal.path, baudRate: 19_200, parity: "even" };
    await using line = await open<ModbusLine>("modbus.rtu", settings, undefined, owned);
    expect(owned).toEqual([`serial:${terminal.path}`]);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 3, profile: "eastron-sdm630" }, line);
    expect(shown(await fields(unit))).toMatchObject({ Power: "2300 W", Frequency: "50.02 Hz" });
    const node = await open("modbus.register", { fieldName: "Set Point", address: 5, writable: true }, unit);
    expect(await node.parameters?.[0]?.set({ kind: "int32", value: 7 }, never)).toBe("confirmed");
    // Expected before it happens: a rejection nobody waits for yet would be reported as unhandled.
    const lost = expect(fields(unit)).rejects.toMatchObject({ kind: "unreachable" });
    await terminal[Symbol.asyncDispose]();
    await lost;
    expect(await line.closed).toMatchObject({ message: expect.stringContaining("went away") });
  });

  it("one block without an answer is missing with a reason; the others have their values", async () => {
    await using site = await bench(60);
    site.unit.set("holding", 0, 1);
    site.unit.set("input", 0, 2);
    const unit = await open<ModbusUnit>("modbus.unit", { address: 1 }, site.line);
    await open("modbus.register", { fieldName: "H", address: 0 }, unit);
    await open("modbus.register", { fieldName: "I", address: 0, table: "input" }, unit);
    const silent = "unit 1: no answer within 60 ms: check the address, the wiring and the unit";
    site.server.next({}, { silent: true }, { silent: true }, { silent: true });
    const all = await fields(unit);
    expect(shown(all)).toEqual({
      H: "1",
      I: `no value (${silent} (resting between tries))`,
    });
    expect(all[1]?.quality).toEqual({ missing: true, error: true });
    // Nothing at all is a fault of the device, not a list of empty fields.
    await expect(fields(unit)).rejects.toThrow(`${silent} (resting between tries)`);
    expect(unit.describe?.()[0]).toMatchObject({
      id: "state",
      value: { value: expect.stringMatching(/^resting, next try in \d+ s$/) },
    });
  });
});

it("tags are what the label says, and beside it what the profile knows", () => {
  const type = nodeType("modbus.unit");
  const tags = (settings: object) => type.tags?.(type.settings.parse(settings));
  expect(tags({ address: 1 })).toEqual([{ name: "CLASS", value: "Device" }]);
  expect(tags({ address: 1, profile: "eastron-sdm630", serialNumber: "4711" })).toEqual([
    { name: "CLASS", value: "ElectricityMeter" },
    { name: "MAN", value: "Eastron" },
    { name: "MODEL", value: "SDM630" },
    { name: "SN", value: "4711" },
  ]);
  expect(tags({ address: 1, profile: "eastron-sdm630", class: "HeatPump", model: "SDM630 V2" })).toMatchObject([
    { value: "HeatPump" },
    { value: "Eastron" },
    { value: "SDM630 V2" },
  ]);
});

driverSuite("modbus.unit over TCP", async () => {
  const clock = manualClock();
  const server = await startModbusServer(clock);
  const meter = createLabMeter(clock);
  server.units.set(2, meter);
  // On the clock that stands still: whatever is asked meanwhile overlaps.
  server.always = { delayMs: 20 };
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port }, undefined, [], clock);
  return {
    nodeType: nodeType("modbus.unit"),
    settings: { address: 2, profile: "eastron-sdm630" },
    parent: line,
    clock,
    pass: clock.advance,
    silence(silent) {
      meter.silent = silent;
    },
    overlap: () => server.overlapMax,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});

driverSuite("modbus.unit on a serial line", async () => {
  const clock = manualClock();
  const pipe = bytePipe("rs485");
  const slave = serveRtu(pipe.far, clock);
  const meter = createLabMeter(clock);
  slave.units.set(1, meter);
  slave.always = { delayMs: 20 };
  const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 20, baudRate: 9600 };
  const session = createSerialSession(pipe.near, rtu, timing, clock);
  const line = createLine(session, clock, silentLog);
  return {
    nodeType: nodeType("modbus.unit"),
    settings: { address: 1, profile: "eastron-sdm630" },
    parent: line,
    clock,
    pass: clock.advance,
    silence(silent) {
      meter.silent = silent;
    },
    overlap: () => slave.overlapMax,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await slave[Symbol.asyncDispose]();
    },
  };
});
