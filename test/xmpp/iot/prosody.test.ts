// Consent, discovery and readouts through a real broker: what only a broker does (roster pushes, presence of resources,
// bounces, its limits) is not to be believed from a script.

import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { silentLog } from "#base/log.ts";
import { categories, type Reading } from "#contract/field.ts";
import * as disco from "#iot/disco.wire.ts";
import { namespace } from "#iot/generations.ts";
import { createSensorData } from "#iot/sensor-data.ts";
import * as wire from "#iot/sensor-data.wire.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { type Element, element, format } from "#xml/element.ts";
import { createDisco, discover } from "#xmpp/disco.ts";
import { createGate, createPresence } from "#xmpp/presence.ts";
import { createRoster } from "#xmpp/roster.ts";
import { createRouter, type Router } from "#xmpp/router.ts";
import { createSession, type Session } from "#xmpp/session.ts";
import { clientNs, payloadMessage, type StanzaError } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../../lab/scene.ts";
import { fakeReadouts, ref, says } from "./face-bench.ts";

const domain = "isthmus.localhost";
const password = "a secret of its own";
const ns = namespace("sensorData", "nf");
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let prosody: Prosody;
let ca: string;

beforeAll(async () => {
  home = await temporaryFolder();
  const authority = await createAuthority(`${home.path}/ca`, clock, forever);
  ca = authority.ca;
  prosody = await startProsody({
    folder: `${home.path}/prosody`,
    domain,
    certificate: await authority.issue({ hosts: [domain, "localhost"] }),
    clock,
    signal: forever,
    users: ["gw", "bob", "eve"].map(name => ({ name, password })),
  });
});
afterAll(async () => {
  await prosody?.stop();
  await home?.[Symbol.asyncDispose]();
});

const optionsFor = (account: string) => ({
  domain,
  host: "127.0.0.1",
  port: prosody.ports.tls,
  tls: "direct" as const,
  ca: [ca],
  credentials: { load: () => ({ username: account, password }), save: () => {} },
});

/** Somebody with a client: hears all, asks what he likes. */
async function createPerson(account: string, signal: AbortSignal) {
  const messages: Element[] = [];
  const presences: Element[] = [];
  const session: Session = createSession(
    optionsFor(account),
    { iq: () => {}, message: one => void messages.push(one), presence: one => void presences.push(one) },
    { clock, log: silentLog },
  );
  const leave = new AbortController();
  const running = session.run(AbortSignal.any([signal, leave.signal]));
  await session.whenOnline(signal);
  // Prosody tells answers to our requests only to resources that asked for the roster ("interested", RFC 6121).
  await session.request("get", undefined, element("query", "jabber:iq:roster"));
  session.send(element("presence", clientNs));
  return {
    session,
    messages,
    presences,
    async leave() {
      leave.abort();
      await running;
    },
  };
}

async function createEdge(signal: AbortSignal) {
  const readouts = fakeReadouts();
  const session = createSession(
    optionsFor("gw"),
    {
      iq: one => void router.iq(one),
      message: one => (one.attrs.type === "error" ? sensorData.gone(one.attrs.from ?? "") : void router.message(one)),
      presence: one => presence.receive(one),
    },
    { clock, log: silentLog },
  );
  const roster = createRoster({ connection: session, log: silentLog });
  const sensorData = createSensorData({
    concentrator: readouts,
    send: (to, payload) => session.send(payloadMessage(to, payload)),
    clock,
    log: silentLog,
    signal,
  });
  const announced = createDisco({
    features: () => router.features,
    identity: { category: "client", type: "bot", name: "Isthmus" },
    node: "urn:x-isthmus",
  });
  const router: Router = createRouter({
    routes: [...announced.routes, ...roster.routes, ...sensorData.routes],
    messages: [],
    gate: createGate({ connection: session, roster, services: () => new Set() }),
    reply: stanza => session.send(stanza),
    clock,
    log: silentLog,
    signal,
    concurrentMax: 100,
    replayMs: 60_000,
    replaysMax: 100,
  });
  const presence = createPresence({
    connection: session,
    roster,
    decide: async jid => (jid === `bob@${domain}` ? "accept-and-subscribe" : "decline"),
    caps: announced.caps,
    gone: sensorData.gone,
    withdrawn: sensorData.withdrawn,
    clock,
    log: silentLog,
    signal,
  });
  const running = session.run(signal);
  await session.whenOnline(signal);
  await presence.announce(signal);
  return { session, roster, presence, sensorData, readouts, running };
}

const until = (what: string, is: () => boolean) =>
  within(clock, 10_000, what, forever, async signal => {
    while (!is()) await clock.sleep(5, signal);
  });

const sample = (nodeId: string): Reading => ({
  kind: "reading",
  node: ref(nodeId),
  at: Date.parse("2031-03-02T05:10:00Z"),
  fields: Array.from({ length: 20 }, (_, index) => ({
    name: `Field ${index}`,
    value: { kind: "quantity" as const, value: index, decimals: 1, unit: "kWh" },
    categories: categories("momentary"),
    quality: { automaticReadout: true as const },
  })),
});

it("PRES-SUB-02, PRES-IQ-01, SD-RESP-01, -02, -17, SD-CAN-01: strangers, consent, readouts and departure through Prosody", async () => {
  const stop = new AbortController();
  const edge = await createEdge(stop.signal);
  const bob = await createPerson("bob", stop.signal);
  const eve = await createPerson("eve", stop.signal);
  const { jid } = edge.session;
  const gw = `gw@${domain}`;
  const ask = (who: typeof bob, id: string, ids: string[]) =>
    who.session.request(
      "get",
      jid,
      wire.request.encode(
        {
          id,
          categories: categories("momentary"),
          from: undefined,
          to: undefined,
          when: undefined,
          tokens: { service: [], device: [], user: [] },
          nodes: ids.map(one => ref(one)),
          names: [],
        },
        ns,
      ),
    );

  // A stranger: declined, forbidden, and told nothing.
  eve.session.send(element("presence", clientNs, { to: gw, type: "subscribe" }));
  await until("the refusal", () => eve.presences.some(one => one.attrs.type === "unsubscribed"));
  const condition = (error: StanzaError) => error.condition;
  expect(await ask(eve, "r1", ["heat"]).catch(condition)).toBe("forbidden");
  const info = disco.info.encode({ node: undefined, identities: [], features: [] }, disco.infoNs);
  expect(await eve.session.request("get", jid, info).catch(condition)).toBe("forbidden");
  expect(edge.readouts.admissions).toEqual([]);

  // A friend: accepted, pushed into the roster by the broker, seen.
  bob.session.send(element("presence", clientNs, { to: gw, type: "subscribe" }));
  await until("the edge's presence", () =>
    bob.presences.some(one => one.attrs.from === jid && one.attrs.type === undefined),
  );
  await until("the roster push", () => edge.roster.consented(`bob@${domain}`));
  await until("the request back", () => bob.presences.some(one => one.attrs.type === "subscribe"));
  bob.session.send(element("presence", clientNs, { to: gw, type: "subscribed" }));
  await until("his presence", () => edge.presence.isOnline(bob.session.jid));
  const announced = await bob.session.request("get", jid, info);
  expect(announced && disco.info.decode(announced).features).toContain(ns);
  expect(bob.presences.some(one => format(one).includes("http://jabber.org/protocol/caps"))).toBe(true);

  // At once; and a thousand nodes in fragments that Prosody carries.
  edge.readouts.nodes.set("heat", says(sample("heat")));
  const quick = await ask(bob, "r1", ["heat"]);
  expect(quick && wire.response.decode(quick).nodes[0]?.samples[0]?.fields).toHaveLength(20);
  const ids = Array.from({ length: 1_000 }, (_, index) => `meter-${index}`);
  for (const id of ids) edge.readouts.nodes.set(id, says(sample(id)));
  expect((await ask(bob, "r2", ids))?.name).toBe("started");
  const responses = () =>
    bob.messages
      .flatMap(one => one.children)
      .filter(one => typeof one !== "string" && one.name === "resp")
      .map(one => wire.response.decode(one as Element));
  await until("the end", () => responses().some(one => !one.more));
  const nodes = responses().flatMap(one => one.nodes);
  expect(nodes.reduce((sum, { samples }) => sum + samples.reduce((all, one) => all + one.fields.length, 0), 0)).toBe(
    20_000,
  );
  expect(new Set(nodes.map(one => one.ref.nodeId)).size).toBe(1_000);

  // Cancelled, and nothing follows; then he leaves in the middle of another.
  edge.readouts.nodes.set("slow", async function* (_ask, signal) {
    yield sample("slow");
    await clock.sleep(60_000, signal);
  });
  expect((await ask(bob, "r3", ["slow"]))?.name).toBe("started");
  await bob.session.request("set", jid, wire.cancel.encode({ id: "r3" }, ns));
  expect(edge.sensorData.active).toBe(0);
  expect((await ask(bob, "r4", ["slow"]))?.name).toBe("started");
  expect(edge.sensorData.active).toBe(1);
  await bob.leave();
  await until("the end of his readout", () => edge.sensorData.active === 0);

  stop.abort();
  await edge.running;
}, 60_000);

it("DISCO-NS-01: a domain without services has none", async () => {
  const stop = new AbortController();
  const eve = await createPerson("eve", stop.signal);
  expect(await discover(eve.session, domain, silentLog, stop.signal)).toEqual({ unchosen: [] });
  await eve.leave();
});
