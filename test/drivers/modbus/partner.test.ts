// Our line against servers and our simulator against a client that others have written (modbus-serial), so that both of ours
// cannot share one misreading.

import ModbusRTU from "modbus-serial";
import { expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createLine } from "#drivers/modbus/line.ts";
import { openTcpSession } from "#drivers/modbus/tcp-session.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";

const never = new AbortController().signal;
// The package's types name a default that at run time is the constructor itself.
const Client = ModbusRTU as unknown as new () => InstanceType<typeof ModbusRTU.default>;
const ServerTCP = (ModbusRTU as unknown as { ServerTCP: typeof ModbusRTU.ServerTCP }).ServerTCP;

it("our line reads and writes a server that is not ours", async () => {
  const registers = new Map<number, number>([
    [7, 0x1234],
    [8, 0xabcd],
  ]);
  const coils = new Map<number, boolean>([[3, true]]);
  const server = new ServerTCP(
    {
      getHoldingRegister: (address: number) => registers.get(address) ?? 0,
      getInputRegister: (address: number) => 1000 + address,
      getCoil: (address: number) => coils.get(address) ?? false,
      getDiscreteInput: (address: number) => address % 2 === 1,
      setRegister: (address: number, value: number) => void registers.set(address, value),
      setCoil: (address: number, value: boolean) => void coils.set(address, value),
    },
    { host: "127.0.0.1", port: 0, unitID: 9 },
  );
  await new Promise(resolve => server.on("initialized", resolve));
  const { port } = (server as unknown as { _server: { address(): { port: number } } })._server.address();
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
