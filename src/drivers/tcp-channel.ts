// A byte channel over TCP: Modbus TCP units and the converters that carry a serial line over a network. The one place of
// the drivers that opens sockets.

import { connect, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { DeviceFault } from "#contract/faults.ts";
import { lineConnectMs, lineKeepAliveMs } from "#limits.ts";
import type { ByteChannel } from "./byte-channel.ts";
import { untilClosed } from "./until-closed.ts";

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** The key by which a line is owned (Env.own). */
export const tcpLineKey = ({ host, port }: TcpAddress): string => `tcp:${host.toLowerCase()}:${port}`;

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
    throw new DeviceFault("unreachable", explain(name, error), { cause: error });
  }
  return channelOf(socket, name);
}

const connected = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });

/** A channel over a socket that is open already, from either end. */
export function channelOf(socket: Socket, name: string): ByteChannel {
  let listener = (_chunk: Uint8Array) => {};
  let failure: Error | undefined;
  let closing = false;
  const closed = new Promise<DeviceFault>(resolve => {
    socket.once("close", () =>
      resolve(
        new DeviceFault("unreachable", closing ? `${name}: closed by us` : explain(name, failure), { cause: failure }),
      ),
    );
  });
  // The error comes before "close"; without a listener it would end the process.
  socket.on("error", error => {
    failure ??= error;
  });
  socket.on("data", chunk => listener(chunk));

  const close = async () => {
    closing = true;
    socket.destroy();
    await closed;
  };
  const waiting = untilClosed(closed);
  return {
    name,
    closed,
    close,
    [Symbol.asyncDispose]: close,
    onData(next) {
      listener = next;
    },
    write: bytes =>
      // A socket destroyed while a write is pending may drop its callback: `closed` ends the wait then.
      waiting(done => {
        if (!socket.writable) return;
        socket.write(bytes, error => {
          if (!error) done();
        });
      }),
  };
}

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

function explain(name: string, error: unknown): string {
  if (error === undefined) return `${name}: the other side closed the connection`;
  if (error instanceof TimeoutError) return `${name}: ${silence}`;
  const code = (error as { code?: string }).code;
  return `${name}: ${(code && reasons[code]) ?? (error instanceof Error ? error.message : String(error))}`;
}
