// What registry and roles are told of the tree, over the real tree.

import { expect, it } from "vitest";
import { rootRef } from "#contract/node.ts";
import { followTree } from "#edge/things.ts";
import { refOf, scene } from "../concentrator/scene.ts";

async function follow(known: readonly string[] = []) {
  const it = scene();
  const told: string[] = [];
  it.add("sim.line", "attic");
  it.add("sim.meter", "a", {}, "attic");
  it.add("sim.meter", "b", {}, "attic");
  const stop = new AbortController();
  const running = followTree(
    it.tree,
    {
      discovery: {
        removed: ref => void told.push(`removed ${ref.nodeId}`),
        renamed: (from, to) => void told.push(`renamed ${from.nodeId} ${to.nodeId}`),
        thingsChanged: () => void told.push("look"),
        list: () =>
          known.map(nodeId => ({
            ref: nodeId === "" ? rootRef : refOf(nodeId, "attic"),
            state: "registered",
            owner: undefined,
            uri: undefined,
          })),
      },
      roles: {
        removed: ref => void told.push(`no roles on ${ref.nodeId}`),
        renamed: (from, to) => void told.push(`roles of ${from.nodeId} on ${to.nodeId}`),
      },
    },
    it.clock,
  )(stop.signal);
  await it.clock.advance(0);
  return {
    ...it,
    told: async () => {
      await it.clock.advance(1_000);
      return told.splice(0);
    },
    async end() {
      stop.abort();
      await running;
    },
  };
}

it("CON-EDIT-07, CON-DEL-03, DISCO-EDGE-02: renamed, taken out, moved, removed: each is told what is its own", async () => {
  const it = await follow();
  const a = it.tree.find(refOf("a"));
  const record = a?.record;
  if (record === undefined) throw new Error("no node");
  const { settings, displayName, tags } = record;
  const edit = (nodeId: string, options = {}) =>
    it.tree.edit([{ node: a?.ref ?? refOf("a"), nodeId, displayName, settings, tags, options }]);
  edit("z");
  expect(await it.told()).toEqual(["roles of a on z", "renamed a z", "look"]);
  edit("z", { registered: false });
  expect(await it.told()).toEqual(["removed z", "look"]);
  edit("z", {});
  expect(await it.told()).toEqual(["look"]);
  it.tree.move([refOf("b")], "up");
  expect(await it.told()).toEqual([]);
  await it.tree.destroy(refOf("attic"));
  // After the move, b comes before z; descendants go in reverse.
  const gone = ["z", "b", "attic"].flatMap(id => [`no roles on ${id}`, `removed ${id}`]);
  expect(await it.told()).toEqual([...gone, "look"]);
  await it.end();
});

it("CON-DEL-03: what the registry knows and the tree does not is told first: the program may have ended in between", async () => {
  const it = await follow(["", "a", "gone"]);
  expect(await it.told()).toEqual(["removed gone"]);
  await it.end();
});
