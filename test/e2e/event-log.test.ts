// What concerns security leaves an event, each provoked as it would happen: over the real broker, with the real registry and a
// component that receives them; what only another registry could say is said by one that holds the secret. And in all that was
// written and sent meanwhile there is no secret.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, formatLogEvent } from "#base/log.ts";
import type { Client } from "#cli/connect.ts";
import { collect, type QuestionInbox, refusalOf } from "#cli/demo/story-decision.ts";
import { readBootSettings } from "#config.ts";
import { parseNode } from "#contract/node.ts";
import { type EventLogEntry, eventLogNs, log as logCodec } from "#iot/event-log.wire.ts";
import { namespace, namespaces } from "#iot/generations.ts";
import { startProsody } from "#lab/prosody.ts";
import { child, type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { clientNs, componentNs, StanzaError } from "#xmpp/stanza.ts";
import { runEdge } from "../../src/main.ts";
import { forever } from "../lab/scene.ts";
import { startPeer } from "../support/xmpp-peer.ts";
import {
  domain,
  found,
  type House,
  ownerIn,
  type RawComponent,
  service,
  startHouse,
  uriOf,
  writeText,
} from "./house.ts";

const receiver = `log.${domain}`;
const otherService = `other.${domain}`;
const heat = parseNode("heat-3@line-1");
const discovery = namespace("discovery", "nf");
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
let receiving: RawComponent;
let bare: string;
let owner: Client;
let contact: Client;
let questions: QuestionInbox;
const secrets = new Map<string, string>();
const lines: string[] = [];
const edge = { stop: new AbortController(), running: Promise.resolve() };

/** In this process, so that nothing it wrote is missed. */
function startEdge(): void {
  edge.stop = new AbortController();
  edge.running = runEdge({
    settings: readBootSettings(house.edgeConfig),
    clock,
    log: createLog(line => void lines.push(formatLogEvent(line))),
    signal: edge.stop.signal,
  });
}
async function stopEdge(): Promise<void> {
  edge.stop.abort();
  await edge.running;
}

beforeAll(async () => {
  house = await startHouse({
    site,
    people: ["owner", "contact", "stranger"],
    components: [receiver, otherService],
    boot: { eventLog: receiver, eventLogLevel: "info" },
  });
  receiving = await house.component(receiver);
  await house.registry.start();
  startEdge();
  const status = await house.statusWhere("registered", ({ nodes }) =>
    nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
  );
  bare = status.connection.jid.split("/")[0] as string;
  owner = await house.client("owner");
  questions = collect(owner);
  for (const id of ["", "heat-3", "water-7"]) {
    secrets.set(`KEY of ${id || "the appliance"}`, /KEY=([0-9a-f]{64})/.exec(uriOf(status, id))?.[1] as string);
    await owner.owner.claim(uriOf(status, id), true, forever);
  }
  const account = JSON.parse(readFileSync(join(house.dataFolder, "account.json"), "utf8"));
  secrets.set("the account's password", account.password);
  await house.statusWhere("claimed", one => ownerIn(one, "water-7") !== undefined);
  contact = await house.client("contact");
  await contact.askPresence(bare, forever);
  const question = await questions.next("isFriend", contact, forever);
  await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
  await found("let in", async () => (await contact.askPresence(bare, forever)).state === "online" || undefined);
}, 120_000);
afterAll(async () => {
  await stopEdge();
  await house?.[Symbol.asyncDispose]();
});

const events = (): EventLogEntry[] =>
  receiving.received.flatMap(stanza => {
    const inside = stanza.name === "message" ? child(stanza, "log", eventLogNs) : undefined;
    return inside === undefined ? [] : [logCodec.decode(inside)];
  });
/** Waits until one like it has come. */
const told = (id: string, like: Partial<EventLogEntry> = {}) =>
  found(`the event ${id}`, async () =>
    events().find(
      one => one.id === id && Object.entries(like).every(([name, value]) => one[name as keyof EventLogEntry] === value),
    ),
  );
const tagsOf = ({ tags }: EventLogEntry) => Object.fromEntries(tags.map(({ name, value }) => [name, value]));
const appliance = async () => (await house.status()).connection.jid;
const read = async (who: Client): Promise<number> => {
  for await (const one of who.things.read(await who.appliance(forever, bare), [heat], {}, forever))
    if (one.kind === "reading") return one.fields.length;
  throw new Error("no reading came");
};

describe("LOG-AUD-01: what concerns security is told", () => {
  it("OwnerChanged, and what an event is made of: LOG-SND-02, -03", async () => {
    const event = await told("OwnerChanged", { object: "heat-3" });
    expect(event).toMatchObject({ subject: `owner@${domain}`, facility: bare, type: { is: "Notice" } });
    const [message] = receiving.received.filter(one => one.name === "message") as [Element];
    expect(message.attrs).toMatchObject({ to: receiver, type: "normal", "xml:lang": "en" });
    expect(child(message, "body")).toBeUndefined();
    expect(child(message, "no-store", "urn:xmpp:hints")).toBeDefined();
  });

  it("DecisionDenied, once however often he tries", async () => {
    for (let n = 0; n < 5; n++) expect(await refusalOf(read(contact))).toBe("forbidden");
    const event = await told("DecisionDenied", { subject: `contact@${domain}`, object: "heat-3" });
    expect(event).toMatchObject({ level: { is: "Major" } });
    expect(tagsOf(event)).toMatchObject({ right: "read" });
    expect(events().filter(one => one.id === "DecisionDenied" && one.object === "heat-3")).toHaveLength(1);
  });

  it("RuleAdded and CacheCleared: he is permitted, and it is taken back", async () => {
    const question = await questions.next("canRead", contact, forever);
    await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
    await found("permitted", () => read(contact));
    await found("the rule", async () =>
      events().find(one => one.id === "RuleAdded" && tagsOf(one).kind === "canRead" && tagsOf(one).allow === "true"),
    );
    await told("CacheCleared");
  });

  it("SpoofedStanza: somebody says what only the service may say", async () => {
    const stranger = await house.peer("stranger");
    const to = await appliance();
    const forged = parse(`<claimed xmlns='${discovery}' jid='stranger@${domain}' id='heat-3'/>`);
    expect(await refusalOf(stranger.session.request("set", to, forged))).toBe("forbidden");
    const event = await told("SpoofedStanza", { subject: `stranger@${domain}` });
    expect(tagsOf(event)).toMatchObject({ element: "claimed", registry: service });
  });

  it("RateLimited: a flood of requests to be let in", async () => {
    for (let n = 0; n < 30; n++)
      receiving.component.send(
        element("presence", componentNs, { from: `u${n}@${receiver}`, to: bare, type: "subscribe" }),
      );
    // Of the receiver's own domain: not of the receiver itself, of whom nothing is sent to him.
    await found("told of it", async () =>
      events().find(one => one.id === "RateLimited" && one.subject?.endsWith(`@${receiver}`)),
    );
  });

  it("SecondResource: somebody else uses the account", async () => {
    const { username, password } = JSON.parse(readFileSync(join(house.dataFolder, "account.json"), "utf8"));
    const { port } = house.identity("owner");
    const ca = [house.authority.ca];
    await using thief = startPeer({
      domain,
      host: "127.0.0.1",
      port: port as number,
      tls: "direct",
      ca,
      user: username,
      password,
    });
    await thief.session.whenOnline(forever);
    const event = await told("SecondResource", { subject: bare });
    const resource = thief.session.jid.split("/")[1] as string;
    // PRES-ID-02: no resource leaves, neither his nor ours.
    expect(JSON.stringify(event)).not.toContain(resource);
  });

  it("Disowned: its owner gives it up", async () => {
    await owner.owner.disown({ jid: bare, ref: parseNode("water-7@line-1") }, forever);
    await told("Disowned", { object: "water-7", subject: `owner@${domain}` });
  });

  it("LoginFailed and RegistrationFailed: the account is not let in, or not made", async () => {
    const failing = (name: string, boot: Record<string, unknown>) => {
      const said: string[] = [];
      const stop = new AbortController();
      const common = { host: "127.0.0.1", caFile: house.authority.caPath, dataFolder: join(house.folder, name) };
      const file = writeText(house.folder, `${name}.yaml`, JSON.stringify({ ...common, eventLog: receiver, ...boot }));
      const running = runEdge({
        settings: readBootSettings(file),
        clock,
        log: createLog(line => void said.push(formatLogEvent(line))),
        signal: stop.signal,
      });
      return {
        said,
        async [Symbol.asyncDispose]() {
          stop.abort();
          await running;
        },
      };
    };
    const passwordFile = writeText(house.folder, "wrong-password", "planted-wrong-password\n");
    const port = house.prosody.ports.tls;
    await using wrong = failing("wrong", { domain, account: "owner", passwordFile, port });
    await found("a line", async () => wrong.said.find(line => /^warning LoginFailed condition=/.test(line)));
    expect(wrong.said.join("\n")).not.toContain("planted-wrong-password");

    await using closed = await startProsody({
      folder: join(house.folder, "closed"),
      domain: "closed.localhost",
      certificate: await house.authority.issue({ hosts: ["closed.localhost"] }),
      clock,
      signal: forever,
      users: [],
      registration: false,
    });
    await using refused = failing("refused", { domain: "closed.localhost", port: closed.ports.tls });
    await found("a line", async () => refused.said.find(line => /^warning RegistrationFailed error=/.test(line)));
  }, 60_000);
});

describe("LOG-AUD-01: what only a registry could say, by one that holds its secret", () => {
  it("ClaimRejected and RegistryTagRejected: another owner while there is one, a thing that is not taken", async () => {
    await house.registry.stop();
    let refuse = false;
    await using impostor = await house.component(service, question => {
      if (question.name === "register" && refuse) throw new StanzaError("modify", "not-acceptable", "MODEL is odd");
      return question.name === "query" ? parse(discoInfo) : undefined;
    });
    const to = await appliance();
    const claimed = parse(
      `<claimed xmlns='${discovery}' jid='thief@${domain}' id='heat-3' src='MeteringTopology' pt='line-1'/>`,
    );
    expect(await refusalOf(impostor.component.request("set", to, claimed))).toBe("conflict");
    const event = await told("ClaimRejected", { object: "heat-3" });
    expect(tagsOf(event)).toMatchObject({ said: `thief@${domain}` });

    refuse = true;
    const disowned = parse(`<disowned xmlns='${discovery}' id='heat-3' src='MeteringTopology' pt='line-1'/>`);
    await impostor.component.request("set", to, disowned);
    const rejected = await told("RegistryTagRejected");
    expect(rejected.message.text).toContain("not-acceptable");
  });

  it("ProvisioningChanged: another service decides, once the owner has said so", async () => {
    await house.component(otherService, question => (question.name === "query" ? parse(discoInfo) : undefined));
    await stopEdge();
    startEdge();
    expect(tagsOf(await told("ServiceUnconfirmed"))).toMatchObject({ said: otherService });
    const to = await found("the appliance", () => owner.appliance(forever, bare).catch(() => undefined));
    await owner.commands.execute(to, parseNode("board@@Appliance"), "ConfirmServices", undefined, forever);
    const event = await told("ProvisioningChanged");
    expect(tagsOf(event)).toMatchObject({ to: otherService });
  });
});

it("LOG-SND-04: none of it, written or sent, holds a secret", async () => {
  const sent = receiving.received.map(one => format(one, clientNs)).join("\n");
  const written = lines.join("\n");
  expect(lines.length).toBeGreaterThan(20);
  for (const [what, secret] of secrets) {
    expect(secret.length, what).toBeGreaterThan(20);
    expect(sent.includes(secret), `${what} was sent`).toBe(false);
    expect(written.includes(secret), `${what} was written`).toBe(false);
  }
  expect(sent.includes("iotdisco:")).toBe(false);
  const resources = lines.flatMap(line => [...line.matchAll(new RegExp(`${bare}/([\\w-]+)`, "g"))].map(one => one[1]));
  expect(resources.length).toBeGreaterThan(0);
  const inside = JSON.stringify(events());
  expect(resources.filter(resource => inside.includes(resource as string))).toEqual([]);
}, 30_000);

const discoInfo = `<query xmlns='http://jabber.org/protocol/disco#info'><identity category='component' type='generic'/>${[
  ...namespaces("discovery"),
  ...namespaces("provisioningDevice"),
]
  .map(ns => `<feature var='${ns}'/>`)
  .join("")}</query>`;
