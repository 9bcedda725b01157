// Operators over columns in memory: which things of a block pass. Numbers are compared where they lie; texts are known by
// their numbers, and read only when nothing else tells.

import { Refusal } from "#contract/faults.ts";
import { searchTextsMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import { holds } from "../criterion.ts";
import type { Criterion } from "../store.ts";
import type { Interval } from "./conditions.ts";
import type { Block } from "./listing.ts";
import type { Asked } from "./search.ts";
import type { Vocabulary } from "./vocabulary.ts";

export interface RowTest {
  /** 0: by what is in memory · 1: texts have to be read. */
  readonly cost: 0 | 1;
  /** Places of the block, in order; those of them that pass. */
  filter(block: Block, places: Uint16Array<ArrayBuffer>): Uint16Array<ArrayBuffer>;
  /** The last filter has read texts: others may have their turn. */
  wasSlow(): boolean;
}

/** Of one name: whether the thing at that place passes. Undefined: nothing in this block does. */
type Open = (block: Block, places: Uint16Array) => ((at: number) => boolean) | undefined;

interface NameTest {
  readonly cost: 0 | 1;
  readonly open: Open;
}

/** Texts read beyond this in one block are a turn of their own. */
const slowTexts = 1_000;

export function createColumnTests(database: Database): (asked: Asked, words: Vocabulary) => RowTest {
  const largest = database.prepare<[], number | null>("SELECT max(id) FROM term").pluck();
  return ({ criterion, names }, words) => {
    const budget = { read: 0 };
    const tests = names.map(name =>
      criterion.type === "num"
        ? numberTest(name, criterion)
        : textTest(name, criterion, words, () => (largest.get() ?? 0) + 1, budget),
    );
    let before = 0;
    return {
      cost: tests.some(({ cost }) => cost === 1) ? 1 : 0,
      filter(block, places) {
        before = budget.read;
        const open = tests.flatMap(test => test.open(block, places) ?? []);
        const [first] = open;
        if (first === undefined) return places.subarray(0, 0);
        // One name is the rule, and a million calls of `some` are felt.
        return those(places, open.length === 1 ? first : at => open.some(passes => passes(at)));
      },
      wasSlow: () => budget.read - before > slowTexts,
    };
  };
}

function those(places: Uint16Array, passes: (at: number) => boolean): Uint16Array<ArrayBuffer> {
  const found = new Uint16Array(places.length);
  let count = 0;
  for (const at of places) if (passes(at)) found[count++] = at;
  return found.subarray(0, count);
}

function numberTest(name: number, { min, max, outside }: Interval): NameTest {
  const low = min === undefined ? Number.NEGATIVE_INFINITY : Number(min.value);
  const high = max === undefined ? Number.POSITIVE_INFINITY : Number(max.value);
  const [lowIn, highIn] = [min?.included ?? true, max?.included ?? true];
  const isWithin = (value: number) =>
    (value > low || (lowIn && value === low)) && (value < high || (highIn && value === high));
  return {
    cost: 0,
    open(block) {
      const nums = block.columns.get(name)?.nums;
      if (nums === undefined) return undefined;
      // NaN is no number: the thing does not have the tag.
      return outside
        ? at => {
            const value = nums[at] ?? Number.NaN;
            return !Number.isNaN(value) && !isWithin(value);
          }
        : at => isWithin(nums[at] ?? Number.NaN);
    },
  };
}

function textTest(
  name: number,
  criterion: Exclude<Criterion, { type: "num" }> | Interval,
  vocabulary: Vocabulary,
  size: () => number,
  budget: { read: number },
): NameTest {
  const terms = vocabulary.matching(name, criterion);
  const outside = "outside" in criterion && criterion.outside;
  const of = (passes: (term: number) => boolean): NameTest => ({
    cost: 0,
    open(block) {
      const column = block.columns.get(name)?.terms;
      return column && (at => passes(column[at] ?? 0));
    },
  });
  if (terms === undefined) return readTest(name, criterion, vocabulary, budget);
  const [only = 0] = terms;
  if (terms.length <= 1) return of(outside ? term => term !== 0 && term !== only : term => term !== 0 && term === only);
  const bits = new Uint8Array((size() >> 3) + 1);
  for (const term of terms) bits[term >> 3] = (bits[term >> 3] ?? 0) | (1 << (term & 7));
  const isIn = (term: number) => ((bits[term >> 3] ?? 0) & (1 << (term & 7))) !== 0;
  return of(outside ? term => term !== 0 && !isIn(term) : isIn);
}

/** Reads the texts of the things that are left, each text once in a search. */
function readTest(name: number, criterion: Criterion, { texts }: Vocabulary, budget: { read: number }): NameTest {
  const verdicts = new Map<number, boolean>([[0, false]]);
  return {
    cost: 1,
    open(block, places) {
      const column = block.columns.get(name)?.terms;
      if (column === undefined) return undefined;
      const unknown = new Set<number>();
      for (const at of places) if (!verdicts.has(column[at] ?? 0)) unknown.add(column[at] ?? 0);
      budget.read += unknown.size;
      if (budget.read > searchTextsMax)
        throw new Refusal("busy", "too many texts would have to be read for this search: narrow it");
      for (const { id, str } of texts([...unknown])) verdicts.set(id, holds(str, criterion));
      return at => verdicts.get(column[at] ?? 0) === true;
    },
  };
}
