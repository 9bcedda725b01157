// Stored values in time: dates wherever they stand, also in another telegram; set days to come; compact profiles; and what is
// told when a meter does not say when.

import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { formatValue, type Sample } from "#contract/field.ts";
import { samplesOf, unknownTime, type WasRead } from "#drivers/mbus/fields.ts";
import { decodeFixed } from "#drivers/mbus/header.ts";
import { decodeRecords, type Item } from "#drivers/mbus/record.ts";
import { wallTimeAfter } from "#drivers/mbus/wall-time.ts";

const at = Date.parse("2026-11-20T10:00:00Z");
const octets = (hex: string) => parseHex(hex) as Uint8Array;
const readout = (items: readonly Item[], more: Partial<WasRead> = {}): WasRead => ({
  at,
  items,
  cut: false,
  ...more,
});

function itemsOf(hex: string): readonly Item[] {
  const records = decodeRecords(octets(hex));
  if (typeof records === "string") throw new Error(records);
  return records.items;
}

/** "2026-01-31T00:00:00.000Z Energy, Storage 1 5 kWh" */
const told = (samples: readonly Sample[]): string[] =>
  samples.flatMap(sample =>
    sample.fields.map(({ name, value }) => {
      const time = sample.at === unknownTime ? "some time" : new Date(sample.at).toISOString().replace(".000Z", "Z");
      return `${time} ${name} ${formatValue(value)}`;
    }),
  );
const toldOf = (hex: string, zone = "UTC") => told(samplesOf(readout(itemsOf(hex)), zone));

const energy = "44 06 05000000";
/** Type G. */
const date = "42 6C 5F 3C";

describe("dates of stored values", () => {
  it("M-Bus 1.10: stand before, after, or in another telegram of the readout", () => {
    const expected = [
      "2026-12-31T00:00:00Z Energy, Storage 1 5 kWh",
      "2026-12-31T00:00:00Z Date, Storage 1 2026-12-31",
    ];
    expect(toldOf(`${energy} ${date}`)).toEqual(expected);
    expect(toldOf(`${date} ${energy}`)).toEqual(expected.toReversed());
    const joined = readout([...itemsOf(`${energy} 1F`), ...itemsOf(date)]);
    expect(told(samplesOf(joined, "UTC"))).toEqual(expected);
  });

  it("M-Bus 1.10: a date of another storage number, a next set day or an impossible one is none", () => {
    const none = "some time Energy, Storage 1 5 kWh";
    expect(toldOf(`${energy} 82016C5F3C`)).toContain(none);
    expect(toldOf(`${energy} 42EC7E5F3C`)).toContain(none);
    expect(toldOf(`${energy} 426C5FFC`)).toContain(none);
    expect(toldOf(`${energy} 426CFFFF`)).toContain(none);
    expect(toldOf(energy)).toEqual([none]);
  });

  it("M-Bus 1.10: the date of a maximum is when that was reached, not when the rest was stored", () => {
    const peak = "54 2E 09000000 52 6C 21 3B";
    expect(toldOf(`${energy} ${peak}`)).toEqual([
      "2025-11-01T00:00:00Z Power, Storage 1, Max 9000 W",
      "2025-11-01T00:00:00Z Date, Storage 1, Max 2025-11-01",
      "some time Energy, Storage 1 5 kWh",
    ]);
    expect(toldOf(`${energy} ${peak} ${date}`)).toContain("2026-12-31T00:00:00Z Energy, Storage 1 5 kWh");
  });

  it("M-Bus 1.9: minutes after midnight of day 0 are no time of the day before", () => {
    const fields = toldOf("04 6D 05 00 E0 3B");
    expect(fields[0]).toContain("no complete date (y=31,m=11,d=0,h=0,min=5)");
  });

  it("M-Bus 1.9: the summer bit is told beside the clock, whose time it does not move", () => {
    expect(toldOf("04 6D 00 8A 54 37", "Europe/Berlin")).toEqual([
      "2026-11-20T10:00:00Z Date and Time 2026-07-20T08:00:00.000Z",
      "2026-11-20T10:00:00Z Date and Time, Summer Time true",
    ]);
    expect(toldOf("04 6D 00 0A 54 37", "Europe/Berlin")[1]).toContain("Summer Time false");
    expect(toldOf("06 6D 40 00 EA 54 37 00", "Europe/Berlin")[1]).toContain("Summer Time true");
    expect(toldOf("03 6D 00 00 0A")).toEqual(["2026-11-20T10:00:00Z Date and Time 10:00:00"]);
  });
});

describe("compact profiles", () => {
  // A day's base value of 1000 Wh at 2026-01-31, storage 8.
  const base = "84 04 03 E8030000 82 04 6C 5F 31";
  const profile = (vife: string, head: string, values: string) => {
    const length = octets(head + values).length;
    return `${base} 8D 04 83 ${vife} ${length.toString(16).padStart(2, "0")} ${head} ${values}`;
  };
  const points = (hex: string, zone = "UTC") =>
    toldOf(hex, zone).filter(line => line.includes("Energy") && !line.endsWith("1.000 kWh"));

  it("M-Bus 1.10: increments by months count on from the base, each at its month's end", () => {
    expect(points(profile("1F", "72 FE", "0A00 1400 0100"))).toEqual([
      "2026-04-30T00:00:00Z Energy, Storage 8 1.031 kWh",
      "2026-03-31T00:00:00Z Energy, Storage 8 1.030 kWh",
      "2026-02-28T00:00:00Z Energy, Storage 8 1.010 kWh",
    ]);
  });

  it("M-Bus 1.10: an inverse profile goes back in time and down", () => {
    expect(points(profile("13", "71 01", "0A 14"))).toEqual([
      "2026-01-30T00:00:00Z Energy, Storage 8 0.990 kWh",
      "2026-01-29T00:00:00Z Energy, Storage 8 0.970 kWh",
    ]);
    expect(points(profile("13", "B1 01", "0A"))).toEqual(["2026-01-30T00:00:00Z Energy, Storage 8 1.010 kWh"]);
  });

  it("M-Bus 1.10: absolute values, falls, differences, seconds, minutes and hours", () => {
    expect(points(profile("1F", "01 0F", "05"))).toEqual(["2026-01-31T00:00:15Z Energy, Storage 8 0.005 kWh"]);
    expect(points(profile("1F", "92 0F", "0500"))).toEqual(["2026-01-31T00:15:00Z Energy, Storage 8 0.995 kWh"]);
    expect(points(profile("1F", "E1 01", "FB"))).toEqual(["2026-01-31T01:00:00Z Energy, Storage 8 0.995 kWh"]);
    expect(points(profile("1F", "F9 01", "25"))).toEqual(["2026-02-01T00:00:00Z Energy, Storage 8 1.025 kWh"]);
  });

  it("M-Bus 1.10: with registers each value has a storage number of its own", () => {
    expect(points(profile("1E", "71 01", "0A 14"))).toEqual([
      "2026-02-02T00:00:00Z Energy, Storage 10 1.030 kWh",
      "2026-02-01T00:00:00Z Energy, Storage 9 1.010 kWh",
    ]);
  });

  it("M-Bus 1.10: after a value that is none nothing is guessed", () => {
    expect(points(profile("1F", "71 01", "0A FF 14"))).toEqual(["2026-02-01T00:00:00Z Energy, Storage 8 1.010 kWh"]);
    expect(points(profile("1F", "31 01", "80 14"))).toEqual([]);
    expect(points(profile("1F", "79 01", "1A 14"))).toEqual([]);
  });

  it.each([
    ["no distance", profile("1F", "71 00", "0A14")],
    ["a distance nobody knows", profile("1F", "71 FB", "0A14")],
    ["a month of hours", profile("1F", "61 FE", "0A14")],
    ["half a value at the end", profile("1F", "72 01", "0A0014")],
    ["reals", profile("1F", "75 01", "0000803F")],
    ["no base value", profile("1F", "71 01", "0A14").replace("84 04 03", "84 04 04")],
    ["no base time", profile("1F", "71 01", "0A14").replace("82 04 6C", "82 08 6C")],
    ["not even a head", `${base} 8D 04 83 1F 01 71`],
    ["nothing at all", `${base} 8D 04 83 1F 00`],
  ])("M-Bus 1.10: with %s a profile is octets, of an unknown time or its record's", (_, hex) => {
    const lines = toldOf(hex).filter(line => line.includes("Profile"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/Compact Profile, Storage 8 [0-9A-F]*$/);
  });

  it("M-Bus 1.10: a number of octets below C0 is no text here", () => {
    const [item] = itemsOf("8D 04 83 1F 03 71 01 41");
    expect(item).toMatchObject({ data: { type: "profile", value: { kind: "octets", hex: "710141" } } });
  });
});

it.each([
  ["2026-01-31", 1, "month", "2026-02-28"],
  ["2024-01-31", 1, "month", "2024-02-29"],
  ["2026-02-28", 1, "month", "2026-03-31"],
  ["2026-01-30", 1, "month", "2026-02-28"],
  ["2026-01-15", -13, "month", "2024-12-15"],
  ["2026-03-31", -1, "day", "2026-03-30"],
  ["2026-12-31T23:30", 1, "day", "2027-01-01T23:30"],
] as const)("M-Bus 1.10: %s and %i %s is %s", (text, count, unit, expected) => {
  const then = wallTimeAfter(text, count, unit, "Europe/Berlin");
  const local = new Date(then).toLocaleString("sv-SE", { timeZone: "Europe/Berlin" }).replace(" ", "T");
  expect(local.startsWith(expected)).toBe(true);
});

describe("what is not understood", () => {
  it("6.3: manufacturer data and what nobody can read are told as octets, as a status", () => {
    const fields = samplesOf(readout([...itemsOf("0F 0102"), ...itemsOf("3F 0304"), ...itemsOf("1F 05")]), "UTC")[0]
      ?.fields;
    expect(fields?.map(({ name, value }) => `${name} ${formatValue(value)}`)).toEqual([
      "Manufacturer Data 0102",
      "Manufacturer Data, 2 05",
      "Unread Data 3F0304",
    ]);
    expect(fields?.every(({ categories }) => categories.status)).toBe(true);
  });

  it("6.4: a length nobody knows is no value with its reason, and what is behind it is octets", () => {
    const fields = samplesOf(readout(itemsOf("0D 13 FB 0102")), "UTC")[0]?.fields;
    expect(fields).toMatchObject([
      {
        name: "Volume",
        value: { kind: "missing", reason: "its length is not known (LVAR FB)" },
        quality: { missing: true },
      },
      { name: "Unread Data", value: { value: "0102" } },
    ]);
  });
});

describe("fixed structure", () => {
  const fixedOf = (status: string, unit: string) => {
    const fixed = decodeFixed(octets(`62803744 03 ${status} ${unit} 62095530 81035606`), false);
    return samplesOf(readout([], fixed === undefined ? {} : { fixed }), "UTC").flatMap(({ fields }) => fields);
  };
  const flagsOf = (status: string) => {
    const fields = fixedOf(status, "C269");
    return [
      fields.find(({ name }) => name.startsWith("Energy"))?.quality,
      fields.find(({ name }) => name === "Meter Status")?.value,
    ];
  };

  it("M-Bus 1.11: the two low bits of its status are no fault of the meter, the next three are", () => {
    expect(flagsOf("00")).toEqual([{ automaticReadout: true }, { kind: "string", value: "ok" }]);
    // Binary counters.
    expect(flagsOf("01")).toEqual([{ automaticReadout: true }, { kind: "string", value: "ok" }]);
    // Stored at a fixed date: the warning is of the date nobody knows.
    expect(flagsOf("02")).toEqual([
      { automaticReadout: true, warning: true },
      { kind: "string", value: "ok" },
    ]);
    expect(flagsOf("04")).toEqual([
      { automaticReadout: true, warning: true },
      { kind: "string", value: "power-low" },
    ]);
    expect(flagsOf("08")).toEqual([
      { automaticReadout: true, error: true },
      { kind: "string", value: "permanent-error" },
    ]);
    expect(flagsOf("10")).toMatchObject([{ warning: true }, { value: "temporary-error" }]);
  });

  it("M-Bus 1.11: a counter without a unit counts something all the same", () => {
    const fields = fixedOf("00", "FFFF").filter(({ name }) => name.startsWith("Counter"));
    expect(fields.map(({ name, value }) => `${name} ${formatValue(value)}`)).toEqual([
      "Counter 30550962",
      "Counter, 2 6560381",
    ]);
  });
});
