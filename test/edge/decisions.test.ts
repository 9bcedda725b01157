// Decisions of the owner's service on what is running and on what is kept: subscriptions follow them, impostors and replays change
// nothing, and no caller drives out what was decided on another.

import { afterEach, expect, it } from "vitest";
import { Refusal } from "#contract/faults.ts";
import { askAll, categories } from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";
import { createDecisionMemory } from "#iot/decision-memory.ts";
import { namespace } from "#iot/generations.ts";
import { decisionsPerCallerMax } from "#limits.ts";
import { callerOf, never } from "../concentrator/scene.ts";
import {
  addressOf,
  decider,
  heat,
  no,
  type OwnedScene,
  ownedScene,
  registry,
  rootRef,
  says,
  water,
  yes,
} from "./owned-scene.ts";

const landlord = "landlord@hub.example";
const tenant = "tenant@hub.example";
const bob = "bob@city.example";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});
async function house(): Promise<OwnedScene> {
  const it = await ownedScene();
  open.push(it);
  await it.claim(rootRef, landlord);
  await it.claim(heat, tenant);
  await it.claim(water, tenant);
  it.contacts.add(bob);
  it.decide = yes;
  return it;
}
const momentary = { ...askAll, categories: categories("momentary") };
const subscribe = async (it: OwnedScene, node: NodeRef) => {
  const heard = { events: 0, ended: 0 };
  const subscriber = {
    async event(readings: AsyncIterable<unknown>) {
      for await (const _ of readings);
      heard.events++;
    },
    ended: () => void heard.ended++,
  };
  const interval = { minIntervalMs: 1_000, maxIntervalMs: 5_000, historyMs: undefined };
  const interest = { caller: callerOf(bob), nodes: [node], ask: momentary, limits: new Map(), ...interval };
  await it.concentrator.subscribe(interest, subscriber, never);
  return heard;
};
const clear = (it: OwnedScene, from: string, at = "") =>
  it.link.push(from, `<clearCache xmlns='${namespace("provisioningDevice", "nf")}' ${at}/>`);
const mayRead = async (it: OwnedScene, node: NodeRef): Promise<boolean> =>
  it.concentrator.admitRead(callerOf(bob), [node], momentary, never).then(
    () => true,
    error => {
      if (error instanceof Refusal) return false;
      throw error;
    },
  );

it("PROV-CANREAD-06: a subscription is decided like a readout, and again when the service says that rights changed", async () => {
  const it = await house();
  it.decide = no;
  expect(await subscribe(it, heat).catch(error => error.kind)).toBe("denied");
  await clear(it, decider);
  it.decide = yes;
  const [first, second] = [await subscribe(it, heat), await subscribe(it, water)];
  await it.clock.advance(20_000);
  expect([first.events > 1, second.events > 1]).toEqual([true, true]);

  // Of this one node it is taken back; the other goes on.
  it.decide = sent => (sent.text.includes("heat-3") ? no(sent) : yes(sent));
  const asked = it.asked();
  expect(await clear(it, decider, addressOf(heat))).toBe("result");
  await it.clock.advance(0);
  expect(it.asked()).toBe(asked + 1);
  const before = { ...first };
  const others = second.events;
  await it.clock.advance(30_000);
  expect(first).toEqual({ events: before.events, ended: 1 });
  expect(second.events).toBeGreaterThan(others);
  // To renew it is to ask again.
  expect(await subscribe(it, heat).catch(error => error.kind)).toBe("denied");
});

it("PROV-CANREAD-06: what the service takes away of it is not told any more, and the rest is", async () => {
  const it = await house();
  const names: string[] = [];
  const subscriber = {
    async event(readings: AsyncIterable<{ kind: string; fields?: readonly { name: string }[] }>) {
      for await (const one of readings) names.push(...(one.fields ?? []).map(({ name }) => name));
    },
    ended: () => {},
  };
  const interval = { minIntervalMs: 1_000, maxIntervalMs: 2_000, historyMs: undefined };
  const interest = { caller: callerOf(bob), nodes: [heat], ask: momentary, limits: new Map(), ...interval };
  await it.concentrator.subscribe(interest, subscriber, never);
  await it.clock.advance(30_000);
  expect(new Set(names).size).toBeGreaterThan(1);
  const [kept = ""] = names;
  it.decide = says("result='true' m='true'", `<nd ${addressOf(heat)}/><f n='${kept}'/>`);
  await clear(it, decider);
  await it.clock.advance(0);
  names.splice(0);
  await it.clock.advance(30_000);
  expect(new Set(names)).toEqual(new Set([kept]));
});

it("PRES-SUB-01, PROV-ISFRIEND-01: registry, deciding service and the owner of any node are let in unasked, all others by the service's word", async () => {
  const it = await house();
  it.decide = no;
  const asked = it.asked();
  const decide = (jid: string) => it.rights.lettingIn.decide(jid, never);
  // Both have to see us, or what they have to tell never reaches us; we do not have to see them.
  expect([await decide(registry), await decide(decider)]).toEqual(["accept", "accept"]);
  expect([await decide(landlord), await decide(tenant)]).toEqual(["accept-and-subscribe", "accept-and-subscribe"]);
  expect(it.asked()).toBe(asked);
  for (const jid of ["reg.hub.example.evil.example", `x@${registry}`, "other.hub.example", "eve@city.example"])
    expect([jid, await decide(jid)]).toEqual([jid, "decline"]);
  expect(it.asked()).toBe(asked + 4);
  expect(it.rights.lettingIn.explain(registry)).toMatchObject({ rule: "services", deny: undefined });
});

it("PROV-THR-01: whoever is not that one service forgets nothing, ends nothing, lets nobody in and puts nobody out", async () => {
  const it = await house();
  expect(await mayRead(it, heat)).toBe(true);
  const heard = await subscribe(it, heat);
  const asked = it.asked();
  const ns = namespace("provisioningDevice", "nf");
  for (const from of [
    "evil.example",
    `${decider}/x`,
    `x@${decider}`,
    "prov.hub.example.evil.example",
    "hub.example",
    tenant,
    bob,
  ]) {
    expect([from, await clear(it, from)]).toEqual([from, "forbidden"]);
    await it.link.tell(from, `<unfriend xmlns='${ns}' jid='${bob}'/>`);
    await it.link.tell(from, `<friend xmlns='${ns}' jid='eve@evil.example'/>`);
  }
  await it.clock.advance(10_000);
  expect(it.asked()).toBe(asked);
  expect(it.told.filter(one => /friend/.test(one) && /(bob|eve)@/.test(one))).toEqual([]);
  expect(heard.ended).toBe(0);
  expect(await mayRead(it, heat)).toBe(true);
  expect(it.link.events.filter(({ event }) => event === "SpoofedStanza").length).toBeGreaterThanOrEqual(7);
});

it("PROV-THR-02: an answer that was on its way when rights changed is worth nothing, however friendly it is", async () => {
  const it = await house();
  const answers: (() => void)[] = [];
  it.decide = sent => new Promise(resolve => answers.push(() => resolve(yes(sent))));
  const reading = mayRead(it, heat);
  await it.clock.advance(0);
  expect(answers).toHaveLength(1);
  await clear(it, decider, addressOf(heat));
  answers.shift()?.();
  await it.clock.advance(0);
  // It is asked again, and this time the answer is no.
  it.decide = no;
  expect(answers).toHaveLength(1);
  await clear(it, decider);
  answers.shift()?.();
  await it.clock.advance(0);
  expect(await reading).toBe(false);
  expect(it.provisioning.remembered(bob, "canRead", heat)).toEqual([]);
  expect(await mayRead(it, heat)).toBe(false);
});

it("PROV-THR-04: one caller fills no more than his share, and drives out nothing that was decided on others", async () => {
  const it = await house();
  const memory = createDecisionMemory(it.stores.decisions, it.clock);
  memory.open("prov.other.example", "gw9@hub.example");
  const key = (caller: string, name: string) => ({
    kind: "canControl" as const,
    node: heat,
    caller,
    tokens: "",
    categories: 0,
    names: [name],
  });
  const denied = { allow: false, grantedCategories: 0, grantedNames: undefined };
  memory.learn([{ key: key(bob, "Set Point"), answer: denied }]);
  for (let at = 0; at < 3 * decisionsPerCallerMax; at++)
    memory.learn([{ key: key("mallory@evil.example", `N${at}`), answer: denied }]);
  expect(memory.find(key(bob, "Set Point"))?.answer.allow).toBe(false);
  expect(memory.about("mallory@evil.example")).toHaveLength(decisionsPerCallerMax);
  expect(memory.size).toBe(decisionsPerCallerMax + 1);
  // And so it is on the disk.
  const again = createDecisionMemory(it.stores.decisions, it.clock);
  again.open("prov.other.example", "gw9@hub.example");
  expect(again.size).toBe(decisionsPerCallerMax + 1);
  expect(again.find(key(bob, "Set Point"))?.answer.allow).toBe(false);
});
