// When an owner goes: of what was his nothing is left, in no table and on no list; what runs in his name ends at once; and neither
// a power cut nor an absence of the broker keeps anything of him. Over the real files, with what decides put together as it is.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import type { BootSettings } from "#config.ts";
import { Refusal } from "#contract/faults.ts";
import { askAll } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { callerOf, never, quantity } from "../concentrator/scene.ts";
import { manualClock } from "../support/manual-clock.ts";
import { board, heat, line, type OwnedScene, ownedScene, rootRef, water, yes } from "./owned-scene.ts";

const landlord = "landlord@hub.example";
const tenant = "tenant@hub.example";
const next = "next@hub.example";
const bob = "bob@city.example";
const carol = "carol@city.example";
const installer = "installer@hub.example";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** The landlord owns the appliance, the tenant the heat meter; both have used it for a while. */
async function house(
  boot: Partial<BootSettings> = {},
  given: Parameters<typeof ownedScene>[1] = {},
): Promise<OwnedScene> {
  const it = await ownedScene(boot, given);
  open.push(it);
  await it.claim(rootRef, landlord);
  await it.claim(heat, tenant);
  for (const jid of [landlord, tenant, bob, carol]) it.contacts.add(jid);
  it.decide = yes;
  await it.concentrator.admitRead(callerOf(bob), [heat], askAll, never);
  await it.provisioning.decideSubscription(bob, never);
  it.rights.roles.grant(callerOf(tenant), { jid: carol, role: "viewer", node: heat });
  it.rights.roles.grant(callerOf(landlord), { jid: installer, role: "installer", node: rootRef });
  const publication = { readers: [carol], minSeconds: 1, maxSeconds: 60, deadbandPercent: 0 };
  it.publishing.enable(callerOf(tenant), { ...publication, node: heat });
  it.publishing.enable(callerOf(landlord), { ...publication, node: water });
  for (const [jid, node] of [
    [tenant, heat],
    [landlord, water],
    [landlord, board],
  ] as const) {
    const fields = [
      { name: "type", values: ["Warning"] },
      { name: "text", values: [`Do not touch. ${jid}`] },
    ];
    await it.concentrator.execute(callerOf(jid), node, "LogMessage", { fields }, never);
    it.outbox.add(`<message to='${jid}/phone' id='m'><body>something for him</body></message>`);
  }
  for (const node of [heat, water]) it.stores.history.readings.record(node, sample(it));
  await it.clock.advance(10_000);
  return it;
}
const sample = (it: OwnedScene) => ({ at: it.clock.now(), fields: [quantity("Energy", 5)] });

/** Every row of every table in every file of the appliance, as text, by file and table. */
function rows(it: OwnedScene): Map<string, string> {
  it.stores.history.flush();
  it.outbox.flush();
  const found = new Map<string, string>();
  for (const file of ["edge.db", "history.db", "outbox.db"]) {
    const database = new SQLite(join(it.folder, file), { readonly: true });
    const tables = database.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();
    for (const table of tables) {
      const all = database.prepare(`SELECT * FROM "${table}"`).safeIntegers().all();
      found.set(
        `${file} ${table}`,
        JSON.stringify(all, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
      );
    }
    database.close();
  }
  return found;
}
const placesOf = (it: OwnedScene, text: string): string[] =>
  [...rows(it)].filter(([, all]) => all.includes(text)).map(([place]) => place);

const samplesOf = (it: OwnedScene, node: NodeRef) => [
  ...it.stores.history.readings.between(node, 0, Number.MAX_SAFE_INTEGER),
];

const refusalOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    error => {
      if (error instanceof Refusal) return error.kind;
      throw error;
    },
  );
const commandsOf = async (it: OwnedScene, jid: string, node: NodeRef): Promise<string[]> =>
  (await it.concentrator.commands(callerOf(jid), node, never)).map(({ id }) => id);
const run = (it: OwnedScene, jid: string, node: NodeRef, id: string, settings = "keep") =>
  it.concentrator.execute(callerOf(jid), node, id, { fields: [{ name: "settings", values: [settings] }] }, never);

it("DISCO-CLAIMED-04: who claims the appliance is asked for his presence and let in, once; who claims a node alone is not", async () => {
  const it = await ownedScene();
  open.push(it);
  const friends = () => it.told.filter(one => one.startsWith("friend "));
  await it.claim(heat, tenant);
  expect(friends()).toEqual([]);
  await it.claim(rootRef, landlord);
  await it.claim(rootRef, landlord);
  expect(friends()).toEqual([`friend ${landlord}`]);
});

describe("another owner", () => {
  it("DISCO-DISOWN-03, PROVO-THR-04: of the tenant no row of any table is left, and what others own is as it was", async () => {
    const it = await house();
    const before = placesOf(it, tenant);
    expect(before).toEqual(
      expect.arrayContaining([
        "edge.db things",
        "edge.db grants",
        "edge.db publications",
        "history.db node_messages",
        "history.db source_events",
        "outbox.db outbox",
      ]),
    );
    await it.disown(heat);
    await it.clock.advance(5_000);
    expect(placesOf(it, tenant)).toEqual([]);
    expect(it.contacts.has(tenant)).toBe(false);
    expect(samplesOf(it, heat)).toEqual([]);
    // His viewer has no role any more, and nobody else lost anything.
    expect(it.rights.roles.holds(carol)).toBe(false);
    expect(it.contacts.has(carol)).toBe(false);
    expect(it.contacts.has(bob)).toBe(true);
    expect(it.rights.roles.holds(installer)).toBe(true);
    expect(samplesOf(it, water)).toHaveLength(1);
    expect(it.publishing.of(water)).toBeDefined();
    expect(placesOf(it, landlord)).toEqual(expect.arrayContaining(["edge.db things", "outbox.db outbox"]));

    await it.claim(heat, next);
    expect(it.discovery.ownerOf(heat)).toBe(next);
    expect(await refusalOf(it.concentrator.admitRead(callerOf(tenant), [heat], askAll, never))).toBe("not-found");
    // What bob was allowed by the tenant is asked of his successor.
    const asked = it.asked();
    await it.concentrator.admitRead(callerOf(bob), [heat], askAll, never);
    expect(it.asked()).toBe(asked + 1);
  });

  it("COM-AUTH-09: his subscriptions and queries end at once, although he owns something else still", async () => {
    const it = await house();
    await it.claim(water, tenant);
    const events = new Map([
      [heat.nodeId, 0],
      [water.nodeId, 0],
    ]);
    const ended: string[] = [];
    for (const node of [heat, water]) {
      const subscriber = {
        async event(readings: AsyncIterable<unknown>) {
          for await (const _ of readings) events.set(node.nodeId, (events.get(node.nodeId) ?? 0) + 1);
        },
        ended: () => void ended.push(node.nodeId),
      };
      const caller = callerOf(tenant);
      const interval = { minIntervalMs: 1_000, maxIntervalMs: 2_000, historyMs: undefined };
      const interest = { caller, nodes: [node], ask: askAll, limits: new Map(), ...interval };
      await it.concentrator.subscribe(interest, subscriber, never);
    }
    await it.clock.advance(10_000);
    for (const count of events.values()) expect(count).toBeGreaterThan(0);
    const fields = [{ name: "caller", values: [bob] }];
    const [query] = await it.concentrator.startQuery(callerOf(tenant), [heat], "Why", "q1", { fields }, never);

    await it.disown(heat);
    await it.clock.advance(0);
    expect(ended).toEqual([heat.nodeId]);
    const before = new Map(events);
    await it.clock.advance(60_000);
    expect(events.get(heat.nodeId)).toBe(before.get(heat.nodeId));
    expect(events.get(water.nodeId)).toBeGreaterThan(before.get(water.nodeId) as number);
    // Of the query nothing is left to hear.
    const items: string[] = [];
    for await (const item of query?.items ?? []) items.push(item.kind);
    expect(items).toEqual([]);
    expect(await it.concentrator.contains(callerOf(tenant), heat)).toBe(false);
  });

  it("the appliance itself: the landlord's friends, roles and messages go; tenants and what they gave stay", async () => {
    const it = await house();
    await it.disown(rootRef);
    await it.clock.advance(5_000);
    expect(placesOf(it, landlord)).toEqual([]);
    expect(it.told).toContain("appliance parted");
    expect([...it.contacts].sort()).toEqual([carol, tenant]);
    expect(it.rights.roles.holds(installer)).toBe(false);
    expect(it.rights.roles.holds(carol)).toBe(true);
    expect(samplesOf(it, water)).toEqual([]);
    expect(samplesOf(it, heat)).toHaveLength(1);
    const label = [...(it.tree.find(board)?.messages.values() ?? [])].map(({ text }) => text);
    expect(label).toEqual(["The code on its label is worth nothing any more: print it anew."]);
    await it.claim(rootRef, next);
    expect(it.tree.find(board)?.messages.size).toBe(0);
  });

  it("history is kept where the appliance is set up so", async () => {
    const it = await house({ formerOwnersHistory: "keep" });
    await it.disown(heat);
    await it.clock.advance(5_000);
    expect(samplesOf(it, heat)).toHaveLength(1);
    expect(placesOf(it, tenant)).toEqual([]);
  });

  it("a power cut between the commit and the rest loses nothing of the rest", async () => {
    const clock = manualClock();
    const first = await house({}, { clock, keep: true });
    const { folder } = first;
    open.splice(open.indexOf(first), 1);
    await first[Symbol.asyncDispose]();
    // As the commit leaves it: the thing is nobody's, and what is left to do is written down.
    const edge = new SQLite(join(folder, "edge.db"));
    edge.exec(`
      UPDATE things SET owner = NULL, state = 'registered', claim_key = 'k' WHERE node = 'heat-3';
      DELETE FROM grants WHERE giver = '${tenant}';
      INSERT INTO partings VALUES ('${heat.sourceId}', '${heat.nodeId}', '${heat.partition}', '${tenant}')`);
    edge.close();
    const second = await ownedScene({}, { clock, folder });
    open.push(second);
    await clock.advance(5_000);
    expect(samplesOf(second, heat)).toEqual([]);
    expect(placesOf(second, tenant)).toEqual([]);
  });

  it("while the broker is away he is kept out all the same, and taken off the list when it is back", async () => {
    const it = await house();
    it.link.online = false;
    it.reset.thing(heat, "keep", "the machine");
    await it.clock.advance(1_000);
    expect(it.contacts.has(tenant)).toBe(true);
    expect(placesOf(it, tenant)).toEqual(["edge.db farewells"]);
    // Any contact sees the field devices; he does not any more.
    expect(await it.concentrator.contains(callerOf(bob), water)).toBe(true);
    expect(await it.concentrator.contains(callerOf(tenant), water)).toBe(false);
    it.link.online = true;
    it.rights.parting.online();
    await it.clock.advance(1_000);
    expect(it.contacts.has(tenant)).toBe(false);
    expect(placesOf(it, tenant)).toEqual([]);
  });
});

const told = (it: OwnedScene, name: string) =>
  it.link.sent.filter(({ payload }) => payload.name === name).map(({ payload }) => payload.attrs.id ?? "");
const keyOf = (uri: string | undefined): string => /KEY=([^;]*)/.exec(uri ?? "")?.[1] ?? "";

describe("reset", () => {
  it("DISCO-THR-04: one thing: out of the registry, in again with a new KEY, and its old label is dead at once", async () => {
    const it = await house();
    const old = it.discovery.claimUri(water);
    expect(keyOf(old)).toMatch(/^[0-9a-f]{64}$/);
    await run(it, landlord, water, "ResetThing");
    expect(it.discovery.claimUri(water)).toBeUndefined();
    await it.clock.advance(5_000);
    expect(told(it, "unregister")).toEqual(["water-7"]);
    const last = it.link.sent.findLast(({ payload }) => payload.name === "register");
    expect(last?.payload.attrs.id).toBe("water-7");
    const uri = it.discovery.claimUri(water);
    expect(keyOf(uri)).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf(uri)).not.toBe(keyOf(old));
    expect(last?.text).toContain(keyOf(uri));
    expect(samplesOf(it, water)).toEqual([]);
    expect(it.publishing.of(water)).toBeUndefined();
    // The landlord owns the appliance all the same, and the tenant his meter.
    expect(it.discovery.ownerOf(rootRef)).toBe(landlord);
    expect(it.discovery.ownerOf(heat)).toBe(tenant);
  });

  it("until the registry has taken it out, its word on the former owner does not make him owner again", async () => {
    const it = await house();
    const order = it.link.sent.length;
    const heard = Promise.withResolvers<string>();
    it.link.script = ({ payload }) => (payload.name === "unregister" ? heard.promise : "");
    await run(it, tenant, heat, "ResetThing");
    await it.clock.advance(1_000);
    const claimed = `<claimed xmlns='urn:nf:iot:disco:1.0' jid='${tenant}' id='heat-3' src='MeteringTopology' pt='attic' public='true'/>`;
    expect(await it.link.push("reg.hub.example", claimed)).toBe("item-not-found");
    expect(it.discovery.ownerOf(heat)).toBeUndefined();
    expect(it.discovery.list().find(({ ref }) => ref.nodeId === "heat-3")).toMatchObject({
      state: "unregistered",
      uri: undefined,
    });
    heard.resolve("");
    await it.clock.advance(2_000);
    const named = it.link.sent.slice(order).filter(({ payload }) => payload.attrs.id === "heat-3");
    expect(named.map(({ payload }) => payload.name)).toEqual(["unregister", "register"]);
  });

  it("settings wiped: what a person gave goes, what the device cannot be found without stays", async () => {
    const it = await house();
    const node = it.tree.find(water);
    if (node === undefined) throw new Error("no node");
    it.tree.edit([
      {
        node: water,
        nodeId: "water-7",
        displayName: "Ms Smith, second floor",
        settings: { ...node.record.settings, fields: 33 },
        tags: [{ name: "APT", value: "12" }],
        options: { historyDays: 3 },
      },
    ]);
    await run(it, landlord, water, "ResetThing", "keep");
    expect(it.tree.find(water)?.record.displayName).toBe("Ms Smith, second floor");
    await it.clock.advance(5_000);
    await run(it, landlord, water, "ResetThing", "wipe");
    const { displayName, settings, tags, options } = it.tree.find(water)?.record ?? {};
    expect({ displayName, settings, tags, options }).toEqual({
      displayName: "water-7",
      settings: {},
      tags: [],
      options: {},
    });
  });

  it("the appliance: nothing of anybody is left, not in its files either; the site stays as it was set up", async () => {
    const it = await house();
    await it.stores.backUp(join(it.stores.backups, "edge-2031-01-01.db"));
    await it.clock.advance(0);
    const nodes = it.tree.things().map(({ ref }) => ref.nodeId);
    await run(it, landlord, board, "FactoryReset");
    await it.clock.advance(10_000);
    for (const jid of [landlord, tenant, bob, carol, installer]) expect([jid, placesOf(it, jid)]).toEqual([jid, []]);
    expect([...it.contacts]).toEqual([]);
    expect(it.discovery.list().map(({ ref, owner, state }) => [ref.nodeId, owner, state])).toEqual([
      ["", undefined, "registered"],
      ["heat-3", undefined, "registered"],
      ["water-7", undefined, "registered"],
    ]);
    expect(told(it, "unregister").sort()).toEqual(["", "heat-3", "water-7"]);
    expect(it.tree.things().map(({ ref }) => ref.nodeId)).toEqual(nodes);
    expect(samplesOf(it, heat)).toEqual([]);
    expect(readdirSync(it.stores.backups)).toEqual([]);
    expect(existsSync(join(it.folder, "reset.json"))).toBe(false);
    for (const file of readdirSync(it.folder).filter(name => /^(edge|outbox)\.db/.test(name))) {
      const octets = readFileSync(join(it.folder, file)).toString("latin1");
      for (const jid of [landlord, tenant, carol, installer])
        expect([file, jid, octets.includes(jid)]).toEqual([file, jid, false]);
    }
    // It can be claimed again, by anybody who has its new code.
    await it.claim(rootRef, next);
    expect(await it.concentrator.contains(callerOf(next), water)).toBe(true);
  });

  it("the appliance, settings wiped: the site is empty, and what drivers learnt is gone", async () => {
    const it = await house();
    it.stores.driverMemory("modbus").keep("product", "refuses function 43");
    await run(it, landlord, board, "FactoryReset", "wipe");
    await it.clock.advance(10_000);
    expect(it.tree.things()).toEqual([]);
    expect(it.tree.find(line)).toBeUndefined();
    expect(it.tree.find(board)).toBeDefined();
    expect(it.stores.driverMemory("modbus").recall("product")).toBeUndefined();
    expect(it.discovery.list().map(({ ref }) => ref.nodeId)).toEqual([""]);
  });

  it("wanted at a stopped appliance, or cut off by a power cut, it is done at the next start, before anybody is let in", async () => {
    const clock = manualClock();
    const first = await house({}, { clock, keep: true });
    const { folder } = first;
    first.stores.resetMark.begin("keep");
    open.splice(open.indexOf(first), 1);
    await first[Symbol.asyncDispose]();
    const second = await ownedScene({}, { clock, folder });
    open.push(second);
    for (const jid of [landlord, tenant, bob]) second.contacts.add(jid);
    expect(await second.reset.resume()).toBe(true);
    expect(await second.concentrator.contains(callerOf(landlord), heat)).toBe(false);
    await clock.advance(10_000);
    for (const jid of [landlord, tenant, bob, carol]) expect([jid, placesOf(second, jid)]).toEqual([jid, []]);
    expect(await second.reset.resume()).toBe(false);
  });

  it("COM-AUTH-03: only owners reset: not installers, viewers, friends, nor a tenant what is his neighbour's", async () => {
    const it = await house();
    it.contacts.add(installer);
    expect(await commandsOf(it, landlord, board)).toContain("FactoryReset");
    expect(await commandsOf(it, landlord, heat)).toContain("ResetThing");
    expect(await commandsOf(it, landlord, water)).toContain("ResetThing");
    expect(await commandsOf(it, tenant, heat)).toContain("ResetThing");
    expect(await commandsOf(it, landlord, line)).not.toContain("ResetThing");
    for (const node of [board, heat, water]) expect(await commandsOf(it, installer, node)).not.toContain("ResetThing");
    expect(await commandsOf(it, installer, board)).not.toContain("FactoryReset");
    for (const [jid, node, id] of [
      [installer, board, "FactoryReset"],
      [installer, water, "ResetThing"],
      [tenant, water, "ResetThing"],
      [tenant, board, "FactoryReset"],
      [carol, heat, "ResetThing"],
      [bob, heat, "ResetThing"],
    ] as const)
      expect([jid, id, await refusalOf(run(it, jid, node, id))]).toEqual([jid, id, "not-found"]);
    const asked = await it.concentrator.commands(callerOf(landlord), board, never);
    expect(asked.find(({ id }) => id === "FactoryReset")?.confirmation).toMatch(/^Nobody owns the appliance/);
  });

  it("who resets what another one owned gets nothing of his", async () => {
    const it = await house();
    await run(it, landlord, heat, "ResetThing");
    await it.clock.advance(5_000);
    expect(placesOf(it, tenant)).toEqual([]);
    expect(samplesOf(it, heat)).toEqual([]);
    expect(it.contacts.has(tenant)).toBe(false);
  });
});
