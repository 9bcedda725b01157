// The lines that changes leave in the log: of editing, through the concentrator over real SQLite.

import { describe, expect, it } from "vitest";
import { formatLogEvent } from "#base/log.ts";
import type { Submission } from "#contract/filled-form.ts";
import { callerOf, never, owner, refOf, scene } from "../concentrator/scene.ts";

const submit = (values: Readonly<Record<string, string>>): Submission => ({
  fields: Object.entries(values).map(([name, value]) => ({ name, values: [value] })),
});

describe("COM-AUTH-10: who changed what", () => {
  it("of nodes made, edited, moved and removed: by whom, from where, the whole address, the fields and no secrets", async () => {
    const { concentrator, ...one } = scene();
    const line = one.add("test.line", "attic");
    await one.start();
    const caller = callerOf(owner);
    await concentrator.createNode(caller, line, "test.device", submit({ NodeId: "a", password: "hunter2" }), never);
    await concentrator.createNode(caller, line, "test.device", submit({ NodeId: "b" }), never);
    const [a, b] = [refOf("a", "attic"), refOf("b", "attic")];
    await concentrator.editNodes(caller, [a], submit({ password: "swordfish", scale: "2" }), never);
    await concentrator.moveNodes(caller, [b], "up", never);
    await concentrator.destroyNode(caller, line, never);
    const lines = one.events.filter(({ facts }) => facts.audit === true);
    expect(lines.map(({ event, facts }) => [event, facts.nodes])).toEqual([
      ["node-created", [a]],
      ["node-created", [b]],
      ["nodes-edited", [a]],
      ["nodes-moved", [b]],
      ["nodes-destroyed", expect.arrayContaining([line, a, b])],
    ]);
    for (const { facts } of lines) expect(facts).toMatchObject({ by: owner, from: `${owner}/test` });
    expect(lines[2]?.facts.fields).toEqual(["password", "scale"]);
    const text = one.events.map(formatLogEvent).join("\n");
    expect(text).not.toMatch(/hunter2|swordfish/);
    await one.stop();
  });

  it("what was refused changed nothing and is no such line", async () => {
    const { concentrator, ...one } = scene();
    const line = one.add("test.line", "attic");
    await one.start();
    const caller = callerOf("stranger@example.org");
    await expect(concentrator.destroyNode(caller, line, never)).rejects.toMatchObject({ kind: "denied" });
    await expect(
      concentrator.createNode(callerOf(owner), line, "test.device", submit({ NodeId: "a", scale: "x" }), never),
    ).rejects.toThrow();
    expect(one.events.filter(({ facts }) => facts.audit === true)).toEqual([]);
    await one.stop();
  });
});
