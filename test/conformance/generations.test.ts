// What holds across generations and namespaces, on the served faces over the real concentrator.

import { describe, expect, it } from "vitest";
import { generationNames, inOneGeneration, namespace } from "#iot/generations.ts";
import { response } from "#iot/sensor-data.wire.ts";
import { parse } from "#xml/parser.ts";
import { createRealScene } from "../xmpp/iot/real-scene.ts";

const owner = "owner@city.example/phone";
const scene = () =>
  createRealScene([
    { type: "sim.meter", id: "heat" },
    { type: "sim.meter", id: "cold" },
  ]);

describe("COM-STZ-08: children of a sibling generation", () => {
  it("mean what they would mean in the request's own", async () => {
    await using it = await scene();
    const reply = await it.ask(
      "get",
      `<req xmlns='urn:nf:iot:sd:1.0' id='r' m='true'><nd xmlns='urn:nfi:iot:sd:1.0' id='heat'/><f xmlns='urn:ieee:iot:sd:1.0' n='Energy'/></req>`,
      owner,
    );
    const { nodes } = response.decode(parse(reply));
    expect(parse(reply).ns).toBe("urn:nf:iot:sd:1.0");
    expect(
      nodes.flatMap(({ ref, samples }) => samples.flatMap(one => one.fields.map(f => [ref.nodeId, f.name]))),
    ).toEqual([["heat", "Energy"]]);
    for (const own of generationNames) {
      for (const other of generationNames) {
        const control = namespace("control", own);
        const said = await it.ask(
          "set",
          `<set xmlns='${control}'><nd xmlns='${namespace("control", other)}' id='heat'/><db xmlns='${namespace("control", other)}' n='Set Point' v='21'/></set>`,
          owner,
        );
        expect(said).toBe(`<resp xmlns='${control}'><nd id='heat' src='MeteringTopology'/><p n='Set Point'/></resp>`);
      }
    }
  });

  it("of another family, of another version or foreign are passed over, and unknown attributes too", async () => {
    await using it = await scene();
    const foreign = ["urn:nfi:iot:ctr:1.0", "urn:nfi:iot:sd:2.0", "urn:xmpp:iot:sensordata", "urn:elsewhere"];
    const children = foreign.map(ns => `<nd xmlns='${ns}' id='zz'/>`).join("");
    const reply = await it.ask(
      "get",
      `<req xmlns='urn:nf:iot:sd:1.0' id='r' m='true' zz='1'><nd id='heat' colour='red'/>${children}<f n='Energy'/></req>`,
      owner,
    );
    expect(response.decode(parse(reply)).nodes.map(({ ref }) => ref.nodeId)).toEqual(["heat"]);
  });

  it("a form is one in its own namespace only", async () => {
    await using it = await scene();
    const set = (x: string) => `<set xmlns='urn:nf:iot:ctr:1.0'><nd id='heat'/>${x}</set>`;
    const own = await it.ask("set", set("<x type='submit'/>"), owner);
    expect(own).toContain("no control parameter is of this kind");
    expect(await it.ask("set", set("<x xmlns='urn:nfi:iot:ctr:1.0' type='submit'/>"), owner)).toBe(own);
  });

  it("nothing is copied where there is nothing to do, and only what must be elsewhere", () => {
    const plain = parse("<q xmlns='urn:nf:iot:sd:1.0'><a><b/></a><x xmlns='jabber:x:data'/></q>");
    expect(inOneGeneration(plain)).toBe(plain);
    const without = parse("<q xmlns='urn:elsewhere'><a xmlns='urn:nf:iot:sd:1.0'/></q>");
    expect(inOneGeneration(without)).toBe(without);
    const mixed = parse("<q xmlns='urn:nf:iot:sd:1.0'>text<a/><b xmlns='urn:ieee:iot:sd:1.0' c='d'><e/></b></q>");
    const aligned = inOneGeneration(mixed);
    expect(aligned).toEqual(parse("<q xmlns='urn:nf:iot:sd:1.0'>text<a/><b c='d'><e/></b></q>"));
    expect(aligned.children[1]).toBe(mixed.children[1]);
  });
});
