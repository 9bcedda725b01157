// A byte channel over UDP, to one converter: each datagram that comes is a chunk of octets, each write is one datagram. There
// is no connection, so nothing tells that the other side went away but its silence.

import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { DeviceFault } from "#contract/faults.ts";
import { datagramBytesMax, lineConnectMs } from "#limits.ts";
import { type ByteChannel, channelOver } from "./byte-channel.ts";
import { plainHost, type TcpAddress } from "./tcp-channel.ts";

/** The key by which a line is owned (Env.own); a converter may offer the same port over TCP, which is another line to it. */
export const udpLineKey = ({ host, port }: TcpAddress): string => `udp:${plainHost(host)}:${port}`;

/** Only what the address itself sends is heard. Throws `DeviceFault` unreachable (unknown name, no route). */
export async function openUdpChannel(address: TcpAddress, clock: Clock, signal: AbortSignal): Promise<ByteChannel> {
  const { host, port } = address;
  const name = `${host}:${port}`;
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", recvBufferSize: 65_536 });
  try {
    await within(clock, lineConnectMs, name, signal, () => connected(socket, address));
  } catch (error) {
    socket.on("error", () => {});
    socket.close();
    if (signal.aborted) throw signal.reason;
    throw new DeviceFault("unreachable", `${name}: ${reasonOf(error)}`, { cause: error });
  }
  return channelOf(socket, name);
}

const connected = (socket: Socket, { host, port }: TcpAddress): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject);
    // An unknown name is told to the callback.
    socket.connect(port, host, (error?: Error) => {
      socket.off("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });

function channelOf(socket: Socket, name: string): ByteChannel {
  let isOpen = true;
  socket.once("close", () => {
    isOpen = false;
  });
  const destroy = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  return channelOver({
    name,
    // A longer datagram is no frame of any field bus: it is cut to what one can be.
    onData: listener => socket.on("message", datagram => listener(datagram.subarray(0, datagramBytesMax))),
    onClose: listener => socket.once("close", () => listener(undefined)),
    onError: listener =>
      socket.on("error", (error: NodeJS.ErrnoException) => {
        // "Nothing listens there" may change any moment, and without a connection there is nothing to open anew.
        if (error.code === "ECONNREFUSED") return;
        listener(error);
        destroy();
      }),
    explain: reasonOf,
    write(bytes, done, failed) {
      if (!isOpen) return;
      socket.send(bytes, error => {
        const code = (error as NodeJS.ErrnoException | null)?.code;
        if (error === null || code === "ECONNREFUSED") done();
        else failed(new DeviceFault("unreachable", `${name}: ${reasonOf(error)}`, { cause: error }));
      });
    },
    destroy,
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "the name is unknown: check the host name",
  EAI_AGAIN: "the name cannot be looked up now: check the network",
  EHOSTUNREACH: "no route to the host: check the address and the cable",
  ENETUNREACH: "no route to the network: check the network settings",
};

function reasonOf(error: unknown): string {
  if (error === undefined) return "the socket was closed";
  if (error instanceof TimeoutError) return "the name cannot be looked up now: check the network";
  const code = (error as { code?: string }).code;
  return (code && reasons[code]) ?? (error instanceof Error ? error.message : String(error));
}
