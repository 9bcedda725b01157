// What `isthmus decode mbus` prints for people: the link, the meter, and its records by the names and in the units that a readout
// of the meter has.

import { formatHex } from "#base/bytes.ts";
import { formatValue } from "#contract/field.ts";
import { directionOf, type Frame } from "#drivers/mbus/frame.ts";
import { type LongHeader, mediumName, type ShortHeader, statusFlags } from "#drivers/mbus/header.ts";
import { counterName, nameOf } from "#drivers/mbus/names.ts";
import { expandProfile, type Profile } from "#drivers/mbus/profile.ts";
import { quantityOf, realQuantityOf } from "#drivers/mbus/quantity.ts";
import { type DataRecord, type Item, isDate, timestampOf } from "#drivers/mbus/record.ts";
import type { Body } from "#drivers/mbus/telegram.ts";
import { digitsOf, type Value } from "#drivers/mbus/value.ts";
import { hex, hexReversed } from "#drivers/mbus/vif.ts";
import { octet } from "./decode-mbus-json.ts";

export function linesOf(frame: Frame, body: Body | undefined): string[] {
  if (frame.type === "ack") return ["acknowledgement"];
  const link = `${frame.type} frame, C ${octet(frame.c)}, address ${frame.a}, from the ${directionOf(frame.c)}${serviceOf(frame.c)}`;
  if (body === undefined || frame.type === "short") return [link];
  return [`${link}, CI ${octet(frame.ci)}`, ...bodyLines(frame.ci, body)];
}

const services: Readonly<Record<number, string>> = { 64: "SND_NKE", 83: "SND_UD", 91: "REQ_UD2", 90: "REQ_UD1" };

/** The standard's word for what a master sends, and its frame count bit. */
function serviceOf(c: number): string {
  const name = services[c & ~0x20];
  return name === undefined ? "" : ` (${name}${(c & 0x10) === 0 ? "" : `, FCB ${(c >> 5) & 1}`})`;
}

/** CI 70, EN 13757-3. */
const applicationErrors: Readonly<Record<number, string>> = {
  0: "unspecified",
  1: "it does not know this CI",
  2: "its buffer is too short",
  3: "too many records",
  4: "a record ended too early",
  5: "too many DIFE",
  6: "too many VIFE",
  8: "it is busy, try again later",
  9: "it was read too often, try again later",
};

const resets = [
  "all",
  "user data",
  "simple billing",
  "enhanced billing",
  "multi-tariff billing",
  "instantaneous values",
];
const moreResets = [
  "load management",
  "reserved",
  "installation",
  "testing",
  "calibration",
  "manufacturing",
  "development",
];
const bauds = [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400] as const;

/** What a master tells a meter to do (EN 13757-3, CI 50 to 56, B8 to BF). */
function commandLine(ci: number, data: Uint8Array): string {
  const octets = data.length === 0 ? "" : ` ${formatHex(data)}`;
  if (ci >= 0xb8 && ci <= 0xbf) return `switch to ${bauds[ci - 0xb8]} Bd`;
  if (ci === 0x50) {
    const sub = data[0];
    if (sub === undefined) return "application reset";
    return `application select: ${[...resets, ...moreResets, "self test"][sub >> 4] ?? "reserved"}, number ${sub & 0x0f}`;
  }
  if (ci === 0x54) return `synchronise${octets}`;
  if (ci !== 0x52 && ci !== 0x56) return `data${octets}`;
  if (ci === 0x56 || data.length < 8) return `select${octets}`;
  const [id, maker] = [hexReversed(data.subarray(0, 4)), hex(data.subarray(4, 6))];
  const more = data.length === 8 ? "" : `, and ${formatHex(data.subarray(8))}`;
  return `select ${id} ${maker} ${hex(data.subarray(6, 7))} ${hex(data.subarray(7, 8))}${more}`;
}

function bodyLines(ci: number, body: Body): string[] {
  switch (body.kind) {
    case "application-error": {
      const words =
        body.code === undefined ? applicationErrors[0] : (applicationErrors[body.code] ?? "not in the standard");
      return [`the meter reports error ${body.code ?? "without a code"}: ${words}`];
    }
    case "alarm":
      return [`alarm ${formatHex(body.data) || "without data"}`];
    case "command":
      return [commandLine(ci, body.data)];
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

export function headerLine(header: LongHeader | ShortHeader): string {
  const flags = statusFlags(header.status);
  const state = `access number ${header.accessNumber}, status ${flags.length === 0 ? "ok" : flags.join(", ")}`;
  if (!("id" in header)) return state;
  const { id, manufacturer, version, medium } = header;
  return `meter ${id} ${manufacturer} version ${version}, ${mediumName(medium)}, ${state}`;
}

/** By the name and in the unit that a readout of the meter has. */
export function itemLine(item: Item, items: readonly Item[]): string {
  if (item.kind === "manufacturer-block") return `Manufacturer Data: ${formatHex(item.raw.subarray(1)) || "none"}`;
  if (item.kind !== "record") return `${item.kind}: ${formatHex(item.raw)}`;
  const { vib, data } = item;
  if (vib.secret) return `${nameOf(item)}: not shown`;
  const profile = expandProfile(item, items);
  if (profile !== undefined) return profileLine(item, profile);
  const timestamp = isDate(item) ? undefined : timestampOf(item, items);
  const error = vib.recordError === undefined ? "" : `, record error ${vib.recordError}`;
  return `${nameOf(item)}${timestamp === undefined ? "" : ` (${timestamp})`}: ${say(data.value, vib, vib.category === "identity")}${error}`;
}

function profileLine(item: DataRecord, { base, baseTime, unit, points }: Profile): string {
  const values = points.map(({ distance, value }) => `${distance > 0 ? "+" : ""}${distance} ${say(value, base.vib)}`);
  return `${nameOf(item)} (${unit}s from ${baseTime}): ${values.join("; ") || "empty"}`;
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
