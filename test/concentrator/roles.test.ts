// Roles given to others, over a real tree and a real store: who may give them, what they allow, and when they are over.

import { describe, expect, it } from "vitest";
import type { Right } from "#concentrator/admission.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import { roleCommands } from "#concentrator/role-commands.ts";
import { createRoles, type Roles } from "#concentrator/roles.ts";
import { Refusal } from "#contract/faults.ts";
import { askAll } from "#contract/field.ts";
import { type NodeRef, nodeKey, rootRef } from "#contract/node.ts";
import type { Report } from "#contract/report.ts";
import { createGrantStore } from "#store/grants.ts";
import { bareJid } from "#xmpp/jid.ts";
import { callerOf, never, owner, refOf, type Scene, scene, stranger } from "./scene.ts";

const installer = "installer@example.org";
const tenant = "tenant@example.org";
const friend = "friend@example.org";
const hour = 3_600_000;

/** Two lines; the tenant owns a meter on the first. */
function house(before?: { site: Scene; owners: Map<string, string> }) {
  const owners = before?.owners ?? new Map([["water-1", tenant]]);
  let rootOwner: string | undefined = owner;
  const hooks: string[] = [];
  const late: { roles?: Roles } = {};
  const rule = {
    name: "roles",
    ask: (...args: Parameters<Roles["rule"]["ask"]>) => late.roles?.rule.ask(...args) ?? [],
  };
  const site = scene({ rules: [rule], owners, contacts: [stranger], ...(before && reopened(before.site)) });
  const roles = createRoles({
    store: createGrantStore(site.edge),
    find: site.tree.find,
    ownerOf: ref => owners.get(ref.nodeId),
    rootOwner: () => rootOwner,
    bareJid,
    hooks: { granted: jid => hooks.push(`+${jid}`), ended: jid => hooks.push(`-${jid}`) },
    clock: site.clock,
    log: site.log,
  });
  late.roles = roles;
  if (before === undefined) {
    site.add("test.line", "attic");
    site.add("test.device", "heat-1", {}, "attic");
    site.add("test.device", "water-1", {}, "attic");
    site.add("test.line", "cellar");
    site.add("test.device", "gas-1", {}, "cellar");
  }
  const can = async (jid: string, right: Right, nodes = ["attic", "heat-1", "water-1", "cellar", "gas-1"]) => {
    const refs = nodes.map(id => site.tree.find(refOf(id))?.ref as NodeRef);
    const set = await site.concentrator.allowed(callerOf(jid), right, refs, never);
    return nodes.filter((_, at) => set.has(nodeKey(refs[at] as NodeRef)));
  };
  return { site, roles, owners, hooks, can, disown: () => (rootOwner = undefined) };
}
const reopened = ({ clock, edge, historyFile }: Scene) => ({ clock, edge, historyFile });

const kind = (work: () => unknown): string => {
  try {
    work();
    return "done";
  } catch (error) {
    if (error instanceof Refusal) return error.kind;
    throw error;
  }
};

describe("roles", () => {
  it("COM-AUTH-03: an installer of the whole appliance manages all of it and reads only what nobody else owns", async () => {
    const { roles, can } = house();
    expect(await can(installer, "view")).toEqual([]);
    roles.grant(callerOf(owner), { jid: installer, role: "installer", node: rootRef });
    const all = ["attic", "heat-1", "water-1", "cellar", "gas-1"];
    for (const right of ["view", "edit", "add", "destroy", "execute", "sniff"] as const) {
      expect(await can(installer, right)).toEqual(all);
    }
    expect(await can(installer, "read")).toEqual(["attic", "heat-1", "cellar", "gas-1"]);
    expect(await can(installer, "control")).toEqual(["attic", "heat-1", "cellar", "gas-1"]);
  });

  it("COM-AUTH-03: an installer of one line manages it and what hangs on it, and nothing beside", async () => {
    const { site, roles, can } = house();
    roles.grant(callerOf(owner), { jid: installer, role: "installer", node: refOf("attic") });
    expect(await can(installer, "view")).toEqual(["attic", "heat-1", "water-1"]);
    expect(await can(installer, "add")).toEqual(["attic", "heat-1", "water-1"]);
    expect(await can(installer, "destroy")).toEqual(["heat-1", "water-1"]);
    expect((await site.concentrator.allowed(callerOf(installer), "add", [refOf("")], never)).size).toBe(0);
    site.add("test.device", "heat-9", {}, "attic");
    expect(await can(installer, "edit", ["heat-9"])).toEqual(["heat-9"]);
  });

  it("COM-AUTH-04: who owns a node lets others view and read it, and names no installers", async () => {
    const { site, roles, can } = house();
    roles.grant(callerOf(tenant), { jid: friend, role: "viewer", node: refOf("water-1") });
    expect(await can(friend, "view")).toEqual(["water-1"]);
    expect(await can(friend, "read")).toEqual(["water-1"]);
    for (const right of ["control", "edit", "add", "destroy", "execute", "sniff"] as const) {
      expect(await can(friend, right)).toEqual([]);
    }
    const admitted = await site.concentrator.admitRead(callerOf(friend), [refOf("water-1")], askAll, never);
    expect(admitted.targets.map(({ node }) => node.nodeId)).toEqual(["water-1"]);
    const wish = { jid: friend, role: "installer", node: refOf("water-1") } as const;
    expect(kind(() => roles.grant(callerOf(tenant), wish))).toBe("denied");
    expect(kind(() => roles.grant(callerOf(tenant), { ...wish, role: "viewer", node: refOf("heat-1") }))).toBe(
      "not-found",
    );
    expect(kind(() => roles.grant(callerOf(tenant), { ...wish, role: "viewer", node: rootRef }))).toBe("not-found");
    expect(kind(() => roles.grant(callerOf(stranger), { ...wish, node: refOf("heat-1") }))).toBe("not-found");
    expect(kind(() => roles.grant(callerOf(stranger), { ...wish, node: refOf("nothing") }))).toBe("not-found");
  });

  it("COM-AUTH-03: the owner of the appliance cannot give away the readings of a tenant", async () => {
    const { roles, can } = house();
    roles.grant(callerOf(owner), { jid: friend, role: "viewer", node: rootRef });
    expect(await can(friend, "view")).toEqual(["attic", "heat-1", "water-1", "cellar", "gas-1"]);
    expect(await can(friend, "read")).toEqual(["attic", "heat-1", "cellar", "gas-1"]);
  });

  it("COM-AUTH-09: taken back, run out or no longer its giver's to give, a role counts no more at once", async () => {
    const { site, roles, owners, hooks, can, disown } = house();
    const wish = { jid: installer, role: "installer", node: refOf("attic") } as const;
    roles.grant(callerOf(owner), wish);
    roles.revoke(callerOf(owner), wish);
    expect(await can(installer, "view")).toEqual([]);
    expect(kind(() => roles.revoke(callerOf(owner), wish))).toBe("not-found");

    roles.grant(callerOf(owner), { ...wish, until: site.clock.now() + hour });
    expect(await can(installer, "view")).toEqual(["attic", "heat-1", "water-1"]);
    await site.clock.advance(hour);
    expect(await can(installer, "view")).toEqual([]);
    expect(roles.holds(installer)).toBe(false);
    expect(kind(() => roles.grant(callerOf(owner), { ...wish, until: site.clock.now() }))).toBe("bad-request");

    roles.grant(callerOf(tenant), { jid: friend, role: "viewer", node: refOf("water-1") });
    owners.set("water-1", "next@example.org");
    expect(await can(friend, "read")).toEqual([]);
    roles.ownerChanged(site.tree.find(refOf("water-1"))?.ref as NodeRef);
    owners.set("water-1", tenant);
    expect(await can(friend, "read")).toEqual([]);

    roles.grant(callerOf(owner), wish);
    disown();
    expect(await can(installer, "view")).toEqual([]);
    expect(hooks).toEqual([
      `+${installer}`,
      `-${installer}`,
      `+${installer}`,
      `+${friend}`,
      `-${friend}`,
      `+${installer}`,
    ]);
  });

  it("COM-AUTH-09: who has run out leaves the contacts too, without anybody asking", async () => {
    const { site, roles, hooks } = house();
    const stop = new AbortController();
    const running = roles.run(stop.signal);
    roles.grant(callerOf(owner), { jid: installer, role: "installer", node: rootRef, until: site.clock.now() + hour });
    await site.clock.advance(hour + 60_000);
    expect(hooks).toEqual([`+${installer}`, `-${installer}`]);
    expect(roles.list(callerOf(owner))).toEqual([]);
    stop.abort();
    await site.clock.advance(0);
    await running;
  });

  it("COM-AUTH-10: each change is told to the log, with who did it from where", () => {
    const { site, roles } = house();
    const wish = { jid: installer, role: "installer", node: refOf("attic") } as const;
    roles.grant(callerOf(owner), wish);
    roles.revoke(callerOf(owner), wish);
    const told = site.events.filter(one => one.event.startsWith("role-")).map(one => [one.event, one.facts]);
    const facts = {
      audit: true,
      jid: installer,
      role: "installer",
      node: refOf("attic"),
      by: owner,
      from: `${owner}/test`,
    };
    expect(told).toEqual([
      ["role-granted", { ...facts, until: undefined }],
      ["role-ended", { ...facts, why: "taken back" }],
    ]);
  });

  it("COM-AUTH-04: each sees of the roles what he gave, what he has, and the appliance's owner what is given in his name", () => {
    const { roles } = house();
    roles.grant(callerOf(owner), { jid: installer, role: "installer", node: rootRef });
    roles.grant(callerOf(tenant), { jid: friend, role: "viewer", node: refOf("water-1") });
    const seen = (jid: string) => roles.list(callerOf(jid)).map(one => `${one.jid} ${one.role}`);
    expect(seen(owner)).toEqual([`${installer} installer`]);
    expect(seen(tenant)).toEqual([`${friend} viewer`]);
    expect(seen(friend)).toEqual([`${friend} viewer`]);
    expect(seen(stranger)).toEqual([]);
    expect(kind(() => roles.revoke(callerOf(owner), { jid: friend, role: "viewer", node: refOf("water-1") }))).toBe(
      "not-found",
    );
  });

  it("COM-AUTH-03, COM-AUTH-04: commands on the node give, take back and list roles, for who may do so there", async () => {
    const { site, roles, can } = house();
    const commandsFor = (jid: string, nodeId: string) =>
      roleCommands(roles, site.clock.now, site.tree.find(refOf(nodeId)) as TreeNode, callerOf(jid));
    const run = async (jid: string, nodeId: string, id: string, values: Record<string, unknown>) => {
      const command = commandsFor(jid, nodeId).find(one => one.id === id);
      if (command?.kind !== "parameterized") throw new Error(`no ${id}`);
      await command.execute(command.settings.parse(values), never);
    };
    expect(commandsFor(owner, "attic").map(one => one.id)).toEqual(["GrantRole", "RevokeRole", "ListRoles"]);
    expect(commandsFor(tenant, "water-1")).toHaveLength(3);
    expect(commandsFor(tenant, "heat-1")).toEqual([]);
    expect(commandsFor(stranger, "attic")).toEqual([]);

    await run(owner, "attic", "GrantRole", { jid: installer, role: "installer", days: 2 });
    expect(await can(installer, "edit")).toEqual(["attic", "heat-1", "water-1"]);
    await site.clock.advance(48 * hour);
    expect(await can(installer, "edit")).toEqual([]);
    await run(tenant, "water-1", "GrantRole", { jid: friend });
    expect(await can(friend, "read")).toEqual(["water-1"]);
    await expect(run(tenant, "water-1", "GrantRole", { jid: friend, role: "installer" })).rejects.toThrow();
    await run(tenant, "water-1", "RevokeRole", { jid: friend });
    expect(await can(friend, "read")).toEqual([]);

    await run(owner, "attic", "GrantRole", { jid: installer, role: "installer" });
    const rows: (readonly unknown[])[] = [];
    const list = commandsFor(owner, "attic").find(one => one.id === "ListRoles");
    if (list?.kind !== "query") throw new Error("no list");
    const table = { row: async (...cells: readonly unknown[]) => void rows.push(cells), done: async () => {} };
    await list.query({}, { table: async () => table } as unknown as Report, never);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.slice(0, 4)).toEqual(
      [installer, "installer", "attic", owner].map(value => ({ kind: "string", value })),
    );
  });

  it("survives a restart, replaces what is given twice, and ends with its node", async () => {
    const first = house();
    const wish = { jid: ` Installer@Example.ORG `.trim(), role: "installer", node: refOf("attic") } as const;
    first.roles.grant(callerOf(owner), wish);
    first.roles.grant(callerOf(owner), { ...wish, until: first.site.clock.now() + hour });
    const second = house(first);
    expect(second.roles.list(callerOf(owner))).toHaveLength(1);
    expect(await second.can(installer, "edit")).toEqual(["attic", "heat-1", "water-1"]);
    second.roles.removed(refOf("attic"));
    expect(await second.can(installer, "edit")).toEqual([]);
    expect(house(second).roles.list(callerOf(owner))).toEqual([]);
  });

  it("no address, one's own address, and more than fit are refused", () => {
    const { roles } = house();
    const give = (jid: string) => kind(() => roles.grant(callerOf(owner), { jid, role: "viewer", node: rootRef }));
    expect(give("no address at all")).toBe("bad-request");
    expect(give(owner)).toBe("conflict");
    for (let at = 0; at < 100; at++) expect(give(`viewer-${at}@example.org`)).toBe("done");
    expect(give("one-more@example.org")).toBe("busy");
    expect(give("viewer-5@example.org")).toBe("done");
  });
});
