// What things say of themselves. All of it lies in one piece beside the thing, whoever may see it; what may be found lies in
// the index of tags as well, text by text and number by number, and only while it may be found: a thing that registers and
// waits for its owner costs three pages of the file, not twenty.

import type { Tag } from "#contract/node.ts";
import type { Database } from "#store/database.ts";
import type { Reads, Writes } from "../store.ts";
import type { Terms } from "./terms.ts";

type TagMethods = "tagsOf" | "replaceTags" | "putTag" | "deleteTag";

export interface TagIndex {
  /** The thing may be found from now on, or no longer. */
  list(thing: number): void;
  unlist(thing: number): void;
}

/** `isListed`: the thing may be found. `touched` is told of each thing whose tags were changed. */
export function tagRecords(
  database: Database,
  terms: Terms,
  isListed: (thing: number) => boolean,
  touched: (id: number) => void,
): Pick<Reads & Writes, TagMethods> & { index: TagIndex } {
  const tagsOf = tagReader(database);
  const put = database.prepare(
    "INSERT INTO saying (thing, tags) VALUES (?, ?) ON CONFLICT (thing) DO UPDATE SET tags = excluded.tags",
  );
  const before = database
    .prepare<[number, number], number | null>("SELECT term FROM tag WHERE thing = ? AND name = ?")
    .pluck();
  const enter = database.prepare(
    `INSERT INTO tag (thing, name, term, num) VALUES (?, ?, ?, ?)
     ON CONFLICT (thing, name) DO UPDATE SET term = excluded.term, num = excluded.num`,
  );
  const read = (thing: number): readonly Tag[] => tagsOf([thing]).get(thing) ?? [];
  /** `isNew`: nothing is there under this name. */
  const enterOne = (thing: number, { name: said, value }: Tag, isNew: boolean) => {
    const name = terms.nameOf(said.toUpperCase());
    const old = isNew ? undefined : before.get(thing, name);
    const isText = typeof value === "string";
    const term = isText ? terms.termOf(name, value) : null;
    enter.run(thing, name, term, isText ? null : value);
    if (typeof old === "number" && old !== term) terms.release(old);
  };
  /** From what was said before to what is said now, where strangers may find it. */
  const say = (thing: number, was: readonly Tag[], now: readonly Tag[]) => {
    put.run(thing, JSON.stringify(now.map(({ name, value }) => [name, value])));
    touched(thing);
    if (!isListed(thing)) return;
    const present = new Map(was.map(tag => [tag.name.toUpperCase(), tag.value]));
    const said = new Set(now.map(({ name }) => name.toUpperCase()));
    for (const name of present.keys()) if (!said.has(name)) terms.dropTag(thing, name);
    for (const tag of now) {
      const value = present.get(tag.name.toUpperCase());
      if (value !== tag.value) enterOne(thing, tag, value === undefined);
    }
  };

  return {
    tagsOf,
    replaceTags(thing, tags) {
      const was = read(thing);
      // A thing registers with each connection, nearly always as it was: then nothing is written.
      const isSame = was.length === tags.length && was.every((tag, at) => isEqual(tag, tags[at]));
      if (!isSame) say(thing, was, tags);
    },
    putTag(thing, { name, value }) {
      const was = read(thing);
      const at = was.findIndex(tag => tag.name.toUpperCase() === name.toUpperCase());
      // The case first seen stays (DISCO-TAG-01).
      const now = at < 0 ? [...was, { name, value }] : was.with(at, { name: was[at]?.name ?? name, value });
      say(thing, was, now);
    },
    deleteTag(thing, name) {
      const was = read(thing);
      say(
        thing,
        was,
        was.filter(tag => tag.name.toUpperCase() !== name.toUpperCase()),
      );
    },
    index: {
      list(thing) {
        for (const tag of read(thing)) enterOne(thing, tag, true);
      },
      unlist: thing => terms.dropTags(thing),
    },
  };
}

const isEqual = (a: Tag, b: Tag | undefined): boolean => a.name === b?.name && a.value === b.value;

/** The tags of some things, by thing. */
export function tagReader(database: Database): Reads["tagsOf"] {
  const select = database.prepare<[string], { thing: number; tags: string }>(
    "SELECT thing, tags FROM json_each(?) AS asked CROSS JOIN saying ON saying.thing = asked.value",
  );
  return things => {
    const found = new Map<number, Tag[]>();
    for (const { thing, tags } of select.all(JSON.stringify(things))) {
      const said = JSON.parse(tags) as [string, string | number][];
      if (said.length > 0)
        found.set(
          thing,
          said.map(([name, value]) => ({ name, value })),
        );
    }
    return found;
  };
}
