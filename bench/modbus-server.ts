// A bare Modbus TCP server in a process of its own: modbus-serial's, which both clients of the measurement ask.

import type ModbusRTU from "modbus-serial";
import * as library from "modbus-serial";

// The package's types name a default that at run time is the module itself.
const { ServerTCP } = library.default as unknown as { ServerTCP: typeof ModbusRTU.ServerTCP };
const registers = Array.from({ length: 65_536 }, (_, n) => n);
const port = Number(process.argv[2]);
const server = new ServerTCP(
  {
    getHoldingRegister: (address: number) => registers[address] ?? 0,
    getMultipleHoldingRegisters: (address: number, count: number) => registers.slice(address, address + count),
  },
  { host: "127.0.0.1", port, unitID: 1 },
);
server.on("initialized", () => console.log("notice ready"));
process.once("SIGTERM", () => process.exit(0));
