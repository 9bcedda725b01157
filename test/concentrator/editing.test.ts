// The parts of editing that need no wire: steps among siblings, merged forms, roots of sources, stores of before.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { silentLog } from "#base/log.ts";
import { step } from "#concentrator/changing.ts";
import { createConcentrator } from "#concentrator/concentrator.ts";
import { mergeFields } from "#concentrator/form-merge.ts";
import { ownerRule } from "#concentrator/rules.ts";
import { createTree } from "#concentrator/tree.ts";
import { noTokens } from "#contract/caller.ts";
import type { NodeType } from "#contract/driver.ts";
import { type Form, type FormRejected, filledField } from "#contract/filled-form.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { serialDevice } from "#contract/settings.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createHistory } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { manualClock } from "../support/manual-clock.ts";

const ref = (nodeId: string, partition = ""): NodeRef => ({ nodeId, sourceId: meteringTopology, partition });
const site = [{ ref: ref("site"), displayName: "House" }];

function open(edge: Database, options: { roots?: typeof site; now?: () => number } = {}) {
  const clock = { ...manualClock(), ...(options.now ? { now: options.now } : {}) };
  const history = createHistory(openDatabase(":memory:", historyMigrations, silentLog), {
    clock,
    log: silentLog,
    keepMs: 1e12,
  });
  return createTree({
    drivers: [simDriver],
    nodes: createNodeStore(edge),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log: silentLog,
    timeZone: "Europe/Stockholm",
    ...(options.roots ? { roots: options.roots } : {}),
  });
}
const memory = () => openDatabase(":memory:", edgeMigrations, silentLog);
const rows = (edge: Database) => edge.prepare("SELECT node, parent FROM nodes ORDER BY node").all();

describe("the root of a source", () => {
  it("CON-NEW-02: is made once, takes what stands at the root, and what stood there in a store of before", () => {
    const edge = memory();
    const before = open(edge);
    before.import(meteringTopology, [
      { type: "sim.line", id: "attic", nodes: [{ type: "sim.meter", id: "a" }] },
      { type: "sim.meter", id: "lone" },
    ]);
    for (const _ of [1, 2]) {
      const tree = open(edge, { roots: site });
      expect(rows(edge)).toEqual([
        { node: "a", parent: "attic" },
        { node: "attic", parent: "site" },
        { node: "lone", parent: "site" },
        { node: "site", parent: null },
      ]);
      expect(tree.find(ref("a"))?.ref).toEqual(ref("a", "attic"));
      expect(tree.find(ref("lone"))?.parent?.ref).toEqual(ref("site"));
      // A site file begins with the lines, and is imported below.
      expect(tree.import(meteringTopology, [{ type: "sim.line", id: "attic" }])).toMatchObject({ created: [] });
    }
    const tree = open(edge, { roots: site });
    expect(
      tree.create({
        sourceId: meteringTopology,
        type: "sim.line",
        nodeId: "new",
        settings: {},
        displayName: "",
        tags: [],
      }),
    ).toEqual(ref("new"));
    expect(tree.find(ref("new"))?.parent?.ref).toEqual(ref("site"));
  });

  it("CON-DEL-03: is not removed, and a node of its name of before keeps it", async () => {
    const edge = memory();
    open(edge).import(meteringTopology, [{ type: "sim.meter", id: "site" }]);
    const tree = open(edge, { roots: site });
    expect(rows(edge)).toEqual([
      { node: "site", parent: "site-2" },
      { node: "site-2", parent: null },
    ]);
    await expect(tree.destroy(ref("site-2"))).rejects.toMatchObject({ kind: "not-allowed" });
    expect(() =>
      tree.create({
        sourceId: meteringTopology,
        parent: ref("site"),
        type: "site",
        nodeId: "x",
        settings: {},
        displayName: "",
        tags: [],
      }),
    ).toThrow(/cannot stand/);
  });

  it("CON-NEW-02, CON-MOVE-01: order survives a restart, and a clock that was set back", () => {
    const edge = memory();
    let now = Date.UTC(2031, 0, 1);
    const tree = open(edge, { roots: site, now: () => now });
    const add = (nodeId: string) =>
      tree.create({
        sourceId: meteringTopology,
        type: "sim.meter",
        nodeId,
        settings: {},
        displayName: nodeId,
        tags: [],
      });
    for (const id of ["a", "b", "c"]) add(id);
    now -= 86_400_000 * 365;
    add("d");
    tree.move([ref("d"), ref("c")], "up");
    tree.move([ref("a")], "down");
    const order = (one: typeof tree) =>
      [...(one.find(ref("site"))?.children ?? [])].map(node => node.ref.nodeId).join("");
    expect(order(tree)).toBe("cadb");
    expect(order(open(edge, { roots: site }))).toBe("cadb");
  });
});

it("CON-MOVE-01, CON-MOVE-02: steps keep the order among those that move and among those that stay, one place each", () => {
  const all = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 12 });
  fc.assert(
    fc.property(
      all,
      fc.func(fc.boolean()),
      fc.constantFrom("up" as const, "down" as const),
      (siblings, picks, direction) => {
        const moving = new Set(siblings.filter(one => picks(one)));
        const { order, stepped } = step(siblings, moving, direction);
        expect(order.toSorted()).toEqual(siblings.toSorted());
        const by = direction === "up" ? -1 : 1;
        for (const one of siblings) {
          if (moving.has(one)) expect(order.indexOf(one) - siblings.indexOf(one)).toBe(stepped.includes(one) ? by : 0);
        }
        expect(order.filter(one => moving.has(one))).toEqual(siblings.filter(one => moving.has(one)));
        expect(order.filter(one => !moving.has(one))).toEqual(siblings.filter(one => !moving.has(one)));
        // Who stays though it was to move has the edge before it, or only such as it.
        for (const one of moving) {
          if (stepped.includes(one)) continue;
          const ahead = direction === "up" ? order.slice(0, order.indexOf(one)) : order.slice(order.indexOf(one) + 1);
          expect(ahead.every(other => moving.has(other) && !stepped.includes(other))).toBe(true);
        }
      },
    ),
  );
});

describe("one form for several", () => {
  const field = (more: Partial<ReturnType<typeof filledField>> = {}) =>
    filledField({ name: "a", label: "A", values: ["1"], required: true, ...more });

  it("CON-COMMON-01: a field that differs in what it means is left out", () => {
    for (const other of [
      { name: "b" },
      { label: "B" },
      { description: "d" },
      { required: false },
      { postBack: true },
      { datatype: "int" as const },
      { kind: "lines" as const },
      { min: "1" },
      { max: "1" },
      { pattern: "x" },
      { open: true },
      { group: "g" },
    ]) {
      expect(mergeFields([[field()], [field(other)]]), JSON.stringify(other)).toEqual([]);
    }
  });

  it("CON-COMMON-01, DF-MERGE-01: the first one's value, marked and not demanded where another has another, in count or content", () => {
    expect(mergeFields([[field()], [field()]])).toEqual([field()]);
    expect(mergeFields([[field()], [field({ values: ["2"] })]])).toEqual([field({ notSame: true, required: false })]);
    expect(mergeFields([[field()], [field({ values: ["1", "1"] })]])).toEqual([
      field({ notSame: true, required: false }),
    ]);
    expect(mergeFields([[field()], [field({ readOnly: true })]])).toEqual([field({ readOnly: true })]);
  });

  it("CON-COMMON-01: options all have; none in common is no field", () => {
    const options = (...values: string[]) =>
      field({ kind: "choice", options: values.map(value => ({ value, label: value })) });
    expect(mergeFields([[options("1", "2")], [options("2", "1", "3")]])[0]?.options.map(one => one.value)).toEqual([
      "1",
      "2",
    ]);
    expect(mergeFields([[options("1")], [options("2")]])).toEqual([]);
  });
});

describe("what there is to choose from now", () => {
  it("stands at the field of a new node and of an edited one; anything else is taken too", async () => {
    const owner = "owner@example.org";
    const caller = { bareJid: owner, fullJid: `${owner}/test`, tokens: noTokens, language: "en" };
    const never = new AbortController().signal;
    let plugged = [{ value: "/dev/serial/by-id/usb-A", label: "A (ttyUSB0)" }];
    const port: NodeType = {
      name: "sim.port",
      title: "Port",
      parents: [""],
      settings: z.object({ serialDevice }),
      inherits: ["Line"],
      suggestions: { serialDevice: async () => plugged },
      open: async () => ({ async [Symbol.asyncDispose]() {} }),
    };
    const history = createHistory(openDatabase(":memory:", historyMigrations, silentLog), {
      clock: manualClock(),
      log: silentLog,
      keepMs: 1e12,
    });
    const parts = { readings: history.readings, clock: manualClock(), log: silentLog };
    const drivers = [{ name: "sim", nodeTypes: [port] }];
    const [nodes, { statuses }] = [createNodeStore(memory()), history];
    const tree = createTree({ ...parts, drivers, nodes, statuses, timeZone: "UTC", roots: site });
    const rules = [ownerRule({ ownerOf: () => undefined, rootOwner: () => owner })];
    const { newNodeForm, createNode, editForm, editNodes } = createConcentrator({ ...parts, tree, rules });
    const fieldIn = (form: Form) => form.fields.find(({ name }) => name === "serialDevice");

    const form = await newNodeForm(caller, ref("site"), "sim.port", never);
    expect(fieldIn(form)).toMatchObject({ kind: "choice", open: true, options: plugged, pattern: "" });
    const fields = [
      { name: "NodeId", values: ["cellar"] },
      { name: "serialDevice", values: ["/dev/ttyAMA0"] },
    ];
    // Also in a form that comes back for a fault of another field, with what was typed.
    const rejected = async (work: Promise<unknown>) =>
      fieldIn(((await work.catch(error => error)) as FormRejected).form);
    const chosen = { kind: "choice", open: true, options: plugged, values: ["/dev/ttyAMA0"] };
    const nameless = { fields: [{ name: "NodeId", values: ["a b\u0000"] }, ...fields.slice(1)] };
    expect(await rejected(createNode(caller, ref("site"), "sim.port", nameless, never))).toMatchObject(chosen);
    await createNode(caller, ref("site"), "sim.port", { fields }, never);
    expect(await rejected(editNodes(caller, [ref("cellar")], nameless, never))).toMatchObject(chosen);
    plugged = [];
    expect(fieldIn(await editForm(caller, [ref("cellar")], never))).toMatchObject({
      kind: "text",
      options: [],
      values: ["/dev/ttyAMA0"],
    });
    history[Symbol.dispose]();
  });
});
