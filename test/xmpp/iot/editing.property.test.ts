// Whatever form is sent, by whatever sequence of operations: one reply, a result or an error of the table, and afterwards
// store and memory say the same, which is either what was before or what was asked, never a part of it.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TreeNode } from "#concentrator/forest.ts";
import * as wire from "#iot/data-form.wire.ts";
import { WireError } from "#xml/codec.ts";
import { format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createEditingScene, type EditingScene, owner, say } from "./editing-scene.ts";
import { answers, element, filledForm, likelyAnswers } from "./form-arbitraries.ts";

const nodes = [
  {
    type: "sim.line",
    id: "attic",
    nodes: [
      { type: "sim.meter", id: "a", settings: { fields: 3 } },
      { type: "sim.meter", id: "b" },
    ],
  },
  {
    type: "mqtt.broker",
    id: "home",
    settings: { host: "127.0.0.1", port: 1, password: "swordfish" },
    nodes: [
      {
        type: "mqtt.topic",
        id: "t",
        settings: { topic: "t" },
        nodes: [{ type: "mqtt.value", id: "v", settings: { fieldName: "V" } }],
      },
    ],
  },
  { type: "mbus.tcp", id: "cellar", settings: { host: "127.0.0.1", port: 1 } },
];

/** Everything the program believes, from memory, in the manner of the store. */
function believed({ tree }: EditingScene): string {
  const all: unknown[] = [];
  const visit = (node: TreeNode) => {
    const { record, ref, parent } = node;
    expect(record.ref).toEqual(ref);
    expect(record.parent).toEqual(parent?.ref);
    all.push([
      ref.nodeId,
      parent?.ref.nodeId ?? null,
      record.settings,
      record.displayName,
      record.tags,
      record.options ?? {},
    ]);
    for (const child of node.children) visit(child);
  };
  for (const root of tree.sources.get("MeteringTopology")?.roots ?? []) visit(root);
  return JSON.stringify(all);
}
/** The same from the disk: depth first, siblings by position. */
function kept({ edge }: EditingScene): string {
  const rows = edge
    .prepare("SELECT * FROM nodes WHERE source = 'MeteringTopology' ORDER BY position, node")
    .all() as Record<string, string>[];
  const all: unknown[] = [];
  const visit = (parent: string | null) => {
    for (const row of rows.filter(one => one.parent === parent)) {
      const { node, settings = "", display_name, tags = "", options = "" } = row;
      all.push([node, parent, JSON.parse(settings), display_name, JSON.parse(tags), JSON.parse(options)]);
      visit(node as string);
    }
  };
  visit(null);
  return JSON.stringify(all);
}

const conditions = new Set(["bad-request", "not-acceptable", "item-not-found", "not-allowed", "conflict"]);

describe("any form", () => {
  it("CON-EDIT-03, CON-NEW-02, CON-COMMON-02, COM-STZ-04: ends in one result or one error, with nothing half applied", async () => {
    const id = fc.constantFrom("site", "attic", "a", "b", "home", "t", "v", "cellar", "new", "zz");
    const type = fc.constantFrom(
      "sim.line",
      "sim.meter",
      "mqtt.broker",
      "mqtt.value",
      "mbus.tcp",
      "mbus.meter",
      "modbus.tcp",
      "no.such",
    );
    const meter = fc.constantFrom("a", "b", "c", "d", "e", "new");
    const nds = fc
      .array(fc.oneof(id, meter), { maxLength: 3 })
      .map(ids => ids.map(one => `<nd id='${one}'/>`).join(""));
    const form = answers.map(one => format(wire.submission.encode(one, "")));
    const likely = likelyAnswers.map(one => format(wire.submission.encode(one, "")));
    const request = fc.oneof(
      fc.tuple(meter, likely).map(([one, x]) => say("setNodeParametersAfterEdit", `id='${one}'`, x)),
      fc
        .tuple(fc.array(meter, { minLength: 1, maxLength: 3 }), likely)
        .map(([ids, x]) =>
          say(
            "setCommonNodeParametersAfterEdit",
            "",
            ids.map(one => `<nd id='${one}'/>`).join("") + x.replace("'NodeId'", "'Name'"),
          ),
        ),
      likely.map(x => say("createNewNode", "id='attic' type='sim.meter'", x)),
      likely.map(x => say("createNewNode", "id='site' type='sim.line'", x.replace("'fields'", "'present'"))),
      fc.tuple(id, form).map(([one, x]) => say("setNodeParametersAfterEdit", `id='${one}'`, x)),
      fc.tuple(id, type, form).map(([one, name, x]) => say("createNewNode", `id='${one}' type='${name}'`, x)),
      fc.tuple(nds, form).map(([list, x]) => say("setCommonNodeParametersAfterEdit", "", list + x)),
      nds.map(list => say("moveNodesUp", "", list)),
      nds.map(list => say("moveNodesDown", "", list)),
      fc.constantFrom("b", "d", "e", "new", "zz").map(one => say("destroyNode", `id='${one}'`)),
    );
    await using it = await createEditingScene({ nodes });
    const taken = new Set<string>();
    await fc.assert(
      fc.asyncProperty(request, async payload => {
        const before = believed(it);
        const replies = it.bench.left.length;
        const reply = await it.send("set", payload);
        expect(it.bench.left.length).toBe(replies + 1);
        if (reply.name === "error") {
          expect(conditions, format(reply.element as never)).toContain(reply.condition);
          expect(believed(it)).toBe(before);
          if (reply.condition === "not-acceptable") {
            const marked = reply.form.fields.some(one => one.error !== "");
            expect(marked || reply.form.instructions.length > 0).toBe(true);
          }
        }
        expect(kept(it)).toBe(believed(it));
        if (reply.name !== "error") taken.add(payload.slice(1, payload.indexOf(" ")));
        expect(format(reply.element ?? { name: "x", ns: "", attrs: {}, children: [] })).not.toContain("swordfish");
      }),
      { numRuns: 800 },
    );
    // Else the property would hold of nothing.
    expect(taken.size).toBe(6);
    expect(it.bench.events.filter(({ event }) => event === "request-failed")).toEqual([]);
  }, 60_000);

  it("DF-VAL-02, DF-SUB-01: forms and submissions are read as they were written", () => {
    fc.assert(
      fc.property(filledForm, form => {
        expect(wire.form.decode(parse(format(wire.form.encode(form, ""))))).toEqual(form);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(answers, given => {
        expect(wire.submission.decode(parse(format(wire.submission.encode(given, ""))))).toEqual(given);
      }),
    );
  });

  it("COM-LEX-07: any element is a form or a WireError, never more", () => {
    fc.assert(
      fc.property(element, node => {
        for (const codec of [wire.form, wire.submission]) {
          try {
            codec.decode(node);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }
      }),
    );
  });
});

it("COM-ERR-01: a form as large as a stanza may be is answered, and the answer is smaller", async () => {
  await using it = await createEditingScene({ nodes });
  const fields = Array.from({ length: 6_000 }, (_, at) => `<field var='f${at}'><value>x</value></field>`).join("");
  const x = `<x xmlns='jabber:x:data' type='submit'>${fields}</x>`;
  const reply = await it.ask("set", say("setNodeParametersAfterEdit", "id='a'", x), owner);
  expect(reply.length).toBeLessThan(20_000);
  expect(reply).toContain("not-acceptable");
  const deep = "<x xmlns='jabber:x:data' type='submit'>".repeat(50) + "</x>".repeat(50);
  expect((await it.send("set", say("setNodeParametersAfterEdit", "id='a'", deep))).name).toBe("nodeInfo");
});
