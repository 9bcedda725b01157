// Operators over columns in memory: which things of a block pass. Numbers are compared where they lie; texts are known by
// their numbers, and read only when nothing else tells. Each loop does one thing, for it runs a million times.

import { Refusal } from "#contract/faults.ts";
import { searchTextsMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import { holds } from "../criterion.ts";
import type { Criterion } from "../store.ts";
import type { Interval } from "./conditions.ts";
import type { Block } from "./listing.ts";
import type { Asked } from "./search.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Places in a block, in order. */
export type Places = Uint16Array<ArrayBuffer>;

export interface RowTest {
  /** 0: by what is in memory · 1: texts have to be read. */
  readonly cost: 0 | 1;
  /** Those places that pass; good until the next call. */
  filter(block: Block, places: Places): Places;
  /** Of what it was given, how much passed so far: who lets least through goes first. */
  readonly share: number;
  /** The last filter has read many texts: others may have their turn. */
  wasSlow(): boolean;
}

/** Writes the places that pass into `out`, and says how many. */
type Filter = (block: Block, places: Places, out: Places) => number;

interface NameTest {
  readonly cost: 0 | 1;
  readonly filter: Filter;
}

interface Budget {
  read: number;
}

/** Texts read beyond this in one block are a turn of their own. */
const slowTexts = 1_000;

export function createColumnTests(database: Database, blockRows: number): (asked: Asked, words: Vocabulary) => RowTest {
  const largest = database.prepare<[], number | null>("SELECT max(id) FROM term").pluck();
  return ({ criterion, names }, words) => {
    const budget: Budget = { read: 0 };
    const size = () => (largest.get() ?? 0) + 1;
    const tests = names.map(name =>
      criterion.type === "num" ? numberTest(name, criterion) : textTest(name, criterion, words, size, budget),
    );
    const [only] = tests;
    const filter = tests.length === 1 && only !== undefined ? only.filter : anyOf(tests, blockRows);
    const out = new Uint16Array(blockRows);
    let before = 0;
    let [given, passed] = [0, 0];
    return {
      cost: tests.some(({ cost }) => cost === 1) ? 1 : 0,
      filter(block, places) {
        before = budget.read;
        const count = filter(block, places, out);
        given += places.length;
        passed += count;
        return out.subarray(0, count);
      },
      get share() {
        return given === 0 ? 1 : passed / given;
      },
      wasSlow: () => budget.read - before > slowTexts,
    };
  };
}

/** A wildcard in the name: one of the tags suffices. */
function anyOf(tests: readonly NameTest[], blockRows: number): Filter {
  const passes = new Uint8Array(blockRows);
  const some = new Uint16Array(blockRows);
  return (block, places, out) => {
    passes.fill(0);
    for (const { filter } of tests) {
      const count = filter(block, places, some);
      for (let at = 0; at < count; at++) passes[some[at] as number] = 1;
    }
    let count = 0;
    for (const place of places) if (passes[place] === 1) out[count++] = place;
    return count;
  };
}

function numberTest(name: number, { min, max, outside }: Interval): NameTest {
  const low = min === undefined ? Number.NEGATIVE_INFINITY : Number(min.value);
  const high = max === undefined ? Number.POSITIVE_INFINITY : Number(max.value);
  // Bounds that do not belong to the interval are compared apart: rarely equal, they cost nothing.
  const [withLow, withHigh] = [min?.included ?? true, max?.included ?? true];
  return {
    cost: 0,
    filter(block, places, out) {
      const nums = block.columns.get(name)?.nums;
      if (nums === undefined) return 0;
      let count = 0;
      for (let at = 0; at < places.length; at++) {
        const place = places[at] as number;
        const value = nums[place] as number;
        let isWithin = value >= low && value <= high;
        if (isWithin && ((!withLow && value === low) || (!withHigh && value === high))) isWithin = false;
        // NaN is no number: the thing does not have the tag.
        if (isWithin !== outside && !Number.isNaN(value)) out[count++] = place;
      }
      return count;
    },
  };
}

function textTest(
  name: number,
  criterion: Exclude<Criterion, { type: "num" }> | Interval,
  words: Vocabulary,
  size: () => number,
  budget: Budget,
): NameTest {
  const terms = words.matching(name, criterion);
  const outside = "outside" in criterion && criterion.outside;
  if (terms === undefined) return { cost: 1, filter: readTest(name, criterion, words, budget) };
  const [only] = terms;
  // No text has the number 0: that is where there is none.
  if (terms.length <= 1) return { cost: 0, filter: oneTermTest(name, only ?? (outside ? 0 : -1), outside) };
  const bits = new Uint8Array((size() >> 3) + 1);
  for (const term of terms) bits[term >> 3] = (bits[term >> 3] as number) | (1 << (term & 7));
  return { cost: 0, filter: termsTest(name, bits, outside) };
}

function oneTermTest(name: number, term: number, outside: boolean): Filter {
  return (block, places, out) => {
    const terms = block.columns.get(name)?.terms;
    if (terms === undefined) return 0;
    let count = 0;
    for (let at = 0; at < places.length; at++) {
      const place = places[at] as number;
      const its = terms[place] as number;
      if (outside ? its !== 0 && its !== term : its === term) out[count++] = place;
    }
    return count;
  };
}

function termsTest(name: number, bits: Uint8Array, outside: boolean): Filter {
  return (block, places, out) => {
    const terms = block.columns.get(name)?.terms;
    if (terms === undefined) return 0;
    let count = 0;
    for (let at = 0; at < places.length; at++) {
      const place = places[at] as number;
      const its = terms[place] as number;
      // A text that is newer than the bits is not among them.
      const isIn = ((bits[its >> 3] ?? 0) & (1 << (its & 7))) !== 0;
      if (isIn !== outside && its !== 0) out[count++] = place;
    }
    return count;
  };
}

/** Reads the texts of the things that are left, each text once in a search. */
function readTest(name: number, criterion: Criterion, { texts }: Vocabulary, budget: Budget): Filter {
  const verdicts = new Map<number, boolean>([[0, false]]);
  return (block, places, out) => {
    const terms = block.columns.get(name)?.terms;
    if (terms === undefined) return 0;
    const unknown = new Set<number>();
    for (const place of places) if (!verdicts.has(terms[place] as number)) unknown.add(terms[place] as number);
    budget.read += unknown.size;
    if (budget.read > searchTextsMax)
      throw new Refusal("busy", "too many texts would have to be read for this search: narrow it");
    for (const { id, str } of texts([...unknown])) verdicts.set(id, holds(str, criterion));
    let count = 0;
    for (const place of places) if (verdicts.get(terms[place] as number) === true) out[count++] = place;
    return count;
  };
}
