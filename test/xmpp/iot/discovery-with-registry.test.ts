// The edge's discovery and decisions and the real registry, stanza by stanza: claim, question, partial grant, revocation,
// disowning, and an outage with a restart of both.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { within } from "#base/deadline.ts";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import type { Question } from "#concentrator/admission.ts";
import { noTokens } from "#contract/caller.ts";
import { categories } from "#contract/field.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import { createDiscovery, type Discovery } from "#iot/discovery.ts";
import * as disco from "#iot/discovery.wire.ts";
import { namespace } from "#iot/generations.ts";
import { decodeUri } from "#iot/iotdisco.ts";
import { createProvisioning, type Provisioning } from "#iot/provisioning.ts";
import * as owner from "#iot/provisioning-owner.wire.ts";
import { createRegistry, type Registry } from "#registry/registry.ts";
import { openRegistryStore } from "#registry/sqlite/store.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createDecisionStore } from "#store/decisions.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { createOwnershipStore } from "#store/ownership.ts";
import { type Element, element, elements, firstElement, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { createRouter, type Router } from "#xmpp/router.ts";
import { clientNs, componentNs, decodeError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

const service = "reg.hub.example";
const edge = "gw9@hub.example/e";
const edgeBare = "gw9@hub.example";
const ana = "ana@home.example/phone";
const bob = "bob@city.example";
const meter: NodeRef = { nodeId: "heat-3", sourceId: "MeteringTopology", partition: "attic" };
const discoNs = namespace("discovery", "nf");
const ownerNs = namespace("provisioningOwner", "nf");

let clock: ManualClock;
let folder: string;
let broker: ReturnType<typeof createBroker>;
let registry: { stop(): Promise<void> } | undefined;
let gateway: { discovery: Discovery; provisioning: Provisioning; stop(): Promise<void> };
let events: LogEvent[];

/** Carries stanzas as text between those present, stamping who sent them; an iq to nobody comes back as unavailable. */
function createBroker() {
  const parties = new Map<string, (stanza: Element) => void>();
  const messages: Element[] = [];
  let ids = 0;
  const waiting = new Map<string, (reply: Element) => void>();
  const broker = {
    parties,
    messages,
    deliver(from: string, stanza: Element): void {
      const { to = "", id = "", type } = stanza.attrs;
      // A client and a component see the same stanza in different namespaces.
      const text = format({ ...stanza, attrs: { ...stanza.attrs, from } });
      const [mine, yours] = to === service ? [clientNs, componentNs] : [componentNs, clientNs];
      const stamped = parse(text.replaceAll(`'${mine}'`, `'${yours}'`));
      if (stamped.name === "iq" && (type === "result" || type === "error")) {
        waiting.get(`${to} ${from} ${id}`)?.(stamped);
        return;
      }
      const party = parties.get(to) ?? (stamped.name === "presence" ? parties.get(`${to}/e`) : undefined);
      if (party) party(stamped);
      else if (stamped.name === "message") messages.push(stamped);
      else if (stamped.name === "iq") {
        const error = parse(
          "<error xmlns='jabber:client' type='wait'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
        );
        broker.deliver(to, element("iq", clientNs, { type: "error", id, to: from }, [error]));
      }
    },
    async request(from: string, type: "get" | "set", to: string, payload: Element, timeoutMs = 10_000) {
      const id = `q${++ids}`;
      return await within(clock, timeoutMs, to, new AbortController().signal, async () => {
        const answered = new Promise<Element>(resolve => waiting.set(`${from} ${to} ${id}`, resolve));
        broker.deliver(from, element("iq", clientNs, { type, id, to }, [payload]));
        const reply = await answered;
        if (reply.attrs.type === "error") throw decodeError(reply);
        return firstElement(reply);
      });
    },
    connection(jid: string): Connection {
      return {
        jid,
        online: true,
        send: stanza => broker.deliver(stanza.attrs.from ?? jid, stanza),
        request: (type, to, payload, options) => broker.request(jid, type, to ?? "", payload, options?.timeoutMs),
      };
    },
  };
  return broker;
}

async function startRegistry() {
  const stop = new AbortController();
  const store = openRegistryStore(join(folder, "registry.db"), silentLog);
  const one: Registry = createRegistry({
    options: { jid: service, localDomains: ["hub.example"], allowWeakKey: false, friendOnAccept: false },
    store,
    connection: broker.connection(service),
    clock,
    log: createLog(event => events.push(event)),
    signal: stop.signal,
  });
  const running = one.run(stop.signal);
  broker.parties.set(service, stanza => {
    if (stanza.name === "iq") one.inbound.iq(stanza);
    else if (stanza.name === "message") one.inbound.message(stanza);
    else one.inbound.presence(stanza);
  });
  one.inbound.online(service, false);
  registry = {
    async stop() {
      broker.parties.delete(service);
      stop.abort(new Error("stopped"));
      await running;
      await store[Symbol.asyncDispose]();
      registry = undefined;
    },
  };
  await clock.advance(100);
}

function startGateway(found = true) {
  const stop = new AbortController();
  const database: Database = openDatabase(join(folder, "edge.db"), edgeMigrations, silentLog);
  const connection = broker.connection(edge);
  const store = createOwnershipStore(database);
  const log = createLog(event => events.push(event));
  const discovery = createDiscovery({
    connection,
    store,
    things: () => [
      { ref: rootRef, tags: [{ name: "CLASS", value: "Concentrator" }] },
      {
        ref: meter,
        tags: [
          { name: "CLASS", value: "HeatMeter" },
          { name: "SN", value: "66 120;ü" },
          { name: "V", value: 2 },
        ],
      },
    ],
    forgetDecisions: ref => provisioning.forget(ref),
    hooks: { claimed() {}, disowned() {} },
    clock,
    log,
    jitterMs: 0,
  });
  const provisioning: Provisioning = createProvisioning({
    connection,
    decisions: createDecisionStore(database),
    store,
    account: () => edgeBare,
    thingOf: ref => ref,
    ownerOf: discovery.ownerOf,
    owners: () => new Set(discovery.list().flatMap(one => one.owner ?? [])),
    hooks: { rightsChanged() {}, friend() {}, unfriend() {} },
    clock,
    log,
  });
  const router: Router = createRouter({
    routes: [...discovery.routes, ...provisioning.routes],
    messages: provisioning.messages,
    gate: () => true,
    reply: connection.send,
    clock,
    log,
    signal: stop.signal,
    concurrentMax: 16,
    replayMs: 1_000,
    replaysMax: 16,
  });
  broker.parties.set(edge, stanza => {
    if (stanza.name === "iq") void router.iq(stanza);
    else if (stanza.name === "message") void router.message(stanza);
    else if (stanza.attrs.type === "subscribe") {
      // As presence.ts does with the service: accepted, and shown.
      broker.deliver(edgeBare, element("presence", clientNs, { to: service, type: "subscribed" }));
      broker.deliver(edge, element("presence", clientNs, { to: service }));
    }
  });
  if (found) for (const one of [discovery, provisioning]) one.serviceFound({ jid: service, generation: "nf" });
  provisioning.online(false);
  discovery.online(false);
  const running = discovery.run(stop.signal);
  gateway = {
    discovery,
    provisioning,
    async stop() {
      broker.parties.delete(edge);
      stop.abort(new Error("killed"));
      await running;
      database.close();
    },
  };
}

const asOwner = (type: "get" | "set", payload: Element) => broker.request(ana, type, service, payload);

const mine = async () => {
  const uri = decodeUri(gateway.discovery.claimUri(meter) as string);
  if (uri.kind !== "claim") throw new Error("no claim");
  expect(uri.registry).toBe(service);
  const reply = await asOwner("set", disco.mine.encode({ ref: rootRef, isPublic: true, tags: uri.tags }, discoNs));
  await clock.advance(1_000);
  return disco.claimed.decode(reply as Element);
};

const energyAndFlow = (caller = bob): Question => ({
  right: "read",
  caller: { bareJid: caller, fullJid: `${caller}/x`, tokens: noTokens, language: "en" },
  nodes: [meter],
  categories: categories("momentary", "identity"),
  names: ["Energy", "Flow"],
});
const read = async (caller = bob) => {
  const asked = Promise.resolve(gateway.provisioning.rule.ask(energyAndFlow(caller), new AbortController().signal));
  await clock.advance(100);
  const [opinion] = await asked;
  return opinion && "grant" in opinion ? opinion.grant : undefined;
};

/** The last question to the owner. */
const question = () => {
  const payload = broker.messages
    .filter(one => one.attrs.to === "ana@home.example")
    .flatMap(elements)
    .findLast(one => one.ns === ownerNs && one.name === "canRead");
  return owner.canReadQuestion.decode(payload as Element);
};
const answer = async (result: boolean, names: string[]) => {
  const { jid, remoteJid, key } = question();
  const partial = result ? { categories: categories("momentary"), names } : undefined;
  const rule = { jid, remoteJid, key, result, node: meter, partial, origin: { kind: "fromJid" as const } };
  await asOwner("set", owner.canReadRule.encode(rule, ownerNs));
  await clock.advance(5_000);
};

beforeEach(async () => {
  clock = manualClock();
  folder = mkdtempSync(join(tmpdir(), "edge-and-registry-"));
  broker = createBroker();
  events = [];
  await startRegistry();
  startGateway();
  await clock.advance(2_000);
});
afterEach(async () => {
  await gateway.stop();
  await registry?.stop();
  rmSync(folder, { recursive: true });
});

it("DISCO-MINE-01, DISCO-CLAIMED-04: the printed URI claims the thing; a wrong KEY and a second claim do not", async () => {
  expect(gateway.discovery.list().map(one => one.state)).toEqual(["registered", "registered"]);
  const uri = gateway.discovery.claimUri(meter) as string;
  const wrong = decodeUri(uri.replace(/KEY=./, "KEY=x"));
  if (wrong.kind !== "claim") throw new Error("no claim");
  const claim = disco.mine.encode({ ref: rootRef, isPublic: true, tags: wrong.tags }, discoNs);
  await expect(asOwner("set", claim)).rejects.toMatchObject({ condition: "item-not-found" });
  expect(await mine()).toMatchObject({ jid: edgeBare, ref: meter, isPublic: true });
  expect(gateway.discovery.ownerOf(meter)).toBe("ana@home.example");
  expect(gateway.discovery.claimUri(meter)).toBeUndefined();
  const again = decodeUri(uri) as { tags: { name: string; value: string | number }[] } & ReturnType<typeof decodeUri>;
  const second = disco.mine.encode({ ref: rootRef, isPublic: true, tags: again.tags }, discoNs);
  await expect(asOwner("set", second)).rejects.toMatchObject({ condition: "item-not-found" });
});

it("PROV-EVAL-06, PROVO-RULE-08, PROV-CACHE-07: refused and asked about, then granted in part, then revoked", async () => {
  await mine();
  expect(await read()).toBeUndefined();
  expect(question()).toMatchObject({ jid: edgeBare, remoteJid: bob, nodes: [meter], names: ["Energy", "Flow"] });
  await answer(true, ["Energy"]);
  expect(await read()).toEqual({ categories: categories("momentary"), names: ["Energy"] });
  await answer(false, []);
  expect(await read()).toBeUndefined();
  expect(await read("ana@home.example")).toBeDefined();
});

it("the registry away, then both killed: what was permitted still is, strangers are refused, and all is well when it is back", async () => {
  await mine();
  await read();
  await answer(true, ["Energy"]);
  const permitted = { categories: categories("momentary"), names: ["Energy"] };
  expect(await read()).toEqual(permitted);
  await registry?.stop();
  expect(await read()).toEqual(permitted);
  expect(await read("eve@evil.example")).toBeUndefined();
  const uri = gateway.discovery.claimUri(rootRef);
  await gateway.stop();
  startGateway(false);
  await clock.advance(5_000);
  expect(await read()).toEqual(permitted);
  expect(await read("eve@evil.example")).toBeUndefined();
  expect(gateway.discovery.ownerOf(meter)).toBe("ana@home.example");
  expect(gateway.discovery.claimUri(rootRef)).toBe(uri);
  await startRegistry();
  await clock.advance(130_000);
  expect(gateway.discovery.list().map(one => [one.state, one.owner])).toEqual([
    ["registered", undefined],
    ["claimed", "ana@home.example"],
  ]);
  expect(await read()).toEqual(permitted);
  expect(await read("eve@evil.example")).toBeUndefined();
  expect(question()).toMatchObject({ remoteJid: "eve@evil.example" });
});

it("DISCO-DISOWN-01/02/03: disowned things get a new KEY, and the old owner's rules die", async () => {
  await mine();
  await read();
  await answer(true, ["Energy"]);
  expect(await read()).toBeDefined();
  const disowned = asOwner("set", disco.disown.encode({ jid: edgeBare, ref: meter }, discoNs));
  await clock.advance(10_000);
  await disowned;
  expect(gateway.discovery.list()[1]).toMatchObject({ state: "registered", owner: undefined });
  expect(await read()).toBeUndefined();
  expect(await mine()).toMatchObject({ ref: meter });
  expect(await read()).toBeUndefined();
});

it("DISCO-CLAIMED-02, PROV-TRUST-01: what the real registry sends is taken from it alone", async () => {
  const claim = disco.claimed.encode({ jid: "eve@evil.example", ref: meter, isPublic: true }, discoNs);
  for (const from of [bob, "evil.hub.example", `${service}/x`, `admin@${service}`])
    await expect(broker.request(from, "set", edge, claim)).rejects.toMatchObject({ condition: "forbidden" });
  expect(gateway.discovery.ownerOf(meter)).toBeUndefined();
  expect(events.filter(one => one.event === "SpoofedStanza")).toHaveLength(4);
});
