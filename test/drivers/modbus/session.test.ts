// The line over both kinds of session against simulated units on real octets, under a manual clock on a pipe in memory where
// time matters and over real sockets where the network does. What a field line does wrong must never become a value.

import { describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { QueueFull } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";
import { createLine, type ModbusLine } from "#drivers/modbus/line.ts";
import type { Answer, Request } from "#drivers/modbus/pdu.ts";
import { rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import { openTcpSession, type TcpTiming } from "#drivers/modbus/tcp-session.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { type LabSlave, serveRtu } from "#lab/modbus-serial.ts";
import { type LabServer, startModbusServer } from "#lab/modbus-server.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";
import { bytePipe } from "../../support/byte-pipe.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

const never = new AbortController().signal;
const read = (address: number, quantity = 2): Request => ({ function: 3, address, quantity });
/** Register n of unit u holds 1000 u + n: a value from the wrong place is seen at once. */
const labUnit = (address: number) => {
  const unit = createLabUnit();
  for (let n = 0; n < 100; n++) unit.set("holding", n, 1000 * address + n);
  for (let n = 0; n < 16; n++) unit.set("coil", n, n % 2);
  return unit;
};
const words = (unit: number, address: number, count = 2): Answer => ({
  kind: "registers",
  registers: Array.from({ length: count }, (_, n) => 1000 * unit + address + n),
});

/** Lets the clock run until the work is done. */
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
  for (let passed = 0; !done && passed < msMax; passed += 10) await clock.advance(10);
  return work;
}

const state = (line: ModbusLine, unit: number) =>
  line
    .unit(unit, 0)
    .describe()
    .find(({ id }) => id === "state")?.value.value;

interface Bench {
  line: ModbusLine;
  clock: ManualClock;
  slave: LabSlave;
  cut(): void;
}

function serialBench(timing: Partial<Parameters<typeof createSerialSession>[2]> = {}): Bench {
  const clock = manualClock();
  const pipe = bytePipe("rs485");
  const slave = serveRtu(pipe.far, clock);
  for (const address of [1, 2, 3]) slave.units.set(address, labUnit(address));
  const full = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 0, baudRate: 9600, ...timing };
  const line = createLine(createSerialSession(pipe.near, rtu, full, clock), clock, silentLog);
  return { line, clock, slave, cut: pipe.cut };
}

describe("serial line", () => {
  it("reads and writes, each answer checked", async () => {
    const { line, clock } = serialBench();
    const unit = line.unit(1, 0);
    expect(await during(clock, unit.ask(read(10), "read", never))).toEqual(words(1, 10));
    const write = { function: 16, address: 5, values: [7, 8] } as const;
    expect(await during(clock, unit.ask(write, "control", never))).toEqual({ kind: "echo" });
    expect(await during(clock, unit.ask(read(5), "read", never))).toEqual({ kind: "registers", registers: [7, 8] });
    expect(await during(clock, unit.ask(read(99), "read", never))).toEqual({ kind: "exception", code: 2 });
  });

  it("parallel askers of several units are answered one at a time, each with its own", async () => {
    const { line, clock, slave } = serialBench();
    const asks = Array.from({ length: 30 }, (_, n) => ({ unit: 1 + (n % 3), address: n }));
    const all = Promise.all(asks.map(({ unit, address }) => line.unit(unit, 0).ask(read(address), "read", never)));
    expect(await during(clock, all)).toEqual(asks.map(({ unit, address }) => words(unit, address)));
    expect(slave.overlapMax).toBe(1);
  });

  it("a late answer is never the answer to the next request", async () => {
    const { line, clock, slave } = serialBench();
    slave.next({ delayMs: 1_700 });
    const write = { function: 6, address: 1, value: 5 } as const;
    // A write is not sent twice: the late echo arrives while nobody waits.
    const first = during(clock, line.unit(1, 0).ask(write, "control", never));
    await expect(first).rejects.toMatchObject({ kind: "timeout" });
    const second = { function: 6, address: 1, value: 6 } as const;
    expect(await during(clock, line.unit(1, 0).ask(second, "control", never))).toEqual({ kind: "echo" });
    expect(slave.units.get(1)?.get("holding", 1)).toBe(6);
  });

  it("late answers to reads: whatever the delay, no value of one register is told as another's", async () => {
    for (const delayMs of [900, 1_200, 1_500, 2_050, 2_400, 3_100, 4_700, 6_000, 8_000]) {
      const { line, clock, slave } = serialBench();
      slave.next({ delayMs }, { delayMs }, { delayMs });
      const one = line
        .unit(1, 0)
        .ask(read(10), "read", never)
        .catch(error => error);
      const two = line
        .unit(1, 0)
        .ask(read(20), "read", never)
        .catch(error => error);
      const [first, second] = await during(clock, Promise.all([one, two]));
      if (!(first instanceof DeviceFault)) expect(first).toEqual(words(1, 10));
      if (!(second instanceof DeviceFault)) expect(second).toEqual(words(1, 20));
    }
  });

  it("an answer that comes twice counts once", async () => {
    const { line, clock, slave } = serialBench();
    slave.next({ twice: true });
    expect(await during(clock, line.unit(1, 0).ask(read(10), "read", never))).toEqual(words(1, 10));
    expect(await during(clock, line.unit(1, 0).ask(read(20), "read", never))).toEqual(words(1, 20));
  });

  it.each([
    ["from the wrong unit", { unit: 2 }],
    ["cut", { cut: 5 }],
    ["damaged", { damage: true }],
    ["not at all", { silent: true }],
  ])("an answer that comes %s is asked for again, and the right one is told", async (_name, mishap) => {
    const { line, clock, slave } = serialBench();
    slave.next(mishap);
    expect(await during(clock, line.unit(1, 0).ask(read(10), "read", never))).toEqual(words(1, 10));
    expect(line.unit(1, 0).counters.retries).toBe(1);
    expect(await during(clock, line.unit(1, 0).ask(read(20), "read", never))).toEqual(words(1, 20));
  });

  it("glitches before the answer and pieces of it are no trouble", async () => {
    const { line, clock, slave } = serialBench();
    slave.always = { glitch: [0x00, 0x01, 0x03, 0xff], splitMs: 40 };
    for (const address of [3, 4, 5]) {
      expect(await during(clock, line.unit(1, 0).ask(read(address), "read", never))).toEqual(words(1, address));
    }
    expect(line.unit(1, 0).counters.retries).toBe(0);
  });

  it("an adapter that echoes is noticed and its echo taken off, for writes too", async () => {
    const { line, clock, slave } = serialBench();
    slave.echoes = true;
    expect(await during(clock, line.unit(1, 0).ask(read(10), "read", never))).toEqual(words(1, 10));
    slave.next({ silent: true });
    const write = { function: 6, address: 1, value: 5 } as const;
    // Only the echo came: that is not the unit's word.
    await expect(during(clock, line.unit(1, 0).ask(write, "control", never))).rejects.toMatchObject({
      kind: expect.stringMatching(/timeout|garbled/),
    });
    expect(await during(clock, line.unit(1, 0).ask(write, "control", never))).toEqual({ kind: "echo" });
  });

  it("keeps the longer gap when the unit changes", async () => {
    const retries = (line: ModbusLine) => line.unit(1, 0).counters.retries + line.unit(2, 0).counters.retries;
    const tooFast = serialBench();
    tooFast.slave.needsGapMs = 40;
    const alternate = (line: ModbusLine) =>
      Promise.all([1, 2, 1, 2].map(unit => line.unit(unit, 0).ask(read(1), "read", never)));
    await during(tooFast.clock, alternate(tooFast.line));
    expect(retries(tooFast.line)).toBeGreaterThan(0);
    const patient = serialBench({ unitChangeGapMs: 50 });
    patient.slave.needsGapMs = 40;
    expect(await during(patient.clock, alternate(patient.line))).toEqual([1, 2, 1, 2].map(unit => words(unit, 1)));
    expect(retries(patient.line)).toBe(0);
  });

  it("a busy unit is asked again and is no failure; a refusal is not repeated", async () => {
    const { line, clock, slave } = serialBench();
    const unit = slave.units.get(1);
    if (!unit) throw new Error("no unit");
    unit.exception = 6;
    const asking = during(clock, line.unit(1, 0).ask(read(10), "read", never));
    await clock.advance(600);
    unit.exception = undefined;
    expect(await asking).toEqual(words(1, 10));
    unit.exception = 2;
    const before = unit.requests.length;
    expect(await during(clock, line.unit(1, 0).ask(read(10), "read", never))).toEqual({ kind: "exception", code: 2 });
    expect(unit.requests.length - before).toBe(1);
  });

  it("a dead unit rests and says so, costs its neighbours little, and comes back by a probe", async () => {
    const { line, clock, slave } = serialBench();
    slave.always = { delayMs: 100 };
    const dead = slave.units.get(3);
    if (!dead) throw new Error("no unit");
    dead.silent = true;
    await expect(during(clock, line.unit(3, 0).ask(read(1), "read", never))).rejects.toMatchObject({ kind: "timeout" });
    expect(state(line, 3)).toMatch(/^resting, next try in \d+ s$/);
    const began = clock.monotonic();
    await expect(line.unit(3, 0).ask(read(1), "read", never)).rejects.toMatchObject({
      kind: "timeout",
      message: expect.stringMatching(/^unit 3: no answer within 1000 ms.* \(resting between tries\)$/),
    });
    expect(clock.monotonic()).toBe(began);

    // Minutes in which everyone is polled all the time: what the living get, beside what they get alone.
    const poll = async (address: number, until: number) => {
      let good = 0;
      while (clock.monotonic() < until) {
        const ok = await line
          .unit(address, 0)
          .ask(read(1), "poll", never)
          .then(
            () => true,
            () => false,
          );
        if (ok) good++;
        else await clock.sleep(1_000, never);
      }
      return good;
    };
    const rounds = async (addresses: number[]) => {
      const until = clock.monotonic() + 400_000;
      const counts = Promise.all(addresses.map(address => poll(address, until)));
      while (clock.monotonic() < until) await clock.advance(1_000);
      return during(clock, counts);
    };
    const before = line.unit(3, 0).counters.requests;
    const [one = 0, two = 0] = await rounds([1, 2, 3]);
    expect(line.unit(3, 0).counters.requests - before).toBeLessThan(12);
    const [alone = 0, both = 0] = await rounds([1, 2]);
    expect((one + two) / (alone + both)).toBeGreaterThan(0.95);

    dead.silent = false;
    await clock.advance(600_000);
    expect(await during(clock, line.unit(3, 0).ask(read(1), "read", never))).toEqual(words(3, 1));
    expect(state(line, 3)).toBe("answering");
  }, 120_000);

  it("an abort ends the wait at once, and the next request is not answered by the abandoned one", async () => {
    const { line, clock, slave } = serialBench();
    slave.next({ delayMs: 300 });
    const leaving = new AbortController();
    const abandoned = line.unit(1, 0).ask(read(10), "read", leaving.signal);
    await clock.advance(100);
    leaving.abort(new Error("left"));
    await expect(abandoned).rejects.toThrow("left");
    expect(await during(clock, line.unit(1, 0).ask(read(20), "read", never))).toEqual(words(1, 20));
  });

  it("a line that goes away during an exchange ends it as unreachable and settles `closed`", async () => {
    const { line, clock, slave, cut } = serialBench();
    slave.next({ delayMs: 500 });
    const asking = line.unit(1, 0).ask(read(10), "read", never);
    const waiting = line.unit(2, 0).ask(read(10), "read", never);
    const outcomes = Promise.allSettled([asking, waiting]);
    await clock.advance(100);
    cut();
    await clock.advance(1);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { kind: "unreachable" } });
    }
    expect(await line.closed).toMatchObject({ kind: "unreachable" });
  });

  it("a full queue refuses instead of growing", async () => {
    const { line, clock, slave } = serialBench();
    slave.always = { delayMs: 100 };
    const asks = Array.from({ length: 70 }, () => line.unit(1, 0).ask(read(1), "read", never));
    const outcomes = await during(clock, Promise.allSettled(asks));
    const refused = outcomes.filter(outcome => outcome.status === "rejected");
    expect(refused).toHaveLength(5);
    // Not a fault of the unit: whoever came too late is told to come again.
    for (const { reason } of refused) expect(reason).toBeInstanceOf(QueueFull);
  });

  it("a broadcast is written, not answered, and all units obey", async () => {
    const { line, clock, slave } = serialBench();
    const write = { function: 6, address: 7, value: 77 } as const;
    expect(await during(clock, line.unit(0, 0).ask(write, "control", never))).toEqual({ kind: "echo" });
    expect([1, 2, 3].map(unit => slave.units.get(unit)?.get("holding", 7))).toEqual([77, 77, 77]);
  });
});

const tcpTiming: TcpTiming = {
  timeoutMs: 150,
  gapMs: 0,
  unitChangeGapMs: 0,
  anyTransaction: false,
  anyUnit: false,
};

async function tcpLine(server: LabServer, timing: Partial<TcpTiming> = {}): Promise<ModbusLine> {
  const session = await openTcpSession(
    signal => openTcpChannel({ host: "127.0.0.1", port: server.port }, systemClock, signal),
    { ...tcpTiming, ...timing },
    systemClock,
    never,
  );
  return createLine(session, systemClock, silentLog);
}

async function labServer(): Promise<LabServer> {
  const server = await startModbusServer(systemClock);
  for (const address of [1, 2, 255]) server.units.set(address, labUnit(address % 50));
  return server;
}

describe("Modbus TCP over real sockets", () => {
  it("several units share one connection", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    const all = [1, 2, 255, 1, 2].map(unit => line.unit(unit, 0).ask(read(unit % 50), "read", never));
    expect(await Promise.all(all)).toEqual([1, 2, 5, 1, 2].map(unit => words(unit, unit)));
    expect([server.connections(), server.overlapMax]).toEqual([1, 1]);
  });

  it("late, twice, wrong unit, wrong transaction, cut and glued answers are never a value", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    const mishaps = [
      { delayMs: 220 },
      { twice: true },
      { unit: 2 },
      { transactionShift: 1 },
      { silent: true },
      { splitMs: 30 },
    ];
    for (const [n, mishap] of mishaps.entries()) {
      server.next(mishap);
      expect(await line.unit(1, 0).ask(read(n), "read", never)).toEqual(words(1, n));
    }
    // A cut frame swallows what follows, unless its connection is given up: the next answer's octets would complete it.
    server.next({ cut: 9 });
    const outcome = await line
      .unit(1, 0)
      .ask(read(40), "read", never)
      .catch(error => error);
    if (!(outcome instanceof DeviceFault)) expect(outcome).toEqual(words(1, 40));
    expect(await line.unit(2, 0).ask(read(30), "read", never)).toEqual(words(2, 30));
  });

  it("a retry has a new transaction number, and the answer to the old one is discarded", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    server.next({ delayMs: 200 }, { delayMs: 100 });
    expect(await line.unit(1, 0).ask(read(3), "read", never)).toEqual(words(1, 3));
    expect(line.describe?.().find(({ id }) => id === "foreign")?.value).toMatchObject({ value: 1 });
  });

  it("after foreign answers or silence three times the connection is opened anew, and it goes on", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    server.next({ silent: true }, { silent: true }, { silent: true });
    await expect(line.unit(1, 0).ask(read(3), "read", never)).rejects.toMatchObject({ kind: "timeout" });
    expect(await line.unit(2, 0).ask(read(3), "read", never)).toEqual(words(2, 3));
    expect(server.connections()).toBe(2);
  });

  it("a gateway with numbers of its own is understood only when told so", async () => {
    await using server = await labServer();
    server.always = { transactionShift: 1 };
    await using strict = await tcpLine(server);
    await expect(strict.unit(1, 0).ask(read(3), "read", never)).rejects.toMatchObject({ kind: "garbled" });
    await using tolerant = await tcpLine(server, { anyTransaction: true });
    expect(await tolerant.unit(1, 0).ask(read(3), "read", never)).toEqual(words(1, 3));
  });

  it("a connection that was closed while idle is opened anew without a fault", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    await line.unit(1, 0).ask(read(3), "read", never);
    server.dropAll();
    await systemClock.sleep(50, never);
    expect(await line.unit(1, 0).ask(read(4), "read", never)).toEqual(words(1, 4));
    expect(server.connections()).toBe(2);
  });

  it("a connection that breaks during an exchange is unreachable and settles `closed`", async () => {
    await using server = await labServer();
    await using line = await tcpLine(server);
    server.next({ drop: true });
    await expect(line.unit(1, 0).ask(read(3), "read", never)).rejects.toMatchObject({ kind: "unreachable" });
    expect(await line.closed).toMatchObject({ kind: "unreachable" });
  });

  it("closing twice is harmless, and afterwards a request fails at once", async () => {
    await using server = await labServer();
    const line = await tcpLine(server);
    await line[Symbol.asyncDispose]();
    await line[Symbol.asyncDispose]();
    await expect(line.unit(1, 0).ask(read(3), "read", never)).rejects.toMatchObject({ kind: "unreachable" });
  });
});
