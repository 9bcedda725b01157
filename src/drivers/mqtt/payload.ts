// From an MQTT payload to a field's value: JSON with RFC 6901 pointers, or a bare scalar. Pure: no clock, no connection;
// any octets give a value or the reason why there is none.

import type { FieldValue } from "#contract/field.ts";
import { mqttTextCharsMax } from "#limits.ts";

export type ValueKind = "number" | "boolean" | "text";

/** A pointer that leads nowhere: the message says nothing about this field, which is no fault (partial messages are normal). */
export const absent = Symbol("absent");

const literal = Symbol("literal");

/** A JSON number that says more as text than as a number: 12.30 has two decimals, and a long counter more digits than fit. */
interface Literal {
  readonly [literal]: string;
}

const literalOf = (raw: unknown): string | undefined =>
  typeof raw === "object" && raw !== null && literal in raw ? (raw as Literal)[literal] : undefined;

/** Payload as JSON, or as bare text where it is none ("21.5", "ON"). Undefined: neither JSON nor UTF-8 text. */
export function parsePayload(payload: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload).trim();
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text, keepLiteral) as unknown;
  } catch {
    return /^[^{[]/.test(text) ? text : undefined;
  }
}

function keepLiteral(_name: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === "number" && source !== undefined && source !== String(value) ? { [literal]: source } : value;
}

/** RFC 6901: "" is the whole, "/a/0/b~1c" goes down. */
export function pointTo(value: unknown, pointer: string): unknown {
  if (pointer === "") return value;
  let at = value;
  for (const raw of pointer.slice(1).split("/")) {
    const name = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return absent;
    // Of a list only its items: `length` is nothing that the message says.
    if (Array.isArray(at) && !/^(0|[1-9]\d*)$/.test(name)) return absent;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

export const isPointer = (text: string): boolean => text === "" || /^(\/([^~/]|~[01])*)+$/.test(text);

export interface ValueMap {
  readonly kind: ValueKind;
  readonly unit: string;
  /** Fixed number of decimals, or as the message has them. */
  readonly decimals?: number | undefined;
  readonly factor: number;
  /** How the device writes on and off, besides the usual words. */
  readonly onText: string;
  readonly offText: string;
}

/** The value as a field; null and what is not of the kind are missing with the reason. */
export function fieldValue(raw: unknown, map: ValueMap): FieldValue {
  if (raw === null) return { kind: "missing", reason: "the device says it has none" };
  switch (map.kind) {
    case "number":
      return quantity(raw, map);
    case "boolean": {
      const value = truth(raw, map);
      return value === undefined ? wrongKind(raw, "on or off") : { kind: "boolean", value };
    }
    case "text":
      return text(raw);
  }
}

function text(raw: unknown): FieldValue {
  const value = literalOf(raw) ?? raw;
  if (typeof value === "object") return wrongKind(raw, "text");
  const written = String(value);
  return written.length <= mqttTextCharsMax
    ? { kind: "string", value: written }
    : { kind: "missing", reason: `the text has ${written.length} characters, ${mqttTextCharsMax} are the most` };
}

function quantity(raw: unknown, map: ValueMap): FieldValue {
  const written = literalOf(raw) ?? (typeof raw === "number" || typeof raw === "string" ? String(raw).trim() : "");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(written)) return wrongKind(raw, "a number");
  const exact = Number(written) * map.factor;
  if (!Number.isFinite(exact)) return wrongKind(raw, "a finite number");
  const decimals =
    map.decimals ?? Math.min(decimalsOf(written) + decimalsOf(String(map.factor)), decimalsMaxFor(exact));
  // Adding 0 makes 0 of -0.
  const value = Number(exact.toFixed(decimals)) + 0;
  if (value === 0 && exact !== 0 && map.decimals === undefined) return wrongKind(raw, "a larger number");
  return { kind: "quantity", value, decimals, unit: map.unit };
}

/** Decimals as written: 12.30 has 2, 1.5e-7 has 8, 2.5E3 none. */
function decimalsOf(number: string): number {
  const [, fraction = "", exponent = "0"] = /^[^.eE]*\.?(\d*)(?:[eE](.*))?$/.exec(number) ?? [];
  return Math.max(0, fraction.length - Number(exponent));
}

/** A billionth of the unit, or nine significant digits of what is smaller still: beyond stand the leavings of factors such as 1/3. */
function decimalsMaxFor(value: number): number {
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return Math.min(20, Math.max(9, 8 - magnitude));
}

function truth(raw: unknown, { onText, offText }: ValueMap): boolean | undefined {
  if (typeof raw === "object") return undefined;
  const word = String(raw).trim();
  if (word === onText) return true;
  if (word === offText) return false;
  const usual = word.toLowerCase();
  if (["true", "1", "on", "yes", "open"].includes(usual)) return true;
  if (["false", "0", "off", "no", "closed"].includes(usual)) return false;
  return undefined;
}

const shownCharsMax = 40;

const wrongKind = (raw: unknown, wanted: string): FieldValue => ({
  kind: "missing",
  reason: `${wanted} expected, the message has ${show(raw)}`,
});

/** Short, and of what is nested only its kind: how deep it goes is up to the sender. */
function show(raw: unknown): string {
  const written = literalOf(raw);
  if (written === undefined && typeof raw === "object") return Array.isArray(raw) ? "a list" : "an object";
  return (written ?? JSON.stringify(raw) ?? "nothing").slice(0, shownCharsMax).toWellFormed();
}

/** 9999-12-31, the last day that has four digits to its year. */
const lastMs = 253_402_300_799_999;
const isoTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$/i;

/** Milliseconds since 1970 of a time in a message: Unix seconds or milliseconds, as number or text, or ISO 8601 with a zone. */
export function timeOf(raw: unknown): number | undefined {
  const written = literalOf(raw) ?? (typeof raw === "number" || typeof raw === "string" ? String(raw).trim() : "");
  const at = /^\d+(\.\d+)?(e\d+)?$/i.test(written) ? unixTime(Number(written)) : parseIso(written);
  return at !== undefined && at > 0 && at <= lastMs ? at : undefined;
}

/** Seconds until the year 5138, milliseconds from 1973 on. */
const unixTime = (value: number): number => Math.round(value < 1e11 ? value * 1000 : value);

function parseIso(written: string): number | undefined {
  if (!isoTime.test(written)) return undefined;
  const whole = written.toUpperCase().replace(" ", "T").replace(",", ".");
  const at = Date.parse(whole.replace(/([+-]\d\d):?(\d\d)?$/, (_, hours, minutes) => `${hours}:${minutes ?? "00"}`));
  return Number.isFinite(at) ? at : undefined;
}
