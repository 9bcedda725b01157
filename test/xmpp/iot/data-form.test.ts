// What data forms look like on the wire beyond the cases: colours, patterns, languages, and every form of every node type.

import { describe, expect, it } from "vitest";
import { acceptedBelow } from "#concentrator/planning.ts";
import { filledField } from "#contract/filled-form.ts";
import { createLanguages } from "#contract/language.ts";
import { meteringTopology } from "#contract/node.ts";
import * as wire from "#iot/data-form.wire.ts";
import { format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createEditingScene, errorsIn, field, say, submit } from "./editing-scene.ts";

describe("colours", () => {
  const colour = (datatype: "color" | "colorAlpha", value: string) =>
    format(
      wire.form.encode(
        {
          title: "",
          instructions: [],
          session: "",
          fields: [filledField({ name: "c", label: "C", datatype, values: [value] })],
        },
        "",
      ),
    );

  it("DF-COLOR-01: the type with its prefix declared, and digits for who does not know it", () => {
    expect(colour("color", "FF0000")).toContain(
      "<validate xmlns='http://jabber.org/protocol/xdata-validate' xmlns:xdc='urn:xmpp:xdata:color' datatype='xdc:Color'><regex>^[0-9a-fA-F]{6}$</regex></validate>",
    );
    expect(colour("colorAlpha", "FF000080")).toContain("datatype='xdc:ColorAlpha'><regex>^[0-9a-fA-F]{8}$</regex>");
  });

  it("DF-COLOR-01: in whatever case and with whatever prefix it comes", () => {
    for (const datatype of ["xdc:color", "XDC:COLOR", "xdc:Color"]) {
      const x = `<x xmlns='jabber:x:data' type='form'><field var='c'><validate xmlns='urn:any' datatype='${datatype}'/></field></x>`;
      expect(wire.form.decode(parse(x)).fields[0]?.datatype).toBe("color");
    }
  });
});

it("DF-CT-01: the syntax of an editor says nothing here, in a form or in what comes back", () => {
  const content = "<xdd:contentType xmlns:xdd='urn:xmpp:xdata:dynamic'>text/markdown</xdd:contentType>";
  const form = (more: string) =>
    `<x xmlns='jabber:x:data' type='form'><field var='t' type='text-multi' label='T'>${more}<value>a</value><value>b</value></field></x>`;
  expect(wire.form.decode(parse(form(content)))).toEqual(wire.form.decode(parse(form(""))));
  const submission = (more: string) => form(more).replace("'form'", "'submit'");
  expect(wire.submission.decode(parse(submission(content)))).toEqual(wire.submission.decode(parse(submission(""))));
  expect(wire.submission.decode(parse(submission(content))).fields).toEqual([{ name: "t", values: ["a", "b"] }]);
});

it("DF-VAL-03, DF-VAL-01, DF-FORM-01: every field of every node type says what any client can check, and its default passes", async () => {
  await using it = await createEditingScene();
  const { catalogue } = it.tree;
  let patterns = 0;
  for (const parent of catalogue.types) {
    const below = catalogue.types.filter(type => type.parents.includes(parent.root ? "" : parent.name));
    if (below.length === 0) continue;
    // A node of this type to add below, put there as a site file would, settings not yet right or not.
    const nodeId = parent.root ? "site" : parent.name;
    if (!parent.root) {
      it.edge
        .prepare("INSERT INTO nodes VALUES (?, ?, '', 'site', ?, '{}', ?, '[]', 1, 1, 1, '{}')")
        .run(meteringTopology, nodeId, parent.name, nodeId);
    }
  }
  await using again = await createEditingScene({ edge: it.edge });
  for (const parent of catalogue.types) {
    const nodeId = parent.root ? "site" : parent.name;
    for (const type of catalogue.types.filter(one => acceptedBelow(one, { type: parent }))) {
      const reply = await again.send("get", say("getParametersForNewNode", `id='${nodeId}' type='${type.name}'`));
      expect(reply.form.title).toBe(type.title);
      for (const one of reply.form.fields) {
        const place = `${type.name} ${one.name}`;
        expect(one.label, place).not.toBe("");
        if (one.kind === "choice") expect(one.options.length, place).toBeGreaterThan(0);
        if (one.options.length > 0)
          for (const value of one.values)
            expect(
              one.options.map(option => option.value),
              place,
            ).toContain(value);
        if (one.pattern === "") continue;
        patterns++;
        // Neither flags nor classes that only some engines have, and short.
        expect(one.pattern, place).not.toMatch(/\\p\{|\(\?<|\(\?[a-z]/);
        expect(one.pattern.length, place).toBeLessThan(200);
        const whole = new RegExp(`^(?:${one.pattern})$`);
        for (const value of one.values) expect(value, place).toMatch(whole);
      }
    }
  }
  expect(patterns).toBeGreaterThan(10);
});

it("DF-VAL-03: a pattern is matched by the whole value or not at all", async () => {
  await using it = await createEditingScene();
  const make = (host: string) =>
    it.send("set", say("createNewNode", "id='site' type='mqtt.broker'", submit({ NodeId: "b", host })));
  for (const host of ["a b", "host\n", " host", "x".repeat(254)]) {
    expect(Object.keys(errorsIn((await make(host)).form)), host).toEqual(["host"]);
  }
  expect((await make("host.example")).name).toBe("nodeInfo");
});

it("DF-FORM-05, COM-LANG-02: what people read is in their language; names and values are not", async () => {
  const languages = createLanguages({
    de: {
      "Simulated meter": "Simulierter Zähler",
      Failing: "Ausfall",
      Node: "Knoten",
      "How long an answer takes.": "Wie lange eine Antwort dauert.",
      "At least {minimum}.": "Mindestens {minimum}.",
      "Some values cannot be taken.": "Einige Werte passen nicht.",
      silent: "stumm",
    },
  });
  await using it = await createEditingScene({ languages });
  const attrs = "id='site' type='sim.meter' xml:lang='de'";
  const { form } = await it.send("get", say("getParametersForNewNode", attrs));
  expect(form.title).toBe("Simulierter Zähler");
  expect(field(form, "failing")).toMatchObject({ name: "failing", label: "Ausfall", values: ["never"] });
  expect(field(form, "failing").options).toContainEqual({ value: "silent", label: "stumm" });
  expect(field(form, "latencyMs").description).toBe("Wie lange eine Antwort dauert.");
  expect(field(form, "NodeId").page).toBe("Knoten");
  const rejected = await it.send(
    "set",
    say("createNewNode", attrs, submit({ NodeId: "a", fields: "0", Name: "Node" })),
  );
  expect(errorsIn(rejected.form)).toEqual({ fields: "Mindestens 1." });
  // A value is what somebody wrote, also when it reads like a text of ours.
  expect(field(rejected.form, "Name").values).toEqual(["Node"]);
  const types = await it.ask("get", say("getAddableNodeTypes", "id='site' xml:lang='de'"), "owner@city.example/phone");
  expect(types).toContain("<nodeType type='sim.meter' name='Simulierter Zähler'/>");
});
