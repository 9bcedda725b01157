// A topic as a device: it speaks unasked, each message a sample of the fields that its value nodes declare. Commands go to a
// value's command topic and are confirmed by what the device then reports.

import { createBroadcast } from "#base/broadcast.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { ControlParameter, ControlValue, WriteOutcome } from "#contract/control.ts";
import type { Device, Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Category, categories, type Field, type Quality, type Sample } from "#contract/field.ts";
import { mqttSamplesMax } from "#limits.ts";
import type { MqttBroker, MqttMessage } from "./broker.ts";
import { absent, fieldValue, parsePayload, pointTo, timeOf, type ValueKind } from "./payload.ts";

export interface ValueSettings {
  readonly fieldName: string;
  readonly pointer: string;
  readonly kind: ValueKind;
  readonly unit: string;
  readonly decimals?: number | undefined;
  readonly factor: number;
  readonly category: Category;
  readonly commandTopic: string;
  /** `{value}` stands for the value. */
  readonly commandTemplate: string;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly confirmMs: number;
}

export interface TopicSettings {
  readonly topic: string;
  /** Pointer to the message's own time; "" for none. */
  readonly timePointer: string;
}

export interface MqttTopic extends Device {
  /** Declares one value of the messages, until disposed. Throws `DeviceFault` refused when the name is taken. */
  declare(value: ValueSettings): Disposable;
}

export async function openTopic(
  settings: TopicSettings,
  env: Env<MqttBroker>,
  signal: AbortSignal,
): Promise<MqttTopic> {
  const values = new Map<string, ValueSettings>();
  const samples = createBroadcast<Sample>(mqttSamplesMax);
  let last: MqttMessage | undefined;
  let unreadable = 0;

  const sampleOf = (message: MqttMessage, wanted: Iterable<ValueSettings>): Sample | undefined => {
    const content = parsePayload(message.payload);
    if (content === undefined) return undefined;
    const own = settings.timePointer === "" ? undefined : timeOf(pointTo(content, settings.timePointer));
    const quality: Quality =
      message.retained && own === undefined ? { automaticReadout: true, warning: true } : { automaticReadout: true };
    const fields = [...wanted].flatMap(value => fieldOf(value, content, quality));
    return fields.length === 0 ? undefined : { at: own ?? env.clock.now(), fields };
  };

  const take = (message: MqttMessage) => {
    // An empty retained payload takes the last one back: there is nothing to say any more.
    if (message.payload.length === 0) return;
    last = message;
    const sample = sampleOf(message, values.values());
    if (sample !== undefined) samples.send(sample);
    else if (parsePayload(message.payload) === undefined) unreadable++;
  };
  const subscription = await env.parent.subscribe(settings.topic, take, signal);
  const ended = new AbortController();

  return {
    declare(value) {
      if (values.has(value.fieldName))
        throw new DeviceFault("refused", `The topic has a field ${value.fieldName} already.`);
      values.set(value.fieldName, value);
      // Values are opened after their topic: what was retained is told to the late ones too.
      const before = last === undefined ? undefined : sampleOf(last, [value]);
      if (before !== undefined) samples.send(before);
      return { [Symbol.dispose]: () => void values.delete(value.fieldName) };
    },
    async *watch(watching) {
      const either = AbortSignal.any([watching, ended.signal]);
      const heard = samples.listen(either);
      const before = last === undefined ? undefined : sampleOf(last, values.values());
      if (before !== undefined) yield before;
      yield* heard;
    },
    get parameters() {
      return [...values.values()]
        .filter(one => one.commandTopic !== "")
        .map(one => parameterOf(one, env, samples.listen));
    },
    describe: () => [
      { id: "Topic", name: "Topic", value: { kind: "string", value: settings.topic } },
      { id: "Unreadable", name: "Messages not understood", value: { kind: "int", value: unreadable } },
    ],
    async [Symbol.asyncDispose]() {
      ended.abort();
      subscription[Symbol.dispose]();
    },
  };
}

function fieldOf(value: ValueSettings, content: unknown, quality: Quality): Field[] {
  const raw = pointTo(content, value.pointer);
  if (raw === absent) return [];
  return [
    {
      name: value.fieldName,
      value: fieldValue(raw, value),
      categories: categories(value.category),
      quality,
      ...(value.commandTopic === "" ? {} : { writable: true as const }),
    },
  ];
}

const kinds = { number: "double", boolean: "boolean", text: "string" } as const;

function parameterOf(
  value: ValueSettings,
  env: Env<MqttBroker>,
  listen: (signal: AbortSignal) => AsyncIterable<Sample>,
): ControlParameter {
  return {
    name: value.fieldName,
    kind: kinds[value.kind],
    label: value.fieldName,
    ...(value.unit === "" ? {} : { unit: value.unit }),
    ...(value.min === undefined ? {} : { min: value.min }),
    ...(value.max === undefined ? {} : { max: value.max }),
    async set(wanted, signal) {
      const stop = new AbortController();
      const reports = listen(AbortSignal.any([signal, stop.signal]));
      let reported: string | undefined;
      try {
        await env.parent.publish(value.commandTopic, commandOf(value, wanted), signal);
        return await within(env.clock, value.confirmMs, value.fieldName, signal, async (): Promise<WriteOutcome> => {
          for await (const { fields } of reports) {
            const field = fields.find(one => one.name === value.fieldName);
            if (field === undefined) continue;
            if (isSame(field, wanted)) return "confirmed";
            reported = "value" in field.value ? String(field.value.value) : "no value";
          }
          throw signal.reason;
        });
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        if (reported === undefined) return "unconfirmed";
        throw new DeviceFault("refused", `The device still reports ${reported}.`);
      } finally {
        stop.abort();
      }
    },
  };
}

const isSame = (field: Field, wanted: ControlValue): boolean =>
  field.value.kind === "quantity"
    ? Math.abs(field.value.value - Number(wanted.value)) < 10 ** -field.value.decimals / 2
    : "value" in field.value && field.value.value === wanted.value;

/** JSON text of the value in the template's place; text that is not a JSON template goes out bare. */
export function commandOf({ commandTemplate, factor }: ValueSettings, { value }: ControlValue): string {
  const scaled = typeof value === "number" ? Number((value / factor).toPrecision(12)) : value;
  const inJson = commandTemplate.trimStart().startsWith("{") && commandTemplate.trim() !== "{value}";
  const text = typeof scaled === "string" && inJson ? JSON.stringify(scaled) : String(scaled);
  return commandTemplate.replaceAll("{value}", () => text);
}
