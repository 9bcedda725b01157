// Is the broker still there? A ping after silence (XEP-0199), a bound on every acknowledgement asked for: a half-open link,
// on which sending seems to work for hours, is noticed and given up.

import type { Clock } from "#base/clock.ts";
import { pingAnswerMs, pingMs, slowestAnswerMsMax, slowestLinkCharsPerMs } from "#limits.ts";

export interface LivenessOptions {
  readonly clock: Clock;
  readonly pingMs?: number;
  readonly pingAnswerMs?: number;
  /** Monotonic time of the last byte heard. */
  readonly heardAt: () => number;
  /** Characters the broker has yet to acknowledge: it may take its time over many. */
  readonly outstanding: () => number;
  /** Asks for a sign of life; the answer is reported by `answered`. */
  readonly ping: () => void;
  readonly dead: (reason: string) => void;
}

export interface Liveness {
  /** Something that must be answered was sent. */
  asked(): void;
  answered(): void;
  /** Until aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export function createLiveness(options: LivenessOptions): Liveness {
  const { clock } = options;
  const silenceMs = options.pingMs ?? pingMs;
  const answerMs = options.pingAnswerMs ?? pingAnswerMs;
  let askedAt: number | undefined;
  let wake = () => {};

  const patience = () => Math.min(answerMs + options.outstanding() / slowestLinkCharsPerMs, slowestAnswerMsMax);

  const watchSilence = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      const left = options.heardAt() + silenceMs - clock.monotonic();
      if (left > 0) await clock.sleep(left, signal);
      else {
        if (askedAt === undefined) options.ping();
        asked();
        await clock.sleep(silenceMs, signal);
      }
    }
  };

  const watchAnswers = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      if (askedAt === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
        continue;
      }
      const left = askedAt + patience() - clock.monotonic();
      if (left <= 0)
        return options.dead(`the broker has not answered for ${Math.round((clock.monotonic() - askedAt) / 1000)} s`);
      await clock.sleep(left, signal);
    }
  };

  const asked = () => {
    if (askedAt !== undefined) return;
    askedAt = clock.monotonic();
    wake();
  };

  return {
    asked,
    answered() {
      askedAt = undefined;
    },
    async run(signal) {
      askedAt = undefined;
      const onAbort = () => wake();
      signal.addEventListener("abort", onAbort, { once: true });
      await Promise.allSettled([watchSilence(signal), watchAnswers(signal)]);
      signal.removeEventListener("abort", onAbort);
    },
  };
}
