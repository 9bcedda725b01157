// A new code for what nobody owns, against a scripted registry: never two codes that both look right, never none.

import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import { createDiscovery, type Discovery } from "#iot/discovery.ts";
import { namespace } from "#iot/generations.ts";
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
const never = new AbortController().signal;

let clock: ManualClock;
let database: Database;
let link: ServiceLink;
let discovery: Discovery;
let stop: AbortController;

/** The last KEY the registry was told of the meter: the one by which it can be claimed there. */
let keyThere: string | undefined;
const keyOf = ({ payload }: Sent) => elements(payload).find(one => one.attrs.name === "KEY")?.attrs.value;
const isMeter = ({ payload }: Sent) => payload.attrs.id === meter.nodeId;
const take = (sent: Sent) => {
  if (isMeter(sent)) keyThere = keyOf(sent);
  return "";
};
const keyHere = (): string | undefined => /KEY=([^;]*)/.exec(discovery.claimUri(meter) ?? "")?.[1];
const asked = () => link.sent.filter(isMeter);

function start() {
  stop = new AbortController();
  link = createServiceLink(clock);
  link.script = take;
  discovery = createDiscovery({
    connection: link.connection,
    store: createOwnershipStore(database),
    things: () => [
      { ref: rootRef, tags: [{ name: "CLASS", value: "Concentrator" }] },
      { ref: meter, tags: [{ name: "SN", value: "66120" }] },
    ],
    forgetDecisions() {},
    hooks: { claimed() {}, disowned() {} },
    clock,
    log: link.log,
    jitterMs: 0,
  });
  link.serve(discovery.routes);
  void discovery.run(stop.signal);
}

async function connected() {
  start();
  discovery.serviceFound({ jid: registry, generation: "nf" });
  discovery.online(false);
  await clock.advance(1_000);
}

beforeEach(() => {
  clock = manualClock();
  database = openDatabase(":memory:", edgeMigrations, silentLog);
  keyThere = undefined;
});
afterEach(() => {
  stop.abort();
  database.close();
});

it("the registry has the new KEY before anybody here hears of it; the old one is worth nothing", async () => {
  await connected();
  const before = keyHere();
  expect(keyThere).toBe(before);
  let whileAsking: string | undefined;
  link.script = sent => {
    whileAsking = keyHere();
    return take(sent);
  };
  await discovery.rekey(meter, never);
  expect(whileAsking).toBe(before);
  expect(keyHere()).toMatch(/^[0-9a-f]{64}$/);
  expect(keyHere()).not.toBe(before);
  expect(keyThere).toBe(keyHere());
  await clock.advance(600_000);
  expect(keyThere).toBe(keyHere());
});

it("it outlives a restart, and no log line has it", async () => {
  await connected();
  await discovery.rekey(meter, never);
  const key = keyHere();
  expect(JSON.stringify(link.events)).not.toContain(key);
  stop.abort();
  await connected();
  expect(keyHere()).toBe(key);
  expect(keyThere).toBe(key);
});

it.each([
  ["is away", () => new StanzaError("wait", "service-unavailable"), /cannot be reached/],
  ["does not want it", () => new StanzaError("modify", "not-acceptable"), /took no new code/],
  ["is silent", () => new Error("no answer"), /cannot be reached/],
])("while the registry %s nothing is changed, and the sentence says so", async (_, error, why) => {
  await connected();
  const before = keyHere();
  link.script = () => {
    throw error();
  };
  await expect(discovery.rekey(meter, never)).rejects.toThrow(why);
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/its label stays right/);
  expect(keyHere()).toBe(before);
});

it("where the answer was lost the registry is told the KEY of the label that hangs there", async () => {
  await connected();
  const before = keyHere();
  const taken: (string | undefined)[] = [];
  link.script = sent => {
    take(sent);
    taken.push(keyThere);
    throw new Error("the answer was lost");
  };
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/label stays right/);
  expect(taken[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(taken[0]).not.toBe(before);
  link.script = take;
  await clock.advance(3_600_000);
  expect(keyThere).toBe(before);
  expect(keyHere()).toBe(before);
});

it("off the network it is refused at once, without a word to anybody", async () => {
  await connected();
  const [before, sent] = [keyHere(), asked().length];
  link.online = false;
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/The registry cannot be reached/);
  expect(asked()).toHaveLength(sent);
  expect(keyHere()).toBe(before);
});

it("what has an owner has no code to renew, and the registry is not asked", async () => {
  await connected();
  const push = `<claimed xmlns='${ns}' jid='ana@home.example' id='mbus-12' src='MeteringTopology' pt='attic'/>`;
  expect(await link.push(registry, push)).toBe("result");
  await clock.advance(1_000);
  const sent = asked().length;
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/has an owner/);
  expect(asked()).toHaveLength(sent);
  await expect(discovery.rekey({ ...meter, nodeId: "mbus-13" }, never)).rejects.toThrow(/no such thing/);
});

it("claimed a moment before: the owner stays, and no code comes back", async () => {
  await connected();
  link.script = () =>
    `<claimed xmlns='${ns}' jid='ana@home.example' id='mbus-12' src='MeteringTopology' pt='attic' public='false'/>`;
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/claimed a moment ago/);
  expect(discovery.ownerOf(meter)).toBe("ana@home.example");
  expect(discovery.claimUri(meter)).toBeUndefined();
});

it("claimed by a push while the registry is asked: the owner stays", async () => {
  await connected();
  const push = `<claimed xmlns='${ns}' jid='ana@home.example' id='mbus-12' src='MeteringTopology' pt='attic'/>`;
  link.script = async sent => {
    if (keyOf(sent) !== undefined) await link.push(registry, push);
    return "";
  };
  await expect(discovery.rekey(meter, never)).rejects.toThrow(/changed meanwhile/);
  expect(discovery.ownerOf(meter)).toBe("ana@home.example");
  expect(discovery.claimUri(meter)).toBeUndefined();
});

it("never at the same time as a registration of the same thing, which could be the last to arrive", async () => {
  await connected();
  const answer = Promise.withResolvers<string>();
  link.script = async sent => {
    await answer.promise;
    return take(sent);
  };
  discovery.online(false);
  await clock.advance(1_000);
  const sent = link.sent.length;
  const rekeying = discovery.rekey(meter, never);
  await clock.advance(10);
  expect(link.sent).toHaveLength(sent);
  answer.resolve("");
  await clock.advance(10_000);
  await rekeying;
  expect(keyThere).toBe(keyHere());
});

it("is left by who waits for it", async () => {
  await connected();
  const before = keyHere();
  const leave = new AbortController();
  link.script = () =>
    new Promise((_, reject) => leave.signal.addEventListener("abort", () => reject(leave.signal.reason)));
  const rekeying = discovery.rekey(meter, leave.signal);
  leave.abort(new Error("gone"));
  await expect(rekeying).rejects.toThrow("gone");
  expect(keyHere()).toBe(before);
});
