// Whoever else is on the broker says what only the registry and the provisioning service may say, and claims what is not his:
// against the running appliance, over the real broker, stanza by stanza. Nothing may change, and the log must name him.
// Not tried: the registry's own JID, with or without a resource. The broker stamps senders, and lets only the holder of the
// component's secret use that domain; the last test of the first group shows that it does.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "#cli/connect.ts";
import { collect, type QuestionInbox, refusalOf } from "#cli/demo/story-decision.ts";
import type { OwnerQuestion } from "#client/questions.ts";
import { parseNode } from "#contract/node.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import { type Element, element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { clientNs, componentNs, payloadMessage } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";
import { domain, found, type House, ownerIn, type RawComponent, service, startHouse, uriOf } from "./house.ts";

const evil = `evil.${domain}`;
const site = JSON.stringify({
  nodes: [
    {
      type: "sim.line",
      id: "line-1",
      nodes: ["heat-3", "water-7"].map(id => ({ type: "sim.meter", id, tags: { SN: id } })),
    },
  ],
});

let house: House;
let appliance: string;
let codeOfHeat3: string;
let owner: Client;
let questions: QuestionInbox;
let contact: Client;
let stranger: Peer;
let other: RawComponent;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "contact", "stranger", "things"], components: [evil] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", ({ nodes }) =>
    nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
  );
  appliance = status.connection.jid;
  codeOfHeat3 = uriOf(status, "heat-3");
  owner = await house.client("owner");
  questions = collect(owner);
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await owner.owner.claim(codeOfHeat3, true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "heat-3") !== undefined);
  stranger = await house.peer("stranger");
  other = await house.component(evil);
  // A contact who may read energy: the decisions the attackers would like to be forgotten.
  contact = await house.client("contact");
  await contact.askPresence(bare(), forever);
  await decide("isFriend", []);
  await found("let in", async () =>
    (await contact.askPresence(bare(), forever)).state === "online" ? true : undefined,
  );
  expect(await refusalOf(readEnergy(contact))).toBe("forbidden");
  await decide("canRead", ["Energy"]);
  await found("permitted", () => readEnergy(contact));
  await settled();
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

const bare = () => appliance.split("/")[0] as string;

async function decide(kind: OwnerQuestion["kind"], names: readonly string[]): Promise<void> {
  const question = await questions.next(kind, contact, forever);
  await owner.owner.answer(question, { allow: true, range: "caller", names }, forever);
}

async function readEnergy(who: Client): Promise<number> {
  const to = await who.appliance(forever, bare());
  for await (const one of who.things.read(to, [parseNode("heat-3@line-1")], { names: ["Energy"] }, forever)) {
    if (one.kind === "reading") return one.fields.length;
  }
  throw new Error("no reading came");
}

/** All the appliance holds of owners and decisions. */
/** Without what a thing says of itself: interfaces are added to its tags when its first values have shown them. */
const state = () =>
  ["things", "decisions"].map(table => house.rows(table).replace(/"tags":"(?:[^"\\]|\\.)*"/g, "")).join("\n");

/** Nothing is under way any more that may change it by right. */
async function settled(): Promise<void> {
  let before = "";
  await found("quiet", async () => {
    const now = state();
    const same = now === before;
    before = now;
    return same ? true : undefined;
  });
}

const address = "id='heat-3' src='MeteringTopology' pt='line-1'";
const stranges = (from: string) =>
  generationNames.flatMap(generation => {
    const disco = namespace("discovery", generation);
    return [
      `<claimed xmlns='${disco}' jid='${from}' public='true'/>`,
      `<claimed xmlns='${disco}' jid='${from}' ${address}/>`,
      `<removed xmlns='${disco}' ${address}/>`,
      `<disowned xmlns='${disco}' ${address}/>`,
      `<disowned xmlns='${disco}'/>`,
      `<clearCache xmlns='${namespace("provisioningDevice", generation)}'/>`,
    ];
  });
const words = (from: string) =>
  generationNames.flatMap(generation => [
    `<friend xmlns='${namespace("provisioningDevice", generation)}' jid='${from}'/>`,
    `<unfriend xmlns='${namespace("provisioningDevice", generation)}' jid='owner@${domain}'/>`,
  ]);

/** Lines of the appliance's log that name this sender. */
const noted = (from: string): string[] =>
  house.edge
    .output()
    .split("\n")
    .filter(line => line.includes("SpoofedStanza") && line.includes(`from=${from} `));

interface Attacker {
  readonly jid: string;
  readonly ns: string;
  request(type: "get" | "set", to: string, payload: Element): Promise<Element | undefined>;
  send(stanza: Element): void;
}
const asAttacker = ({ session }: Peer): Attacker => ({
  jid: session.jid,
  ns: clientNs,
  request: session.request,
  send: session.send,
});
const asComponent = (jid: string): Attacker => ({
  jid,
  ns: componentNs,
  request: (type, to, payload) => other.component.request(type, to, payload, { from: jid }),
  send: stanza => other.component.send({ ...stanza, attrs: { ...stanza.attrs, from: jid } }),
});

describe("DISCO-CLAIMED-02, PROV-TRUST-01: what only the service may say", () => {
  const attackers: Record<string, () => Promise<Attacker>> = {
    "the owner himself": async () => asAttacker(await house.peer("owner")),
    "a stranger": async () => asAttacker(stranger),
    "a contact": async () => asAttacker(await house.peer("contact")),
    "an account named like the service": async () => asAttacker(await house.peer("things")),
    "another component of the broker": async () => asComponent(evil),
    "another component with an account and a resource": async () => asComponent(`things@${evil}/${service}`),
  };

  it.for(Object.keys(attackers))("is refused from %s, changes nothing and is noted", async name => {
    const attacker = await (attackers[name] as () => Promise<Attacker>)();
    const before = state();
    for (const text of words(attacker.jid.split("/")[0] as string)) {
      attacker.send(payloadMessage(appliance, parse(text), attacker.ns));
      attacker.send(payloadMessage(bare(), parse(text), attacker.ns));
    }
    const payloads = stranges(attacker.jid.split("/")[0] as string);
    for (const text of payloads) {
      expect(await refusalOf(attacker.request("set", appliance, parse(text))), text).toBe("forbidden");
    }
    expect(state()).toBe(before);
    // What the program writes comes through a pipe: a moment later than the answer through the broker.
    for (const word of ["claimed", "removed", "disowned", "clearCache", "friend", "unfriend"]) {
      // Once each: the log counts what is repeated, and says so later.
      await found(`a line about ${word}`, async () =>
        noted(attacker.jid).some(line => line.includes(`element=${word} `)) ? true : undefined,
      );
    }
  });

  it("the appliance asked nobody to be its friend, and still knows its owner and its contact", async () => {
    const asked = stranger.presences.filter(({ attrs }) => attrs.from === bare());
    expect(asked.map(({ attrs }) => attrs.type)).toEqual([]);
    expect(await readEnergy(contact)).toBe(1);
    expect(await readEnergy(owner)).toBe(1);
    const { nodes } = await house.status();
    expect(nodes.flatMap(({ ref, thing }) => (thing?.owner ? [`${ref.nodeId} ${thing.owner}`] : []))).toEqual([
      ` owner@${domain}`,
      `heat-3 owner@${domain}`,
    ]);
  });

  it("the broker lets nobody write the service's JID as the sender", async () => {
    const before = state();
    const forged = (ns: string) =>
      element("iq", ns, { type: "set", id: "forged", to: appliance, from: service }, [
        parse(`<disowned xmlns='${namespace("discovery", "nf")}' ${address}/>`),
      ]);
    const liar = await house.peer("things");
    liar.session.send(forged(clientNs));
    other.component.send(forged(componentNs));
    // It writes the account's own in its place, and throws the component off.
    await found("the account's own name in the log", async () => noted(liar.session.jid)[0]);
    await found("thrown off", async () => (other.onlines > 1 ? true : undefined));
    expect(await readEnergy(owner)).toBe(1);
    expect(noted(service)).toEqual([]);
    expect(state()).toBe(before);
  });
});

describe("claims of what is not one's own", () => {
  const claimAs = async (name: string, uri: string): Promise<string> =>
    await refusalOf((await house.client(name)).owner.claim(uri, true, forever));
  const freeCode = async () => uriOf(await house.status(), "water-7");

  it.for<[string, (free: string) => string]>([
    ["a wrong KEY", free => free.replace(/KEY=[^;]+/, `KEY=${"0".repeat(64)}`)],
    ["the right KEY with another tag", free => free.replace("SN=water-7", "SN=water-8")],
    ["the right KEY and a tag too few", free => free.replace("SN=water-7;", "")],
    ["the code of a thing that has an owner", () => codeOfHeat3],
    [
      "a KEY of one thing with the tags of another",
      free => free.replace(/KEY=[^;]+/, /KEY=[^;]+/.exec(codeOfHeat3)?.[0] ?? ""),
    ],
  ])("DISCO-CLAIM: %s claims nothing, and the answers are alike", async ([, spoil]) => {
    const before = state();
    expect(await claimAs("stranger", spoil(await freeCode()))).toBe("item-not-found");
    expect(state()).toBe(before);
  });

  it("LOG-AUD-01: who claims what is not his is noted by the registry", async () => {
    await found("a line of the registry", async () =>
      house.registry.output().includes(`ClaimRejected sender=stranger@${domain}`) ? true : undefined,
    );
  });

  it("a code without KEY is no claim, and a registry that is none is not asked", async () => {
    const free = await freeCode();
    expect(await claimAs("stranger", free.replace(/KEY=[^;]+;/, ""))).toBe("bad-request");
    expect(await claimAs("stranger", free.replace(/R=.*/, `R=${evil}`))).toBe("item-not-found");
  });

  it("DISCO-DISOWN: who does not own a thing cannot disown it", async () => {
    const before = state();
    const thing = { jid: bare(), ref: { nodeId: "heat-3", sourceId: "MeteringTopology", partition: "line-1" } };
    expect(await refusalOf((await house.client("stranger")).owner.disown(thing, forever))).toBe("item-not-found");
    expect(state()).toBe(before);
    await found("a line of the registry", async () =>
      new RegExp(`warning RequestRefused from=stranger@${domain} element=disown `).test(house.registry.output())
        ? true
        : undefined,
    );
  });
});
