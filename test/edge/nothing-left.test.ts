// Of an appliance that was reset or taken out of service: every table of every file in its data folder, by name. A table that is
// new stands in no list here, and the test fails until somebody has said what becomes of it when an owner goes.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { askAll } from "#contract/field.ts";
import { callerOf, never, quantity } from "../concentrator/scene.ts";
import { board, heat, type OwnedScene, ownedScene, ref, rootRef, water, yes } from "./owned-scene.ts";

const people = ["landlord", "tenant", "former", "bob", "carol", "installer", "pest", "receiver"].map(
  name => `${name}@hub.example`,
);
const [landlord, tenant, former, bob, carol, installer, pest, receiver] = people as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** empty: no row · nobody: rows that name none of the people, and no code of before · site: as the site is set up; names nobody either */
type Left = "empty" | "nobody" | "site";
interface Fate {
  readonly reset: Left;
  readonly retired: Left;
}
const gone: Fate = { reset: "empty", retired: "empty" };
const site: Fate = { reset: "site", retired: "site" };

const fates: Readonly<Record<string, Fate>> = {
  "edge.db nodes": site,
  // Registered anew with other codes; or with the account gone nowhere.
  "edge.db things": { reset: "nobody", retired: "empty" },
  // Found anew; where the owner wanted events to be sent to is forgotten.
  "edge.db services": { reset: "nobody", retired: "empty" },
  "edge.db decisions": gone,
  // One row that says whose decisions those are which are not there any more.
  "edge.db decision_epoch": { reset: "nobody", retired: "nobody" },
  "edge.db grants": gone,
  "edge.db publications": gone,
  "edge.db driver_memory": site,
  "edge.db blocked": gone,
  "edge.db pairings": gone,
  "edge.db partings": gone,
  "edge.db farewells": gone,
  "history.db series": gone,
  "history.db samples": gone,
  // That the label is worth nothing any more.
  "history.db node_messages": { reset: "nobody", retired: "nobody" },
  "history.db source_changes": site,
  "history.db source_events": { reset: "nobody", retired: "nobody" },
  "history.db source_events_from": site,
  "history.db source_events_state": site,
  "outbox.db outbox": gone,
};
/** Of SQLite itself, and which steps of the schema were taken. */
const internal = ["history.db sqlite_sequence", ...["edge", "history", "outbox"].map(file => `${file}.db migrations`)];

function tables(it: OwnedScene): Map<string, readonly string[]> {
  it.stores.history.flush();
  it.outbox.flush();
  const found = new Map<string, readonly string[]>();
  for (const file of readdirSync(it.folder).filter(name => name.endsWith(".db"))) {
    const database = new SQLite(join(it.folder, file), { readonly: true });
    const names = database.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all();
    for (const name of names) {
      const rows = database.prepare(`SELECT * FROM "${name}"`).safeIntegers().all();
      found.set(
        `${file} ${name}`,
        rows.map(row => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? `${value}` : value))),
      );
    }
    database.close();
  }
  return found;
}

/** Everybody has left something in every table. */
async function livedIn(): Promise<{ it: OwnedScene; before: Map<string, readonly string[]>; codes: string[] }> {
  const it = await ownedScene();
  open.push(it);
  await it.claim(rootRef, landlord);
  await it.claim(heat, tenant);
  for (const jid of [landlord, tenant, bob, carol, installer]) it.contacts.add(jid);
  it.decide = yes;
  await it.concentrator.admitRead(callerOf(bob), [heat], askAll, never);
  await it.provisioning.decideSubscription(bob, never);
  it.rights.roles.grant(callerOf(tenant), { jid: carol, role: "viewer", node: heat });
  it.rights.roles.grant(callerOf(landlord), { jid: installer, role: "installer", node: rootRef });
  const publication = { readers: [carol], minSeconds: 1, maxSeconds: 60, deadbandPercent: 0 };
  it.publishing.enable(callerOf(tenant), { ...publication, node: heat });
  for (const [jid, node] of [
    [tenant, heat],
    [installer, water],
    [landlord, board],
  ] as const) {
    const said = [
      { name: "type", values: ["Warning"] },
      { name: "text", values: [`Do not touch. ${jid}`] },
    ];
    await it.concentrator.execute(callerOf(jid), node, "LogMessage", { fields: said }, never);
  }
  for (const node of [heat, water])
    it.stores.history.readings.record(node, { at: it.clock.now(), fields: [quantity("Energy", 5)] });
  it.stores.driverMemory("modbus").keep("product", "refuses function 43");
  await it.keptOut.block(callerOf(landlord), pest);
  it.keptOut.pair(callerOf(landlord), 60_000_000);
  const chosen = { fields: [{ name: "jid", values: [receiver] }] };
  await it.concentrator.execute(callerOf(landlord), board, "SendEvents", chosen, never);
  it.stores.history.events.beginAt(heat.sourceId, it.clock.now() - 1_000);
  await it.stores.backUp(join(it.stores.backups, "edge-2031-01-01.db"));
  await it.clock.advance(10_000);
  // The broker is away: what waits for it waits, and who has to go is still to be told.
  it.link.online = false;
  it.outbox.setOnline(false);
  it.outbox.add(`<message to='${tenant}/phone' id='m'><body>something for him</body></message>`);
  it.rights.parting.farewell(former);
  // As a power cut leaves it in the middle.
  it.stores.partings.begin({ thing: ref("gone-9", "attic"), owner: former });
  const before = tables(it);
  const codes = [...(before.get("edge.db things") ?? [])].flatMap(row => /"claim_key":"([^"]+)"/.exec(row)?.[1] ?? []);
  return { it, before, codes };
}

const textsOf = (it: OwnedScene): string[] => readdirSync(it.folder).filter(name => /^(edge|outbox)\.db/.test(name));

function expectLeft(it: OwnedScene, what: keyof Fate, before: Map<string, readonly string[]>, codes: string[]) {
  const after = tables(it);
  for (const [table, rows] of after) {
    if (internal.includes(table)) continue;
    const left = fates[table]?.[what];
    const named = rows.filter(row => [...people, ...codes].some(one => row.includes(one)));
    expect([table, named]).toEqual([table, []]);
    if (left === "empty") expect([table, rows]).toEqual([table, []]);
    if (left === "site") expect([table, rows.length]).not.toEqual([table, 0]);
  }
  expect(before.size).toBe(after.size);
  for (const file of textsOf(it)) {
    const octets = readFileSync(join(it.folder, file)).toString("latin1");
    for (const one of [...people, ...codes]) expect([file, one, octets.includes(one)]).toEqual([file, one, false]);
  }
  expect(readdirSync(it.stores.backups)).toEqual([]);
}

describe("of who owned it nothing is left in any table", () => {
  it("every table there is has its fate written down here, and was used before", async () => {
    const { before } = await livedIn();
    expect([...before.keys()].filter(table => !internal.includes(table)).sort()).toEqual(Object.keys(fates).sort());
    for (const [table, rows] of before) expect([table, rows.length]).not.toEqual([table, 0]);
    const used = [...before].filter(([, rows]) => rows.some(row => people.some(jid => row.includes(jid))));
    expect(used.map(([table]) => table)).toEqual(
      expect.arrayContaining(["edge.db partings", "edge.db farewells", "edge.db blocked", "edge.db services"]),
    );
  });

  it("DISCO-DISOWN-03: after a reset, once the broker is there to be told", async () => {
    const { it, before, codes } = await livedIn();
    const settings = { fields: [{ name: "settings", values: ["keep"] }] };
    await it.concentrator.execute(callerOf(landlord), board, "FactoryReset", settings, never);
    it.link.online = true;
    it.rights.parting.online();
    await it.clock.advance(60_000);
    expect([...it.contacts]).toEqual([]);
    expectLeft(it, "reset", before, codes);
  });

  it("ACC-IBR-07: when the account is given back, although nobody can be told any more", async () => {
    const { it, before, codes } = await livedIn();
    // Things are taken out of the registry first, or it does not come to this.
    it.link.online = true;
    for (const thing of it.discovery.list()) it.discovery.removed(thing.ref);
    await it.clock.advance(10_000);
    expect(it.discovery.list()).toEqual([]);
    it.link.online = false;
    // What the last moments with a broker left to do.
    it.contacts.add(bob);
    it.rights.parting.farewell(former);
    it.stores.partings.begin({ thing: ref("gone-9", "attic"), owner: former });
    it.stores.credentials.save({ username: "edge", password: "s3cret" });
    it.stores.credentials.retire();
    expect(tables(it).get("edge.db farewells")).toEqual([]);
    expect(await it.reset.resume()).toBe(true);
    await it.clock.advance(60_000);
    expectLeft(it, "retired", before, codes);
    expect(readFileSync(join(it.folder, "account.json"), "utf8")).not.toMatch(/edge|s3cret/);
  });
});
