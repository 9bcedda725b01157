// Commands on the wire, over the real concentrator: who sees and executes which, forms there and back, one node and several.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import * as wire from "#iot/commands.wire.ts";
import { form } from "#iot/data-form.wire.ts";
import { namespace } from "#iot/generations.ts";
import { child, type Element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type CommandScene, commandScene, node, ns, owner, stranger } from "./commands-scene.ts";

const submit = (fields: Record<string, string>, type = "submit") =>
  `<x xmlns='jabber:x:data' type='${type}'>${Object.entries(fields)
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join("")}</x>`;
const conditionOf = (reply: string): string => {
  const error = parse(reply);
  return error.name === "error" ? (elements(error)[0] as Element).name : `no error: ${reply}`;
};
const formIn = (reply: string) => form.decode(child(parse(reply), "x", "jabber:x:data") as Element);
const commandsIn = (reply: string) => wire.commands.decode(parse(reply));
const idsOf = (reply: string) => commandsIn(reply).map(one => one.commandId);
const refuseExecution: Rule = {
  name: "sees, executes nothing",
  ask: ({ caller, nodes, right, categories, names }) =>
    caller.bareJid === "watcher@example.org" && right === "view"
      ? nodes.map(one => ({ node: one, grant: { categories, names } }))
      : [],
};

describe("commands of a node", () => {
  it("CON-CMD-01, -02, -03, CON-NI-04: those the caller may execute, with stable ids, each once", async () => {
    await using it = await commandScene();
    const list = commandsIn(await it.ask("get", "getNodeCommands", node("a")));
    expect(list.map(one => one.commandId)).toEqual([
      "ReadNow",
      "LogMessage",
      "EraseMessages",
      "Reset",
      "Break",
      "Calibrate",
      "Ask",
      "AskMore",
    ]);
    expect(new Set(list.map(one => one.commandId)).size).toBe(list.length);
    for (const one of list) expect(one.sortCategory === undefined).toBe(one.sortKey === undefined);
    expect(list.find(one => one.commandId === "Reset")).toEqual({
      commandId: "Reset",
      name: "Reset it",
      type: "Simple",
      sortCategory: "Service",
      sortKey: "1",
      confirmation: "Really?",
      success: "Done.",
      failure: "Not done.",
    });
    expect(commandsIn(await it.ask("get", "getNodeCommands", node("a"), "", stranger))).toEqual([]);
    expect(conditionOf(await it.ask("get", "getNodeCommands", node("zz")))).toBe("item-not-found");
    expect(conditionOf(await it.ask("get", "getNodeCommands", node("a"), "", "eve@example.org/x"))).toBe(
      "item-not-found",
    );
    const shown = await it.ask("get", "getNode", node("a"));
    expect(shown).toContain("hasCommands='true'");
    expect(await it.ask("get", "getNode", node("a"), "", stranger)).not.toContain("hasCommands");
  });

  it("CON-CMD-04, CON-DIS-02, COM-NS-06: the type is written as each generation reads it", async () => {
    await using it = await commandScene();
    for (const [generation, word] of [
      ["nfi", "Parameterized"],
      ["nf", "Parametrized"],
      ["ieee", "Parametrized"],
    ] as const) {
      const said = namespace("concentrator", generation);
      const reply = await it.ask("get", "getNodeCommands", node("a"), "", owner, said);
      expect(reply).toContain(`<commands xmlns='${said}'>`);
      const types = new Map(commandsIn(reply).map(one => [one.commandId, one.type]));
      expect(types.get("Calibrate")).toBe(word);
      expect(types.get("Reset")).toBe("Simple");
      expect(types.get("Ask")).toBe("Query");
    }
  });

  it("CON-CMD-05: the form of a command, an empty one for a simple one; unknown and forbidden are told apart", async () => {
    await using it = await commandScene([refuseExecution]);
    const shown = form.decode(parse(await it.ask("get", "getCommandParameters", `${node("a")} command='Calibrate'`)));
    expect(shown.title).toBe("Calibrate end stops");
    expect(shown.fields.map(({ name, kind, required, values }) => [name, kind, required, values])).toEqual([
      ["speed", "text", true, []],
      ["note", "text", false, ["none"]],
      ["pin", "secret", false, []],
    ]);
    for (const id of ["Reset", "Ask"]) {
      const empty = form.decode(parse(await it.ask("get", "getCommandParameters", `${node("a")} command='${id}'`)));
      expect(empty.fields).toEqual([]);
    }
    const refused = (command: string, from: string) =>
      it.ask("get", "getCommandParameters", `${node("a")} command='${command}'`, "", from).then(conditionOf);
    expect(await refused("Nothing", owner)).toBe("item-not-found");
    expect(await refused("Reset", "watcher@example.org/x")).toBe("forbidden");
    expect(await refused("Nothing", "watcher@example.org/x")).toBe("item-not-found");
    expect(await refused("Reset", "eve@example.org/x")).toBe("item-not-found");
  });
});

describe("execution", () => {
  const execute = (it: CommandScene, command: string, children = "", from = owner, id = "a") =>
    it.ask("set", "executeNodeCommand", `${node(id)} command='${command}'`, children, from);

  it("CON-EXEC-01: simple with and without an empty form, parameterized only with one, queries not at all", async () => {
    await using it = await commandScene();
    expect(await execute(it, "Reset")).toBe("");
    expect(await execute(it, "Reset", submit({}))).toBe("");
    expect(conditionOf(await execute(it, "Reset", submit({ speed: "1" })))).toBe("bad-request");
    expect(conditionOf(await execute(it, "Calibrate"))).toBe("bad-request");
    expect(conditionOf(await execute(it, "Ask"))).toBe("bad-request");
    expect(conditionOf(await execute(it, "Nothing"))).toBe("item-not-found");
    expect(conditionOf(await execute(it, "Reset", "", stranger))).toBe("forbidden");
    expect(conditionOf(await it.ask("get", "executeNodeCommand", `${node("a")} command='Reset'`))).toBe(
      "feature-not-implemented",
    );
    expect(it.devices.executed.map(one => one.id)).toEqual(["Reset", "Reset"]);
  });

  it("CON-EXEC-03, -04, DF-ERR-01: what is wrong comes back on its field; nothing was executed", async () => {
    await using it = await commandScene();
    const reply = await execute(
      it,
      "Calibrate",
      submit({ speed: "99", note: "x".repeat(30), odd: "1", pin: "s3cret" }),
    );
    expect(conditionOf(reply)).toBe("not-acceptable");
    expect(reply).not.toContain("s3cret");
    const back = formIn(reply);
    expect(back.fields.map(({ name, values, error }) => [name, values, error !== ""])).toEqual([
      ["speed", ["99"], true],
      ["note", ["x".repeat(30)], true],
      ["pin", [], false],
    ]);
    expect(back.instructions.join()).toContain("odd");
    expect(it.devices.executed).toEqual([]);
    expect(await execute(it, "Calibrate", submit({ speed: "3" }))).toBe("");
    expect(await execute(it, "Calibrate", submit({ speed: "4", note: "fast" }))).toBe("");
    expect(it.devices.executed.map(one => one.values)).toEqual([
      { speed: 3, note: "none", pin: "" },
      { speed: 4, note: "fast", pin: "" },
    ]);
    const failed = await execute(it, "Break");
    expect(conditionOf(failed)).toBe("not-allowed");
    expect(failed).toContain("a is stuck.");
    expect(failed).not.toContain("jabber:x:data");
    // Given up is nothing done.
    expect(await execute(it, "Calibrate", submit({}, "cancel"))).toBe("");
    expect(conditionOf(await execute(it, "Calibrate", submit({}, "result")))).toBe("bad-request");
    expect(it.devices.executed).toHaveLength(2);
  });

  it("COM-AUTH-10: each execution is in the log, with the names of what was given and no values", async () => {
    await using it = await commandScene();
    await execute(it, "Calibrate", submit({ speed: "3", pin: "s3cret" }));
    const told = it.scene.events.filter(({ facts }) => JSON.stringify(facts).includes("Calibrate"));
    expect(told).toHaveLength(1);
    expect(JSON.stringify(told)).toContain(owner);
    expect(JSON.stringify(told)).toContain("speed");
    expect(JSON.stringify(it.scene.events)).not.toContain("s3cret");
  });

  it("CON-EXEC-02: long work is answered for and goes on; its failure is told on the node", async () => {
    await using it = await commandScene();
    let finish = (_error?: Error) => {};
    it.scene.plans.set("a", async () => ({
      commands: [
        {
          id: "Long",
          kind: "simple" as const,
          title: "Take long",
          execute: () =>
            new Promise<void>((resolve, reject) => (finish = error => (error ? reject(error) : resolve()))),
        },
      ],
    }));
    await it.scene.tree.destroy({ nodeId: "a", sourceId: "MeteringTopology", partition: "" });
    it.scene.add("test.device", "a", { plan: "a" });
    await it.bench.clock.advance(10);
    let replied = "";
    const reply = execute(it, "Long").then(said => (replied = said || "empty"));
    await it.bench.clock.advance(4_900);
    expect(replied).toBe("");
    await it.bench.clock.advance(200);
    await reply;
    expect(replied).toBe("empty");
    finish(new Error("our own bug"));
    await it.bench.clock.advance(10);
    const shown = await it.ask("get", "getNode", `${node("a")} messages='true'`);
    expect(shown).toContain("command-failed");
    expect(shown).not.toContain("our own bug");
    expect(shown).toContain("state='ErrorUnsigned'");
  });

  it("every node: a message is logged on it, and all are erased", async () => {
    await using it = await commandScene();
    expect(await execute(it, "LogMessage", submit({ type: "Warning", text: "loose cable" }))).toBe("");
    let shown = await it.ask("get", "getNode", `${node("a")} messages='true'`);
    expect(shown).toContain("loose cable");
    expect(shown).toContain("state='WarningUnsigned'");
    expect(await execute(it, "EraseMessages")).toBe("");
    shown = await it.ask("get", "getNode", `${node("a")} messages='true'`);
    expect(shown).not.toContain("loose cable");
    expect(conditionOf(await execute(it, "LogMessage", submit({ text: "x" }), stranger))).toBe("forbidden");
  });
});

describe("several nodes", () => {
  const nds = (...ids: string[]) => ids.map(id => `<nd ${node(id)}/>`).join("");

  it("CON-COMMCMD-01: what is alike on all, and executable on all", async () => {
    await using it = await commandScene();
    expect(idsOf(await it.ask("get", "getCommonNodeCommands", "", nds("a", "b")))).toContain("Calibrate");
    expect(idsOf(await it.ask("get", "getCommonNodeCommands", "", nds("a", "odd")))).not.toContain("Calibrate");
    expect(idsOf(await it.ask("get", "getCommonNodeCommands", "", nds("a", "odd")))).toContain("Reset");
    expect(idsOf(await it.ask("get", "getCommonNodeCommands", "", nds("a", "b"), stranger))).toEqual([]);
    expect(conditionOf(await it.ask("get", "getCommonNodeCommands"))).toBe("bad-request");
    expect(conditionOf(await it.ask("get", "getCommonNodeCommands", "", nds("a", "zz")))).toBe("item-not-found");
    const shown = await it.ask("get", "getCommonCommandParameters", "command='Calibrate'", nds("a", "b"));
    expect(form.decode(parse(shown)).fields.map(({ name }) => name)).toEqual(["speed", "note", "pin"]);
    expect(conditionOf(await it.ask("get", "getCommonCommandParameters", "command='Calibrate'", nds("a", "odd")))).toBe(
      "item-not-found",
    );
  });

  it("CON-COMMCMD-02, -03, CON-DIS-05, -09: each node's own command, a result for each nd in order", async () => {
    await using it = await commandScene();
    const results = async (type: "get" | "set", command: string, children: string) =>
      wire.partialExecution.decode(
        parse(await it.ask(type, "executeCommonNodeCommand", `command='${command}'`, children)),
      );
    expect(await results("set", "Reset", nds("b", "a", "b"))).toEqual([
      { ok: true, error: undefined },
      { ok: true, error: undefined },
      { ok: true, error: undefined },
    ]);
    expect(it.devices.executed.map(one => one.plan).toSorted()).toEqual(["a", "b"]);
    expect(await results("get", "Break", nds("a", "odd"))).toEqual([
      { ok: false, error: "a is stuck." },
      { ok: false, error: "odd is stuck." },
    ]);
    it.devices.executed.length = 0;
    expect(await results("set", "Calibrate", submit({ speed: "2" }) + nds("a", "b"))).toHaveLength(2);
    expect(it.devices.executed.map(one => one.plan).toSorted()).toEqual(["a", "b"]);
    const wrong = await it.ask(
      "set",
      "executeCommonNodeCommand",
      "command='Calibrate'",
      nds("a", "b") + submit({ speed: "x" }),
    );
    expect(conditionOf(wrong)).toBe("not-acceptable");
    expect(formIn(wrong).fields[0]?.error).not.toBe("");
    const refused = (children: string, command = "Reset", from = owner) =>
      it.ask("set", "executeCommonNodeCommand", `command='${command}'`, children, from).then(conditionOf);
    expect(await refused(nds("a", "zz"))).toBe("item-not-found");
    expect(await refused(nds("a", "odd"), "Calibrate")).toBe("item-not-found");
    expect(await refused(nds("a"), "Reset", stranger)).toBe("forbidden");
    expect(await refused("")).toBe("bad-request");
    expect(it.devices.executed).toHaveLength(2);
  });

  it("CON-CAPS-03: every operation is listed", async () => {
    await using it = await commandScene();
    const listed = await it.ask("get", "getCapabilities");
    for (const name of [
      "getNodeCommands",
      "getCommandParameters",
      "executeNodeCommand",
      "executeNodeQuery",
      "abortNodeQuery",
      "getCommonNodeCommands",
      "getCommonCommandParameters",
      "executeCommonNodeCommand",
      "executeCommonNodeQuery",
      "abortCommonNodeQuery",
      "registerSniffer",
      "unregisterSniffer",
    ]) {
      expect(listed).toContain(`<value>${name}</value>`);
    }
    expect(listed).toContain(ns);
  });
});
