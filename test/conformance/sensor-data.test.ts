// Field elements as they go out, and the names they carry.

import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { allCategories, categories, type Field } from "#contract/field.ts";
import { modbusShelf } from "#drivers/modbus/profiles/all.ts";
import { simulatedFields } from "#drivers/sim/fields.ts";
import { encodeField } from "#iot/fields.wire.ts";
import { namespaces } from "#iot/generations.ts";
import { format } from "#xml/element.ts";
import { momentary, owner, scene, stranger } from "../concentrator/scene.ts";

const field = (value: Field["value"], of = categories("momentary")): Field => ({
  name: "F",
  value,
  categories: of,
  quality: {},
});

describe("who need not be asked about", () => {
  it("SD-REQ-10: owners read without a question; what another owns is asked about, also for the appliance's owner", async () => {
    const asked: string[] = [];
    const service: Rule = {
      name: "provisioning",
      ask({ right, caller, nodes }) {
        asked.push(...nodes.map(({ nodeId }) => `${caller.bareJid} ${right} ${nodeId}`));
        return [];
      },
    };
    const tenant = "tenant@example.org";
    const house = scene({ owners: new Map([["water", tenant]]), rules: [service] });
    house.add("sim.meter", "water");
    house.add("sim.meter", "heat");
    await house.start();
    expect(await house.read(["heat"])).not.toEqual([]);
    expect(await house.read(["water"], momentary, tenant)).not.toEqual([]);
    expect(asked).toEqual([]);
    await expect(house.read(["water"])).rejects.toMatchObject({ kind: "denied" });
    await expect(house.read(["water"], momentary, stranger)).rejects.toMatchObject({ kind: "denied" });
    expect(asked).toEqual([`${owner} read water`, `${stranger} read water`]);
    await house.stop();
  });
});

describe("field elements", () => {
  for (const ns of namespaces("sensorData")) {
    const xml = (one: Field) => format(encodeField(one, ns), ns);

    it(`SD-RESP-07: a field of all categories lists the six and never says all, in ${ns}`, () => {
      expect(xml(field({ kind: "boolean", value: true }, allCategories))).toBe(
        "<b n='F' m='true' p='true' s='true' c='true' i='true' h='true' v='true'/>",
      );
    });

    it(`SD-RESP-14: no unit is no attribute, an enumeration has its type, in ${ns}`, () => {
      const quantity = { kind: "quantity", value: 0.98, decimals: 2 } as const;
      expect(xml(field({ ...quantity, unit: "" }))).toBe("<q n='F' m='true' v='0.98'/>");
      expect(xml(field({ ...quantity, unit: "m³/h" }))).toBe("<q n='F' m='true' v='0.98' u='m³/h'/>");
      expect(xml(field({ kind: "enum", value: "Heating", type: "urn:x:mode" }))).toBe(
        "<e n='F' m='true' v='Heating' t='urn:x:mode'/>",
      );
    });
  }
});

describe("SD-RESP-13: names of fields", () => {
  const word = "[A-Z0-9][A-Za-z0-9]*(?:[-.][A-Za-z0-9]+)*";
  const policy = new RegExp(`^${word}(?: ${word})*(?:, ${word}(?: ${word})*)*$`);
  const units = /\b(kWh|Wh|kvarh|MJ|m3|m³|Cel|°C|kW|Hz|mA|mV)\b/;

  const shelf = modbusShelf();
  for (const { name } of shelf.entries) {
    it(`of ${name} follow one policy, with the unit at the value`, () => {
      const points = shelf.find(name)?.fields ?? [];
      const names = points.map(one => one.field);
      expect(names.filter(one => !policy.test(one) || units.test(one))).toEqual([]);
      // What the harmonised interface of an electricity meter demands, letter by letter.
      expect(points.find(one => one.field === "Energy")?.unit).toBe("kWh");
    });
  }

  it("of a simulated meter too, and they are the same at any time", () => {
    const at = (time: number) => simulatedFields(20, time, 20).map(one => one.name);
    expect(at(0)).toEqual(at(Date.UTC(2031, 2, 2)));
    expect(at(0).filter(one => !policy.test(one))).toEqual([]);
  });
});
