// Forms that change while they are filled in (XEP-0336): a register of a unit asks for other things when its type is another.

import { describe, expect, it } from "vitest";
import { noTokens } from "#contract/caller.ts";
import { filledField } from "#contract/filled-form.ts";
import { english } from "#contract/language.ts";
import { createDynamicForms } from "#iot/dynamic-forms.ts";
import { formIdleMs, formsPerJidMax } from "#limits.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { createEditingScene, errorsIn, field, owner, say, submit } from "./editing-scene.ts";

const unit = [
  {
    type: "modbus.tcp",
    id: "line",
    settings: { host: "127.0.0.1", port: 1 },
    nodes: [
      {
        type: "modbus.unit",
        id: "unit",
        nodes: [{ type: "modbus.register", id: "r", settings: { fieldName: "Power", address: 1 } }],
      },
    ],
  },
];
const scene = () => createEditingScene({ nodes: unit });
const get = say("getNodeParametersForEdit", "id='r'");
const set = (x: string) => say("setNodeParametersAfterEdit", "id='r'", x);
const post = (x: string) => `<submit xmlns='urn:xmpp:xdata:dynamic'>${x}</submit>`;
const giveUp = (x: string) => `<cancel xmlns='urn:xmpp:xdata:dynamic'>${x}</cancel>`;
const names = (form: { fields: readonly { name: string }[] }) => form.fields.map(one => one.name);

describe("post-back", () => {
  it("DF-FORM-02, DF-DYN-01, DF-DYN-07: other fields for another type, nothing stored, and the same session", async () => {
    await using it = await scene();
    const before = it.stored();
    const { form } = await it.send("get", get);
    expect(form.session).toMatch(/^[0-9a-f]{32}$/);
    expect(field(form, "type").postBack).toBe(true);
    expect(names(form)).not.toContain("words");

    const text = await it.send("set", post(submit({ type: "string" }, form.session)));
    expect(text.name).toBe("x");
    expect(text.form.session).toBe(form.session);
    expect(field(text.form, "type").values).toEqual(["string"]);
    expect(names(text.form)).toContain("words");
    expect(names(text.form)).not.toContain("mask");

    // What belongs to the former choice is discarded by leaving its field out.
    const field2 = await it.send("set", post(submit({ type: "bitfield", words: "9" }, form.session)));
    expect(names(field2.form)).toContain("mask");
    expect(names(field2.form)).not.toContain("words");
    expect(errorsIn(field2.form)).toEqual({});
    expect(it.stored()).toBe(before);

    const done = await it.send("set", set(submit({ type: "bitfield", mask: "15", words: "9" }, form.session)));
    expect(done.name).toBe("nodeInfo");
    expect(it.tree.find({ nodeId: "r", sourceId: "", partition: "" })?.record.settings).toEqual({
      fieldName: "Power",
      address: 1,
      type: "bitfield",
      mask: 15,
    });
    // The operation is over, and with it the session.
    expect((await it.send("set", post(submit({}, form.session)))).condition).toBe("item-not-found");
  });

  it("DF-DYN-04: what is wrong is said on the field in a result, and what was posted is certain now", async () => {
    await using it = await scene();
    const { form } = await it.send("get", get);
    const reply = await it.send("set", post(submit({ address: "high", min: "9" }, form.session)));
    expect(reply.name).toBe("x");
    expect(errorsIn(reply.form)).toEqual({ address: expect.stringMatching(/ is expected\.$/) });
    expect(field(reply.form, "address")).toMatchObject({ values: ["high"], notSame: false });
  });

  it("DF-DYN-02, DF-DYN-06: of nobody else, of no form that knows none, and not for ever", async () => {
    await using it = await scene();
    const { session } = (await it.send("get", get)).form;
    const gone = { condition: "item-not-found", type: "cancel" };
    expect(await it.send("set", post(submit({}, session)), "owner@city.example/other")).toMatchObject(gone);
    expect(await it.send("set", post(submit({}, "0".repeat(32))))).toMatchObject(gone);
    expect(await it.send("set", post(submit({})))).toMatchObject(gone);
    expect((await it.send("set", post(""))).condition).toBe("bad-request");
    expect((await it.send("get", post(submit({}, session)))).condition).toBe("feature-not-implemented");
    const plain = await it.send("get", say("getNodeParametersForEdit", "id='line'"));
    expect(plain.form.session).toBe("");
    await it.bench.clock.advance(formIdleMs - 1_000);
    expect((await it.send("set", post(submit({}, session)))).name).toBe("x");
    await it.bench.clock.advance(formIdleMs);
    expect(await it.send("set", post(submit({}, session)))).toMatchObject(gone);
  });

  it("DF-DYN-03: given up, and over; with whoever left, too", async () => {
    await using it = await scene();
    const first = (await it.send("get", get)).form.session;
    expect((await it.send("set", giveUp(submit({}, first)))).name).toBe("");
    expect((await it.send("set", giveUp(submit({}, first)))).condition).toBe("item-not-found");
    const second = (await it.send("get", get)).form.session;
    it.forms.gone(owner);
    expect((await it.send("set", post(submit({}, second)))).condition).toBe("item-not-found");
    const third = (await it.send("get", get)).form.session;
    it.forms.withdrawn("owner@city.example");
    expect((await it.send("set", post(submit({}, third)))).condition).toBe("item-not-found");
  });

  it("DF-DYN-02, COM-AUTH-09: rights are asked for anew at each post-back", async () => {
    await using it = await scene();
    const { session } = (await it.send("get", get)).form;
    await it.send("set", say("destroyNode", "id='line'"));
    expect((await it.send("set", post(submit({}, session)))).condition).toBe("item-not-found");
  });

  it("CON-EDIT-05, CON-NEW-03: a rejected form keeps its session; a new node's form has one as well", async () => {
    await using it = await scene();
    const asked = await it.send("get", say("getParametersForNewNode", "id='unit' type='modbus.register'"));
    const make = (answers: Record<string, string>) =>
      it.send("set", say("createNewNode", "id='unit' type='modbus.register'", submit(answers, asked.form.session)));
    const rejected = await make({ type: "string", words: "0", min: "9", max: "1", writable: "1" });
    expect(rejected.form.session).toBe(asked.form.session);
    expect(errorsIn(rejected.form)).toEqual({
      NodeId: "This is needed.",
      fieldName: "This is needed.",
      address: "This is needed.",
      words: "At least 1.",
    });
    const posted = await it.send("set", post(submit({ type: "enum" }, asked.form.session)));
    expect(names(posted.form)).toContain("names");
    const again = await make({ NodeId: "t", fieldName: "Text", address: "7", min: "9", max: "1", writable: "1" });
    expect(errorsIn(again.form)).toEqual({ max: "Not less than the least value." });
    expect((await make({ NodeId: "t", fieldName: "Text", address: "7", min: "1", max: "9", writable: "1" })).name).toBe(
      "nodeInfo",
    );
  });
});

it("DF-DYN-02: no more than so many of one person at once, the oldest go", () => {
  const forms = createDynamicForms({ clock: manualClock(), languages: english });
  const form = {
    title: "",
    instructions: [],
    session: "",
    fields: [filledField({ name: "a", label: "A", postBack: true })],
  };
  const caller = (fullJid: string) => ({ fullJid, language: "en", bareJid: "", tokens: { ...noTokens, user: ["t"] } });
  const bob = caller("bob@a/1");
  const withAnotherResource = caller("bob@a/2");
  const first = forms.bound(bob, form).session;
  const tokens = () => forms.tokensOf("bob@a/1", first, noTokens).user;
  for (let count = 1; count < formsPerJidMax; count++) forms.bound(bob, form);
  forms.bound(caller("eve@a/1"), form);
  expect(tokens()).toEqual(["t"]);
  // However many resources he has.
  forms.bound(withAnotherResource, form);
  expect(tokens()).toEqual([]);
});
