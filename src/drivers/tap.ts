// What goes over a line, for those who listen: one broadcast a line, whole frames in both directions, each with the device it
// was exchanged with. The last frames of each device are kept; without a listener that is all it costs.

import { createBroadcast } from "#base/broadcast.ts";
import { concat } from "#base/bytes.ts";
import type { Clock } from "#base/clock.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { frameOctetsShownMax, lastFramesMax, sniffItemsMax } from "#limits.ts";
import type { ByteChannel } from "./byte-channel.ts";

export interface Frame {
  readonly at: number;
  readonly direction: "rx" | "tx";
  readonly bytes: Uint8Array;
}

export interface LineUse {
  readonly sentOctets: number;
  readonly receivedOctets: number;
  /** Milliseconds the line was taken by an exchange. */
  readonly busyMs: number;
  /** Since the line was opened. */
  readonly openMs: number;
}

export interface Tap {
  /** The same channel, overheard. */
  over(channel: ByteChannel): ByteChannel;
  /** What is sent and received meanwhile belongs to this device. One at a time, as on the line itself. */
  during<T>(who: string, work: () => Promise<T>): Promise<T>;
  /** A remark for listeners, made only when there are any. */
  note(make: () => string): void;
  /** From this call on, of one device or of all; what a slow listener missed is counted in a warning. */
  listen(signal: AbortSignal, who?: string): AsyncGenerator<SniffedItem>;
  /** Oldest first. */
  last(who: string): readonly Frame[];
  forget(who: string): void;
  readonly use: LineUse;
}

/** Octets as text of one byte each: twenty small frames of each of ten thousand devices have to fit. */
type Kept = { readonly at: number; readonly direction: Frame["direction"]; readonly octets: string };

export function createTap(clock: Clock): Tap {
  const broadcast = createBroadcast<{ readonly who: string; readonly item: SniffedItem }>(sniffItemsMax);
  const kept = new Map<string, Kept[]>();
  const openedAt = clock.monotonic();
  let holder = "";
  let heldSince: number | undefined;
  let busyMs = 0;
  let sentOctets = 0;
  let receivedOctets = 0;
  /** An answer comes in parcels: they are one frame until the next request or the end of the exchange. */
  let parcels: { at: number; parts: Uint8Array[] } | undefined;

  const tell = (item: SniffedItem) => {
    if (broadcast.listeners > 0) broadcast.send({ who: holder, item });
  };
  const keep = (frame: Frame) => {
    tell({ at: frame.at, kind: `${frame.direction}Bin`, bytes: frame.bytes });
    if (holder === "") return;
    const frames = kept.get(holder) ?? [];
    kept.set(holder, frames);
    const octets = String.fromCharCode(...frame.bytes.subarray(0, frameOctetsShownMax));
    frames.push({ at: frame.at, direction: frame.direction, octets });
    if (frames.length > lastFramesMax) frames.shift();
  };
  const flush = () => {
    if (parcels === undefined) return;
    const { at, parts } = parcels;
    parcels = undefined;
    keep({ at, direction: "rx", bytes: concat(...parts) });
  };

  return {
    over: channel => ({
      ...channel,
      write(bytes) {
        flush();
        sentOctets += bytes.length;
        keep({ at: clock.now(), direction: "tx", bytes });
        return channel.write(bytes);
      },
      onData(listener) {
        channel.onData(chunk => {
          receivedOctets += chunk.length;
          parcels ??= { at: clock.now(), parts: [] };
          parcels.parts.push(chunk);
          // Nobody asked: there is no end of an exchange to wait for.
          if (heldSince === undefined || parcels.parts.length >= sniffItemsMax) flush();
          listener(chunk);
        });
      },
    }),
    async during(who, work) {
      flush();
      holder = who;
      heldSince = clock.monotonic();
      try {
        return await work();
      } finally {
        flush();
        busyMs += clock.monotonic() - heldSince;
        holder = "";
        heldSince = undefined;
      }
    },
    note(make) {
      if (broadcast.listeners > 0) tell({ at: clock.now(), kind: "info", text: make() });
    },
    listen(signal, who) {
      let lost = 0;
      const heard = broadcast.listen(signal, count => {
        lost += count;
      });
      return overheard(
        heard,
        () => {
          const count = lost;
          lost = 0;
          return count;
        },
        who,
      );
    },
    last: who =>
      (kept.get(who) ?? []).map(({ at, direction, octets }) => ({
        at,
        direction,
        bytes: Uint8Array.from(octets, one => one.charCodeAt(0)),
      })),
    forget: who => void kept.delete(who),
    get use() {
      const now = clock.monotonic();
      return {
        sentOctets,
        receivedOctets,
        busyMs: busyMs + (heldSince === undefined ? 0 : now - heldSince),
        openMs: now - openedAt,
      };
    },
  };
}

async function* overheard(
  heard: AsyncIterableIterator<{ readonly who: string; readonly item: SniffedItem }>,
  lost: () => number,
  who: string | undefined,
): AsyncGenerator<SniffedItem> {
  try {
    for await (const { who: whose, item } of heard) {
      const missed = lost();
      if (missed > 0) yield { at: item.at, kind: "warning", text: `${missed} items were dropped.` };
      if (who === undefined || whose === who) yield item;
    }
  } finally {
    await heard.return?.();
  }
}
