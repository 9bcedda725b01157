// A readout to samples: each record a named field with category and quality; stored values in samples of their own with the
// time the meter stored them, never with the time they were read.

import {
  type Category,
  categories,
  type Field,
  type FieldValue,
  type Quality,
  type QualityFlag,
  type Sample,
} from "#contract/field.ts";
import { mbusClockOffMs } from "#limits.ts";
import { type FixedCounter, mediumName, statusFlags } from "./header.ts";
import { categoriesOf, qualityOf } from "./judgement.ts";
import { counterName, nameOf } from "./names.ts";
import { quantityOf, realQuantityOf } from "./quantity.ts";
import type { Readout } from "./readout.ts";
import { type DataRecord, type Item, isDate, timestampOf } from "./record.ts";
import { digitsOf, type Value } from "./value.ts";
import { hex, type Vib } from "./vif.ts";
import { wallTime } from "./wall-time.ts";

/**
 * The time of a stored value the meter gives no date for: 1970-01-01T00:00:00Z, with the quality warning. It is not known,
 * and the time of reading it is not it (docs/field-names.md).
 */
export const unknownTime = 0;

/** `timeZone`: the zone the meter's clock is set to. The first sample is what was measured now. */
export function samplesOf(readout: Readout, timeZone: string): Sample[] {
  const records = readout.items.filter(item => item.kind === "record");
  const names = distinctNames(records);
  const off = clockIsOff(records, readout.at, timeZone);
  const doubts = headerFlags(readout.header?.status ?? readout.fixed?.status ?? 0);
  const now: Field[] = [...headerFields(readout)];
  const stored = new Map<number, Field[]>();
  for (const record of records) {
    if (record.vib.secret) continue;
    const field = fieldOf(record, names.get(record) ?? "", timeZone);
    const at = record.dib.storage === 0 ? readout.at : storedAt(record, readout.items, timeZone);
    const flags: QualityFlag[] = [...doubts];
    if (off && (at !== readout.at || isClock(record))) flags.push("timeOffset");
    if (at === unknownTime) flags.push("warning");
    const flagged = { ...field, quality: { ...field.quality, ...qualityFrom(flags) } };
    if (at === readout.at) now.push(flagged);
    else stored.set(at, [...(stored.get(at) ?? []), flagged]);
  }
  now.push(...blockFields(readout.items));
  for (const field of fixedFields(readout, doubts)) {
    if (field.categories.historical) stored.set(unknownTime, [...(stored.get(unknownTime) ?? []), field]);
    else now.push(field);
  }
  const past = [...stored].sort(([a], [b]) => b - a).map(([at, fields]) => ({ at, fields }));
  return [{ at: readout.at, fields: now }, ...past];
}

const qualityFrom = (flags: readonly QualityFlag[]): Quality => Object.fromEntries(flags.map(flag => [flag, true]));

function fieldOf(record: DataRecord, name: string, timeZone: string): Field {
  const { vib, data } = record;
  const quality = qualityFrom([...qualityOf(record), ...(vib.recordError === undefined ? [] : (["error"] as const))]);
  const value: FieldValue =
    vib.recordError === undefined
      ? fieldValue(data.value, vib, timeZone)
      : { kind: "missing", reason: `the meter reports: ${vib.recordError}` };
  const missing: Quality = value.kind === "missing" ? { missing: true } : {};
  return { name, value, categories: categories(...categoriesOf(record)), quality: { ...quality, ...missing } };
}

function fieldValue(value: Value, vib: Vib, timeZone: string): FieldValue {
  switch (value.kind) {
    case "number":
      // Numbers that name something keep their leading zeros and are not to be added up.
      if (vib.category === "identity" && vib.unit === "") return { kind: "string", value: digitsOf(value) };
      return quantityOf(value.mantissa, vib);
    case "real":
      return realQuantityOf(value.value, vib);
    case "text":
      return { kind: "string", value: value.text.trim() };
    case "octets":
      return { kind: "string", value: value.hex };
    case "date":
      return { kind: "date", value: value.text };
    case "time":
      return { kind: "time", value: value.text };
    case "date-time":
      return { kind: "dateTime", value: wallTime(value.text, timeZone) };
    case "none":
      return { kind: "missing", reason: reasonOf(value.reason) };
  }
}

function reasonOf(reason: string | undefined): string {
  if (reason === undefined) return "the meter sends no data";
  if (reason.startsWith("bcd-nibble:")) return `the meter shows ${reason.slice(11)} instead of a number`;
  if (reason.startsWith("partial:")) return `no complete date (${reason.slice(8)})`;
  if (reason === "type-b-invalid") return "the meter marks the value as invalid";
  return reason;
}

/** Equal names of different records are told apart by their VIB; equal records by a number, in the order they come. */
function distinctNames(records: readonly DataRecord[]): Map<DataRecord, string> {
  const groups = Map.groupBy(records, nameOf);
  const names = new Map<DataRecord, string>();
  for (const [name, group] of groups) {
    const byKey = Map.groupBy(group, keyOf);
    // Sorted, so that the plain name does not move when the meter reorders its records.
    for (const [rank, key] of [...byKey.keys()].sort().entries()) {
      const own = rank === 0 ? name : `${name}, VIF ${key}`;
      for (const [n, record] of (byKey.get(key) ?? []).entries()) names.set(record, n === 0 ? own : `${own}, ${n + 1}`);
    }
  }
  return names;
}

/** The VIB as hex: within one name all else is equal. */
const keyOf = ({ dib, vib, raw }: DataRecord): string => hex(raw.subarray(dib.octets, dib.octets + vib.octets));

function storedAt(record: DataRecord, items: readonly Item[], timeZone: string): number {
  const { value } = record.data;
  // A date record stands at the moment it names, unless that is the next set day: then where its storage stands.
  const dated =
    isDate(record) && record.vib.modifiers.length === 0 && (value.kind === "date" || value.kind === "date-time");
  const text = dated ? value.text : timestampOf(record, items);
  return text === undefined ? unknownTime : wallTime(text, timeZone);
}

/** The meter's clock: the plain date-time of now. */
const isClock = ({ dib, vib }: DataRecord): boolean =>
  vib.quantity === "date-time" &&
  vib.modifiers.length === 0 &&
  vib.of === undefined &&
  dib.storage === 0 &&
  dib.function === "instantaneous";

function clockIsOff(records: readonly DataRecord[], at: number, timeZone: string): boolean {
  const value = records.find(isClock)?.data.value;
  return value?.kind === "date-time" && Math.abs(wallTime(value.text, timeZone) - at) > mbusClockOffMs;
}

/** EN 13757-3, status: a permanent error spoils every value, the rest casts doubt. */
function headerFlags(status: number): QualityFlag[] {
  const flags = statusFlags(status);
  if (flags.includes("permanent-error")) return ["error"];
  return flags.some(flag => flag !== "busy") ? ["warning"] : [];
}

const readoutQuality: Quality = { automaticReadout: true };
const plain = (name: string, text: string, category: Category): Field => ({
  name,
  value: { kind: "string", value: text },
  categories: categories(category),
  quality: readoutQuality,
});

function headerFields({ header, fixed, withheld, cut }: Readout): Field[] {
  const fields: Field[] = [];
  if (header !== undefined && "id" in header) {
    fields.push(plain("Identification", header.id, "identity"));
    fields.push(plain("Manufacturer Code", header.manufacturer, "identity"));
    fields.push(plain("Meter Version", String(header.version), "identity"));
    fields.push(plain("Medium", mediumName(header.medium), "identity"));
  }
  if (fixed !== undefined) {
    fields.push(plain("Identification", fixed.id, "identity"), plain("Medium", fixed.mediumName, "identity"));
  }
  const status = header?.status ?? fixed?.status;
  if (status !== undefined) fields.push(plain("Meter Status", statusFlags(status).join(", ") || "ok", "status"));
  if (withheld !== undefined)
    fields.push(missing("Records", withheld === "encrypted" ? "encrypted: no key is set" : withheld));
  if (cut) fields.push(missing("Further Records", "the meter sends more telegrams than are followed"));
  return fields;
}

const missing = (name: string, reason: string): Field => ({
  name,
  value: { kind: "missing", reason },
  categories: categories("status"),
  quality: { ...readoutQuality, missing: true },
});

function blockFields(items: readonly Item[]): Field[] {
  const blocks = items.filter(item => item.kind === "manufacturer-block" && item.raw.length > 1);
  return blocks.map((block, n) =>
    plain(n === 0 ? "Manufacturer Data" : `Manufacturer Data, ${n + 1}`, hex(block.raw.subarray(1)), "status"),
  );
}

/** The two counters of the fixed structure; stored ones have no date. */
function fixedFields({ fixed }: Readout, doubts: readonly QualityFlag[]): Field[] {
  if (fixed === undefined) return [];
  const used = new Set<string>();
  return fixed.counters.filter(isUsed).map((counter, n) => {
    const name = `${counterName(counter.quantity, counter.unit)}${counter.stored ? ", Storage 1" : ""}`;
    const own = used.has(name) ? `${name}, ${n + 1}` : name;
    used.add(name);
    const value: FieldValue =
      counter.value.kind === "number"
        ? quantityOf(counter.value.mantissa, { ...counter, addends: [] })
        : { kind: "missing", reason: reasonOf(counter.value.kind === "none" ? counter.value.reason : undefined) };
    const flags: QualityFlag[] = ["automaticReadout", ...doubts];
    if (counter.stored) flags.push("warning");
    if (value.kind === "missing") flags.push("missing");
    return {
      name: own,
      value,
      categories: categories(counter.stored ? "historical" : "momentary"),
      quality: qualityFrom(flags),
    };
  });
}

const isUsed = ({ quantity }: FixedCounter): boolean => quantity !== "dimensionless";
