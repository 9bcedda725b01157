// The looking-around face on the wire, over the real concentrator, and a readout through all of it.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import type { Concentrator, NodeInfo } from "#concentrator/concentrator.ts";
import { namespaces } from "#iot/generations.ts";
import { createNodes } from "#iot/nodes.ts";
import * as wire from "#iot/nodes.wire.ts";
import * as sensorData from "#iot/sensor-data.wire.ts";
import type { Codec } from "#xml/codec.ts";
import { element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { route } from "#xmpp/router.ts";
import { createBench, ref } from "./face-bench.ts";
import { createRealScene } from "./real-scene.ts";

const ns = "urn:nf:iot:concentrator:1.0";
const owner = "owner@city.example/phone";

const site = [
  {
    type: "sim.line",
    id: "attic",
    name: "Attic line",
    nodes: [
      { type: "sim.meter", id: "heat", name: "Heat meter", settings: { fields: 20 } },
      { type: "sim.meter", id: "mute", settings: { failing: "silent" as const, timeoutMs: 2_000 } },
    ],
  },
  { type: "sim.meter", id: "lone" },
];

const scene = (rules: readonly Rule[] = []) => createRealScene(site, rules);
type Scene = Awaited<ReturnType<typeof scene>>;

const say = (name: string, attrs = "", children = "") => `<${name} xmlns='${ns}' ${attrs}>${children}</${name}>`;
const get = async <T>(it: Scene, answer: Codec<T>, name: string, attrs = "", children = ""): Promise<T> =>
  answer.decode(parse(await it.ask("get", say(name, attrs, children), owner)));
const refused = async (it: Scene, name: string, attrs = "", children = "", from = owner) => {
  const reply = parse(await it.ask("get", say(name, attrs, children), from));
  expect(reply.name).toBe("error");
  return (reply.children[0] as { name: string }).name;
};
const src = "src='MeteringTopology'";

describe("capabilities and sources", () => {
  it("CON-CAPS-01, -02: exactly what is routed, in every generation", async () => {
    await using it = await scene();
    for (const generation of namespaces("concentrator")) {
      const reply = await it.ask("get", say("getCapabilities").replace(ns, generation), owner);
      const names = wire.strings.decode(parse(reply));
      expect(names.toSorted()).toEqual([
        "containsNode",
        "containsNodes",
        "getAllDataSources",
        "getAllNodes",
        "getAncestors",
        "getCapabilities",
        "getChildDataSources",
        "getChildNodes",
        "getNode",
        "getNodeInheritance",
        "getNodes",
        "getRootDataSources",
        "getRootNodes",
      ]);
      for (const name of names) {
        const answer = await it.ask("get", `<${name} xmlns='${generation}'/>`, owner);
        expect(answer).not.toContain("feature-not-implemented");
        expect(await it.ask("set", `<${name} xmlns='${generation}'/>`, owner)).toContain("feature-not-implemented");
      }
      expect(await it.ask("set", `<destroyNode xmlns='${generation}' id='heat'/>`, owner)).toContain(
        "feature-not-implemented",
      );
    }
  });

  it("CON-CAPS-02: routes of other files of the family are listed, others are a mistake", () => {
    const concentrator = {} as Concentrator;
    const other = (namespace: string) =>
      route(
        ["set"],
        namespace,
        { name: "moveNodeUp", decode: () => ({}), encode: () => element("x", "") },
        async () => undefined,
      );
    const { routes } = createNodes({ concentrator, others: [other(ns)] });
    expect(routes.some(one => one.name === "moveNodeUp")).toBe(false);
    expect(() => createNodes({ concentrator, others: [other("urn:x")] })).toThrow(/moveNodeUp/);
  });

  it("CON-SRC-01, -02, -03, -04: the sources the caller may see", async () => {
    await using it = await scene();
    const all = await get(it, wire.dataSources, "getAllDataSources");
    expect(all).toMatchObject([
      { sourceId: "MeteringTopology", hasChildren: false, lastChanged: expect.any(Number) },
      { sourceId: "Appliance", hasChildren: false, lastChanged: undefined },
    ]);
    expect(await get(it, wire.dataSources, "getRootDataSources")).toEqual(all);
    expect(await get(it, wire.dataSources, "getChildDataSources", src)).toEqual([]);
    expect(await refused(it, "getChildDataSources", "src='zz'")).toBe("item-not-found");
    expect(await refused(it, "getChildDataSources")).toBe("bad-request");
    expect(await it.ask("get", say("getAllDataSources"), "eve@city.example/x")).toBe(`<dataSources xmlns='${ns}'/>`);
  });
});

describe("nodes", () => {
  it("CON-HAS-01, -02: contains, one and many, in order and count; the empty id is nobody", async () => {
    await using it = await scene();
    expect(await get(it, wire.bool, "containsNode", `id='heat' ${src} pt='attic'`)).toBe(true);
    expect(await get(it, wire.bool, "containsNode", "id='heat'")).toBe(true);
    expect(await get(it, wire.bool, "containsNode", "id='heat' src='zz'")).toBe(false);
    expect(await get(it, wire.bool, "containsNode", "id=''")).toBe(false);
    expect(await refused(it, "containsNode")).toBe("bad-request");
    const many = "<nd id='zz'/><nd id='heat'/><nd id=''/><nd id='heat'/>";
    expect(await get(it, wire.bools, "containsNodes", "", many)).toEqual([false, true, false, true]);
    expect(await get(it, wire.bools, "containsNodes")).toEqual([]);
    expect(await it.ask("get", say("containsNode", "id='heat'"), "eve@city.example/x")).toBe(
      `<bool xmlns='${ns}'>false</bool>`,
    );
  });

  it("CON-GETNODE-01, -02, -03, CON-NI-01, -02: a node as it is, with parameters and messages only when asked", async () => {
    await using it = await scene();
    const plain = await get(it, wire.nodeInfo, "getNode", `id='heat' ${src}`);
    expect(plain).toMatchObject({
      ref: ref("heat", "attic"),
      localId: "heat",
      displayName: "Heat meter",
      nodeType: "sim.meter",
      state: "None",
      hasChildren: false,
      isReadable: true,
      isControllable: true,
      hasCommands: true,
      sniffable: false,
      parent: { nodeId: "attic", partition: "" },
      parameters: [],
      messages: [],
    });
    const full = await get(it, wire.nodeInfo, "getNode", "id='heat' parameters='1'");
    expect(full.parameters.map(({ id, value }) => [id, value.value])).toEqual(
      expect.arrayContaining([
        ["NodeId", "heat"],
        ["Type", "Simulated meter"],
        ["fields", 20],
      ]),
    );
    expect(await refused(it, "getNode", "id='zz'")).toBe("item-not-found");
    expect(await refused(it, "getNode", "id='heat' src='zz'")).toBe("item-not-found");
    expect(await refused(it, "getNode", "src='MeteringTopology'")).toBe("bad-request");
    expect(await refused(it, "getNode", "id='heat' parameters='perhaps'")).toBe("bad-request");
    expect(await refused(it, "getNode", "id='heat'", "", "eve@city.example/x")).toBe("item-not-found");
  });

  it("CON-NI-03, -09: what failed is a message and the state of the node", async () => {
    await using it = await scene();
    const reading = it.ask("get", `<req xmlns='urn:nf:iot:sd:1.0' id='r' m='1'><nd id='mute'/></req>`, owner);
    await it.bench.clock.advance(5_000);
    await reading;
    const info = await get(it, wire.nodeInfo, "getNode", "id='mute' messages='true'");
    expect(info.state).toBe("ErrorUnsigned");
    expect(info.messages).toMatchObject([{ type: "Error", eventId: "timeout" }]);
  });

  it("CON-NODES-01: in the order asked, twice when asked twice, none at all when one is unknown", async () => {
    await using it = await scene();
    const nodes = await get(it, wire.nodeInfos, "getNodes", "", "<nd id='mute'/><nd id='heat'/><nd id='mute'/>");
    expect(nodes.map(one => one.ref.nodeId)).toEqual(["mute", "heat", "mute"]);
    expect(await refused(it, "getNodes", "", "<nd id='heat'/><nd id='zz'/>")).toBe("item-not-found");
  });

  it("CON-ALL-01, COM-ID-02: all, parents before children, or those of a type; the default source when none is said", async () => {
    await using it = await scene();
    const ids = async (children = "", attrs = "") =>
      (await get(it, wire.nodeInfos, "getAllNodes", attrs, children)).map(one => one.ref.nodeId);
    expect(await ids()).toEqual(["attic", "lone", "heat", "mute"]);
    expect(await ids("", src)).toEqual(await ids());
    expect(await ids("<onlyIfDerivedFrom> sim.meter\n</onlyIfDerivedFrom>")).toEqual(["lone", "heat", "mute"]);
    expect(await ids("<onlyIfDerivedFrom>Line</onlyIfDerivedFrom>")).toEqual(["attic"]);
    expect(await refused(it, "getAllNodes", "", "<onlyIfDerivedFrom>zz</onlyIfDerivedFrom>")).toBe("item-not-found");
    expect(await refused(it, "getAllNodes", "src='zz'")).toBe("item-not-found");
  });

  it("CON-ROOT-01, CON-CHILD-01, CON-ANC-01: down and up the tree", async () => {
    await using it = await scene();
    const ids = async (name: string, attrs = "") =>
      (await get(it, wire.nodeInfos, name, attrs)).map(one => one.ref.nodeId);
    expect(await ids("getRootNodes", src)).toEqual(["attic", "lone"]);
    expect(await ids("getChildNodes", `id='attic' ${src}`)).toEqual(["heat", "mute"]);
    expect(await ids("getChildNodes", "id='heat' pt='attic'")).toEqual([]);
    expect(await ids("getAncestors", "id='heat' pt='attic'")).toEqual(["heat", "attic"]);
    expect(await ids("getAncestors", "id='attic'")).toEqual(["attic"]);
    for (const name of ["getChildNodes", "getAncestors"])
      expect(await refused(it, name, "id='zz'")).toBe("item-not-found");
  });

  it("CON-INH-01: bases nearest first, then what it can do; its own type is not among them", async () => {
    await using it = await scene();
    expect(await get(it, wire.inheritance, "getNodeInheritance", "id='heat'")).toEqual({
      baseClasses: ["Meter", "Device"],
      interfaces: ["Readable", "Controllable"],
    });
    expect((await get(it, wire.inheritance, "getNodeInheritance", "id='attic'")).interfaces).toBeUndefined();
  });

  it("COM-STZ-09: an answer no broker would carry is refused with what to do instead", async () => {
    const info: NodeInfo = {
      ref: ref("m"),
      localId: "m".repeat(900),
      displayName: "",
      nodeType: "sim.meter",
      typeTitle: "",
      state: "None",
      hasChildren: false,
      childrenOrdered: false,
      isReadable: true,
      isControllable: false,
      hasCommands: false,
      sniffable: false,
      lastChanged: 0,
      parameters: [{ id: "x", name: "x", value: { kind: "double", value: Number.NaN } }],
      messages: [],
    };
    let count = 250;
    const concentrator = { allNodes: async () => Array.from({ length: count }, () => info) } as unknown as Concentrator;
    const ask = createBench().serve(createNodes({ concentrator }).routes);
    const answer = await ask("get", say("getAllNodes", "parameters='true'"));
    expect(Buffer.byteLength(answer)).toBeLessThan(262_144);
    expect(answer, "COM-LEX-03").not.toContain("NaN");
    count = 400;
    const refusal = await ask("get", say("getAllNodes"));
    expect(refusal).toContain("<not-acceptable ");
    expect(refusal).toMatch(/bytes.*children of one node/);
  });
});

describe("a readout through router, face, admission, line and device", () => {
  const read = (children: string, attrs = "all='true'") =>
    `<req xmlns='urn:nf:iot:sd:1.0' id='r1' ${attrs}>${children}</req>`;

  it("SD-RESP-05, -08, -11: canonical address, categories as asked, time of measurement", async () => {
    await using it = await scene();
    const reply = await it.ask("get", read("<nd id='heat'/><f n='Energy'/><f n='Power, Max'/>", "m='true'"), owner);
    const { nodes, more } = sensorData.response.decode(parse(reply));
    expect(more).toBe(false);
    expect(nodes.map(one => one.ref)).toEqual([ref("heat", "attic")]);
    expect(nodes[0]?.samples[0]?.fields.map(one => one.name)).toEqual(["Energy"]);
    expect(nodes[0]?.samples[0]?.at).toBe(it.bench.clock.now());
  });

  it("SD-REQ-08, SD-RESP-15: a silent device is an err under its node, the others are as they are", async () => {
    await using it = await scene();
    void it.ask("get", read("<nd id='mute'/><nd id='lone'/><nd id='attic'/>", "m='true'"), owner);
    await it.bench.clock.advance(10_000);
    const all = it.bench.sent.map(({ payload }) => parse(payload)).filter(one => one.name === "resp");
    const nodes = all.flatMap(one => sensorData.response.decode(one).nodes);
    const of = (id: string) => nodes.filter(one => one.ref.nodeId === id).flatMap(one => one.samples);
    expect(of("mute").flatMap(one => one.errors)).toHaveLength(1);
    expect(of("mute")[0]?.errors[0]).toMatch(/No answer within 2000 ms/);
    expect(of("attic").flatMap(one => one.errors)).toHaveLength(1);
    expect(of("lone").flatMap(one => one.fields).length).toBeGreaterThan(5);
    expect(of("lone").flatMap(one => one.errors)).toEqual([]);
    const ends = it.bench.left.filter(text => /^<(done|resp(?![^>]* more='true'))/.test(text));
    expect(ends).toHaveLength(1);
    expect(it.bench.left.at(-1)).toBe(ends[0]);
  });

  it("SD-REQ-09: a narrowed answer is applied silently, an invisible node is not found", async () => {
    const energyOnly: Rule = {
      name: "energy",
      ask: async ({ caller, nodes, categories }) =>
        caller.bareJid !== "bob@city.example"
          ? []
          : nodes
              .filter(node => node.nodeId === "heat")
              .map(node => ({ node, grant: { categories, names: ["Energy"] } })),
    };
    await using it = await scene([energyOnly]);
    const reply = await it.ask("get", read("<nd id='heat'/>"), "bob@city.example/x");
    const { nodes } = sensorData.response.decode(parse(reply));
    expect(nodes.flatMap(one => one.samples.flatMap(sample => sample.fields.map(field => field.name)))).toEqual([
      "Energy",
    ]);
    expect(await it.ask("get", read("<nd id='heat'/><nd id='lone'/>"), "bob@city.example/x")).toContain(
      "item-not-found",
    );
    expect(await it.ask("get", read("<nd id='heat'/>"), "eve@city.example/x")).toContain("item-not-found");
  });
});
