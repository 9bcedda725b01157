// A topic as a device: it speaks unasked, each message a sample of the fields that its value nodes declare. What it was told
// before stays known with the time it was told, for who listens or declares a value later.

import { type Broadcast, createBroadcast } from "#base/broadcast.ts";
import { createScope } from "#base/scope.ts";
import type { ControlParameter } from "#contract/control.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Category, categories, type Field, type Quality, type Sample } from "#contract/field.ts";
import { lastFramesMax, mqttClockOffMs, mqttSamplesMax } from "#limits.ts";
import type { MqttBroker, MqttMessage } from "./broker.ts";
import { type CommandSettings, createParameter } from "./command.ts";
import { sniffTopic, topicCommands } from "./commands.ts";
import { absent, fieldValue, parsePayload, pointTo, timeOf, type ValueMap } from "./payload.ts";

export interface ValueSettings extends ValueMap, CommandSettings {
  readonly fieldName: string;
  readonly pointer: string;
  readonly category: Category;
}

export interface TopicSettings {
  readonly topic: string;
  /** Pointer to the message's own time; "" for none. */
  readonly timePointer: string;
}

export interface MqttTopic extends Device {
  /** Declares one value of the messages, until disposed. Throws `DeviceFault` refused when the name is taken. */
  declare(value: ValueSettings): Disposable;
  /** Grows and shrinks with the values: they are opened after their topic. */
  readonly parameters: readonly ControlParameter[];
}

interface Value {
  readonly settings: ValueSettings;
  latest: { readonly at: number; readonly field: Field } | undefined;
}

interface Readable {
  readonly message: MqttMessage;
  readonly content: unknown;
}

export async function openTopic(
  settings: TopicSettings,
  env: Env<MqttBroker>,
  signal: AbortSignal,
): Promise<MqttTopic> {
  const values = new Map<string, Value>();
  const parameters: ControlParameter[] = [];
  const samples = createBroadcast<Sample>(mqttSamplesMax);
  const ended = new AbortController();
  let last: Readable | undefined;
  let unreadable = 0;

  const tell = ({ message, content }: Readable, wanted: Iterable<Value>) => {
    const { at, quality } = timeAndQuality(message, content, settings.timePointer);
    const fields = [...wanted].flatMap(value => {
      const field = fieldOf(value.settings, content, quality);
      if (field === undefined) return [];
      value.latest = { at, field };
      return [field];
    });
    if (fields.length > 0) samples.send({ at, fields });
  };

  /** As they came, for a person to look at. */
  const recent: MqttMessage[] = [];

  const take = (message: MqttMessage) => {
    recent.push(message);
    if (recent.length > lastFramesMax) recent.shift();
    if (message.payload.length === 0) {
      // The device takes back what it said last: there is nothing to repeat any more.
      last = undefined;
      for (const value of values.values()) value.latest = undefined;
      return;
    }
    const content = parsePayload(message.payload);
    if (content === undefined) {
      unreadable++;
      return;
    }
    last = { message, content };
    tell(last, values.values());
  };
  const subscription = await env.parent.subscribe(settings.topic, take, signal);

  return {
    parameters,
    declare(value) {
      const { fieldName } = value;
      if (values.has(fieldName)) throw new DeviceFault("refused", `The topic has a field ${fieldName} already.`);
      const entry: Value = { settings: value, latest: undefined };
      values.set(fieldName, entry);
      const parameter = createParameter(value, env, samples.listen, ended.signal, () => entry.latest?.field.value);
      if (parameter !== undefined) parameters.push(parameter);
      // Values are opened after their topic: what was retained is told to the late ones too.
      if (last !== undefined) tell(last, [entry]);
      return {
        [Symbol.dispose]() {
          if (values.get(fieldName) !== entry) return;
          values.delete(fieldName);
          // Of a lost line the parameters stay known: a form may show them meanwhile.
          const at = parameter === undefined ? -1 : parameters.indexOf(parameter);
          if (at >= 0 && env.parent.isOpen) parameters.splice(at, 1);
        },
      };
    },
    watch: watching => watch(watching, ended.signal, samples, values),
    commands: topicCommands(() => recent),
    sniff: sniffing => sniffTopic(env.parent, topicsOf(settings.topic, values), sniffing),
    describe: () => [
      { id: "Topic", name: "Topic", value: { kind: "string", value: settings.topic } },
      { id: "Unreadable", name: "Messages not understood", value: { kind: "int", value: unreadable } },
    ],
    async [Symbol.asyncDispose]() {
      ended.abort(new DeviceFault("unreachable", "The topic is closed."));
      subscription[Symbol.dispose]();
    },
  };
}

/** The topic, and those its values are commanded on. */
const topicsOf = (topic: string, values: ReadonlyMap<string, Value>) => (name: string) =>
  name === topic || [...values.values()].some(({ settings }) => settings.commandTopic === name);

/** What is known already, each with its own time, oldest first; then what is said. */
async function* watch(
  watching: AbortSignal,
  ended: AbortSignal,
  samples: Broadcast<Sample>,
  values: ReadonlyMap<string, Value>,
): AsyncGenerator<Sample> {
  using scope = createScope(watching);
  const onEnd = () => scope.abort(ended.reason);
  if (ended.aborted) onEnd();
  ended.addEventListener("abort", onEnd, { once: true });
  const heard = samples.listen(scope.signal);
  try {
    const known = [...values.values()].flatMap(({ latest }) => latest ?? []);
    const byTime = [...Map.groupBy(known, one => one.at)].sort(([a], [b]) => a - b);
    for (const [at, group] of byTime) yield { at, fields: group.map(one => one.field) };
    yield* heard;
  } finally {
    ended.removeEventListener("abort", onEnd);
    await heard.return?.();
  }
}

/** Before that no such device was made: its clock was never set. */
const firstPlausibleMs = Date.UTC(2001, 0, 1);

/** The message's own time; of an impossible one the time of receipt, marked; of a retained message without one it is a guess. */
function timeAndQuality({ at, retained }: MqttMessage, content: unknown, timePointer: string) {
  const own = timePointer === "" ? undefined : timeOf(pointTo(content, timePointer));
  const isRight = own !== undefined && own >= firstPlausibleMs && own <= at + mqttClockOffMs;
  const quality: Quality = {
    automaticReadout: true,
    ...(own !== undefined && !isRight ? { timeOffset: true } : {}),
    ...(retained && !isRight ? { warning: true } : {}),
  };
  return { at: isRight ? own : at, quality };
}

function fieldOf(value: ValueSettings, content: unknown, quality: Quality): Field | undefined {
  const raw = pointTo(content, value.pointer);
  if (raw === absent) return undefined;
  const found = fieldValue(raw, value);
  return {
    name: value.fieldName,
    value: found,
    categories: categories(value.category),
    quality: found.kind === "missing" ? { missing: true } : quality,
    ...(value.commandTopic === "" ? {} : { writable: true as const }),
  };
}
