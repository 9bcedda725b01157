// The one owner of a physical M-Bus line: takes turns, writes a request, waits for exactly as many octets as the answer
// announces, and never takes the answer to an earlier request for the answer to this one.

import type { Clock } from "#base/clock.ts";
import { createTurns, type TurnOrder } from "#base/turns.ts";
import type { DeviceFault } from "#contract/faults.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { lineQueueMax, mbusDrainMsMax } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { counterFacts, textFact } from "../device-facts.ts";
import { createLineHealth, type LineHealth } from "../line-health.ts";
import { writeBounded } from "../line-ownership.ts";
import { createTap, type Tap } from "../tap.ts";
import { type Address, selectedAddress } from "./address.ts";
import { createEchoMemory, stripEcho } from "./echo.ts";
import { control, type Frame, type LongFrame, longestOctets } from "./frame.ts";
import { createFramer } from "./framer.ts";
import { createInbox, createRecall } from "./inbox.ts";
import { createTiming, type Timing } from "./timing.ts";

/** Which answer a request wants: the acknowledgement E5, or a frame that is the right one. Others are counted as foreign. */
export type Wanted = "ack" | ((frame: LongFrame) => boolean);

export type Outcome =
  | { readonly kind: "ack" }
  | { readonly kind: "answer"; readonly frame: LongFrame }
  /** `mute`: the converter, which gives back what is sent, did not even do that. */
  | { readonly kind: "silence"; readonly mute: boolean }
  /** Something came that cannot be trusted: damage, a collision, half a frame. `octets`: the first of them. */
  | { readonly kind: "garbled"; readonly reason: string; readonly octets: readonly number[] };

/** What the holder of a turn may do. */
export interface Bus {
  readonly clock: Clock;
  /** One request, one outcome, no retry. Throws `DeviceFault` unreachable when the line is lost, or the abort reason. */
  exchange(request: Uint8Array, wanted: Wanted, signal: AbortSignal): Promise<Outcome>;
  /** Octets that still come until nothing has come for a gap: after an answer, those of a second one. */
  trailing(signal: AbortSignal): Promise<number>;
  /** Nobody is selected for certain: whoever selects next need not let go first. For `selection.ts`. */
  nobodySelected: boolean;
  readonly baudRate: number;
  /** Talks at another rate meanwhile. Refused (`undefined`) where the rate is the converter's own. */
  readonly atRate: (<T>(baudRate: number, work: () => Promise<T>) => Promise<T>) | undefined;
}

export interface Line {
  /** Alone on the line; `QueueFull` when too many wait. `who`: whose frames these are, for those who listen. */
  take<T>(order: TurnOrder, signal: AbortSignal, work: (bus: Bus) => Promise<T>, who?: string): Promise<T>;
  /** The meters that have nodes: what a search finds anew is told from them. */
  readonly residents: Set<Resident>;
  /** For people: the port or the address of the converter. */
  readonly name: string;
  readonly tap: Tap;
  /** Units go by the `who` of their turns. */
  readonly health: LineHealth;
  readonly counters: Readonly<Counters>;
  readonly timing: Timing;
  /** The line can be told to talk at another rate: a serial port. */
  readonly canSwitchRate: boolean;
  describe(): readonly DisplayParameter[];
  /** Settles when the line went away or was closed. */
  readonly closed: Promise<DeviceFault>;
  close(): Promise<void>;
}

export interface Resident {
  readonly address: Address;
  /** Sixteen digits, once it has said who it is. */
  face?: string;
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

export interface LineSetup {
  readonly baudRate: number;
  /** Added to the standard's longest answer time. */
  readonly marginMs: number;
  /** Of a serial port; a converter behind a network keeps its own rate. */
  readonly setBaudRate?: (baudRate: number) => Promise<void>;
}

/** Enough to tell an odd octet from a telegram. */
const octetsShown = 8;

export function createLine(carrier: ByteChannel, setup: LineSetup, clock: Clock): Line {
  const turns = createTurns(lineQueueMax);
  const tap = createTap(clock);
  const channel = tap.over(carrier);
  const health = createLineHealth(clock);
  const counters: Counters = { requests: 0, answers: 0, timeouts: 0, garbled: 0, foreign: 0, discarded: 0, echoes: 0 };
  const inbox = createInbox(clock, channel);
  const recall = createRecall(clock);
  const echoMemory = createEchoMemory();
  let timing = createTiming(setup.baudRate, setup.marginMs);
  let baudRate = setup.baudRate;
  /** Whose turn it is. */
  let holder = "";
  /** The last exchange did not end cleanly: something of it may still arrive. */
  let unsettled = true;
  /** The last exchange, as far as health goes: whose it was, whether nobody answered, when the first octet came. */
  const last = { who: "", silent: false, left: false, sentAt: 0, heardAt: undefined as number | undefined };

  const discard = (octets: number) => {
    counters.discarded += octets;
    // What comes after silence is an answer that was too late.
    if (octets > 0 && last.silent) health.late(last.who);
    // What answers a request that nobody waited for any more is no noise.
    else if (!last.left) health.noise(last.who, octets);
    if (octets > 0) last.silent = false;
  };

  /** Hears what comes until nothing has come for a gap. Bounded: a babbling line must not hold its queue. */
  const drain = async (signal: AbortSignal): Promise<number> => {
    const until = clock.monotonic() + mbusDrainMsMax;
    for (let octets = 0; ; ) {
      const chunk = await inbox.next(Math.min(timing.gapMs, until - clock.monotonic()), signal);
      if (chunk === undefined) return octets;
      octets += chunk.length;
      discard(chunk.length);
    }
  };

  const exchange: Bus["exchange"] = async (request, wanted, signal) => {
    if (unsettled) await drain(signal);
    discard(inbox.clear());
    unsettled = true;
    counters.requests++;
    Object.assign(last, { who: holder, silent: false, left: true, sentAt: clock.monotonic(), heardAt: undefined });
    await writeBounded(channel, request, clock, signal);
    last.left = false;
    const { outcome, clean } = await receive(request, wanted, signal).catch(error => {
      last.left = true;
      throw error;
    });
    if (outcome.kind === "answer") recall.add(outcome.frame);
    count(outcome, request);
    unsettled = !clean;
    return outcome;
  };

  /** How fast a meter is: to its first octet, which is what the standard bounds. */
  const count = ({ kind }: Outcome, request: Uint8Array) => {
    const spentMs = (last.heardAt ?? clock.monotonic()) - last.sentAt - timing.transferMs(request.length);
    last.silent = kind === "silence";
    if (kind === "silence") {
      counters.timeouts++;
      // Nobody answers when nobody was selected.
      if (!isLettingGo(request)) health.timeout(last.who);
    } else if (kind === "garbled") {
      counters.garbled++;
      health.checksum(last.who);
    } else {
      counters.answers++;
      health.answered(last.who, Math.max(0, spentMs));
    }
  };

  const receive = async (request: Uint8Array, wanted: Wanted, signal: AbortSignal) => {
    const framer = createFramer();
    const echo = stripEcho(request);
    const began = clock.monotonic();
    // A serial port takes the request at once and sends it at its own pace.
    let deadline = began + timing.transferMs(request.length) + timing.answerMs;
    const latest = deadline + 2 * timing.transferMs(longestOctets) + timing.answerMs;
    let damage: string | undefined;
    let echoed = false;
    const octets: number[] = [];
    /** An answer that may be an earlier one arriving twice: taken only when nothing better comes. */
    let repeated: Outcome | undefined;
    for (;;) {
      const now = clock.monotonic();
      const chunk = await inbox.next(Math.min(deadline, latest) - now, signal);
      if (chunk !== undefined) last.heardAt ??= clock.monotonic();
      const heard = chunk === undefined ? undefined : echo.strip(chunk);
      if (heard !== undefined && octets.length < octetsShown) octets.push(...heard.subarray(0, octetsShown));
      const arrivals = heard === undefined ? framer.flush() : framer.push(heard);
      if (echo.found) {
        echoed = true;
        counters.echoes++;
        health.echo(holder);
        last.heardAt = undefined;
      }
      for (const [n, arrival] of arrivals.entries()) {
        if (arrival.kind === "noise") discard(arrival.octets);
        if (arrival.kind === "bad") damage ??= arrival.reason;
        if (arrival.kind === "noise") damage ??= "noise";
        if (arrival.kind !== "frame") continue;
        const outcome = judge(arrival.frame, wanted, damage === undefined);
        if (outcome?.kind === "answer" && recall.isRepeated(outcome.frame)) repeated = outcome;
        else if (outcome !== undefined) {
          echoMemory.note(echoed, true);
          return { outcome, clean: n === arrivals.length - 1 && framer.held === 0 };
        } else {
          counters.foreign++;
          health.foreign(holder);
        }
      }
      if (chunk === undefined) {
        const mute = echoMemory.echoes === true && !echoed;
        echoMemory.note(echoed, repeated !== undefined);
        if (repeated !== undefined) return { outcome: repeated, clean: false };
        if (damage === undefined) return { outcome: { kind: "silence", mute } as const, clean: false };
        return { outcome: { kind: "garbled", reason: damage, octets } as const, clean: false };
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

  const setRate = async (next: number) => {
    await setup.setBaudRate?.(next);
    baudRate = next;
    timing = createTiming(next, setup.marginMs);
    unsettled = true;
  };
  const atRate = async <T>(rate: number, work: () => Promise<T>): Promise<T> => {
    if (rate === baudRate) return work();
    const before = baudRate;
    await setRate(rate);
    try {
      return await work();
    } finally {
      // Also after an abort: the next on the line is to find it as it was.
      await setRate(before);
    }
  };

  const bus: Bus = {
    clock,
    exchange,
    async trailing(signal) {
      const octets = await drain(signal);
      unsettled = false;
      return octets;
    },
    nobodySelected: false,
    get baudRate() {
      return baudRate;
    },
    atRate: setup.setBaudRate === undefined ? undefined : atRate,
  };

  return {
    residents: new Set(),
    name: carrier.name,
    counters,
    health,
    canSwitchRate: setup.setBaudRate !== undefined,
    get timing() {
      return timing;
    },
    closed: channel.closed,
    close: () => channel.close(),
    take: (order, signal, work, who = "") =>
      turns.take(order, signal, () => {
        holder = who;
        return tap.during(who, () => work(bus));
      }),
    tap,
    describe: () => [
      ...counterFacts({ ...counters, waiting: turns.waiting }),
      ...(echoMemory.echoes === true ? [textFact("converter", "Converter", "gives back what is sent")] : []),
    ],
  };
}

const isLettingGo = ([start, c, address]: Uint8Array): boolean =>
  start === 0x10 && c === control.sndNke && address === selectedAddress;

/** An E5 amid damage may be one octet of something broken: it counts only on a clean line. A frame proves itself. */
function judge(frame: Frame, wanted: Wanted, clean: boolean): Outcome | undefined {
  if (frame.type === "ack") return wanted === "ack" && clean ? { kind: "ack" } : undefined;
  if (frame.type === "short" || wanted === "ack") return undefined;
  return wanted(frame) ? { kind: "answer", frame } : undefined;
}
