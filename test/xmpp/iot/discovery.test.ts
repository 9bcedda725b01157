// The edge as a thing, against a scripted registry: registration, claims, removal, disowning, outages and impostors.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Thing } from "#concentrator/concentrator.ts";
import { bootSettings } from "#config.ts";
import { type NodeRef, rootRef, type Tag } from "#contract/node.ts";
import { createClaims } from "#iot/claims.ts";
import { createDiscovery, type Discovery } from "#iot/discovery.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { decodeUri } from "#iot/iotdisco.ts";
import { createRegistration } from "#iot/registration.ts";
import { registerJitterMs } from "#limits.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { elements } from "#xml/element.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { createServiceLink, type Sent, type ServiceLink } from "./discovery-service-link.ts";

const registry = "reg.hub.example";
const ns = namespace("discovery", "nf");
const meter: NodeRef = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "attic" };
const meterAt = "id='mbus-12' src='MeteringTopology' pt='attic'";
const meterTags: Tag[] = [
  { name: "CLASS", value: "HeatMeter" },
  { name: "SN", value: "66120" },
  { name: "V", value: 2.1 },
];

let clock: ManualClock;
let database: Database;
let link: ServiceLink;
let things: Thing[];
let discovery: Discovery;
let stop: AbortController;
let forgotten: NodeRef[];
let hooks: string[];

function start(options: { jitterMs?: number; random?: () => number; hideIdentity?: boolean } = {}) {
  stop = new AbortController();
  link = createServiceLink(clock);
  link.script = () => "";
  discovery = createDiscovery({
    connection: link.connection,
    store: createOwnershipStore(database),
    things: () => things,
    forgetDecisions: ref => forgotten.push(ref),
    hooks: {
      claimed: (ref, owner) => hooks.push(`claimed ${ref.nodeId} ${owner}`),
      disowned: (ref, owner, more) => hooks.push(`disowned ${ref.nodeId} ${owner} ${more}`),
    },
    clock,
    log: link.log,
    jitterMs: 0,
    ...options,
  });
  link.serve(discovery.routes);
  void discovery.run(stop.signal);
}

async function connected(options: Parameters<typeof start>[0] = {}) {
  start(options);
  discovery.serviceFound({ jid: registry, generation: "nf" });
  discovery.online(false);
  await clock.advance(1_000);
}

const claimed = (owner = "ana@home.example", at = meterAt, attrs = "public='true'") =>
  `<claimed xmlns='${ns}' jid='${owner}' ${at} ${attrs}/>`;
const names = () => link.sent.map(sent => sent.payload.name);
const told = (name: string) => link.sent.filter(sent => sent.payload.name === name);
const about = (sent: Sent | undefined) => sent?.payload.attrs.id ?? "";
const tagsOf = (sent: Sent | undefined) =>
  elements(sent?.payload ?? { name: "", ns: "", attrs: {}, children: [] }).map(one => [
    one.name,
    one.attrs.name,
    one.attrs.value,
  ]);
const state = (ref = meter) => discovery.list().find(one => one.ref.nodeId === ref.nodeId);

beforeEach(() => {
  clock = manualClock();
  database = openDatabase(":memory:", edgeMigrations, silentLog);
  things = [
    { ref: rootRef, tags: [{ name: "CLASS", value: "Concentrator" }] },
    { ref: meter, tags: meterTags },
  ];
  forgotten = [];
  hooks = [];
});
afterEach(() => {
  stop.abort();
  database.close();
});

describe("registration", () => {
  it("DISCO-EDGE-01, DISCO-KEY-01: each thing is registered with a KEY of its own, and has its claim URI then, not before", async () => {
    start();
    discovery.serviceFound({ jid: registry, generation: "nf" });
    discovery.thingsChanged();
    expect(discovery.list().map(one => [one.state, one.uri])).toEqual([
      ["unregistered", undefined],
      ["unregistered", undefined],
    ]);
    discovery.online(false);
    await clock.advance(1_000);
    expect(names()).toEqual(["register", "register"]);
    expect(link.sent.map(sent => [sent.type, sent.to, sent.payload.ns, about(sent)])).toEqual([
      ["set", registry, ns, ""],
      ["set", registry, ns, "mbus-12"],
    ]);
    const keys = link.sent.map(sent => tagsOf(sent).at(-1)?.[2] ?? "");
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(keys).size).toBe(2);
    expect(tagsOf(link.sent[1]).slice(0, 3)).toEqual([
      ["str", "CLASS", "HeatMeter"],
      ["str", "SN", "66120"],
      ["num", "V", "2.1"],
    ]);
    const uri = discovery.claimUri(meter) as string;
    expect(uri).toBe(`iotdisco:CLASS=HeatMeter;SN=66120;#V=2.1;KEY=${keys[1]};R=${registry}`);
    expect(decodeUri(uri)).toMatchObject({ kind: "claim", tags: [...meterTags, { name: "KEY", value: keys[1] }] });
    expect(JSON.stringify(link.events)).not.toContain(keys[1]);
  });

  it("DISCO-EDGE-01: never more than five a second, and spread by the jitter", async () => {
    things = Array.from({ length: 20 }, (_, n) => ({ ref: { ...meter, nodeId: `m${n}` }, tags: meterTags }));
    await connected();
    expect(link.sent.length).toBeLessThanOrEqual(6);
    await clock.advance(4_000);
    expect(link.sent.length).toBe(20);
    stop.abort();
    start({ jitterMs: 60_000, random: () => 0.5 });
    discovery.online(false);
    await clock.advance(29_900);
    expect(link.sent).toEqual([]);
    await clock.advance(35_000);
    expect(link.sent.length).toBe(20);
  });

  it("DISCO-EDGE-01: spread over a minute unless said otherwise; what was never registered does not wait", async () => {
    expect(bootSettings.parse({ domain: "hub.example" }).registrationJitterSeconds * 1_000).toBe(registerJitterMs);
    await connected({ jitterMs: registerJitterMs, random: () => 0.999 });
    expect(told("register")).toHaveLength(2);
    discovery.online(false);
    await clock.advance(59_000);
    expect(told("register")).toHaveLength(2);
    await clock.advance(2_000);
    expect(told("register")).toHaveLength(4);
  });

  it("DISCO-EDGE-01: many things are gone through once, and not once for each of them", async () => {
    start();
    const refs = Array.from({ length: 300 }, (_, n) => ({ ...meter, nodeId: `m${n}` }));
    const claims = createClaims({
      store: createOwnershipStore(database),
      forgetDecisions() {},
      claimed() {},
      disowned() {},
      log: silentLog,
    });
    claims.add(refs);
    let looked = 0;
    const registration = createRegistration({
      connection: link.connection,
      claims,
      registry: () => ({ jid: registry, generation: "nf" }),
      tags: () => {
        looked++;
        return meterTags;
      },
      clock,
      log: silentLog,
      jitterMs: 0,
    });
    const running = registration.run(stop.signal);
    registration.loggedIn();
    await clock.advance(90_000);
    expect(told("register").length).toBe(300);
    expect(looked).toBeLessThan(300 * 6);
    stop.abort();
    await running;
  });

  it("DISCO-EDGE-01: the KEY outlives restart and reconnect, which register again; a resumed stream does not", async () => {
    await connected();
    const uri = discovery.claimUri(meter);
    discovery.online(false);
    await clock.advance(1_000);
    expect(told("register")).toHaveLength(4);
    discovery.online(true);
    await clock.advance(10_000);
    expect(told("register")).toHaveLength(4);
    stop.abort();
    await connected();
    expect(told("register")).toHaveLength(2);
    expect(discovery.claimUri(meter)).toBe(uri);
  });

  it("DISCO-EDGE-02: changed tags of an unowned thing are registered; the URI follows when the registry has them", async () => {
    await connected();
    things = [things[0] as Thing, { ref: meter, tags: [...meterTags, { name: "ROOM", value: "Attic" }] }];
    discovery.thingsChanged();
    expect(discovery.claimUri(meter)).not.toContain("ROOM");
    await clock.advance(1_000);
    expect(told("register")).toHaveLength(3);
    expect(discovery.claimUri(meter)).toContain("ROOM=Attic");
  });

  it("DISCO-TAG-01/02: what a registry would refuse is cut or left out, and the URI still reads back", async () => {
    things = [
      {
        ref: meter,
        tags: [
          { name: "NAME", value: "x".repeat(300) },
          { name: "name", value: "twice" },
          { name: "bad name", value: "1" },
          { name: "KEY", value: "guessable" },
          { name: "EMPTY", value: "" },
          { name: "NOTE", value: "line\nbreak \u202E;\\%41" },
          { name: "NaN", value: Number.NaN },
          ...Array.from({ length: 80 }, (_, n) => ({ name: `T${n}`, value: n })),
        ],
      },
    ];
    await connected();
    const tags = tagsOf(link.sent[0]);
    expect(tags).toHaveLength(63);
    expect(tags.slice(0, 3)).toEqual([
      ["str", "NAME", "x".repeat(128)],
      ["str", "NOTE", "linebreak ;\\%41"],
      ["num", "T0", "0"],
    ]);
    expect(decodeUri(discovery.claimUri(meter) as string)).toMatchObject({ tags: { length: 63 } });
  });

  it("DISCO-UNREG-01: a deleted node is unregistered, also when the registry was away and after a restart", async () => {
    await connected();
    link.script = () => {
      throw new StanzaError("wait", "service-unavailable");
    };
    things = things.slice(0, 1);
    discovery.removed(meter);
    await clock.advance(1_000);
    expect(discovery.list()).toHaveLength(1);
    stop.abort();
    await connected();
    expect(told("unregister").map(about)).toEqual(["mbus-12"]);
    expect(told("unregister")[0]?.payload.attrs).toMatchObject({ src: "MeteringTopology", pt: "attic" });
    await clock.advance(600_000);
    expect(told("unregister")).toHaveLength(1);
    expect(createOwnershipStore(database).all()).toHaveLength(1);
  });

  it("DISCO-UNREG-01: a node deleted and made again before the registry heard of it has no owner from before", async () => {
    await connected();
    await link.push(registry, claimed());
    link.online = false;
    discovery.removed(meter);
    discovery.thingsChanged();
    expect(state()).toMatchObject({ state: "unregistered", owner: undefined });
    expect(discovery.isOwner("ana@home.example")).toBe(false);
    expect(hooks.at(-1)).toBe("disowned mbus-12 ana@home.example false");
    expect(forgotten).toEqual([meter, meter]);
  });

  it("a thing that is merely missing from the tree is left alone: an owner is not lost by a faulty start", async () => {
    await connected();
    await link.push(registry, claimed());
    things = things.slice(0, 1);
    discovery.thingsChanged();
    discovery.online(false);
    await clock.advance(10_000);
    expect(told("unregister")).toEqual([]);
    expect(discovery.ownerOf(meter)).toBe("ana@home.example");
  });
});

describe("the registry away", () => {
  it("one thing is tried at growing intervals, not all in a storm; all is told when it is back, without a reconnect", async () => {
    things = Array.from({ length: 50 }, (_, n) => ({ ref: { ...meter, nodeId: `m${n}` }, tags: meterTags }));
    start();
    link.script = () => {
      throw new StanzaError("wait", "service-unavailable");
    };
    discovery.serviceFound({ jid: registry, generation: "nf" });
    discovery.online(false);
    await clock.advance(3_600_000);
    expect(link.sent.length).toBeLessThan(100);
    expect(link.sent.length).toBeGreaterThan(40);
    const before = link.sent.length;
    link.script = () => "";
    await clock.advance(120_000);
    expect(link.sent.length - before).toBe(50);
    expect(discovery.list().every(one => one.state === "registered")).toBe(true);
  });

  it("a sign of life ends the pause", async () => {
    start();
    link.script = () => Promise.reject(new Error("no answer"));
    discovery.serviceFound({ jid: registry, generation: "nf" });
    discovery.online(false);
    await clock.advance(600_000);
    link.script = () => "";
    discovery.registrySeen();
    await clock.advance(1_000);
    expect(state()?.state).toBe("registered");
  });

  it("a refused thing holds up nobody, and is offered again when its tags change or after an hour", async () => {
    start();
    link.script = sent => {
      if (about(sent) === "") throw new StanzaError("modify", "bad-request", "no such class");
      return "";
    };
    discovery.serviceFound({ jid: registry, generation: "nf" });
    discovery.online(false);
    await clock.advance(600_000);
    expect(link.sent).toHaveLength(2);
    expect(state()?.state).toBe("registered");
    things = [{ ref: rootRef, tags: [{ name: "CLASS", value: "Gateway" }] }, things[1] as Thing];
    discovery.thingsChanged();
    await clock.advance(1_000);
    expect(link.sent).toHaveLength(3);
    await clock.advance(3_700_000);
    expect(link.sent).toHaveLength(4);
  });

  it("is remembered: after a restart its word counts before it was found again", async () => {
    await connected();
    stop.abort();
    start();
    discovery.online(false);
    expect(await link.push(registry, claimed())).toBe("result");
    expect(discovery.ownerOf(meter)).toBe("ana@home.example");
  });
});

describe("claims", () => {
  it.each(generationNames)(
    "DISCO-CLAIMED-04: claimed in %s: owner stored, KEY and URI gone, decisions forgotten",
    async generation => {
      await connected();
      const key = decodeURIComponent(/KEY=([^;]*)/.exec(discovery.claimUri(meter) as string)?.[1] ?? "");
      const push = claimed("Ana@Home.example/phone").replace(ns, namespace("discovery", generation));
      expect(await link.push(registry, push)).toBe("result");
      expect(state()).toEqual({ ref: meter, state: "claimed", owner: "ana@home.example", uri: undefined });
      expect(forgotten).toEqual([meter]);
      expect(hooks).toEqual(["claimed mbus-12 ana@home.example"]);
      expect(discovery.isOwner("ana@home.example")).toBe(true);
      expect(JSON.stringify(database.prepare("SELECT * FROM things").all())).not.toContain(key);
      expect(await link.push(registry, push)).toBe("result");
      expect(hooks).toHaveLength(1);
    },
  );

  it("DISCO-ADDR-01: empty address attributes are the appliance", async () => {
    await connected();
    // However the broker writes its name.
    expect(await link.push(registry.toUpperCase(), claimed("ana@home.example", "id='' src='' pt=''"))).toBe("result");
    expect(discovery.ownerOf(rootRef)).toBe("ana@home.example");
    expect(discovery.ownerOf(meter)).toBeUndefined();
  });

  it.each([
    ["somebody", "mallory@evil.example/x"],
    ["another component", "evil.hub.example"],
    ["the registry with a resource", `${registry}/x`],
    ["an account at the registry", `admin@${registry}`],
    ["a look-alike", "reg.hub.example.evil.example"],
    ["the server", "hub.example"],
    ["ourselves", "gw9@hub.example/e"],
  ])("DISCO-CLAIMED-02: from %s nothing is taken, in any generation", async (_, from) => {
    await connected();
    const before = discovery.list();
    for (const generation of generationNames)
      for (const name of ["claimed", "removed", "disowned"]) {
        const xml = claimed("mallory@evil.example")
          .replace("claimed", name)
          .replace(ns, namespace("discovery", generation));
        expect(await link.push(from, xml)).toBe("forbidden");
      }
    expect(discovery.list()).toEqual(before);
    expect(hooks).toEqual([]);
    expect(link.events.filter(one => one.event === "SpoofedStanza")).toHaveLength(9);
    expect(link.events.find(one => one.event === "SpoofedStanza")).toMatchObject({ level: "warning", facts: { from } });
  });

  it("DISCO-CLAIMED-02: without a known registry nobody is it", async () => {
    start();
    discovery.thingsChanged();
    expect(await link.push(registry, claimed())).toBe("forbidden");
  });

  it("DISCO-CLAIMED-04: unknown things and malformed words", async () => {
    await connected();
    expect(await link.push(registry, claimed("a@b.example", "id='nothere'"))).toBe("item-not-found");
    expect(await link.push(registry, claimed("not a jid"))).toBe("bad-request");
    expect(await link.push(registry, `<claimed xmlns='${ns}' ${meterAt}/>`)).toBe("bad-request");
    expect(await link.push(registry, claimed("a@b.example", meterAt, "public='perhaps'"))).toBe("bad-request");
    expect(state()?.state).toBe("registered");
  });

  it("DISCO-CLAIMED-03: a push naming another owner is a conflict and is checked; only the registry's answer may change him", async () => {
    await connected();
    await link.push(registry, claimed());
    link.script = () => claimed("ana@home.example");
    expect(await link.push(registry, claimed("eve@evil.example"))).toBe("conflict");
    await clock.advance(1_000);
    expect(names().slice(2)).toEqual(["register", "update"]);
    expect(tagsOf(link.sent[2]).map(tag => tag[1])).not.toContain("KEY");
    expect(discovery.ownerOf(meter)).toBe("ana@home.example");
    link.script = sent => (sent.payload.name === "register" ? claimed("eve@home.example") : "");
    expect(await link.push(registry, claimed("eve@home.example"))).toBe("conflict");
    await clock.advance(1_000);
    expect(discovery.ownerOf(meter)).toBe("eve@home.example");
    expect(hooks).toEqual([
      "claimed mbus-12 ana@home.example",
      "disowned mbus-12 ana@home.example false",
      "claimed mbus-12 eve@home.example",
    ]);
    expect(forgotten).toEqual([meter, meter]);
  });

  it("DISCO-REG-02: an owner in the answer to register counts like a claim, and current tags follow", async () => {
    start();
    link.script = sent => (sent.payload.name === "register" && about(sent) !== "" ? claimed() : "");
    discovery.serviceFound({ jid: registry, generation: "nf" });
    discovery.online(false);
    await clock.advance(1_000);
    expect(state()?.owner).toBe("ana@home.example");
    expect(names()).toEqual(["register", "register", "update"]);
    expect(tagsOf(link.sent[2]).map(tag => tag[1])).toEqual(["CLASS", "SN", "V"]);
  });

  it("DISCO-CLAIMED-05, DISCO-CLAIMED-01: public=false ends updates; not said keeps them until item-not-found", async () => {
    for (const [attrs, updates] of [
      ["public='false'", 0],
      ["public='true'", 1],
      ["", 1],
    ] as const) {
      database.exec("DELETE FROM things");
      things = [{ ref: meter, tags: meterTags }];
      await connected();
      await link.push(registry, claimed("ana@home.example", meterAt, attrs));
      link.script = () => {
        throw new StanzaError("cancel", "item-not-found");
      };
      for (const ROOM of ["A", "B", "C"]) {
        things = [{ ref: meter, tags: [...meterTags, { name: "ROOM", value: ROOM }] }];
        discovery.thingsChanged();
        await clock.advance(60_000);
      }
      expect([attrs, told("update").length]).toEqual([attrs, updates]);
      expect(state()?.owner).toBe("ana@home.example");
      stop.abort();
    }
  });

  it("DISCO-EDGE-03, DISCO-UPD-01: hideIdentity takes serial and meter numbers out in the first update; gone tags are emptied", async () => {
    await connected({ hideIdentity: true });
    expect(discovery.claimUri(meter)).toContain("SN=66120");
    await link.push(registry, claimed());
    await clock.advance(1_000);
    expect(tagsOf(told("update")[0])).toEqual([
      ["str", "CLASS", "HeatMeter"],
      ["num", "V", "2.1"],
      ["str", "SN", ""],
    ]);
    await clock.advance(60_000);
    expect(told("update")).toHaveLength(1);
    things = [things[0] as Thing, { ref: meter, tags: [{ name: "CLASS", value: "HeatMeter" }] }];
    discovery.thingsChanged();
    await clock.advance(1_000);
    expect(tagsOf(told("update")[1])).toEqual([
      ["str", "CLASS", "HeatMeter"],
      ["str", "V", ""],
    ]);
  });

  it("DISCO-RM-01: removed: no more updates, the owner stays, also over a restart", async () => {
    await connected();
    await link.push(registry, claimed());
    expect(await link.push(registry, `<removed xmlns='${ns}' ${meterAt}/>`)).toBe("result");
    things = [things[0] as Thing, { ref: meter, tags: [...meterTags, { name: "ROOM", value: "Attic" }] }];
    discovery.thingsChanged();
    await clock.advance(10_000);
    expect(told("update")).toEqual([]);
    stop.abort();
    start();
    link.script = sent => (about(sent) === "" ? "" : claimed("ana@home.example", meterAt, "public='false'"));
    discovery.online(false);
    await clock.advance(10_000);
    expect(told("update")).toEqual([]);
    expect(discovery.ownerOf(meter)).toBe("ana@home.example");
  });
});

describe("disowning", () => {
  it("DISCO-DISOWN-02/03: acknowledged first, then, after more than a second, registered with a new KEY", async () => {
    await connected();
    const before = discovery.claimUri(meter);
    await link.push(registry, claimed());
    await link.push(registry, claimed("ana@home.example", ""));
    const sentBefore = link.sent.length;
    expect(await link.push(registry, `<disowned xmlns='${ns}' ${meterAt}/>`)).toBe("result");
    expect(state()?.state).toBe("unregistered");
    expect(hooks.at(-1)).toBe("disowned mbus-12 ana@home.example true");
    await clock.advance(1_000);
    expect(link.sent).toHaveLength(sentBefore);
    await clock.advance(2_000);
    expect(names().slice(sentBefore)).toEqual(["register"]);
    expect(discovery.claimUri(meter)).toMatch(/^iotdisco:/);
    expect(discovery.claimUri(meter)).not.toBe(before);
    expect(forgotten).toEqual([meter, rootRef, meter]);
    await link.push(registry, `<disowned xmlns='${ns}'/>`);
    expect(hooks.at(-1)).toBe("disowned  ana@home.example false");
    expect(discovery.isOwner("ana@home.example")).toBe(false);
  });

  it("DISCO-UPD-02: disowned in the answer to an update: owner forgotten, new KEY, registered again", async () => {
    await connected();
    await link.push(registry, claimed());
    link.script = sent => (sent.payload.name === "update" ? `<disowned xmlns='${ns}'/>` : "");
    things = [things[0] as Thing, { ref: meter, tags: [...meterTags, { name: "ROOM", value: "Attic" }] }];
    discovery.thingsChanged();
    await clock.advance(5_000);
    expect(names().slice(2)).toEqual(["update", "register"]);
    expect(tagsOf(link.sent[3]).map(tag => tag[1])).toEqual(["CLASS", "SN", "V", "ROOM", "KEY"]);
    expect(state()).toMatchObject({ state: "registered", owner: undefined });
  });

  it("a registry that lost its memory does not take an owner away by silence, only by saying so", async () => {
    await connected();
    await link.push(registry, claimed());
    discovery.online(false);
    await clock.advance(5_000);
    expect(names().slice(2)).toEqual(["register", "register", "update"]);
    expect(discovery.ownerOf(meter)).toBe("ana@home.example");
    link.script = sent => (sent.payload.name === "update" ? `<disowned xmlns='${ns}'/>` : "");
    discovery.online(false);
    await clock.advance(10_000);
    expect(state()).toMatchObject({ state: "registered", owner: undefined });
    expect(discovery.claimUri(meter)).toContain("KEY=");
  });
});

describe("restart", () => {
  it("owner and state are as before, without a registry", async () => {
    await connected();
    await link.push(registry, claimed());
    stop.abort();
    start();
    link.online = false;
    discovery.thingsChanged();
    expect(discovery.list().map(one => [one.ref.nodeId, one.state, one.owner])).toEqual([
      ["", "registered", undefined],
      ["mbus-12", "claimed", "ana@home.example"],
    ]);
    expect(discovery.claimUri(rootRef)).toContain("KEY=");
  });

  it("another registry: unowned things get new KEYs and are told to it; it alone is obeyed", async () => {
    await connected();
    const before = discovery.claimUri(meter);
    discovery.serviceFound({ jid: "new.hub.example", generation: "nfi" });
    await clock.advance(1_000);
    expect(link.sent.slice(2).map(sent => [sent.to, sent.payload.ns])).toEqual([
      ["new.hub.example", namespace("discovery", "nfi")],
      ["new.hub.example", namespace("discovery", "nfi")],
    ]);
    expect(discovery.claimUri(meter)).toContain("R=new.hub.example");
    expect(discovery.claimUri(meter)?.split("KEY=")[1]).not.toContain(before?.split("KEY=")[1]?.slice(0, 64) ?? "?");
    expect(await link.push(registry, claimed())).toBe("forbidden");
    expect(() => discovery.serviceFound({ jid: "evil@hub.example", generation: "nf" })).toThrow();
  });
});
