// Control by form, over the real concentrator and a simulated device of every kind of parameter.

import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { ControlParameter, ControlValue } from "#contract/control.ts";
import type { Driver } from "#contract/driver.ts";
import * as controlWire from "#iot/control.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { elements } from "#xml/element.ts";
import { createEditingScene, field, owner, type Reply, submit } from "./editing-scene.ts";

const ctr = "urn:nf:iot:ctr:1.0";
const getForm = (children: string, ns = ctr, attrs = "") => `<getForm xmlns='${ns}'${attrs}>${children}</getForm>`;
const set = (children: string, ns = ctr) => `<set xmlns='${ns}'>${children}</set>`;

/** A device that takes everything and keeps it. */
function panel(written: string[]): Driver {
  const parameter = (
    name: string,
    value: ControlValue | undefined,
    more: Partial<ControlParameter> = {},
  ): ControlParameter => {
    let now = value;
    return {
      name,
      kind: value?.kind ?? "int32",
      label: name,
      ...(name === "Blind" ? {} : { get: async () => now }),
      async set(next) {
        now = next;
        written.push(`${name}=${next.value}`);
        return "confirmed";
      },
      ...more,
    };
  };
  const parameters = (deaf: boolean): ControlParameter[] => [
    parameter("Active", { kind: "boolean", value: true }),
    parameter("Color", { kind: "color", value: "FF0000" }),
    parameter("Level", { kind: "int32", value: 7 }, { min: 0, max: 100, unit: "%", page: "Light", group: "dim" }),
    parameter("Fade", { kind: "double", value: 1.5 }, { page: "Light", group: "dim" }),
    parameter("Counter", { kind: "int64", value: 2n ** 40n }),
    parameter("Mode", { kind: "enum", value: "auto", type: "Mode" }, { options: ["auto", "off"] }),
    parameter("Text", { kind: "string", value: "hello" }),
    parameter("Start", { kind: "dateTime", value: Date.UTC(2031, 2, 2) }),
    parameter("Day", { kind: "date", value: "2031-03-02" }),
    parameter("Time", { kind: "time", value: "05:00:00" }),
    parameter("Span", { kind: "duration", value: "PT5M" }),
    parameter("Blind", undefined, { group: "alone" }),
    parameter("Seen", undefined, { group: "alone" }),
    ...(deaf ? [{ ...parameter("Slow", { kind: "int32", value: 1 }), get: () => new Promise<never>(() => {}) }] : []),
  ];
  const type = (name: string, deaf: boolean) => ({
    name,
    title: "Panel",
    parents: [""],
    settings: z.object({}),
    thing: true as const,
    inherits: [],
    open: async () => ({ parameters: parameters(deaf), async [Symbol.asyncDispose]() {} }),
  });
  return { name: "test", nodeTypes: [type("test.panel", false), type("test.slow", true)] };
}

async function scene() {
  const written: string[] = [];
  const it = await createEditingScene({
    more: [panel(written)],
    nodes: [
      { type: "test.panel", id: "panel" },
      { type: "test.panel", id: "twin" },
      { type: "test.slow", id: "slow" },
      { type: "sim.meter", id: "meter" },
      { type: "sim.line", id: "line" },
    ],
  });
  return Object.assign(it, { written });
}
const panelNode = "<nd id='panel'/>";
const faults = ({ element }: Reply) =>
  controlWire.parameterFaults(element === undefined ? [] : elements(element)).map(one => one.name);

describe("getForm", () => {
  for (const ns of namespaces("control")) {
    it(`CTR-FORM-01, CTR-FORM-02, DF-PG-01, COM-NS-02: parameters as fields, each marked, in ${ns}`, async () => {
      await using it = await scene();
      const { form, element } = await it.send("get", getForm(panelNode, ns));
      expect(element?.attrs.type).toBe("form");
      expect(form.title).toBe("panel");
      expect(form.fields.every(one => one.notSame)).toBe(true);
      expect(form.fields.map(one => [one.name, one.kind, one.datatype, ...one.values])).toEqual([
        ["Active", "boolean", "boolean", "true"],
        ["Color", "text", "color", "FF0000"],
        ["Level", "text", "int", "7"],
        ["Fade", "text", "double", "1.5"],
        ["Counter", "text", "long", "1099511627776"],
        ["Mode", "choice", "string", "auto"],
        ["Text", "text", "string", "hello"],
        ["Start", "text", "dateTime", "2031-03-02T00:00:00.000Z"],
        ["Day", "text", "date", "2031-03-02"],
        ["Time", "text", "time", "05:00:00"],
        ["Span", "text", "duration", "PT5M"],
        ["Blind", "text", "int"],
        ["Seen", "text", "int"],
      ]);
      expect(field(form, "Level")).toMatchObject({
        label: "Level (%)",
        min: "0",
        max: "100",
        page: "Light",
        group: "dim",
      });
      const level = elements(element as never).find(one => one.attrs.var === "Level");
      const group = elements(level as never).find(one => one.name === "pGroup");
      expect(group).toMatchObject({ ns, attrs: { n: "dim", name: "dim" } });
    });
  }

  it("CTR-FORM-03: of several nodes what all have in the same sense; nothing in common is nothing to control", async () => {
    await using it = await scene();
    const both = await it.send("get", getForm("<nd id='panel'/><nd id='twin'/>"));
    expect([both.form.title, both.form.fields.length]).toEqual(["2 nodes", 13]);
    expect((await it.send("get", getForm("<nd id='panel'/><nd id='meter'/>"))).condition).toBe("item-not-found");
    expect((await it.send("get", getForm("<nd id='line'/>"))).condition).toBe("item-not-found");
    expect((await it.send("get", getForm(""))).condition).toBe("bad-request");
  });

  it("CTR-FORM-06: a device that does not say in time what it is set to keeps nobody waiting", async () => {
    await using it = await scene();
    const reply = it.send("get", getForm("<nd id='slow'/>"));
    await it.bench.clock.advance(5_000);
    const { form } = await reply;
    expect(field(form, "Slow")).toMatchObject({ values: [], notSame: true });
    expect(field(form, "Level").values).toEqual(["7"]);
  });

  it("CTR-AUTH-03, COM-ERR-02: forbidden to who may see, not found to who may not", async () => {
    await using it = await scene();
    expect(await it.send("get", getForm(panelNode), "bob@city.example/x")).toMatchObject({
      condition: "forbidden",
      type: "auth",
    });
    expect((await it.send("get", getForm(panelNode), "eve@city.example/x")).condition).toBe("item-not-found");
  });
});

describe("set by form", () => {
  it("CTR-FORM-04, DF-SUB-01: what was edited is set, by the kind of its parameter", async () => {
    await using it = await scene();
    const x = submit({
      Active: "off",
      Color: "00ff00",
      Counter: "-5",
      Mode: "off",
      Text: "",
      Start: "2031-03-02T01:00:00+01:00",
    });
    const reply = await it.send("set", set(panelNode + x));
    expect(reply.name).toBe("resp");
    expect(controlWire.response.decode(reply.element as never).parameters).toEqual([
      "Active",
      "Color",
      "Counter",
      "Mode",
      "Text",
      "Start",
    ]);
    expect(it.written).toEqual([
      "Active=false",
      "Color=00FF00",
      "Counter=-5",
      "Mode=off",
      "Text=",
      `Start=${Date.UTC(2031, 2, 2)}`,
    ]);
  });

  it("CTR-FORM-04, CTR-SET-05, CTR-ERR-03: every faulty value named, nothing written", async () => {
    await using it = await scene();
    const x = submit({ Active: "", Level: "much", Mode: "purple", Text: "fine", Day: "2031-02-31", Fade: ["1", "2"] });
    const reply = await it.send("set", set(panelNode + x));
    expect([reply.condition, faults(reply)]).toEqual(["bad-request", ["Active", "Level", "Mode", "Day", "Fade"]]);
    const range = await it.send("set", set(panelNode + submit({ Level: "101", Text: "x" })));
    expect([range.condition, faults(range)]).toEqual(["bad-request", ["Level"]]);
    const unknown = await it.send("set", set(panelNode + submit({ Nothing: "1", Text: "x" })));
    expect([unknown.condition, faults(unknown)]).toEqual(["item-not-found", ["Nothing"]]);
    expect(it.written).toEqual([]);
  });

  it("CTR-FORM-05, CTR-SET-04: beside simple parameters, but nothing twice; fields of the form itself are none", async () => {
    await using it = await scene();
    const x = submit({ Text: "a" }, "0".repeat(32)).replace(
      "</x>",
      "<field var='FORM_TYPE'><value>f</value></field><field type='fixed'><value>t</value></field></x>",
    );
    expect((await it.send("set", set(`${panelNode}<i n='Level' v='9'/>${x}`))).name).toBe("resp");
    // The rest of its group was said as it is.
    expect(it.written).toEqual(["Level=9", "Text=a", "Fade=1.5"]);
    const twice = await it.send("set", set(`${panelNode}<s n='Text' v='b'/>${submit({ Text: "a" })}`));
    expect([twice.condition, faults(twice)]).toEqual(["bad-request", ["Text"]]);
    for (const bad of [
      `${submit({})}${submit({})}`,
      "<x xmlns='jabber:x:data' type='form'/>",
      "<x xmlns='jabber:x:data'/>",
    ]) {
      expect((await it.send("set", set(panelNode + bad))).condition).toBe("bad-request");
    }
    // Nothing edited is nothing to do.
    const nothing = await it.send("set", set(panelNode + submit({})));
    expect(controlWire.response.decode(nothing.element as never)).toMatchObject({
      parameters: [],
      nodes: [{ nodeId: "panel" }],
    });
  });

  it("DF-PG-02: a group is completed with what is known, and refused where it is not", async () => {
    await using it = await scene();
    await it.send("set", set(panelNode + submit({ Fade: "2.5" })));
    expect(it.written).toEqual(["Fade=2.5", "Level=7"]);
    const reply = await it.send("set", set(panelNode + submit({ Seen: "1" })));
    expect([reply.condition, faults(reply)]).toEqual(["bad-request", ["Blind"]]);
    expect(it.written).toHaveLength(2);
  });

  it("CTR-FORM-07: the evidence a form was asked for with holds for what comes back, of the same session alone", async () => {
    await using it = await scene();
    const { form } = await it.send("get", getForm(panelNode, ctr, " ut='token-1'"));
    expect(form.session).toMatch(/^[0-9a-f]{32}$/);
    const none = { service: [], device: [], user: [] };
    expect(it.forms.tokensOf(owner, form.session, none).user).toEqual(["token-1"]);
    expect(it.forms.tokensOf("eve@city.example/x", form.session, none).user).toEqual([]);
    expect((await it.send("set", set(panelNode + submit({ Text: "a" }, form.session)))).name).toBe("resp");
    expect((await it.send("get", getForm(panelNode))).form.session).toBe("");
  });
});
