// Asks the provisioning service: few at a time, the same question once however many wait for it, each wait bounded. An
// answer is kept before anybody acts on it, and is worth nothing when rights changed while it was on its way.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { FailedQuestion } from "#concentrator/basis.ts";
import type { DecisionKey } from "#concentrator/decision-cache.ts";
import type { Tokens } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { nodeKey } from "#contract/node.ts";
import {
  decisionAnswerMs,
  decisionFailuresMax,
  decisionNodesAloneMax,
  decisionNodesPerQuestionMax,
  decisionQuestionsMax,
  decisionQueueMax,
  decisionServiceAwayMs,
} from "#limits.ts";
import type { Connection } from "../connection.ts";
import { type Batch, decodeAnswer, encodeQuestion } from "./decision-answers.ts";
import type { Answer, DecisionMemory } from "./decision-memory.ts";
import type { Service } from "./registration.ts";
import { isServiceAway } from "./service-errors.ts";

/**
 * away: the service cannot be reached · invalid: it answered, but not this question · refused: it answered with an error
 * · overtaken: rights changed meanwhile.
 */
export type Outcome = { readonly answer: Answer } | { readonly failed: FailedQuestion["failed"] };

export interface ServiceQuestionsDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  readonly memory: DecisionMemory;
  /** The one that decides now. */
  readonly service: () => Service | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Ask exactly as the schema has it, for services that insist. */
  readonly strictXsd: boolean;
}

export interface ServiceQuestions {
  /**
   * One outcome a key, in order; the keys are alike but for their nodes. Throws `Refusal` busy, and then has asked
   * nothing. Not abortable: others may wait for the same answer, and it is kept in any case.
   */
  ask(service: Service, keys: readonly DecisionKey[], tokens: Tokens): Promise<Outcome[]>;
  /** This very question is on its way. */
  isAsked(service: Service, key: DecisionKey): boolean;
  /** Asked last, this question came to nothing. Forgotten with the next answer, over a restart, and beyond a bound. */
  failedOf(service: Service, key: DecisionKey): FailedQuestion | undefined;
  /** It was not reached a moment ago. */
  readonly away: boolean;
  /** There is no connection to ask over. */
  readonly offline: boolean;
  /** A sign of life. */
  seen(): void;
}

export function createServiceQuestions(deps: ServiceQuestionsDeps): ServiceQuestions {
  const { memory, clock, log } = deps;
  const pending = new Map<string, Promise<Outcome>>();
  const failures = createFailures(clock);
  const waiting: (() => void)[] = [];
  let asking = 0;
  let awayUntil = 0;

  const isKnownAway = () => clock.monotonic() < awayUntil;
  /** True when it had to wait. */
  const turn = async (): Promise<boolean> => {
    if (asking < decisionQuestionsMax) {
      asking++;
      return false;
    }
    await new Promise<void>(resolve => waiting.push(resolve));
    return true;
  };
  const done = () => {
    const next = waiting.shift();
    if (next) next();
    else asking--;
  };

  const put = async (service: Service, batch: Batch, tokens: Tokens): Promise<Outcome[]> => {
    const waited = await turn();
    // Those who waited while others found nobody there do not each wait as long again.
    if (waited && isKnownAway()) {
      done();
      return batch.map(() => ({ failed: "away" }));
    }
    // Another one decides since: what this one would say must not be kept as the other's word (PROV-TRUST-01).
    if (deps.service()?.jid !== service.jid) {
      done();
      return batch.map(() => ({ failed: "overtaken" }));
    }
    // Taken when the question goes out, not when it was queued: what was cleared before then is already in its answer.
    const epoch = memory.epoch;
    try {
      const question = encodeQuestion(batch, tokens, service.generation, deps.strictXsd);
      const reply = await deps.connection.request("get", service.jid, question, { timeoutMs: decisionAnswerMs });
      awayUntil = 0;
      const answers = decodeAnswer(batch, reply).map((answer, at) => ({ key: batch[at] as DecisionKey, answer }));
      const current = answers.filter(({ key }) => memory.isCurrent(key, epoch));
      memory.learn(current);
      return answers.map(one => (current.includes(one) ? { answer: one.answer } : { failed: "overtaken" }));
    } catch (error) {
      const away = await isServiceAway(deps.connection, service.jid, error);
      const failed = away ? "away" : error instanceof Error && error.name === "WireError" ? "invalid" : "refused";
      if (away) awayUntil = clock.monotonic() + decisionServiceAwayMs;
      log.warning("decision-not-had", {
        service: service.jid,
        kind: batch[0].kind,
        caller: batch[0].caller,
        failed,
        error,
      });
      return batch.map(() => ({ failed }));
    } finally {
      done();
    }
  };

  return {
    async ask(service, keys, tokens) {
      const name = (key: DecisionKey) => pendingKey(service, key);
      const missing = keys.filter(key => !pending.has(name(key)));
      const batches = batched(missing);
      if (asking + waiting.length + batches.length > decisionQuestionsMax + decisionQueueMax)
        throw new Refusal("busy", "too many decisions are being asked for");
      for (const batch of batches) {
        const outcomes = put(service, batch, tokens);
        batch.forEach((key, at) => {
          const one = outcomes
            .then(all => failures.note(name(key), all[at] as Outcome))
            .finally(() => pending.delete(name(key)));
          pending.set(name(key), one);
        });
      }
      return await Promise.all(keys.map(key => pending.get(name(key)) as Promise<Outcome>));
    },
    isAsked: (service, key) => pending.has(pendingKey(service, key)),
    failedOf: (service, key) => failures.of(pendingKey(service, key)),
    get offline() {
      return !deps.connection.online;
    },
    get away() {
      return isKnownAway();
    },
    seen() {
      awayUntil = 0;
    },
  };
}

/** For who asks why: the last outcome of each question that had no answer. */
function createFailures(clock: Clock) {
  const failures = new Map<string, FailedQuestion>();
  return {
    note(name: string, outcome: Outcome): Outcome {
      failures.delete(name);
      if ("failed" in outcome) failures.set(name, { at: clock.now(), failed: outcome.failed });
      if (failures.size > decisionFailuresMax) failures.delete(failures.keys().next().value as string);
      return outcome;
    },
    of: (name: string) => failures.get(name),
  };
}

const pendingKey = (service: Service, { kind, node, caller, tokens, categories, names }: DecisionKey): string =>
  [service.jid, kind, nodeKey(node), caller, tokens, categories, ...names].join("\u0000");

/** PROV-CACHE-11. The appliance itself is never in a list: a question without nodes is about it. */
function batched(keys: readonly DecisionKey[]): Batch[] {
  const alone = keys.filter(key => key.node.nodeId === "");
  const nodes = keys.filter(key => key.node.nodeId !== "");
  const size = nodes.length <= decisionNodesAloneMax ? 1 : decisionNodesPerQuestionMax;
  const batches: Batch[] = alone.map(key => [key]);
  for (let at = 0; at < nodes.length; at += size) {
    const [first, ...rest] = nodes.slice(at, at + size);
    if (first !== undefined) batches.push([first, ...rest]);
  }
  return batches;
}
