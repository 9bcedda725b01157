// Commands of MQTT brokers and topics against a real broker, and what is overheard there.

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import type { MqttBroker } from "#drivers/mqtt/broker.ts";
import { shown } from "#drivers/mqtt/commands.ts";
import { mqttDriver } from "#drivers/mqtt/driver.ts";
import type { MqttTopic } from "#drivers/mqtt/topic.ts";
import { type Mosquitto, startMosquitto } from "#lab/mosquitto.ts";
import { temporaryFolder } from "../../lab/scene.ts";
import { ask, commandOf } from "../report-log.ts";
import { envFor, listen, never, playDevice, until } from "./scene.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let mosquitto: Mosquitto;

beforeAll(async () => {
  folder = await temporaryFolder();
  mosquitto = await startMosquitto({ folder: join(folder.path, "mosquitto"), clock: systemClock, signal: never });
});
afterAll(async () => {
  await mosquitto.stop();
  await folder[Symbol.asyncDispose]();
});

const typeOf = (name: string) => mqttDriver.nodeTypes.find(one => one.name === name);
const openBroker = async () => {
  const type = typeOf("mqtt.broker");
  return (await type?.open(
    type.settings.parse({ host: "127.0.0.1", port: mosquitto.port }),
    envFor(undefined),
    never,
  )) as MqttBroker;
};
const openTopic = async (broker: MqttBroker, topic: string) => {
  const type = typeOf("mqtt.topic");
  return (await type?.open(type.settings.parse({ topic }), envFor(broker), never)) as MqttTopic;
};

it("the topics that are spoken on, with the last message of each; topics in use get nothing twice", async () => {
  await using device = await playDevice(mosquitto.port);
  await device.publishAsync("cellar/kept", "1", { retain: true, qos: 1 });
  await using broker = await openBroker();
  await using topic = await openTopic(broker, "cellar/kept");
  topic.declare({ ...valueSettings, fieldName: "Kept" });
  using told = listen(topic);
  await told.next();
  const listing = ask(broker, "ListTopics", { seconds: 1 });
  await until("the look at the broker", () => true);
  await systemClock.sleep(300, never);
  await device.publishAsync("attic/climate", '{"t":21.5,"password":"hunter2"}', { qos: 1 });
  await device.publishAsync("attic/climate", '{"t":21.6,"password":"hunter2"}', { qos: 1 });
  const { rows } = await listing;
  expect(rows.map(([name, count, , retained]) => [name, count, retained])).toEqual([
    ["attic/climate", 2, false],
    ["cellar/kept", 1, true],
  ]);
  expect(rows[0]?.[4]).toBe('{"t":21.6,"password":***}');
  expect(told.samples).toHaveLength(1);
  const filtered = await ask(broker, "ListTopics", { seconds: 1, filter: "nowhere/#" });
  expect([filtered.rows, filtered.messages.length]).toEqual([[], 1]);
});

it("CON-SNIFF-05, -07: what passes, in both directions, as text without credentials; a topic hears its own", async () => {
  await using device = await playDevice(mosquitto.port);
  await using broker = await openBroker();
  await using one = await openTopic(broker, "house/one");
  await using _two = await openTopic(broker, "house/two");
  const stop = new AbortController();
  const [line, own]: [SniffedItem[], SniffedItem[]] = [[], []];
  const hear = async (items: AsyncIterable<SniffedItem> | undefined, into: SniffedItem[]) => {
    for await (const item of items ?? []) into.push(item);
  };
  const hearing = [hear(broker.sniff?.(stop.signal), line), hear(one.sniff?.(stop.signal), own)];
  await device.publishAsync("house/one", "token=abc123 t=4", { qos: 1 });
  await device.publishAsync("house/two", Buffer.from([0xff, 0xfe]), { qos: 1 });
  await broker.publish("house/set", "20", never);
  await until("three messages", () => line.length === 3);
  stop.abort();
  await Promise.all(hearing);
  const texts = line.map(item => `${item.kind} ${"text" in item ? item.text : ""}`).toSorted();
  expect(texts).toEqual(["rx house/one: token=*** t=4", "rx house/two: 2 octets", "tx house/set: 20"]);
  expect(own.map(item => ("text" in item ? item.text : ""))).toEqual(["house/one: token=*** t=4"]);
});

it("the last messages of a topic; reset gives the connection up, for the tree to open anew", async () => {
  await using device = await playDevice(mosquitto.port);
  await using broker = await openBroker();
  await using topic = await openTopic(broker, "roof/rain");
  expect((await ask(topic, "LastFrames")).messages).toHaveLength(1);
  for (let n = 0; n < 25; n++) await device.publishAsync("roof/rain", String(n), { qos: 1 });
  await until("all of them", async () => (await ask(topic, "LastFrames")).rows.length === 20 || undefined);
  const command = commandOf(broker, "ResetLine");
  if (command.kind === "simple") await command.execute(never);
  expect(await broker.closed).toMatchObject({ kind: "unreachable" });
});

it("credentials are taken out before a text is cut", () => {
  expect(shown(new TextEncoder().encode(`{"pass":"${"x".repeat(3_000)}"}`))).toBe('{"pass":***}');
  expect(shown(new TextEncoder().encode("y".repeat(3_000)))).toHaveLength(1_025);
  expect(shown(Uint8Array.of(0, 1, 2))).toBe("3 octets");
});

const valueSettings = {
  pointer: "",
  kind: "number" as const,
  unit: "",
  factor: 1,
  onText: "true",
  offText: "false",
  category: "momentary" as const,
  commandTopic: "",
  commandTemplate: "{value}",
  confirmMs: 1_000,
};
