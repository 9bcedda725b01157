// M-Bus link frames to and from octets (EN 13757-2, the FT 1.2 frames of IEC 60870-5): pure, no port, no clock.
//
//   acknowledgement   E5
//   short             10 C A CS 16
//   long, control     68 L L 68 C A CI data… CS 16     L = 3 + data, CS = sum of C … last data octet, modulo 256

export type Direction = "master" | "slave";

export interface ShortFrame {
  readonly type: "short";
  readonly c: number;
  readonly a: number;
}

/** `type` "control" is a long frame without data (L = 3). */
export interface LongFrame {
  readonly type: "long" | "control";
  readonly c: number;
  readonly a: number;
  readonly ci: number;
  readonly data: Uint8Array;
}

export type Frame = { readonly type: "ack" } | ShortFrame | LongFrame;

/** Why octets are no frame. "incomplete" may still become one. */
export type FrameFault =
  | "start"
  | "length-mismatch"
  | "start2"
  | "length"
  | "checksum"
  | "stop"
  | "incomplete"
  | "trailing"
  | "direction";

export const ackOctet = 0xe5;
const shortStart = 0x10;
const longStart = 0x68;
const stop = 0x16;
const shortOctets = 5;
/** Start, L, L, start, checksum, stop. */
const longOverhead = 6;
export const longestOctets = 255 + longOverhead;

/** C field bit 6: set by the master. */
export const directionOf = (c: number): Direction => ((c & 0x40) !== 0 ? "master" : "slave");

/** Function codes of the C field with FCB clear; `withFcb` sets it (EN 13757-2, 5.4). */
export const control = { sndNke: 0x40, sndUd: 0x53, reqUd2: 0x5b, reqUd1: 0x5a, rspUd: 0x08 } as const;
export const withFcb = (c: number, fcb: boolean): number => (fcb ? c | 0x20 : c & ~0x20);

export const encodeShort = (c: number, a: number): Uint8Array => Uint8Array.of(shortStart, c, a, (c + a) & 0xff, stop);

/** `data` at most 252 octets. */
export function encodeLong(c: number, a: number, ci: number, data: Uint8Array = new Uint8Array()): Uint8Array {
  const length = 3 + data.length;
  if (length > 255) throw new RangeError(`${data.length} octets do not fit a frame`);
  const bytes = new Uint8Array(length + longOverhead);
  bytes.set([longStart, length, length, longStart, c, a, ci]);
  bytes.set(data, 7);
  bytes[length + 4] = checksum(bytes, 4, length + 4);
  bytes[length + 5] = stop;
  return bytes;
}

export const encodeSndNke = (a: number): Uint8Array => encodeShort(control.sndNke, a);
export const encodeReqUd2 = (a: number, fcb: boolean): Uint8Array => encodeShort(withFcb(control.reqUd2, fcb), a);
export const encodeReqUd1 = (a: number, fcb: boolean): Uint8Array => encodeShort(withFcb(control.reqUd1, fcb), a);
export const encodeSndUd = (a: number, fcb: boolean, ci: number, data?: Uint8Array): Uint8Array =>
  encodeLong(withFcb(control.sndUd, fcb), a, ci, data);

/** The same telegram but for the bits of its control field. */
export const sameData = (a: LongFrame, b: LongFrame): boolean =>
  a.a === b.a && a.ci === b.ci && a.data.length === b.data.length && a.data.every((octet, at) => octet === b.data[at]);

function checksum(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += bytes[at] as number;
  return sum & 0xff;
}

/** What stands at an offset. */
export type Sighting =
  | { readonly frame: Frame; readonly octets: number }
  /** No frame: `octets` may be skipped for certain, and up to `reach` may belong to what broke. */
  | {
      readonly fault: Exclude<FrameFault, "incomplete" | "trailing" | "direction">;
      readonly octets: number;
      readonly reach: number;
    }
  /** `octets` is how many it will have in all, 0 while that is not known. */
  | { readonly fault: "incomplete"; readonly octets: number };

/** Reads one frame at an offset; never looks beyond the buffer. Checks go from the first octet to the last. */
export function frameAt(bytes: Uint8Array, at = 0): Sighting {
  const have = bytes.length - at;
  if (have <= 0) return { fault: "incomplete", octets: 0 };
  switch (bytes[at]) {
    case ackOctet:
      return { frame: { type: "ack" }, octets: 1 };
    case shortStart:
      return shortAt(bytes, at, have);
    case longStart:
      return longAt(bytes, at, have);
    default:
      return { fault: "start", octets: 1, reach: 1 };
  }
}

function shortAt(bytes: Uint8Array, at: number, have: number): Sighting {
  if (have < shortOctets) return { fault: "incomplete", octets: shortOctets };
  const c = bytes[at + 1] as number;
  const a = bytes[at + 2] as number;
  const ends = bytes[at + 4] === stop;
  if (bytes[at + 3] !== ((c + a) & 0xff)) {
    return { fault: "checksum", octets: ends ? shortOctets : 1, reach: shortOctets };
  }
  if (!ends) return { fault: "stop", octets: 1, reach: shortOctets };
  return { frame: { type: "short", c, a }, octets: shortOctets };
}

function longAt(bytes: Uint8Array, at: number, have: number): Sighting {
  const length = bytes[at + 1] as number;
  // Whichever L is right, it reaches no farther than the longest frame.
  if (have >= 3 && bytes[at + 2] !== length) return { fault: "length-mismatch", octets: 1, reach: longestOctets };
  if (have >= 4 && bytes[at + 3] !== longStart) return { fault: "start2", octets: 1, reach: length + longOverhead };
  if (have >= 4 && length < 3) return { fault: "length", octets: 1, reach: longOverhead };
  if (have < 4) return { fault: "incomplete", octets: 0 };
  const octets = length + longOverhead;
  if (have < octets) return { fault: "incomplete", octets };
  const end = at + 4 + length;
  if (bytes[end] !== checksum(bytes, at + 4, end)) {
    // Only a frame that also ends where it says is skipped whole; else octets were lost and the next may begin inside.
    return { fault: "checksum", octets: bytes[end + 1] === stop ? octets : 1, reach: octets };
  }
  if (bytes[end + 1] !== stop) return { fault: "stop", octets: 1, reach: octets };
  return {
    frame: {
      type: length === 3 ? "control" : "long",
      c: bytes[at + 4] as number,
      a: bytes[at + 5] as number,
      ci: bytes[at + 6] as number,
      data: bytes.subarray(at + 7, end),
    },
    octets,
  };
}

/** Exactly one frame and nothing else. A short frame is the master's alone. */
export function decodeFrame(bytes: Uint8Array): { readonly frame: Frame } | { readonly fault: FrameFault } {
  const seen = frameAt(bytes);
  if ("fault" in seen) return { fault: seen.fault };
  if (seen.octets < bytes.length) return { fault: "trailing" };
  if (seen.frame.type === "short" && directionOf(seen.frame.c) === "slave") return { fault: "direction" };
  return { frame: seen.frame };
}
