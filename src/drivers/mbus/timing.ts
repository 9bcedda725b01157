// How long things take on an M-Bus line (EN 13757-2, 5.5): all from the bit rate, plus a margin for what stands between.

export interface Timing {
  /** From the end of a request to the first octet of its answer: 330 bits + 50 ms + margin. */
  readonly answerMs: number;
  /** Silence after which an unfinished frame, or a disturbed line, counts as quiet. */
  readonly gapMs: number;
  /** Time these octets need on the wire, 11 bits each. */
  transferMs(octets: number): number;
}

/** Real lines pause longer than the standard's 33 bits: adapters send in packets. */
const gapMsMin = 100;

export function createTiming(baudRate: number, marginMs: number): Timing {
  const bitsMs = (bits: number) => (bits * 1000) / baudRate;
  return {
    answerMs: Math.ceil(bitsMs(330) + 50 + marginMs),
    gapMs: Math.ceil(Math.max(gapMsMin, bitsMs(3 * 33))),
    transferMs: octets => Math.ceil(bitsMs(11 * octets)),
  };
}
