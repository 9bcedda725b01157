// A byte channel over TCP: Modbus TCP units and the converters that carry a serial line over a network. The one place of
// the drivers that opens sockets.

import { connect, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { DeviceFault } from "#contract/faults.ts";
import { lineConnectMs, lineKeepAliveMs } from "#limits.ts";
import { type ByteChannel, channelOver } from "./byte-channel.ts";

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** The key by which a line is owned (Env.own): the same for every way to write one name; `owning` adds that of its address. */
export const tcpLineKey = ({ host, port }: TcpAddress): string => `tcp:${plainHost(host)}:${port}`;

/** In small letters, without the dot of the root, and an IPv4 address in IPv6's clothes as what it is. */
export const plainHost = (host: string): string =>
  host
    .toLowerCase()
    .replace(/\.$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^::ffff:(?=\d+\.)/, "");

/** Throws `DeviceFault` unreachable (refused, no route, unknown name, or silent for longer than limits.lineConnectMs). */
export async function openTcpChannel(address: TcpAddress, clock: Clock, signal: AbortSignal): Promise<ByteChannel> {
  const { host, port } = address;
  const name = `${host}:${port}`;
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: lineKeepAliveMs });
  try {
    await within(clock, lineConnectMs, name, signal, () => connected(socket));
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    if (signal.aborted) throw signal.reason;
    throw new DeviceFault("unreachable", `${name}: ${reasonOf(error)}`, { cause: error });
  }
  return channelOf(socket, name);
}

const connected = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });

/** A channel over a socket that is open already, from either end. */
export const channelOf = (socket: Socket, name: string): ByteChannel =>
  channelOver({
    name,
    onData: listener => socket.on("data", listener),
    onClose: listener => socket.once("close", () => listener(undefined)),
    onError: listener => socket.on("error", listener),
    explain: reasonOf,
    write(bytes, done) {
      if (!socket.writable) return;
      socket.write(bytes, error => {
        if (!error) done();
      });
    },
    destroy: () => socket.destroy(),
  });

const silence = "no answer: check the address, the power and the cable";
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check the port and whether the device allows another connection",
  ENOTFOUND: "the name is unknown: check the host name",
  EAI_AGAIN: "the name cannot be looked up now: check the network",
  EHOSTUNREACH: "no route to the host: check the address and the cable",
  ENETUNREACH: "no route to the network: check the network settings",
  ECONNRESET: "the other side broke the connection off",
  EPIPE: "the other side broke the connection off",
  ETIMEDOUT: silence,
};

function reasonOf(error: unknown): string {
  if (error === undefined) return "the other side closed the connection";
  if (error instanceof TimeoutError) return silence;
  const code = (error as { code?: string }).code;
  return (code && reasons[code]) ?? (error instanceof Error ? error.message : String(error));
}
