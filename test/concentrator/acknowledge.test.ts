// Messages an operator has seen: they count less, stay so over a restart, and are new again when they say something new.

import { expect, it } from "vitest";
import { stateOf } from "#concentrator/status.ts";
import type { NodeState } from "#contract/node.ts";
import { refOf, type Scene, scene } from "./scene.ts";

const state = (it: Scene): NodeState | undefined => {
  const node = it.tree.find(refOf("a"));
  return node && stateOf(node);
};
const warn = (it: Scene, event: string, text: string) => {
  const node = it.tree.find(refOf("a"));
  if (node !== undefined) it.tree.warn(node, event, text);
};
const fail = (it: Scene) => {
  const node = it.tree.find(refOf("a"));
  if (node !== undefined) it.tree.failed(node, new DOMException("x", "AbortError"));
};

it("CON-NI-03: acknowledged messages count less than any that is not, and the worst decides", async () => {
  const it = scene();
  it.add("test.device", "a");
  expect(state(it)).toBe("None");
  warn(it, "W", "Low battery.");
  expect(state(it)).toBe("WarningUnsigned");
  expect(it.tree.acknowledge(refOf("a"))).toBe(1);
  expect(state(it)).toBe("WarningSigned");
  expect(it.tree.acknowledge(refOf("a")), "nothing is left to sign").toBe(0);
  fail(it);
  expect(state(it)).toBe("ErrorUnsigned");
  expect(it.tree.acknowledge(refOf("a"), ["W", "unknown"])).toBe(0);
  expect(it.tree.acknowledge(refOf("a"), ["internal"])).toBe(1);
  expect(state(it), "an error that was seen is still worse than a warning").toBe("ErrorSigned");
  warn(it, "V", "Clock is wrong.");
  expect(state(it)).toBe("ErrorSigned");
  const node = it.tree.find(refOf("a"));
  if (node !== undefined) it.tree.recovered(node);
  expect(state(it), "what is over is over, signed or not").toBe("WarningUnsigned");
  expect(() => it.tree.acknowledge(refOf("zz"))).toThrow(/no node zz/);
});

it("CON-NI-03: the same said again stays signed, other words are new; an information that was seen is gone", async () => {
  const it = scene();
  it.add("test.device", "a");
  warn(it, "W", "Low battery.");
  it.tree.acknowledge(refOf("a"));
  warn(it, "W", "Low battery.");
  expect(state(it)).toBe("WarningSigned");
  warn(it, "W", "Battery empty.");
  expect(state(it)).toBe("WarningUnsigned");
  it.tree.acknowledge(refOf("a"));
  const node = it.tree.find(refOf("a"));
  fail(it);
  if (node !== undefined) it.tree.recovered(node);
  expect(node?.messages.has("recovered")).toBe(true);
  it.tree.acknowledge(refOf("a"));
  expect([...(node?.messages.keys() ?? [])]).toEqual(["W"]);
});

it("CON-NI-03, CON-EVT-04: a signature outlives the program and is told of", async () => {
  const it = scene();
  it.add("test.device", "a");
  await it.start();
  warn(it, "W", "Low battery.");
  const kinds: string[] = [];
  it.tree.whenChanged(change => kinds.push(change.kind));
  it.tree.acknowledge(refOf("a"));
  expect(kinds).toEqual(["status"]);
  await it.stop();
  it.history.flush();
  const after = it.restart();
  expect(state(after)).toBe("WarningSigned");
});
