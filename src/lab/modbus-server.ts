// Puts simulated Modbus units on a line: a TCP server (MBAP) or a slave on any octet channel (RTU), each with the ways in
// which real ones go wrong: late, twice, cut, glued, another unit's, another transaction's, dropped.

import { createServer, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import type { LabUnit } from "./modbus-unit.ts";

/** What becomes of one answer. */
export interface Mishap {
  /** Waits so long before answering; a late answer when it is longer than the asker's patience. */
  delayMs?: number;
  /** No answer. */
  silent?: boolean;
  /** Octets before the answer. */
  glitch?: readonly number[];
  /** Only so many octets of it, and nothing more. */
  cut?: number;
  /** The answer again. */
  twice?: boolean;
  /** From this unit instead. */
  unit?: number;
  /** With this added to the transaction number (TCP). */
  transactionShift?: number;
  /** One octet is changed on the way: CRC error (RTU). */
  damage?: boolean;
  /** The connection breaks instead of an answer (TCP). */
  drop?: boolean;
  /** In two pieces, so long apart. */
  splitMs?: number;
}

export interface LabLine extends AsyncDisposable {
  readonly units: Map<number, LabUnit>;
  /** For the next answers, one each; then all is well again. */
  next(...mishaps: Mishap[]): void;
  /** For every answer that has no mishap of its own. */
  always: Mishap;
  /** The most requests in hand at once. */
  readonly overlapMax: number;
  readonly requestCount: number;
}

export interface LabServer extends LabLine {
  readonly port: number;
  /** Accepted since the start. */
  connections(): number;
  /** Breaks all connections, as a pulled cable with a reset would. */
  dropAll(): void;
}

type Wrap = (unit: number, pdu: Uint8Array, mishap: Mishap) => number[];

export async function startModbusServer(clock: Clock, port = 0, host = "127.0.0.1"): Promise<LabServer> {
  const line = createLine(clock);
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
        const wrap: Wrap = (unit, pdu, { transactionShift = 0 }) => {
          const shifted = (id + transactionShift) % 65_536;
          return [shifted >> 8, shifted & 255, 0, 0, (pdu.length + 1) >> 8, (pdu.length + 1) & 255, unit, ...pdu];
        };
        void line.handle(frame[6] ?? 0, Uint8Array.from(frame.slice(7)), wrap, {
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

/** What the simulator needs of a serial port, a socket or a pipe. */
export interface LabChannel {
  write(bytes: Uint8Array): unknown;
  onData(listener: (chunk: Uint8Array) => void): void;
}

export interface LabSlave extends LabLine {
  /** Requests that came sooner after the last octet on the line than this are not heard. */
  needsGapMs: number;
  /** Returns what it hears, like some level converters. */
  echoes: boolean;
}

export function serveRtu(channel: LabChannel, clock: Clock): LabSlave {
  const line = createLine(clock);
  const slave: LabSlave = Object.assign(line.face, {
    needsGapMs: 0,
    echoes: false,
    async [Symbol.asyncDispose]() {
      line.stop();
    },
  });
  let buffer: number[] = [];
  let lastOctetAt = Number.NEGATIVE_INFINITY;
  channel.onData(chunk => {
    if (slave.echoes) channel.write(chunk);
    const deaf = clock.monotonic() - lastOctetAt < slave.needsGapMs;
    lastOctetAt = clock.monotonic();
    if (deaf) return;
    buffer.push(...chunk);
    const length = requestLength(buffer);
    if (length === undefined || buffer.length < length) return;
    const frame = buffer.slice(0, length);
    buffer = [];
    if (crc(frame) !== 0) return;
    const wrap: Wrap = (unit, pdu) => {
      const body = [unit, ...pdu];
      const check = crc(body);
      return [...body, check & 255, check >> 8];
    };
    void line.handle(frame[0] ?? 0, Uint8Array.from(frame.slice(1, -2)), wrap, {
      write: bytes => {
        lastOctetAt = clock.monotonic();
        channel.write(bytes);
      },
      drop: () => {},
    });
  });
  return slave;
}

function createLine(clock: Clock) {
  const stop = new AbortController();
  const mishaps: Mishap[] = [];
  let inHand = 0;
  let overlapMax = 0;
  let requestCount = 0;
  const face: Omit<LabLine, typeof Symbol.asyncDispose> = {
    units: new Map(),
    always: {},
    next: (...more) => mishaps.push(...more),
    get overlapMax() {
      return overlapMax;
    },
    get requestCount() {
      return requestCount;
    },
  };
  const sleep = (ms: number | undefined) => (ms ? clock.sleep(ms, stop.signal) : Promise.resolve());

  const send = async (frame: number[], mishap: Mishap, write: (bytes: Uint8Array) => unknown) => {
    if (mishap.damage) frame[frame.length - 3] = (frame[frame.length - 3] ?? 0) ^ 0x10;
    const octets = [...(mishap.glitch ?? []), ...frame.slice(0, mishap.cut), ...(mishap.twice ? frame : [])];
    const half = mishap.splitMs === undefined ? octets.length : octets.length >> 1;
    write(Uint8Array.from(octets.slice(0, half)));
    if (half === octets.length) return;
    await sleep(mishap.splitMs);
    write(Uint8Array.from(octets.slice(half)));
  };

  async function handle(
    address: number,
    pdu: Uint8Array,
    wrap: Wrap,
    out: { write: (bytes: Uint8Array) => unknown; drop: () => void },
  ): Promise<void> {
    requestCount++;
    if (address === 0) {
      for (const unit of face.units.values()) unit.answer(pdu);
      return;
    }
    const unit = face.units.get(address);
    if (unit === undefined || unit.silent) return;
    const mishap = { ...face.always, ...mishaps.shift() };
    inHand++;
    overlapMax = Math.max(overlapMax, inHand);
    try {
      const answer = unit.answer(pdu);
      await sleep(mishap.delayMs);
      if (mishap.drop) out.drop();
      else if (!mishap.silent) await send(wrap(mishap.unit ?? address, answer, mishap), mishap, out.write);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      inHand--;
    }
  }
  return { face, handle, stop: () => stop.abort() };
}

/** Octets of the request that begins like this, by the layouts of clause 6; undefined while too few have come. */
function requestLength(octets: readonly number[]): number | undefined {
  const code = octets[1];
  if (code === undefined) return undefined;
  if (code <= 8) return 8;
  if (code === 15 || code === 16) return octets[6] === undefined ? undefined : 9 + octets[6];
  if (code === 17) return 4;
  if (code === 22) return 10;
  if (code === 23) return octets[10] === undefined ? undefined : 13 + octets[10];
  return 7;
}

/** Over a frame with its own check, 0. */
function crc(octets: readonly number[]): number {
  let value = 0xffff;
  for (const octet of octets) {
    value ^= octet;
    for (let bit = 0; bit < 8; bit++) value = value % 2 === 1 ? (value >> 1) ^ 0xa001 : value >> 1;
  }
  return value;
}
