// Listening for another master: whole requests among what is received that are not our own coming back.

import { concat } from "#base/bytes.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { overheardOctetsMax } from "#limits.ts";

/** Octets of the request that stands at this offset; 0: none, or not all of it yet. `sent`: what we said last. */
export type RequestAt = (octets: Uint8Array, at: number, sent: Uint8Array) => number;

export interface Overhearing {
  take(item: SniffedItem): void;
  /** Requests of others so far. */
  readonly requests: number;
}

export function createOverhearing(requestAt: RequestAt): Overhearing {
  let sent: Uint8Array = new Uint8Array();
  let held: Uint8Array = new Uint8Array();
  let requests = 0;
  return {
    take(item) {
      if (item.kind === "txBin") {
        sent = item.bytes;
        held = new Uint8Array();
      }
      if (item.kind !== "rxBin") return;
      held = concat(held, item.bytes.subarray(-overheardOctetsMax));
      let from = 0;
      for (let at = 0; at < held.length; at++) {
        const length = requestAt(held, at, sent);
        if (length === 0) continue;
        if (!isSame(held.subarray(at, at + length), sent)) requests++;
        at += length - 1;
        from = at + 1;
      }
      held = held.slice(Math.max(from, held.length - overheardOctetsMax));
    },
    get requests() {
      return requests;
    },
  };
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((octet, at) => octet === other[at]);
