// What a model of units has been found to refuse: registers that do not exist, addresses no read may go across, and how long a
// read may be, whatever is printed. Kept over restarts where there is a memory, and shared by all units of the model on a line.

import type { Clock } from "#base/clock.ts";
import type { Memory } from "#contract/driver.ts";
import { modbusLearnedMax, modbusRefusedFieldMs } from "#limits.ts";
import { type Block, type PlanLimits, plan, type Span } from "./plan.ts";
import { type Table, tables } from "./point.ts";

export interface Learned {
  /** As few reads as what is known allows. A longer read than ever answered is tried where it saves one. */
  plan<P extends Span>(table: Table, points: readonly P[], limits: PlanLimits): Block<P>[];
  /** The exception with which this value by itself was refused; for a day. */
  refusal(table: Table, span: Span): number | undefined;
  refuse(table: Table, span: Span, code: number): void;
  /** No read may go across this address. */
  cut(table: Table, address: number): void;
  answered(table: Table, words: number): void;
  tooLong(table: Table, words: number): void;
  /** Values known to be refused now. */
  readonly refusedCount: number;
  forget(): void;
}

interface Known {
  /** By "address+words": until when (wall time), and with which exception. */
  readonly refused: Map<string, { until: number; code: number }>;
  readonly cuts: Set<number>;
  /** The longest read that was answered, the shortest that was too long. */
  good: number;
  bad: number;
}

export function createLearned(key: string, memory: Memory | undefined, clock: Clock): Learned {
  const known = restore(memory?.recall(key), clock.now());
  const save = () => memory?.keep(key, JSON.stringify(Object.fromEntries(tables.map(one => [one, plain(known[one])]))));
  const living = (table: Table): Known => {
    const now = clock.now();
    for (const [id, { until }] of known[table].refused) if (until <= now) known[table].refused.delete(id);
    return known[table];
  };
  return {
    plan(table, points, limits) {
      const { refused, cuts, good, bad } = living(table);
      const all = { ...limits, cuts, holes: [...refused.keys()].map(spanOf) };
      if (bad > limits.wordsMax || limits.align) return plan(points, all);
      // No read can be shorter than the value it is for.
      const widest = Math.max(1, ...points.map(({ words }) => words));
      return fewest(points, all, Math.max(widest, Math.min(good, bad - 1)), Math.max(widest, bad - 1));
    },
    refusal: (table, span) => living(table).refused.get(idOf(span))?.code,
    refuse(table, span, code) {
      const { refused } = living(table);
      if (refused.size < modbusLearnedMax) refused.set(idOf(span), { until: clock.now() + modbusRefusedFieldMs, code });
      save();
    },
    cut(table, address) {
      const { cuts } = known[table];
      if (cuts.size < modbusLearnedMax) cuts.add(address);
      save();
    },
    answered(table, words) {
      const one = known[table];
      if (words <= one.good) return;
      one.good = words;
      if (one.bad === Number.POSITIVE_INFINITY) return;
      // A unit that takes what it once refused: it is busy at times, or has been updated.
      if (words >= one.bad) one.bad = Number.POSITIVE_INFINITY;
      save();
    },
    tooLong(table, words) {
      known[table].bad = Math.min(known[table].bad, words);
      known[table].good = Math.min(known[table].good, words - 1);
      save();
    },
    get refusedCount() {
      return tables.reduce((sum, table) => sum + living(table).refused.size, 0);
    },
    forget() {
      for (const table of tables) Object.assign(known[table], fresh());
      save();
    },
  };
}

/** With the shortest reads that make as few of them as any that may still work. */
function fewest<P extends Span>(points: readonly P[], limits: PlanLimits, sure: number, possible: number): Block<P>[] {
  const planned = (wordsMax: number) => plan(points, { ...limits, wordsMax });
  const best = planned(sure);
  const hoped = planned(possible).length;
  if (hoped >= best.length) return best;
  let [low, high] = [sure, possible];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (planned(middle).length < best.length) high = middle;
    else low = middle;
  }
  return planned(high);
}

const idOf = ({ address, words }: Span): string => `${address}+${words}`;
const spanOf = (id: string): Span => {
  const [address = 0, words = 1] = id.split("+").map(Number);
  return { address, words };
};

const fresh = (): Known => ({ refused: new Map(), cuts: new Set(), good: 1, bad: Number.POSITIVE_INFINITY });

const plain = ({ refused, cuts, good, bad }: Known) => ({
  refused: [...refused].map(([id, { until, code }]) => [id, until, code]),
  cuts: [...cuts],
  ...(Number.isFinite(bad) && { good, bad }),
});

/** What was written by another version, or by nobody, is as good as nothing. */
function restore(text: string | undefined, now: number): Record<Table, Known> {
  const known = { coil: fresh(), discrete: fresh(), holding: fresh(), input: fresh() };
  let stored: Partial<Record<Table, Partial<Record<string, unknown>>>>;
  try {
    stored = JSON.parse(text ?? "{}") ?? {};
  } catch {
    return known;
  }
  for (const table of tables) {
    const { refused, cuts, good, bad } = stored[table] ?? {};
    for (const row of Array.isArray(refused) ? refused.slice(0, modbusLearnedMax) : []) {
      const [id, until, code] = Array.isArray(row) ? row : [];
      // A clock that was set back would otherwise keep it refused for years.
      const isSound = typeof id === "string" && /^\d{1,5}\+\d{1,4}$/.test(id) && until <= now + modbusRefusedFieldMs;
      if (isSound && Number.isInteger(code)) known[table].refused.set(id, { until, code });
    }
    for (const at of Array.isArray(cuts) ? cuts.slice(0, modbusLearnedMax) : []) {
      if (Number.isInteger(at)) known[table].cuts.add(at);
    }
    if (Number.isInteger(good) && Number.isInteger(bad)) Object.assign(known[table], { good, bad });
  }
  return known;
}
