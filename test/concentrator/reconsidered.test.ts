// What runs in somebody's name when his right is gone: it ends at once, also when it has nothing to say at that moment.

import { expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { grantWhere } from "#concentrator/rules.ts";
import { commandScene } from "../xmpp/iot/commands-scene.ts";
import { callerOf, never } from "./scene.ts";

const tenant = "tenant@example.org";
const installer = "installer@example.org";

it("COM-AUTH-09: a query that says nothing and a sniffer that hears nothing end with the right, not at their next word", async () => {
  const owners = new Map([["a", tenant]]);
  let mayListen = true;
  const listening: Rule = {
    name: "test",
    ask: question => (question.caller.bareJid === installer && mayListen ? grantWhere(question, () => true) : []),
  };
  await using it = await commandScene([listening], owners);
  const { concentrator } = it.scene;
  let aborted = false;
  it.devices.queries.set("a", async (_, signal) => {
    await new Promise<void>(resolve => signal.addEventListener("abort", () => resolve(), { once: true }));
    aborted = true;
  });
  const a = it.scene.tree.find({ nodeId: "a", sourceId: "MeteringTopology", partition: "" });
  const line = it.scene.tree.find({ nodeId: "line", sourceId: "MeteringTopology", partition: "" });
  if (a === undefined || line === undefined) throw new Error("no node");
  await concentrator.startQuery(callerOf(tenant), [a.ref], "Ask", "q1", undefined, never);
  await concentrator.registerSniffer(callerOf(installer), line.ref, undefined, never);
  await it.bench.clock.advance(0);
  concentrator.rightsChanged();
  await it.bench.clock.advance(0);
  // Nothing changed: all goes on.
  expect([aborted, it.devices.listeners("line")]).toEqual([false, 1]);

  owners.delete("a");
  mayListen = false;
  concentrator.rightsChanged();
  await it.bench.clock.advance(0);
  expect([aborted, it.devices.listeners("line")]).toEqual([true, 0]);
  expect([...line.messages.keys()]).not.toContain("sniffer");
  // His id and his quota are free again.
  owners.set("a", tenant);
  await concentrator.startQuery(callerOf(tenant), [a.ref], "Ask", "q1", undefined, never);
});
