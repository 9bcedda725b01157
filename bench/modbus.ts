// What Modbus costs and what a dead unit costs its neighbours: reads over TCP beside bare modbus-serial at the same server, turn
// and turn about; a paced line of 19,200 Bd on a clock of its own; plans beside the shortest there are.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type ModbusRTU from "modbus-serial";
import * as library from "modbus-serial";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createLine } from "#drivers/modbus/line.ts";
import { plan, type Span } from "#drivers/modbus/plan.ts";
import { rtu } from "#drivers/modbus/rtu.ts";
import { createSerialSession } from "#drivers/modbus/serial-session.ts";
import { openTcpSession } from "#drivers/modbus/tcp-session.ts";
import { openTcpChannel } from "#drivers/tcp-channel.ts";
import { serveRtu } from "#lab/modbus-serial.ts";
import { createLabUnit } from "#lab/modbus-unit.ts";
import { freePort } from "#lab/ports.ts";
import { bytePipe } from "../test/support/byte-pipe.ts";
import { manualClock } from "../test/support/manual-clock.ts";
import type { Figure } from "./figures.ts";
import { startProgram } from "./scene.ts";

/** Short and many: what else the machine does changes by the second. */
const rounds = 120;
const roundMs = 80;
const never = new AbortController().signal;
const Client = library.default as unknown as new () => InstanceType<typeof ModbusRTU.default>;

export async function modbusFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  return [...(await tcpFigures(note, signal)), ...(await lineFigures(note, signal)), ...planFigures(note)];
}

async function tcpFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  const port = await freePort();
  const { child } = await startProgram("the Modbus server", ["bench/modbus-server.ts", String(port)], signal);
  await using _server = child;
  const timing = { timeoutMs: 3_000, gapMs: 0, unitChangeGapMs: 0, anyTransaction: false, anyUnit: false };
  const connect = (inner: AbortSignal) => openTcpChannel({ host: "127.0.0.1", port }, systemClock, inner);
  const session = await openTcpSession(connect, timing, systemClock, signal);
  const patience = { floorMs: 500, ceilingMs: 3_000 };
  await using line = createLine(session, systemClock, silentLog, undefined, patience);
  const unit = line.unit(1, 0);
  const client = new Client();
  await client.connectTCP("127.0.0.1", { port });
  client.setID(1);
  client.setTimeout(3_000);
  const figures: Figure[] = [];
  for (const quantity of [2, 125]) {
    note(`${quantity} registers over TCP, one read after the other`);
    const ours = async () => {
      const answer = await unit.ask({ function: 3, address: 100, quantity }, "read", never);
      if (answer.kind !== "registers" || answer.registers[quantity - 1] !== 99 + quantity)
        throw new Error("a wrong value");
    };
    const theirs = async () => {
      const { data } = await client.readHoldingRegisters(100, quantity);
      if (data[quantity - 1] !== 99 + quantity) throw new Error("a wrong value");
    };
    const { ourRate, theirRate } = await turnAndTurnAbout(ours, theirs, signal);
    const name = `modbus.tcp.${quantity}`;
    figures.push(
      { name: `${name}.reads`, text: `TCP reads of ${quantity} registers`, value: ourRate, unit: "/s" },
      { name: `${name}.bare`, text: "the same with bare modbus-serial", value: theirRate, unit: "/s" },
      { name: `${name}.ratio`, text: "ratio", value: ourRate / theirRate, unit: "", target: { atLeast: 0.9 } },
    );
  }
  await new Promise<void>(resolve => client.close(() => resolve()));
  return figures;
}

/** Alternating, so that whatever else the machine does meets both. */
async function turnAndTurnAbout(ours: () => Promise<void>, theirs: () => Promise<void>, signal: AbortSignal) {
  const count = { ours: 0, theirs: 0 };
  const spentMs = { ours: 0, theirs: 0 };
  for (let round = -10; round < rounds; round++) {
    for (const [kind, work] of [
      ["ours", ours],
      ["theirs", theirs],
    ] as const) {
      const began = performance.now();
      let done = 0;
      for (; performance.now() - began < roundMs; done++) await work();
      signal.throwIfAborted();
      if (round < 0) continue;
      count[kind] += done;
      spentMs[kind] += performance.now() - began;
    }
  }
  return {
    ourRate: (1_000 * count.ours) / spentMs.ours,
    theirRate: (1_000 * count.theirs) / spentMs.theirs,
  };
}

const unitsCount = 10;
const deadUnit = 5;
const phaseMs = 60_000;

/** Everyone is asked again as soon as he has answered: the line is full, and what one wastes all others lack. */
async function lineFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  note(`${unitsCount} units at 19,200 Bd; one dies`);
  const clock = manualClock();
  const pipe = bytePipe("rs485");
  const slave = serveRtu(pipe.far, clock);
  slave.baudRate = 19_200;
  slave.always = { delayMs: 8 };
  const good = new Map<number, number>();
  for (let address = 1; address <= unitsCount; address++) {
    const unit = createLabUnit();
    for (let n = 0; n < 20; n++) unit.set("input", n, n);
    slave.units.set(address, unit);
  }
  const timing = { timeoutMs: 1_000, gapMs: 0, unitChangeGapMs: 20, baudRate: 19_200 };
  const session = createSerialSession(pipe.near, rtu, timing, clock);
  const line = createLine(session, clock, silentLog, undefined, { floorMs: 200, ceilingMs: 1_000 });
  const stop = new AbortController();
  const poll = async (address: number) => {
    while (!stop.signal.aborted) {
      const request = { function: 4, address: 0, quantity: 20 } as const;
      const answered = await line
        .unit(address, 0)
        .ask(request, "poll", stop.signal)
        .then(
          () => true,
          () => false,
        );
      if (answered) good.set(address, (good.get(address) ?? 0) + 1);
      // What the tree does for a device that fails at once: its next poll is no sooner than a second later.
      else await clock.sleep(1_000, stop.signal).catch(() => {});
    }
  };
  const pollers = Array.from({ length: unitsCount }, (_, n) => poll(n + 1));
  const phase = async (ms: number) => {
    good.clear();
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500);
      signal.throwIfAborted();
    }
    let nine = 0;
    for (const [address, count] of good) if (address !== deadUnit) nine += count;
    return (1_000 * nine) / ms;
  };
  await phase(phaseMs / 4);
  const live = await phase(phaseMs);
  const dead = slave.units.get(deadUnit);
  if (dead === undefined) throw new Error("no such unit");
  dead.silent = true;
  const first = await phase(phaseMs);
  const later = await phase(5 * phaseMs);
  dead.silent = false;
  stop.abort(new Error("measured"));
  for (let n = 0; n < 20; n++) await clock.advance(1_000);
  await Promise.all(pollers);
  await line[Symbol.asyncDispose]();
  return [
    { name: "modbus.line.live", text: "nine of ten live units at 19,200 Bd", value: live, unit: "reads/s" },
    { name: "modbus.line.dead", text: "the same nine, the tenth dead", value: later, unit: "reads/s" },
    {
      name: "modbus.line.first",
      text: "share of their rate in the minute it dies",
      value: first / live,
      unit: "",
      target: { atLeast: 0.95 },
    },
    {
      name: "modbus.line.share",
      text: "share of their rate from then on",
      value: later / live,
      unit: "",
      target: { atLeast: 0.95 },
    },
  ];
}

/** The maps of twenty-two meters and random ones, each under several limits. */
function planFigures(note: (text: string) => void): Figure[] {
  note("plans beside the shortest there are");
  const maps: Span[][] = [];
  const vectors = join(import.meta.dirname, "../test/vectors/modbus/maps.json");
  for (const { registers } of (JSON.parse(readFileSync(vectors, "utf8")) as { meters: Meter[] }).meters) {
    for (const code of new Set(registers.map(one => one.function))) {
      maps.push(apart(registers.filter(one => one.function === code)));
    }
  }
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let n = 0; n < 2_000; n++) {
    const map: Span[] = [];
    for (let at = random(50); map.length < 60; at += random(3) === 0 ? random(25) : 0) {
      const words = [1, 2, 2, 4][random(4)] ?? 1;
      map.push({ address: at, words });
      at += words;
    }
    maps.push(map);
  }
  let excess = 0;
  let plans = 0;
  for (const map of maps) {
    for (const [wordsMax, gapMax] of [
      [125, 0],
      [125, 16],
      [50, 4],
      [10, 8],
    ] as const) {
      plans++;
      excess = Math.max(excess, plan(map, { wordsMax, gapMax }).length - shortest(map, wordsMax, gapMax));
    }
  }
  return [
    { name: "modbus.plans", text: "plans compared", value: plans, unit: "" },
    {
      name: "modbus.plans.excess",
      text: "most requests above the best",
      value: excess,
      unit: "",
      target: { atMost: 1 },
    },
  ];
}

interface Meter {
  readonly registers: readonly (Span & { readonly function: number })[];
}

const apart = (spans: readonly Span[]): Span[] =>
  spans
    .toSorted((a, b) => a.address - b.address)
    .filter(({ address }, n, all) => n === 0 || address >= (all[n - 1]?.address ?? 0) + (all[n - 1]?.words ?? 0));

/** Of values that do not overlap: the fewest reads for the first n of them, for each n in turn. */
function shortest(map: readonly Span[], wordsMax: number, gapMax: number): number {
  const fewest = [0];
  for (let end = 1; end <= map.length; end++) {
    let best = Number.POSITIVE_INFINITY;
    const last = map[end - 1];
    for (let begin = end - 1; begin >= 0 && last; begin--) {
      const [first, next] = [map[begin], map[begin + 1]];
      if (first === undefined || last.address + last.words - first.address > wordsMax) break;
      if (begin < end - 1 && next && next.address - first.address - first.words > gapMax) break;
      best = Math.min(best, (fewest[begin] ?? 0) + 1);
    }
    fewest.push(best);
  }
  return fewest[map.length] ?? 0;
}
