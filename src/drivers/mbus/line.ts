// The one owner of a physical M-Bus line: takes turns, writes a request, waits for exactly as many octets as the answer
// announces, and never takes the answer to an earlier request for the answer to this one.

import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import { createTurns, type TurnOrder } from "#base/turns.ts";
import type { DeviceFault } from "#contract/faults.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { lineQueueMax, mbusDrainMsMax, mbusRecallMs, mbusTelegramsMax } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { counterFacts } from "../device-facts.ts";
import { createLineHealth, type LineHealth } from "../line-health.ts";
import { writeBounded } from "../line-ownership.ts";
import { createTap, type Tap } from "../tap.ts";
import { stripEcho } from "./echo.ts";
import { type Frame, type LongFrame, longestOctets, sameData } from "./frame.ts";
import { createFramer } from "./framer.ts";
import type { Timing } from "./timing.ts";

/** Which answer a request wants: the acknowledgement E5, or a frame that is the right one. Others are counted as foreign. */
export type Wanted = "ack" | ((frame: LongFrame) => boolean);

export type Outcome =
  | { readonly kind: "ack" }
  | { readonly kind: "answer"; readonly frame: LongFrame }
  | { readonly kind: "silence" }
  /** Something came that cannot be trusted: damage, a collision, half a frame. */
  | { readonly kind: "garbled"; readonly reason: string };

/** What the holder of a turn may do. */
export interface Bus {
  readonly clock: Clock;
  /** One request, one outcome, no retry. Throws `DeviceFault` unreachable when the line is lost, or the abort reason. */
  exchange(request: Uint8Array, wanted: Wanted, signal: AbortSignal): Promise<Outcome>;
}

export interface Line {
  /** Alone on the line; `QueueFull` when too many wait. `who`: whose frames these are, for those who listen. */
  take<T>(order: TurnOrder, signal: AbortSignal, work: (bus: Bus) => Promise<T>, who?: string): Promise<T>;
  readonly tap: Tap;
  /** Units go by the `who` of their turns. */
  readonly health: LineHealth;
  readonly counters: Readonly<Counters>;
  describe(): readonly DisplayParameter[];
  /** Settles when the line went away or was closed. */
  readonly closed: Promise<DeviceFault>;
  close(): Promise<void>;
}

export interface Counters {
  requests: number;
  answers: number;
  timeouts: number;
  garbled: number;
  /** Sound frames nobody asked for: late, from another meter, from another master. */
  foreign: number;
  /** Octets thrown away. */
  discarded: number;
  echoes: number;
}

export function createLine(carrier: ByteChannel, timing: Timing, clock: Clock): Line {
  const turns = createTurns(lineQueueMax);
  const tap = createTap(clock);
  const health = createLineHealth(clock);
  const channel = tap.over(carrier);
  const counters: Counters = { requests: 0, answers: 0, timeouts: 0, garbled: 0, foreign: 0, discarded: 0, echoes: 0 };
  const chunks = createInbox(clock, channel);
  const recall = createRecall(clock);
  /** The last exchange did not end cleanly: something of it may still arrive. */
  let unsettled = true;
  /** Whose turn it is. */
  let who = "";
  /** The last exchange, as far as health goes: whose it was, whether nobody answered, when the first octet came. */
  const last = { who: "", silent: false, sentAt: 0, heardAt: undefined as number | undefined };

  /** Throws away what comes until nothing has come for a gap. Bounded: a babbling line must not hold its queue. */
  const drain = async (signal: AbortSignal) => {
    const until = clock.monotonic() + mbusDrainMsMax;
    for (;;) {
      const chunk = await chunks.next(Math.min(timing.gapMs, until - clock.monotonic()), signal);
      if (chunk === undefined) return;
      counters.discarded += chunk.length;
    }
  };

  const exchange: Bus["exchange"] = async (request, wanted, signal) => {
    const before = counters.discarded;
    if (unsettled) await drain(signal);
    counters.discarded += chunks.clear();
    if (counters.discarded > before) {
      if (last.silent) health.late(last.who);
      else health.noise(last.who, counters.discarded - before);
    }
    unsettled = true;
    counters.requests++;
    Object.assign(last, { who, silent: false, sentAt: clock.monotonic(), heardAt: undefined });
    await writeBounded(channel, request, clock, signal);
    const { outcome, clean } = await receive(request, wanted, signal);
    if (outcome.kind === "answer") recall.add(outcome.frame);
    diagnose(outcome, request.length);
    if (outcome.kind === "silence") counters.timeouts++;
    else if (outcome.kind === "garbled") counters.garbled++;
    else counters.answers++;
    unsettled = !clean;
    return outcome;
  };

  /** How fast a meter is: to its first octet, which is what the standard bounds. */
  const diagnose = ({ kind }: Outcome, sentOctets: number) => {
    const spentMs = (last.heardAt ?? clock.monotonic()) - last.sentAt - timing.transferMs(sentOctets);
    last.silent = kind === "silence";
    if (kind === "silence") health.timeout(last.who);
    else if (kind === "garbled") health.checksum(last.who);
    else health.answered(last.who, Math.max(0, spentMs));
  };

  const receive = async (request: Uint8Array, wanted: Wanted, signal: AbortSignal) => {
    const framer = createFramer();
    const echo = stripEcho(request);
    const began = clock.monotonic();
    // A serial port takes the request at once and sends it at its own pace.
    let deadline = began + timing.transferMs(request.length) + timing.answerMs;
    const latest = deadline + 2 * timing.transferMs(longestOctets) + timing.answerMs;
    let damage: string | undefined;
    /** An answer that may be an earlier one arriving twice: taken only when nothing better comes. */
    let repeated: Outcome | undefined;
    for (;;) {
      const now = clock.monotonic();
      const chunk = await chunks.next(Math.min(deadline, latest) - now, signal);
      if (chunk !== undefined) last.heardAt ??= clock.monotonic();
      const arrivals = chunk === undefined ? framer.flush() : framer.push(echo.strip(chunk));
      for (const [n, arrival] of arrivals.entries()) {
        if (arrival.kind === "noise") counters.discarded += arrival.octets;
        if (arrival.kind === "noise") health.noise(who, arrival.octets);
        if (arrival.kind === "bad") damage ??= arrival.reason;
        if (arrival.kind === "noise") damage ??= "noise";
        if (arrival.kind !== "frame") continue;
        const outcome = judge(arrival.frame, wanted, damage === undefined);
        if (outcome?.kind === "answer" && recall.isRepeated(outcome.frame)) repeated = outcome;
        else if (outcome !== undefined) return { outcome, clean: n === arrivals.length - 1 && framer.held === 0 };
        else {
          counters.foreign++;
          health.foreign(who);
        }
      }
      if (echo.found) {
        counters.echoes++;
        health.echo(who);
        last.heardAt = undefined;
      }
      if (chunk === undefined) {
        if (repeated !== undefined) return { outcome: repeated, clean: false };
        const outcome: Outcome = damage === undefined ? { kind: "silence" } : { kind: "garbled", reason: damage };
        return { outcome, clean: false };
      }
      deadline = nextDeadline(deadline, framer.missing, framer.held > 0 || damage !== undefined);
    }
  };

  /** With the length known: the time the rest needs. With half a header or damage: a gap. Else as before. */
  const nextDeadline = (before: number, missing: number | undefined, begun: boolean): number => {
    const now = clock.monotonic();
    if (missing !== undefined) return now + 1.5 * timing.transferMs(missing) + timing.answerMs;
    return begun ? now + timing.gapMs : before;
  };

  return {
    counters,
    closed: channel.closed,
    close: () => channel.close(),
    take: (order, signal, work, whose = "") =>
      turns.take(order, signal, () => {
        who = whose;
        return tap.during(whose, () => work({ clock, exchange }));
      }),
    tap,
    health,
    describe: () => counterFacts({ ...counters, waiting: turns.waiting }),
  };
}

/** An E5 amid damage may be one octet of something broken: it counts only on a clean line. A frame proves itself. */
function judge(frame: Frame, wanted: Wanted, clean: boolean): Outcome | undefined {
  if (frame.type === "ack") return wanted === "ack" && clean ? { kind: "ack" } : undefined;
  if (frame.type === "short" || wanted === "ack") return undefined;
  return wanted(frame) ? { kind: "answer", frame } : undefined;
}

interface Recall {
  isRepeated(frame: LongFrame): boolean;
  add(frame: LongFrame): void;
}

/** The frames accepted of late: gateways and repeaters deliver one answer twice, and the second copy answers nothing. */
function createRecall(clock: Clock): Recall {
  let recent: { frame: LongFrame; at: number }[] = [];
  return {
    isRepeated: frame => recent.some(one => clock.monotonic() - one.at < mbusRecallMs && sameData(one.frame, frame)),
    add(frame) {
      recent = [...recent.slice(1 - 2 * mbusTelegramsMax), { frame, at: clock.monotonic() }];
    },
  };
}

interface Inbox {
  /** The next chunk, or undefined when none came in time. Throws when the line is lost. */
  next(ms: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Octets thrown away. */
  clear(): number;
}

/** Octets between turns are held, one frame's worth, only to be counted and thrown away. */
function createInbox(clock: Clock, channel: ByteChannel): Inbox {
  const waiting: Uint8Array[] = [];
  let lost: DeviceFault | undefined;
  let wake = () => {};
  channel.onData(chunk => {
    waiting.push(chunk);
    if (waiting.length > longestOctets) waiting.shift();
    wake();
  });
  void channel.closed.then(fault => {
    lost = fault;
    wake();
  });
  return {
    async next(ms, signal) {
      signal.throwIfAborted();
      if (waiting.length === 0 && lost === undefined && ms > 0) {
        using timer = createScope(signal);
        const arrived = new Promise<void>(resolve => {
          wake = resolve;
        });
        const left = new Promise<void>((_, reject) => {
          timer.signal.addEventListener("abort", () => signal.aborted && reject(signal.reason), { once: true });
        });
        left.catch(() => {});
        await Promise.race([arrived, left, clock.sleep(ms, timer.signal).catch(() => {})]);
        signal.throwIfAborted();
      }
      const chunk = waiting.shift();
      if (chunk === undefined && lost !== undefined) throw lost;
      return chunk;
    },
    clear() {
      const octets = waiting.reduce((sum, chunk) => sum + chunk.length, 0);
      waiting.length = 0;
      return octets;
    },
  };
}
