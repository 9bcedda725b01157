// A line that goes away at each octet of an exchange, over a socket and over a serial port; answers cut, late, twice and glued
// together; and lines over UDP.

import { createSocket } from "node:dgram";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Env } from "#contract/driver.ts";
import { mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { createMbusBus } from "#lab/mbus-bus.ts";
import { openPseudoTerminal } from "#lab/pseudo-terminal.ts";
import { fieldOf, openBench, readAll } from "./bench.ts";
import { never, openWire, simpleMeter } from "./wire.ts";

const env = <P>(parent: P): Env<P> => ({
  clock: systemClock,
  log: silentLog,
  parent,
  own: () => ({ [Symbol.dispose]() {} }),
  timeZone: "Europe/Berlin",
});
const parts = () => [Uint8Array.of(0x0c, 0x13, 1, 0, 0, 0, 0x1f), Uint8Array.of(0x4c, 0x13, 2, 0, 0, 0)];

describe("M-Bus 0.9: unplugged at each octet", () => {
  it("of a readout by secondary address over two telegrams: a fault and no value, then well again", async () => {
    await using bench = await openBench(() => [simpleMeter("11111111", { primary: 5, telegrams: parts })]);
    const whole = await bench.read(await bench.meter({ address: "11111111" }));
    // Two E5, two telegrams of 28 and 27 octets, and the E5 of the end.
    let wholeAfter = 0;
    for (let octets = 1; octets <= 60 && wholeAfter === 0; octets++) {
      await bench.converter.cut(octets);
      const device = await bench.meter({ address: "11111111" });
      const outcome = await bench.settle(readAll(device).catch((error: unknown) => error));
      if (Array.isArray(outcome)) {
        expect(outcome.map(({ fields }) => fields.length)).toEqual(whole.map(({ fields }) => fields.length));
        wholeAfter = octets;
      } else expect(outcome, `${octets}`).toMatchObject({ kind: "unreachable" });
      await bench.converter.restore();
      await bench.reopen();
    }
    expect(wholeAfter).toBeGreaterThan(50);
    expect(await bench.read(await bench.meter({ address: "11111111" }))).toHaveLength(whole.length);
  });

  it("of a serial port: the adapter is pulled after k octets of the answer", async () => {
    const { serial, meter: meterType } = mbusNodeTypes;
    for (const pulledAfter of [0, 1, 2, 5, 12, 24, 25]) {
      await using terminal = await openPseudoTerminal();
      const stop = new AbortController();
      const bus = createMbusBus(systemClock, [simpleMeter("11111111", { primary: 5 })], stop.signal);
      let left = pulledAfter;
      terminal.onData(chunk =>
        bus.hear(chunk, bytes => {
          terminal.write(bytes.subarray(0, left));
          left -= bytes.length;
          if (left <= 0) setTimeout(() => void terminal[Symbol.asyncDispose](), 20);
        }),
      );
      await using line = await serial.open(
        serial.settings.parse({ serialDevice: terminal.path }),
        env(undefined),
        never,
      );
      const device = await meterType.open(meterType.settings.parse({ address: "5" }), env(line), never);
      await expect(readAll(device), `${pulledAfter}`).rejects.toMatchObject({ kind: "unreachable" });
      expect((await line.closed)?.kind).toBe("unreachable");
      stop.abort();
    }
  });
});

describe("M-Bus 0.8: answers that are not to be believed", () => {
  it("cut at each octet: the meter's fault and no value, and the next readout is whole", async () => {
    const meter = simpleMeter("11111111", { primary: 5 });
    await using wire = openWire(() => [meter], { marginMs: 0 });
    const device = await wire.meter({ address: "5" });
    const [frame] = [Uint8Array.from(meter.answer(Uint8Array.of(0x10, 0x7b, 5, 0x80, 0x16)) ?? [])];
    for (let octets = 0; octets < frame.length; octets++) {
      wire.bus.disturb = answer => [{ afterMs: 0, bytes: answer.length === 1 ? answer : answer.subarray(0, octets) }];
      const outcome = await wire.settle(readAll(device).catch((error: unknown) => error));
      expect(outcome, `${octets}`).toMatchObject({ kind: octets === 0 ? "timeout" : "garbled" });
      wire.bus.disturb = undefined;
      await wire.clock.advance(60_000);
      expect(fieldOf(await wire.settle(readAll(device)), "Volume")?.value, `${octets}`).toMatchObject({
        value: 2850.427,
      });
    }
  });

  it("glued to the next, doubled, or with another meter's before it: each value is of the meter that was asked", async () => {
    const [one, two] = [
      simpleMeter("11111111", { primary: 5 }),
      simpleMeter("22222222", { primary: 6, telegrams: parts }),
    ];
    const other = Uint8Array.from(two.answer(Uint8Array.of(0x10, 0x7b, 6, 0x81, 0x16)) ?? []);
    const glued = {
      doubled: (answer: Uint8Array) => Uint8Array.of(...answer, ...answer),
      "another before": (answer: Uint8Array) => Uint8Array.of(...other, ...answer),
      "another behind": (answer: Uint8Array) => Uint8Array.of(...answer, ...other),
      "half of another before": (answer: Uint8Array) => Uint8Array.of(...other.subarray(9), ...answer),
    };
    for (const [name, glue] of Object.entries(glued)) {
      await using wire = openWire(() => [one, two]);
      wire.bus.disturb = answer => [{ afterMs: 0, bytes: answer.length === 1 ? answer : glue(answer) }];
      for (const [address, id] of [
        ["5", "11111111"],
        ["22222222", "22222222"],
        ["6", "22222222"],
      ] as const) {
        const outcome = await wire.settle(readAll(await wire.meter({ address })).catch((error: unknown) => error));
        if (!Array.isArray(outcome)) continue;
        expect(fieldOf(outcome, "Identification")?.value, `${name}, ${address}`).toMatchObject({ value: id });
        const twice = outcome.flatMap(({ fields }) => fields).filter(field => field.name.endsWith(", 2"));
        expect(twice, `${name}, ${address}`).toEqual([]);
      }
    }
  });
});

it("M-Bus over UDP: one datagram is a chunk; lost ones cost a repetition, and no line is opened anew", async () => {
  const socket = createSocket("udp4");
  await new Promise<void>(resolve => socket.bind(0, "127.0.0.1", resolve));
  const stop = new AbortController();
  const meter = simpleMeter("11111111", { primary: 5, telegrams: parts });
  const bus = createMbusBus(systemClock, [meter], stop.signal);
  let lost = 0;
  socket.on("message", (datagram, from) =>
    bus.hear(datagram, bytes => {
      // The first answer of all is lost on the way; long ones come in two datagrams.
      if (lost++ === 0) return;
      const half = bytes.length >> 1;
      for (const part of half === 0 ? [bytes] : [bytes.subarray(0, half), bytes.subarray(half)])
        socket.send(part, from.port, from.address);
    }),
  );
  const { udp, meter: meterType } = mbusNodeTypes;
  const { port } = socket.address();
  const settings = udp.settings.parse({ host: "127.0.0.1", port, answerMarginMs: 0 });
  await using line = await udp.open(settings, env(undefined), never);
  const device = await meterType.open(meterType.settings.parse({ address: "5" }), env(line), never);
  const volumes = (await readAll(device))
    .flatMap(({ fields }) => fields)
    .filter(({ name }) => name.startsWith("Volume"));
  expect(volumes).toHaveLength(2);
  expect(line.line.counters.timeouts).toBe(1);
  await new Promise<void>(resolve => socket.close(resolve));
  await expect(readAll(device)).rejects.toMatchObject({ kind: "timeout" });
  stop.abort();
});
