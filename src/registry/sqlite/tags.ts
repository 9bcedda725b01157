// Rows of tags: text or number, under numbered names.

import type { Tag } from "#contract/node.ts";
import type { Database } from "#store/database.ts";
import type { Reads, Writes } from "../store.ts";
import { isListed } from "./things.ts";

interface TagRow {
  thing: number;
  name: string;
  shown: string | null;
  str: string | null;
  num: number | null;
}

export function tagRecords(
  database: Database,
): Pick<Reads & Writes, "tagsOf" | "replaceTags" | "putTag" | "deleteTag"> {
  const select = database.prepare<[string], TagRow>(
    `SELECT thing, tag_name.name, shown, str, num FROM json_each(?) AS asked
     CROSS JOIN tag ON tag.thing = asked.value JOIN tag_name ON tag_name.id = tag.name ORDER BY thing, tag.name`,
  );
  const wipe = database.prepare("DELETE FROM tag WHERE thing = ?");
  const addName = database.prepare("INSERT INTO tag_name (name) VALUES (?) ON CONFLICT DO NOTHING");
  // The case first seen stays (DISCO-TAG-01): a later value does not touch `shown`.
  const put = database.prepare(
    `INSERT INTO tag (thing, name, shown, str, num, listed)
     VALUES (?, (SELECT id FROM tag_name WHERE name = ?), ?, ?, ?, ?)
     ON CONFLICT (thing, name) DO UPDATE SET str = excluded.str, num = excluded.num`,
  );
  const drop = database.prepare("DELETE FROM tag WHERE thing = ? AND name = (SELECT id FROM tag_name WHERE name = ?)");
  const state = database.prepare<[number], { state: string }>("SELECT state FROM thing WHERE id = ?");
  const nameKnown = database.prepare("SELECT 1 FROM tag_name WHERE name = ?");

  const write = (thing: number, { name, value }: Tag, listed: number) => {
    const upper = name.toUpperCase();
    if (nameKnown.get(upper) === undefined) addName.run(upper);
    const text = typeof value === "string";
    put.run(thing, upper, name === upper ? null : name, text ? value : null, text ? null : value, listed);
  };
  const listedOf = (thing: number) => (isListed(state.get(thing)?.state ?? "") ? 1 : 0);

  return {
    tagsOf(things) {
      const found = new Map<number, Tag[]>();
      for (const row of select.all(JSON.stringify(things))) {
        const tags = found.get(row.thing) ?? [];
        found.set(row.thing, tags);
        tags.push({ name: row.shown ?? row.name, value: row.str ?? row.num ?? "" });
      }
      return found;
    },
    replaceTags(thing, tags) {
      wipe.run(thing);
      const listed = listedOf(thing);
      for (const tag of tags) write(thing, tag, listed);
    },
    putTag: (thing, tag) => write(thing, tag, listedOf(thing)),
    deleteTag: (thing, name) => void drop.run(thing, name.toUpperCase()),
  };
}
