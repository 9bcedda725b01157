// How a value of an MQTT device is commanded: a text to its command topic, confirmed by what the device then reports.

import { TimeoutError, within } from "#base/deadline.ts";
import { createScope } from "#base/scope.ts";
import type { ControlParameter, ControlValue, WriteOutcome } from "#contract/control.ts";
import type { Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type FieldValue, formatValue, type Sample } from "#contract/field.ts";
import type { MqttBroker } from "./broker.ts";
import type { ValueKind } from "./payload.ts";

export interface CommandSettings {
  readonly fieldName: string;
  readonly kind: ValueKind;
  readonly unit: string;
  readonly factor: number;
  readonly onText: string;
  readonly offText: string;
  /** "" where the value cannot be set. */
  readonly commandTopic: string;
  /** `{value}` stands for the value. */
  readonly commandTemplate: string;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** How long the device may take to report the new value. */
  readonly confirmMs: number;
}

const kinds = { number: "double", boolean: "boolean", text: "string" } as const;

/** Undefined where the value cannot be set. `reported` begins a stream of what the device says from then on. */
export function createParameter(
  settings: CommandSettings,
  { clock, parent }: Pick<Env<MqttBroker>, "clock" | "parent">,
  reported: (signal: AbortSignal) => AsyncIterableIterator<Sample>,
  ended: AbortSignal,
  latest: () => FieldValue | undefined,
): ControlParameter | undefined {
  if (settings.commandTopic === "") return undefined;
  const { fieldName, kind, unit, min, max, confirmMs } = settings;

  async function set(wanted: ControlValue, signal: AbortSignal): Promise<WriteOutcome> {
    using scope = createScope(signal);
    const onEnd = () => scope.abort(ended.reason);
    if (ended.aborted) onEnd();
    ended.addEventListener("abort", onEnd, { once: true });
    // From before the command on: a quick device answers before the broker has acknowledged.
    const reports = reported(scope.signal);
    let other: FieldValue | undefined;
    const confirmed = async (): Promise<WriteOutcome> => {
      for await (const { fields } of reports) {
        const value = fields.find(one => one.name === fieldName)?.value;
        if (value === undefined) continue;
        if (isSame(value, wanted)) return "confirmed";
        other = value;
      }
      throw scope.signal.reason;
    };
    try {
      await parent.publish(settings.commandTopic, commandOf(settings, wanted), scope.signal);
      return await within(clock, confirmMs, fieldName, scope.signal, confirmed);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      if (other === undefined) return "unconfirmed";
      throw new DeviceFault("refused", `The device still reports ${formatValue(other)}.`, { cause: error });
    } finally {
      ended.removeEventListener("abort", onEnd);
      await reports.return?.();
    }
  }

  return {
    name: fieldName,
    kind: kinds[kind],
    label: fieldName,
    ...(unit === "" ? {} : { unit }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    get: async () => controlValueOf(latest()),
    set,
  };
}

function controlValueOf(value: FieldValue | undefined): ControlValue | undefined {
  if (value?.kind === "quantity") return { kind: "double", value: value.value };
  return value?.kind === "boolean" || value?.kind === "string" ? value : undefined;
}

/** Equal as far as the device tells: who reports 21.5 does not contradict 21.53. */
const isSame = (reported: FieldValue, wanted: ControlValue): boolean =>
  reported.kind === "quantity"
    ? Math.abs(reported.value - Number(wanted.value)) <= (10 ** -reported.decimals / 2) * (1 + 1e-9)
    : "value" in reported && reported.value === wanted.value;

/** JSON of the value where the template is JSON, within a text of the template its escaped letters; else the bare text. */
export function commandOf(
  {
    commandTemplate,
    factor,
    onText,
    offText,
  }: Pick<CommandSettings, "commandTemplate" | "factor" | "onText" | "offText">,
  { value }: Pick<ControlValue, "value">,
): string {
  const bare = bareText(value, factor, onText, offText);
  if (!isJsonTemplate(commandTemplate)) return commandTemplate.replaceAll("{value}", () => bare);
  return fill(commandTemplate, typeof value !== "string" && isJson(bare) ? bare : JSON.stringify(bare), bare);
}

/** A template that begins like JSON must be JSON when a number stands in the value's place. */
export const isTemplate = (template: string): boolean =>
  template.includes("{value}") && (!isJsonTemplate(template) || isJson(fill(template, "0", "0")));

/** The device's own number: the field's divided by the factor, without the leavings of the division. */
function bareText(value: ControlValue["value"], factor: number, onText: string, offText: string): string {
  if (typeof value === "boolean") return value ? onText : offText;
  return typeof value === "number" ? String(Number((value / factor).toPrecision(12))) : String(value);
}

const isJsonTemplate = (template: string): boolean => /^\s*[[{"](?!value})/.test(template);

const fill = (template: string, json: string, bare: string): string =>
  template.replace(/"(?:[^"\\]|\\.)*"|\{value\}/g, part =>
    part === "{value}" ? json : part.replaceAll("{value}", () => JSON.stringify(bare).slice(1, -1)),
  );

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
