// Publishing over a real broker's pubsub component: who is on the list receives, who is not does not, and a place of somebody
// else is left alone.

import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { PublishingPlace } from "#concentrator/publications.ts";
import { Refusal } from "#contract/faults.ts";
import { categories, type Reading } from "#contract/field.ts";
import { createPubsub, placeOf } from "#iot/pubsub.ts";
import * as wire from "#iot/pubsub.wire.ts";
import { response } from "#iot/sensor-data.wire.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { child, type Element, element } from "#xml/element.ts";
import { discover } from "#xmpp/disco.ts";
import { createPresence } from "#xmpp/presence.ts";
import { createSession, type Session } from "#xmpp/session.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../../lab/scene.ts";
import { ref } from "./face-bench.ts";

const domain = "isthmus.localhost";
const serviceJid = `pubsub.${domain}`;
const password = "a secret of its own";
const stop = new AbortController();
const jidOf = (name: string) => `${name}@${domain}`;
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let prosody: Prosody;
let ca: string;
let gateway: Person;
let bob: Person;
let eve: Person;
let place: PublishingPlace;

interface Person {
  readonly session: Session;
  readonly heard: Element[];
}

async function connect(account: string): Promise<Person> {
  const heard: Element[] = [];
  const session = createSession(
    {
      domain,
      host: "127.0.0.1",
      port: prosody.ports.tls,
      tls: "direct",
      ca: [ca],
      credentials: { load: () => ({ username: account, password }), save: () => {} },
    },
    {
      iq() {},
      message(stanza) {
        const event = child(stanza, "event", wire.eventNs);
        if (event !== undefined && stanza.attrs.from === serviceJid) heard.push(event);
      },
      presence() {},
      online: () => session.send(element("presence", clientNs)),
    },
    { clock, log: silentLog },
  );
  void session.run(stop.signal);
  await session.whenOnline(forever);
  return { session, heard };
}

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
    users: ["gw", "bob", "eve", "dan"].map(name => ({ name, password })),
    hostConfig: `Component "${serviceJid}" "pubsub"\nadmins = { "${jidOf("gw")}", "${jidOf("dan")}" }\n`,
  });
  gateway = await connect("gw");
  bob = await connect("bob");
  eve = await connect("eve");
  const { pubsub } = await discover(gateway.session, domain, silentLog, forever);
  place = createPubsub({ connection: gateway.session, service: () => pubsub?.jid });
});
afterAll(async () => {
  stop.abort();
  await prosody?.stop();
  await home?.[Symbol.asyncDispose]();
});

const reading = (value: number): Reading => ({
  kind: "reading",
  node: ref("wm-4471", "attic"),
  at: Date.UTC(2031, 2, 2, 6, 0, 12),
  fields: [
    {
      name: "Volume",
      value: { kind: "quantity", value, decimals: 3, unit: "m3" },
      categories: categories("momentary"),
      quality: { automaticReadout: true },
    },
  ],
});

const subscribe = ({ session }: Person, node: string, account: string) => {
  const wish = element("subscribe", wire.pubsubNs, { node, jid: jidOf(account) });
  return session.request("set", serviceJid, element("pubsub", wire.pubsubNs, {}, [wish])).then(
    () => "subscribed",
    error => (error instanceof StanzaError ? error.condition : String(error)),
  );
};

async function until(holds: () => boolean): Promise<void> {
  const end = clock.monotonic() + 10_000;
  while (!holds()) {
    if (clock.monotonic() > end) throw new Error("never");
    await clock.sleep(20, forever);
  }
}
const payloads = ({ heard }: Person) =>
  heard.flatMap(one => wire.event.decode(one).items?.items.flatMap(item => item.payload ?? []) ?? []);

it("PUB-NODE-01, PUB-GEN-02, PUB-RECV-01: who is named receives whole responses with the node in them; who is not cannot subscribe", async () => {
  const node = ref("wm-4471", "attic");
  await place.open(node, [jidOf("bob")], forever);
  expect(placeOf(node)).toBe("iot/MeteringTopology/attic/wm-4471");
  expect(placeOf(ref("a/b c", ""))).toBe("iot/MeteringTopology//a%2Fb%20c");
  expect(await subscribe(bob, placeOf(node), "bob")).toBe("subscribed");
  expect(await subscribe(eve, placeOf(node), "eve")).not.toBe("subscribed");
  await place.publish(node, [reading(902.413)], forever);
  await until(() => payloads(bob).length === 1);
  const [payload] = payloads(bob);
  const said = response.decode(payload as Element);
  expect(said).toMatchObject({ more: false, nodes: [{ ref: node }] });
  expect(said.id).not.toBe("");
  expect(said.nodes[0]?.samples[0]?.fields).toMatchObject([{ name: "Volume", value: { value: 902.413, decimals: 3 } }]);
  expect(eve.heard).toEqual([]);
});

it("PUB-NODE-02: our own place of before is taken up again", async () => {
  const node = ref("wm-4471", "attic");
  await place.open(node, [jidOf("bob")], forever);
  await place.publish(node, [reading(903)], forever);
  await until(() => payloads(bob).length === 2);
});

it("PUB-NODE-03: who loses his right is off the list, and hears no more", async () => {
  const node = ref("wm-4471", "attic");
  await place.open(node, [], forever);
  await place.publish(node, [reading(904)], forever);
  // An answer from the service comes after what it sent before it.
  expect(await subscribe(bob, placeOf(node), "bob")).not.toBe("subscribed");
  await clock.sleep(200, forever);
  expect(payloads(bob)).toHaveLength(2);
});

it("PUB-NODE-03: the place is taken away with its node; one that is gone is no fault", async () => {
  const node = ref("wm-4471", "attic");
  await place.close(node, forever);
  await place.close(node, forever);
  expect(await subscribe(bob, placeOf(node), "bob")).toBe("item-not-found");
});

it("PUB-NODE-02: a place of somebody else is not written to", async () => {
  const node = ref("taken", "attic");
  const dan = await connect("dan");
  const theirs = createPubsub({ connection: dan.session, service: () => serviceJid });
  await theirs.open(node, [], forever);
  // Even where the broker would let us: an administrator is no owner.
  const fault = await place.open(node, [jidOf("bob")], forever).catch(error => error);
  expect(fault).toBeInstanceOf(Refusal);
  expect(fault).toMatchObject({ kind: "denied" });
  expect(await subscribe(bob, placeOf(node), "bob")).not.toBe("subscribed");
});

it("PUB-PEP-02: every word goes to the service; nothing is published from our own account, where every contact would hear it", async () => {
  const asked: (string | undefined)[] = [];
  const recording: PublishingPlace = createPubsub({
    connection: {
      jid: jidOf("gw"),
      async request(_type, to) {
        asked.push(to);
        return undefined;
      },
    },
    service: () => serviceJid,
  });
  const node = ref("wm-4471", "attic");
  await recording.open(node, [jidOf("bob")], forever);
  await recording.publish(node, [reading(1)], forever);
  await recording.close(node, forever);
  expect(new Set(asked)).toEqual(new Set([serviceJid]));
  const nowhere = createPubsub({ connection: gateway.session, service: () => undefined });
  await expect(nowhere.publish(node, [reading(1)], forever)).rejects.toThrow("no pubsub service");
});

it("PUB-PRES-01: our presence carries no values, and those in another's are ignored", async () => {
  const sent: Element[] = [];
  const caps = element("c", "http://jabber.org/protocol/caps");
  const presence = createPresence({
    connection: { jid: `${jidOf("gw")}/x`, send: stanza => sent.push(stanza) },
    roster: {
      routes: [],
      fetch: async () => {},
      contact: jid => ({ jid, subscription: "both", asked: false }),
      contacts: () => [],
      consented: () => true,
      remove: async () => {},
      onWithdrawn() {},
    },
    decide: async () => "accept",
    caps: () => caps,
    gone() {},
    withdrawn() {},
    clock,
    log: silentLog,
    signal: forever,
  });
  await presence.announce(forever);
  expect(sent).toEqual([element("presence", clientNs, {}, [caps])]);
  const values = element("resp", "urn:nf:iot:sd:1.0", { id: "p" });
  presence.receive(element("presence", clientNs, { from: `${jidOf("bob")}/x` }, [values]));
  expect(presence.isOnline(`${jidOf("bob")}/x`)).toBe(true);
  expect(sent).toHaveLength(1);
});
