// A simulated level converter behind TCP with meters on its line: carries octets between its connections and the wire. Its cable
// can be cut and mended.

import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { createMbusBus, type MbusBus } from "./mbus-bus.ts";
import type { MbusMeter } from "./mbus-slave.ts";

export interface MbusConverter extends MbusBus, AsyncDisposable {
  readonly port: number;
  /** Breaks the connection off and refuses new ones. With a number: after so many octets of the next answer. */
  cut(afterOctets?: number): Promise<void>;
  restore(): Promise<void>;
  /** Octets nobody asked for. */
  inject(bytes: Uint8Array): void;
}

/** Listens on loopback; port 0 takes a free one. */
export async function startMbusConverter(
  clock: Clock,
  meters: readonly MbusMeter[],
  wantedPort = 0,
): Promise<MbusConverter> {
  const stop = new AbortController();
  const bus = createMbusBus(clock, meters, stop.signal);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = wantedPort;
  let cutAfter: number | undefined;

  const write = (socket: Socket, bytes: Uint8Array) => {
    if (socket.destroyed) return;
    if (cutAfter === undefined) return void socket.write(bytes);
    const left = bytes.subarray(0, cutAfter);
    cutAfter -= left.length;
    // The end of the stream comes behind the octets that still got through.
    if (cutAfter > 0) socket.write(left);
    else {
      socket.end(left);
      cutAfter = undefined;
      void converter.cut();
    }
  };

  const listen = async () => {
    server = createServer(socket => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
      // A connection that breaks is what this simulator is for.
      socket.on("error", () => {});
      socket.on("data", chunk => bus.hear(chunk, bytes => write(socket, bytes)));
    });
    await new Promise<void>((resolve, reject) => {
      server?.once("error", reject);
      server?.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (typeof address === "object" && address !== null) port = address.port;
  };

  const unlisten = async () => {
    const closing = server;
    server = undefined;
    for (const socket of sockets) if (!socket.writableEnded) socket.destroy();
    await new Promise<void>(resolve => (closing === undefined ? resolve() : closing.close(() => resolve())));
  };

  const own = {
    get port() {
      return port;
    },
    async cut(afterOctets?: number) {
      if (afterOctets !== undefined && afterOctets > 0) cutAfter = afterOctets;
      else await unlisten();
    },
    async restore() {
      cutAfter = undefined;
      if (server === undefined) await listen();
    },
    inject(bytes: Uint8Array) {
      for (const socket of sockets) socket.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await unlisten();
    },
  };
  // One object with the bus's own switches, so that setting one of them sets it on the wire.
  const converter: MbusConverter = Object.defineProperties(bus, Object.getOwnPropertyDescriptors(own)) as MbusConverter;
  await listen();
  return converter;
}
