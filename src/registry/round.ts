// One push to every session of a device at once. The first that agrees settles it: a session that hibernates at the broker
// (XEP-0198) looks online and never answers, and nobody may wait for it while another has spoken.

import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import { answerGraceMs } from "#limits.ts";

/** refused: told no, to be tried again · settled: the device knows no such node · gone: that session is no more. */
export type Answer = "agreed" | "refused" | "settled" | "silent" | "gone";

export interface RoundDeps {
  /** Asks one full JID; rejects only for faults of ours. */
  readonly ask: (full: string) => Promise<Answer>;
  readonly isSuspect: (full: string) => boolean;
  /** This one was silent while another answered. */
  readonly suspect: (full: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface Round {
  /** Of the device as a whole, as soon as it stands. */
  readonly answer: Promise<Answer>;
  /** Asks this one too, when the answer does not stand yet: it came online meanwhile. */
  add(full: string): void;
}

export function startRound(fulls: readonly string[], deps: RoundDeps): Round {
  // Undefined: asked and not answered yet.
  const answers = new Map<string, Answer | undefined>();
  const whole = Promise.withResolvers<Answer>();
  const scope = createScope(deps.signal);
  let stands = false;
  let patient = true;

  const conclude = (answer: Answer) => {
    stands = true;
    scope[Symbol.dispose]();
    whole.resolve(answer);
  };
  const look = () => {
    const given = [...answers.values()];
    const hasSpoken = given.some(isSpoken);
    for (const [full, one] of answers) if (one === "silent" && hasSpoken) deps.suspect(full);
    if (stands) return;
    if (given.includes("agreed")) return conclude("agreed");
    const waited = [...answers].filter(([, one]) => one === undefined).map(([full]) => full);
    const isEnough = hasSpoken && (!patient || waited.every(deps.isSuspect));
    if (waited.length === 0 || isEnough) conclude(ranking.find(one => given.includes(one)) ?? "gone");
  };
  const lookLater = () =>
    deps.clock.sleep(answerGraceMs, scope.signal).then(
      () => {
        patient = false;
        look();
      },
      () => {},
    );
  const add = (full: string) => {
    if (stands || answers.has(full)) return;
    answers.set(full, undefined);
    deps.ask(full).then(
      answer => {
        const isFirst = isSpoken(answer) && ![...answers.values()].some(isSpoken);
        answers.set(full, answer);
        look();
        if (isFirst && !stands) void lookLater();
      },
      error => {
        stands = true;
        scope[Symbol.dispose]();
        whole.reject(error);
      },
    );
  };

  for (const full of fulls) add(full);
  if (fulls.length === 0) conclude("gone");
  return { answer: whole.promise, add };
}

const isSpoken = (answer: Answer | undefined): boolean =>
  answer === "agreed" || answer === "refused" || answer === "settled";

/** Which of several answers is the device's: to agree is to have done it, and a no outweighs that there was nothing to do. */
const ranking: readonly Answer[] = ["agreed", "refused", "settled", "silent"];
