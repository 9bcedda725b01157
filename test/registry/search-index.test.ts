// Searches by index and by columns, against the plain reading of the criteria: any things, any operators, while things come,
// change, are hidden and go. The sizes are small, so that few things fill many blocks.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, silentLog } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import type { Tag } from "#contract/node.ts";
import { satisfies } from "../../src/registry/criterion.ts";
import { compileRegex } from "../../src/registry/regex.ts";
import { registryMigrations } from "../../src/registry/sqlite/schema.ts";
import { openRegistryStore } from "../../src/registry/sqlite/store.ts";
import type { Criterion, RegistryStore, Thing, ThingState } from "../../src/registry/store.ts";

const forever = new AbortController().signal;
const small = { fewRows: 3, blockRows: 8 };

let folder: string;
let store: RegistryStore;
const open = (sizes = small) => openRegistryStore(join(folder, "registry.db"), silentLog, sizes);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-search-"));
  store = open();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const add = (n: number, tags: readonly Tag[], state: ThingState = "public") =>
  store.change(async records => {
    const ref = { nodeId: `n${n}`, sourceId: "", partition: "" };
    const id = await records.insertThing("gw@x.example", ref, state, "ana@x.example", undefined, n);
    await records.replaceTags(id, tags);
    return id;
  });
const found = async (criteria: readonly Criterion[], offset = 0, count = 1_000) =>
  (await store.search(criteria, { offset, count }, forever)).map(({ id }) => id);

const words = ["Heat", "HeatMeter", "Water", "meter", "Mètre", "", "ab", "abc", "abcd", "bcd", "a*b", "ü", "😀x"];
const names = ["CLASS", "CITY", "SN", "LAT", "LON"];
const anyName = fc.oneof(
  fc.constantFrom(...names).map(name => ({ name, nameWildcard: undefined })),
  fc.constantFrom("L%", "%", "%C%", "C%Y", "Z%").map(name => ({ name, nameWildcard: "%" as string | undefined })),
);
const bound = <T>(value: fc.Arbitrary<T>) =>
  fc.option(fc.record({ value, included: fc.boolean() }), { nil: undefined });
const word = fc.constantFrom(...words.filter(one => one !== ""));
const number = fc.integer({ min: -3, max: 5 });
const criterion: fc.Arbitrary<Criterion> = fc
  .tuple(
    anyName,
    fc.oneof(
      fc.record({
        type: fc.constant("str" as const),
        outside: fc.boolean(),
        min: bound(word),
        max: bound(word),
      }),
      fc.record({ type: fc.constant("num" as const), outside: fc.boolean(), min: bound(number), max: bound(number) }),
      word.map(value => {
        const both = { value, included: true };
        return { type: "str" as const, outside: false, min: both, max: both };
      }),
      fc.record({
        type: fc.constant("mask" as const),
        mask: fc.constantFrom("*", "*eat*", "He*", "*er", "a\\*b", "*bcd", "H*M*r", "abc*", "[ab]*", "?*", "ü"),
        wildcard: fc.constantFrom("*", "\\"),
      }),
      fc.constantFrom("He.*", "(ab|Wat)[a-z]+", ".*bcd", "\\w+", ".?", "(?i)heat.*").map(pattern => ({
        type: "regex" as const,
        expression: compileRegex(pattern),
      })),
    ),
  )
  .filter(([, what]) => !("min" in what) || what.min !== undefined || what.max !== undefined)
  .map(([name, what]) => ({ ...name, ...what }) as Criterion);

const tagsOfThing = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...names), fc.oneof(word, number)), { selector: ([name]) => name })
  .map(pairs => pairs.map(([name, value]): Tag => ({ name, value })));
const states: ThingState[] = ["public", "public", "public", "selfOwned", "private", "unclaimed", "removed"];

/** One thing that happens to one of the things there are. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant("add" as const), tags: tagsOfThing, state: fc.constantFrom(...states) }),
  fc.record({ kind: fc.constant("tags" as const), at: fc.nat(), tags: tagsOfThing }),
  fc.record({ kind: fc.constant("put" as const), at: fc.nat(), name: fc.constantFrom(...names), value: word }),
  fc.record({ kind: fc.constant("drop" as const), at: fc.nat(), name: fc.constantFrom(...names) }),
  fc.record({ kind: fc.constant("state" as const), at: fc.nat(), state: fc.constantFrom(...states) }),
  fc.record({ kind: fc.constant("delete" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("fail" as const), at: fc.nat(), tags: tagsOfThing }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What should be found: said by a second bookkeeping, which knows nothing of indices. */
type Known = Map<number, { state: ThingState; tags: Tag[] }>;

async function happen(known: Known, one: Happening, count: number): Promise<void> {
  if (one.kind === "add") {
    known.set(await add(count, one.tags, one.state), { state: one.state, tags: [...one.tags] });
    return;
  }
  const [id, it] = [...known][one.at % Math.max(1, known.size)] ?? [];
  if (id === undefined || it === undefined) return;
  await store
    .change(async records => {
      switch (one.kind) {
        case "tags":
          it.tags = [...one.tags];
          return records.replaceTags(id, one.tags);
        case "put":
          it.tags = [...it.tags.filter(({ name }) => name !== one.name), { name: one.name, value: one.value }];
          return records.putTag(id, { name: one.name, value: one.value });
        case "drop":
          it.tags = it.tags.filter(({ name }) => name !== one.name);
          return records.deleteTag(id, one.name);
        case "state":
          it.state = one.state;
          return records.setThing(id, one.state, "ana@x.example", undefined, undefined);
        case "delete":
          known.delete(id);
          return records.deleteThing((await records.thingById(id)) as Thing);
        case "fail":
          await records.replaceTags(id, one.tags);
          throw new Error("no");
      }
    })
    .catch(error => expect(String(error)).toBe("Error: no"));
}

const expected = (known: Known, criteria: readonly Criterion[]): number[] =>
  [...known]
    .filter(([, { state }]) => state === "public" || state === "selfOwned")
    .filter(([, { tags }]) => criteria.every(one => satisfies(tags, one)))
    .map(([id]) => id)
    .sort((a, b) => a - b);

describe("any search finds what the criteria say", () => {
  it("DISCO-SEARCH-01, -02, -03: after anything that happened, from memory and after a restart", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { minLength: 1, maxLength: 60 }),
        fc.array(fc.array(criterion, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
        async (story, searches) => {
          await store[Symbol.asyncDispose]();
          rmSync(join(folder, "registry.db"), { force: true });
          store = open();
          const known: Known = new Map();
          // Columns that are there while things happen have to follow.
          for (let n = 0; n < 5; n++)
            await happen(known, { kind: "add", tags: [{ name: "CLASS", value: "Heat" }], state: "public" }, n);
          await found([{ name: "CLASS", nameWildcard: undefined, type: "mask", mask: "*", wildcard: "*" }]);
          for (const [n, one] of story.entries()) await happen(known, one, n + 5);
          for (const criteria of searches) expect(await found(criteria)).toEqual(expected(known, criteria));
          await store[Symbol.asyncDispose]();
          store = open();
          for (const criteria of searches) {
            const all = expected(known, criteria);
            expect(await found(criteria)).toEqual(all);
            expect(await found(criteria, 2, 3)).toEqual(all.slice(2, 5));
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});

it("texts that no tag has any more are gone, from the index of their parts too", async () => {
  const id = await add(1, [{ name: "CITY", value: "Sundsvall" }]);
  const file = new SQLite(join(folder, "registry.db"), { readonly: true });
  const count = () =>
    file
      .prepare("SELECT (SELECT count(*) FROM term) + (SELECT count(*) FROM term_text WHERE term_text MATCH '\"nds\"')")
      .pluck()
      .get();
  expect(count()).toBe(2);
  await store.change(records => records.replaceTags(id, []));
  expect(count()).toBe(0);
  await store.change(records => records.putTag(id, { name: "CITY", value: "Sundsvall" }));
  await store.change(records => records.putTag(id, { name: "CITY", value: "Umeå" }));
  await store.change(async records => records.deleteThing((await records.thingById(id)) as Thing));
  expect(count()).toBe(0);
  file.close();
});

it("a thing that registers again as it was writes nothing", async () => {
  const tags = [
    { name: "Class", value: "Heat" },
    { name: "LAT", value: 59.5 },
  ];
  const id = await add(1, tags);
  const file = new SQLite(join(folder, "registry.db"), { readonly: true });
  const version = file.pragma("data_version", { simple: true });
  await store.change(records => records.replaceTags(id, tags));
  expect(file.pragma("data_version", { simple: true })).toBe(version);
  await store.change(records => records.replaceTags(id, [{ name: "CLASS", value: "Heat" }]));
  expect((await store.tagsOf([id])).get(id)).toEqual([{ name: "CLASS", value: "Heat" }]);
  file.close();
});

it("a wildcard that stands for too many tags is refused with a reason", async () => {
  const many = Array.from({ length: 65 }, (_, n) => ({ name: `T${n}`, value: n }));
  for (let n = 0; n < 5; n++) await add(n, many);
  const any = {
    nameWildcard: "*",
    type: "num" as const,
    outside: false,
    min: { value: 3, included: true },
    max: undefined,
  };
  await expect(found([{ name: "T*", ...any }])).rejects.toThrow(Refusal);
  expect(await found([{ name: "T6*", ...any }])).toHaveLength(5);
});

it("a search that is not waited for any more ends", async () => {
  for (let n = 0; n < 400; n++) await add(n, [{ name: "CLASS", value: "Heat" }]);
  const stop = new AbortController();
  const none: Criterion = {
    name: "CLASS",
    nameWildcard: undefined,
    type: "str",
    outside: true,
    min: { value: "Heat", included: true },
    max: { value: "Heat", included: true },
  };
  const searching = store.search([none], { offset: 0, count: 1 }, stop.signal);
  stop.abort(new Error("gone"));
  await expect(searching).rejects.toThrow("gone");
});

it("a database of the first schema is brought along, with everything found as before", async () => {
  const path = join(folder, "old.db");
  const old = new SQLite(path);
  old.exec("CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT");
  const [first] = registryMigrations;
  old.exec(first?.sql ?? "");
  old.prepare("INSERT INTO migrations (version, name) VALUES (1, ?)").run(first?.name);
  old.exec(`
    INSERT INTO thing (id, jid, node, source, partition, state, owner, registered_at) VALUES
      (1, 'gw@x.example', 'a', '', '', 'public', 'ana@x.example', 1), (2, 'gw@x.example', 'b', '', '', 'unclaimed', NULL, 1);
    INSERT INTO tag_name (id, name) VALUES (1, 'CLASS'), (2, 'LAT');
    INSERT INTO tag (thing, name, shown, str, num, listed) VALUES
      (1, 1, 'Class', 'HeatMeter', NULL, 1), (1, 2, NULL, NULL, 59.5, 1), (2, 1, NULL, 'HeatMeter', NULL, 0);`);
  old.close();
  const lines: string[] = [];
  await using brought = openRegistryStore(
    path,
    createLog(event => lines.push(event.event)),
    small,
  );
  expect((await brought.tagsOf([1, 2])).get(1)).toEqual([
    { name: "Class", value: "HeatMeter" },
    { name: "LAT", value: 59.5 },
  ]);
  const mask: Criterion = { name: "CLASS", nameWildcard: undefined, type: "mask", mask: "*tMe*", wildcard: "*" };
  expect((await brought.search([mask], { offset: 0, count: 9 }, forever)).map(({ id }) => id)).toEqual([1]);
  expect(lines).toContain("database-copied");
});
