// Rows of tags: text or number, under numbered names, the texts numbered too.

import type { Tag } from "#contract/node.ts";
import type { Database } from "#store/database.ts";
import type { Reads, Writes } from "../store.ts";
import { createTerms, tagDropper } from "./terms.ts";

interface TagRow {
  thing: number;
  name: string;
  shown: string | null;
  str: string | null;
  num: number | null;
}

export function tagRecords(
  database: Database,
  touched: (id: number) => void,
): Pick<Reads & Writes, "tagsOf" | "replaceTags" | "putTag" | "deleteTag"> {
  const select = database.prepare<[string], TagRow>(
    `SELECT thing, tag_name.name, shown, term.str, num FROM json_each(?) AS asked
     CROSS JOIN tag ON tag.thing = asked.value JOIN tag_name ON tag_name.id = tag.name
     LEFT JOIN term ON term.id = tag.term ORDER BY thing, tag.name`,
  );
  const nameOf = database.prepare<[string], number>("SELECT id FROM tag_name WHERE name = ?").pluck();
  const addName = database.prepare("INSERT INTO tag_name (name) VALUES (?)");
  const before = database
    .prepare<[number, number], number | null>("SELECT term FROM tag WHERE thing = ? AND name = ?")
    .pluck();
  // The case first seen stays (DISCO-TAG-01): a later value does not touch `shown`.
  const put = database.prepare(
    `INSERT INTO tag (thing, name, shown, term, num) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (thing, name) DO UPDATE SET term = excluded.term, num = excluded.num`,
  );
  const terms = createTerms(database);
  const drop = tagDropper(database);

  const write = (thing: number, { name: said, value }: Tag) => {
    const upper = said.toUpperCase();
    const name = nameOf.get(upper) ?? Number(addName.run(upper).lastInsertRowid);
    const old = before.get(thing, name);
    const isText = typeof value === "string";
    const term = isText ? terms.numberOf(name, value) : null;
    put.run(thing, name, said === upper ? null : said, term, isText ? null : value);
    if (typeof old === "number" && old !== term) terms.release(old);
  };
  const tagsOf = (things: readonly number[]): Map<number, Tag[]> => {
    const found = new Map<number, Tag[]>();
    for (const row of select.all(JSON.stringify(things))) {
      const tags = found.get(row.thing) ?? [];
      found.set(row.thing, tags);
      tags.push({ name: row.shown ?? row.name, value: row.str ?? row.num ?? "" });
    }
    return found;
  };

  return {
    tagsOf,
    replaceTags(thing, tags) {
      // A thing registers with each connection, nearly always as it was: then nothing is written.
      const left = new Map((tagsOf([thing]).get(thing) ?? []).map(tag => [tag.name, tag.value]));
      const changed = tags.filter(({ name, value }) => left.get(name) !== value);
      for (const { name } of tags) if (left.has(name)) left.delete(name);
      for (const name of left.keys()) drop.one(thing, name.toUpperCase());
      for (const tag of changed) write(thing, tag);
      touched(thing);
    },
    putTag(thing, tag) {
      write(thing, tag);
      touched(thing);
    },
    deleteTag(thing, name) {
      drop.one(thing, name.toUpperCase());
      touched(thing);
    },
  };
}
