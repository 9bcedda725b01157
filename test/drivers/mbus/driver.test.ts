// The M-Bus driver through the suite every driver passes, its settings, and a serial line over a pseudo terminal.

import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Env } from "#contract/driver.ts";
import { parseAddress } from "#drivers/mbus/address.ts";
import { mbusDriver, mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { heatMeter } from "#lab/mbus-meter.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { driverSuite } from "../../support/driver-suite.ts";
import { fieldOf, never, openBench, readAll } from "./bench.ts";

const bench = async (address: string) => {
  const one = await openBench();
  return {
    nodeType: mbusNodeTypes.meter,
    settings: { address },
    parent: one.line,
    clock: one.clock,
    pass: (ms: number) => one.clock.advance(ms),
    silence(silent: boolean) {
      for (const meter of one.converter.meters) meter.behaviour = silent ? ("silent" as const) : ("normal" as const);
    },
    overlap: () => one.converter.overlap,
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
};

driverSuite("mbus", () => bench("5"));
driverSuite("mbus, secondary address", () => bench("30100608"));

it("0.9, 1.1: a meter on a real serial port, until it is unplugged", async () => {
  await using terminal = await openPseudoTerminal();
  const meter = heatMeter({ id: "30100608", primary: 5, clock: systemClock });
  terminal.onData(request => {
    const answer = meter.answer(request);
    if (answer !== undefined) terminal.write(answer);
  });
  const owned: string[] = [];
  const env = <P>(parent: P): Env<P> => ({
    clock: systemClock,
    log: silentLog,
    parent,
    own(line) {
      owned.push(line);
      return { [Symbol.dispose]: () => void owned.pop() };
    },
    timeZone: "Europe/Berlin",
  });
  const { serial, meter: meterType } = mbusNodeTypes;
  const line = await serial.open(serial.settings.parse({ serialDevice: terminal.path }), env(undefined), never);
  expect(owned).toEqual([`serial:${terminal.path}`]);
  const device = await meterType.open(meterType.settings.parse({ address: "5" }), env(line), never);
  expect(fieldOf(await readAll(device), "Energy")?.value).toMatchObject({ value: 18_437, unit: "kWh" });
  meter.behaviour = "silent";
  const reading = readAll(device);
  reading.catch(() => {});
  await terminal[Symbol.asyncDispose]();
  await expect(reading).rejects.toMatchObject({ kind: "unreachable" });
  expect((await line.closed)?.message).toContain("went away");
  await line[Symbol.asyncDispose]();
  expect(owned).toEqual([]);
});

describe("settings", () => {
  it.each([
    ["0", { kind: "primary", address: 0 }],
    ["250", { kind: "primary", address: 250 }],
    ["251", undefined],
    ["30100608", { kind: "secondary", digits: "30100608FFFFFFFF" }],
    ["3010F6082d2c", { kind: "secondary", digits: "3010F6082D2CFFFF" }],
    ["068558172D2C0804", { kind: "secondary", digits: "068558172D2C0804" }],
    ["3010060", undefined],
    ["heat", undefined],
  ])("M-Bus 1.1, 1.4: address %s", (text, expected) => {
    expect(parseAddress(text)).toEqual(expected);
    expect(mbusNodeTypes.meter.settings.safeParse({ address: text }).success).toBe(expected !== undefined);
  });

  it("1.2: defaults spare the meters: 15 minutes, 2400 Bd, even parity, margins for real lines", () => {
    expect(mbusNodeTypes.meter.settings.parse({ address: "1" }).pollSeconds).toBe(900);
    expect(mbusNodeTypes.serial.settings.parse({ serialDevice: "/dev/ttyUSB0" })).toMatchObject({
      baudRate: 2400,
      parity: "even",
      answerMarginMs: 500,
    });
    expect(mbusNodeTypes.tcp.settings.parse({ host: "10.0.0.7" })).toMatchObject({
      port: 10_001,
      answerMarginMs: 1500,
    });
  });

  it("tags are what the settings say and nothing else", () => {
    const settings = mbusNodeTypes.meter.settings.parse({ address: "5", class: "Heat", serialNumber: "30100608" });
    expect(mbusNodeTypes.meter.tags?.(settings)).toEqual([
      { name: "CLASS", value: "Heat" },
      { name: "SN", value: "30100608" },
    ]);
    expect(mbusDriver.nodeTypes.map(type => type.name)).toEqual(["mbus.serial", "mbus.tcp", "mbus.udp", "mbus.meter"]);
  });

  it("1.12: a key is 32 hexadecimal digits or none", () => {
    const accepts = (key: string) => mbusNodeTypes.meter.settings.safeParse({ address: "5", key }).success;
    expect([accepts(""), accepts("00112233445566778899aabbccddeeff"), accepts("001122")]).toEqual([true, true, false]);
  });
});
