// How long the provisioning rule takes to answer from what it learned: in this process, with the real memory over a real
// database, among as many other decisions as a busy appliance has.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createAdmission, type Question } from "#concentrator/admission.ts";
import type { DecisionKey } from "#concentrator/decision-cache.ts";
import { noTokens } from "#contract/caller.ts";
import { allCategories, askAll, categoryMask } from "#contract/field.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { createDecisionMemory } from "#iot/decision-memory.ts";
import { createDecisionRule } from "#iot/decision-rule.ts";
import { createQuestionRate } from "#iot/question-rate.ts";
import { createServiceQuestions } from "#iot/service-questions.ts";
import { openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { type Figure, percentile } from "./figures.ts";

const callersCount = 100;
const nodesCount = 50;
const rounds = 200_000;
const warmUp = 20_000;

export async function decisionFigures(note: (text: string) => void, signal: AbortSignal): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-bench-"));
  const database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
  try {
    const memory = createDecisionMemory(createDecisionStore(database), systemClock);
    memory.open("things.example.org", "isthmus@example.org");
    const callers = Array.from({ length: callersCount }, (_, at) => `stranger-${at}@example.org`);
    const nodes = Array.from(
      { length: nodesCount },
      (_, at): NodeRef => ({
        nodeId: `meter-${at}`,
        sourceId: meteringTopology,
        partition: "",
      }),
    );
    const keys = callers.flatMap(caller => nodes.map(node => keyOf(caller, node)));
    const answer = { allow: true, grantedCategories: categoryMask(allCategories), grantedNames: undefined };
    memory.learn(keys.map(key => ({ key, answer })));
    note(`${memory.size} decisions learned, ${rounds} questions`);

    let asked = 0;
    const connection = {
      online: true,
      request: () => {
        asked++;
        return Promise.reject(new Error("the service was asked although the answer was known"));
      },
    };
    const service = () => ({ jid: "things.example.org", generation: "nf" }) as const;
    const deps = { connection, memory, service, clock: systemClock, log: silentLog, strictXsd: false };
    const rule = createDecisionRule({
      memory,
      questions: createServiceQuestions(deps),
      rate: createQuestionRate(systemClock),
      service,
      account: () => "isthmus@example.org",
      thingOf: ref => ref,
      ownerOf: () => "owner@example.org",
      staleRead: true,
    });
    const admission = createAdmission({
      rules: [{ name: "everybody sees", ask: see }, rule],
      find: ref => ref,
      clock: systemClock,
      log: silentLog,
    });

    const question = (at: number): Question => ({
      right: "read",
      caller: callerOf(callers[at % callersCount] as string),
      nodes: [nodes[(at * 7) % nodesCount] as NodeRef],
      categories: allCategories,
      names: [],
    });
    const ruleMs = await measure(async at => {
      const said = await rule.ask(question(at), signal);
      if (said.length !== 1 || !("grant" in (said[0] ?? {}))) throw new Error("the rule did not grant what it knew");
    }, signal);
    const admissionMs = await measure(async at => {
      const { caller, nodes: asks } = question(at);
      await admission.read(caller, asks, askAll, signal);
    }, signal);
    if (asked > 0) throw new Error("the service was asked although the answers were known");
    return [
      { name: "decision.p50", text: "cached decision, p50", value: percentile(ruleMs, 0.5) * 1_000, unit: "µs" },
      {
        name: "decision.p99",
        text: "cached decision, p99",
        value: percentile(ruleMs, 0.99) * 1_000,
        unit: "µs",
        target: { below: 50 },
      },
      {
        name: "decision.admission.p50",
        text: "whole admission by it, p50",
        value: percentile(admissionMs, 0.5) * 1_000,
        unit: "µs",
      },
      {
        name: "decision.admission.p99",
        text: "whole admission by it, p99",
        value: percentile(admissionMs, 0.99) * 1_000,
        unit: "µs",
      },
    ];
  } finally {
    database.close();
    rmSync(folder, { recursive: true });
  }
}

const keyOf = (caller: string, node: NodeRef): DecisionKey => ({
  kind: "canRead",
  node,
  caller,
  tokens: "",
  categories: categoryMask(allCategories),
  names: [],
});

const callerOf = (bareJid: string) => ({ bareJid, fullJid: `${bareJid}/phone`, tokens: noTokens, language: "en" });

const see = ({ right, nodes, categories, names }: Question) =>
  right === "view" ? nodes.map(node => ({ node, grant: { categories, names } })) : [];

/** Milliseconds of each round after the warm-up. */
async function measure(work: (at: number) => Promise<void>, signal: AbortSignal): Promise<Float64Array> {
  const took = new Float64Array(rounds);
  for (let at = -warmUp; at < rounds; at++) {
    const began = performance.now();
    await work(at + warmUp);
    if (at >= 0) took[at] = performance.now() - began;
    if (at % 10_000 === 0) {
      // Others may use the event loop, as in the program.
      await new Promise(resolve => setImmediate(resolve));
      signal.throwIfAborted();
    }
  }
  return took;
}
