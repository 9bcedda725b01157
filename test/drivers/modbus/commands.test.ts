// Commands of Modbus lines and units against simulated units behind a real socket, and what is overheard there.

import { expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Device } from "#contract/driver.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import type { ModbusLine } from "#drivers/modbus/line.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";
import { ask, commandOf } from "../report-log.ts";

const never = new AbortController().signal;

async function open<D extends Device>(name: string, settings: object, parent?: Device): Promise<D> {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  const env = { clock: systemClock, log: silentLog, parent, timeZone: "UTC", own: () => ({ [Symbol.dispose]() {} }) };
  return (await type?.open(type.settings.parse(settings), env, never)) as D;
}

async function bench() {
  const server = await startModbusServer(systemClock);
  const reading = createLabUnit();
  reading.set("holding", 0, 7);
  const refusing = createLabUnit();
  refusing.unknownFunctions.add(43).add(17);
  const away = createLabUnit();
  away.exception = 11;
  const mute = createLabUnit();
  mute.silent = true;
  for (const [address, unit] of [reading, refusing, away, mute].entries()) server.units.set(address + 2, unit);
  const line = await open<ModbusLine>("modbus.tcp", { host: "127.0.0.1", port: server.port, timeoutMs: 60 });
  return {
    server,
    line,
    mute,
    async [Symbol.asyncDispose]() {
      await line[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

it("search: whoever answers is there, also with a refusal; a gateway's own answer and silence are nobody", async () => {
  await using it = await bench();
  const report = await ask(it.line, "ScanUnits", { from: 1, to: 6 });
  expect(report.rows.map(([unit, answer]) => [unit, answer])).toEqual([
    [2, "reads"],
    [3, "refuses: exception 2 (illegal data address)"],
  ]);
  expect(report.statuses.at(-1)).toBe("2 found from 1 to 6.");
  await expect(ask(it.line, "ScanUnits", { from: 0 })).rejects.toThrow();
  await expect(ask(it.line, "ScanUnits", { from: 9, to: 3 })).rejects.toThrow();
});

it("a search can be given up, and leaves the units as healthy as they were", async () => {
  await using it = await bench();
  const stop = new AbortController();
  const scanning = ask(it.line, "ScanUnits", { from: 100, to: 247 }, stop.signal);
  await systemClock.sleep(100, never);
  stop.abort(new Error("enough"));
  await expect(scanning).rejects.toThrow("enough");
  const unit = it.line.unit(2, 0);
  expect(await unit.ask({ function: 3, address: 0, quantity: 1 }, "read", never)).toMatchObject({ registers: [7] });
  // Asked who it is, a unit that knows nothing of that is not one that rests.
  const silent = await open<Device>("modbus.unit", { address: 5 }, it.line);
  expect((await ask(silent, "Identify")).messages).toHaveLength(1);
  expect(it.line.unit(5, 0).describe()[0]?.value.value).toBe("answering");
});

it("identify, last frames and statistics of a unit and its line; frames are those of this unit", async () => {
  await using it = await bench();
  const unit = await open<Device>("modbus.unit", { address: 2 }, it.line);
  expect((await ask(unit, "LastFrames")).messages).toHaveLength(1);
  await it.line.unit(2, 0).ask({ function: 3, address: 0, quantity: 1 }, "read", never);
  await it.line.unit(3, 0).ask({ function: 3, address: 0, quantity: 1 }, "read", never);
  const { rows } = await ask(unit, "LastFrames");
  expect(rows.map(([, direction]) => direction)).toEqual(["to the device", "from the device"]);
  expect(String(rows[1]?.[2])).toMatch(/03 02 00 07$/);
  const statistics = await ask(it.line, "LineStatistics", { seconds: 1 });
  expect(Number(statistics.rows[1]?.[2])).toBeGreaterThan(0);
  const command = commandOf(it.line, "ResetLine");
  if (command.kind === "simple") await command.execute(never);
  expect(await it.line.closed).toMatchObject({ kind: "unreachable" });
});

it("CON-SNIFF-06: requests are explained, frames are whole, a unit hears its own", async () => {
  await using it = await bench();
  const unit = await open<Device>("modbus.unit", { address: 3 }, it.line);
  const stop = new AbortController();
  const [line, one]: [string[], string[]] = [[], []];
  const hear = async (device: Device, into: string[]) => {
    for await (const item of device.sniff?.(stop.signal) ?? []) into.push("text" in item ? item.text : item.kind);
  };
  const hearing = [hear(it.line, line), hear(unit, one)];
  await it.line.unit(2, 0).ask({ function: 3, address: 0, quantity: 1 }, "read", never);
  await it.line.unit(3, 0).ask({ function: 3, address: 0, quantity: 1 }, "read", never);
  stop.abort();
  await Promise.all(hearing);
  expect(line).toEqual([
    "unit 2: read holding registers 0, 1 of them",
    "txBin",
    "rxBin",
    "unit 3: read holding registers 0, 1 of them",
    "txBin",
    "rxBin",
  ]);
  expect(one).toEqual(line.slice(3));
});

it("identify: all three streams, each with more that follows, and the server id; one by one where there is no stream", async () => {
  await using it = await bench();
  const rich = createLabUnit();
  it.server.units.set(9, rich);
  const objects = ["Example Energy", "EX-100", "1.4", "https://example.org/meters/", "Meter of the series X", "X3"];
  for (const [id, text] of objects.entries()) rich.identity.set(id, text);
  for (const id of [128, 129, 200]) rich.identity.set(id, `private ${id}: ${"x".repeat(40)}`);
  rich.serverId = Uint8Array.of(0x58, 0x33, 0xff);
  const unit = await open<Device>("modbus.unit", { address: 9 }, it.line);
  const { rows } = await ask(unit, "Identify");
  expect(rows.map(([, value]) => value)).toEqual([
    ...objects,
    ...[128, 129, 200].map(id => `private ${id}: ${"x".repeat(40)}`),
    "X3·",
  ]);
  expect(rows[0]?.[0]).toBe("Vendor");
  const { answer } = rich;
  // Knows only the access to one object at a time.
  rich.answer = pdu => (pdu[0] === 43 && pdu[2] !== 4 ? Uint8Array.of(0xab, 3) : answer(pdu));
  expect((await ask(unit, "Identify")).rows.map(([, value]) => value)).toEqual([...objects.slice(0, 3), "X3·"]);
  // "More follows" for ever.
  rich.answer = pdu => (pdu[0] === 43 ? Uint8Array.of(43, 14, pdu[2] ?? 0, 0x83, 0xff, 0, 1, 0, 1, 65) : answer(pdu));
  expect((await ask(unit, "Identify")).rows[0]).toEqual(["Vendor", "A"]);
});

it("registers are shown raw, by any notation; bits as bits; a refusal ends it in words", async () => {
  await using it = await bench();
  it.server.units.get(2)?.setWords("holding", 17, [0x4142, 0xfffe]);
  it.server.units.get(2)?.set("coil", 3, 1);
  const unit = await open<Device>("modbus.unit", { address: 2 }, it.line);
  expect((await ask(unit, "ReadRegisters", { address: "4x0018", count: 2 })).rows).toEqual([
    [17, "4142", 16_706, 16_706, "AB"],
    [18, "FFFE", 65_534, -2, "··"],
  ]);
  expect((await ask(unit, "ReadRegisters", { table: "coil", address: 3, count: 1 })).rows).toEqual([[3, 1]]);
  await expect(ask(unit, "ReadRegisters", { address: "99", count: 1 })).rejects.toThrow("illegal data address");
  await expect(ask(unit, "ReadRegisters", { address: "3x0001" })).rejects.toThrow("an input register");
});

it("loop back, FIFO queue and file records", async () => {
  await using it = await bench();
  const lab = it.server.units.get(2);
  const unit = await open<Device>("modbus.unit", { address: 2 }, it.line);
  const tried = await ask(unit, "Loopback", { count: 2 });
  expect(tried.rows.map(([n, result]) => [n, result])).toEqual([
    [1, "came back as sent"],
    [2, "came back as sent"],
  ]);
  lab?.unknownFunctions.add(8);
  expect((await ask(unit, "Loopback", { count: 1 })).rows[0]?.[1]).toContain("which is an answer too");
  if (lab) lab.silent = true;
  expect((await ask(unit, "Loopback", { count: 1 })).rows[0]?.[1]).toContain("no answer within");
  if (lab) lab.silent = false;
  await expect(ask(unit, "ReadFifo", { pointer: 4 })).rejects.toThrow("illegal function");
  lab?.queues.set(4, [7, 8, 9]);
  lab?.files.set(2, [100, 101, 102, 103]);
  expect((await ask(unit, "ReadFifo", { pointer: 4 })).rows.map(row => row[2])).toEqual([7, 8, 9]);
  const file = await ask(unit, "ReadFile", { file: 2, record: 1, count: 3 });
  expect(file.rows.map(row => [row[0], row[2]])).toEqual([
    [1, 101],
    [2, 102],
    [3, 103],
  ]);
  await expect(ask(unit, "ReadFile", { file: 2, record: 1, count: 9 })).rejects.toThrow("illegal data address");
});
