import { describe, expect, it } from "vitest";
import type { NodeInfo } from "#concentrator/concentrator.ts";
import { applianceSource, meteringTopology } from "#contract/node.ts";
import { callerOf, owner, refOf, scene, stranger } from "./scene.ts";

const tenant = "tenant@example.org";
const nobody = "nobody@example.org";
const ids = (infos: readonly NodeInfo[]) => infos.map(info => info.ref.nodeId);

const house = async () => {
  const one = scene({ owners: new Map([["water-1", tenant]]) });
  one.tree.import(meteringTopology, [
    {
      type: "sim.line",
      id: "attic",
      nodes: [
        { type: "sim.meter", id: "water-1", name: "Cold water" },
        { type: "test.device", id: "heat-1", settings: { password: "hunter2" } },
      ],
    },
    { type: "sim.meter", id: "main" },
  ]);
  await one.start();
  return one;
};

describe("lookup", () => {
  it("CON-SRC-02, -03: sources as far as seen; an unknown or invisible one is not found", async () => {
    const { concentrator, stop } = await house();
    expect((await concentrator.sources(callerOf(owner))).map(one => one.sourceId)).toEqual([
      meteringTopology,
      applianceSource,
    ]);
    expect((await concentrator.rootSources(callerOf(stranger))).map(one => one.sourceId)).toEqual([meteringTopology]);
    expect(await concentrator.sources(callerOf(nobody))).toEqual([]);
    expect(await concentrator.childSources(callerOf(owner), meteringTopology)).toEqual([]);
    await expect(concentrator.childSources(callerOf(owner), "nowhere")).rejects.toMatchObject({ kind: "not-found" });
    await expect(concentrator.childSources(callerOf(stranger), applianceSource)).rejects.toMatchObject({
      kind: "not-found",
    });
    await stop();
  });

  it("CON-HAS-01, CON-GETNODE-01: what may not be seen is as what is not there", async () => {
    const { concentrator, stop } = await house();
    expect(await concentrator.contains(callerOf(owner), refOf("heat-1"))).toBe(true);
    expect(await concentrator.contains(callerOf(owner), refOf("nothing"))).toBe(false);
    expect(await concentrator.contains(callerOf(nobody), refOf("heat-1"))).toBe(false);
    const invisible = await concentrator.node(callerOf(nobody), refOf("heat-1")).catch(error => error);
    const unknown = await concentrator.node(callerOf(owner), refOf("nothing")).catch(error => error);
    expect(invisible).toEqual(unknown);
    expect(unknown).toMatchObject({ kind: "not-found" });
    await stop();
  });

  it("CON-NI-01, -07, -08: says what a node is, its name and type among the parameters, and never its secrets", async () => {
    const { concentrator, stop } = await house();
    const info = await concentrator.node(callerOf(owner), refOf("water-1"));
    expect(info).toMatchObject({
      ref: refOf("water-1", "attic"),
      displayName: "Cold water",
      nodeType: "sim.meter",
      typeTitle: "Simulated meter",
      state: "None",
      hasChildren: false,
      isReadable: true,
      isControllable: true,
      parent: refOf("attic"),
    });
    expect(info.parameters.slice(0, 4).map(one => [one.id, one.value.value])).toEqual([
      ["NodeId", "water-1"],
      ["Type", "Simulated meter"],
      ["Partition", "attic"],
      ["fields", 20],
    ]);
    const secret = await concentrator.node(callerOf(owner), refOf("heat-1"));
    expect(JSON.stringify(secret.parameters)).not.toContain("hunter2");
    expect(secret.parameters.map(one => one.id)).not.toContain("password");
    await stop();
  });

  it("CON-ALL-01: all nodes breadth first; by type, base type and capability; an unknown type is not found", async () => {
    const { concentrator, stop } = await house();
    const all = (types: string[], jid = owner) => concentrator.allNodes(callerOf(jid), meteringTopology, types);
    expect(ids(await all([]))).toEqual(["attic", "main", "water-1", "heat-1"]);
    expect(ids(await all(["Meter"]))).toEqual(["main", "water-1"]);
    expect(ids(await all(["sim.line", "test.device"]))).toEqual(["attic", "heat-1"]);
    expect(ids(await all(["Controllable"]))).toEqual(["main", "water-1"]);
    await expect(all(["no.such"])).rejects.toMatchObject({ kind: "not-found" });
    expect(await concentrator.inheritance(callerOf(owner), refOf("main"))).toEqual({
      baseClasses: ["Meter", "Device"],
      interfaces: ["Readable", "Controllable"],
    });
    await stop();
  });

  it("CON-ROOT-02, CON-ALL-02, CON-ANC-01: who owns one meter sees it as his root, and no parent", async () => {
    const { concentrator, stop } = await house();
    expect(ids(await concentrator.rootNodes(callerOf(owner), ""))).toEqual(["attic", "main"]);
    const [root, ...others] = await concentrator.rootNodes(callerOf(tenant), meteringTopology);
    expect([root?.ref.nodeId, root?.parent, others]).toEqual(["water-1", undefined, []]);
    expect(ids(await concentrator.allNodes(callerOf(tenant), meteringTopology, []))).toEqual(["water-1"]);
    expect(ids(await concentrator.ancestors(callerOf(tenant), refOf("water-1")))).toEqual(["water-1"]);
    expect(ids(await concentrator.ancestors(callerOf(owner), refOf("water-1")))).toEqual(["water-1", "attic"]);
    await stop();
  });

  it("CON-NI-05: readable and controllable speak of the node, whoever looks", async () => {
    const { concentrator, stop } = await house();
    const traits = async (nodeId: string, jid: string) => {
      const { isReadable, isControllable } = await concentrator.node(callerOf(jid), refOf(nodeId));
      return { isReadable, isControllable };
    };
    // A contact may see all of them, and neither read nor control any.
    for (const jid of [owner, stranger]) {
      expect(await traits("main", jid)).toEqual({ isReadable: true, isControllable: true });
      expect(await traits("attic", jid)).toEqual({ isReadable: false, isControllable: false });
    }
    await stop();
  });

  it("CON-NI-06: each setting is shown in its kind, whatever its value; long where 32 bits are too few", async () => {
    const one = scene();
    one.add("test.device", "a", { serial: 4_000_000_000, scale: 2, enabled: true, pollSeconds: 60 });
    await one.start();
    const { parameters } = await one.concentrator.node(callerOf(owner), refOf("a"));
    const shown = new Map(parameters.map(({ id, value }) => [id, value]));
    expect(shown.get("serial")).toEqual({ kind: "long", value: 4_000_000_000n });
    expect(shown.get("scale")).toEqual({ kind: "double", value: 2 });
    expect(shown.get("enabled")).toEqual({ kind: "boolean", value: true });
    expect(shown.get("pollSeconds")).toEqual({ kind: "int", value: 60 });
    await one.stop();
  });

  it("COM-ID-01: id, source and partition are compared letter by letter; an empty partition is none", async () => {
    const { concentrator, stop } = await house();
    const there = (nodeId: string, partition: string, sourceId: string = meteringTopology) =>
      concentrator.contains(callerOf(owner), { nodeId, sourceId, partition });
    expect(await there("water-1", "attic")).toBe(true);
    expect(await there("main", "")).toBe(true);
    for (const [nodeId, partition] of [
      ["Water-1", "attic"],
      ["water-1 ", "attic"],
      ["water-1", "Attic"],
      ["water-1", "cellar"],
      ["main", "attic"],
      ["water\u2010" + "1", "attic"],
    ] as const) {
      expect(await there(nodeId, partition), `${nodeId} ${partition}`).toBe(false);
    }
    expect(await there("water-1", "attic", "meteringtopology")).toBe(false);
    await stop();
  });

  it("CON-CHILD-01, CON-NI-04: children in their order; hasChildren counts those seen", async () => {
    const { concentrator, stop } = await house();
    expect(ids(await concentrator.childNodes(callerOf(owner), refOf("attic")))).toEqual(["water-1", "heat-1"]);
    expect(await concentrator.childNodes(callerOf(owner), refOf("main"))).toEqual([]);
    expect((await concentrator.node(callerOf(owner), refOf("attic"))).hasChildren).toBe(true);
    expect((await concentrator.node(callerOf(owner), refOf("main"))).hasChildren).toBe(false);
    await stop();
  });
});
