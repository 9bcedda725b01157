// The control face on the wire, over the real concentrator and simulated meters.

import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Rule } from "#concentrator/admission.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import { ControlFault } from "#contract/faults.ts";
import { english } from "#contract/language.ts";
import { createControl } from "#iot/control.ts";
import { parameterError, response } from "#iot/control.wire.ts";
import { createDynamicForms } from "#iot/dynamic-forms.ts";
import { namespaces } from "#iot/generations.ts";
import { elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createBench, ref } from "./face-bench.ts";
import { createRealScene } from "./real-scene.ts";

const ns = "urn:nf:iot:ctr:1.0";
const owner = "owner@city.example/phone";
const set = (children: string, attrs = "") => `<set xmlns='${ns}'${attrs}>${children}</set>`;
const heat = "<nd id='heat'/>";
const formsOf = ({ clock }: ReturnType<typeof createBench>) => createDynamicForms({ clock, languages: english });

const scene = (rules: readonly Rule[] = []) =>
  createRealScene(
    [
      {
        type: "sim.line",
        id: "attic",
        nodes: [
          { type: "sim.meter", id: "heat" },
          { type: "sim.meter", id: "cold" },
          { type: "sim.meter", id: "mute", settings: { failing: "silent", timeoutMs: 3_000 } },
        ],
      },
    ],
    rules,
  );

/** Condition, type and faulty parameters of an error. */
function read(reply: string) {
  const error = parse(reply);
  expect(error.name).toBe("error");
  const faults = elements(error).filter(one => one.name === "paramError");
  return {
    type: error.attrs.type,
    condition: elements(error)[0]?.name,
    faults: faults.map(one => parameterError.decode(one)),
    names: elements(error).map(one => one.name),
    error,
  };
}

const setPoint = async (ask: Awaited<ReturnType<typeof scene>>["ask"]) =>
  /n='Set Point'[^>]* v='([^']*)'/.exec(
    await ask("get", `<req xmlns='urn:nf:iot:sd:1.0' id='r' m='1'>${heat}<f n='Set Point'/></req>`, owner),
  )?.[1];

describe("sets", () => {
  for (const generation of namespaces("control")) {
    it(`CTR-SET-10, COM-NS-02: what was set is listed, in ${generation}`, async () => {
      await using it = await scene();
      const reply = await it.ask("set", set(`${heat}<db n='Set Point' v='21.5'/>`).replace(ns, generation), owner);
      expect(reply).toBe(
        `<resp xmlns='${generation}'><nd id='heat' src='MeteringTopology' pt='attic'/><p n='Set Point'/></resp>`,
      );
      expect(await setPoint(it.ask)).toBe("21.5");
    });
  }

  it("CTR-SET-01: every parameter on every node", async () => {
    await using it = await scene();
    const reply = await it.ask(
      "set",
      set(`${heat}<nd id='cold'/><db n='Set Point' v='19'/><b n='Silent' v='false'/>`),
      owner,
    );
    expect(response.decode(parse(reply))).toEqual({
      nodes: [ref("heat", "attic"), ref("cold", "attic")],
      parameters: ["Set Point", "Silent"],
    });
  });

  it("CTR-SET-07: an integer for a double is widened", async () => {
    await using it = await scene();
    expect(await it.ask("set", set(`${heat}<i n='Set Point' v='22'/>`), owner)).toContain("<resp ");
    expect(await setPoint(it.ask)).toBe("22.0");
  });
});

describe("refuses and writes nothing", () => {
  const refusals: [string, string, string, string, string[]][] = [
    ["CTR-SET-02: an unknown node", `${heat}<nd id='zz'/><db n='Set Point' v='21'/>`, "item-not-found", "cancel", []],
    ["CTR-SET-03: no node", "<db n='Set Point' v='21'/>", "bad-request", "modify", []],
    ["CTR-SET-03: no parameter", heat, "bad-request", "modify", []],
    ["CTR-SET-04: an unknown child", `${heat}<db n='Set Point' v='21'/><zz n='a' v='b'/>`, "bad-request", "modify", []],
    [
      "CTR-SET-04: a parameter twice",
      `${heat}<db n='Set Point' v='21'/><i n='Set Point' v='9'/>`,
      "bad-request",
      "modify",
      ["Set Point"],
    ],
    [
      "CTR-SET-05: a value that cannot be read is not 0",
      `${heat}<db n='Set Point' v='warm'/><b n='Silent' v='maybe'/>`,
      "bad-request",
      "modify",
      ["Set Point", "Silent"],
    ],
    [
      "CTR-SET-06, CTR-ERR-03: missing parameters, all of them",
      `${heat}<i n='A' v='1'/><i n='B' v='1'/><db n='Set Point' v='21'/>`,
      "item-not-found",
      "cancel",
      ["A", "B"],
    ],
    ["CTR-SET-07: another type", `${heat}<s n='Set Point' v='21'/>`, "bad-request", "modify", ["Set Point"]],
    [
      "CTR-SET-09: out of range is never clamped",
      `${heat}<db n='Set Point' v='140'/>`,
      "bad-request",
      "modify",
      ["Set Point"],
    ],
    ["CTR-SET-09: not finite", `${heat}<db n='Set Point' v='INF'/>`, "bad-request", "modify", ["Set Point"]],
    [
      "CTR-SET-05: one bad value stops them all",
      `${heat}<b n='Silent' v='true'/><db n='Set Point' v='140'/>`,
      "bad-request",
      "modify",
      ["Set Point"],
    ],
    ["COM-LEX-08: a parameter without name", `${heat}<db v='21'/>`, "bad-request", "modify", []],
    [
      "CTR-SET-04: a form that is given up, or of no type",
      `${heat}<x xmlns='jabber:x:data' type='cancel'/>`,
      "bad-request",
      "modify",
      [],
    ],
    [
      "CTR-SET-04: two forms",
      `${heat}<x xmlns='jabber:x:data'/><x xmlns='jabber:x:data'/>`,
      "bad-request",
      "modify",
      [],
    ],
  ];
  for (const [what, children, condition, type, names] of refusals) {
    it(what, async () => {
      await using it = await scene();
      const said = read(await it.ask("set", set(children), owner));
      expect(said).toMatchObject({ condition, type });
      expect(said.faults.map(one => one.name)).toEqual(names);
      for (const fault of said.faults) expect(fault.message).not.toBe("");
      expect(await setPoint(it.ask)).toBe("20.5");
    });
  }

  it("CTR-ERR-01, -02: condition, text, then paramError with both names of its name", async () => {
    await using it = await scene();
    const said = read(await it.ask("set", set(`${heat}<db n='Set Point' v='140'/>`), owner));
    expect(said.names).toEqual(["bad-request", "text", "paramError"]);
    const fault = elements(said.error).at(-1);
    expect(fault?.ns).toBe(ns);
    expect(fault?.attrs).toEqual({ var: "Set Point", n: "Set Point" });
    expect(said.faults[0]?.message).toMatch(/5 to 30/);
  });

  it("CTR-AUTH-01, COM-ERR-02: who may see gets forbidden, who may not gets item-not-found", async () => {
    const seer: Rule = {
      name: "contacts",
      ask: async ({ right, caller, nodes, categories, names }) =>
        right === "view" && caller.bareJid === "bob@city.example"
          ? nodes.map(node => ({ node, grant: { categories, names } }))
          : [],
    };
    await using it = await scene([seer]);
    const request = set(`${heat}<db n='Set Point' v='21'/>`);
    expect(read(await it.ask("set", request, "bob@city.example/x"))).toMatchObject({
      condition: "forbidden",
      type: "auth",
    });
    expect(read(await it.ask("set", request, "eve@city.example/x"))).toMatchObject({ condition: "item-not-found" });
    expect(await setPoint(it.ask)).toBe("20.5");
  });

  it("CTR-AUTH-02: who is not decided on in time is refused", async () => {
    const slow: Rule = {
      name: "provisioning",
      ask: ({ right }) => (right === "control" ? new Promise(() => {}) : Promise.resolve([])),
    };
    const seer: Rule = {
      name: "all see",
      ask: async ({ right, nodes, categories, names }) =>
        right === "view" ? nodes.map(node => ({ node, grant: { categories, names } })) : [],
    };
    await using it = await scene([seer, slow]);
    const reply = it.ask("set", set(`${heat}<db n='Set Point' v='21'/>`), "bob@city.example/x");
    await it.bench.clock.advance(12_000);
    expect(read(await reply)).toMatchObject({ condition: "forbidden" });
  });

  it("CTR-AUTH-01, CTR-SET-11: what was granted is set and listed, the rest left out in silence", async () => {
    const partly: Rule = {
      name: "partly",
      ask: async ({ nodes, categories }) => nodes.map(node => ({ node, grant: { categories, names: ["Set Point"] } })),
    };
    await using it = await scene([partly]);
    const reply = await it.ask(
      "set",
      set(`${heat}<b n='Silent' v='true'/><db n='Set Point' v='21'/>`),
      "bob@city.example/x",
    );
    expect(response.decode(parse(reply))).toEqual({ nodes: [ref("heat", "attic")], parameters: ["Set Point"] });
    expect(await setPoint(it.ask)).toBe("21.0");
  });

  it("COM-STZ-02: by iq get, and getForm by set", async () => {
    await using it = await scene();
    expect(read(await it.ask("get", set(`${heat}<db n='Set Point' v='21'/>`), owner)).condition).toBe(
      "feature-not-implemented",
    );
    expect(read(await it.ask("set", `<getForm xmlns='${ns}'>${heat}</getForm>`, owner)).condition).toBe(
      "feature-not-implemented",
    );
  });
});

describe("device failures", () => {
  it("CTR-SET-12: nothing written is an error with the parameter and its reason", async () => {
    await using it = await scene();
    const reply = it.ask("set", set("<nd id='mute'/><db n='Set Point' v='21'/>"), owner);
    await it.bench.clock.advance(4_000);
    const said = read(await reply);
    expect(said).toMatchObject({ condition: "internal-server-error", type: "cancel" });
    expect(said.faults).toHaveLength(1);
    expect(said.faults[0]?.message).toMatch(/mute.*No answer within 3000 ms/);
    expect(said.names).not.toContain("resp");
  });

  it("CTR-SET-12: after a part was written, the error says which", async () => {
    await using it = await scene();
    const reply = it.ask("set", set(`${heat}<nd id='mute'/><db n='Set Point' v='21'/>`), owner);
    await it.bench.clock.advance(4_000);
    const said = read(await reply);
    expect(said.faults.map(one => one.name)).toEqual(["Set Point"]);
    const done = elements(said.error).find(one => one.name === "resp");
    expect(done && response.decode(done)).toEqual({ nodes: [ref("heat", "attic")], parameters: ["Set Point"] });
  });

  it("CTR-SET-14: what is not confirmed in time is not said to be done, nor to be undone", async () => {
    const bench = createBench();
    const concentrator = {
      admitControl: async (_caller: unknown, nodes: unknown[]) => ({
        targets: nodes.map(node => ({ node, names: [] })),
      }),
      control: () => new Promise(() => {}),
    } as unknown as Concentrator;
    const ask = bench.serve(
      createControl({ concentrator, forms: formsOf(bench), clock: bench.clock, log: silentLog }).routes,
    );
    const reply = ask("set", set(`${heat}<db n='Set Point' v='21'/><b n='Silent' v='1'/>`));
    await bench.clock.advance(11_000);
    const said = read(await reply);
    expect(said.condition).toBe("internal-server-error");
    expect(said.faults.map(one => one.name)).toEqual(["Set Point", "Silent"]);
    expect(said.faults[0]?.message).toMatch(/may have been set/);
  });

  it("CTR-ERR-03: one paramError a parameter, naming each node that failed", async () => {
    const bench = createBench();
    const concentrator = {
      admitControl: async () => ({ targets: [] }),
      control: async () => {
        const failures = ["a", "b"].map(id => ({ node: ref(id), name: "P", message: "no" }));
        throw new ControlFault({ nodes: [], parameters: [] }, failures);
      },
    } as unknown as Concentrator;
    const ask = bench.serve(
      createControl({ concentrator, forms: formsOf(bench), clock: bench.clock, log: silentLog }).routes,
    );
    expect(read(await ask("set", set("<nd id='a'/><nd id='b'/><i n='P' v='1'/>"))).faults).toEqual([
      { name: "P", message: "a: no; b: no" },
    ]);
  });
});
