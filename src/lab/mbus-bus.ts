// The wire between a level converter and its meters, simulated: requests reach every meter, answers overlap as currents do, and with
// a bit rate each octet takes its eleven bits. It can echo, disturb and babble.

import type { Clock } from "#base/clock.ts";
import { requestLength } from "./mbus-octets.ts";
import type { MbusMeter } from "./mbus-slave.ts";

/** What comes instead of an answer: these octets, each after a wait on the clock since the one before. */
export type Disturbance = (
  answer: Uint8Array,
  request: Uint8Array,
) => readonly { afterMs: number; bytes: Uint8Array }[];

export interface MbusBus {
  readonly meters: MbusMeter[];
  /** Gives back what is sent, before any answer. */
  echo: boolean;
  /** Applied to every answer until set to undefined. */
  disturb: Disturbance | undefined;
  /** Paced at this rate; undefined: octets take no time, and every meter hears them. */
  baudRate: number | undefined;
  /** Most requests under way at once: above 1 the master talked into an answer. */
  readonly overlap: number;
  /** Octets of the master, in chunks of any size; what comes back goes to `say`. */
  hear(chunk: Uint8Array, say: (bytes: Uint8Array) => void): void;
  /** Milliseconds of octets on the wire and of meters thinking: what the line needs even with a master that loses no time. */
  readonly busyMs: number;
}

/** Meters react after this on the clock, within the standard's 11 … 330 bit times at 2400 Bd. */
export const reactionMs = 20;
/** So many octets leave at once, as adapters send in parcels: two at 2400 Bd are nine milliseconds. */
const parcel = 2;

export function createMbusBus(clock: Clock, meters: readonly MbusMeter[], signal: AbortSignal): MbusBus {
  let held = new Uint8Array();
  let underWay = 0;
  let overlap = 0;
  let busyMs = 0;

  const octetMs = () => (bus.baudRate === undefined ? 0 : 11_000 / bus.baudRate);

  const serve = async (request: Uint8Array, say: (bytes: Uint8Array) => void) => {
    overlap = Math.max(overlap, ++underWay);
    try {
      const began = clock.monotonic();
      if (bus.echo) say(request);
      await wait(began + request.length * octetMs());
      busyMs += request.length * octetMs();
      const answers = bus.meters.flatMap(meter => {
        const bytes = meter.answer(request, bus.baudRate);
        return bytes === undefined ? [] : [{ bytes, startMs: reactionMs + meter.slowMs }];
      });
      if (answers.length > 0) await transmit(answers, request, say);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      underWay--;
    }
  };

  const transmit = async (answers: readonly Answer[], request: Uint8Array, say: (bytes: Uint8Array) => void) => {
    const began = clock.monotonic();
    const plan = bus.baudRate === undefined ? [mixedAtOnce(answers)] : onWire(answers, octetMs());
    for (const { startMs, bytes } of plan) {
      await wait(began + startMs);
      const disturbed = bus.disturb?.(bytes, request) ?? [{ afterMs: 0, bytes }];
      let from = began + startMs;
      for (const { afterMs, bytes: octets } of disturbed) {
        from += afterMs;
        await wait(from);
        await paced(octets, from, say);
        from += octets.length * octetMs();
      }
      busyMs += reactionMs + bytes.length * octetMs();
    }
  };

  const paced = async (octets: Uint8Array, from: number, say: (bytes: Uint8Array) => void) => {
    if (octetMs() === 0) return say(octets);
    // Against the beginning, so that waits that end late do not add up.
    for (let at = 0; at < octets.length; at += parcel) {
      const end = Math.min(octets.length, at + parcel);
      await wait(from + end * octetMs());
      say(octets.subarray(at, end));
    }
  };

  const wait = async (until: number) => {
    const ms = until - clock.monotonic();
    if (ms > 0) await clock.sleep(ms, signal);
  };

  const bus: MbusBus = {
    meters: [...meters],
    echo: false,
    disturb: undefined,
    baudRate: undefined,
    get overlap() {
      return overlap;
    },
    get busyMs() {
      return busyMs;
    },
    hear(chunk, say) {
      held = Uint8Array.of(...held, ...chunk);
      for (;;) {
        const length = requestLength(held);
        if (length === undefined || held.length < length) return;
        const request = held.slice(0, length);
        held = held.slice(length);
        if (length > 1) void serve(request, say);
      }
    },
  };
  return bus;
}

interface Answer {
  readonly startMs: number;
  readonly bytes: Uint8Array;
}

/** Without a rate: all together when the slowest is ready. */
function mixedAtOnce(answers: readonly Answer[]): Answer {
  return {
    startMs: answers.reduce((most, { startMs }) => Math.max(most, startMs), 0),
    bytes: answers.map(({ bytes }) => bytes).reduce(collide),
  };
}

/** Two slaves at once: the line carries the current of both, so a space of either wins over a mark. */
function collide(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === other.length && one.every((octet, at) => octet === other[at])) return one;
  return Uint8Array.from(
    { length: Math.max(one.length, other.length) },
    (_, at) => (one[at] ?? 0xff) & (other[at] ?? 0xff),
  );
}

/**
 * What is heard of several, each beginning when it is ready: octets that meet are mixed, and where they meet askew the receiver
 * finds its start bits in the wrong places. Answers apart from each other stay whole.
 */
function onWire(answers: readonly Answer[], octetMs: number): Answer[] {
  const sorted = [...answers].sort((a, b) => a.startMs - b.startMs);
  const bursts: Answer[] = [];
  for (const answer of sorted) {
    const before = bursts.at(-1);
    const endMs = before === undefined ? 0 : before.startMs + before.bytes.length * octetMs;
    if (before === undefined || answer.startMs >= endMs) bursts.push(answer);
    else bursts[bursts.length - 1] = mixed(before, answer, octetMs);
  }
  return bursts;
}

function mixed(first: Answer, second: Answer, octetMs: number): Answer {
  const apart = (second.startMs - first.startMs) / octetMs;
  const whole = Math.round(apart);
  const askew = Math.round((apart - whole) * 11);
  const length = Math.max(first.bytes.length, whole + second.bytes.length);
  const bytes = Uint8Array.from({ length }, (_, at) => {
    const own = first.bytes[at];
    const other = second.bytes[at - whole];
    if (own === undefined || other === undefined) return own ?? other ?? 0xff;
    const turned = askew === 0 ? other : ((other << (askew & 7)) | (other >> (8 - (askew & 7)))) & 0xff;
    return own & turned;
  });
  return { startMs: first.startMs, bytes };
}
