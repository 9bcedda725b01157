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
import { mediumName, statusFlags } from "./header.ts";
import { categoriesOf, qualityOf } from "./judgement.ts";
import { counterName, nameOf } from "./names.ts";
import { expandProfile, type ProfilePoint } from "./profile.ts";
import { quantityOf, realQuantityOf } from "./quantity.ts";
import type { Readout } from "./readout.ts";
import { type DataRecord, type Item, isDate, timestampOf } from "./record.ts";
import { digitsOf, type Value } from "./value.ts";
import { hex, type Vib } from "./vif.ts";
import { wallTime, wallTimeAfter } from "./wall-time.ts";

/**
 * The time of a stored value the meter gives no date for: 1970-01-01T00:00:00Z, with the quality warning. It is not known,
 * and the time of reading it is not it (docs/field-names.md).
 */
export const unknownTime = 0;

/** What of a readout its fields are made of. */
export type WasRead = Pick<Readout, "at" | "items" | "header" | "fixed" | "withheld" | "cut">;

/** `timeZone`: the zone the meter's clock is set to. The first sample is what was measured now. */
export function samplesOf(readout: WasRead, timeZone: string): Sample[] {
  const records = readout.items.filter(item => item.kind === "record");
  const names = distinctNames(records);
  const off = clockIsOff(records, readout.at, timeZone);
  const doubts = headerFlags(readout);
  const now: Field[] = [];
  const stored = new Map<number, Field[]>();
  const tell = (at: number, field: Field, flags: readonly QualityFlag[] = []) => {
    const told = { ...field, quality: { ...field.quality, ...qualityFrom([...doubts, ...flags]) } };
    if (at === readout.at) now.push(told);
    else stored.set(at, [...(stored.get(at) ?? []), told]);
  };
  for (const field of headerFields(readout)) tell(readout.at, field);
  for (const record of records) {
    if (record.vib.secret) continue;
    const profile = expandProfile(record, readout.items);
    if (profile !== undefined) {
      for (const point of profile.points) {
        const at = wallTimeAfter(profile.baseTime, point.distance, profile.unit, timeZone);
        tell(at, pointField(profile.base, point, names, timeZone), off ? ["timeOffset"] : []);
      }
      continue;
    }
    const at = record.dib.storage === 0 ? readout.at : storedAt(record, readout.items, timeZone);
    const shifted = off && (at !== readout.at || isClock(record));
    tell(at, fieldOf(record, names.get(record) ?? "", timeZone), [
      ...(shifted ? (["timeOffset"] as const) : []),
      ...(at === unknownTime ? (["warning"] as const) : []),
    ]);
    const summer = isClock(record) ? summerTimeOf(record) : undefined;
    if (summer !== undefined) tell(readout.at, summer);
  }
  for (const field of blockFields(readout.items)) tell(readout.at, field);
  for (const field of fixedFields(readout)) {
    if (field.categories.historical) tell(unknownTime, field, ["warning"]);
    else tell(readout.at, field);
  }
  const past = [...stored].sort(([a], [b]) => b - a).map(([at, fields]) => ({ at, fields }));
  return [{ at: readout.at, fields: now }, ...past];
}

/** A value of a series is the base's field at another time; those with registers of their own have their own storage number. */
function pointField(base: DataRecord, point: ProfilePoint, names: Names, timeZone: string): Field {
  const record = { ...base, dib: { ...base.dib, storage: point.storage }, data: { ...base.data, value: point.value } };
  return fieldOf(record, point.storage === base.dib.storage ? (names.get(base) ?? "") : nameOf(record), timeZone);
}

/** Told beside the clock, because meters do not agree on whether the time already contains the hour. */
function summerTimeOf({ data: { value } }: DataRecord): Field | undefined {
  if (!("summerTime" in value) || value.summerTime === undefined) return undefined;
  return {
    name: "Date and Time, Summer Time",
    value: { kind: "boolean", value: value.summerTime },
    categories: categories("status"),
    quality: readoutQuality,
  };
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
  if (reason.startsWith("lvar-reserved:")) return `its length is not known (LVAR ${reason.slice(14)})`;
  return reason;
}

type Names = ReadonlyMap<DataRecord, string>;

/** Equal names of different records are told apart by their VIB; equal records by a number, in the order they come. */
function distinctNames(records: readonly DataRecord[]): Names {
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
function headerFlags(readout: WasRead): QualityFlag[] {
  const flags = statusFlags(statusOf(readout) ?? 0);
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

/** Of the fixed structure only bits 2 to 4: the lower ones say how its counters are meant. */
const statusOf = ({ header, fixed }: WasRead): number | undefined =>
  header?.status ?? (fixed === undefined ? undefined : fixed.status & 0x1c);

function headerFields(readout: WasRead): Field[] {
  const { header, fixed, withheld, cut } = readout;
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
  const status = statusOf(readout);
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

/** Octets nobody here can read are told as they are. */
function blockFields(items: readonly Item[]): Field[] {
  const blocks = items.filter(item => item.kind === "manufacturer-block" && item.raw.length > 1);
  const unread = items.filter(item => item.kind === "opaque");
  const numbered = (name: string, n: number) => (n === 0 ? name : `${name}, ${n + 1}`);
  return [
    ...blocks.map(({ raw }, n) => plain(numbered("Manufacturer Data", n), hex(raw.subarray(1)), "status")),
    ...unread.map(({ raw }, n) => plain(numbered("Unread Data", n), hex(raw), "status")),
  ];
}

/** The two counters of the fixed structure; stored ones have no date. */
function fixedFields({ fixed }: WasRead): Field[] {
  if (fixed === undefined) return [];
  const used = new Set<string>();
  return fixed.counters.map((counter, n) => {
    const name = `${counterName(counter.quantity, counter.unit)}${counter.stored ? ", Storage 1" : ""}`;
    const own = used.has(name) ? `${name}, ${n + 1}` : name;
    used.add(name);
    const value: FieldValue =
      counter.value.kind === "number"
        ? quantityOf(counter.value.mantissa, { ...counter, addends: [] })
        : { kind: "missing", reason: reasonOf(counter.value.kind === "none" ? counter.value.reason : undefined) };
    const flags: QualityFlag[] = ["automaticReadout"];
    if (value.kind === "missing") flags.push("missing");
    return {
      name: own,
      value,
      categories: categories(counter.stored ? "historical" : "momentary"),
      quality: qualityFrom(flags),
    };
  });
}
