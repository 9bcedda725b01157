// Operators that hold for few things: which things, by the index of their texts or numbers. A thing too many may be named
// here, never one too few; each is looked at afterwards.

import type { Database } from "#store/database.ts";
import type { Criterion } from "../store.ts";
import { bounds, type Interval } from "./conditions.ts";
import type { Asked } from "./search.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Texts whose things are looked up one text after the other. */
const textsMax = 100;

/** Undefined: too many. */
export function createNarrow(
  database: Database,
  fewRows: number,
): (asked: Asked, words: Vocabulary) => readonly number[] | undefined {
  const limit = fewRows + 1;
  const ids = (sql: string) => database.prepare<(string | number)[], number>(`${sql} LIMIT ?`).pluck();
  const ofTerms = ids("SELECT thing FROM json_each(?) AS asked CROSS JOIN tag ON tag.term = asked.value");
  const withText = ids("SELECT thing FROM term CROSS JOIN tag ON tag.term = term.id WHERE term.name = ?");
  const withNumber = ids("SELECT thing FROM tag WHERE name = ? AND num IS NOT NULL");

  const enough = (found: readonly number[]): readonly number[] | undefined =>
    found.length < limit ? found : undefined;
  const numbered = (name: number, criterion: Interval): readonly number[] | undefined => {
    const having = enough(withNumber.all(name, limit));
    if (having !== undefined || criterion.outside) return having;
    const { sql, values } = bounds("num", criterion);
    const statement = ids(`SELECT thing FROM tag WHERE name = ? AND num IS NOT NULL AND ${sql}`);
    return enough(statement.all(name, ...values, limit));
  };
  const worded = (name: number, criterion: Criterion, { matching }: Vocabulary): readonly number[] | undefined => {
    const having = enough(withText.all(name, limit));
    if (having !== undefined || ("outside" in criterion && criterion.outside)) return having;
    const terms = matching(name, criterion);
    return terms === undefined || terms.length > textsMax
      ? undefined
      : enough(ofTerms.all(JSON.stringify(terms), limit));
  };

  return ({ criterion, names }, words) => {
    const found = new Set<number>();
    for (const name of names) {
      const some = criterion.type === "num" ? numbered(name, criterion) : worded(name, criterion, words);
      if (some === undefined) return undefined;
      for (const id of some) found.add(id);
      if (found.size > fewRows) return undefined;
    }
    return [...found];
  };
}
