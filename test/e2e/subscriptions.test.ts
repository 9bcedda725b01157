// Subscriptions through a real broker: an owner follows his meter and his appliance from two places; what ends one of them
// does not end the other.

import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import type { SourceNews } from "#client/source-events.ts";
import { formatValue, type Reading } from "#contract/field.ts";
import { parseNode } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import { response } from "#iot/sensor-data.wire.ts";
import { elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { forever } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";
import { found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const events = namespace("events", "nf");
const sd = namespace("sensorData", "nf");
const heat = parseNode("heat-3@attic");
const site = JSON.stringify({
  nodes: [{ type: "sim.line", id: "attic", nodes: [{ type: "sim.meter", id: "heat-3", settings: { fields: 10 } }] }],
});

let house: House;
let client: Client;
let appliance: string;

beforeAll(async () => {
  house = await startHouse({ site, people: ["owner"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  client = await house.client("owner");
  await client.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await client.appliance(forever, appliance.split("/")[0]);
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

/** Sets the meter's set point; somebody reads it, and what anybody reads is what everybody else is told of. */
async function turnTo(value: number, reader: Peer): Promise<void> {
  await client.things.set(appliance, [heat], [{ name: "Set Point", value: { kind: "double", value } }], forever);
  const request = `<req xmlns='${sd}' id='r${value}' m='true'><nd id='heat-3' src='MeteringTopology' pt='attic'/></req>`;
  await reader.session.request("get", appliance, parse(request));
}

it("EV-TRG-01, EV-END-01, CON-SUB-05: a threshold, two subscribers, one who leaves, and the source they hang on", async () => {
  const phone = await house.peer("owner");
  const desk = await house.peer("owner");
  const ask = (xml: string) => phone.session.request("set", appliance, parse(xml));
  const subscribe = `<subscribe xmlns='${events}' id='warm' m='true' minInt='PT1S'>
    <nd id='heat-3' src='MeteringTopology' pt='attic'/><f n='Set Point' by='2' v='20.5'/></subscribe>`;
  const accepted = await ask(subscribe.replace(/\n\s*/, ""));
  expect([accepted?.name, accepted?.ns, accepted?.attrs.id]).toEqual(["accepted", sd, "warm"]);

  const stop = new AbortController();
  const news: SourceNews[] = [];
  const readings: Reading[] = [];
  const where = () => client.appliance(forever, appliance.split("/")[0]);
  const wish = { nodes: [heat], fields: [{ name: "Set Point", by: 2 }], now: true };
  const gather = async <T>(items: AsyncIterable<T>, into: T[]) => {
    for await (const item of items) into.push(item);
  };
  const running = [
    gather(client.subscriptions.subscribe(where, wish, stop.signal), readings),
    gather(client.sourceEvents.follow(where, {}, stop.signal), news),
  ];
  for (const one of running) one.catch(() => {});
  await found("the value of now", async () => readings[0]);
  await found("the word to fetch", async () => news[0]);

  const told = () =>
    phone.messages
      .flatMap(elements)
      .filter(one => one.ns === sd && one.attrs.id === "warm")
      .flatMap(one => response.decode(one).nodes)
      .flatMap(one =>
        one.samples.flatMap(({ fields }) => fields.map(({ name, value }) => `${name} ${formatValue(value)}`)),
      );
  await turnTo(21.5, desk);
  await turnTo(24, desk);
  await found("the change", async () => (told().length > 0 ? true : undefined));
  expect(told(), "a degree was no reason").toEqual(["Set Point 24.0 Cel"]);

  // He leaves: what is said to a resource that is gone, a broker gives to the others of the same person, and there is nothing.
  await phone.stop();
  const back = await house.peer("owner");
  await found("his presence", async () => (back.session.online ? true : undefined));
  const ofNow = () =>
    readings.flatMap(one => (one.kind === "reading" ? one.fields : [])).map(one => formatValue(one.value));
  await turnTo(28, back);
  await found("what the other one is told", async () => (ofNow().includes("28.0 Cel") ? true : undefined));
  await systemClock.sleep(2_500, forever);
  expect(back.messages.flatMap(elements).filter(one => one.attrs.id === "warm")).toEqual([]);

  // A node that falls silent is news of the source, with its message.
  await client.things.set(appliance, [heat], [{ name: "Silent", value: { kind: "boolean", value: true } }], forever);
  for await (const _ of client.things.read(appliance, [heat], {}, forever));
  const failed = await found("the failure", async () => news.find(one => one.kind === "nodeStatusChanged"));
  expect(failed).toMatchObject({ ref: heat, state: "ErrorUnsigned", messages: [{ eventId: "timeout" }] });

  stop.abort();
  await Promise.allSettled(running);
}, 120_000);
