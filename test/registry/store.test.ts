// The store by itself: nobody reads in the middle of a change, a failed change leaves nothing, and the sizes it is meant for.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { rootRef } from "#contract/node.ts";
import { decide } from "../../src/registry/decisions.ts";
import { openRegistryStore } from "../../src/registry/sqlite/store.ts";
import type { RegistryStore } from "../../src/registry/store.ts";
import { claimDigest } from "../../src/registry/tags.ts";

const forever = new AbortController().signal;

let folder: string;
let store: RegistryStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-store-"));
  store = openRegistryStore(join(folder, "registry.db"), silentLog);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

it("a change that throws has changed nothing", async () => {
  const failing = store.change(async records => {
    await records.insertThing("a@x.example", rootRef, "unclaimed", undefined, undefined, 1);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await store.thing("a@x.example", rootRef)).toBeUndefined();
  await store.change(records => records.insertThing("a@x.example", rootRef, "unclaimed", undefined, undefined, 1));
  expect(await store.thing("a@x.example", rootRef)).toBeDefined();
});

it("nobody reads, or changes, in the middle of another's change", async () => {
  const seen: string[] = [];
  const started = Promise.withResolvers<Promise<unknown>[]>();
  const slow = store.change(async records => {
    const id = await records.insertThing("a@x.example", rootRef, "public", "old@x.example", undefined, 1);
    const reading = store.thing("a@x.example", rootRef).then(thing => seen.push(`read ${thing?.owner}`));
    started.resolve([reading, store.change(async () => seen.push("other change"))]);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await records.setThing(id, "public", "new@x.example", undefined, undefined);
    seen.push("changed");
  });
  await Promise.all([slow, ...(await started.promise)]);
  expect(seen[0]).toBe("changed");
  expect(seen).toContain("read new@x.example");
});

it("changes asked for together are committed together, and one that fails takes nothing of the others with it", async () => {
  const file = new SQLite(join(folder, "registry.db"), { readonly: true });
  const version = () => file.pragma("data_version", { simple: true }) as number;
  const before = version();
  const told: string[] = [];
  const changes = Array.from({ length: 200 }, (_, n) =>
    store
      .change(async records => {
        const id = await records.insertThing(`a${n}@x.example`, rootRef, "unclaimed", undefined, undefined, 1);
        await records.replaceTags(id, [{ name: "SN", value: `${n}` }]);
        if (n % 50 === 7) throw new Error("no");
        return n;
      })
      // Who is told finds it on the disk, by a connection of its own.
      .then(() =>
        told.push(`${n} ${file.prepare("SELECT count(*) FROM thing WHERE jid = ?").pluck().get(`a${n}@x.example`)}`),
      ),
  );
  const outcomes = await Promise.allSettled(changes);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(4);
  expect(told).toHaveLength(196);
  expect(told.every(text => text.endsWith(" 1"))).toBe(true);
  expect(file.prepare("SELECT count(*) FROM thing").pluck().get()).toBe(196);
  // One commit for all of them is one change of version.
  expect(version() - before).toBe(1);
  file.close();
});

it("disposing waits for a change under way", async () => {
  const slow = store.change(async records => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    return records.insertThing("a@x.example", rootRef, "unclaimed", undefined, undefined, 1);
  });
  await store[Symbol.asyncDispose]();
  expect(await slow).toBe(1);
});

it("DISCO-KEY-03: the digest forgets order, case of names, ways of writing numbers and empty texts, nothing else", () => {
  const base = [
    { name: "KEY", value: "secret" },
    { name: "V", value: 2 },
    { name: "Room", value: "Caf\u00e9" },
  ];
  const same = [
    { name: "room", value: "Cafe\u0301" },
    { name: "EMPTY", value: "" },
    { name: "v", value: 2.0 },
    { name: "key", value: "secret" },
  ];
  const digest = (tags: Parameters<typeof claimDigest>[0]) => Buffer.from(claimDigest(tags)).toString("hex");
  expect(digest(same)).toBe(digest(base));
  expect(digest([{ name: "V", value: -0 }])).toBe(digest([{ name: "V", value: 0 }]));
  const others = [
    base.slice(1),
    [...base.slice(1), { name: "KEY", value: "Secret" }],
    base.map(tag => (tag.name === "V" ? { name: "V", value: "2" } : tag)),
    [...base, { name: "X", value: "1" }],
    // A separator in a value cannot play the part of another tag.
    [{ name: "KEY", value: 'secret"]\n["V","num","2' }, base[2] as { name: string; value: string }],
  ];
  expect(new Set([digest(base), ...others.map(digest)]).size).toBe(others.length + 1);
});

it("decides in less than 100 µs and searches 20,000 things by three operators through the indices", async () => {
  const things = 20_000;
  await store.change(async records => {
    for (let n = 0; n < things; n++) {
      const ref = { nodeId: `n${n}`, sourceId: "MeteringTopology", partition: "" };
      const id = await records.insertThing(`gw${n % 100}@x.example`, ref, "public", "ana@x.example", undefined, n);
      await records.replaceTags(id, [
        { name: "CLASS", value: n % 2 ? "HeatMeter" : "Pump" },
        { name: "CITY", value: `City${n % 500}` },
        { name: "LAT", value: 50 + (n % 1_000) / 100 },
        { name: "SN", value: `${n}` },
      ]);
      const origin = { kind: "caller" as const, value: "bob@x.example" };
      await records.putRule(id, "read", { origin, allow: true, categories: 63, names: ["Energy"] }, "k", n);
    }
  });
  const tokens = { service: [], device: [], user: [] };
  const ask = (n: number) => ({
    device: `gw${n % 100}@x.example`,
    kind: "read" as const,
    caller: "bob@x.example",
    tokens,
    nodes: [{ nodeId: `n${n}`, sourceId: "MeteringTopology", partition: "" }],
    categories: 1,
    names: ["Energy", "Flow"],
  });
  const timed = async (times: number, work: (n: number) => Promise<unknown>): Promise<number> => {
    for (let n = 0; n < 200; n++) await work((n * 7_919) % things);
    // Processor time, not the wall's: the machine may be busy with others.
    const before = process.cpuUsage();
    for (let n = 0; n < times; n++) await work((n * 7_919) % things);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / times;
  };
  expect((await decide(store, ask(7))).granted).toEqual({ nodes: [ask(7).nodes[0]], categories: 1, names: ["Energy"] });
  expect(await timed(5_000, n => decide(store, ask(n)))).toBeLessThan(100);

  const equal = (name: string, value: string) => {
    const bound = { value, included: true };
    return { name, nameWildcard: undefined, type: "str" as const, outside: false, min: bound, max: bound };
  };
  const north = {
    name: "LAT",
    nameWildcard: undefined,
    type: "num" as const,
    outside: false,
    min: { value: 52, included: true },
    max: { value: 58, included: false },
  };
  const criteria = [equal("CLASS", "HeatMeter"), north, equal("CITY", "City401")];
  const hits = await store.search(criteria, { offset: 0, count: 100 }, forever);
  expect(hits.map(thing => Number(thing.ref.nodeId.slice(1)))).toEqual(
    Array.from({ length: things }, (_, n) => n)
      .filter(n => n % 2 === 1 && n % 500 === 401 && n % 1_000 >= 200 && n % 1_000 < 800)
      .slice(0, 100),
  );
  expect(await timed(200, () => store.search(criteria, { offset: 0, count: 20 }, forever))).toBeLessThan(20_000);
});
