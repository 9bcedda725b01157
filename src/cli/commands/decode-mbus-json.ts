// The shapes of `isthmus decode mbus --json`: those of the test vectors (mbus-vec/1), key by key, so that a line of output can be
// laid beside a vector and a new vector be made of a line of output.

import { formatDecimal } from "#base/decimal.ts";
import type { QualityFlag } from "#contract/field.ts";
import { directionOf, type Frame } from "#drivers/mbus/frame.ts";
import {
  type FixedStructure,
  type LongHeader,
  mediumName,
  type ShortHeader,
  statusFlags,
} from "#drivers/mbus/header.ts";
import { categoriesOf, qualityOf } from "#drivers/mbus/judgement.ts";
import { type DataRecord, type Item, isDate, timestampOf } from "#drivers/mbus/record.ts";
import type { Body } from "#drivers/mbus/telegram.ts";
import { scaled, scaledReal, type Value } from "#drivers/mbus/value.ts";
import { hex } from "#drivers/mbus/vif.ts";

export type Json = { readonly [name: string]: unknown };

export function frameJson(frame: Frame): Json {
  if (frame.type === "ack") return { type: "ack" };
  const { type, c, a } = frame;
  const direction = directionOf(c);
  const slave = direction === "slave" ? { accessDemand: (c & 0x20) !== 0, dataFlowControl: (c & 0x10) !== 0 } : {};
  const ci = type === "short" ? {} : { ci: octet(frame.ci) };
  return { type, c: octet(c), ...ci, a, direction, ...slave };
}

export function bodyJson(body: Body): Json {
  switch (body.kind) {
    case "application-error":
      return { applicationError: body.code ?? null };
    case "alarm":
    case "command":
      return { data: hex(body.data) };
    case "fixed":
      return fixedJson(body.fixed);
    case "variable": {
      const header = body.header === undefined ? {} : { header: body.header === null ? null : headerJson(body.header) };
      if (body.withheld !== undefined) {
        return { ...header, records: [], withheld: body.withheld, quality: ["automatic-readout", "missing"] };
      }
      return { ...header, moreRecordsFollow: body.moreRecordsFollow, records: recordsJson(body.items) };
    }
  }
}

export function headerJson(header: LongHeader | ShortHeader): Json {
  const { accessNumber, status, config } = header;
  const common = { accessNumber, status, config: config.toString(16).toUpperCase().padStart(4, "0") };
  if (!("id" in header)) return { ...common, statusFlags: statusFlags(status) };
  const { id, manufacturer, version, medium, secondaryAddress } = header;
  const identity = { id, manufacturer, version, medium, mediumName: mediumName(medium) };
  return { ...identity, ...common, secondaryAddress, statusFlags: statusFlags(status) };
}

function fixedJson(fixed: FixedStructure): Json {
  const { counters, ...rest } = fixed;
  return {
    fixed: rest,
    counters: counters.map(({ quantity, unit, exponent, stored, raw, value }, n) => ({
      counter: n + 1,
      quantity,
      unit,
      stored,
      raw: hex(raw).toLowerCase(),
      ...valueJson(value, { exponent, addends: [] }),
    })),
  };
}

export const recordsJson = (items: readonly Item[]): Json[] =>
  items.map((item, i) => ({ i, ...recordJson(item, items) }));

export const recordJson = (item: Item, items: readonly Item[]): Json =>
  item.kind === "record" ? dataJson(item, items) : blockJson(item);

function blockJson(item: Exclude<Item, DataRecord>): Json {
  return {
    kind: item.kind,
    dif: octet(item.raw[0] ?? 0),
    ...(item.kind === "manufacturer-block" ? { moreRecordsFollow: item.moreRecordsFollow } : {}),
    raw: hex(item.raw).toLowerCase(),
    data: hex(item.raw.subarray(1)).toLowerCase(),
    categories: ["status"],
  };
}

function dataJson(record: DataRecord, items: readonly Item[]): Json {
  const { dib, vib, data, raw } = record;
  // A date record is a time itself.
  const timestamp = isDate(record) ? undefined : timestampOf(record, items);
  return {
    kind: "record",
    dif: octet(dib.dif),
    ...(dib.octets > 1 ? { dife: hex(raw.subarray(1, dib.octets)) } : {}),
    vif: octet(vib.vif),
    ...(vib.vife === "" ? {} : { vife: vib.vife }),
    ...(vib.textUnit === undefined ? {} : { textUnit: vib.textUnit }),
    raw: hex(raw).toLowerCase(),
    function: dib.function,
    storage: dib.storage,
    tariff: dib.tariff,
    subunit: dib.subunit,
    quantity: vib.quantity,
    ...(vib.of === undefined ? {} : { of: vib.of }),
    unit: vib.unit,
    type: data.type,
    ...(data.lvar === undefined ? {} : { lvar: octet(data.lvar) }),
    ...(vib.modifiers.length > 0 ? { modifiers: vib.modifiers } : {}),
    ...(vib.manufacturerVife === "" ? {} : { manufacturerVife: vib.manufacturerVife }),
    ...(vib.recordError === undefined ? {} : { recordError: vib.recordError }),
    ...valueJson(data.value, vib),
    categories: categoriesOf(record),
    quality: qualityOf(record).map(wireName),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
}

function valueJson(value: Value, vib: Parameters<typeof scaled>[1]): Json {
  switch (value.kind) {
    case "number": {
      const exact = formatDecimal(scaled(value.mantissa, vib));
      return { value: Number(exact), exact };
    }
    case "real":
      return { value: scaledReal(value.value, vib) };
    case "text":
      return { value: value.text };
    case "octets":
      return { value: value.hex };
    case "none": {
      const invalid = value.reason === undefined ? {} : { invalid: value.reason };
      return { value: null, ...invalid, ...summer(value.summerTime) };
    }
    default:
      return { value: value.text, ...summer(value.summerTime) };
  }
}

const summer = (summerTime: boolean | undefined): Json => (summerTime === undefined ? {} : { summerTime });

/** "automatic-readout": as the vectors write it. */
const wireName = (flag: QualityFlag): string => flag.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

export const octet = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");
