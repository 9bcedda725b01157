// What simulated Modbus units on one line have in common, whatever carries it: who answers, and what becomes of each answer, with
// the ways in which real ones go wrong: late, twice, cut, glued, another unit's, another transaction's, dropped.

import type { Clock } from "#base/clock.ts";
import type { LabUnit } from "./modbus-unit.ts";

/** What becomes of one answer. */
export interface Mishap {
  /** Waits so long before answering; a late answer when it is longer than the asker's patience. */
  delayMs?: number;
  /** No answer. */
  silent?: boolean;
  /** Octets before the answer. */
  glitch?: readonly number[];
  /** Octets right behind it, in the same chunk: another unit's frame, or the beginning of nonsense. */
  glued?: readonly number[];
  /** Only so many octets of it, and nothing more. */
  cut?: number;
  /** The answer again. */
  twice?: boolean;
  /** From this unit instead. */
  unit?: number;
  /** With this added to the transaction number (TCP). */
  transactionShift?: number;
  /** One octet is changed on the way: CRC error (RTU). */
  damage?: boolean;
  /** The connection breaks instead of an answer (TCP). */
  drop?: boolean;
  /** In two pieces, so long apart. */
  splitMs?: number;
}

export interface LabLine extends AsyncDisposable {
  readonly units: Map<number, LabUnit>;
  /** For the next answers, one each; then all is well again. */
  next(...mishaps: Mishap[]): void;
  /** For every answer that has no mishap of its own. */
  always: Mishap;
  /** A slow answer holds up those after it, as in a device that does one thing at a time. */
  inOrder: boolean;
  /** The most requests in hand at once. */
  readonly overlapMax: number;
  readonly requestCount: number;
}

/** A PDU in the envelope of its line. */
export type Wrap = (unit: number, pdu: Uint8Array, mishap: Mishap) => number[];

const parcelOctets = 8;

export function createLabLine(clock: Clock) {
  const stop = new AbortController();
  const mishaps: Mishap[] = [];
  let inHand = 0;
  let overlapMax = 0;
  let requestCount = 0;
  let last: Promise<void> = Promise.resolve();
  const face: Omit<LabLine, typeof Symbol.asyncDispose> = {
    units: new Map(),
    always: {},
    inOrder: false,
    next: (...more) => mishaps.push(...more),
    get overlapMax() {
      return overlapMax;
    },
    get requestCount() {
      return requestCount;
    },
  };
  const sleep = (ms: number | undefined) => (ms ? clock.sleep(ms, stop.signal) : Promise.resolve());

  const send = async (frame: number[], mishap: Mishap, write: (bytes: Uint8Array) => unknown, octetMs: number) => {
    if (mishap.damage) frame[frame.length - 3] = (frame[frame.length - 3] ?? 0) ^ 0x10;
    const octets = [
      ...(mishap.glitch ?? []),
      ...frame.slice(0, mishap.cut),
      ...(mishap.twice ? frame : []),
      ...(mishap.glued ?? []),
    ];
    // An adapter passes octets on in parcels.
    for (let at = 0; octetMs > 0 && at < octets.length; at += parcelOctets) {
      const parcel = Uint8Array.from(octets.slice(at, at + parcelOctets));
      await sleep(parcel.length * octetMs);
      write(parcel);
    }
    if (octetMs > 0) return;
    const half = mishap.splitMs === undefined ? octets.length : octets.length >> 1;
    write(Uint8Array.from(octets.slice(0, half)));
    if (half === octets.length) return;
    await sleep(mishap.splitMs);
    write(Uint8Array.from(octets.slice(half)));
  };

  async function handle(
    address: number,
    pdu: Uint8Array,
    wrap: Wrap,
    out: { write: (bytes: Uint8Array) => unknown; drop: () => void },
    pace: { octetMs: number; heardMs: number } = { octetMs: 0, heardMs: 0 },
  ): Promise<void> {
    requestCount++;
    if (address === 0) {
      for (const unit of face.units.values()) unit.answer(pdu);
      return;
    }
    const unit = face.units.get(address);
    if (unit === undefined || unit.silent || unit.ignoredFunctions.has(pdu[0] ?? 0)) return;
    const mishap = { ...face.always, ...mishaps.shift() };
    let done = () => {};
    inHand++;
    overlapMax = Math.max(overlapMax, inHand);
    try {
      const answer = unit.answer(pdu);
      const before = last;
      let passOn = () => {};
      if (face.inOrder) {
        last = new Promise<void>(resolve => {
          passOn = resolve;
        });
      }
      await before;
      done = passOn;
      await sleep(pace.heardMs + (mishap.delayMs ?? 0));
      if (mishap.drop) out.drop();
      else if (!mishap.silent)
        await send(wrap(mishap.unit ?? address, answer, mishap), mishap, out.write, pace.octetMs);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      done();
      inHand--;
    }
  }
  return { face, handle, stop: () => stop.abort() };
}
