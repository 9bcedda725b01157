// A simulated level converter behind TCP with meters on its line: carries octets, answers when a meter does, mixes them when
// two do, and can echo, delay, disturb and lose them. Its cable can be cut and mended.

import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import type { MbusMeter } from "./mbus-meter.ts";

/** What comes instead of an answer: these octets, each after a wait on the clock since the one before. */
export type Disturbance = (
  answer: Uint8Array,
  request: Uint8Array,
) => readonly { afterMs: number; bytes: Uint8Array }[];

export interface MbusConverter extends AsyncDisposable {
  readonly port: number;
  readonly meters: MbusMeter[];
  /** Gives back what is sent, before any answer. */
  echo: boolean;
  /** Applied to every answer until set to undefined. */
  disturb: Disturbance | undefined;
  /** Most requests under way at once: above 1 the master talked into an answer. */
  readonly overlap: number;
  /** Breaks the connection off and refuses new ones. With a number: after so many octets of the next answer. */
  cut(afterOctets?: number): Promise<void>;
  restore(): Promise<void>;
  /** Octets nobody asked for. */
  inject(bytes: Uint8Array): void;
}

/** Meters react after this on the clock, within the standard's 11 … 330 bit times at 2400 Bd. */
const reactionMs = 20;

/** Listens on loopback; port 0 takes a free one. */
export async function startMbusConverter(
  clock: Clock,
  meters: readonly MbusMeter[],
  wantedPort = 0,
): Promise<MbusConverter> {
  const stop = new AbortController();
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = wantedPort;
  let underWay = 0;
  let overlap = 0;
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

  const serve = async (socket: Socket, request: Uint8Array) => {
    overlap = Math.max(overlap, ++underWay);
    try {
      if (converter.echo) write(socket, request);
      const answering = converter.meters.map(meter => ({ meter, bytes: meter.answer(request) }));
      const answers = answering.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
      const slow = answering.reduce((most, { meter, bytes }) => (bytes ? Math.max(most, meter.slowMs) : most), 0);
      if (answers.length === 0) return;
      const mixed = answers.reduce(collide);
      await clock.sleep(reactionMs + slow, stop.signal);
      const plan = converter.disturb?.(mixed, request) ?? [{ afterMs: 0, bytes: mixed }];
      for (const { afterMs, bytes } of plan) {
        if (afterMs > 0) await clock.sleep(afterMs, stop.signal);
        write(socket, bytes);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      underWay--;
    }
  };

  const listen = async () => {
    server = createServer(socket => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("close", () => sockets.delete(socket));
      // A connection that breaks is what this simulator is for.
      socket.on("error", () => {});
      let held = new Uint8Array();
      socket.on("data", chunk => {
        held = Uint8Array.of(...held, ...chunk);
        for (;;) {
          const length = requestLength(held);
          if (length === undefined || held.length < length) return;
          const request = held.slice(0, length);
          held = held.slice(length);
          if (length > 1) void serve(socket, request);
        }
      });
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

  const converter: MbusConverter = {
    meters: [...meters],
    echo: false,
    disturb: undefined,
    get port() {
      return port;
    },
    get overlap() {
      return overlap;
    },
    async cut(afterOctets) {
      if (afterOctets !== undefined && afterOctets > 0) cutAfter = afterOctets;
      else await unlisten();
    },
    async restore() {
      cutAfter = undefined;
      if (server === undefined) await listen();
    },
    inject(bytes) {
      for (const socket of sockets) socket.write(bytes);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await unlisten();
    },
  };
  await listen();
  return converter;
}

/** Octets of the frame at the beginning, 1 for what is none, undefined while that is not known. */
function requestLength(held: Uint8Array): number | undefined {
  if (held.length === 0) return undefined;
  if (held[0] === 0x10) return 5;
  if (held[0] !== 0x68) return 1;
  return held.length < 2 ? undefined : (held[1] ?? 0) + 6;
}

/** Two slaves at once: the line carries the current of both, so a mark of either wins over a space. */
function collide(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === other.length && one.every((octet, at) => octet === other[at])) return one;
  return Uint8Array.from(
    { length: Math.max(one.length, other.length) },
    (_, at) => (one[at] ?? 0xff) & (other[at] ?? 0xff),
  );
}
