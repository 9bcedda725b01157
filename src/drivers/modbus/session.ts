// What a line needs of whatever carries its requests: one exchange at a time, checked. Serial lines and TCP connections each
// have their own session (serial-session.ts, tcp-session.ts).

import type { Clock } from "#base/clock.ts";
import type { DeviceFault } from "#contract/faults.ts";
import type { LineHealth } from "../line-health.ts";
import type { Answer, Request } from "./pdu.ts";

/** Of a unit, in figures and for those who listen to it alone. */
export const unitName = (address: number): string => `unit ${address}`;

/** What to do about a unit that does not answer, for the person who stands before it. */
export const silence = "check the address, the wiring and the unit";

export interface SessionCounters {
  /** Octets or frames that came when nobody waited for them: answers too late. */
  late: number;
  /** Whole frames of another unit, function or transaction. */
  foreign: number;
  /** Connections opened anew after a loss. */
  reopened: number;
}

/** How one request is to be treated. */
export interface Manner {
  /** The least silence this unit wants before a request. */
  readonly gapMs: number;
  /** Less than the configured timeout where the unit is known to be fast. */
  readonly timeoutMs?: number;
  /** Told of the unit's answer: how long after the end of the request it was whole, the time of its transfer not counted. */
  answered?(ms: number): void;
}

export interface Session extends AsyncDisposable {
  /**
   * One attempt; the caller sees to it that there are no more at a time than `atOnceMax`. Returns the unit's answer, which may
   * be an exception.
   * Throws `DeviceFault`: timeout (nothing came), garbled (what came was not the answer), unreachable (the line went away).
   * Not abortable: an answer that is on its way must be taken off the line before the next request.
   */
  exchange(unit: number, request: Request, manner: Manner): Promise<Answer>;
  /** Requests that may be under way at once; 1 on a line. */
  readonly atOnceMax: number;
  readonly counters: SessionCounters;
  /** Units go by `unitName`. */
  readonly health: LineHealth;
  /** Our own port, a converter with a serial line behind it, or a network with who knows what. */
  readonly way: "port" | "converter" | "network";
  /** Octets with wrong parity or framing that the port counted; undefined where it does not tell. */
  portErrors?(): Promise<number | undefined>;
  /** The line went away and could not be had again. Never rejects. */
  readonly closed: Promise<DeviceFault>;
}

/** Something that happens again and again, to be waited for: chunks that arrive. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring. */
  next(): Promise<void>;
}

export function createBell(): Bell {
  let wake = () => {};
  let next: Promise<void> | undefined;
  return {
    ring() {
      next = undefined;
      wake();
    },
    next() {
      next ??= new Promise(resolve => {
        wake = resolve;
      });
      return next;
    },
  };
}

/**
 * Waits until the time (`clock.monotonic`) or the next ring, whichever is first, or wakes for nothing: look again. A timer is not
 * stopped when the ring comes first but serves the next waits, because almost every answer comes in time: one in the timeout's
 * length, not one each request. The signal ends them; then only a ring wakes.
 */
export function createAlarm(bell: Bell, clock: Clock, signal: AbortSignal): (untilMs: number) => Promise<void> {
  let ringsAt = Number.POSITIVE_INFINITY;
  return untilMs => {
    if (untilMs < ringsAt) {
      ringsAt = untilMs;
      const over = () => {
        if (ringsAt === untilMs) ringsAt = Number.POSITIVE_INFINITY;
        bell.ring();
      };
      clock.sleep(untilMs - clock.monotonic(), signal).then(over, () => {});
    }
    return bell.next();
  };
}
