// Our line against servers and our simulator against clients that others have written (modbus-serial, pymodbus, mbpoll), so that
// both of ours cannot share one misreading.

import ModbusRTU from "modbus-serial";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { DeviceFault } from "#contract/faults.ts";
import type { ByteChannel } from "#drivers/byte-channel.ts";
import { ascii } from "#drivers/modbus/ascii.ts";
import { identification } from "#drivers/modbus/asking.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { createLine, type ModbusLine } from "#drivers/modbus/line.ts";
import type { Answer } from "#drivers/modbus/pdu.ts";
import { rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import { openTcpSession } from "#drivers/modbus/tcp-session.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { serveRtu } from "#lab/modbus-serial.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { freePort } from "#lab/ports.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { hasMbpoll, hasPymodbus, mbpoll, startPymodbus } from "./pymodbus.ts";

const never = new AbortController().signal;
async function openLine(name: string, settings: object): Promise<ModbusLine> {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  const env = { clock: systemClock, log: silentLog, timeZone: "UTC", own: () => ({ [Symbol.dispose]() {} }) };
  return (await type?.open(type.settings.parse(settings), env as never, never)) as ModbusLine;
}

// The package's types name a default that at run time is the constructor itself.
const Client = ModbusRTU as unknown as new () => InstanceType<typeof ModbusRTU.default>;
const ServerTCP = (ModbusRTU as unknown as { ServerTCP: typeof ModbusRTU.ServerTCP }).ServerTCP;

it("our line reads and writes a server that is not ours", async () => {
  const registers = new Map<number, number>([
    [7, 0x1234],
    [8, 0xabcd],
  ]);
  const coils = new Map<number, boolean>([[3, true]]);
  // It takes 0 for the port 502, which an ordinary user may not have.
  const port = await freePort();
  const server = new ServerTCP(
    {
      getHoldingRegister: (address: number) => registers.get(address) ?? 0,
      getInputRegister: (address: number) => 1000 + address,
      getCoil: (address: number) => coils.get(address) ?? false,
      getDiscreteInput: (address: number) => address % 2 === 1,
      setRegister: (address: number, value: number) => void registers.set(address, value),
      setCoil: (address: number, value: boolean) => void coils.set(address, value),
    },
    { host: "127.0.0.1", port, unitID: 9 },
  );
  await new Promise<void>((resolve, reject) => {
    server.on("initialized", () => resolve());
    server.on("serverError", reject);
  });
  const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, anyTransaction: false, anyUnit: false };
  const session = await openTcpSession(
    signal => openTcpChannel({ host: "127.0.0.1", port }, systemClock, signal),
    timing,
    systemClock,
    never,
  );
  await using line = createLine(session, systemClock, silentLog);
  const unit = line.unit(9, 0);
  const ask = (request: Parameters<typeof unit.ask>[0]) => unit.ask(request, "read", never);
  expect(await ask({ function: 3, address: 7, quantity: 2 })).toEqual({
    kind: "registers",
    registers: [0x1234, 0xabcd],
  });
  expect(await ask({ function: 4, address: 5, quantity: 2 })).toEqual({ kind: "registers", registers: [1005, 1006] });
  expect(await ask({ function: 1, address: 2, quantity: 3 })).toEqual({ kind: "bits", bits: [false, true, false] });
  expect(await ask({ function: 2, address: 0, quantity: 9 })).toMatchObject({
    bits: [false, true, false, true, false, true, false, true, false],
  });
  expect(await ask({ function: 16, address: 7, values: [1, 2] })).toEqual({ kind: "echo" });
  expect(await ask({ function: 6, address: 9, value: 65_535 })).toEqual({ kind: "echo" });
  expect(await ask({ function: 5, address: 4, value: true })).toEqual({ kind: "echo" });
  expect(await ask({ function: 15, address: 10, bits: [true, false, true] })).toEqual({ kind: "echo" });
  expect([registers.get(7), registers.get(8), registers.get(9)]).toEqual([1, 2, 65_535]);
  expect([4, 10, 11, 12].map(address => coils.get(address))).toEqual([true, true, false, true]);
  await line[Symbol.asyncDispose]();
  await new Promise(resolve => server.close(resolve));
});

it("a client that is not ours reads and writes our simulator", async () => {
  await using server = await startModbusServer(systemClock);
  const unit = createLabUnit();
  server.units.set(9, unit);
  unit.setWords("holding", 0, [10, 20, 30]);
  unit.setFloat("input", 0, () => 230.5);
  unit.set("coil", 1, 1);
  unit.set("coil", 0, 0);
  const client = new Client();
  await client.connectTCP("127.0.0.1", { port: server.port });
  client.setID(9);
  client.setTimeout(1_000);
  expect((await client.readHoldingRegisters(0, 3)).data).toEqual([10, 20, 30]);
  expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(230.5);
  expect((await client.readCoils(0, 2)).data.slice(0, 2)).toEqual([false, true]);
  await client.writeRegisters(1, [21, 31]);
  await client.writeCoil(0, true);
  expect([unit.get("holding", 1), unit.get("holding", 2), unit.get("coil", 0)]).toEqual([21, 31, 1]);
  await expect(client.readHoldingRegisters(0, 4)).rejects.toMatchObject({ modbusCode: 2 });
  await new Promise<void>(resolve => client.close(() => resolve()));
});

describe.skipIf(!hasPymodbus)("a pymodbus server", () => {
  const holding = (address: number, quantity: number): Answer => ({
    kind: "registers",
    registers: Array.from({ length: quantity }, (_, n) => 7 * (address + n) + 3),
  });

  /** Until it listens: Python takes its time. */
  async function patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (tries > 200) throw error;
        await systemClock.sleep(50, never);
      }
    }
  }

  async function converse(line: ModbusLine): Promise<void> {
    const unit = line.unit(9, 0);
    const ask = (request: Parameters<typeof unit.ask>[0]) => unit.ask(request, "read", never);
    expect(await patiently(() => line.probe(9, { function: 3, address: 0, quantity: 1 }, never))).toEqual(
      holding(0, 1),
    );
    expect(await ask({ function: 3, address: 10, quantity: 125 })).toEqual(holding(10, 125));
    expect(await ask({ function: 4, address: 5, quantity: 2 })).toEqual({ kind: "registers", registers: [1005, 1006] });
    expect(await ask({ function: 1, address: 1, quantity: 10 })).toMatchObject({
      bits: [false, false, true, false, false, true, false, false, true, false],
    });
    expect(await ask({ function: 2, address: 0, quantity: 3 })).toMatchObject({ bits: [true, false, true] });
    expect(await ask({ function: 16, address: 7, values: [1, 2] })).toEqual({ kind: "echo" });
    expect(await ask({ function: 6, address: 9, value: 65_535 })).toEqual({ kind: "echo" });
    expect(await ask({ function: 22, address: 9, and: 0xf0ff, or: 0x0a00 })).toEqual({ kind: "echo" });
    expect(await ask({ function: 5, address: 4, value: true })).toEqual({ kind: "echo" });
    expect(await ask({ function: 15, address: 10, bits: [true, false, true] })).toEqual({ kind: "echo" });
    expect(await ask({ function: 3, address: 7, quantity: 3 })).toEqual({
      kind: "registers",
      registers: [1, 2, 0xfaff],
    });
    expect(await ask({ function: 1, address: 10, quantity: 3 })).toMatchObject({ bits: [true, false, true] });
    const both = { function: 23, readAddress: 7, readQuantity: 2, writeAddress: 8, values: [5] } as const;
    expect(await ask(both)).toEqual({ kind: "registers", registers: [1, 5] });
    expect(await ask({ function: 8, sub: 0, data: 0xa537 })).toEqual({ kind: "echo" });
    expect(await ask({ function: 3, address: 199, quantity: 2 })).toEqual({ kind: "exception", code: 2 });
    const objects = await identification(request => line.probe(9, request, never));
    expect(objects.slice(0, 2)).toEqual([
      { id: 0, text: "pymodbus" },
      { id: 1, text: "PM" },
    ]);
    expect(await line.unit(10, 0).ask({ function: 3, address: 9, quantity: 1 }, "read", never)).toEqual(holding(9, 1));
    expect(unit.counters).toMatchObject({ timeouts: 0, garbled: 0 });
  }

  const settings = { host: "127.0.0.1", timeoutMs: 5_000 };
  it.each([
    ["tcp", "modbus.tcp", {}],
    ["rtu-tcp", "modbus.rtu-tcp", {}],
    ["ascii-tcp", "modbus.rtu-tcp", { framing: "ascii" }],
    ["udp", "modbus.udp", { framing: "tcp" }],
  ] as const)(
    "over %s: every function that it knows, on two units",
    async (how, type, more) => {
      const port = await freePort();
      await using _server = await startPymodbus(how, port, never);
      await using line = await patiently(() => openLine(type, { ...settings, port, ...more }));
      await converse(line);
    },
    120_000,
  );

  it.each(["rtu", "ascii"] as const)(
    "on a serial port, in %s",
    async how => {
      await using terminal = await openPseudoTerminal();
      await using _server = await startPymodbus(how, terminal.path, never);
      const closed = new Promise<DeviceFault>(() => {});
      const channel: ByteChannel = {
        name: "terminal",
        closed,
        write: async bytes => terminal.write(bytes),
        onData: listener => terminal.onData(listener),
        close: async () => {},
        async [Symbol.asyncDispose]() {},
      };
      const timing = { timeoutMs: 2_000, gapMs: 20, unitChangeGapMs: 20, baudRate: 19_200 };
      const line = createLine(
        createSerialSession(channel, { rtu, ascii }[how], timing, systemClock),
        systemClock,
        silentLog,
      );
      await converse(line);
    },
    120_000,
  );
});

describe.skipIf(!hasMbpoll)("mbpoll, a master on libmodbus", () => {
  function labUnit() {
    const unit = createLabUnit();
    unit.setWords("holding", 0, [10, 20, 30]);
    unit.setFloat("input", 0, () => 230.5);
    unit.setWords("holding", 10, [0x4366, 0x8000]);
    for (let n = 0; n < 8; n++) unit.set("coil", n, n % 2);
    unit.serverId = Uint8Array.of(0x42, 0xff, 0x45, 0x58);
    return unit;
  }

  async function converse(unit: LabUnit, to: readonly string[]): Promise<void> {
    expect([...(await mbpoll(["-a", "9", "-0", "-r", "0", "-c", "3", ...to]))]).toEqual([
      [0, "10"],
      [1, "20"],
      [2, "30"],
    ]);
    const float = await mbpoll(["-a", "9", "-0", "-r", "0", "-t", "3:float", "-B", ...to]);
    expect(float.get(0)).toBe("230.5");
    expect((await mbpoll(["-a", "9", "-0", "-r", "10", "-c", "2", "-t", "4:hex", ...to])).get(10)).toBe("0x4366");
    const coils = await mbpoll(["-a", "9", "-0", "-r", "0", "-c", "4", "-t", "0", ...to]);
    expect([...coils.values()]).toEqual(["0", "1", "0", "1"]);
    await mbpoll(["-a", "9", "-0", "-r", "1", ...to, "21", "31"]);
    await mbpoll(["-a", "9", "-0", "-r", "2", "-t", "0", ...to, "1"]);
    expect([unit.get("holding", 1), unit.get("holding", 2), unit.get("coil", 2)]).toEqual([21, 31, 1]);
    await expect(mbpoll(["-a", "9", "-0", "-r", "50", ...to])).rejects.toThrow("Illegal data address");
  }

  it("reads and writes our units over TCP", async () => {
    await using server = await startModbusServer(systemClock);
    const unit = labUnit();
    server.units.set(9, unit);
    await converse(unit, ["-m", "tcp", "-p", String(server.port), "127.0.0.1"]);
  }, 60_000);

  it("reads and writes our units on a serial port", async () => {
    await using terminal = await openPseudoTerminal();
    const slave = serveRtu(terminal, systemClock);
    const unit = labUnit();
    slave.units.set(9, unit);
    await converse(unit, ["-m", "rtu", "-b", "19200", "-P", "none", terminal.path]);
  }, 60_000);
});
