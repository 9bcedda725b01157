// A byte channel over a serial port: the one file that touches the serialport library. The port is locked for this process
// (TIOCEXCL), so that a second opener is refused instead of stealing octets.

import { realpath } from "node:fs/promises";
import type { SerialPort } from "serialport";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { DeviceFault } from "#contract/faults.ts";
import { serialOpenMs } from "#limits.ts";
import { type ByteChannel, channelOver } from "./byte-channel.ts";
import { holderOf } from "./serial-list.ts";
import { untilPortIsThere } from "./serial-watch.ts";

export interface SerialSettings {
  /** Below /dev/; a name in /dev/serial/by-id/ survives a reboot. */
  readonly path: string;
  readonly baudRate: number;
  readonly parity: "even" | "none" | "odd";
  readonly stopBits: 1 | 2;
  /** 7 only for Modbus ASCII. */
  readonly dataBits?: 7 | 8;
}

export interface SerialChannel extends ByteChannel {
  /** Takes effect after what was written has left; for M-Bus baud switching. */
  setBaudRate(baudRate: number): Promise<void>;
}

/**
 * The key by which a line is owned (Env.own): the same for every name of one port, whether /dev/ttyUSB0 or below
 * /dev/serial/by-id/. A port that is not there keeps the name it was given.
 */
export const serialLineKey = async (path: string): Promise<string> =>
  `serial:${await realpath(path).catch(() => path)}`;

/** Throws `DeviceFault` unreachable when the port is missing, forbidden or in use. */
export async function openSerialChannel(
  settings: SerialSettings,
  clock: Clock,
  signal: AbortSignal,
): Promise<SerialChannel> {
  signal.throwIfAborted();
  const { path, baudRate, parity, stopBits, dataBits = 8 } = settings;
  await refuseHeld(path);
  // Seventeen megabytes that a gateway without serial lines need not hold.
  const library = await import("serialport");
  signal.throwIfAborted();
  const port = new library.SerialPort({ path, baudRate, parity, stopBits, dataBits, lock: true, autoOpen: false });
  const opening = completes(done => port.open(done));
  try {
    await within(clock, serialOpenMs, path, signal, () => opening);
  } catch (error) {
    // An open that hangs may still succeed later, and would then hold the port for nobody.
    opening.then(() => port.close(() => {})).catch(() => {});
    if (signal.aborted) throw signal.reason;
    const again = (inner: AbortSignal) => untilPortIsThere(path, clock, inner);
    throw new DeviceFault("unreachable", explain(path, error), { cause: error, ...(isMissing(error) && { again }) });
  }
  return channelOf(port, path);
}

/** The lock does not bind root: a port that another program has open is left to it. One end of a pseudo terminal always is. */
async function refuseHeld(path: string): Promise<void> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || real.startsWith("/dev/pts/")) return;
  const holder = await holderOf(path);
  if (holder !== undefined) throw new DeviceFault("unreachable", `${path}: in use by ${holder}`);
}

function channelOf(port: SerialPort, name: string): SerialChannel {
  const channel = channelOver({
    name,
    onData: listener => port.on("data", listener),
    onClose: listener => port.once("close", (error: Error | null | undefined) => listener(error ?? undefined)),
    onError: listener => port.on("error", listener),
    explain: () => "the port went away: is the adapter still plugged in?",
    write(bytes, done, failed) {
      if (!port.isOpen) return;
      port.write(bytes, error => {
        if (error) failed(new DeviceFault("unreachable", explain(name, error), { cause: error }));
        else done();
      });
    },
    destroy() {
      if (port.isOpen) port.close(() => {});
    },
  });
  return {
    ...channel,
    async setBaudRate(baudRate) {
      try {
        await completes(done => port.drain(done));
        await completes(done => port.update({ baudRate }, done));
      } catch (error) {
        throw new DeviceFault("unreachable", explain(name, error), { cause: error });
      }
    },
  };
}

/** The library calls back with null as well as undefined for success. */
const completes = (start: (done: (error?: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => start(error => (error ? reject(error) : resolve())));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const isMissing = (error: unknown): boolean => /no such file|ENOENT|cannot find/i.test(messageOf(error));

function explain(path: string, error: unknown): string {
  if (error instanceof TimeoutError) return `${path}: the port does not open; unplug the adapter and plug it in again`;
  const message = messageOf(error);
  if (isMissing(error)) return `${path}: no such port: is the adapter plugged in?`;
  if (/permission|EACCES/i.test(message)) return `${path}: no permission: this user must be in the group dialout`;
  if (/lock|busy|EBUSY|temporarily unavailable/i.test(message)) return `${path}: in use by another program`;
  return `${path}: ${message}`;
}
