// Who is told the codes of labels, and who may make new ones: the rules and the ownership of the running appliance.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "#contract/caller.ts";
import { noTokens } from "#contract/caller.ts";
import type { NodeRef } from "#contract/node.ts";
import { createLabelCommands } from "#edge/label-commands.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { reportLog } from "../drivers/report-log.ts";
import { board, heat, line, type OwnedScene, ownedScene, rootRef, water } from "./owned-scene.ts";

const never = new AbortController().signal;
const landlord = "landlord@hub.example";
const tenant = "tenant@hub.example";

let scene: OwnedScene;
beforeEach(async () => {
  scene = await ownedScene({ name: "House 12", room: "Cellar", language: "de" });
});
afterEach(() => scene[Symbol.asyncDispose]());

const callerOf = (bareJid: string): Caller => ({ bareJid, fullJid: `${bareJid}/x`, tokens: noTokens, language: "en" });

/** As the appliance decides it: first the right to run commands of the node, then the command. Undefined: there is none. */
async function run(who: string, at: NodeRef, id: "Labels" | "NewCodes", nodes = "") {
  const caller = callerOf(who);
  const { tree, discovery, concentrator, clock } = scene;
  await concentrator.require(caller, "execute", [at], never);
  const node = tree.find(at);
  if (node === undefined) throw new Error("no node");
  const commandsOf = createLabelCommands({
    tree,
    discovery,
    mayExecute: (...asked) => concentrator.allowed(asked[0], "execute", asked[1], asked[2]),
    settings: { name: "House 12", room: "Cellar", language: "de" },
    clock,
  });
  const command = commandsOf(node, caller).find(one => one.id === id);
  if (command?.kind !== "query") return undefined;
  const report = reportLog();
  const working = command.query({ nodes }, report, never);
  const over = working.then(
    () => "",
    (error: Error) => error.message,
  );
  for (let turn = 0; turn < 20; turn++) await clock.advance(200);
  const [, ...rows] = report.rows;
  return { error: await over, ...report, rows, about: report.rows[0] };
}

const people = {
  installer: "installer@hub.example",
  plumber: "plumber@hub.example",
  viewer: "viewer@hub.example",
  contact: "contact@hub.example",
  stranger: "stranger@hub.example",
};
const nodeOf = (row: unknown[]) => row[0] ?? "";
const codeOf = (row: unknown[] | undefined) => row?.[8] as string | undefined;

async function inhabited() {
  await scene.claim(rootRef, landlord);
  await scene.claim(water, tenant, false);
  const { roles } = scene.rights;
  const giver = callerOf(landlord);
  roles.grant(giver, { jid: people.installer, role: "installer", node: rootRef });
  roles.grant(giver, { jid: people.plumber, role: "installer", node: line });
  roles.grant(giver, { jid: people.viewer, role: "viewer", node: rootRef });
  scene.contacts.add(people.contact);
}

describe("who is told", () => {
  beforeEach(inhabited);

  it("URI-KIND-03: the owner of the appliance, all of it; and no code of what somebody owns", async () => {
    const told = await run(landlord, board, "Labels");
    expect(told?.error).toBe("");
    expect(told?.about).toEqual(["reg.hub.example", "de"]);
    expect(told?.rows.map(nodeOf)).toEqual(["", "heat-3", "water-7"]);
    expect(told?.rows[0]?.slice(3)).toEqual(["House 12", undefined, "Isthmus 0.1.0", "Cellar", "claimed", undefined]);
    expect(codeOf(told?.rows[1])).toBe(scene.discovery.claimUri(heat));
    expect(codeOf(told?.rows[1])).toMatch(/^iotdisco:.*KEY=/);
    expect(told?.rows[2]?.slice(7)).toEqual(["claimed", undefined]);
  });

  it("his installers, of all or of what they set up", async () => {
    expect((await run(people.installer, board, "Labels"))?.rows.map(nodeOf)).toEqual(["", "heat-3", "water-7"]);
    const told = await run(people.plumber, line, "Labels");
    expect(told?.rows.map(nodeOf)).toEqual(["heat-3", "water-7"]);
    expect(codeOf(told?.rows[0])).toBe(scene.discovery.claimUri(heat));
    await expect(run(people.plumber, board, "Labels")).rejects.toMatchObject({ kind: "not-found" });
  });

  it("who owns a node, what stands on its own label; of his neighbours' nothing", async () => {
    expect((await run(tenant, water, "Labels"))?.rows.map(nodeOf)).toEqual(["water-7"]);
    for (const at of [board, line, heat])
      await expect(run(tenant, at, "Labels")).rejects.toMatchObject({ name: "Refusal" });
  });

  it.each([people.viewer, people.contact, people.stranger])("COM-AUTH-02: not %s, of nothing", async who => {
    for (const at of [board, line, heat, water]) {
      for (const command of ["Labels", "NewCodes"] as const)
        await expect(run(who, at, command)).rejects.toMatchObject({ name: "Refusal" });
    }
  });

  it("COM-AUTH-09: a right that ends while it is told ends what is told", async () => {
    const caller = callerOf(landlord);
    const node = scene.tree.find(board);
    const commandsOf = createLabelCommands({
      ...scene,
      mayExecute: async () => new Set(),
      settings: { name: "", room: "", language: "en" },
    });
    const command = node && commandsOf(node, caller).find(({ id }) => id === "Labels");
    const report = reportLog();
    if (command?.kind === "query") await command.query({ nodes: "" }, report, never);
    expect(JSON.stringify(report)).not.toContain("iotdisco");
  });

  it("only what was named, and a name there is not is said", async () => {
    expect((await run(landlord, board, "Labels", "water-7\n heat-3 \n\n"))?.rows.map(nodeOf)).toEqual([
      "water-7",
      "heat-3",
    ]);
    expect((await run(landlord, board, "Labels", "heat-4"))?.error).toBe("There is no thing heat-4 here.");
    expect((await run(people.plumber, line, "Labels", "board"))?.error).toBe("There is no thing board here.");
  });

  it("a node without things has no such command", async () => {
    scene.tree.import("MeteringTopology", [{ type: "sim.line", id: "empty" }]);
    expect(await run(landlord, { ...line, nodeId: "empty" }, "Labels")).toBeUndefined();
  });
});

describe("new codes", () => {
  beforeEach(inhabited);

  it("for what nobody owns; what is owned is left alone", async () => {
    const before = scene.discovery.claimUri(heat);
    const told = await run(landlord, board, "NewCodes");
    expect(told?.error).toBe("");
    expect(told?.rows.map(nodeOf)).toEqual(["heat-3"]);
    expect(codeOf(told?.rows[0])).toBe(scene.discovery.claimUri(heat));
    expect(scene.discovery.claimUri(heat)).not.toBe(before);
    expect(scene.discovery.ownerOf(water)).toBe(tenant);
  });

  it("by who sets up the line, and not by who owns another node of it", async () => {
    const before = scene.discovery.claimUri(heat);
    await expect(run(tenant, line, "NewCodes")).rejects.toMatchObject({ name: "Refusal" });
    expect((await run(tenant, water, "NewCodes"))?.rows).toEqual([]);
    expect(scene.discovery.claimUri(heat)).toBe(before);
    expect((await run(people.plumber, line, "NewCodes"))?.rows.map(nodeOf)).toEqual(["heat-3"]);
    expect(scene.discovery.claimUri(heat)).not.toBe(before);
  });

  it("while the registry is away nothing is changed, and the sentence says so", async () => {
    const before = scene.discovery.claimUri(heat);
    scene.link.script = () => {
      throw new StanzaError("wait", "service-unavailable");
    };
    const told = await run(landlord, board, "NewCodes");
    expect(told?.error).toMatch(/the code is the one it was, and its label stays right/);
    expect(told?.rows).toEqual([]);
    expect(scene.discovery.claimUri(heat)).toBe(before);
  });

  it("one that is claimed at that moment does not keep the others from theirs", async () => {
    await scene.disown(water);
    await scene.clock.advance(10_000);
    const before = scene.discovery.claimUri(water);
    scene.link.script = ({ payload }) =>
      payload.attrs.id === "heat-3"
        ? `<claimed xmlns='${payload.ns}' jid='${tenant}' id='heat-3' src='MeteringTopology' pt='attic' public='false'/>`
        : "";
    const told = await run(landlord, board, "NewCodes");
    expect(told?.error).toBe("");
    expect(told?.messages).toEqual(["heat-3 (attic): It was claimed a moment ago, and so it has no code any more."]);
    expect(told?.rows.map(nodeOf)).toEqual(["water-7"]);
    expect(scene.discovery.claimUri(water)).not.toBe(before);
    expect(scene.discovery.ownerOf(heat)).toBe(tenant);
  });
});
