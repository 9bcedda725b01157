// Puts simulated Modbus units on a network: a TCP server (MBAP), or one over UDP that takes either framing.

import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { createLabLine, type LabLine, type Wrap } from "./modbus-line.ts";
import { serveRtu } from "./modbus-serial.ts";

export interface LabServer extends LabLine {
  readonly port: number;
  /** Accepted since the start. */
  connections(): number;
  /** Breaks all connections, as a pulled cable with a reset would. */
  dropAll(): void;
}

export async function startModbusServer(clock: Clock, port = 0, host = "127.0.0.1"): Promise<LabServer> {
  const line = createLabLine(clock);
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  const server = createServer({ noDelay: true }, socket => {
    connectionCount++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let buffer: number[] = [];
    socket.on("data", chunk => {
      buffer.push(...chunk);
      while (buffer.length >= 7) {
        const whole = 6 + (buffer[4] ?? 0) * 256 + (buffer[5] ?? 0);
        if (buffer.length < whole) break;
        const frame = buffer.slice(0, whole);
        buffer = buffer.slice(whole);
        const id = (frame[0] ?? 0) * 256 + (frame[1] ?? 0);
        void line.handle(frame[6] ?? 0, Uint8Array.from(frame.slice(7)), mbap(id), {
          write: bytes => socket.write(bytes),
          drop: () => socket.resetAndDestroy(),
        });
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const dropAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return Object.assign(line.face, {
    port: typeof address === "object" && address !== null ? address.port : port,
    connections: () => connectionCount,
    dropAll,
    async [Symbol.asyncDispose]() {
      line.stop();
      dropAll();
      if (server.listening) await new Promise(resolve => server.close(resolve));
    },
  });
}

const mbap =
  (id: number): Wrap =>
  (unit, pdu, { transactionShift = 0 }) => {
    const shifted = (id + transactionShift) % 65_536;
    return [shifted >> 8, shifted & 255, 0, 0, (pdu.length + 1) >> 8, (pdu.length + 1) & 255, unit, ...pdu];
  };

/** One datagram a frame; answers go to who asked last. */
export async function startModbusUdp(clock: Clock, framing: "rtu" | "tcp"): Promise<LabLine & { port: number }> {
  const socket = createSocket("udp4");
  let asker = { port: 0, address: "" };
  const write = (bytes: Uint8Array) => socket.send(bytes, asker.port, asker.address);
  let hear = (_chunk: Uint8Array) => {};
  const line = framing === "tcp" ? createLabLine(clock) : undefined;
  const { stop = () => {} } = line ?? {};
  const slave = line ? undefined : serveRtu({ write, onData: listener => void (hear = listener) }, clock);
  socket.on("message", (datagram, from) => {
    asker = from;
    if (line === undefined) return hear(datagram);
    const id = (datagram[0] ?? 0) * 256 + (datagram[1] ?? 0);
    void line.handle(datagram[6] ?? 0, datagram.subarray(7), mbap(id), { write, drop: () => {} });
  });
  await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve));
  return Object.assign(line?.face ?? (slave as LabLine), {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      stop();
      await new Promise<void>(resolve => socket.close(() => resolve()));
    },
  });
}
