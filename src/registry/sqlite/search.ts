// Searches. Where an operator holds for few things, its index names them and each is looked at; where all hold for many, the
// listing in memory is looked through in order, until the page is full. Either way the file's own truth is answered.

import { Refusal } from "#contract/faults.ts";
import { searchNamesMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import { satisfies } from "../criterion.ts";
import type { Criterion, Page, Thing } from "../store.ts";
import type { Catalogue, Sizes } from "./catalogue.ts";
import { createColumnTests } from "./column-tests.ts";
import { globOf } from "./conditions.ts";
import type { Block } from "./listing.ts";
import { createNarrow } from "./narrow.ts";
import { tagReader } from "./tags.ts";
import { asThing, listedSql, type ThingRow, thingColumns } from "./things.ts";
import { createVocabulary, remembering, type Vocabulary } from "./vocabulary.ts";

/** Blocks looked through in one turn: some milliseconds. */
const blocksAtOnce = 16;

export interface Search {
  search(criteria: readonly Criterion[], page: Page, signal: AbortSignal): Promise<readonly Thing[]>;
}

/** One operator with the tags it is about. */
export interface Asked {
  readonly criterion: Criterion;
  readonly names: readonly number[];
}

export function createSearch(
  database: Database,
  catalogue: Catalogue,
  sizes: Sizes,
  settled: () => Promise<void>,
): Search {
  const byPattern = database
    .prepare<[string, number], number>("SELECT id FROM tag_name WHERE name GLOB ? ORDER BY id LIMIT ?")
    .pluck();
  const byName = database.prepare<[string], number>("SELECT id FROM tag_name WHERE name = ?").pluck();
  const listedThings = database.prepare<[string], ThingRow>(
    `SELECT ${thingColumns} FROM json_each(?) AS asked CROSS JOIN thing ON thing.id = asked.value
     WHERE ${listedSql} ORDER BY thing.id`,
  );
  const tagsOf = tagReader(database);
  const narrow = createNarrow(database, sizes.fewRows);
  const columnTests = createColumnTests(database, sizes.blockRows);
  const vocabulary = createVocabulary(database);
  const every = new Uint16Array(sizes.blockRows).map((_, at) => at);

  const things = (ids: readonly number[]): Thing[] => listedThings.all(JSON.stringify(ids)).map(asThing);
  const askedOf = (criterion: Criterion): Asked => {
    const { name, nameWildcard } = criterion;
    if (nameWildcard === undefined) return { criterion, names: byName.all(name) };
    const names = byPattern.all(globOf(name, nameWildcard.toUpperCase()), searchNamesMax + 1);
    if (names.length > searchNamesMax)
      throw new Refusal("busy", `${name} stands for more than ${searchNamesMax} tags: say more of the name`);
    return { criterion, names };
  };
  /** Each of a few is looked at, as it is in the file. */
  const among = (ids: readonly number[], criteria: readonly Criterion[], { offset, count }: Page): readonly Thing[] => {
    const found = things(ids);
    const tags = tagsOf(found.map(({ id }) => id));
    return found
      .filter(({ id }) => criteria.every(criterion => satisfies(tags.get(id) ?? [], criterion)))
      .slice(offset, offset + count);
  };
  const through = async (
    asked: readonly Asked[],
    words: Vocabulary,
    { offset, count }: Page,
    signal: AbortSignal,
  ): Promise<number[]> => {
    await catalogue.ready([...new Set(asked.flatMap(({ names }) => names))], signal);
    const tests = asked.map(one => columnTests(one, words));
    const ids: number[] = [];
    const { listing } = catalogue;
    let [turn, last, skipped] = [0, 0, 0];
    for (let block = listing.after(last); block !== undefined; block = listing.after(last)) {
      const { ids: idsOf } = block;
      last = idsOf[block.count - 1] ?? 0;
      // Who reads texts goes last, and of the others first who lets least through.
      tests.sort((a, b) => a.cost - b.cost || a.share - b.share);
      const left = tests.reduce((places, test) => test.filter(block as Block, places), every.subarray(0, block.count));
      const skip = Math.min(left.length, offset - skipped);
      skipped += skip;
      for (const at of left.subarray(skip, skip + count - ids.length)) ids.push(idsOf[at] as number);
      if (ids.length >= count) break;
      if (++turn % blocksAtOnce > 0 && !tests.some(one => one.wasSlow())) continue;
      await new Promise(resolve => setImmediate(resolve));
      await settled();
      signal.throwIfAborted();
    }
    return ids;
  };

  return {
    async search(criteria, page, signal) {
      const asked = criteria.map(askedOf);
      if (asked.some(({ names }) => names.length === 0)) return [];
      const words = remembering(vocabulary);
      let few: readonly number[] | undefined;
      for (const one of asked) {
        const found = narrow(one, words);
        if (found !== undefined && (few === undefined || found.length < few.length)) few = found;
        if (few?.length === 0) return [];
      }
      if (few !== undefined) return among(few, criteria, page);
      // What changed while others had their turn is looked at once more.
      return among(await through(asked, words, page, signal), criteria, { offset: 0, count: page.count });
    },
  };
}
