// One exchange at a time on a half-duplex line (RTU or ASCII, on a port or through a converter): the gap before each request,
// the answer found by its own length, and after a failure nobody speaks until a late answer can no longer come.
// Modbus over Serial Line 1.02, clauses 2.4 and 2.5.

import type { Clock } from "#base/clock.ts";
import { DeviceFault } from "#contract/faults.ts";
import { modbusBroadcastMs, modbusOwedMax } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { createLineHealth } from "../line-health.ts";
import { writeBounded } from "../line-ownership.ts";
import { faultWords } from "./fault-words.ts";
import type { AnswerReader, SerialFraming } from "./framing.ts";
import type { Answer, Request } from "./pdu.ts";
import { createBell, type Session, type SessionCounters, silence, unitName } from "./session.ts";

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

/** An answer may be longer than a request tells beforehand: the longest frame. */
const answerBytesMax = 256;
/** A USB adapter passes octets on in parcels this far apart: shorter silence means nothing. */
const quietMsMin = 20;

/**
 * Requests that nobody answered, not even late: their answers may still come, and would pass for the answers to requests of
 * the same unit, function and length. Forgotten after `forgetMs`.
 */
function createDebts(forgetMs: number, clock: Clock) {
  const debts: { unit: number; request: Request; at: number }[] = [];
  const length = (request: Request) => ("quantity" in request ? request.quantity : 0);
  const isLike = (unit: number, request: Request) => (debt: (typeof debts)[number]) =>
    debt.unit === unit && debt.request.function === request.function && length(debt.request) === length(request);
  const same = (a: Request, b: Request) => "address" in a && "address" in b && a.address === b.address;
  return {
    add(unit: number, request: Request) {
      // The answer to a write names its address and value.
      if (request.function <= 4) debts.push({ unit, request, at: clock.monotonic() });
      if (debts.length > modbusOwedMax) debts.shift();
    },
    /** How many answers may come that this request would mistake for its own. */
    confusable(unit: number, request: Request): number {
      const now = clock.monotonic();
      while (debts[0] && now - debts[0].at > forgetMs) debts.shift();
      const like = debts.filter(isLike(unit, request));
      return like.every(debt => same(debt.request, request)) ? 0 : like.length;
    },
    settle(unit: number, request: Request) {
      const isSettled = isLike(unit, request);
      const left = debts.filter(debt => !isSettled(debt) || same(debt.request, request));
      debts.splice(0, debts.length, ...left);
    },
  };
}

export function createSerialSession(
  channel: ByteChannel,
  framing: SerialFraming,
  timing: SerialTiming,
  clock: Clock,
): Session {
  const counters: SessionCounters = { late: 0, foreign: 0, reopened: 0 };
  const health = createLineHealth(clock);
  const stop = new AbortController();
  const bell = createBell();
  const characterMs = timing.baudRate === undefined ? 0 : 11_000 / timing.baudRate;
  // Above 19200 Bd the pause is fixed, for units that cannot time shorter ones.
  const frameGapMs = (timing.baudRate ?? 0) > 19_200 ? 1.75 : 3.5 * characterMs;
  const quietMs = Math.max(quietMsMin, frameGapMs);

  let waiting: { reader: AnswerReader; answer?: Answer } | undefined;
  let lastOctetAt = Number.NEGATIVE_INFINITY;
  let lastUnit: number | undefined;
  let echoes = false;
  /** The end of the last request's sending, until its answer has come, late perhaps. */
  let unanswered: { readonly who: string; readonly sentAt: number } | undefined;
  let gone: DeviceFault | undefined;
  const debts = createDebts(10 * timing.timeoutMs, clock);

  channel.onData(chunk => {
    lastOctetAt = clock.monotonic();
    if (waiting === undefined || waiting.answer !== undefined) {
      counters.late++;
      if (unanswered === undefined) health.noise("", chunk.length);
      else health.late(unanswered.who, lastOctetAt - unanswered.sentAt);
      unanswered = undefined;
    } else {
      const answer = waiting.reader.feed(chunk);
      if (answer !== undefined) waiting.answer = answer;
    }
    bell.ring();
  });
  void channel.closed.then(fault => {
    gone = fault;
    bell.ring();
  });

  const sleep = (ms: number) => clock.sleep(ms, stop.signal).catch(() => {});

  /** Until the time or the next chunk, whichever is first. */
  async function pause(untilMs: number): Promise<void> {
    const done = new AbortController();
    await Promise.race([bell.next(), clock.sleep(untilMs - clock.monotonic(), done.signal).catch(() => {})]);
    done.abort();
  }

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

  async function exchange(unit: number, request: Request, gapMs: number): Promise<Answer> {
    // RTU answers carry no number: as many as may still be owed are spent on asking the same again.
    for (let owed = debts.confusable(unit, request); owed > 0; owed--) await attempt(unit, request, gapMs);
    debts.settle(unit, request);
    return attempt(unit, request, gapMs);
  }

  async function attempt(unit: number, request: Request, gapMs: number): Promise<Answer> {
    const change = lastUnit !== undefined && lastUnit !== unit ? timing.unitChangeGapMs : 0;
    await keepGap(Math.max(frameGapMs, timing.gapMs, gapMs, change));
    lastUnit = unit;
    const who = unitName(unit);
    const mine: NonNullable<typeof waiting> = { reader: framing.createReader(unit, request, echoes) };
    waiting = mine;
    try {
      const bytes = framing.encode(unit, request);
      await send(bytes);
      unanswered = { who, sentAt: lastOctetAt };
      if (unit === 0) {
        await sleep(modbusBroadcastMs);
        return { kind: "echo" };
      }
      const transferMs = (bytes.length + answerBytesMax) * characterMs;
      const deadline = clock.monotonic() + transferMs + timing.timeoutMs;
      while (mine.answer === undefined && gone === undefined && clock.monotonic() < deadline) await pause(deadline);
    } finally {
      waiting = undefined;
      counters.foreign += mine.reader.foreign;
      for (let n = 0; n < mine.reader.foreign; n++) health.foreign(who);
      if (mine.reader.echoed) health.echo(who);
      echoes ||= mine.reader.echoed;
    }
    if (mine.answer !== undefined) {
      health.answered(who, Math.max(0, clock.monotonic() - (unanswered?.sentAt ?? lastOctetAt)));
      unanswered = undefined;
      return mine.answer;
    }
    if (gone) throw gone;
    const { problem } = mine.reader;
    const silent = problem === undefined || problem === "unit-mismatch";
    if (silent) health.timeout(who);
    else {
      health.checksum(who);
      unanswered = undefined;
    }
    const heardBefore = counters.late;
    await drain(clock.monotonic() + timing.timeoutMs);
    // What came instead may have been anybody's: the answer may still be owed.
    if (counters.late === heardBefore) debts.add(unit, request);
    if (problem === undefined || silent) {
      throw new DeviceFault("timeout", `unit ${unit}: no answer within ${timing.timeoutMs} ms: ${silence}`);
    }
    throw new DeviceFault("garbled", `unit ${unit}: the answer cannot be taken: ${faultWords(problem)}`);
  }

  return {
    exchange,
    counters,
    health,
    closed: channel.closed,
    async [Symbol.asyncDispose]() {
      stop.abort(new DeviceFault("unreachable", `${channel.name}: closed by us`));
      await channel.close();
    },
  };
}
