// The built-in Modbus profiles: each file against the schema, its own examples and the published register maps; and what units
// make of them.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { modbusDriver } from "#drivers/modbus/driver.ts";
import { pointsOf } from "#drivers/modbus/profile.ts";
import { modbusProfiles } from "#drivers/modbus/profile-examples.ts";
import { wireAddress } from "#drivers/modbus/profile-numbering.ts";
import { builtInModbus, modbusShelf } from "#drivers/modbus/profiles/all.ts";

interface Meter {
  type: string;
  registers: {
    name: string;
    unit: string;
    function: number;
    address: number;
    words: number;
    type: string;
    scale: number;
    noValue?: string[];
  }[];
  examples: { name: string; registers: string[]; value: number | null }[];
  probe?: { address: number };
}
const { meters } = JSON.parse(readFileSync(new URL("../../vectors/modbus/maps.json", import.meta.url), "utf8")) as {
  meters: Meter[];
};
const shelf = modbusShelf();
const all = shelf.entries.map(({ name }) => shelf.find(name)).filter(one => one !== undefined);

describe("built-in profiles", () => {
  it("the list is what lies in the folder, and says what the files say", () => {
    const files = readdirSync(builtInModbus.folder).filter(name => name.endsWith(".yaml"));
    expect(builtInModbus.entries.map(({ name }) => `${name}.yaml`).sort()).toEqual(files.sort());
    for (const entry of builtInModbus.entries) expect(shelf.find(entry.name)).toMatchObject(entry);
  });

  it.each(all.map(one => [one.name, one] as const))(
    "%s: every field has an example, and all are right",
    (_, profile) => {
      const results = modbusProfiles.runExamples(profile);
      expect(results.filter(one => !one.good)).toEqual([]);
      const shown = new Set(results.map(({ field }) => field));
      expect(profile.fields.map(({ field }) => field).filter(field => !shown.has(field))).toEqual([]);
    },
  );

  /** By their registers: profiles have names of their own. */
  const profileOf = (meter: Meter) =>
    all.filter(profile => {
      const points = pointsOf(profile);
      return (
        points.length === meter.registers.length &&
        meter.registers.every(one =>
          points.some(
            point =>
              point.address === one.address &&
              point.table === (one.function === 3 ? "holding" : "input") &&
              point.words === one.words &&
              point.type === one.type &&
              point.unit === one.unit.replace("°", "deg") &&
              (point.scale ?? 1) === one.scale &&
              (point.noValue ?? []).join() === [...new Set(one.noValue ?? [])].join(),
          ),
        )
      );
    });

  it.each(meters.map(meter => [meter.type, meter] as const))(
    "%s: all registers of the published map, no more",
    (_, meter) => {
      expect(profileOf(meter).length).toBeGreaterThan(0);
    },
  );

  it("twenty-two meters with 553 registers", () => {
    expect(all.length).toBe(meters.length);
    expect(all.reduce((sum, { fields }) => sum + fields.length, 0)).toBe(553);
    for (const { probe, fields } of all)
      if (probe) expect(fields.find(({ field }) => field === probe.field)?.unit).toBe("V");
  });

  it("are choices of a unit, which then needs no more than its address", () => {
    const unit = modbusDriver.nodeTypes.find(({ name }) => name === "modbus.unit");
    const settings = unit?.settings.parse({ profile: "lovato-dmg610" });
    expect(unit?.tags?.(settings)).toEqual([
      { name: "CLASS", value: "ElectricityMeter" },
      { name: "MAN", value: "Lovato" },
      { name: "MODEL", value: "DMG610" },
    ]);
    expect(unit?.settings.safeParse({ profile: "nobody" }).error?.issues[0]?.message).toContain("no such profile");
  });
});

describe("numbers of registers as manuals write them", () => {
  it("from 0, from 1, with the table in front", () => {
    expect(wireAddress("wire", 65_535)).toEqual({ address: 65_535 });
    expect(wireAddress("wire", 65_536)).toBeUndefined();
    expect(wireAddress("from1", 1)).toEqual({ address: 0 });
    expect(wireAddress("from1", 0)).toBeUndefined();
    expect(wireAddress("modicon", 40_001)).toEqual({ address: 0, table: "holding" });
    expect(wireAddress("modicon", 30_002)).toEqual({ address: 1, table: "input" });
    expect(wireAddress("modicon", 10_010)).toEqual({ address: 9, table: "discrete" });
    expect(wireAddress("modicon", 17)).toEqual({ address: 16, table: "coil" });
    expect(wireAddress("modicon", 465_536)).toEqual({ address: 65_535, table: "holding" });
    expect(wireAddress("modicon", 40_000)).toBeUndefined();
    expect(wireAddress("modicon", 20_001)).toBeUndefined();
  });
});
