// Profiles of M-Bus meters: the built-in files with their examples, which meters they fit, and what rules make of records.

import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseHex } from "#base/bytes.ts";
import { formatValue } from "#contract/field.ts";
import { mbusNodeTypes } from "#drivers/mbus/driver.ts";
import { likeness, mbusProfile, type Product } from "#drivers/mbus/product.ts";
import { mbusProfiles } from "#drivers/mbus/product-examples.ts";
import { productOf, productSamples } from "#drivers/mbus/product-samples.ts";
import { builtInMbus, mbusShelf } from "#drivers/mbus/profiles/all.ts";
import { decodeRecords } from "#drivers/mbus/record.ts";
import { decodeTelegram, isFaulty } from "#drivers/mbus/telegram.ts";
import { openBench } from "./bench.ts";

const shelf = mbusShelf();
const all = shelf.entries.map(({ name }) => shelf.find(name)).filter(one => one !== undefined);

describe("built-in profiles", () => {
  it("the list is what lies in the folder, and says what the files say", () => {
    const files = readdirSync(builtInMbus.folder).filter(name => name.endsWith(".yaml"));
    expect(builtInMbus.entries.map(({ name }) => `${name}.yaml`).sort()).toEqual(files.sort());
    for (const { match, ...entry } of builtInMbus.entries) {
      const profile = shelf.find(entry.name);
      expect(profile).toMatchObject(entry);
      expect(profile?.match).toEqual(match);
    }
  });

  it.each(all.map(one => [one.name, one] as const))(
    "%s: its examples are right, and are recognised as its own",
    (_, profile) => {
      expect(mbusProfiles.runExamples(profile).filter(one => !one.good)).toEqual([]);
      expect(profile.examples.length > 0).toBe(profile.match !== undefined);
      for (const { telegram } of profile.examples) {
        const seen = decodeTelegram(parseHex(telegram) ?? new Uint8Array());
        if (isFaulty(seen) || seen.body?.kind !== "variable") throw new Error("no telegram");
        expect(productOf(shelf, "automatic", seen.body.header ?? undefined)?.name).toBe(profile.name);
        expect(productOf(shelf, "none", seen.body.header ?? undefined)).toBeUndefined();
      }
    },
  );

  it("a closer match wins, and one that says otherwise does not count", () => {
    const header = { manufacturer: "ABC", version: 3, medium: 7 };
    expect(likeness({ manufacturer: "ABC" }, header)).toBe(1);
    expect(likeness({ manufacturer: "ABC", version: [3, 4], medium: [7] }, header)).toBe(3);
    expect(likeness({ manufacturer: "ABC", version: [4] }, header)).toBe(0);
    expect(likeness({ manufacturer: "ABD" }, header)).toBe(0);
    expect(likeness(undefined, header)).toBe(0);
  });
});

describe("rules for records", () => {
  const product = (records: object[], rest: object = {}): Product =>
    mbusProfile.parse({ protocol: "mbus", name: "own", manufacturer: "Own", model: "One", records, ...rest });
  const told = (hex: string, one: Product) => {
    const records = decodeRecords(parseHex(hex) ?? new Uint8Array());
    if (typeof records === "string") throw new Error(records);
    const samples = productSamples({ at: 5, items: records.items, cut: false }, "UTC", one);
    return samples.flatMap(({ at, fields }) => fields.map(field => [at, field.name, formatValue(field.value)]));
  };

  it("what a rule is told by is said by its name, and what else the record says stays", () => {
    // 100 W of tariff 2, maximum, manufacturer's octet 05.
    const one = product([{ when: { quantity: "power", vendor: "05" }, field: "Fan Power" }]);
    expect(told("92 20 AB FF 05 64 00", one)[0]).toEqual([5, "Fan Power, Tariff 2, Max", "100 W"]);
    expect(told("92 20 AB FF 06 64 00", one)[0]?.[1]).toBe("Power, Vendor 06, Tariff 2, Max");
  });

  it("scale, unit, phase, category, names, now and hide", () => {
    const records = [
      { when: { vendor: "01" }, field: "Pressure", unit: "bar", scale: 0.01 },
      { when: { vendor: "02" }, field: "Mode", names: { 0: "Off", 1: "Heating" }, category: "status" },
      { when: { vendor: "03" }, hide: true },
      { when: { quantity: "volume", storage: 1 }, field: "Volume, Daily", now: true },
      { when: { quantity: "voltage" }, phase: "L2" },
    ];
    expect(
      told("02FF01 7B00  01FF02 01  01FF02 09  01FF03 07  4413 E8030000  02FDC9FF04 E600", product(records)).slice(
        0,
        5,
      ),
    ).toEqual([
      [5, "Pressure", "1.23 bar"],
      [5, "Mode", "Heating"],
      [5, "Mode, 2", "no value (code 9 is not in the list)"],
      [5, "Volume, Daily", "1.000 m3"],
      [5, "Voltage, Vendor 04, L2", "230 V"],
    ]);
  });

  it("the product's name is among the fields, as what identifies it", () => {
    const names = told("0C13 12345678", product([])).map(([, name, value]) => [name, value]);
    expect(names).toEqual([
      ["Volume", "78563.412 m3"],
      ["Manufacturer", "Own"],
      ["Model", "One"],
    ]);
  });
});

describe("meters", () => {
  it("a meter that is recognised shows its product, one that says otherwise by hand that one, and with none no product", async () => {
    await using bench = await openBench();
    const modelOf = async (settings: object) =>
      (await bench.read(await bench.meter({ address: "5", ...settings })))
        .flatMap(({ fields }) => fields)
        .find(({ name }) => name === "Model")?.value;
    expect(await modelOf({ profile: "kamstrup-multical-601" })).toEqual({ kind: "string", value: "MULTICAL 601" });
    expect(await modelOf({ profile: "none" })).toBeUndefined();
  });

  it("a rationed product is asked no more often than it may be, without a setting", async () => {
    await using bench = await openBench();
    const device = await bench.meter({ address: "6", profile: "ista-sensonic" });
    const first = await bench.read(device);
    await bench.clock.advance(4_000_000);
    expect(await bench.read(device)).toEqual(first);
    expect(bench.water.readouts).toBe(1);
    await bench.clock.advance(200_000);
    await bench.read(device);
    expect(bench.water.readouts).toBe(2);
  });

  it("the profile is a choice of the meter, and knows what its label says", () => {
    const { settings, tags } = mbusNodeTypes.meter;
    expect(settings.parse({ address: "5" }).profile).toBe("automatic");
    expect(tags?.(settings.parse({ address: "5", profile: "sontex-supercal-531" }))).toEqual([
      { name: "CLASS", value: "HeatMeter" },
      { name: "MAN", value: "Sontex" },
      { name: "MODEL", value: "Supercal 531" },
    ]);
    expect(settings.safeParse({ address: "5", profile: "nobody" }).error?.issues[0]?.message).toContain(
      "no such profile",
    );
  });
});
