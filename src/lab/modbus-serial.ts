// Puts simulated Modbus units on a serial line: slaves in RTU or ASCII on any octet channel, at the line's bit rate if it has one.

import type { Clock } from "#base/clock.ts";
import { createLabLine, type LabLine, type Wrap } from "./modbus-line.ts";

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
  /** Octets take their time, 11 bits each, those of the request included; undefined: none. */
  baudRate: number | undefined;
}

export function serveRtu(channel: LabChannel, clock: Clock): LabSlave {
  let buffer: number[] = [];
  return serve(channel, clock, chunk => {
    buffer.push(...chunk);
    const length = requestLength(buffer);
    if (length === undefined || buffer.length < length) return undefined;
    const frame = buffer.slice(0, length);
    buffer = [];
    if (crc(frame) !== 0) return undefined;
    const wrap: Wrap = (unit, pdu) => {
      const body = [unit, ...pdu];
      const check = crc(body);
      return [...body, check & 255, check >> 8];
    };
    return { unit: frame[0] ?? 0, pdu: Uint8Array.from(frame.slice(1, -2)), octets: length, wrap };
  });
}

export function serveAscii(channel: LabChannel, clock: Clock): LabSlave {
  let text = "";
  return serve(channel, clock, chunk => {
    text += String.fromCharCode(...chunk);
    const end = text.indexOf("\r\n");
    if (end < 0) return undefined;
    const line = text.slice(text.lastIndexOf(":", end) + 1, end);
    text = text.slice(end + 2);
    const octets = (line.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16));
    if (octets.reduce((sum, octet) => sum + octet, 0) % 256 !== 0) return undefined;
    const wrap: Wrap = (unit, pdu) => {
      const body = [unit, ...pdu];
      const check = (256 - (body.reduce((sum, octet) => sum + octet, 0) % 256)) % 256;
      const hex = [...body, check].map(octet => octet.toString(16).toUpperCase().padStart(2, "0")).join("");
      return Array.from(`:${hex}\r\n`, char => char.charCodeAt(0));
    };
    return { unit: octets[0] ?? 0, pdu: Uint8Array.from(octets.slice(1, -1)), octets: line.length + 3, wrap };
  });
}

interface Heard {
  readonly unit: number;
  readonly pdu: Uint8Array;
  /** On the line, for the time they take. */
  readonly octets: number;
  readonly wrap: Wrap;
}

/** `frame` finds the request in what has come. */
function serve(channel: LabChannel, clock: Clock, frame: (chunk: Uint8Array) => Heard | undefined): LabSlave {
  const line = createLabLine(clock);
  const slave: LabSlave = Object.assign(line.face, {
    needsGapMs: 0,
    echoes: false,
    baudRate: undefined,
    async [Symbol.asyncDispose]() {
      line.stop();
    },
  });
  const octetMs = () => (slave.baudRate === undefined ? 0 : 11_000 / slave.baudRate);
  let lastOctetAt = Number.NEGATIVE_INFINITY;
  const write = (bytes: Uint8Array) => {
    lastOctetAt = clock.monotonic();
    channel.write(bytes);
  };
  channel.onData(chunk => {
    if (slave.echoes) channel.write(chunk);
    const deaf = clock.monotonic() - lastOctetAt < slave.needsGapMs;
    lastOctetAt = clock.monotonic();
    if (deaf) return;
    const heard = frame(chunk);
    if (heard === undefined) return;
    const { unit, pdu, wrap, octets } = heard;
    void line.handle(unit, pdu, wrap, { write, drop: () => {} }, { octetMs: octetMs(), heardMs: octets * octetMs() });
  });
  return slave;
}

/** Octets of the request that begins like this, by the layouts of clause 6; undefined while too few have come. */
function requestLength(octets: readonly number[]): number | undefined {
  const code = octets[1];
  if (code === undefined) return undefined;
  if (code <= 8) return 8;
  if (code === 15 || code === 16) return octets[6] === undefined ? undefined : 9 + octets[6];
  if (code === 17) return 4;
  if (code === 20 || code === 21) return octets[2] === undefined ? undefined : 5 + octets[2];
  if (code === 24) return 6;
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
