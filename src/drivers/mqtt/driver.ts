// MQTT as a client of the site's broker: a broker is a line, a topic below it is a device, and values below the topic say
// which fields its messages carry and how they are commanded.

import * as z from "zod";
import type { Driver, NodeType } from "#contract/driver.ts";
import { categoryNames } from "#contract/field.ts";
import { fieldName, flag, host, secret, tcpPort, unit, userName } from "#contract/settings.ts";
import { type MqttBroker, openBroker } from "./broker.ts";
import { isTemplate } from "./command.ts";
import { withCommands } from "./commands.ts";
import { isPointer } from "./payload.ts";
import { type MqttTopic, openTopic } from "./topic.ts";

const brokerSettings = z.object({
  host,
  port: tcpPort(1883),
  version: z
    .enum(["3.1.1", "5.0"])
    .default("3.1.1")
    .meta({ title: "MQTT version", description: "Brokers understand 3.1.1; newer ones 5.0 too.", page: "Connection" }),
  tls: flag("TLS", "Encrypted from the first byte; usually port 8883.", false),
  caFile: z.string().max(4096).default("").meta({
    title: "Certificate authority",
    description: "PEM file of a private one; empty for the public ones.",
    page: "Connection",
  }),
  userName,
  password: secret("Password"),
});

const broker: NodeType<typeof brokerSettings, unknown, MqttBroker> = {
  name: "mqtt.broker",
  title: "MQTT broker",
  parents: [""],
  settings: brokerSettings,
  line: true,
  inherits: ["Line"],
  async open(settings, { clock }, signal) {
    const opened = await openBroker(settings, clock, signal);
    return withCommands(opened, settings, clock);
  },
};

const pointer = (title: string, description: string) =>
  z
    .string()
    .max(1024)
    .default("")
    .refine(isPointer, "a JSON pointer such as /climate/temperature")
    .meta({ title, description, page: "Message" });

const topicText = (description: string) =>
  z
    .string()
    .max(1024)
    .regex(/^(?!\$share\/)[^#+\0]*$/, "one topic, without + and #")
    .meta({ title: "Topic", description, page: "Message" });

const topicSettings = z.object({
  topic: topicText("What the device publishes to.").min(1),
  timePointer: pointer("Time in the message", "JSON pointer to the message's own time; empty for none."),
});

const topic: NodeType<typeof topicSettings, MqttBroker, MqttTopic> = {
  name: "mqtt.topic",
  title: "MQTT device",
  parents: ["mqtt.broker"],
  settings: topicSettings,
  thing: true,
  inherits: ["Device"],
  open: openTopic,
};

const word = (title: string, description: string, standard: string) =>
  z.string().min(1).max(64).default(standard).meta({ title, description, page: "Field" });

const valueFields = z.object({
  fieldName,
  pointer: pointer("Value in the message", "JSON pointer such as /temperature; empty where the message is the value."),
  kind: z
    .enum(["number", "boolean", "text"])
    .default("number")
    .meta({ title: "Kind", description: "What the value is.", page: "Field" }),
  unit,
  decimals: z
    .int()
    .min(0)
    .max(9)
    .optional()
    .meta({ title: "Decimals", description: "Empty: as in the message.", page: "Field" }),
  factor: z
    .number()
    .positive()
    .default(1)
    .meta({ title: "Factor", description: "Multiplies the number in the message.", page: "Field" }),
  onText: word("On", "How the device writes on; the usual words are understood besides.", "true"),
  offText: word("Off", "How the device writes off.", "false"),
  category: z
    .enum(categoryNames)
    .default("momentary")
    .meta({ title: "Category", description: "What kind of value it is.", page: "Field" }),
  commandTopic: topicText("Where a new value is sent; empty where it cannot be set.")
    .default("")
    .meta({ title: "Command topic", page: "Control" }),
  commandTemplate: z
    .string()
    .max(1024)
    .default("{value}")
    .refine(isTemplate, 'a text with {value} in it; JSON such as {"setpoint": {value}} must be whole')
    .meta({ title: "Command", description: "What is sent; {value} stands for the value.", page: "Control" }),
  min: z.number().optional().meta({ title: "Least value", description: "Smaller ones are refused.", page: "Control" }),
  max: z
    .number()
    .optional()
    .meta({ title: "Greatest value", description: "Greater ones are refused.", page: "Control" }),
  confirmMs: z.int().min(100).max(60_000).default(5_000).meta({
    title: "Confirmation (ms)",
    description: "How long to wait until the device reports the new value.",
    page: "Control",
  }),
});

const valueSettings = valueFields.refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
  path: ["max"],
  message: "not less than the least value",
});

const value: NodeType<typeof valueSettings, MqttTopic> = {
  name: "mqtt.value",
  title: "Value of an MQTT device",
  parents: ["mqtt.topic"],
  settings: valueSettings,
  inherits: ["Value"],
  async open(settings, env) {
    const declared = env.parent.declare(settings);
    return { [Symbol.asyncDispose]: async () => declared[Symbol.dispose]() };
  },
};

export const mqttDriver: Driver = { name: "mqtt", nodeTypes: [broker, topic, value] };
