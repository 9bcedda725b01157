// One exchange at a time on a half-duplex line (RTU or ASCII, on a port or through a converter): the gap before each request,
// the answer found by its own length, and after a failure nobody speaks until a late answer can no longer come.
// Modbus over Serial Line 1.02, clauses 2.4 and 2.5.

import type { Clock } from "#base/clock.ts";
import { DeviceFault } from "#contract/faults.ts";
import { modbusBroadcastMs, modbusOwedMs } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { createLineHealth } from "../line-health.ts";
import { writeBounded } from "../line-ownership.ts";
import { portErrorsOf } from "../serial-errors.ts";
import { createDebts } from "./debts.ts";
import { faultWords } from "./fault-words.ts";
import type { AnswerReader, Reject, SerialFraming } from "./framing.ts";
import { type Answer, answerOctets, answerOctetsMax, type Request } from "./pdu.ts";
import {
  createAlarm,
  createBell,
  type Manner,
  type Session,
  type SessionCounters,
  silence,
  unitName,
} from "./session.ts";

export interface SerialTiming {
  /** From the last octet of the request to the last of the answer, the time of transfer not counted. */
  readonly timeoutMs: number;
  /** Silence between frames; not below 3.5 characters. */
  readonly gapMs: number;
  /** Silence when the unit changes: a unit that still hears its neighbour's answer misses a request that follows at once. */
  readonly unitChangeGapMs: number;
  /** 11 bits a character; undefined where the line's rate is not known (a converter). */
  readonly baudRate?: number;
}

/** A USB adapter passes octets on in parcels this far apart: shorter silence means nothing. */
const quietMsMin = 20;

interface Waiting {
  readonly unit: number;
  /** The request before was to another unit. */
  readonly first: boolean;
  readonly reader: AnswerReader;
  answer?: Answer;
}

export function createSerialSession(
  channel: ByteChannel,
  framing: SerialFraming,
  timing: SerialTiming,
  clock: Clock,
): Session {
  const health = createLineHealth(clock);
  const counters: SessionCounters = { late: 0, foreign: 0, reopened: 0 };
  const stop = new AbortController();
  const bell = createBell();
  const characterMs = timing.baudRate === undefined ? 0 : 11_000 / timing.baudRate;
  // Above 19200 Bd the pause is fixed, for units that cannot time shorter ones.
  const frameGapMs = (timing.baudRate ?? 0) > 19_200 ? 1.75 : 3.5 * characterMs;
  const quietMs = Math.max(quietMsMin, frameGapMs);

  let waiting: Waiting | undefined;
  /** Given up a moment ago: what comes now may be its answer. */
  let givenUp: { readonly waiting: Waiting; readonly sentAt: number; settled: boolean } | undefined;
  let lastOctetAt = Number.NEGATIVE_INFINITY;
  let lastUnit: number | undefined;
  let echoes = false;
  let gone: DeviceFault | undefined;
  let fences = Math.floor(clock.now()) & 0xffff;
  const debts = createDebts(Math.max(modbusOwedMs, 10 * timing.timeoutMs), clock);

  channel.onData(chunk => {
    lastOctetAt = clock.monotonic();
    if (waiting === undefined || waiting.answer !== undefined) unasked(chunk);
    else {
      const answer = waiting.reader.feed(chunk);
      if (answer !== undefined) waiting.answer = answer;
    }
    bell.ring();
  });
  void channel.closed.then(fault => {
    gone = fault;
    bell.ring();
  });

  const unasked = (chunk: Uint8Array) => {
    counters.late++;
    if (givenUp === undefined || givenUp.settled) return health.noise("", chunk.length);
    const { unit, reader } = givenUp.waiting;
    if (reader.feed(chunk) === undefined) return;
    givenUp.settled = true;
    health.late(unitName(unit), lastOctetAt - givenUp.sentAt);
  };

  const sleep = (ms: number) => clock.sleep(ms, stop.signal).catch(() => {});

  const pause = createAlarm(bell, clock, stop.signal);

  async function keepGap(gapMs: number): Promise<void> {
    for (;;) {
      // Closed by us comes first: a sleep that is aborted already returns at once, and would turn this loop into a spin.
      if (stop.signal.aborted) throw stop.signal.reason;
      if (gone) throw gone;
      const left = lastOctetAt + gapMs - clock.monotonic();
      if (left <= 0) return;
      await sleep(left);
    }
  }

  async function send(bytes: Uint8Array): Promise<void> {
    await writeBounded(channel, bytes, clock, stop.signal);
    lastOctetAt = clock.monotonic() + bytes.length * characterMs;
  }

  /** After silence: until a late answer has come and gone, or can no longer come. */
  async function drain(untilMs: number): Promise<void> {
    const before = lastOctetAt;
    while (!gone) {
      const now = clock.monotonic();
      const quietAt = lastOctetAt + quietMs;
      if (lastOctetAt > before ? now >= quietAt : now >= untilMs) return;
      await pause(lastOctetAt > before ? quietAt : untilMs);
    }
  }

  async function exchange(unit: number, request: Request, manner: Manner): Promise<Answer> {
    if (unit === 0 && !isWrite(request)) {
      throw new DeviceFault("refused", "unit 0 is all units at once: it can be written to, not read");
    }
    if (debts.has(unit, request)) await fence(unit, manner);
    return attempt(unit, request, manner);
  }

  /**
   * Units answer in the order in which they are asked. A loop back whose data nobody else has comes back, or is refused as an
   * unknown function, only after everything that was still owed.
   */
  async function fence(unit: number, manner: Manner): Promise<void> {
    fences = (fences + 1) & 0xffff;
    try {
      await attempt(unit, { function: 8, sub: 0, data: fences }, manner);
    } catch (error) {
      if (!(error instanceof DeviceFault) || error.kind === "unreachable") throw error;
      // No answer to the fence either: until it can no longer come, what this unit says cannot be told apart.
      throw new DeviceFault(error.kind, `${error.message} (an earlier answer of it may still be on its way)`, {
        cause: error,
      });
    }
    debts.clear(unit);
  }

  async function attempt(unit: number, request: Request, { gapMs, timeoutMs, answered }: Manner): Promise<Answer> {
    const first = lastUnit !== undefined && lastUnit !== unit;
    await keepGap(Math.max(frameGapMs, timing.gapMs, gapMs, first ? timing.unitChangeGapMs : 0));
    lastUnit = unit;
    givenUp = undefined;
    const mine: Waiting = { unit, first, reader: framing.createReader(unit, request, echoes) };
    const answerMs = framing.frameOctets(answerOctetsMax(request)) * characterMs;
    const bytes = framing.encode(unit, request);
    waiting = mine;
    let sentAt = 0;
    try {
      await send(bytes);
      sentAt = clock.monotonic() + bytes.length * characterMs;
      if (unit === 0) {
        await sleep(modbusBroadcastMs);
        return { kind: "echo" };
      }
      const deadline = sentAt + answerMs + (timeoutMs ?? timing.timeoutMs);
      while (mine.answer === undefined && gone === undefined && clock.monotonic() < deadline) await pause(deadline);
    } finally {
      waiting = undefined;
      tellRemarks(mine);
    }
    if (mine.answer !== undefined) {
      const octets = framing.frameOctets(answerOctets(request, mine.answer));
      const tookMs = Math.max(0, lastOctetAt - sentAt - octets * characterMs);
      health.answered(unitName(unit), tookMs, mine.first);
      answered?.(tookMs);
      debts.answered(unit, request);
      return mine.answer;
    }
    if (gone) throw gone;
    throw await failed(mine, request, sentAt, timeoutMs ?? timing.timeoutMs);
  }

  function tellRemarks({ unit, reader }: Waiting): void {
    counters.foreign += reader.foreign;
    for (let n = 0; n < reader.foreign; n++) health.foreign(unitName(unit));
    if (reader.echoed) health.echo(unitName(unit));
    echoes ||= reader.echoed;
  }

  /** The line is held until a late answer has come and gone: then says what went wrong. */
  async function failed(mine: Waiting, request: Request, sentAt: number, waitedMs: number): Promise<DeviceFault> {
    const { unit, reader } = mine;
    const { problem } = reader;
    if (problem === undefined || isForeign(problem)) health.timeout(unitName(unit), mine.first);
    else health.checksum(unitName(unit));
    const late = { waiting: mine, sentAt, settled: false };
    givenUp = late;
    await drain(clock.monotonic() + waitedMs);
    // What came instead may have been anybody's: the answer may still be owed.
    if (!late.settled) debts.add(unit, request);
    if (problem === undefined || problem === "unit-mismatch") {
      return new DeviceFault("timeout", `unit ${unit}: no answer within ${timing.timeoutMs} ms: ${silence}`);
    }
    return new DeviceFault("garbled", `unit ${unit}: the answer cannot be taken: ${faultWords(problem)}`);
  }

  return {
    exchange,
    // A port has a path, a converter an address.
    way: channel.name.startsWith("/") ? "port" : "converter",
    portErrors: () => portErrorsOf(channel.name),
    atOnceMax: 1,
    health,
    counters,
    closed: channel.closed,
    async [Symbol.asyncDispose]() {
      stop.abort(new DeviceFault("unreachable", `${channel.name}: closed by us`));
      await channel.close();
    },
  };
}

const isForeign = (problem: Reject): boolean =>
  problem === "unit-mismatch" || problem === "function-mismatch" || problem === "byte-count-mismatch";

const isWrite = ({ function: code }: Request): boolean => [5, 6, 15, 16, 21, 22].includes(code);
