// The editing face on the wire: forms out, forms in, over the real tree, store and node types.

import { describe, expect, it } from "vitest";
import type { TreeChange } from "#concentrator/notices.ts";
import { categories } from "#contract/field.ts";
import * as wire from "#iot/editing.wire.ts";
import { namespaces } from "#iot/generations.ts";
import * as nodes from "#iot/nodes.wire.ts";
import { elements, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import {
  contact,
  createEditingScene,
  type EditingScene,
  errorsIn,
  field,
  ns,
  owner,
  say,
  sentBack,
  stranger,
  submit,
} from "./editing-scene.ts";

const site = "id='site' src='MeteringTopology'";
const attic = [
  {
    type: "sim.line",
    id: "attic",
    nodes: [
      { type: "sim.meter", id: "a", name: "Meter A", settings: { fields: 3 } },
      { type: "sim.meter", id: "b" },
      { type: "sim.meter", id: "c" },
    ],
  },
];
const at = (id: string) => `id='${id}' src='MeteringTopology' pt='attic'`;
const nd = (...ids: string[]) => ids.map(id => `<nd id='${id}'/>`).join("");

/** What changes from now on, in words. */
function watch(it: EditingScene): string[] {
  const seen: string[] = [];
  it.tree.whenChanged(({ kind, node, old, after }: TreeChange) => {
    if (kind === "status") return;
    seen.push(`${kind} ${node.nodeId}${old ? ` was ${old.nodeId}` : ""}${after ? ` after ${after.nodeId}` : ""}`);
  });
  return seen;
}
const order = (it: EditingScene, parent = "attic") =>
  [...(it.tree.find({ nodeId: parent, sourceId: "", partition: "" })?.children ?? [])]
    .map(one => one.ref.nodeId)
    .join("");

describe("a site from nothing", () => {
  for (const generation of namespaces("concentrator")) {
    it(`CON-TYPES-01, CON-NEW-02, CON-NEW-04, COM-NS-02: line and meter by form alone, in ${generation}`, async () => {
      await using it = await createEditingScene();
      const seen = watch(it);
      const roots = nodes.nodeInfos.decode(
        parse(await it.ask("get", say("getRootNodes", "src='MeteringTopology'", "", generation), owner)),
      );
      expect(roots.map(one => [one.ref.nodeId, one.displayName, one.nodeType])).toEqual([
        ["site", "Test house", "site"],
      ]);

      const types = await it.send("get", say("getAddableNodeTypes", site, "", generation));
      expect(types.element?.ns).toBe(generation);
      const names = wire.nodeTypes.decode(types.element as never).map(one => one.type);
      expect(names).toContain("mbus.tcp");
      expect(names).not.toContain("mbus.meter");

      const asked = await it.send("get", say("getParametersForNewNode", `${site} type='mbus.tcp'`, "", generation));
      const { form } = asked;
      expect(form.title).toBe("M-Bus line behind a network converter");
      expect(field(form, "port")).toMatchObject({ values: ["10001"], min: "1", max: "65535", datatype: "int" });
      expect(field(form, "host")).toMatchObject({ required: true, values: [], page: "Connection" });

      const filled = sentBack(form, { NodeId: "attic", Name: "Attic line", host: "127.0.0.1", port: "1" });
      const line = await it.send("set", say("createNewNode", `${site} type='mbus.tcp'`, filled, generation));
      expect(line.element?.ns).toBe(generation);
      expect(line.info).toMatchObject({
        displayName: "Attic line",
        nodeType: "mbus.tcp",
        parent: { nodeId: "site" },
        childrenOrdered: true,
      });
      expect(line.info.parameters.map(one => one.id)).toEqual(
        expect.arrayContaining(["NodeId", "Type", "host", "port"]),
      );

      const meter = await it.send(
        "set",
        say(
          "createNewNode",
          "id='attic' type='mbus.meter'",
          submit({
            NodeId: "heat-1",
            address: "17",
            pollSeconds: "300",
            ROOM: "3",
            LAT: "59.3",
            key: "00112233445566778899aabbccddeeff",
          }),
          generation,
        ),
      );
      expect(meter.info).toMatchObject({ ref: { nodeId: "heat-1", partition: "attic" }, displayName: "heat-1" });
      expect(seen).toEqual(["added attic", "added heat-1"]);
      expect(it.tree.things()).toEqual([
        expect.objectContaining({
          ref: expect.objectContaining({ nodeId: "heat-1" }),
          tags: expect.arrayContaining([
            { name: "ROOM", value: "3" },
            { name: "LAT", value: 59.3 },
          ]),
        }),
      ]);
      // Nothing was read of a secret, anywhere (CON-NI-08).
      expect(JSON.stringify(meter.info, (_, value) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(
        "00112233",
      );
    });
  }

  it("CON-TYPES-01: what takes no children has no types, and that is no error", async () => {
    await using it = await createEditingScene({ nodes: attic });
    expect(await it.ask("get", say("getAddableNodeTypes", at("a")), owner)).toBe(`<nodeTypes xmlns='${ns}'/>`);
  });

  it("CON-NEW-03, COM-LANG-02: what people read is in their language, what programs read is not", async () => {
    await using it = await createEditingScene();
    const types = await it.ask("get", say("getAddableNodeTypes", `${site} xml:lang='de'`), owner);
    const english = await it.ask("get", say("getAddableNodeTypes", site), owner);
    const ids = (xml: string) => wire.nodeTypes.decode(parse(xml)).map(one => one.type);
    expect(ids(types)).toEqual(ids(english));
  });

  it("CON-NEW-01: unknown, not acceptable or missing types", async () => {
    await using it = await createEditingScene({ nodes: attic });
    for (const [attrs, condition] of [
      [`${site} type='no.such'`, "item-not-found"],
      [`${site} type='mbus.meter'`, "item-not-found"],
      [`${site} type='site'`, "item-not-found"],
      [`${at("a")} type='sim.meter'`, "item-not-found"],
      [site, "bad-request"],
      [`${site} type=''`, "bad-request"],
      ["id='zz' type='sim.line'", "item-not-found"],
    ] as const) {
      expect((await it.send("get", say("getParametersForNewNode", attrs))).condition, attrs).toBe(condition);
      const made = await it.send("set", say("createNewNode", attrs, submit({ NodeId: "x" })));
      expect(made.condition, attrs).toBe(condition);
    }
  });

  it("CON-NEW-02: a name in use is an error on NodeId; the child goes last", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const taken = await it.send("set", say("createNewNode", "id='attic' type='sim.meter'", submit({ NodeId: "b" })));
    expect([taken.type, taken.condition, Object.keys(errorsIn(taken.form))]).toEqual([
      "modify",
      "not-acceptable",
      ["NodeId"],
    ]);
    expect(order(it)).toBe("abc");
    await it.send("set", say("createNewNode", "id='attic' type='sim.meter'", submit({ NodeId: "d" })));
    expect(order(it)).toBe("abcd");
  });
});

describe("editing", () => {
  it("CON-EDIT-01, DF-FORM-01, DF-FORM-04, DF-VAL-01, DF-VAL-04: a bare form, each visible field once on a page, each list with options", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const reply = await it.send("get", say("getNodeParametersForEdit", at("a")));
    const x = reply.element as NonNullable<typeof reply.element>;
    expect([x.name, x.ns, x.attrs.type]).toEqual(["x", "jabber:x:data", "form"]);
    const vars = elements(x)
      .filter(one => one.name === "field" && one.attrs.type !== "hidden")
      .map(one => one.attrs.var);
    const refs = elements(x)
      .filter(one => one.name === "page")
      .flatMap(page => elements(page))
      .map(one => one.attrs.var);
    expect(refs.toSorted()).toEqual(vars.toSorted());
    expect(vars.slice(0, 2)).toEqual(["NodeId", "Name"]);
    for (const one of elements(x).filter(({ name }) => name === "field")) {
      const validate = elements(one).filter(({ name }) => name === "validate");
      expect(validate.map(v => [v.ns, elements(v).length])).toEqual([["http://jabber.org/protocol/xdata-validate", 1]]);
      if (!one.attrs.type?.startsWith("list-")) continue;
      const options = elements(one).filter(({ name }) => name === "option");
      expect(options.every(option => option.attrs.label !== undefined)).toBe(true);
      expect(options.length).toBeGreaterThan(0);
    }
    const { form } = reply;
    expect(field(form, "fields")).toMatchObject({ values: ["3"], min: "1", max: "500" });
    expect(field(form, "failing").options.map(one => one.value)).toEqual(["never", "silent", "garbled", "absent"]);
    expect(field(form, "Registered")).toMatchObject({ kind: "boolean", values: ["true"] });
  });

  it("CON-EDIT-02, CON-EDIT-04, DF-SUB-01, DF-SUB-03: a partial form keeps the rest, an empty value clears what is optional", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const seen = watch(it);
    const first = await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ fields: "7", ROOM: "12" })));
    expect(first.info.parameters.find(one => one.id === "fields")?.value).toEqual({ kind: "int", value: 7 });
    const a = () => it.tree.find({ nodeId: "a", sourceId: "", partition: "" });
    expect(a()?.record).toMatchObject({
      displayName: "Meter A",
      settings: { fields: 7 },
      tags: [{ name: "ROOM", value: "12" }],
    });
    await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ fields: "", ROOM: "" })));
    expect(a()?.record).toMatchObject({ settings: {}, tags: [] });
    expect(a()?.settings).toMatchObject({ fields: 20 });
    // Unchanged is no change (CON-EVT-03).
    await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({})));
    expect(seen).toEqual(["updated a", "updated a"]);
  });

  it("DF-SUB-07: booleans are taken as people write them, and nothing else as one", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const line = () => it.tree.find({ nodeId: "attic", sourceId: "", partition: "" })?.settings?.present;
    const set = (present: string) =>
      it.send("set", say("setNodeParametersAfterEdit", "id='attic' src='MeteringTopology'", submit({ present })));
    for (const no of ["0", "off", "No", "FALSE"]) {
      await set("true");
      expect(line(), no).toBe(true);
      await set(no);
      expect(line(), no).toBe(false);
    }
    for (const yes of ["1", "on", "Yes"]) {
      await set("false");
      await set(yes);
      expect(line(), yes).toBe(true);
    }
    expect(errorsIn((await set("perhaps")).form)).toHaveProperty("present");
    expect(line()).toBe(true);
  });

  it("DF-SUB-02, DF-SUB-04, DF-SUB-07: a form sent back whole, with what no field is, is taken", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const { form } = await it.send("get", say("getNodeParametersForEdit", at("a")));
    const whole = sentBack(form, { Name: "  Heat " }).replace(
      "</x>",
      "<field var='FORM_TYPE'><value>x</value></field></x>",
    );
    const reply = await it.send("set", say("setNodeParametersAfterEdit", at("a"), whole));
    // DF-SUB-07: blanks of a text are its own.
    expect(reply.info.displayName).toBe("  Heat ");
  });

  it("CON-EDIT-03, CON-EDIT-05, DF-ERR-01, DF-ERR-02, DF-SUB-04, DF-SUB-05, DF-SUB-06: every fault on its field, what was said kept, nothing changed", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const before = it.stored();
    const form = submit({
      Name: "New name",
      fields: "many",
      latencyMs: "-1",
      failing: "sometimes",
      pollSeconds: ["1", "2"],
      NodeId: "",
      LAT: "91",
      strange: "x",
    }).replace(
      "</x>",
      "<field var='Registered'><value>maybe</value></field><field var='ROOM'/><field var='ROOM'/></x>",
    );
    const reply = await it.send("set", say("setNodeParametersAfterEdit", at("a"), form));
    expect([reply.type, reply.condition, reply.text]).toEqual([
      "modify",
      "not-acceptable",
      "Some values cannot be taken.",
    ]);
    expect(errorsIn(reply.form)).toEqual({
      NodeId: "This is needed.",
      fields: "A whole number is expected.",
      latencyMs: "At least 0.",
      failing: "One of the choices is expected.",
      pollSeconds: "One value is expected.",
      LAT: "At most 90.",
      Registered: "Yes or no is expected.",
      ROOM: "Stands twice.",
      strange: "There is no such field.",
    });
    expect(field(reply.form, "fields").values).toEqual(["many"]);
    expect(field(reply.form, "Name").values).toEqual(["New name"]);
    expect(field(reply.form, "timeoutMs")).toMatchObject({ values: ["2000"], label: "Timeout (ms)" });
    expect(it.stored()).toBe(before);
    expect(reply.element?.children.map(one => (typeof one === "string" ? one : one.name))).toEqual([
      "not-acceptable",
      "text",
      "x",
    ]);
  });

  it("DF-SUB-06: a rule over several settings is an error on its field, beside others", async () => {
    await using it = await createEditingScene({
      nodes: [
        {
          type: "mqtt.broker",
          id: "home",
          settings: { host: "127.0.0.1", port: 1 },
          nodes: [
            {
              type: "mqtt.topic",
              id: "t",
              settings: { topic: "t" },
              nodes: [{ type: "mqtt.value", id: "v", settings: { fieldName: "V" } }],
            },
          ],
        },
      ],
    });
    const reply = await it.send(
      "set",
      say("setNodeParametersAfterEdit", "id='v'", submit({ min: "9", max: "3", decimals: "77" })),
    );
    expect(errorsIn(reply.form)).toEqual({ max: "Not less than the least value.", decimals: "At most 9." });
  });

  it("CON-EDIT-02, DF-SUB-08: no form, another type of form, a form given up", async () => {
    await using it = await createEditingScene({ nodes: attic });
    for (const [x, condition] of [
      ["", "bad-request"],
      ["<x xmlns='jabber:x:data' type='form'/>", "bad-request"],
      ["<x xmlns='jabber:x:data'/>", "bad-request"],
      [`${submit({})}${submit({})}`, "bad-request"],
      ["<x xmlns='jabber:x:data' type='cancel'><field var='Name'><value>n</value></field></x>", ""],
    ]) {
      const reply = await it.send("set", say("setNodeParametersAfterEdit", at("a"), x));
      expect(reply.condition, x).toBe(condition);
      expect((await it.send("set", say("createNewNode", "id='attic' type='sim.meter'", x))).condition, x).toBe(
        condition,
      );
      expect(
        (await it.send("set", say("setCommonNodeParametersAfterEdit", "", `${nd("a", "b")}${x}`))).condition,
        x,
      ).toBe(condition);
    }
    expect(it.tree.find({ nodeId: "a", sourceId: "", partition: "" })?.record.displayName).toBe("Meter A");
  });

  it("CON-EDIT-06: renamed, its history, messages and children go with it; a taken name is an error on NodeId", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const seen = watch(it);
    const ref = (nodeId: string, partition = "attic") => ({ nodeId, sourceId: "MeteringTopology", partition });
    const sample = {
      at: it.bench.clock.now(),
      fields: [
        {
          name: "Energy",
          value: { kind: "int32" as const, value: 7 },
          categories: {
            momentary: true,
            peak: false,
            status: false,
            computed: false,
            identity: false,
            historical: false,
          },
          quality: {},
        },
      ],
    };
    it.history.readings.record(ref("a"), sample);
    const taken = await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "b" })));
    expect(errorsIn(taken.form)).toEqual({ NodeId: "This is taken: a node id is unique in its source." });
    const renamed = await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "heat" })));
    expect(renamed.info.ref).toEqual(ref("heat"));
    expect([...it.history.readings.between(ref("heat"), 0, Number.MAX_SAFE_INTEGER)]).toEqual([sample]);
    expect([...it.history.readings.between(ref("a"), 0, Number.MAX_SAFE_INTEGER)]).toEqual([]);
    expect(it.history.readings.latest(ref("heat"))[0]?.field.value).toEqual({ kind: "int32", value: 7 });

    const line = await it.send("set", say("setNodeParametersAfterEdit", "id='attic'", submit({ NodeId: "cellar" })));
    expect(line.info).toMatchObject({ ref: ref("cellar", ""), hasChildren: true });
    // The partition is part of the address of what hangs there, and stays.
    const child = nodes.nodeInfo.decode(parse(await it.ask("get", say("getNode", at("heat")), owner)));
    expect(child).toMatchObject({ ref: ref("heat"), parent: { nodeId: "cellar" } });
    expect(seen).toEqual(["updated heat was a", "updated cellar was attic"]);
    expect(it.edge.prepare("SELECT node, parent FROM nodes ORDER BY node").all()).toEqual([
      { node: "b", parent: "cellar" },
      { node: "c", parent: "cellar" },
      { node: "cellar", parent: "site" },
      { node: "heat", parent: "cellar" },
      { node: "site", parent: null },
    ]);
  });

  it("CON-EDIT-07: a claimed thing keeps its name and its registration until it is disowned", async () => {
    await using it = await createEditingScene({ nodes: attic });
    it.owners.set("a", "owner@city.example");
    const { form } = await it.send("get", say("getNodeParametersForEdit", at("a")));
    expect([field(form, "NodeId").readOnly, field(form, "Registered").readOnly]).toEqual([true, true]);
    const reply = await it.send(
      "set",
      say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "z", Registered: "false" })),
    );
    expect(Object.keys(errorsIn(reply.form))).toEqual(["NodeId", "Registered"]);
    // Echoed unchanged it is no fault.
    expect(
      (
        await it.send(
          "set",
          say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "a", Registered: "1", ROOM: "9" })),
        )
      ).name,
    ).toBe("nodeInfo");
    it.owners.clear();
    await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ Registered: "no" })));
    expect(it.tree.things().map(one => one.ref.nodeId)).toEqual(["b", "c"]);
    await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ Registered: "" })));
    expect(it.tree.things().map(one => one.ref.nodeId)).toEqual(["a", "b", "c"]);
  });

  it("DF-FORM-03: a secret goes in and never out; empty keeps it, and a box takes it away", async () => {
    await using it = await createEditingScene({
      nodes: [{ type: "mqtt.broker", id: "home", settings: { host: "127.0.0.1", port: 1, password: "swordfish" } }],
    });
    const password = () => it.tree.find({ nodeId: "home", sourceId: "", partition: "" })?.record.settings.password;
    const get = say("getNodeParametersForEdit", "id='home'");
    const raw = await it.ask("get", get, owner);
    expect(raw).not.toContain("swordfish");
    const { form } = await it.send("get", get);
    expect(field(form, "password")).toMatchObject({
      kind: "secret",
      values: [],
      description: "Stored, never shown. Leave empty to keep what is stored.",
    });
    await it.send("set", say("setNodeParametersAfterEdit", "id='home'", sentBack(form, {})));
    expect(password()).toBe("swordfish");
    const rejected = await it.ask(
      "set",
      say("setNodeParametersAfterEdit", "id='home'", submit({ password: "trout", port: "x" })),
      owner,
    );
    expect(rejected).not.toContain("trout");
    await it.send("set", say("setNodeParametersAfterEdit", "id='home'", submit({ password: "trout" })));
    expect(password()).toBe("trout");
    await it.send("set", say("setNodeParametersAfterEdit", "id='home'", submit({ "password.clear": "1" })));
    expect(password()).toBeUndefined();
    expect((await it.send("get", get)).form.fields.some(one => one.name === "password.clear")).toBe(false);
  });

  it("CON-EDIT-08: committed and told before the answer leaves; the device works with what was set", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const order: string[] = [];
    it.tree.whenChanged(({ kind }) =>
      order.push(kind, `${it.bench.left.length} left`, it.stored().includes('"fields\\":9') ? "stored" : "not stored"),
    );
    const left = it.bench.left.length;
    await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ fields: "9" })));
    expect(order.slice(0, 3)).toEqual(["updated", `${left} left`, "stored"]);
    await it.bench.clock.advance(100);
    expect(it.tree.find({ nodeId: "a", sourceId: "", partition: "" })?.opened).toBeDefined();
  });

  it("CON-EDIT-03: when the store cannot write, nothing is changed", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const before = it.stored();
    it.edge.exec("CREATE TRIGGER full BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    const edit = await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "z", fields: "9" })));
    expect(edit.condition).toBe("internal-server-error");
    expect(format(edit.element as never)).not.toContain("disk full");
    expect((await it.send("set", say("moveNodeDown", at("a")))).condition).toBe("internal-server-error");
    const both = submit({ fields: "9" });
    expect((await it.send("set", say("setCommonNodeParametersAfterEdit", "", nd("a", "b") + both))).condition).toBe(
      "internal-server-error",
    );
    expect(it.stored()).toBe(before);
    expect([order(it), it.tree.find({ nodeId: "a", sourceId: "", partition: "" })?.settings?.fields]).toEqual([
      "abc",
      3,
    ]);
  });
});

describe("several at once", () => {
  const merged = async (it: EditingScene, ...ids: string[]) =>
    (await it.send("get", say("getCommonNodeParametersForEdit", "", nd(...ids)))).form;

  it("CON-COMMON-01, DF-MERGE-01: the fields all have, the first one's values, marked where they differ", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const form = await merged(it, "a", "b");
    expect(field(form, "fields")).toMatchObject({ values: ["3"], notSame: true });
    expect(field(form, "latencyMs")).toMatchObject({ values: ["0"], notSame: false });
    expect(form.fields.some(one => one.name === "NodeId")).toBe(false);
    const mixed = await merged(it, "a", "attic");
    expect(mixed.fields.map(one => one.name)).toEqual(["Name"]);
  });

  it("DF-MERGE-02: secrets are never said to be the same", async () => {
    const settings = { host: "127.0.0.1", port: 1 };
    await using it = await createEditingScene({
      nodes: [
        { type: "mqtt.broker", id: "x", settings },
        { type: "mqtt.broker", id: "y", settings },
      ],
    });
    expect(field(await merged(it, "x", "y"), "password")).toMatchObject({ notSame: true, values: [] });
  });

  it("CON-COMMON-02: all are changed, or none, with one form of all faults", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const set = (ids: string[], answers: Record<string, string>) =>
      it.send("set", say("setCommonNodeParametersAfterEdit", "", nd(...ids) + submit(answers)));
    expect((await set(["a", "b"], { pollSeconds: "60", CITY: "Lund" })).name).toBe("");
    const seen = () =>
      ["a", "b", "c"].map(nodeId => it.tree.find({ nodeId, sourceId: "", partition: "" })?.settings?.pollSeconds);
    expect(seen()).toEqual([60, 60, 0]);
    const before = it.stored();
    const reply = await set(["a", "b"], { pollSeconds: "-1", NodeId: "z", strange: "1" });
    expect([reply.type, reply.condition]).toEqual(["modify", "not-acceptable"]);
    expect(errorsIn(reply.form)).toEqual({
      pollSeconds: "At least 0.",
      NodeId: "Each node keeps its own.",
      strange: "There is no such field of all these nodes.",
    });
    it.owners.set("a", "owner@city.example");
    const locked = await set(["a", "b"], { Registered: "0" });
    expect(errorsIn(locked.form)).toEqual({
      Registered: "a (attic): It is claimed under this name: its owner has to disown it first.",
    });
    expect(it.stored()).toBe(before);
  });

  it("CON-COMMON-01, -02: no nodes is no question; one that is not there is none of them", async () => {
    await using it = await createEditingScene({ nodes: attic });
    expect((await it.send("get", say("getCommonNodeParametersForEdit"))).condition).toBe("bad-request");
    expect((await it.send("set", say("setCommonNodeParametersAfterEdit", "", submit({})))).condition).toBe(
      "bad-request",
    );
    expect((await it.send("get", say("getCommonNodeParametersForEdit", "", nd("a", "zz")))).condition).toBe(
      "item-not-found",
    );
  });
});

describe("destroying and moving", () => {
  it("CON-DEL-01, CON-DEL-02: the subtree goes, descendants first", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const seen = watch(it);
    expect((await it.send("set", say("destroyNode", "id='attic'"))).name).toBe("");
    expect(seen).toEqual(["removed c", "removed b", "removed a", "removed attic"]);
    expect((await it.send("get", say("getNode", at("a")))).condition).toBe("item-not-found");
  });

  it("CON-DEL-03: the root stays; what somebody else owns stays, and all above it", async () => {
    await using it = await createEditingScene({ nodes: attic });
    expect(await it.send("set", say("destroyNode", site))).toMatchObject({ condition: "not-allowed", type: "cancel" });
    it.owners.set("b", "tenant@city.example");
    for (const id of ["b", "attic"])
      expect((await it.send("set", say("destroyNode", `id='${id}'`))).condition).toBe("not-allowed");
    expect(order(it)).toBe("abc");
    it.owners.set("b", "owner@city.example");
    expect((await it.send("set", say("destroyNode", "id='b'"))).name).toBe("");
  });

  it("CON-MOVE-01, CON-MOVE-03: one step; at the edge, or where there is no order, nothing", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const seen = watch(it);
    const move = async (name: string, attrs: string) => expect((await it.send("set", say(name, attrs))).name).toBe("");
    await move("moveNodeUp", at("a"));
    await move("moveNodeDown", at("c"));
    await move("moveNodeUp", site);
    expect([order(it), seen]).toEqual(["abc", []]);
    await move("moveNodeUp", at("c"));
    expect(order(it)).toBe("acb");
    await move("moveNodeDown", at("a"));
    expect(order(it)).toBe("cab");
    expect(seen).toEqual(["movedUp c", "movedDown a"]);
    const children = nodes.nodeInfos.decode(parse(await it.ask("get", say("getChildNodes", "id='attic'"), owner)));
    expect(children.map(one => one.ref.nodeId)).toEqual(["c", "a", "b"]);
  });

  it("CON-MOVE-02: a block keeps its inner order, whatever order it is named in; at the edge it stays", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const seen = watch(it);
    await it.send("set", say("moveNodesUp", "", nd("c", "b")));
    expect(order(it)).toBe("bca");
    await it.send("set", say("moveNodesUp", "", nd("c", "b")));
    expect(order(it)).toBe("bca");
    await it.send("set", say("moveNodesDown", "", nd("b", "c")));
    expect(order(it)).toBe("abc");
    await it.send("set", say("moveNodesUp", "", nd("a", "c")));
    expect(order(it)).toBe("acb");
    expect(seen).toEqual(["movedUp b", "movedUp c", "movedDown c", "movedDown b", "movedUp c"]);
    expect((await it.send("set", say("moveNodesUp"))).condition).toBe("bad-request");
  });
});

describe("rights", () => {
  const requests: [string, "get" | "set", string][] = [
    ["getAddableNodeTypes", "get", say("getAddableNodeTypes", "id='attic'")],
    ["getParametersForNewNode", "get", say("getParametersForNewNode", "id='attic' type='sim.meter'")],
    ["createNewNode", "set", say("createNewNode", "id='attic' type='sim.meter'", submit({ NodeId: "new" }))],
    ["getNodeParametersForEdit", "get", say("getNodeParametersForEdit", at("a"))],
    ["setNodeParametersAfterEdit", "set", say("setNodeParametersAfterEdit", at("a"), submit({ Name: "x" }))],
    ["getCommonNodeParametersForEdit", "get", say("getCommonNodeParametersForEdit", "", nd("a", "b"))],
    [
      "setCommonNodeParametersAfterEdit",
      "set",
      say("setCommonNodeParametersAfterEdit", "", nd("a", "b") + submit({ CITY: "x" })),
    ],
    ["destroyNode", "set", say("destroyNode", at("a"))],
    ["moveNodeUp", "set", say("moveNodeUp", at("b"))],
    ["moveNodesDown", "set", say("moveNodesDown", "", nd("a"))],
  ];
  it.each(requests)("COM-AUTH-02, COM-ERR-02, COM-STZ-02: %s", async (_, type, payload) => {
    await using it = await createEditingScene({ nodes: attic });
    const before = it.stored();
    expect((await it.send(type, payload, contact)).condition).toBe("forbidden");
    expect((await it.send(type, payload, stranger)).condition).toBe("item-not-found");
    expect((await it.send(type === "get" ? "set" : "get", payload)).condition).toBe("feature-not-implemented");
    const unknown = payload
      .replaceAll("id='a'", "id='zz'")
      .replaceAll("id='attic'", "id='zz'")
      .replaceAll("id='b'", "id='zz'");
    expect(await it.ask(type, unknown, stranger)).toBe(await it.ask(type, payload, stranger));
    expect(it.stored()).toBe(before);
    expect(["", "nodeInfo", "x", "nodeTypes"]).toContain((await it.send(type, payload)).name);
  });

  it("COM-ERR-03: who may not is told so before his form is looked at", async () => {
    await using it = await createEditingScene({ nodes: attic });
    const bad = say("setNodeParametersAfterEdit", at("a"), submit({ fields: "x" }));
    expect((await it.send("set", bad, contact)).condition).toBe("forbidden");
  });
});

it("CON-EDIT-04: the history of a node is kept as long as its form says, also under another name", async () => {
  await using it = await createEditingScene({ nodes: attic });
  const now = it.bench.clock.now();
  const stop = new AbortController();
  const running = it.history.run(stop.signal);
  const record = (nodeId: string) => {
    for (const ago of [1, 5, 20]) {
      const fields = [
        {
          name: "Energy",
          value: { kind: "int32" as const, value: ago },
          categories: categories("momentary"),
          quality: {},
        },
      ];
      it.history.readings.record(
        { nodeId, sourceId: "MeteringTopology", partition: "attic" },
        { at: now - ago * 86_400_000, fields },
      );
    }
  };
  record("a");
  record("b");
  await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ HistoryDays: "10" })));
  await it.send("set", say("setNodeParametersAfterEdit", at("a"), submit({ NodeId: "z" })));
  await it.bench.clock.advance(7_200_000);
  const left = (nodeId: string) => [
    ...it.history.readings.between(
      { nodeId, sourceId: "MeteringTopology", partition: "attic" },
      0,
      Number.MAX_SAFE_INTEGER,
    ),
  ];
  expect([left("z").length, left("b").length]).toEqual([2, 3]);
  const { form } = await it.send("get", say("getNodeParametersForEdit", at("z")));
  expect(field(form, "HistoryDays")).toMatchObject({ values: ["10"], min: "1", page: "Timing" });
  stop.abort();
  await it.bench.clock.advance(0);
  await running;
});
