// The byte channels over real sockets and a pseudo terminal.

import { createSocket } from "node:dgram";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { openSerialChannel, serialLineKey } from "#drivers/serial-port.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { openUdpChannel } from "#drivers/udp-channel.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";

const never = new AbortController().signal;

async function listening(onSocket: (socket: Socket) => void) {
  const server = createServer(onSocket);
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

it("a TCP channel carries octets both ways and closes twice harmlessly", async () => {
  const { server, port } = await listening(socket => socket.pipe(socket));
  const channel = await openTcpChannel({ host: "127.0.0.1", port }, systemClock, never);
  const heard = new Promise<Uint8Array>(resolve => channel.onData(resolve));
  await channel.write(Uint8Array.of(1, 2, 255));
  expect([...(await heard)]).toEqual([1, 2, 255]);
  await channel.close();
  await channel.close();
  await expect(channel.write(Uint8Array.of(1))).rejects.toMatchObject({ kind: "unreachable" });
  server.close();
});

it("a TCP channel that the other side drops settles `closed` with a reason", async () => {
  const { server, port } = await listening(socket => socket.once("data", () => socket.resetAndDestroy()));
  const channel = await openTcpChannel({ host: "127.0.0.1", port }, systemClock, never);
  await channel.write(Uint8Array.of(1));
  expect(await channel.closed).toMatchObject({ kind: "unreachable", message: expect.stringContaining("broke") });
  server.close();
});

it("a port on which nothing listens is unreachable, with advice and without hanging", async () => {
  const { server, port } = await listening(() => {});
  await new Promise(resolve => server.close(resolve));
  await expect(openTcpChannel({ host: "127.0.0.1", port }, systemClock, never)).rejects.toMatchObject({
    kind: "unreachable",
    message: expect.stringContaining("nothing listens there"),
  });
});

it("a connection attempt is abortable", async () => {
  const leaving = new AbortController();
  // 192.0.2.0/24 is for documentation: nobody answers, or the system says at once that there is no route.
  const opening = openTcpChannel({ host: "192.0.2.1", port: 502 }, systemClock, leaving.signal);
  leaving.abort(new Error("left"));
  await expect(opening).rejects.toThrow("left");
});

it("a serial port that is not there is unreachable and says so", async () => {
  const path = "/dev/serial/by-id/not-plugged-in";
  const opening = openSerialChannel({ path, baudRate: 9600, parity: "none", stopBits: 1 }, systemClock, never);
  await expect(opening).rejects.toMatchObject({
    kind: "unreachable",
    message: expect.stringContaining("no such port"),
  });
});

it("a serial port carries octets, is locked against a second opener, and notices the unplugging", async () => {
  await using terminal = await openPseudoTerminal();
  const settings = { baudRate: 9600, parity: "none", stopBits: 1, path: terminal.path } as const;
  const channel = await openSerialChannel(settings, systemClock, never);
  const heard = new Promise<Uint8Array>(resolve => channel.onData(resolve));
  terminal.write(Uint8Array.of(0, 10, 13, 3, 255));
  expect([...(await heard)]).toEqual([0, 10, 13, 3, 255]);
  await channel.write(Uint8Array.of(255, 17, 19, 0));
  expect([...(await terminal.heard(4))]).toEqual([255, 17, 19, 0]);
  await channel.setBaudRate(2400);
  await expect(openSerialChannel(settings, systemClock, never)).rejects.toMatchObject({ kind: "unreachable" });
  expect(await serialLineKey(`/dev/../${terminal.path}`)).toBe(`serial:${terminal.path}`);
  await terminal[Symbol.asyncDispose]();
  expect((await channel.closed).message).toContain("went away");
  await channel.close();
});

it("a UDP channel: each datagram is a chunk; nothing there is no loss, and an unknown name says so", async () => {
  const partner = createSocket("udp4");
  await new Promise<void>(resolve => partner.bind(0, "127.0.0.1", resolve));
  partner.on("message", (datagram, from) => {
    partner.send(datagram, from.port);
    partner.send(new Uint8Array(5_000), from.port);
  });
  const { port } = partner.address();
  const channel = await openUdpChannel({ host: "127.0.0.1", port }, systemClock, never);
  const lengths: number[] = [];
  const both = new Promise<void>(resolve =>
    channel.onData(chunk => {
      lengths.push(chunk.length);
      if (lengths.length === 2) resolve();
    }),
  );
  await channel.write(Uint8Array.of(1, 2, 255));
  await both;
  expect(lengths).toEqual([3, 2_048]);
  await new Promise<void>(resolve => partner.close(resolve));
  for (let n = 0; n < 3; n++) await channel.write(Uint8Array.of(n));
  await channel.close();
  await channel.close();
  await expect(channel.write(Uint8Array.of(1))).rejects.toMatchObject({ kind: "unreachable" });
  await expect(openUdpChannel({ host: "no-such-host.invalid", port: 1 }, systemClock, never)).rejects.toMatchObject({
    kind: "unreachable",
  });
});
