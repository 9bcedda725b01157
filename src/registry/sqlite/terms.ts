// Names and texts of tags, each kept once: its number in, its number out, and a text gone when no tag has it any more. Every
// text is in the index of its three-letter parts as well, by which masks find it.

import { registryNumbersRemembered } from "#limits.ts";
import type { Database } from "#store/database.ts";

export interface Terms {
  /** Of a name in upper case; made when there is none. */
  nameOf(upper: string): number;
  /** Of a text of that tag; made when there is none. */
  termOf(name: number, text: string): number;
  /** No tag has it any more, perhaps. */
  release(term: number): void;
  /** Takes a thing's tags away, and the texts that only they had. */
  dropTags(thing: number): void;
  /** `upper`: the name. */
  dropTag(thing: number, upper: string): void;
  /** What was done since the last commit was undone in part: nothing that is remembered need be there. */
  undone(): void;
}

export function createTerms(database: Database): Terms {
  const findName = database.prepare<[string], number>("SELECT id FROM tag_name WHERE name = ?").pluck();
  const addName = database.prepare("INSERT INTO tag_name (name) VALUES (?)");
  const find = database.prepare<[number, string], number>("SELECT id FROM term WHERE name = ? AND str = ?").pluck();
  const add = database.prepare("INSERT INTO term (name, str) VALUES (?, ?)");
  const index = database.prepare("INSERT INTO term_text (rowid, str) VALUES (?, ?)");
  const used = database.prepare("SELECT 1 FROM tag WHERE term = ? LIMIT 1");
  const row = database.prepare<[number], { name: number; str: string }>("SELECT name, str FROM term WHERE id = ?");
  const unindex = database.prepare("INSERT INTO term_text (term_text, rowid, str) VALUES ('delete', ?, ?)");
  const drop = database.prepare("DELETE FROM term WHERE id = ?");
  const every = database.prepare<[number], number | null>("DELETE FROM tag WHERE thing = ? RETURNING term").pluck();
  const single = database
    .prepare<[number, number], number | null>("DELETE FROM tag WHERE thing = ? AND name = ? RETURNING term")
    .pluck();
  const names = remembered<string>();
  const terms = remembered<string>();
  const keyOf = (name: number, text: string) => `${name} ${text}`;

  const release = (term: number) => {
    if (used.get(term) !== undefined) return;
    const found = row.get(term);
    if (found === undefined) return;
    terms.forget(keyOf(found.name, found.str));
    unindex.run(term, found.str);
    drop.run(term);
  };
  const releaseAll = (dropped: readonly (number | null)[]) => {
    for (const term of dropped) if (term !== null) release(term);
  };

  return {
    nameOf: upper => names.get(upper, () => findName.get(upper) ?? Number(addName.run(upper).lastInsertRowid)),
    termOf: (name, text) =>
      terms.get(keyOf(name, text), () => {
        const known = find.get(name, text);
        if (known !== undefined) return known;
        const id = Number(add.run(name, text).lastInsertRowid);
        index.run(id, text);
        return id;
      }),
    release,
    dropTags: thing => releaseAll(every.all(thing)),
    dropTag(thing, upper) {
      const name = findName.get(upper);
      if (name !== undefined) releaseAll(single.all(thing, name));
    },
    undone() {
      names.clear();
      terms.clear();
    },
  };
}

/** Numbers found before; when they are too many, the first go. */
export function remembered<K>() {
  const known = new Map<K, number>();
  return {
    get(key: K, find: () => number): number {
      const before = known.get(key);
      if (before !== undefined) return before;
      const found = find();
      known.set(key, found);
      if (known.size > registryNumbersRemembered) known.delete(known.keys().next().value as K);
      return found;
    },
    change(key: K, by: number) {
      const before = known.get(key);
      if (before !== undefined) known.set(key, before + by);
    },
    forget: (key: K) => void known.delete(key),
    clear: () => known.clear(),
  };
}
