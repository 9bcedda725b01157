// The texts that things have of one tag, each once: which of them an operator holds for. Few texts are looked through; of
// many, those that begin alike or have three letters in a row in common are found by an index.

import { searchTermsMax } from "#limits.ts";
import type { Database } from "#store/database.ts";
import { holds } from "../criterion.ts";
import type { Criterion } from "../store.ts";
import { bounds, globOf, type Interval, isPoint, successor } from "./conditions.ts";

interface TermRow {
  id: number;
  str: string;
}

export interface Vocabulary {
  /**
   * Numbers of the texts that a criterion holds for; of an interval those inside, whichever it means. Undefined: too many,
   * or too many to look through.
   */
  matching(name: number, criterion: Criterion): readonly number[] | undefined;
  /** Texts by number. */
  texts(terms: readonly number[]): readonly TermRow[];
}

export function createVocabulary(database: Database): Vocabulary {
  const limit = searchTermsMax + 1;
  const count = (sql: string) =>
    database.prepare<(string | number)[], number>(`SELECT count(*) FROM (SELECT 1 FROM ${sql} LIMIT ?)`).pluck();
  const countAll = count("term WHERE name = ?");
  const countPrefix = count("term WHERE name = ? AND str >= ? AND str < ?");
  const countParts = count("term_text WHERE term_text MATCH ?");
  const equal = database.prepare<[number, string], number>("SELECT id FROM term WHERE name = ? AND str = ?").pluck();
  const masked = database
    .prepare<[number, string], number>("SELECT id FROM term WHERE name = ? AND str GLOB ?")
    .pluck();
  const maskedPrefix = database
    .prepare<[number, string, string, string], number>(
      "SELECT id FROM term WHERE name = ? AND str >= ? AND str < ? AND str GLOB ?",
    )
    .pluck();
  const all = database.prepare<[number], TermRow>("SELECT id, str FROM term WHERE name = ?");
  const byParts = database.prepare<[string, number], TermRow>(
    `SELECT term.id, term.str FROM term_text CROSS JOIN term ON term.id = term_text.rowid
     WHERE term_text MATCH ? AND term.name = ?`,
  );
  const numbered = database.prepare<[string], TermRow>(
    "SELECT term.id, term.str FROM json_each(?) AS asked CROSS JOIN term ON term.id = asked.value",
  );

  const isFew = (rows: number | undefined) => rows !== undefined && rows < limit;
  const interval = (name: number, criterion: Interval) => {
    if (isPoint(criterion)) return equal.all(name, String(criterion.min?.value));
    const { sql, values } = bounds("str", criterion);
    const found = database
      .prepare<(string | number)[], number>(`SELECT id FROM term WHERE name = ? AND ${sql} LIMIT ?`)
      .pluck()
      .all(name, ...values, limit);
    return isFew(found.length) ? found : undefined;
  };
  const withParts = (name: number, text: string, criterion: Criterion): readonly number[] | undefined => {
    const parts = partsOf(text);
    if (parts === "" || !isFew(countParts.get(parts, limit))) return undefined;
    return byParts
      .all(parts, name)
      .filter(({ str }) => holds(str, criterion))
      .map(({ id }) => id);
  };
  const mask = (name: number, criterion: Extract<Criterion, { type: "mask" }>) => {
    const glob = globOf(criterion.mask, criterion.wildcard);
    if (isFew(countAll.get(name, limit))) return masked.all(name, glob);
    const pieces = criterion.mask.split(criterion.wildcard);
    const [prefix = ""] = pieces;
    const end = successor(prefix);
    if (end !== undefined && isFew(countPrefix.get(name, prefix, end, limit)))
      return maskedPrefix.all(name, prefix, end, glob);
    const longest = pieces.toSorted((a, b) => b.length - a.length)[0] ?? "";
    return withParts(name, longest, criterion);
  };

  return {
    matching(name, criterion) {
      switch (criterion.type) {
        case "mask":
          return mask(name, criterion);
        case "regex": {
          if (!isFew(countAll.get(name, limit))) return withParts(name, criterion.expression.required, criterion);
          const texts = all.all(name).filter(({ str }) => criterion.expression.matches(str));
          return texts.map(({ id }) => id);
        }
        default:
          return interval(name, criterion);
      }
    },
    texts: terms => numbered.all(JSON.stringify(terms)),
  };
}

/** What the index of parts is asked: every three letters in a row. "" when there are none. */
function partsOf(text: string): string {
  const letters = [...text];
  return letters
    .slice(2)
    .map(
      (_, at) =>
        `"${letters
          .slice(at, at + 3)
          .join("")
          .replaceAll('"', '""')}"`,
    )
    .join(" AND ");
}

/** For one search: asked again, it says the same and does not look again. */
export function remembering(vocabulary: Vocabulary): Vocabulary {
  const known = new Map<Criterion, Map<number, readonly number[] | undefined>>();
  return {
    ...vocabulary,
    matching(name, criterion) {
      const names = known.get(criterion) ?? new Map<number, readonly number[] | undefined>();
      known.set(criterion, names);
      if (!names.has(name)) names.set(name, vocabulary.matching(name, criterion));
      return names.get(name);
    },
  };
}
