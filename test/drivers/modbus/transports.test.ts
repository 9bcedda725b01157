// What carries Modbus besides plain RTU and TCP (ASCII, UDP in both framings), what a connection is trusted with (several
// requests at once, a long pause), how long a unit is waited for, and lines that are pulled at every octet of an exchange.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { DeviceFault } from "#contract/faults.ts";
import type { ByteChannel } from "#drivers/byte-channel.ts";
import { ascii } from "#drivers/modbus/ascii.ts";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { createLine, type ModbusLine } from "#drivers/modbus/line.ts";
import type { Answer, Request } from "#drivers/modbus/pdu.ts";
import { encodeRtu, rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import type { Session } from "#drivers/modbus/session.ts";
import { decodeTcp, encodeTcp } from "#drivers/modbus/tcp.ts";
import { openTcpSession } from "#drivers/modbus/tcp-session.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { serveAscii, serveRtu } from "#lab/modbus-serial.ts";
import { startModbusServer, startModbusUdp } from "#lab/modbus-server.ts";
import { createLabUnit, type LabUnit } from "#lab/modbus-unit.ts";
import { bytePipe } from "../../support/byte-pipe.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

const never = new AbortController().signal;
const read = (address: number, quantity = 2): Request => ({ function: 3, address, quantity });
const labUnit = () => {
  const unit = createLabUnit();
  for (let n = 0; n < 100; n++) unit.set("holding", n, 1000 + n);
  return unit;
};
const words = (address: number): Answer => ({ kind: "registers", registers: [1000 + address, 1001 + address] });

async function during<T>(clock: ManualClock, work: Promise<T>, msMax = 60_000): Promise<T> {
  let done = false;
  work.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  for (let passed = 0; !done && passed < msMax; passed += 50) await clock.advance(50);
  return work;
}

async function openLine(name: string, settings: object): Promise<ModbusLine> {
  const type = modbusDriver.nodeTypes.find(one => one.name === name);
  const env = { clock: systemClock, log: silentLog, timeZone: "UTC", own: () => ({ [Symbol.dispose]() {} }) };
  return (await type?.open(type.settings.parse(settings), env as never, never)) as ModbusLine;
}

describe("ASCII", () => {
  it("reads, writes and finds its place again after damage", async () => {
    const clock = manualClock();
    const pipe = bytePipe("rs485");
    const slave = serveAscii(pipe.far, clock);
    slave.units.set(1, labUnit());
    const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, baudRate: 9600 };
    const line = createLine(createSerialSession(pipe.near, ascii, timing, clock), clock, silentLog);
    const unit = line.unit(1, 0);
    expect(await during(clock, unit.ask(read(5), "read", never))).toEqual(words(5));
    const write = { function: 16, address: 5, values: [7, 8] } as const;
    expect(await during(clock, unit.ask(write, "control", never))).toEqual({ kind: "echo" });
    for (const mishap of [{ cut: 6 }, { glitch: [0x3a, 0x30, 0x31] }, { damage: true }, { twice: true }]) {
      slave.next(mishap);
      expect(await during(clock, unit.ask(read(9), "read", never))).toEqual(words(9));
    }
  });
});

describe("UDP", () => {
  it.each(["rtu", "tcp"] as const)("a converter that speaks %s over datagrams", async framing => {
    await using far = await startModbusUdp(systemClock, framing);
    far.units.set(1, labUnit());
    await using line = await openLine("modbus.udp", { host: "127.0.0.1", port: far.port, framing, timeoutMs: 300 });
    const unit = line.unit(1, 0);
    expect(await unit.ask(read(5), "read", never)).toEqual(words(5));
    // Datagrams are lost.
    far.next({ silent: true }, {}, { twice: true });
    expect(await unit.ask(read(6), "read", never)).toEqual(words(6));
    expect(await unit.ask(read(7), "read", never)).toEqual(words(7));
    expect(await unit.ask(read(8), "read", never)).toEqual(words(8));
  });
});

describe("a Modbus TCP connection", () => {
  const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, anyTransaction: false, anyUnit: false };

  it("carries several requests at once where that is set, each answered by its own number; otherwise one", async () => {
    for (const [requestsAtOnce, overlap] of [
      [1, 1],
      [4, 4],
    ] as const) {
      await using server = await startModbusServer(systemClock);
      server.units.set(1, labUnit());
      server.always = { delayMs: 30 };
      const settings = { host: "127.0.0.1", port: server.port, requestsAtOnce };
      await using line = await openLine("modbus.tcp", settings);
      const asks = Array.from({ length: 12 }, (_, n) => line.unit(1, 0).ask(read(n), "read", never));
      expect(await Promise.all(asks)).toEqual(asks.map((_, n) => words(n)));
      expect(server.overlapMax).toBe(overlap);
    }
  });

  it("answers that come in another order than they were asked for find their requests", async () => {
    await using server = await startModbusServer(systemClock);
    server.units.set(1, labUnit());
    await using line = await openLine("modbus.tcp", { host: "127.0.0.1", port: server.port, requestsAtOnce: 4 });
    server.next({ delayMs: 80 }, { delayMs: 40 }, { delayMs: 1 });
    const asks = [10, 20, 30].map(address => line.unit(1, 0).ask(read(address), "read", never));
    expect(await Promise.all(asks)).toEqual([words(10), words(20), words(30)]);
  });

  it("that was not used for minutes is opened anew before it is trusted; that is no loss", async () => {
    const clock = manualClock();
    const opened: ByteChannel[] = [];
    const open = async () => {
      const pipe = bytePipe("tcp");
      answerTcp(pipe.far);
      opened.push(pipe.near);
      return pipe.near;
    };
    const session = await openTcpSession(open, timing, clock, never);
    expect(await during(clock, session.exchange(1, read(1), { gapMs: 0 }))).toEqual(words(1));
    await clock.advance(200_000);
    await during(clock, session.exchange(1, read(1), { gapMs: 0 }));
    expect(opened).toHaveLength(1);
    await clock.advance(400_000);
    expect(await during(clock, session.exchange(1, read(2), { gapMs: 0 }))).toEqual(words(2));
    expect([opened.length, session.counters.reopened]).toEqual([2, 0]);
    expect(await opened[0]?.closed).toBeInstanceOf(DeviceFault);
  });
});

/** Answers every read at once. */
function answerTcp(far: ByteChannel): void {
  far.onData(chunk => {
    const frame = decodeTcp(chunk);
    if (typeof frame === "string") return;
    const address = ((frame.pdu[1] ?? 0) << 8) | (frame.pdu[2] ?? 0);
    const values = [1000 + address, 1001 + address];
    const pdu = Uint8Array.from([3, 4, ...values.flatMap(value => [value >> 8, value & 255])]);
    void far.write(encodeTcp({ ...frame, pdu }));
  });
}

describe("patience", () => {
  const bench = () => {
    const clock = manualClock();
    const pipe = bytePipe("rs485");
    const slave = serveRtu(pipe.far, clock);
    slave.units.set(1, labUnit());
    slave.always = { delayMs: 30 };
    const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, baudRate: 9600 };
    const session = createSerialSession(pipe.near, rtu, timing, clock);
    const line = createLine(session, clock, silentLog, undefined, { floorMs: 100, ceilingMs: 1_000 });
    return { clock, slave, line };
  };
  const took = async (clock: ManualClock, work: Promise<unknown>) => {
    const began = clock.monotonic();
    await during(
      clock,
      work.catch(() => {}),
    );
    return clock.monotonic() - began;
  };

  it("a unit that is known to be fast costs less when it dies, and its first silence is doubted", async () => {
    const unknown = bench();
    unknown.slave.always = { silent: true };
    const unknownMs = await took(unknown.clock, unknown.line.unit(1, 0).ask(read(1), "read", never));
    const known = bench();
    for (let n = 0; n < 10; n++) await during(known.clock, known.line.unit(1, 0).ask(read(1), "read", never));
    known.slave.always = { silent: true };
    const knownMs = await took(known.clock, known.line.unit(1, 0).ask(read(1), "read", never));
    // Three attempts: brief, and two with all the time there is, lest a unit that became slow be taken for dead.
    expect(knownMs).toBeLessThan(unknownMs - 1_500);
    expect(knownMs).toBeGreaterThan(4_000);
    // A try after a rest is brief.
    await known.clock.advance(11_000);
    expect(await took(known.clock, known.line.unit(1, 0).ask(read(1), "read", never))).toBeLessThan(500);
  });

  it("a unit that becomes slower within the configured timeout goes on being read", async () => {
    const { clock, slave, line } = bench();
    for (let n = 0; n < 10; n++) await during(clock, line.unit(1, 0).ask(read(1), "read", never));
    slave.always = { delayMs: 700 };
    for (let n = 0; n < 5; n++) {
      expect(await during(clock, line.unit(1, 0).ask(read(n), "read", never))).toEqual(words(n));
    }
    expect(line.unit(1, 0).counters.timeouts).toBeLessThanOrEqual(2);
  });

  it("unit 0 is written to, not read", async () => {
    const { clock, line } = bench();
    await expect(during(clock, line.unit(0, 0).ask(read(1), "read", never))).rejects.toMatchObject({ kind: "refused" });
  });
});

describe("a cable pulled at each octet of an exchange", () => {
  const pdu = Uint8Array.of(3, 4, 0x12, 0x34, 0x56, 0x78);
  const cases: [string, Uint8Array, (channel: ByteChannel, clock: ManualClock) => Promise<Session>][] = [
    [
      "RTU",
      encodeRtu(1, pdu),
      async (channel, clock) =>
        createSerialSession(channel, rtu, { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0 }, clock),
    ],
    [
      "ASCII",
      Uint8Array.from(":010304123456789 E4\r\n".replace(" ", ""), char => char.charCodeAt(0)),
      async (channel, clock) =>
        createSerialSession(channel, ascii, { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0 }, clock),
    ],
    [
      "TCP",
      encodeTcp({ transaction: 1, unit: 1, pdu }),
      async (channel, clock) => {
        const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, anyTransaction: true, anyUnit: false };
        return openTcpSession(async () => channel, timing, clock, never);
      },
    ],
  ];
  for (const [name, answer, open] of cases) {
    it(`${name}: ends as unreachable at once, settles \`closed\`, and is never a value`, async () => {
      for (let octets = 0; octets < answer.length; octets++) {
        const clock = manualClock();
        const pipe = bytePipe("line");
        const session = await open(pipe.near, clock);
        pipe.far.onData(() => {
          void pipe.far.write(answer.subarray(0, octets)).then(() => setImmediate(pipe.cut));
        });
        const outcome = await during(
          clock,
          session.exchange(1, read(0), { gapMs: 0 }).catch(error => error),
          2_000,
        );
        expect(outcome, `after ${octets} octets`).toMatchObject({ kind: "unreachable" });
        expect(await session.closed).toBeInstanceOf(DeviceFault);
        await session[Symbol.asyncDispose]();
      }
    });
  }

  it("over a real socket, reset after each octet", async () => {
    for (let cut = 0; cut < 13; cut += 3) {
      await using server = await startModbusServer(systemClock);
      server.units.set(1, labUnit());
      const timing = { timeoutMs: 5_000, gapMs: 0, unitChangeGapMs: 0, anyTransaction: false, anyUnit: false };
      const channel = () => openTcpChannel({ host: "127.0.0.1", port: server.port }, systemClock, never);
      await using session = await openTcpSession(channel, timing, systemClock, never);
      server.next({ cut });
      const asking = session.exchange(1, read(0), { gapMs: 0 }).catch(error => error);
      await systemClock.sleep(30, never);
      server.dropAll();
      expect(await asking).toMatchObject({ kind: "unreachable" });
    }
  });
});

describe("what is glued to an answer", () => {
  it.each([
    ["another unit's frame", [...encodeRtu(2, Uint8Array.of(3, 4, 9, 9, 9, 9))]],
    ["the same answer with other values", [...encodeRtu(1, Uint8Array.of(3, 4, 9, 9, 9, 9))]],
    ["nonsense", [1, 3, 4, 0]],
  ])("%s: the first answer counts and nothing of it passes for the next", async (_name, glued) => {
    const clock = manualClock();
    const pipe = bytePipe("rs485");
    const slave = serveRtu(pipe.far, clock);
    slave.units.set(1, labUnit());
    const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, baudRate: 9600 };
    const line = createLine(createSerialSession(pipe.near, rtu, timing, clock), clock, silentLog);
    slave.next({ glued });
    expect(await during(clock, line.unit(1, 0).ask(read(10), "read", never))).toEqual(words(10));
    expect(await during(clock, line.unit(1, 0).ask(read(20), "read", never))).toEqual(words(20));
  });
});

describe("late answers of every length of time, one after the other", () => {
  const delayMs = fc.constantFrom(0, 20, 120, 400, 900, 1_300, 2_100, 3_500, 7_000);
  const asked = fc.record({
    address: fc.integer({ min: 0, max: 5 }),
    quantity: fc.constantFrom(1, 2),
    delays: fc.array(delayMs, { minLength: 3, maxLength: 3 }),
  });

  it.each([
    ["answers a loop back", () => {}],
    ["refuses the loop back", (unit: LabUnit) => void unit.unknownFunctions.add(8)],
    ["ignores the loop back", (unit: LabUnit) => void unit.ignoredFunctions.add(8)],
  ])(
    "no value of one register is ever told as another's, where the unit %s",
    async (_name, make) => {
      await fc.assert(
        fc.asyncProperty(fc.array(asked, { minLength: 2, maxLength: 6 }), async asks => {
          const clock = manualClock();
          const pipe = bytePipe("rs485");
          const slave = serveRtu(pipe.far, clock);
          const unit = labUnit();
          make(unit);
          slave.units.set(1, unit);
          slave.inOrder = true;
          const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, baudRate: 9600 };
          const session = createSerialSession(pipe.near, rtu, timing, clock);
          const line = createLine(session, clock, silentLog, undefined, { floorMs: 100, ceilingMs: 1_000 });
          for (const { address, quantity, delays } of asks) {
            slave.next(...delays.map(one => ({ delayMs: one })));
            const answer = await during(
              clock,
              line
                .unit(1, 0)
                .ask(read(address, quantity), "read", never)
                .catch(error => error),
            );
            if (answer instanceof DeviceFault) continue;
            const right = Array.from({ length: quantity }, (_, n) => 1000 + address + n);
            expect(answer).toEqual({ kind: "registers", registers: right });
          }
        }),
        { numRuns: 60, seed: 7 },
      );
    },
    120_000,
  );
});
