// Which registry the edge believes, in which generation, and what of: impostors, look-alikes, old keys.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import type { Thing } from "#concentrator/concentrator.ts";
import { type NodeRef, rootRef, type Tag } from "#contract/node.ts";
import { createDiscovery, type Discovery } from "#iot/discovery.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { decodeUri } from "#iot/iotdisco.ts";
import { type Dialect, oldDiscoveryNs, preferredDialect } from "#iot/old-discovery.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { child, element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { discover } from "#xmpp/disco.ts";
import { createRequests, randomId } from "#xmpp/requests.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { createServiceLink, type ServiceLink } from "./discovery-service-link.ts";

const registry = "reg.hub.example";
const owner = "ana@home.example";
const meter: NodeRef = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" };
const meterTags: Tag[] = [{ name: "CLASS", value: "HeatMeter" }];
const at = "id='mbus-12' src='MeteringTopology'";

let clock: ManualClock;
let database: Database;
let link: ServiceLink;
let discovery: Discovery;
let stop: AbortController;
let disowned: string[];
let things: Thing[];

beforeEach(() => {
  clock = manualClock();
  database = openDatabase(":memory:", edgeMigrations, silentLog);
  stop = new AbortController();
  disowned = [];
  things = [
    { ref: rootRef, tags: [{ name: "CLASS", value: "Concentrator" }] },
    { ref: meter, tags: meterTags },
  ];
  link = createServiceLink(clock);
  link.script = () => "";
  discovery = createDiscovery({
    connection: link.connection,
    store: createOwnershipStore(database),
    things: () => things,
    forgetDecisions: () => {},
    hooks: { claimed: () => {}, disowned: (_, who) => void disowned.push(who) },
    clock,
    log: link.log,
    jitterMs: 0,
  });
  link.serve(discovery.routes);
  void discovery.run(stop.signal);
});
afterEach(() => {
  stop.abort();
  database.close();
});

const connected = async (generation: Dialect = "nf") => {
  discovery.serviceFound({ jid: registry, generation });
  discovery.online(false);
  await clock.advance(1_000);
};
const say = (name: string, from = registry, ns = namespace("discovery", "nf"), jid = owner) =>
  link.push(from, `<${name} xmlns='${ns}' ${name === "claimed" ? `jid='${jid}' public='true' ` : ""}${at}/>`);
const keySent = () => {
  const sent = link.sent.filter(({ text }) => text.includes("mbus-12") && text.startsWith("<register")).at(-1);
  return /name='KEY' value='([^']*)'/.exec(sent?.text ?? "")?.[1];
};

describe("generations", () => {
  it("DISCO-NS-03: nf where it is offered, else nfi, else ieee, else what was before them; what is none of them is not spoken", () => {
    const ns = (generation: (typeof generationNames)[number]) => namespace("discovery", generation);
    const chosen = (...offered: (typeof generationNames)[number][]) =>
      preferredDialect(new Set([...offered.map(ns), oldDiscoveryNs]));
    expect(chosen("ieee", "nfi", "nf")).toBe("nf");
    expect(chosen("ieee", "nfi")).toBe("nfi");
    expect(chosen("ieee")).toBe("ieee");
    expect(chosen()).toBe("xsf");
    expect(preferredDialect(new Set(["urn:xmpp:iot:sensordata"]))).toBeUndefined();
  });

  for (const spoken of generationNames)
    it(`DISCO-NS-03: to a registry of ${spoken} it speaks that, and hears it in all of them`, async () => {
      await connected(spoken);
      expect(new Set(link.sent.map(({ payload }) => payload.ns))).toEqual(new Set([namespace("discovery", spoken)]));
      for (const heard of generationNames) {
        const ns = namespace("discovery", heard);
        expect(await say("claimed", registry, ns)).toBe("result");
        expect(discovery.ownerOf(meter)).toBe(owner);
        expect(await say("disowned", registry, ns)).toBe("result");
        expect(discovery.ownerOf(meter)).toBeUndefined();
        await clock.advance(5_000);
      }
    });
});

it("DISCO-NS-03, DISCO-NS-04: with a registry of XEP-0347 it registers, is claimed, updates and is disowned in those words alone", async () => {
  const at = "nodeId='mbus-12' sourceId='MeteringTopology' cacheType='P'";
  const ref = { ...meter, partition: "P" };
  things = [{ ref, tags: [...meterTags, { name: "N".repeat(33), value: "too long a name there" }] }];
  await connected("xsf");
  const said = () => link.sent.map(({ text }) => text.replace(/value='[0-9a-f]{64}'/, "value='…'"));
  const tags = "<str name='CLASS' value='HeatMeter'/>";
  expect(said()).toEqual([`<register xmlns='${oldDiscoveryNs}' ${at}>${tags}<str name='KEY' value='…'/></register>`]);
  expect(discovery.claimUri(ref)).toMatch(/^iotdisco:CLASS=HeatMeter;KEY=[0-9a-f]{64};R=/);
  const claimed = `<claimed xmlns='${oldDiscoveryNs}' jid='${owner}' public='true' ${at}/>`;
  expect(await link.push("evil.hub.example", claimed)).toBe("forbidden");
  expect(await link.push(registry, claimed)).toBe("result");
  expect(discovery.ownerOf(ref)).toBe(owner);
  link.script = ({ payload }) => (payload.name === "update" ? `<disowned xmlns='${oldDiscoveryNs}' ${at}/>` : "");
  things = [{ ref, tags: [...meterTags, { name: "ROOM", value: "Attic" }] }];
  discovery.thingsChanged();
  await clock.advance(5_000);
  const more = `${tags}<str name='ROOM' value='Attic'/>`;
  expect(said().slice(1)).toEqual([
    `<update xmlns='${oldDiscoveryNs}' ${at}>${more}</update>`,
    `<register xmlns='${oldDiscoveryNs}' ${at}>${more}<str name='KEY' value='…'/></register>`,
  ]);
  expect(discovery.ownerOf(ref)).toBeUndefined();
  // Words of two dialects in one stanza are none.
  const mixed = `<claimed xmlns='${oldDiscoveryNs}' jid='${owner}'><x xmlns='${namespace("discovery", "nf")}'/></claimed>`;
  expect(await link.push(registry, mixed)).toBe("bad-request");
  // A restart remembers what is spoken.
  expect(createOwnershipStore(database).service("registry")).toEqual({ jid: registry, generation: "xsf" });
});

describe("impostors", () => {
  it.each([
    "mallory@evil.example/x",
    "evil.hub.example",
    `${registry}/x`,
    `${registry}.evil.example`,
    "hub.example",
    "gw9@hub.example/e",
    owner,
  ])("DISCO-THR-01: %s neither gives a thing to somebody nor takes it from its owner", async from => {
    await connected();
    for (const generation of generationNames)
      expect(await say("claimed", from, namespace("discovery", generation), "mallory@evil.example")).toBe("forbidden");
    expect(discovery.ownerOf(meter)).toBeUndefined();
    expect(await say("claimed")).toBe("result");
    for (const name of ["claimed", "removed", "disowned"])
      expect(await say(name, from, undefined, "mallory@evil.example")).toBe("forbidden");
    expect([discovery.ownerOf(meter), disowned]).toEqual([owner, []]);
    expect(link.events.filter(({ event }) => event === "SpoofedStanza")).toHaveLength(6);
  });

  it("DISCO-THR-02: an answer counts with the id and from the one that was asked, and ids are 128 random bits", async () => {
    const ids = Array.from({ length: 1_000 }, randomId);
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(Buffer.from(id, "base64url")).toHaveLength(16);
    const forged: unknown[] = [];
    const requests = createRequests(
      clock,
      () => false,
      10,
      from => forged.push(from),
    );
    let id = "";
    const asked = requests.ask({ to: registry, what: registry, timeoutMs: 10_000 }, one => {
      id = one;
    });
    const answer = (from: string, of: string, who: string) =>
      requests.settle(
        parse(
          `<iq xmlns='jabber:client' type='result' id='${of}' from='${from}'><claimed xmlns='urn:x' jid='${who}'/></iq>`,
        ),
      );
    expect(answer("evil.hub.example", id, "mallory@evil.example")).toBe(false);
    expect(answer(`${registry}/x`, id, "mallory@evil.example")).toBe(false);
    expect(answer(registry, "1", "mallory@evil.example")).toBe(false);
    expect(forged).toEqual(["evil.hub.example", `${registry}/x`]);
    expect(answer(registry, id, owner)).toBe(true);
    expect((await asked)?.attrs.jid).toBe(owner);
  });

  it("DISCO-THR-07: a registry is what the own domain lists as one, and nothing that calls itself so", async () => {
    const asked: string[] = [];
    const info = (features: readonly string[]) =>
      element("query", "http://jabber.org/protocol/disco#info", {}, [
        ...features.map(one => element("feature", "http://jabber.org/protocol/disco#info", { var: one })),
      ]);
    const services = await discover(
      {
        request: async (_type, to = "", payload) => {
          asked.push(to);
          if (payload.ns.endsWith("#items"))
            return parse(
              "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='reg.hub.example'/><item jid='chat.hub.example'/></query>",
            );
          return info(to === registry ? [namespace("discovery", "nf")] : []);
        },
      },
      "hub.example",
      silentLog,
      stop.signal,
    );
    expect(services.registry?.jid).toBe(registry);
    expect(new Set(asked)).toEqual(new Set(["hub.example", registry, "chat.hub.example"]));
    expect(() => discovery.serviceFound({ jid: "admin@hub.example", generation: "nf" })).toThrow(
      /a registry is a domain/,
    );
    expect(() => discovery.serviceFound({ jid: "hub.example/x", generation: "nf" })).toThrow(/a registry is a domain/);
    await connected();
    // A thing found in the wild, that names a registry of its own, changes nothing about ours.
    await link.push(
      "mallory@evil.example/x",
      `<claimed xmlns='urn:nf:iot:disco:1.0' jid='mallory@evil.example' ${at}/>`,
    );
    expect(discovery.service?.jid).toBe(registry);
  });
});

describe("keys and codes", () => {
  it("DISCO-THR-04: each time a thing is to be claimed it has another key; the one before is nowhere", async () => {
    await connected();
    const first = keySent();
    expect(first).toMatch(/^[0-9a-f]{32,}$/i);
    await say("claimed");
    const stored = () => JSON.stringify(database.prepare("SELECT * FROM things").all());
    expect(stored()).not.toContain(first);
    await say("disowned");
    await clock.advance(10_000);
    const second = keySent();
    expect(second).toMatch(/^[0-9a-f]{32,}$/i);
    expect(second).not.toBe(first);
    expect(stored()).toContain(second);
    expect(link.events.map(event => JSON.stringify(event)).join("")).not.toContain(first);
  });

  it("URI-KIND-03: the code is there while the thing can be claimed, and gone with the claim", async () => {
    const code = () => discovery.claimUri(meter);
    discovery.serviceFound({ jid: registry, generation: "nf" });
    expect(code()).toBeUndefined();
    await connected();
    const uri = decodeUri(code() ?? "");
    expect(uri).toMatchObject({ kind: "claim", registry });
    await say("claimed");
    expect(code()).toBeUndefined();
    expect(discovery.list().every(one => one.owner === undefined || one.uri === undefined)).toBe(true);
    await say("disowned");
    await clock.advance(10_000);
    expect(code()).not.toBeUndefined();
    expect(decodeUri(code() ?? "")).not.toEqual(uri);
  });
});

it("DISCO-THR-01: a claimed of the registry for a thing that has an owner waits for the registry's own answer", async () => {
  await connected();
  await say("claimed");
  link.script = ({ payload }) =>
    payload.name === "register" ? `<claimed xmlns='${payload.ns}' jid='${owner}' public='true'/>` : "";
  expect(await say("claimed", registry, undefined, "mallory@evil.example")).toBe("conflict");
  await clock.advance(5_000);
  expect(discovery.ownerOf(meter)).toBe(owner);
  const asked = link.sent.at(-1)?.payload;
  expect(asked && child(asked, "str")).toBeDefined();
});
