// Every vector of test/vectors/mbus through the decoder, in the shape `isthmus decode mbus --json` prints.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { decodeMbus, decodeMbusRecords, type Json } from "../../../src/cli/commands/decode-mbus.ts";

const folder = join(import.meta.dirname, "../../vectors/mbus");
const load = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const telegrams = (below: string) =>
  readdirSync(join(folder, below))
    .filter(name => name.endsWith(".json"))
    .map(name => ({
      name: name.replace(".json", ""),
      hex: readFileSync(join(folder, below, name.replace(".json", ".hex")), "utf8"),
      expected: load(`${below}/${name}`) as Vector,
    }));

type Vector = Json & { records?: Json[]; expectError?: string };

/** What a vector says about itself and not about the telegram. */
const about = new Set(["schema", "name", "source", "licence", "hex", "key", "note", "referenceDisagrees", "byteOrder"]);
const claims = (vector: Vector): Json =>
  Object.fromEntries(Object.entries(vector).filter(([name]) => !about.has(name)));

/** Reals (no `exact`) are compared to a millionth of their size, all else to the letter. */
function check(actual: Json, expected: Vector) {
  const { records, ...rest } = claims(expected) as Vector;
  expect(actual).toMatchObject(rest);
  if (records === undefined) return;
  const got = actual.records as Json[];
  expect(got).toHaveLength(records.length);
  for (const [i, record] of records.entries()) checkRecord(got[i] as Json, record);
}

function checkRecord(actual: Json, { value, ...rest }: Json) {
  expect(actual).toMatchObject(rest);
  if (actual.type !== "real32" || value === null) return expect(actual.value, String(actual.raw)).toEqual(value);
  expect(Math.abs((actual.value as number) - (value as number))).toBeLessThanOrEqual(1e-6 * Math.abs(value as number));
}

/** What a frame vector does not mention must not be there: no modifier, no timestamp, no invented error. */
const optional = [
  "dife",
  "vife",
  "textUnit",
  "modifiers",
  "manufacturerVife",
  "recordError",
  "invalid",
  "timestamp",
  "of",
  "exact",
  "lvar",
  "summerTime",
];

describe("frames", () => {
  it.each(telegrams("frames"))("M-Bus 1.5-1.10: $name", ({ hex, expected }) => {
    const { json, lines } = decodeMbus(hex);
    check(json, expected);
    for (const [i, record] of (expected.records ?? []).entries()) {
      if (record.kind !== "record") continue;
      const extra = optional.filter(name => name in ((json.records as Json[])[i] as Json) && !(name in record));
      expect(extra, String(record.raw)).toEqual([]);
    }
    expect(lines.length).toBeGreaterThan(1);
  });
});

describe("errors", () => {
  it.each(telegrams("errors"))("M-Bus 1.1, 1.5: $name", ({ hex, expected }) => {
    const { json } = decodeMbus(hex);
    if (expected.expectError !== undefined) {
      expect(json.error).toBe(expected.expectError);
      expect(json).not.toHaveProperty("records");
    } else check(json, expected);
  });
});

describe("records", () => {
  const { records } = load("records.json") as {
    records: { id: string; hex: string; byteOrder: "lsb" | "msb"; expect: Json }[];
  };
  it.each(records)("M-Bus 1.7-1.9: $id", ({ hex, byteOrder, expect: expected }) => {
    const { json } = decodeMbusRecords(hex, byteOrder);
    checkRecord(json, expected);
    const extra = optional.filter(name => name in json && !(name in expected));
    expect(extra).toEqual([]);
  });
});

describe("fixed structure", () => {
  const { items } = load("fixed.json") as { items: (Vector & { hex: string; name: string })[] };
  it.each(items)("M-Bus 1.11: $name", item => check(decodeMbus(item.hex).json, item));
});

describe("other structures and encryption", () => {
  const items = [...load("extra.json").items, ...load("mode5.json").items] as (Vector & {
    hex: string;
    name: string;
    key?: string;
  })[];
  it.each(items)("M-Bus 1.5, 1.12: $name", item => {
    const { json } = decodeMbus(item.hex, () => (item.key === undefined ? undefined : parseHex(item.key)));
    if (item.expectError !== undefined) return expect(json.error).toBe(item.expectError);
    if (item.name === "mode5-no-key") {
      expect(json).toMatchObject({ header: { id: "10474078" }, withheld: "encrypted", records: [] });
      return;
    }
    // This one item of pyMeterBus leaves "automatic-readout" out of its quality words.
    const own = item.name === "hydrometer-flow-error";
    const records = own ? item.records?.map(({ quality: _, ...record }) => record) : item.records;
    check(json, records === undefined ? item : ({ ...item, records } as Vector));
  });
});
