// One exchange at a time over a Modbus TCP connection: each attempt has a transaction id of its own, answers with another id
// are discarded and waiting goes on, and a connection that seems out of step is closed and opened anew.
// Modbus Messaging on TCP/IP 1.0b, clause 4.

import type { Clock } from "#base/clock.ts";
import { DeviceFault } from "#contract/faults.ts";
import { modbusMismatchesMax, modbusOwedMax, modbusReopenMs } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { createLineHealth } from "../line-health.ts";
import { writeBounded } from "../line-ownership.ts";
import { faultWords } from "./fault-words.ts";
import { type Answer, encodeRequest, isMismatch, type Request } from "./pdu.ts";
import { checkAnswer } from "./rtu.ts";
import { silence as advice, createBell, type Session, type SessionCounters, unitName } from "./session.ts";
import { createTcpReader, encodeTcp, type TcpFrame } from "./tcp.ts";

export interface TcpTiming {
  readonly timeoutMs: number;
  /** Between an answer and the next request. */
  readonly gapMs: number;
  readonly unitChangeGapMs: number;
  /** Some gateways answer with ids of their own: then unit, function and byte count have to do. */
  readonly anyTransaction: boolean;
  /** Some answer with another unit than asked. */
  readonly anyUnit: boolean;
}

interface Connection {
  readonly channel: ByteChannel;
  gone?: DeviceFault;
  /** The stream lost its place. */
  broken?: string;
}

interface Waiting {
  readonly unit: number;
  readonly request: Request;
  readonly transaction: number;
  answer?: Answer;
  problem?: string;
}

/** `open` is called for the first connection and for each that replaces it. Throws what it throws. */
export async function openTcpSession(
  open: (signal: AbortSignal) => Promise<ByteChannel>,
  timing: TcpTiming,
  clock: Clock,
  signal: AbortSignal,
): Promise<Session> {
  const counters: SessionCounters = { late: 0, foreign: 0, reopened: 0 };
  const health = createLineHealth(clock);
  /** Requests that nobody answered, by transaction. */
  const owed = new Map<number, { readonly who: string; readonly sentAt: number }>();
  const stop = new AbortController();
  const bell = createBell();
  let settleClosed = (_fault: DeviceFault) => {};
  const closed = new Promise<DeviceFault>(resolve => {
    settleClosed = resolve;
  });
  let waiting: Waiting | undefined;
  let transaction = Math.floor(clock.now()) & 0xffff;
  let lastAnswerAt = Number.NEGATIVE_INFINITY;
  let lastUnit: number | undefined;
  // In a row, on the present connection.
  let mismatches = 0;
  let silences = 0;

  const connect = (channel: ByteChannel): Connection => {
    const reader = createTcpReader();
    const mine: Connection = { channel };
    mismatches = 0;
    silences = 0;
    channel.onData(chunk => {
      const { frames, problem } = reader.feed(chunk);
      for (const frame of frames) accept(frame);
      if (problem) mine.broken = problem;
      bell.ring();
    });
    void channel.closed.then(fault => {
      mine.gone = fault;
      bell.ring();
    });
    return mine;
  };

  /** Is it the answer to a request that was given up? */
  const isLate = ({ transaction: id }: TcpFrame): boolean => {
    const debt = owed.get(id);
    if (debt === undefined) return false;
    owed.delete(id);
    health.late(debt.who, clock.monotonic() - debt.sentAt);
    return true;
  };

  const accept = (frame: TcpFrame) => {
    const late = frame.transaction !== waiting?.transaction && isLate(frame);
    if (waiting === undefined || waiting.answer !== undefined) {
      counters.late++;
      if (!late) health.foreign(unitName(frame.unit));
      return;
    }
    if (!timing.anyTransaction && frame.transaction !== waiting.transaction) {
      counters.foreign++;
      mismatches++;
      if (!late) health.foreign(unitName(waiting.unit));
      return;
    }
    const unit = timing.anyUnit ? waiting.unit : frame.unit;
    const answer = checkAnswer(waiting.unit, waiting.request, unit, frame.pdu);
    if (isMismatch(answer)) {
      counters.foreign++;
      mismatches++;
      waiting.problem = answer;
      if (!late) health.foreign(unitName(waiting.unit));
    } else {
      waiting.answer = answer;
    }
  };

  let connection = connect(await open(signal));

  /** A fresh connection after a loss, or the end of the session. */
  async function reopen(): Promise<void> {
    await connection.channel.close();
    try {
      await clock.sleep(modbusReopenMs, stop.signal);
      connection = connect(await open(stop.signal));
    } catch (error) {
      const fault =
        error instanceof DeviceFault
          ? error
          : new DeviceFault("unreachable", `${connection.channel.name}: closed`, { cause: error });
      settleClosed(fault);
      throw fault;
    }
    counters.reopened++;
  }

  async function pause(untilMs: number): Promise<void> {
    const done = new AbortController();
    await Promise.race([bell.next(), clock.sleep(untilMs - clock.monotonic(), done.signal).catch(() => {})]);
    done.abort();
  }

  async function send(bytes: Uint8Array): Promise<void> {
    const { channel } = connection;
    try {
      await writeBounded(channel, bytes, clock, stop.signal);
    } catch (error) {
      const fault =
        error instanceof DeviceFault
          ? error
          : new DeviceFault("unreachable", `${channel.name}: closed`, { cause: error });
      settleClosed(fault);
      throw fault;
    }
  }

  async function exchange(unit: number, request: Request, gapMs: number): Promise<Answer> {
    stop.signal.throwIfAborted();
    // Devices close connections that were idle; that is no fault as long as another can be had.
    if (connection.gone || connection.broken) await reopen();
    const change = lastUnit !== undefined && lastUnit !== unit ? timing.unitChangeGapMs : 0;
    const early = lastAnswerAt + Math.max(timing.gapMs, gapMs, change) - clock.monotonic();
    if (early > 0) await clock.sleep(early, stop.signal).catch(() => {});
    lastUnit = unit;

    transaction = (transaction + 1) & 0xffff;
    const mine: Waiting = { unit, request, transaction };
    const present = connection;
    const sentAt = clock.monotonic();
    waiting = mine;
    try {
      await send(encodeTcp({ transaction, unit, pdu: encodeRequest(request) }));
      const deadline = clock.monotonic() + timing.timeoutMs;
      const isOver = () => mine.answer || present.gone || present.broken || mismatches >= modbusMismatchesMax;
      while (!isOver() && clock.monotonic() < deadline) await pause(deadline);
    } finally {
      waiting = undefined;
      lastAnswerAt = clock.monotonic();
    }
    diagnose(mine, present, sentAt);
    return conclude(mine, present);
  }

  function diagnose({ answer, problem, unit, transaction: id }: Waiting, present: Connection, sentAt: number): void {
    const who = unitName(unit);
    if (answer !== undefined) health.answered(who, clock.monotonic() - sentAt);
    else if (present.broken ?? problem) health.checksum(who);
    else if (present.gone === undefined) {
      health.timeout(who);
      owed.set(id, { who, sentAt });
      const [oldest] = owed.keys();
      if (owed.size > modbusOwedMax && oldest !== undefined) owed.delete(oldest);
    }
  }

  async function conclude(mine: Waiting, present: Connection): Promise<Answer> {
    if (mine.answer) {
      mismatches = 0;
      silences = 0;
      return mine.answer;
    }
    if (present.gone) {
      settleClosed(present.gone);
      throw present.gone;
    }
    silences++;
    const wrong = present.broken ?? mine.problem ?? (mismatches > 0 ? "stale-transaction" : undefined);
    // Without ids to tell them apart, one late answer would shift all that follow.
    const outOfStep = timing.anyTransaction || Math.max(mismatches, silences) >= modbusMismatchesMax;
    if (present.broken || outOfStep) await reopen();
    if (wrong === undefined) {
      throw new DeviceFault("timeout", `unit ${mine.unit}: no answer within ${timing.timeoutMs} ms: ${advice}`);
    }
    throw new DeviceFault("garbled", `unit ${mine.unit}: the answer cannot be taken: ${faultWords(wrong)}`);
  }

  return {
    exchange,
    counters,
    health,
    closed,
    async [Symbol.asyncDispose]() {
      stop.abort(new DeviceFault("unreachable", `${connection.channel.name}: closed by us`));
      const { channel } = connection;
      await channel.close();
      settleClosed(await channel.closed);
    },
  };
}
