// From an MQTT payload to a field's value: JSON with RFC 6901 pointers, or a bare scalar. Pure: no clock, no connection.

import type { FieldValue } from "#contract/field.ts";

export type ValueKind = "number" | "boolean" | "text";

/** A pointer that leads nowhere: the message says nothing about this field, which is no fault (partial messages are normal). */
export const absent = Symbol("absent");

/** Payload as JSON, or as bare text where it is none ("21.5", "ON"). Undefined: neither JSON nor UTF-8 text. */
export function parsePayload(payload: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return /^[^{[]/.test(text.trim()) ? text.trim() : undefined;
  }
}

/** RFC 6901: "" is the whole, "/a/0/b~1c" goes down. */
export function pointTo(value: unknown, pointer: string): unknown {
  if (pointer === "") return value;
  let at = value;
  for (const raw of pointer.slice(1).split("/")) {
    const name = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return absent;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

export const isPointer = (text: string): boolean => text === "" || /^(\/([^~]|~[01])*)+$/.test(text);

export interface ValueMap {
  readonly kind: ValueKind;
  readonly unit: string;
  /** Fixed number of decimals, or as the message has them. */
  readonly decimals?: number | undefined;
  readonly factor: number;
}

/** The value as a field; null and what is not of the kind are missing with the reason. */
export function fieldValue(raw: unknown, map: ValueMap): FieldValue {
  if (raw === null) return { kind: "missing", reason: "the device says it has none" };
  switch (map.kind) {
    case "number":
      return quantity(raw, map);
    case "boolean": {
      const value = truth(raw);
      return value === undefined ? wrongKind(raw, "on or off") : { kind: "boolean", value };
    }
    case "text":
      return typeof raw === "object" ? wrongKind(raw, "text") : { kind: "string", value: String(raw) };
  }
}

function quantity(raw: unknown, map: ValueMap): FieldValue {
  const text = typeof raw === "number" ? String(raw) : typeof raw === "string" ? raw.trim() : "";
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return wrongKind(raw, "a number");
  const value = Number(text) * map.factor;
  if (!Number.isFinite(value)) return wrongKind(raw, "a finite number");
  const written = /\.(\d+)$/.exec(text)?.[1]?.length ?? 0;
  const scale = map.factor < 1 ? Math.max(0, Math.round(-Math.log10(map.factor))) : 0;
  const decimals = map.decimals ?? Math.min(9, written + scale);
  return { kind: "quantity", value: Number(value.toFixed(decimals)), decimals, unit: map.unit };
}

export function truth(raw: unknown): boolean | undefined {
  const text = String(raw).trim().toLowerCase();
  if (["true", "1", "on", "yes", "open"].includes(text)) return true;
  if (["false", "0", "off", "no", "closed"].includes(text)) return false;
  return undefined;
}

const wrongKind = (raw: unknown, wanted: string): FieldValue => ({
  kind: "missing",
  reason: `${wanted} expected, the message has ${JSON.stringify(raw)?.slice(0, 40) ?? typeof raw}`,
});

/** Milliseconds since 1970 of a time in a message: Unix seconds or milliseconds, or ISO 8601 with a zone. */
export function timeOf(raw: unknown): number | undefined {
  if (typeof raw === "number" && raw > 0) return raw < 1e11 ? Math.round(raw * 1000) : Math.round(raw);
  if (typeof raw === "string" && /(Z|[+-]\d\d:?\d\d)$/.test(raw)) {
    const at = Date.parse(raw);
    return Number.isFinite(at) ? at : undefined;
  }
  return undefined;
}
