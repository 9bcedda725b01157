// `isthmus decode mbus`: one telegram in hex to what it says, in the shape mbus-vec/1 of the test vectors (frame, header,
// records) and as lines for people. A pure function; the command line around it is in decode.ts.

import { formatHex, parseHex } from "#base/bytes.ts";
import { formatDecimal } from "#base/decimal.ts";
import { formatValue, type QualityFlag } from "#contract/field.ts";
import { faultWords } from "#drivers/mbus/fault-words.ts";
import { directionOf, type Frame } from "#drivers/mbus/frame.ts";
import {
  type FixedStructure,
  type LongHeader,
  mediumName,
  type ShortHeader,
  statusFlags,
} from "#drivers/mbus/header.ts";
import { categoriesOf, qualityOf } from "#drivers/mbus/judgement.ts";
import { counterName, nameOf } from "#drivers/mbus/names.ts";
import { quantityOf, realQuantityOf } from "#drivers/mbus/quantity.ts";
import { type DataRecord, decodeRecords, type Item, isDate, timestampOf } from "#drivers/mbus/record.ts";
import { type Body, decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { digitsOf, scaled, scaledReal, type Value } from "#drivers/mbus/value.ts";
import { hex } from "#drivers/mbus/vif.ts";

export type Json = { readonly [name: string]: unknown };

export interface Decoded {
  /** Shaped like mbus-vec/1; with `error`, a reason word, when the octets are no telegram. */
  readonly json: Json;
  readonly lines: readonly string[];
}

/** `key`: 32 hex digits for encrypted telegrams. Text that is no hex gives the error "hex". */
export function decodeMbus(text: string, key?: string): Decoded {
  const bytes = parseHex(text);
  if (bytes === undefined) return { json: { schema, error: "hex" }, lines: ["no telegram: it is not hexadecimal"] };
  const telegram = decodeTelegram(bytes, key === undefined ? undefined : parseHex(key));
  const base = { schema, length: bytes.length };
  if (isFaulty(telegram)) {
    const { fault, frame } = telegram;
    const json = frame === undefined ? { ...base, error: fault } : { ...base, frame: frameJson(frame), error: fault };
    return { json, lines: [`no telegram: ${faultWords(fault)}`, `  ${formatHex(bytes)}`] };
  }
  const json = { ...base, frame: frameJson(telegram.frame), ...(telegram.body ? bodyJson(telegram.body) : {}) };
  return { json, lines: linesOf(telegram.frame, telegram.body) };
}

/** DIB, VIB and data of records without a telegram around them; `byteOrder` msb is that of CI 76. */
export function decodeMbusRecords(bytes: Uint8Array, byteOrder: "lsb" | "msb"): Json {
  const records = decodeRecords(bytes, byteOrder === "msb");
  return typeof records === "string" ? { error: records } : { records: recordsJson(records.items) };
}

const schema = "mbus-vec/1";

function frameJson(frame: Frame): Json {
  if (frame.type === "ack") return { type: "ack" };
  const { type, c, a } = frame;
  const direction = directionOf(c);
  const slave = direction === "slave" ? { accessDemand: (c & 0x20) !== 0, dataFlowControl: (c & 0x10) !== 0 } : {};
  const ci = type === "short" ? {} : { ci: octet(frame.ci) };
  return { type, c: octet(c), ...ci, a, direction, ...slave };
}

function bodyJson(body: Body): Json {
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
      const withheld = body.withheld === undefined ? {} : { withheld: body.withheld };
      return { ...header, moreRecordsFollow: body.moreRecordsFollow, ...withheld, records: recordsJson(body.items) };
    }
  }
}

function headerJson(header: LongHeader | ShortHeader): Json {
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

const recordsJson = (items: readonly Item[]): Json[] =>
  items.map((item, i) => ({ i, ...(item.kind === "record" ? recordJson(item, items) : blockJson(item)) }));

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

function recordJson(record: DataRecord, items: readonly Item[]): Json {
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

const octet = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");

function linesOf(frame: Frame, body: Body | undefined): string[] {
  if (frame.type === "ack") return ["acknowledgement"];
  const link = `${frame.type} frame, C ${octet(frame.c)}, address ${frame.a}, from the ${directionOf(frame.c)}`;
  if (body === undefined || frame.type === "short") return [link];
  return [`${link}, CI ${octet(frame.ci)}`, ...bodyLines(body)];
}

function bodyLines(body: Body): string[] {
  switch (body.kind) {
    case "application-error":
      return [`the meter reports error ${body.code ?? "without a code"}`];
    case "alarm":
    case "command":
      return [`data ${formatHex(body.data)}`];
    case "fixed":
      return [
        `meter ${body.fixed.id}, ${body.fixed.mediumName}`,
        ...body.fixed.counters.map(
          ({ quantity, unit, exponent, stored, value }) =>
            `  ${counterName(quantity, unit)}${stored ? ", Storage 1" : ""}: ${say(value, { unit, exponent, addends: [] })}`,
        ),
      ];
    case "variable":
      return [
        ...(body.header ? [headerLine(body.header)] : []),
        ...(body.withheld ? [`  records withheld: ${body.withheld}`] : []),
        ...body.items.map(item => `  ${itemLine(item, body.items)}`),
        ...(body.moreRecordsFollow ? ["  more records follow in the next telegram"] : []),
      ];
  }
}

function headerLine(header: LongHeader | ShortHeader): string {
  const flags = statusFlags(header.status);
  const state = `access number ${header.accessNumber}, status ${flags.length === 0 ? "ok" : flags.join(", ")}`;
  if (!("id" in header)) return state;
  const { id, manufacturer, version, medium } = header;
  return `meter ${id} ${manufacturer} version ${version}, ${mediumName(medium)}, ${state}`;
}

/** By the name and in the unit that a readout of the meter has. */
function itemLine(item: Item, items: readonly Item[]): string {
  if (item.kind === "manufacturer-block") return `Manufacturer Data: ${formatHex(item.raw.subarray(1)) || "none"}`;
  if (item.kind !== "record") return `${item.kind}: ${formatHex(item.raw)}`;
  const { vib, data } = item;
  const timestamp = isDate(item) ? undefined : timestampOf(item, items);
  const error = vib.recordError === undefined ? "" : `, record error ${vib.recordError}`;
  return `${nameOf(item)}${timestamp === undefined ? "" : ` (${timestamp})`}: ${say(data.value, vib, vib.category === "identity")}${error}`;
}

/** `names`: the number names something and keeps its leading zeros. */
function say(value: Value, vib: Parameters<typeof quantityOf>[1], names = false): string {
  switch (value.kind) {
    case "none":
      return `no value${value.reason === undefined ? "" : ` (${value.reason})`}`;
    case "text":
      return `"${value.text}"`;
    case "octets":
      return value.hex;
    case "number":
      return names && value.digits !== undefined ? digitsOf(value) : formatValue(quantityOf(value.mantissa, vib));
    case "real":
      return formatValue(realQuantityOf(value.value, vib));
    default:
      return value.text;
  }
}
