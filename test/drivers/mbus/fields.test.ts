// Records to fields: names, units, decimals, categories, quality and times.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { formatValue } from "#contract/field.ts";
import { samplesOf, unknownTime, type WasRead } from "#drivers/mbus/fields.ts";
import { encodeLong } from "#drivers/mbus/frame.ts";
import { quantityOf, realQuantityOf } from "#drivers/mbus/quantity.ts";
import { decodeRecords } from "#drivers/mbus/record.ts";
import { decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { wallTime } from "#drivers/mbus/wall-time.ts";

const at = Date.parse("2026-11-20T10:00:00Z");
const octets = (hex: string) => parseHex(hex) as Uint8Array;

function readoutOf(hex: string, key?: Uint8Array): WasRead {
  const telegram = decodeTelegram(octets(hex), key);
  if (isFaulty(telegram)) throw new Error(telegram.fault);
  const { body } = telegram;
  if (body?.kind === "fixed") return { at, items: [], fixed: body.fixed, cut: false };
  if (body?.kind !== "variable") throw new Error(`no readings: ${body?.kind}`);
  return {
    at,
    items: body.items,
    ...(body.header ? { header: body.header } : {}),
    ...(body.withheld === undefined ? {} : { withheld: body.withheld }),
    cut: false,
  };
}

const recordsOf = (hex: string): WasRead => {
  const records = decodeRecords(octets(hex));
  if (typeof records === "string") throw new Error(records);
  return { at, items: records.items, cut: false };
};
const fieldsOf = (readout: WasRead) => samplesOf(readout, "Europe/Berlin").flatMap(({ fields }) => fields);
const vector = (name: string) =>
  readFileSync(join(import.meta.dirname, "../../vectors/mbus/frames", `${name}.hex`), "utf8");

describe("names", () => {
  it.each([
    ["04 06 00000000", "Energy"],
    ["84 10 06 00000000", "Energy, Tariff 1"],
    ["44 06 00000000", "Energy, Storage 1"],
    ["14 2D 00000000", "Power, Max"],
    ["54 2D 00000000", "Power, Storage 1, Max"],
    ["04 3B 00000000", "Flow"],
    ["04 5B 00000000", "Supply Temperature"],
    ["34 22 00000000", "On Time, During Error"],
    ["04 BE 50 00000000", "Flow, Duration First Lower Exceed"],
    ["04 86 3B 00000000", "Energy, Positive Only"],
    ["02 FD C9 FF 01 0000", "Voltage, Vendor 01"],
    ["04 FD C8 FC 02 00000000", "Voltage, L2"],
    ["02 FC 03 48 52 25 74 0000", "Relative Humidity"],
  ])("SD-RESP-13, 6.1: %s is %s", (hex, name) => {
    expect(fieldsOf(recordsOf(hex)).map(field => field.name)).toEqual([name]);
  });

  it("6.1: stay with their record when the meter reorders its records", () => {
    const records = [
      "040601000000",
      "040702000000",
      "0c1303000000",
      "84100604000000",
      "841006 05000000",
      "142d06000000",
    ];
    const valuesByName = (order: readonly string[]) =>
      Object.fromEntries(fieldsOf(recordsOf(order.join(""))).map(({ name, value }) => [name, value]));
    const expected = valuesByName(records);
    expect(Object.keys(expected)).toContain("Energy, VIF 07");
    // Two records that are the same in everything are told apart by their order and by nothing else.
    const [twin, other, ...free] = [
      records[3] as string,
      records[4] as string,
      ...records.slice(0, 3),
      records[5] as string,
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(free, { minLength: free.length }), fc.nat(free.length), (order, place) => {
        expect(valuesByName(order.toSpliced(place, 0, twin, other))).toEqual(expected);
      }),
    );
  });
});

describe("values", () => {
  it.each([
    [18_437, { unit: "Wh", exponent: 3 }, "18437 kWh"],
    [184_371, { unit: "Wh", exponent: 2 }, "18437.1 kWh"],
    [1_234, { unit: "Wh", exponent: 4 }, "12340 kWh"],
    [5_853, { unit: "J", exponent: 9 }, "5853000 MJ"],
    [347, { unit: "W", exponent: 2 }, "34700 W"],
    [12_400, { unit: "W", exponent: 0 }, "12400 W"],
    [-170, { unit: "W", exponent: -1 }, "-17.0 W"],
    [1, { unit: "m3", exponent: -3 }, "0.001 m3"],
    [25, { unit: "m3", exponent: 2 }, "2500 m3"],
    [1_234, { unit: "Wh", exponent: 0 }, "1.234 kWh"],
    [5, { unit: "Wh", exponent: -3 }, "0.000005 kWh"],
    [1_234, { unit: "J", exponent: 3 }, "1.234 MJ"],
    [12, { unit: "m3/min", exponent: -3 }, "0.720 m3/h"],
    [15, { unit: "m3/s", exponent: -6 }, "0.054000 m3/h"],
    [415, { unit: "%RH", exponent: -1 }, "41.5 %"],
    [714, { unit: "Cel", exponent: -1 }, "71.4 Cel"],
    [985, { unit: "s", exponent: 0, seconds: 3600 as const }, "985 h"],
    [1_987, { unit: "HCA", exponent: 0 }, "1987"],
    [4_294_967_295, { unit: "", exponent: 0 }, "4294967295"],
  ])("6.2: %d with %o reads %s", (mantissa, meaning, text) => {
    expect(formatValue(quantityOf(mantissa, { addends: [], ...meaning }))).toBe(text);
  });

  it("0.5: a counter of 64 bits claims no place it does not have", () => {
    const value = quantityOf(904_257_674_017_299_568n, { unit: "m3", exponent: -3, addends: [] });
    expect(value).toEqual({ kind: "quantity", value: 904_257_674_017_299.6, decimals: 1, unit: "m3" });
    // Not even the whole part fits into a double: every digit, as text.
    expect(quantityOf(904_257_674_017_299_568n, { unit: "Wh", exponent: 3, addends: [] })).toEqual({
      kind: "string",
      value: "904257674017299568 kWh",
    });
    expect(quantityOf(9_007_199_254_740_993n, { unit: "", exponent: 0, addends: [] })).toEqual({
      kind: "int64",
      value: 9_007_199_254_740_993n,
    });
  });

  it("0.5: a real has the decimals it was measured with, not those of its binary form", () => {
    const value = realQuantityOf(Math.fround(31.1473), { unit: "Cel", exponent: 0, addends: [] });
    expect(formatValue(value)).toBe("31.1473 Cel");
    expect(formatValue(realQuantityOf(Math.fround(1.2345), { unit: "Wh", exponent: 3, addends: [] }))).toBe(
      "1.2345 kWh",
    );
    expect(formatValue(realQuantityOf(0, { unit: "m3/h", exponent: 0, addends: [] }))).toBe("0 m3/h");
    expect(formatValue(realQuantityOf(Math.fround(-0.125), { unit: "W", exponent: 3, addends: [] }))).toBe("-125 W");
  });

  it("0.5: any number is printed as decimal arithmetic has it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -99_999_999, max: 99_999_999 }),
        fc.integer({ min: -6, max: 3 }),
        (mantissa, exponent) => {
          const value = quantityOf(mantissa, { unit: "m3", exponent, addends: [] });
          if (value.kind !== "quantity") throw new Error(value.kind);
          const [whole = "", fraction = ""] = value.value.toFixed(value.decimals).split(".");
          expect(BigInt(whole + fraction)).toBe(BigInt(mantissa) * 10n ** BigInt(Math.max(0, exponent)));
          expect(fraction.length).toBe(Math.max(0, -exponent));
        },
      ),
    );
  });

  it("passwords and keys are never told", () => {
    expect(fieldsOf(recordsOf("04FD1610ADF031 04FD1901020304 04FD1501020304"))).toEqual([]);
  });

  it("1.12: without a key an encrypted telegram tells who it is and that it is encrypted", () => {
    const hex = "681F1F6808E072784047102D2CC306AD001005BD1F091009EF84D9F592471D32CC5B936E16";
    const fields = fieldsOf(readoutOf(hex));
    expect(fields.find(field => field.name === "Identification")?.value).toEqual({ kind: "string", value: "10474078" });
    expect(fields.find(field => field.name === "Records")).toMatchObject({
      value: { kind: "missing", reason: "encrypted: no key is set" },
      quality: { missing: true },
    });
    expect(fields.some(field => field.value.kind === "quantity")).toBe(false);
    const open = fieldsOf(readoutOf(hex, octets("5107a3fa1409dcb6a6f6cf74ff4328ef")));
    expect(open.find(field => field.name === "Volume")?.value).toMatchObject({ value: 96_482.015, decimals: 3 });
  });

  it("1.11: the fixed structure gives its two counters", () => {
    const fields = fieldsOf(readoutOf("6813136808B773628037440300C26962095530810356068D16"));
    expect(fields.map(({ name, value }) => `${name} ${formatValue(value)}`)).toEqual(
      expect.arrayContaining(["Identification 44378062", "Energy 30550.962 kWh", "Volume 6560.381 m3"]),
    );
  });
});

it("1.10, 1.11: stored counters of the fixed structure have no date, and not the time of reading", () => {
  const samples = samplesOf(readoutOf("6813136808B773628037440302C26962095530810356068F16"), "UTC");
  const stored = samples.find(sample => sample.at === unknownTime)?.fields ?? [];
  expect(stored.map(({ name, value }) => `${name} ${formatValue(value)}`)).toEqual([
    "Energy, Storage 1 30550.962 kWh",
    "Volume, Storage 1 6560.381 m3",
  ]);
  for (const { categories, quality } of stored) {
    expect([categories.historical, categories.momentary, quality.warning]).toEqual([true, false, true]);
  }
  expect(samples[0]?.fields.some(({ categories }) => categories.historical)).toBe(false);
});

describe("quality", () => {
  it.each([
    ["digits that are none", "0C 13 EE EE EE EE", { missing: true }, /EEEEEEEE/],
    ["the invalid pattern", "04 13 00 00 00 80", { missing: true }, /invalid/],
    ["a real that is no number", "05 5B 00 00 C0 7F", { missing: true }, /nan/],
    ["a record error", "04 93 15 DC 81 08 00", { missing: true, error: true }, /no-data/],
    ["every year", "42 EC 7E E1 F7", { missing: true, warning: true }, /y=127/],
    ["no data", "00 13", { missing: true }, /no data/],
  ])("6.4: %s", (_, hex, quality, reason) => {
    const [field] = fieldsOf(recordsOf(hex));
    expect(field?.quality).toMatchObject(quality);
    expect(field?.value.kind).toBe("missing");
    expect(field?.value.kind === "missing" && field.value.reason).toMatch(reason);
  });

  it("SD-RESP-11, 6.4: a permanent error of the meter marks every value, a temporary one casts doubt", () => {
    const record = octets("04 06 01 00 00 00");
    const withStatus = (status: number) => {
      const header = [0x08, 0x06, 0x10, 0x30, 0x2d, 0x2c, 8, 4, 1, status, 0, 0];
      const frame = encodeLong(0x08, 1, 0x72, Uint8Array.from([...header, ...record]));
      const fields = fieldsOf(readoutOf(Buffer.from(frame).toString("hex")));
      expect(fields.length).toBeGreaterThan(5);
      // Whatever the readout tells, its identity too.
      expect(new Set(fields.map(({ quality }) => JSON.stringify(quality))).size).toBe(1);
      return fields.find(field => field.name === "Energy")?.quality;
    };
    expect(withStatus(0)).toEqual({ automaticReadout: true });
    expect(withStatus(0x08)).toEqual({ automaticReadout: true, error: true });
    expect(withStatus(0x10)).toEqual({ automaticReadout: true, warning: true });
    expect(withStatus(0x04)).toEqual({ automaticReadout: true, warning: true });
  });

  it("8.3: fault hours are a good reading, a flow during an error is not", () => {
    const fields = fieldsOf(recordsOf("34 22 10 00 00 00 34 3B 10 00 00 00"));
    expect(fields.map(field => field.quality.error ?? false)).toEqual([false, true]);
  });
});

describe("times", () => {
  it("1.10, 8.8: stored values stand at their own date, and without one at no time that could be taken for it", () => {
    const samples = samplesOf(readoutOf(vector("minol_minocal_c2")), "Europe/Berlin");
    const timeOf = (name: string) => samples.find(({ fields }) => fields.some(field => field.name === name))?.at;
    expect(timeOf("Energy, Storage 33")).toBe(Date.parse("2011-11-30T23:00:00Z"));
    expect(timeOf("Energy, Storage 10")).toBe(unknownTime);
    expect(timeOf("Energy")).toBe(at);
    for (const sample of samples) {
      const historical = sample.fields.filter(field => field.categories.historical);
      if (sample.at === at) expect(historical).toEqual([]);
      else expect(historical).toEqual(sample.fields);
    }
  });

  it("1.10: the next set day is no time of a stored value", () => {
    const samples = samplesOf(readoutOf(vector("rel_padpuls2")), "UTC");
    const energy = samples.find(({ fields }) => fields.some(field => field.name === "Energy, Storage 1"));
    expect(energy?.at).toBe(Date.parse("2000-12-31T00:00:00Z"));
    expect(samples.flatMap(({ fields }) => fields).map(field => field.name)).toContain("Date, Future Value, Storage 1");
  });

  it.each([
    ["2026-01-01", "Europe/Berlin", "2025-12-31T23:00:00Z"],
    ["2026-07-01T12:00", "Europe/Berlin", "2026-07-01T10:00:00Z"],
    ["2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"],
    ["2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"],
    ["2026-10-25T03:30:10", "Europe/Berlin", "2026-10-25T02:30:10Z"],
    ["2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00Z"],
    ["2026-11-20T10:00", "UTC", "2026-11-20T10:00:00Z"],
    ["2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00Z"],
  ])("1.9: %s in %s is %s", (text, zone, utc) => {
    expect(new Date(wallTime(text, zone)).toISOString()).toBe(new Date(utc).toISOString());
  });
});
