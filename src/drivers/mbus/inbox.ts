// What arrives on a line until somebody takes it, and the frames accepted of late: gateways and repeaters deliver one answer
// twice, and the second copy answers nothing.

import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import type { DeviceFault } from "#contract/faults.ts";
import { mbusRecallMs, mbusTelegramsMax } from "#limits.ts";
import type { ByteChannel } from "../byte-channel.ts";
import { type LongFrame, longestOctets, sameData } from "./frame.ts";

export interface Inbox {
  /** The next chunk, or undefined when none came in time. Throws when the line is lost, or the abort reason. */
  next(ms: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Octets thrown away. */
  clear(): number;
}

/** Octets between turns are held, one frame's worth, only to be counted and thrown away. */
export function createInbox(clock: Clock, channel: ByteChannel): Inbox {
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

export interface Recall {
  isRepeated(frame: LongFrame): boolean;
  add(frame: LongFrame): void;
}

export function createRecall(clock: Clock): Recall {
  let recent: { frame: LongFrame; at: number }[] = [];
  return {
    isRepeated: frame => recent.some(one => clock.monotonic() - one.at < mbusRecallMs && sameData(one.frame, frame)),
    add(frame) {
      recent = [...recent.slice(1 - 2 * mbusTelegramsMax), { frame, at: clock.monotonic() }];
    },
  };
}
