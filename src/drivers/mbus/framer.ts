// Octets as they arrive, in chunks of any size, to frames (EN 13757-2). Finds its way back after any damage: what a lost or
// a wrong octet broke is reported and counted, and the next whole frame is found.

import { type Frame, type FrameFault, frameAt } from "./frame.ts";

export type Arrival =
  | { readonly kind: "frame"; readonly frame: Frame; readonly bytes: Uint8Array }
  /** Octets that begin no frame, told before what follows them. */
  | { readonly kind: "noise"; readonly octets: number }
  | { readonly kind: "bad"; readonly reason: FrameFault };

export interface Framer {
  push(chunk: Uint8Array): Arrival[];
  /** The line fell silent: what is incomplete will stay so. Gives up on it, and finds what whole frames lie behind it. */
  flush(): Arrival[];
  /** Forgets everything received. */
  reset(): void;
  /** Octets held of an unfinished frame. */
  readonly held: number;
  /** Octets still to come of a frame whose length is known; undefined when nothing or too little is held. */
  readonly missing: number | undefined;
}

/** Holds no more than one unfinished frame between calls: `longestOctets` at most. */
export function createFramer(): Framer {
  let buffer: Uint8Array = new Uint8Array();
  let noise = 0;
  /** Octets that may still belong to a broken frame: only a long frame is believed there, since an E5 may be data. */
  let searching = 0;

  const scan = (ended: boolean): Arrival[] => {
    const found: Arrival[] = [];
    const tellNoise = () => {
      if (noise > 0) found.push({ kind: "noise", octets: noise });
      noise = 0;
    };
    let at = 0;
    const skip = (octets: number) => {
      at += octets;
      searching = Math.max(0, searching - octets);
    };
    while (at < buffer.length) {
      const seen = frameAt(buffer, at);
      if ("frame" in seen) {
        if (searching > 0 && seen.frame.type !== "long" && seen.frame.type !== "control") {
          noise++;
          skip(1);
          continue;
        }
        tellNoise();
        searching = 0;
        found.push({ kind: "frame", frame: seen.frame, bytes: buffer.slice(at, at + seen.octets) });
        at += seen.octets;
      } else if (seen.fault === "incomplete") {
        if (!ended) break;
        tellNoise();
        found.push({ kind: "bad", reason: "incomplete" });
        searching = buffer.length - at;
        skip(1);
      } else if (seen.fault === "start" || searching > 0) {
        noise++;
        skip(1);
      } else {
        tellNoise();
        found.push({ kind: "bad", reason: seen.fault });
        searching = seen.reach;
        skip(seen.octets);
      }
    }
    buffer = buffer.slice(at);
    if (ended) {
      tellNoise();
      searching = 0;
    }
    return found;
  };

  return {
    push(chunk) {
      buffer = join(buffer, chunk);
      return scan(false);
    },
    flush: () => scan(true),
    reset() {
      buffer = new Uint8Array();
      noise = 0;
      searching = 0;
    },
    get held() {
      return buffer.length;
    },
    get missing() {
      const seen = frameAt(buffer);
      if (buffer.length === 0 || !("fault" in seen) || seen.fault !== "incomplete" || seen.octets === 0)
        return undefined;
      return seen.octets - buffer.length;
    },
  };
}

function join(held: Uint8Array, chunk: Uint8Array): Uint8Array {
  if (held.length === 0) return new Uint8Array(chunk);
  const whole = new Uint8Array(held.length + chunk.length);
  whole.set(held);
  whole.set(chunk, held.length);
  return whole;
}
