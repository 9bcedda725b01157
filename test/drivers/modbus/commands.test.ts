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
