// Ownership and decisions in a real file: what was said to be stored is there after the file is opened again.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Decision } from "#concentrator/decision-cache.ts";
import type { ThingRecord } from "#concentrator/ownership.ts";
import { rootRef } from "#contract/node.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createOwnershipStore } from "#store/ownership.ts";

let folder: string;
let database: Database;
const open = () => openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
const reopen = () => {
  database.close();
  database = open();
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ownership-"));
  database = open();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const meter = { nodeId: "heat-3", sourceId: "MeteringTopology", partition: "attic" };
const registered: ThingRecord = {
  ref: meter,
  state: "registered",
  owner: undefined,
  isPublic: undefined,
  inRegistry: true,
  key: "b1e0",
  registry: "reg.hub.example",
  tags: [
    { name: "CLASS", value: "HeatMeter" },
    { name: "V", value: 2.5 },
  ],
  leaving: false,
};
const claimed: ThingRecord = {
  ...registered,
  state: "claimed",
  owner: "ana@home.example",
  isPublic: false,
  key: undefined,
};

const decision: Decision = {
  kind: "canRead",
  node: meter,
  caller: "bob@city.example",
  tokens: "",
  categories: 33,
  names: ["Energy", "Flow"],
  allow: true,
  grantedCategories: 1,
  grantedNames: ["Energy"],
  fetchedAt: 1_000,
  expiresAt: 2_000,
  denials: 0,
};

describe("ownership", () => {
  it("DISCO-EDGE-01: state, owner, key, registry and tags survive", () => {
    const store = createOwnershipStore(database);
    store.put(registered);
    store.put({ ...registered, ref: rootRef, state: "unregistered", registry: undefined });
    store.put(claimed);
    store.rememberService("registry", { jid: "reg.hub.example", generation: "nf" });
    reopen();
    const again = createOwnershipStore(database);
    expect(again.all()).toEqual([{ ...registered, ref: rootRef, state: "unregistered", registry: undefined }, claimed]);
    expect(again.service("registry")).toEqual({ jid: "reg.hub.example", generation: "nf" });
    expect(again.service("provisioning")).toBeUndefined();
    again.delete(meter);
    expect(again.all()).toHaveLength(1);
  });

  it("DISCO-CLAIMED-04: a claimed thing cannot keep its KEY, an unclaimed one cannot have an owner", () => {
    const store = createOwnershipStore(database);
    expect(() => store.put({ ...claimed, key: "b1e0" })).toThrow(/CHECK/);
    expect(() => store.put({ ...registered, owner: "ana@home.example" })).toThrow(/CHECK/);
    expect(() => store.put({ ...claimed, owner: undefined })).toThrow(/CHECK/);
  });

  it("PROV-CACHE-05: owner and forgotten decisions are one commit, or none", () => {
    const things = createOwnershipStore(database);
    const decisions = createDecisionStore(database);
    decisions.open("prov.hub.example", "gw9@hub.example");
    decisions.put([decision]);
    things.put(registered);
    const before = decisions.epoch;
    expect(() =>
      things.atomically(() => {
        things.put(claimed);
        decisions.clear(meter);
        throw new Error("power cut");
      }),
    ).toThrow("power cut");
    expect(things.all()).toEqual([registered]);
    expect(decisions.epoch).toBe(before);
    things.atomically(() => {
      things.put(claimed);
      decisions.clear(meter);
    });
    reopen();
    expect(createOwnershipStore(database).all()).toEqual([claimed]);
    expect(createDecisionStore(database).open("prov.hub.example", "gw9@hub.example")).toEqual([]);
    expect(createDecisionStore(database).epoch).toBe(before + 1);
  });
});

describe("decisions", () => {
  const service = ["prov.hub.example", "gw9@hub.example"] as const;

  it("PROV-CACHE-02: rows come back as they were; the same key is replaced", () => {
    const store = createDecisionStore(database);
    store.open(...service);
    const asAsked: Decision = { ...decision, names: [], grantedNames: undefined, categories: 1 };
    const friend: Decision = { ...decision, kind: "isFriend", node: rootRef, allow: false, denials: 3, fetchedAt: 5 };
    store.put([decision, asAsked, friend]);
    store.put([{ ...decision, expiresAt: 9_000 }]);
    reopen();
    expect(createDecisionStore(database).open(...service)).toEqual([
      friend,
      { ...asAsked },
      { ...decision, expiresAt: 9_000 },
    ]);
  });

  it("PROV-TRUST-01: another service or account starts from nothing", () => {
    for (const [jid, account] of [
      ["other.hub.example", service[1]],
      [service[0], "gw10@hub.example"],
    ] as const) {
      const store = createDecisionStore(database);
      store.open(...service);
      store.put([decision]);
      expect(store.open(...service)).toHaveLength(1);
      expect(store.open(jid, account)).toEqual([]);
      expect(store.open(...service)).toEqual([]);
    }
  });

  it("PROV-CACHE-06: a node's clear takes that triple and every isFriend, nothing else", () => {
    const store = createDecisionStore(database);
    store.open(...service);
    const other: Decision = { ...decision, node: { ...meter, partition: "cellar" } };
    store.put([decision, other, { ...decision, kind: "isFriend", node: rootRef }]);
    store.clear(meter);
    expect(store.open(...service)).toEqual([other]);
    store.delete([other]);
    expect(store.open(...service)).toEqual([]);
    store.put([decision, other]);
    store.clear();
    expect(store.open(...service)).toEqual([]);
  });
});
