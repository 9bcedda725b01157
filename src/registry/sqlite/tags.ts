// Rows of tags: text or number, under numbered names, the texts numbered too.

import type { Tag } from "#contract/node.ts";
import type { Database } from "#store/database.ts";
import type { Reads, Writes } from "../store.ts";
import type { Terms } from "./terms.ts";

interface TagRow {
  thing: number;
  name: string;
  shown: string | null;
  str: string | null;
  num: number | null;
}

type TagMethods = "tagsOf" | "replaceTags" | "putTag" | "deleteTag";

/** `touched` is told of each thing whose tags were changed. */
export function tagRecords(
  database: Database,
  terms: Terms,
  touched: (id: number) => void,
): Pick<Reads & Writes, TagMethods> {
  const tagsOf = tagReader(database);
  const before = database
    .prepare<[number, number], number | null>("SELECT term FROM tag WHERE thing = ? AND name = ?")
    .pluck();
  // The case first seen stays (DISCO-TAG-01): a later value does not touch `shown`.
  const put = database.prepare(
    `INSERT INTO tag (thing, name, shown, term, num) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (thing, name) DO UPDATE SET term = excluded.term, num = excluded.num`,
  );
  /** `isNew`: the thing does not have this tag, nor any of this name. */
  const write = (thing: number, { name: said, value }: Tag, isNew: boolean) => {
    const upper = said.toUpperCase();
    const name = terms.nameOf(upper);
    const old = isNew ? undefined : before.get(thing, name);
    const isText = typeof value === "string";
    const term = isText ? terms.termOf(name, value) : null;
    put.run(thing, name, said === upper ? null : said, term, isText ? null : value);
    if (typeof old === "number" && old !== term) terms.release(old);
  };

  return {
    tagsOf,
    replaceTags(thing, tags) {
      // A thing registers with each connection, nearly always as it was: then nothing is written.
      const present = new Map((tagsOf([thing]).get(thing) ?? []).map(({ name, value }) => [name, value]));
      const changed = tags.filter(({ name, value }) => present.get(name) !== value);
      const said = new Set(tags.map(({ name }) => name));
      for (const name of present.keys()) if (!said.has(name)) terms.dropTag(thing, name.toUpperCase());
      for (const tag of changed) write(thing, tag, !present.has(tag.name));
      touched(thing);
    },
    putTag(thing, tag) {
      write(thing, tag, false);
      touched(thing);
    },
    deleteTag(thing, name) {
      terms.dropTag(thing, name.toUpperCase());
      touched(thing);
    },
  };
}

/** The tags of some things, by thing. */
export function tagReader(database: Database): Reads["tagsOf"] {
  const select = database.prepare<[string], TagRow>(
    `SELECT thing, tag_name.name, shown, term.str, num FROM json_each(?) AS asked
     CROSS JOIN tag ON tag.thing = asked.value JOIN tag_name ON tag_name.id = tag.name
     LEFT JOIN term ON term.id = tag.term ORDER BY thing, tag.name`,
  );
  return things => {
    const found = new Map<number, Tag[]>();
    for (const row of select.all(JSON.stringify(things))) {
      const tags = found.get(row.thing) ?? [];
      found.set(row.thing, tags);
      tags.push({ name: row.shown ?? row.name, value: row.str ?? row.num ?? "" });
    }
    return found;
  };
}
