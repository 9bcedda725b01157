// Whom the appliance lets in and whom it keeps out, as its owner says it at the command line: codes that let in once, addresses
// that are blocked here and at the broker, and a session that moves where it was known.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "#cli/connect.ts";
import { collect, type QuestionInbox, refusalOf } from "#cli/demo/story-decision.ts";
import { parseNode } from "#contract/node.ts";
import { type Element, element, elements } from "#xml/element.ts";
import { blockingNs } from "#xmpp/blocking.ts";
import { clientNs } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { type Peer, startPeer } from "../support/xmpp-peer.ts";
import { isthmus } from "./command-line.ts";
import { domain, found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const site = JSON.stringify({
  nodes: [{ type: "sim.line", id: "line-1", nodes: [{ type: "sim.meter", id: "heat-3", tags: { SN: "heat-3" } }] }],
});
const heat = parseNode("heat-3@line-1");

let house: House;
let appliance: string;
let bare: string;
let owner: Client;
let questions: QuestionInbox;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "contact", "guest", "second"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", ({ nodes }) =>
    nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
  );
  appliance = status.connection.jid;
  bare = appliance.split("/")[0] as string;
  owner = await house.client("owner");
  questions = collect(owner);
  for (const nodeId of ["", "heat-3"]) await owner.owner.claim(uriOf(status, nodeId), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "heat-3") !== undefined && ownerIn(one, "") !== undefined);
  await owner.appliance(forever, bare);
  for (const name of ["owner", "contact"]) {
    const { jid, password, host, port, caFile } = house.identity(name);
    const words = ["identity", "add", name, "--jid", jid, "--host", String(host), "--port", String(port)];
    const { code, err } = await isthmus([...words, "--ca", String(caFile), "--of", bare], {
      stdin: `${password}\n`,
      env: env(),
    }).ended;
    expect(err + code).toBe(`${err}0`);
  }
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

const env = () => ({ ISTHMUS_IDENTITIES: join(house.folder, "identities") });
const as = (name: string, ...words: string[]) => isthmus([...words, "--as", name], { env: env() }).ended;
const read = async (who: Client): Promise<number> => {
  for await (const one of who.things.read(await who.appliance(forever, bare), [heat], {}, forever))
    if (one.kind === "reading") return one.fields.length;
  throw new Error("no reading came");
};
const typesTo = (peer: Peer) => peer.presences.filter(one => one.attrs.from === bare).map(one => one.attrs.type);
const ask = (peer: Peer, code?: string) =>
  peer.session.send(
    element("presence", clientNs, { to: bare, type: "subscribe" }, [
      ...(code === undefined ? [] : [element("preauth", "urn:xmpp:pars:0", { token: code })]),
    ]),
  );
const resource = async () => (await house.status()).connection.jid.split("/")[1];

it("PRES-SUB-05: a pairing code lets in once, without a question; used or made up, it lets in nobody", async () => {
  const { code, out } = await as("owner", "contacts", "pair", "--hours", "1");
  expect(code).toBe(0);
  const token = /preauth=([\w-]{24})(?![\w-])/.exec(out)?.[1] as string;
  expect(out).toContain(`xmpp:${bare}?roster;preauth=${token}`);

  const guest = await peerOf("guest");
  ask(guest, token);
  await found("let in", async () => typesTo(guest).includes("subscribed") || undefined);
  await found("asked back", async () => typesTo(guest).includes("subscribe") || undefined);
  expect(questions.take("isFriend", { bareJid: `guest@${domain}` } as Client)).toBeUndefined();

  const second = await peerOf("second");
  for (const tried of [token, "A".repeat(24), ""]) ask(second, tried);
  await questions.next("isFriend", { bareJid: `second@${domain}` } as Client, forever);
  expect(typesTo(second)).not.toContain("subscribed");
  expect(house.edge.output()).not.toContain(token);
  expect(house.rows("pairings")).toBe("[]");
});

it("PRES-IQ-05: being let in permits nothing else: reading is asked of the owner all the same", async () => {
  const contact = await house.client("contact");
  await contact.askPresence(bare, forever);
  const question = await questions.next("isFriend", contact, forever);
  await owner.owner.answer(question, { allow: true, range: "caller", names: [] }, forever);
  await found("let in", async () => (await contact.askPresence(bare, forever)).state === "online" || undefined);
  expect(await refusalOf(read(contact))).toBe("forbidden");
  const asked = await questions.next("canRead", contact, forever);
  await owner.owner.answer(asked, { allow: true, range: "caller", names: [] }, forever);
  expect(await found("permitted", () => read(contact))).toBeGreaterThan(0);
});

it("PRES-SUB-04, PRES-ID-02: who is blocked loses all at once, and the session moves to an address he does not know", async () => {
  const contact = await house.client("contact");
  const before = await resource();
  const peer = await peerOf("contact");
  const refused = await as("contact", "contacts", "block", `owner@${domain}`);
  expect(refused.code).toBe(1);
  expect((await as("owner", "contacts", "block", `owner@${domain}`)).err).toContain("cannot be blocked");

  const { code, out } = await as("owner", "contacts", "block", `contact@${domain}`);
  expect(code, out).toBe(0);
  expect(out).toContain(`contact@${domain} is blocked.`);
  await found("told that it is over", async () => typesTo(peer).includes("unsubscribed") || undefined);
  await found("another resource", async () => (await resource()) !== before || undefined);
  expect(await resource()).toMatch(/^[\w-]{8,}/);
  const at = (await house.status()).connection.jid;
  expect(["forbidden", "service-unavailable", "not-acceptable"]).toContain(
    await refusalOf(contact.things.node(at, heat, forever)),
  );
  const list = await as("owner", "contacts", "list");
  expect(list.out).toMatch(new RegExp(`contact@${domain} +blocked .*owner@${domain}`));
  expect(list.out).toMatch(new RegExp(`guest@${domain} +contact`));
});

it("PRES-BLK-01: the broker keeps him out too, and lets him ask again when the block is lifted", async () => {
  /** With the account's password, gone before anybody looks for the appliance: its sessions would be two. */
  const asAccount = async <T>(work: (own: Peer) => Promise<T>): Promise<T> => {
    await using own = await ownSession();
    return await work(own);
  };
  const blocklist = () =>
    asAccount(async ({ session }) => {
      const answer = await session.request("get", undefined, element("blocklist", blockingNs));
      return elements(answer as Element).map(one => one.attrs.jid);
    });
  expect(await blocklist()).toEqual([`contact@${domain}`]);
  const { code, err } = await as("owner", "contacts", "unblock", `contact@${domain}`);
  expect(code, err).toBe(0);
  expect(await blocklist()).toEqual([]);

  // What another client of the account blocks counts here too.
  const guest = [element("item", blockingNs, { jid: `guest@${domain}` })];
  await asAccount(({ session }) => session.request("set", undefined, element("block", blockingNs, {}, guest)));
  await found("heard of", async () => house.rows("blocked").includes(`guest@${domain}`) || undefined);
});

it("PRES-ID-03: a second session of the account is an alarm", async () => {
  await found("a line", async () => /warning SecondResource jid=\S+ hint=/.test(house.edge.output()) || undefined);
});

/** Interested in his contact list: only such a session is told how a request ended (RFC 6121 section 3.1.6). */
async function peerOf(name: string): Promise<Peer> {
  const peer = await house.peer(name);
  await peer.session.request("get", undefined, element("query", "jabber:iq:roster"));
  return peer;
}

/** Somebody who has the account's password. */
async function ownSession(): Promise<Peer> {
  const { username, password } = JSON.parse(readFileSync(join(house.dataFolder, "account.json"), "utf8"));
  const { host, port } = house.identity("owner");
  const peer = startPeer({
    domain,
    host: host as string,
    port: port as number,
    tls: "direct",
    ca: [house.authority.ca],
    user: username,
    password,
  });
  await peer.session.whenOnline(forever);
  return peer;
}
