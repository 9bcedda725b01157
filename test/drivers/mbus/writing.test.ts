// Telling a meter what to be: what goes on the line, octet for octet, what it does, and what is claimed of it.

import { describe, expect, it } from "vitest";
import type { ControlParameter, ControlValue } from "#contract/control.ts";
import type { Device } from "#contract/driver.ts";
import { clockRecord, setDayRecord } from "#drivers/mbus/writing.ts";
import { ask, commandOf } from "../report-log.ts";
import { fieldOf, readAll } from "./bench.ts";
import { never, openWire, simpleMeter, type Wire } from "./wire.ts";

const parameter = (device: Device, name: string): ControlParameter => {
  const found = device.parameters?.find(one => one.name === name);
  if (found === undefined) throw new Error(`no parameter ${name}`);
  return found;
};
const set = (wire: Wire, device: Device, name: string, value: ControlValue) =>
  wire.settle(parameter(device, name).set(value, never));
const int = (value: number): ControlValue => ({ kind: "int32", value });

/** SND_UD frames that went out, without their envelope: C, A, CI, data. */
const told = (wire: Wire) =>
  wire.sent.filter(one => one.startsWith("68") && one.slice(8, 10) !== "40").map(one => one.slice(8, -4));

const clockAt = (wire: Wire) => {
  const at = () => new Date(wire.clock.now() + 3_600_000).toISOString().slice(0, 16);
  return Array.from(clockRecord(at()));
};

describe("M-Bus 1.13: writing", () => {
  it("is offered only where the node says so, octets only to experts", async () => {
    await using wire = openWire(() => [simpleMeter("11111111", { primary: 5 })]);
    const names = async (writing: string) => {
      const device = await wire.meter({ address: "5", writing });
      const commands = (device.commands ?? []).map(({ id }) => id);
      return [
        (device.parameters ?? []).length,
        commands.includes("ResetApplication"),
        commands.includes("WriteRecord"),
      ];
    };
    expect(await names("off")).toEqual([0, false, false]);
    expect(await names("settings")).toEqual([4, true, false]);
    expect(await names("expert")).toEqual([4, true, true]);
  });

  it("a primary address: 01 7A nn, confirmed by the meter that answers there", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5", writing: "settings" });
    expect(await set(wire, device, "Primary Address", int(17))).toBe("confirmed");
    expect(told(wire)).toEqual(["7305" + "51" + "017A11"]);
    expect(meter.primary).toBe(17);
    const bySelect = await wire.meter({ address: "11111111", writing: "settings" });
    expect(await set(wire, bySelect, "Primary Address", int(18))).toBe("confirmed");
    expect(meter.primary).toBe(18);
  });

  it("an address where somebody answers already is refused before anything is written", async () => {
    const meters = [simpleMeter("11111111", { primary: 5 }), simpleMeter("22222222", { primary: 6 })];
    await using wire = openWire(() => meters);
    const device = await wire.meter({ address: "5", writing: "settings" });
    await expect(set(wire, device, "Primary Address", int(6))).rejects.toMatchObject({ kind: "refused" });
    expect(told(wire)).toEqual([]);
    expect(meters.map(({ primary }) => primary)).toEqual([5, 6]);
  });

  it("a meter that acknowledges and stays as it is: refused, in words; one that is silent: a timeout", async () => {
    const meter = simpleMeter("11111111", { primary: 5, stubborn: true });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "11111111", writing: "settings" });
    await expect(set(wire, device, "Primary Address", int(9))).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("it acknowledged and did not do it: it says 5"),
    });
    meter.behaviour = "silent";
    await expect(set(wire, device, "Primary Address", int(9))).rejects.toMatchObject({ kind: "timeout" });
  });

  it("a lost acknowledgement decides nothing: what the meter says afterwards does", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "11111111", writing: "settings" });
    wire.bus.disturb = (answer, request) =>
      request[6] === 0x51 ? [{ afterMs: 0, bytes: Uint8Array.of(0xa5) }] : [{ afterMs: 0, bytes: answer }];
    expect(await set(wire, device, "Primary Address", int(9))).toBe("confirmed");
    expect(meter.primary).toBe(9);
  });

  it("an identification: 0C 79, found again under the new number; what is no number is refused", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "11111111", writing: "settings" });
    const text = (value: string): ControlValue => ({ kind: "string", value });
    expect(await set(wire, device, "Identification", text("00123456"))).toBe("confirmed");
    expect(told(wire)).toContain("73FD51" + "0C7956341200");
    expect(meter.identity.id).toBe("00123456");
    await expect(set(wire, device, "Identification", text("12A"))).rejects.toMatchObject({ kind: "refused" });
  });

  it("a clock: 04 6D in the meter's zone, confirmed where it tells its time, unconfirmed where it does not", async () => {
    const shows = simpleMeter("11111111", { primary: 5, telegrams: () => [Uint8Array.from(clockAt(wire))] });
    await using wire: Wire = openWire(() => [shows, simpleMeter("22222222", { primary: 6 })]);
    for (const [address, outcome] of [
      ["5", "confirmed"],
      ["6", "unconfirmed"],
    ] as const) {
      const device = await wire.meter({ address, writing: "settings" });
      expect(await set(wire, device, "Date and Time", { kind: "dateTime", value: wire.clock.now() })).toBe(outcome);
    }
    // 2 March 2031, 6 in the morning in Berlin.
    expect(told(wire)[0]).toBe("730551" + "046D0026E233");
    const off = await wire.meter({ address: "5", writing: "settings" });
    const value = wire.clock.now() + 86_400_000;
    await expect(set(wire, off, "Date and Time", { kind: "dateTime", value })).rejects.toMatchObject({
      kind: "refused",
    });
    const command = commandOf(off, "SynchroniseClock");
    if (command.kind === "simple") await wire.settle(command.execute(never));
    expect(told(wire)).toHaveLength(4);
  });

  it.each([
    ["2026-11-20T12:31", "04 6d 1f 2c 54 3b"],
    ["2000-01-01T00:00", "04 6d 00 20 01 01"],
    ["2080-12-31T23:59", "04 6d 3b 37 1f ac"],
  ])("type F of %s", (wall, octets) => {
    expect(Buffer.from(clockRecord(wall)).toString("hex")).toBe(octets.replaceAll(" ", ""));
  });

  it("a set day: 42 EC 7E, type G", async () => {
    expect(Buffer.from(setDayRecord("2026-12-31")).toString("hex")).toBe("42ec7e5f3c");
    const meter = simpleMeter("11111111", { primary: 5, telegrams: () => [setDayRecord("2026-12-31")] });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5", writing: "settings" });
    const day = (value: string): ControlValue => ({ kind: "date", value });
    expect(await set(wire, device, "Set Day", day("2026-12-31"))).toBe("confirmed");
    await expect(set(wire, device, "Set Day", day("2027-12-31"))).rejects.toMatchObject({ kind: "refused" });
    await expect(set(wire, device, "Set Day", day("1999-12-31"))).rejects.toMatchObject({ kind: "refused" });
  });

  it("a rationed meter is not read back: unconfirmed", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "11111111", writing: "settings", minIntervalSeconds: 4140 });
    expect(await set(wire, device, "Primary Address", int(9))).toBe("unconfirmed");
    expect(meter.readouts).toBe(0);
  });

  it("experts: any record as octets, and what became of it", async () => {
    const meter = simpleMeter("11111111", { primary: 5, telegrams: () => [Uint8Array.of(0x01, 0xfd, 0x0f, 7)] });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5", writing: "expert" });
    const same = await wire.settle(ask(device, "WriteRecord", { record: "01 FD 0F 07" }));
    expect(same.messages).toEqual(["The meter acknowledged, and says the same when it is read."]);
    const unseen = await wire.settle(ask(device, "WriteRecord", { record: "0x01FF0B2A" }));
    expect(unseen.messages).toEqual(["The meter acknowledged; it cannot be seen whether it did it."]);
    expect(meter.told).toEqual(["record 01FD0F07", "record 01FF0B2A"]);
    await expect(wire.settle(ask(device, "WriteRecord", { record: "01 FD 0F 08" }))).rejects.toMatchObject({
      kind: "refused",
    });
    for (const record of ["01", "heat", "0 1 2"])
      await expect(ask(device, "WriteRecord", { record })).rejects.toThrow();
  });

  it("application reset with and without a sub-code; all meters are told to keep their values", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter]);
    const device = await wire.meter({ address: "5", writing: "settings" });
    const reset = commandOf(device, "ResetApplication");
    if (reset.kind === "parameterized")
      for (const subCode of ["", "50"]) await wire.settle(reset.execute(reset.settings.parse({ subCode }), never));
    const freeze = commandOf(wire.line, "FreezeAll");
    if (freeze.kind === "simple") await wire.settle(freeze.execute(never));
    expect(meter.told).toEqual(["application ", "application 50", "freeze"]);
    expect(told(wire)).toEqual(["730550", "73055050", "73FF54"]);
  });
});

describe("M-Bus 1.5: baud rates", () => {
  const rate = (baudRate: number) => ({ baudRate });

  it("a meter is told another rate: E5 at the old, then it is heard at the new", async () => {
    for (const address of ["5", "11111111"]) {
      const meter = simpleMeter("11111111", { primary: 5 });
      await using wire = openWire(() => [meter], { paced: true });
      const device = await wire.meter({ address, writing: "settings" });
      const report = await wire.settle(ask(device, "SwitchBaudRate", rate(9600)));
      expect(report.messages[0]).toContain("talks at 9600 baud now");
      expect(meter.baudRate).toBe(9600);
      // The line itself is where it was, and the meter's node has to be told.
      expect(wire.bus.baudRate).toBe(2400);
      await expect(wire.settle(readAll(device))).rejects.toMatchObject({ kind: "timeout" });
      const there = await wire.meter({ address, baudRate: "9600" });
      expect(fieldOf(await wire.settle(readAll(there)), "Volume")).toBeDefined();
      expect(wire.bus.baudRate).toBe(2400);
    }
  });

  it("a meter that acknowledges and stays is found at its old rate; one that is lost is looked for and told", async () => {
    const stubborn = simpleMeter("11111111", { primary: 5, stubborn: true });
    await using wire = openWire(() => [stubborn], { paced: true });
    const device = await wire.meter({ address: "5", writing: "settings" });
    const report = await wire.settle(ask(device, "SwitchBaudRate", rate(9600)));
    expect(report.messages[0]).toContain("did not stay at 9600 baud, it talks at 2400");
    const gone = simpleMeter("11111111", { primary: 5 });
    await using other = openWire(() => [gone], { paced: true });
    other.bus.disturb = (answer, request) => {
      if (request[6] === 0xb8) gone.behaviour = "silent";
      return [{ afterMs: 0, bytes: answer }];
    };
    const lost = await other.meter({ address: "5", writing: "settings" });
    const told = await other.settle(ask(lost, "SwitchBaudRate", rate(300)));
    expect(told.messages).toEqual(["primary address 5: the meter is not heard at 300, 2400 baud"]);
    expect(other.bus.baudRate).toBe(2400);
  });

  it("a converter that keeps its rate offers none of this", async () => {
    await using wire = openWire(() => [simpleMeter("11111111", { primary: 5 })], { fixedRate: true });
    const device = await wire.meter({ address: "5", writing: "expert" });
    const ids = [...(device.commands ?? []), ...(wire.line.commands ?? [])].map(({ id }) => id);
    expect(ids.filter(id => id.includes("Baud"))).toEqual([]);
    const other = await wire.meter({ address: "5", baudRate: "300" });
    await expect(wire.settle(readAll(other))).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("this line cannot change its rate"),
    });
  });

  it("at which rates somebody answers, the line as it was afterwards; every rate when asked", async () => {
    await using wire = openWire(() => [simpleMeter("11111111", { primary: 5, baudRate: 300 })], { paced: true });
    const report = await wire.settle(ask(wire.line, "DetectBaudRate"));
    expect(report.rows).toEqual([
      [2400, "nothing"],
      [300, "a meter answers"],
      [9600, "nothing"],
    ]);
    expect(report.messages).toEqual(["Meters answer at 300 baud, and the line is set to 2400: edit its node."]);
    expect(wire.bus.baudRate).toBe(2400);
    const all = await wire.settle(ask(wire.line, "DetectBaudRate", { rates: "all" }));
    expect(all.rows).toHaveLength(8);
    await using empty = openWire(() => [], { paced: true });
    expect((await empty.settle(ask(empty.line, "DetectBaudRate"))).messages[0]).toContain("Nobody answers at any rate");
  });

  it("all meters at once only on purpose", async () => {
    const meters = [simpleMeter("11111111", { primary: 5 }), simpleMeter("22222222", { primary: 6 })];
    await using wire = openWire(() => meters, { paced: true });
    await expect(ask(wire.line, "SwitchBaudRateOfAll", rate(9600))).rejects.toThrow("to be said on purpose");
    const report = await wire.settle(ask(wire.line, "SwitchBaudRateOfAll", { baudRate: 9600, sure: true }));
    expect(meters.map(({ baudRate }) => baudRate)).toEqual([9600, 9600]);
    expect(report.messages.at(-1)).toContain("Set the line to the new rate now");
  });
});
