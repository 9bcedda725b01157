import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { NodeRecord } from "#concentrator/records.ts";
import { openDatabase } from "#store/database.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-nodes-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const root = resolve(import.meta.dirname, "../..");
const record = (nodeId: string, parent?: string, position = 0): NodeRecord => ({
  ref: { nodeId, sourceId: "MeteringTopology", partition: parent ?? "" },
  parent: parent === undefined ? undefined : { nodeId: parent, sourceId: "MeteringTopology", partition: "" },
  type: "sim.meter",
  settings: { fields: 7, text: 'é\u0001"' },
  displayName: "Zähler",
  tags: [
    { name: "ROOM", value: "3" },
    { name: "V", value: 1.5 },
  ],
  position,
  createdAt: 1,
  changedAt: 2,
});

describe("the store of nodes", () => {
  it("gives back what was put in, parents first, siblings by position", () => {
    const database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
    const store = createNodeStore(database);
    const records = [record("z"), record("b", "z", 1), record("a", "z", 2)];
    store.insert(records);
    expect(store.load()).toEqual(records);
    const changed = { ...record("b", "z", 3), displayName: "moved", settings: {} };
    store.update(changed);
    expect(store.load().map(one => one.ref.nodeId)).toEqual(["z", "a", "b"]);
    expect(store.load()[2]).toEqual(changed);
    database.close();
  });

  it("inserts all or nothing, and keeps no child without its parent", () => {
    const database = openDatabase(":memory:", edgeMigrations, silentLog);
    const store = createNodeStore(database);
    expect(() => store.insert([record("a"), record("b"), record("a")])).toThrow(/UNIQUE/);
    expect(() => store.insert([record("c", "nowhere")])).toThrow(/FOREIGN KEY/);
    expect(store.load()).toEqual([]);
    store.insert([record("line"), record("meter", "line")]);
    const line = record("line").ref;
    const meter = record("meter", "line").ref;
    expect(() => store.remove([line])).toThrow(/FOREIGN KEY/);
    expect(store.load()).toHaveLength(2);
    store.remove([line, meter]);
    expect(store.load()).toEqual([]);
    database.close();
  });

  it("what was said to be stored is there after kill -9, every time, and the file is sound", async () => {
    const path = join(folder, "edge.db");
    let stored = 0;
    for (let round = 0; round < 4; round++) {
      stored = await storeUntilKilled(path, stored, 40 + 35 * round);
      const database = openDatabase(path, edgeMigrations, silentLog);
      const names = createNodeStore(database)
        .load()
        .map(one => Number(one.ref.nodeId.slice(1)));
      database.close();
      // What was told is there; of what was not told, at most the one being written.
      expect(Math.max(...names)).toBeGreaterThanOrEqual(stored);
      expect(names.length).toBe(Math.max(...names));
      stored = names.length;
    }
  });
});

/** A program that stores node after node and says so, killed in the middle of it. Resolves to the last number it told. */
function storeUntilKilled(path: string, from: number, count: number): Promise<number> {
  const program = `
    import { openDatabase } from "#store/database.ts";
    import { edgeMigrations } from "#store/migrations.ts";
    import { createNodeStore } from "#store/nodes.ts";
    import { silentLog } from "#base/log.ts";
    import { writeSync } from "node:fs";
    const store = createNodeStore(openDatabase(process.argv[1], edgeMigrations, silentLog));
    for (let number = Number(process.argv[2]) + 1; ; number++) {
      const ref = { nodeId: "n" + number, sourceId: "MeteringTopology", partition: "" };
      store.insert([{ ref, parent: undefined, type: "sim.meter", settings: {}, displayName: "", tags: [], position: number, createdAt: 0, changedAt: 0 }]);
      writeSync(1, number + "\\n");
    }`;
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, path, String(from)], {
      cwd: root,
    });
    let said = "";
    let errors = "";
    child.stdout.on("data", chunk => {
      said += chunk;
      if (said.split("\n").length > count) child.kill("SIGKILL");
    });
    child.stderr.on("data", chunk => {
      errors += chunk;
    });
    child.on("close", (_code, signal) => {
      if (signal === "SIGKILL") done(Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1)));
      else failed(new Error(`the program ended by itself: ${errors}`));
    });
  });
}
