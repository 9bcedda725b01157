// Texts of tags, each kept once: its number in, its number out, and gone when no tag has it any more. Every text is in the
// index of its three-letter parts as well, by which masks find it.

import type { Database } from "#store/database.ts";

export interface Terms {
  /** Made when there is none. */
  numberOf(name: number, text: string): number;
  /** No tag has it any more, perhaps. */
  release(term: number): void;
}

export function createTerms(database: Database): Terms {
  const find = database.prepare<[number, string], number>("SELECT id FROM term WHERE name = ? AND str = ?").pluck();
  const add = database.prepare("INSERT INTO term (name, str) VALUES (?, ?)");
  const index = database.prepare("INSERT INTO term_text (rowid, str) VALUES (?, ?)");
  const used = database.prepare("SELECT 1 FROM tag WHERE term = ? LIMIT 1");
  const text = database.prepare<[number], string>("SELECT str FROM term WHERE id = ?").pluck();
  const unindex = database.prepare("INSERT INTO term_text (term_text, rowid, str) VALUES ('delete', ?, ?)");
  const drop = database.prepare("DELETE FROM term WHERE id = ?");
  return {
    numberOf(name, str) {
      const known = find.get(name, str);
      if (known !== undefined) return known;
      const id = Number(add.run(name, str).lastInsertRowid);
      index.run(id, str);
      return id;
    },
    release(term) {
      if (used.get(term) !== undefined) return;
      const str = text.get(term);
      if (str === undefined) return;
      unindex.run(term, str);
      drop.run(term);
    },
  };
}

/** Takes a thing's tags away, and the texts that only they had. */
export function tagDropper(database: Database): { all(thing: number): void; one(thing: number, name: string): void } {
  const terms = createTerms(database);
  const every = database.prepare<[number], number | null>("DELETE FROM tag WHERE thing = ? RETURNING term").pluck();
  const single = database
    .prepare<[number, string], number | null>(
      "DELETE FROM tag WHERE thing = ? AND name = (SELECT id FROM tag_name WHERE name = ?) RETURNING term",
    )
    .pluck();
  const release = (dropped: readonly (number | null)[]) => {
    for (const term of dropped) if (term !== null) terms.release(term);
  };
  return {
    all: thing => release(every.all(thing)),
    one: (thing, name) => release(single.all(thing, name)),
  };
}
