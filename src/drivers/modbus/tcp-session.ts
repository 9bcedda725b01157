// Exchanges over a Modbus TCP connection, one at a time unless the gateway takes more: each attempt has a transaction id of its
// own, answers with another id are discarded and waiting goes on, and a connection that seems out of step is closed and opened
// anew. Modbus Messaging on TCP/IP 1.0b, clause 4.

import type { Clock } from "#base/clock.ts";
import { DeviceFault } from "#contract/faults.ts";
import { modbusIdleMs, modbusMismatchesMax, modbusReopenMs } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { createLineHealth } from "../line-health.ts";
import { faultWords } from "./fault-words.ts";
import { type Answer, encodeRequest, isMismatch, type Request } from "./pdu.ts";
import { checkAnswer } from "./rtu.ts";
import {
  silence as advice,
  createAlarm,
  createBell,
  type Manner,
  type Session,
  type SessionCounters,
  unitName,
} from "./session.ts";
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
  /** Requests under way at once, for servers that take several; without numbers to tell them apart it is one. Default 1. */
  readonly requestsAtOnce?: number;
}

interface Connection {
  readonly channel: ByteChannel;
  gone?: DeviceFault;
  /** Given up for another one: what still comes from it belongs to nobody. */
  retired?: true;
  /** The stream lost its place. */
  broken?: string;
}

interface Waiting {
  readonly unit: number;
  /** The request before was to another unit. */
  readonly first: boolean;
  readonly request: Request;
  readonly transaction: number;
  sentAt: number;
  answeredAt: number;
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
  const health = createLineHealth(clock);
  const counters: SessionCounters = { late: 0, foreign: 0, reopened: 0 };
  const stop = new AbortController();
  const bell = createBell();
  let settleClosed = (_fault: DeviceFault) => {};
  const closed = new Promise<DeviceFault>(resolve => {
    settleClosed = resolve;
  });
  const waiting = new Map<number, Waiting>();
  /** Given up, the newest last: an answer with such a number is late, and no sign that the stream is out of step. */
  const givenUp: Waiting[] = [];
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
      if (mine.retired) return;
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

  const accept = (frame: TcpFrame) => {
    const open = timing.anyTransaction ? waiting.values().next().value : waiting.get(frame.transaction);
    if (open === undefined || open.answer !== undefined) return unasked(frame);
    const unit = timing.anyUnit ? open.unit : frame.unit;
    const answer = checkAnswer(open.unit, open.request, unit, frame.pdu);
    if (isMismatch(answer)) {
      counters.foreign++;
      mismatches++;
      health.foreign(unitName(open.unit));
      open.problem = answer;
    } else {
      open.answer = answer;
      open.answeredAt = clock.monotonic();
    }
  };

  const unasked = (frame: TcpFrame) => {
    const late = givenUp.find(one => one.transaction === frame.transaction);
    if (late !== undefined) health.late(unitName(late.unit), clock.monotonic() - late.sentAt);
    if (waiting.size === 0) {
      counters.late++;
      if (late === undefined) health.late("");
      return;
    }
    counters.foreign++;
    if (late !== undefined) return;
    mismatches++;
    health.foreign("");
  };

  let connection = connect(await open(signal));
  let reopening: Promise<Connection> | undefined;
  let usedAt = clock.monotonic();

  /** A fresh connection, for all who wait for one; or the end of the session. */
  function reopen(old: Connection): Promise<Connection> {
    if (connection !== old) return Promise.resolve(connection);
    reopening ??= replace(old).finally(() => {
      reopening = undefined;
    });
    return reopening;
  }

  async function replace(old: Connection): Promise<Connection> {
    old.retired = true;
    await old.channel.close();
    try {
      await clock.sleep(modbusReopenMs, stop.signal);
      connection = connect(await open(stop.signal));
      return connection;
    } catch (error) {
      throw end(error, old.channel);
    }
  }

  /** The session is over, whatever it was. */
  function end(error: unknown, { name }: ByteChannel): DeviceFault {
    const fault =
      error instanceof DeviceFault ? error : new DeviceFault("unreachable", `${name}: closed`, { cause: error });
    settleClosed(fault);
    return fault;
  }

  const pause = createAlarm(bell, clock, stop.signal);

  /** The connection to use: another one when this one was lost, or is so old that it may be dead without a sign. */
  async function usable(): Promise<Connection> {
    const present = connection;
    const isOld = waiting.size === 0 && clock.monotonic() - usedAt > modbusIdleMs;
    usedAt = clock.monotonic();
    if (!present.gone && !present.broken && !isOld && reopening === undefined) return present;
    // Devices close connections that were idle; that is no fault as long as another can be had.
    const fresh = await reopen(present);
    if (!isOld) counters.reopened++;
    return fresh;
  }

  async function exchange(unit: number, request: Request, manner: Manner): Promise<Answer> {
    stop.signal.throwIfAborted();
    const present = await usable();
    const first = lastUnit !== undefined && lastUnit !== unit;
    const gapMs = Math.max(timing.gapMs, manner.gapMs, first ? timing.unitChangeGapMs : 0);
    const early = lastAnswerAt + gapMs - clock.monotonic();
    if (early > 0) await clock.sleep(early, stop.signal).catch(() => {});
    lastUnit = unit;

    do transaction = (transaction + 1) & 0xffff;
    while (waiting.has(transaction));
    const mine: Waiting = { unit, first, request, transaction, sentAt: 0, answeredAt: 0 };
    const timeoutMs = manner.timeoutMs ?? timing.timeoutMs;
    waiting.set(transaction, mine);
    try {
      const bytes = encodeTcp({ transaction, unit, pdu: encodeRequest(request) });
      mine.sentAt = clock.monotonic();
      // What cannot be written is not answered: one deadline bounds both, and after some silences the connection is given up.
      present.channel.write(bytes).catch(error => {
        if (error instanceof DeviceFault) present.gone ??= error;
        bell.ring();
      });
      const deadline = mine.sentAt + timeoutMs;
      const isOver = () => mine.answer || present.gone || present.broken || mismatches >= modbusMismatchesMax;
      while (!isOver() && clock.monotonic() < deadline) await pause(deadline);
    } finally {
      waiting.delete(mine.transaction);
      lastAnswerAt = clock.monotonic();
      usedAt = lastAnswerAt;
    }
    if (mine.answer === undefined) throw await failed(mine, present);
    mismatches = 0;
    silences = 0;
    const tookMs = Math.max(0, mine.answeredAt - mine.sentAt);
    health.answered(unitName(unit), tookMs, first);
    manner.answered?.(tookMs);
    return mine.answer;
  }

  async function failed(mine: Waiting, present: Connection): Promise<DeviceFault> {
    if (present.gone) return end(present.gone, present.channel);
    givenUp.push(mine);
    if (givenUp.length > 8) givenUp.shift();
    silences++;
    const wrong = present.broken ?? mine.problem ?? (mismatches > 0 ? "stale-transaction" : undefined);
    if (present.broken) health.checksum(unitName(mine.unit));
    else health.timeout(unitName(mine.unit), mine.first);
    // Without ids to tell them apart, one late answer would shift all that follow. Others under way are waited for.
    const outOfStep = timing.anyTransaction || Math.max(mismatches, silences) >= modbusMismatchesMax;
    if (present.broken || (outOfStep && waiting.size === 0)) {
      await reopen(present);
      counters.reopened++;
    }
    if (wrong === undefined) {
      return new DeviceFault("timeout", `unit ${mine.unit}: no answer within ${timing.timeoutMs} ms: ${advice}`);
    }
    return new DeviceFault("garbled", `unit ${mine.unit}: the answer cannot be taken: ${faultWords(wrong)}`);
  }

  return {
    exchange,
    way: "network",
    health,
    atOnceMax: timing.anyTransaction ? 1 : Math.max(1, timing.requestsAtOnce ?? 1),
    counters,
    closed,
    async [Symbol.asyncDispose]() {
      const { channel } = connection;
      stop.abort(new DeviceFault("unreachable", `${channel.name}: closed by us`));
      await channel.close();
      settleClosed(await channel.closed);
    },
  };
}
