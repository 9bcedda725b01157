// How long to wait for a unit, learnt from how long it took before: so that a unit that died costs its neighbours a fraction of
// the configured timeout. Never below the configured floor, never above the configured timeout.

import { DeviceFault } from "#contract/faults.ts";
import { answerOctetsMax, type Request } from "./pdu.ts";
import type { Manner } from "./session.ts";

export interface PatienceLimits {
  readonly floorMs: number;
  /** The configured timeout: what a unit gets that is not known yet, that was silent a moment ago, or that is written to. */
  readonly ceilingMs: number;
}

export interface Patience {
  /** Gives the exchange its timeout, and learns from how it goes. */
  during<T>(request: Request, exchange: (manner: Omit<Manner, "gapMs">) => Promise<T>): Promise<T>;
}

/** A few answers say nothing yet: the first may have come from a warm cache. */
const answersMin = 4;
/** Jacobson's weights, as for retransmission over TCP (RFC 6298, clause 2). */
const smoothing = 1 / 8;
const deviation = 1 / 4;
/** Silences after which a unit is doubted no longer: it is tried briefly from then on, until it answers. */
const doubtsMax = 3;

interface Learnt {
  count: number;
  meanMs: number;
  deviationMs: number;
}

/** Answers of twice the length take longer, behind converters of unknown rate twice as long: each class of length for itself. */
const classOf = (request: Request): number => Math.ceil(Math.log2(answerOctetsMax(request)));

/** A write is never sent twice, so it is given all the time there is. */
const isWrite = ({ function: code }: Request): boolean => [5, 6, 15, 16, 21, 22, 23].includes(code);

/** Without limits there is nothing to learn. */
export function createPatience(limits: PatienceLimits | undefined): Patience {
  if (limits === undefined) return { during: (_request, exchange) => exchange({}) };
  const { floorMs, ceilingMs } = limits;
  const classes = new Map<number, Learnt>();
  let silences = 0;

  const timeoutMs = (request: Request): number => {
    const learnt = classes.get(classOf(request));
    // What did not answer in the learnt time gets the whole one before it is believed to be silent.
    const isDoubted = silences > 0 && silences < doubtsMax;
    if (isWrite(request) || isDoubted || learnt === undefined || learnt.count < answersMin) return ceilingMs;
    return Math.min(ceilingMs, Math.max(floorMs, 2 * learnt.meanMs + 4 * learnt.deviationMs));
  };
  const answered = (request: Request, ms: number) => {
    silences = 0;
    const learnt = classes.get(classOf(request));
    if (learnt === undefined) {
      classes.set(classOf(request), { count: 1, meanMs: ms, deviationMs: ms / 2 });
      return;
    }
    learnt.count++;
    learnt.deviationMs += deviation * (Math.abs(ms - learnt.meanMs) - learnt.deviationMs);
    learnt.meanMs += smoothing * (ms - learnt.meanMs);
  };

  return {
    async during(request, exchange) {
      try {
        return await exchange({ timeoutMs: timeoutMs(request), answered: ms => answered(request, ms) });
      } catch (error) {
        if (error instanceof DeviceFault && error.kind === "timeout") silences++;
        throw error;
      }
    },
  };
}
