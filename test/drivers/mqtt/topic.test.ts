import { getEventListeners } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as z from "zod";
import { systemClock } from "#base/clock.ts";
import type { ControlParameter, ControlValue } from "#contract/control.ts";
import type { NodeType } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { formatValue, type Sample } from "#contract/field.ts";
import { formOf } from "#contract/form.ts";
import { type MqttBroker, openBroker } from "#drivers/mqtt/broker.ts";
import { mqttDriver } from "#drivers/mqtt/driver.ts";
import type { MqttTopic } from "#drivers/mqtt/topic.ts";
import { type Mosquitto, startMosquitto } from "#lab/mosquitto.ts";
import { startThermostat } from "#lab/mqtt-thermostat.ts";
import { temporaryFolder } from "../../lab/scene.ts";
import { driverSuite } from "../../support/driver-suite.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../../support/unhandled.ts";
import { envFor, listen, never, playDevice, settingsFor, until } from "./scene.ts";

failOnUnhandledRejections();

const [brokerType, topicType, valueType] = mqttDriver.nodeTypes as readonly [NodeType, NodeType, NodeType];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let mosquitto: Mosquitto;

beforeAll(async () => {
  folder = await temporaryFolder();
  mosquitto = await startMosquitto({ folder: join(folder.path, "m"), clock: systemClock, signal: never });
});
afterAll(async () => {
  await mosquitto.stop();
  await folder[Symbol.asyncDispose]();
});

let topics = 0;

/** A topic of its own with the values declared below it, opened through the node types as the tree does. */
async function scene(
  values: readonly z.input<NodeType["settings"]>[],
  {
    clock = systemClock,
    timePointer = "",
    before,
  }: { clock?: typeof systemClock; timePointer?: string; before?: string } = {},
) {
  const name = `test-${++topics}`;
  const player = await playDevice(mosquitto.port);
  if (before !== undefined) await player.publishAsync(`${name}/state`, before, { qos: 1, retain: true });
  const broker = await openBroker(settingsFor(mosquitto.port), clock, never);
  const settings = topicType.settings.parse({ topic: `${name}/state`, timePointer });
  const topic = (await topicType.open(settings, envFor<unknown>(broker, clock) as never, never)) as MqttTopic;
  const declare = (one: z.input<NodeType["settings"]>) =>
    valueType.open(valueType.settings.parse(one), envFor<unknown>(topic, clock) as never, never);
  for (const one of values) await declare(one);
  return {
    name,
    topic,
    broker,
    player,
    declare,
    say: (payload: string | Buffer, retain = false) =>
      player.publishAsync(`${name}/state`, payload, { qos: 1, retain }),
    async [Symbol.asyncDispose]() {
      await topic[Symbol.asyncDispose]();
      await broker[Symbol.asyncDispose]();
      await player[Symbol.asyncDispose]();
    },
  };
}

const temperature = { fieldName: "Temperature", pointer: "/temperature", unit: "Cel" };
const humidity = { fieldName: "Humidity", pointer: "/humidity", unit: "%RH", category: "computed" };
const shown = ({ fields }: Sample) => Object.fromEntries(fields.map(({ name, value }) => [name, formatValue(value)]));
const unreadable = (topic: MqttTopic) => topic.describe?.().find(one => one.id === "Unreadable")?.value.value;

describe("a topic speaks", () => {
  it("each message is a sample of the declared fields, with the time of receipt, unit and category", async () => {
    const clock = manualClock();
    await using one = await scene([temperature, humidity], { clock });
    using heard = listen(one.topic);
    await one.say('{"temperature": 21.50, "humidity": 40, "battery": 98}');
    const sample = await heard.next();
    expect(sample.at).toBe(clock.now());
    expect(shown(sample)).toEqual({ Temperature: "21.50 Cel", Humidity: "40 %RH" });
    expect(sample.fields.map(field => field.quality)).toEqual([{ automaticReadout: true }, { automaticReadout: true }]);
    expect(sample.fields.map(field => [field.categories.momentary, field.categories.computed])).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(sample.fields.every(field => field.writable === undefined)).toBe(true);
  });

  it("a partial message says nothing of the fields it does not have", async () => {
    await using one = await scene([temperature, humidity]);
    using heard = listen(one.topic);
    await one.say('{"temperature": 21.5}');
    await one.say('{"battery": 1}');
    await one.say('{"humidity": 41}');
    expect(shown(await heard.next())).toEqual({ Temperature: "21.5 Cel" });
    expect(shown(await heard.next())).toEqual({ Humidity: "41 %RH" });
    expect(unreadable(one.topic)).toBe(0);
  });

  it("null and what is of the wrong kind are missing with the reason, beside good values", async () => {
    await using one = await scene([temperature, humidity]);
    using heard = listen(one.topic);
    await one.say('{"temperature": null, "humidity": "wet"}');
    const sample = await heard.next();
    expect(sample.fields.map(field => field.value)).toEqual([
      { kind: "missing", reason: "the device says it has none" },
      { kind: "missing", reason: 'a number expected, the message has "wet"' },
    ]);
    expect(sample.fields.map(field => field.quality)).toEqual([{ missing: true }, { missing: true }]);
  });

  it("what is not understood is counted; what was understood before stays known", async () => {
    const clock = manualClock();
    await using one = await scene([temperature], { clock });
    using heard = listen(one.topic);
    await one.say('{"temperature": 21.5}');
    const good = await heard.next();
    await clock.advance(1_000);
    await one.say('{"temperature": 2');
    await one.say(Buffer.of(0xff, 0x00, 0xfe));
    await until("both to be counted", () => unreadable(one.topic) === 2);
    using late = listen(one.topic);
    expect(await late.next()).toEqual(good);
    expect(heard.samples).toHaveLength(1);
  });

  it("a bare value needs no pointer", async () => {
    await using one = await scene([{ fieldName: "Power", kind: "boolean" }]);
    using heard = listen(one.topic);
    await one.say("ON");
    expect(shown(await heard.next())).toEqual({ Power: "true" });
  });
});

describe("the time of a value", () => {
  const own = Date.parse("2031-03-02T04:59:00Z");

  it("is the message's own where it has one, retained or not", async () => {
    const before = '{"temperature": 20, "time": "2031-03-02T04:59:00Z"}';
    await using one = await scene([temperature], { clock: manualClock(), timePointer: "/time", before });
    using heard = listen(one.topic);
    const retained = await heard.next();
    expect(retained).toMatchObject({ at: own, fields: [{ quality: { automaticReadout: true } }] });
    await one.say(`{"temperature": 21, "time": ${own / 1000 + 30}}`);
    expect((await heard.next()).at).toBe(own + 30_000);
  });

  it("of a retained message without one is a guess, and marked so; of a live one it is not", async () => {
    const clock = manualClock();
    await using one = await scene([temperature], { clock, before: '{"temperature": 20}' });
    using heard = listen(one.topic);
    const retained = await heard.next();
    expect(retained).toMatchObject({
      at: clock.now(),
      fields: [{ quality: { automaticReadout: true, warning: true } }],
    });
    await one.say('{"temperature": 21}', true);
    expect((await heard.next()).fields[0]?.quality).toEqual({ automaticReadout: true });
  });

  it.each([
    ["of a clock that was never set", '"1970-01-01T00:00:12Z"'],
    ["of a clock that is ahead", '"2031-03-02T06:00:00Z"'],
    ["far beyond any calendar's end", "253402300799"],
  ])("%s is replaced by the time of receipt, and marked", async (_, time) => {
    const clock = manualClock();
    await using one = await scene([temperature], { clock, timePointer: "/time" });
    using heard = listen(one.topic);
    await one.say(`{"temperature": 20, "time": ${time}}`);
    expect(await heard.next()).toMatchObject({
      at: clock.now(),
      fields: [{ quality: { automaticReadout: true, timeOffset: true } }],
    });
  });

  it("is never renewed: who listens or declares later is told the time of then", async () => {
    const clock = manualClock();
    await using one = await scene([temperature, humidity], { clock });
    using heard = listen(one.topic);
    await one.say('{"humidity": 40}');
    await heard.next();
    await clock.advance(3_600_000);
    await one.say('{"temperature": 21.5, "pressure": 1013}');
    await heard.next();
    await clock.advance(3_600_000);

    using late = listen(one.topic);
    const [first, second] = [await late.next(), await late.next()];
    expect([shown(first), first.at]).toEqual([{ Humidity: "40 %RH" }, clock.now() - 7_200_000]);
    expect([shown(second), second.at]).toEqual([{ Temperature: "21.5 Cel" }, clock.now() - 3_600_000]);

    await one.declare({ fieldName: "Pressure", pointer: "/pressure", unit: "hPa" });
    const declared = await late.next();
    expect([shown(declared), declared.at]).toEqual([{ Pressure: "1013 hPa" }, clock.now() - 3_600_000]);
  });

  it("an empty payload takes back what was retained: nothing is known any more", async () => {
    await using one = await scene([temperature], { before: '{"temperature": 20, "humidity": 40}' });
    using heard = listen(one.topic);
    await heard.next();
    await one.say("", true);
    await one.say('{"other": 1}');
    await until("the message after it", () => one.broker.describe?.()[0]?.value.value === 3);
    await one.declare(humidity);
    using late = listen(one.topic);
    await one.say('{"temperature": 22}');
    expect(shown(await late.next())).toEqual({ Temperature: "22 Cel" });
    expect(unreadable(one.topic)).toBe(0);
  });
});

describe("watching", () => {
  it("ends with its signal and with the topic, and leaves nothing behind on either", async () => {
    await using one = await scene([temperature]);
    const stop = new AbortController();
    for (let at = 0; at < 50; at++) {
      await one.say('{"temperature": 20}');
      for await (const _ of one.topic.watch?.(stop.signal) ?? []) break;
    }
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    const ended = (async () => {
      for await (const _ of one.topic.watch?.(stop.signal) ?? []);
      return "ended";
    })();
    await one.topic[Symbol.asyncDispose]();
    expect(await ended).toBe("ended");
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });
});

describe("settings", () => {
  const faultsOf = (type: NodeType, settings: object) => {
    const parsed = type.settings.safeParse(settings);
    return parsed.success ? [] : parsed.error.issues.map(issue => `${issue.path.join(".")}: ${issue.message}`);
  };

  it.each(["", "a/+/b", "+", "a/#", "#", "a\u0000b", "$share/g/a", "x".repeat(1_025)])(
    "the topic %j is refused",
    topic => {
      expect(faultsOf(topicType, { topic })[0]).toMatch(/^topic: /);
    },
  );

  it.each(["a", "a/b", "/", "zigbee2mqtt/Küche Heizung", "$SYS/broker/uptime", "a b"])("the topic %j is one", topic => {
    expect(faultsOf(topicType, { topic })).toEqual([]);
  });

  it("pointers, templates and ranges that make no sense are refused with what is wanted", () => {
    expect(faultsOf(topicType, { topic: "a", timePointer: "time" })).toEqual([
      "timePointer: a JSON pointer such as /climate/temperature",
    ]);
    expect(faultsOf(valueType, { fieldName: "A", pointer: "a" })[0]).toMatch(/^pointer: a JSON pointer/);
    expect(faultsOf(valueType, { fieldName: "A", commandTopic: "a/+" })[0]).toMatch(/^commandTopic: one topic/);
    expect(faultsOf(valueType, { fieldName: "A", commandTemplate: "on" })[0]).toMatch(/^commandTemplate: a text with/);
    expect(faultsOf(valueType, { fieldName: "A", factor: 0 })[0]).toMatch(/^factor: /);
    expect(faultsOf(valueType, { fieldName: "A", min: 30, max: 5 })).toEqual(["max: not less than the least value"]);
  });

  it("every node type's settings make a form, and the password is never shown in it", () => {
    for (const type of [brokerType, topicType, valueType]) {
      expect(formOf(type.settings).filter(field => field.title === field.name)).toEqual([]);
    }
    expect(formOf(brokerType.settings).find(field => field.name === "password")?.secret).toBe(true);
  });

  it("two values of one name are refused", async () => {
    await using one = await scene([temperature]);
    const fault = await Promise.resolve(one.declare({ ...humidity, fieldName: "Temperature" })).catch(error => error);
    expect(fault).toMatchObject({ kind: "refused", message: "The topic has a field Temperature already." });
  });
});

const setPoint = {
  fieldName: "Set Point",
  pointer: "/setpoint",
  unit: "Cel",
  commandTemplate: '{"setpoint": {value}}',
  min: 5,
  max: 30,
};
const double = (value: number): ControlValue => ({ kind: "double", value });

describe("commands", () => {
  async function thermostatScene(over: object = {}) {
    const name = `thermostat-${++topics}`;
    const thermostat = await startThermostat({ port: mosquitto.port, name, clock: systemClock });
    const broker = await openBroker(settingsFor(mosquitto.port), systemClock, never);
    const settings = topicType.settings.parse({ topic: `${name}/state`, timePointer: "/time" });
    const topic = (await topicType.open(settings, envFor<unknown>(broker) as never, never)) as MqttTopic;
    const value = valueType.settings.parse({ ...setPoint, commandTopic: `${name}/set`, confirmMs: 300, ...over });
    const device = await valueType.open(value, envFor<unknown>(topic) as never, never);
    const parameter = topic.parameters[0] as ControlParameter;
    return {
      thermostat,
      broker,
      topic,
      device,
      parameter,
      async [Symbol.asyncDispose]() {
        await topic[Symbol.asyncDispose]();
        await broker[Symbol.asyncDispose]();
        await thermostat[Symbol.asyncDispose]();
      },
    };
  }

  it("a parameter has the name, unit and range of its value, and its current value", async () => {
    await using one = await thermostatScene();
    expect(one.parameter).toMatchObject({ name: "Set Point", kind: "double", unit: "Cel", min: 5, max: 30 });
    await until("the retained state", async () => (await one.parameter.get?.(never)) !== undefined);
    expect(await one.parameter.get?.(never)).toEqual(double(21));
    using heard = listen(one.topic);
    expect((await heard.next()).fields[0]?.writable).toBe(true);
  });

  it("what the device then reports confirms it", async () => {
    await using one = await thermostatScene();
    expect(await one.parameter.set(double(22.5), never)).toBe("confirmed");
    expect(one.thermostat.setPoint).toBe(22.5);
    expect(await one.parameter.get?.(never)).toEqual(double(22.5));
    expect(await one.parameter.set(double(22.5), never)).toBe("confirmed");
  });

  it("a device that does not obey has refused, and what it reports is said", async () => {
    await using one = await thermostatScene();
    one.thermostat.jam(true);
    const fault = await one.parameter.set(double(25), never).catch(error => error);
    expect(fault).toBeInstanceOf(DeviceFault);
    expect(fault).toMatchObject({ kind: "refused", message: "The device still reports 21 Cel." });
    one.thermostat.jam(false);
    expect(await one.parameter.set(double(25), never)).toBe("confirmed");
  });

  it("a device that reports nothing leaves it unconfirmed, after as long as it may take", async () => {
    const clock = manualClock();
    await using one = await scene([{ ...setPoint, commandTopic: "nobody/listens", confirmMs: 5_000 }], { clock });
    let outcome: string | undefined;
    const setting = one.topic.parameters[0]?.set(double(20), never).then(result => {
      outcome = result;
    });
    await until("the command to be acknowledged", () => clock.sleepers === 1);
    await systemClock.sleep(50, never);
    await clock.advance(4_999);
    expect(outcome).toBeUndefined();
    await clock.advance(1);
    await setting;
    expect(outcome).toBe("unconfirmed");
    expect(clock.sleepers).toBe(0);
  });

  it("the factor goes both ways, and the text is the template's", async () => {
    const value = { fieldName: "Level", pointer: "/level", factor: 0.1, commandTemplate: '{"level": {value}}' };
    await using one = await scene([{ ...value, commandTopic: "factor/set" }]);
    const told: string[] = [];
    one.player.on("message", (_, payload) => {
      told.push(payload.toString());
      one.say(payload.toString()).catch(() => {});
    });
    await one.player.subscribeAsync("factor/set", { qos: 1 });
    expect(await one.topic.parameters[0]?.set(double(21.5), never)).toBe("confirmed");
    expect(told).toEqual(['{"level": 215}']);
    expect(await one.topic.parameters[0]?.get?.(never)).toEqual(double(21.5));
  });

  it("switches and texts, in the device's own words", async () => {
    const on = { fieldName: "Power", pointer: "/power", kind: "boolean", onText: "heat", offText: "rest" };
    const mode = { fieldName: "Mode", pointer: "/mode", kind: "text", commandTemplate: '{"mode": {value}}' };
    await using one = await scene([
      { ...on, commandTopic: "words/power" },
      { ...mode, commandTopic: "words/mode" },
    ]);
    one.player.on("message", (topic, payload) => {
      const state = topic === "words/power" ? JSON.stringify({ power: payload.toString() }) : payload.toString();
      one.say(state).catch(() => {});
    });
    await one.player.subscribeAsync(["words/power", "words/mode"], { qos: 1 });
    const [power, text] = one.topic.parameters as [ControlParameter, ControlParameter];
    expect([power.kind, text.kind]).toEqual(["boolean", "string"]);
    expect(await power.set({ kind: "boolean", value: true }, never)).toBe("confirmed");
    expect(await power.get?.(never)).toEqual({ kind: "boolean", value: true });
    expect(await text.set({ kind: "string", value: 'a "b"' }, never)).toBe("confirmed");
  });

  it("an abort ends it with its reason, a closed topic with a fault, both at once and without a trace", async () => {
    const clock = manualClock();
    await using one = await scene([{ ...setPoint, commandTopic: "nobody/listens" }], { clock });
    const parameter = one.topic.parameters[0] as ControlParameter;
    const stop = new AbortController();
    const left = parameter.set(double(20), stop.signal);
    left.catch(() => {});
    await until("the command to be under way", () => clock.sleepers === 1);
    stop.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);

    const closed = parameter.set(double(20), never);
    closed.catch(() => {});
    await until("the command to be under way", () => clock.sleepers === 1);
    await one.topic[Symbol.asyncDispose]();
    await expect(closed).rejects.toMatchObject({ kind: "unreachable" });
    await expect(parameter.set(double(20), never)).rejects.toMatchObject({ kind: "unreachable" });
    expect(clock.sleepers).toBe(0);
  });

  it("parameters appear with their values, go with them, and stay known while the line is lost", async () => {
    await using one = await scene([temperature]);
    const { parameters } = one.topic;
    expect(parameters).toHaveLength(0);
    const value = await one.declare({ ...setPoint, commandTopic: "a/set" });
    expect(parameters.map(parameter => parameter.name)).toEqual(["Set Point"]);
    await value[Symbol.asyncDispose]();
    await value[Symbol.asyncDispose]();
    expect(parameters).toHaveLength(0);
    const again = await one.declare({ ...setPoint, commandTopic: "a/set" });
    await one.broker[Symbol.asyncDispose]();
    await again[Symbol.asyncDispose]();
    expect(parameters.map(parameter => parameter.name)).toEqual(["Set Point"]);
  });
});

describe("the lab's thermostat", () => {
  it("keeps to its range, can be turned by hand, and goes although its broker went before", async () => {
    const mortal = await startMosquitto({ folder: join(folder.path, "mortal"), clock: systemClock, signal: never });
    const thermostat = await startThermostat({ port: mortal.port, name: "t", clock: systemClock, reportMs: 20 });
    await using player = await playDevice(mortal.port);
    for (const wanted of [
      '{"setpoint": 31}',
      '{"setpoint": 4.9}',
      '{"setpoint": null}',
      "{",
      "[]",
      '{"setpoint": 30}',
    ]) {
      await player.publishAsync("t/set", wanted, { qos: 1 });
    }
    await until("the command within the range", () => thermostat.setPoint === 30);
    await thermostat.turn(18);
    expect(thermostat.setPoint).toBe(18);
    await mortal.stop();
    await systemClock.sleep(60, never);
    await thermostat[Symbol.asyncDispose]();
  });
});

describe("a broker that stops and comes back", () => {
  it("is opened anew with its topics, and what was retained and what is said then is heard again", async () => {
    const mortal = await startMosquitto({ folder: join(folder.path, "again"), clock: systemClock, signal: never });
    const attempt = async () => {
      const settings = brokerType.settings.parse({ host: "127.0.0.1", port: mortal.port });
      const broker = (await brokerType.open(settings, envFor<unknown>(undefined) as never, never)) as MqttBroker;
      const topic = (await topicType.open(
        topicType.settings.parse({ topic: "again/state" }),
        envFor<unknown>(broker) as never,
        never,
      )) as MqttTopic;
      await valueType.open(valueType.settings.parse(temperature), envFor<unknown>(topic) as never, never);
      return { broker, topic };
    };
    const first = await attempt();
    {
      await using player = await playDevice(mortal.port);
      using heard = listen(first.topic);
      await player.publishAsync("again/state", '{"temperature": 20}', { qos: 1, retain: true });
      expect(shown(await heard.next())).toEqual({ Temperature: "20 Cel" });
      await mortal.restart();
      expect(await first.broker.closed).toMatchObject({ kind: "unreachable" });
    }
    await first.topic[Symbol.asyncDispose]();
    await first.broker[Symbol.asyncDispose]();

    const second = await attempt();
    using heard = listen(second.topic);
    expect((await heard.next()).fields[0]?.quality).toEqual({ automaticReadout: true, warning: true });
    await using player = await playDevice(mortal.port);
    await player.publishAsync("again/state", '{"temperature": 22}', { qos: 1 });
    expect(shown(await heard.next())).toEqual({ Temperature: "22 Cel" });
    await second.topic[Symbol.asyncDispose]();
    await second.broker[Symbol.asyncDispose]();
    await mortal.stop();
  });
});

driverSuite("mqtt.topic", async () => {
  const one = await scene([]);
  return {
    // A topic tells what its values declare: the suite opens it with one.
    nodeType: {
      ...topicType,
      async open(settings, env, signal) {
        const topic = await topicType.open(settings, env, signal);
        await valueType.open(valueType.settings.parse(temperature), { ...env, parent: topic as never }, signal);
        return topic;
      },
    },
    settings: { topic: `${one.name}/state` },
    parent: one.broker,
    clock: systemClock,
    pass: ms => systemClock.sleep(ms, never),
    speak: async () => void (await one.say('{"temperature": 21.5}')),
    [Symbol.asyncDispose]: () => one[Symbol.asyncDispose](),
  };
});
