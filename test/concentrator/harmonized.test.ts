// Harmonized interfaces: what follows from what a device delivers, and what a real tree makes of it as its devices speak.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FieldShape, interfacesOf, interfaceTag, type Offering } from "#concentrator/harmonized.ts";
import { harmonized } from "#concentrator/harmonized-table.ts";
import type { Device } from "#contract/driver.ts";
import { type Category, categories, categoryMask, type FieldValue } from "#contract/field.ts";
import { callerOf, never, owner, quantity, refOf, scene, stranger, telling } from "./scene.ts";

const shape = (kind: FieldValue["kind"], ...of: Category[]): FieldShape => ({
  kind,
  categories: categoryMask(categories(...of)),
});
const q = (...of: Category[]) => shape("quantity", ...(of.length === 0 ? (["momentary"] as const) : of));

const offering = (fields: Record<string, FieldShape>, more: Partial<Offering> = {}): Offering => ({
  fields: new Map(Object.entries(fields)),
  parameters: [],
  commands: [],
  kinds: [],
  recorded: false,
  ...more,
});
const short = (of: Offering) => interfacesOf(of).map(uri => uri.replace("urn:nfi:iot:hi:", "").replace(/:1\.0$/, ""));

const heat = { Energy: q(), Volume: q(), Power: q(), Flow: q(), "Supply Temperature": q() };

describe("harmonized interfaces of a device", () => {
  it("HI-GET-05: all that is mandatory, by exactly that name, kind and category; what is more does no harm", () => {
    expect(short(offering({ "Relative Humidity": q(), Colour: q() }))).toEqual(["sensor:humidity"]);
    expect(short(offering({ "Relative humidity": q() }))).toEqual([]);
    expect(short(offering({ "Relative Humidity": shape("int32", "momentary") }))).toEqual([]);
    expect(short(offering({ "Relative Humidity": q("peak") }))).toEqual([]);
    expect(short(offering({ "Relative Humidity": q("momentary", "computed") }))).toEqual(["sensor:humidity"]);
  });

  it("HI-GET-05: an optional part that is there must match too", () => {
    const wrong = offering({ "Relative Humidity": q(), "Dew Point": shape("string", "computed") });
    expect(short(wrong)).toEqual([]);
    expect(short(offering({ "Relative Humidity": q(), "Dew Point": q("computed") }))).toEqual(["sensor:humidity"]);
    expect(short(offering({ "Wind, Speed": q() }))).toEqual(["sensor:windSpeed"]);
    expect(short(offering({}))).toEqual([]);
  });

  it("HI-GET-05: a meter is of the kind it is said to be: the same fields are heat, cold or water", () => {
    const of = (kind: string) => short(offering(heat, { kinds: [kind] })).filter(one => one.startsWith("meter:"));
    expect(of("")).toEqual([]);
    expect(of("HeatMeter")).toEqual(["meter:heat"]);
    expect(of("heat-outlet")).toEqual(["meter:heat"]);
    expect(of("cooling-outlet")).toEqual(["meter:cooling"]);
    expect(of("heat-cooling")).toEqual(["meter:heatingCooling"]);
    expect(of("heat-cost-allocator")).toEqual([]);
    expect(of("cold-water")).toEqual(["meter:water"]);
    expect(of("gas")).toEqual(["meter:gas"]);
    expect(of("gas-detector")).toEqual([]);
    expect(of("ElectricityMeter")).toEqual(["meter:electricity"]);
  });

  it("HI-TYPE-01: control parameters by kind, range and options", () => {
    const fan = (more: Partial<Offering["parameters"][number]>) =>
      short(offering({}, { parameters: [{ name: "Fan", kind: "double", min: 0, max: 100, ...more }] }));
    expect(fan({})).toEqual(["actuator:fan"]);
    expect(fan({ kind: "int32", max: 50 })).toEqual(["actuator:fan"]);
    expect(fan({ max: 200 })).toEqual([]);
    expect(fan({ kind: "string" })).toEqual([]);
    const unbounded = { name: "Fan", kind: "double" } as const;
    expect(short(offering({}, { parameters: [unbounded] }))).toEqual([]);
    const language = offering(
      { Language: shape("string", "status") },
      { parameters: [{ name: "Language", kind: "string", options: ["en", "sv"] }] },
    );
    expect(short(language)).toEqual(["identity:language"]);
    expect(short({ ...language, parameters: [{ name: "Language", kind: "string" }] })).toEqual([]);
    expect(short(offering({ Counter: shape("int64", "momentary") }))).toEqual(["meter:pulseCounter"]);
    expect(short(offering({ Counter: q() }))).toEqual([]);
  });

  it("HI-GET-05: commands count by their ids", () => {
    expect(short(offering({}, { commands: ["Wink"] }))).toEqual(["identity:wink"]);
    expect(short(offering({}, { commands: ["Blink"] }))).toEqual([]);
  });

  it("HI-AGG-02: a running number stands for itself; each of the inputs must be whole", () => {
    const input = shape("boolean", "momentary");
    expect(short(offering({ "Digital Input 1": input, "Digital Input 2": input }))).toEqual(["sensor:digitalInputs"]);
    expect(short(offering({ "Digital Input 1": input, "Digital Input 2": q() }))).toEqual([]);
    expect(short(offering({ "Digital Input x": input }))).toEqual([]);
    expect(short(offering({ "Digital Input": input }))).toEqual(["sensor:digitalInput"]);
  });

  it("HI-AGG-01: an aggregate stands beside its base, with its own version at the end", () => {
    const kinds = ["HeatMeter"];
    const maxima = interfacesOf(offering({ ...heat, "Power, Max": q("peak") }, { kinds }));
    expect(maxima).toContain("urn:nfi:iot:hi:meter:heat:1.0");
    expect(maxima).toContain("urn:nfi:iot:hi:meter:heat:statistics:max:1.0");
    const kept = interfacesOf(offering(heat, { kinds, recorded: true }));
    expect(kept).toContain("urn:nfi:iot:hi:meter:heat:statistics:history:1.0");
    expect(kept).toEqual(kept.toSorted());
  });

  it("HI-AGG-02: the aggregate's name is the base field's with the word behind it, in kind and category; of a sum and its rate one", () => {
    const kinds = ["HeatMeter"];
    const has = (name: string, fields: Record<string, FieldShape>) =>
      short(offering({ ...heat, ...fields }, { kinds })).includes(`meter:heat:statistics:${name}`);
    expect(has("max", { "Power, Max": q("peak") })).toBe(true);
    expect(has("max", { "Power, Max": q("momentary") })).toBe(false);
    expect(has("max", { "Power, Max": shape("int32", "peak") })).toBe(false);
    expect(has("max", { "Energy, Max": q("peak") })).toBe(false);
    expect(has("consumption", { "Energy, Consumption": q("computed"), "Volume, Consumption": q("computed") })).toBe(
      true,
    );
    expect(has("consumption", { "Energy, Consumption": q("computed") })).toBe(false);
    expect(short(offering({ Temperature: q(), "Temperature, Average": q("computed") }))).toContain(
      "sensor:temperature:statistics:average",
    );
  });

  it("DISCO-TAG-05: the tag is the URI without its version, underscores for colons, and the version is its number", () => {
    expect(interfaceTag("urn:nfi:iot:hi:meter:heat:statistics:history:1.0")).toEqual({
      name: "urn_nfi_iot_hi_meter_heat_statistics_history",
      value: 1,
    });
    for (const id of Object.keys(harmonized))
      expect(interfaceTag(`urn:nfi:iot:hi:${id}:statistics:consumption:1.0`).name.length).toBeLessThanOrEqual(64);
  });

  it("HI-GET-01: sorted, each once, whatever a device calls its fields", () => {
    const kind = fc.constantFrom<FieldValue["kind"]>("quantity", "boolean", "string", "int32", "int64");
    const parts = Object.values(harmonized)
      .flat()
      .map(line => line.replace(/^[>!] /, "").split(/[?:]/)[0] as string);
    const name = fc.oneof(fc.constantFrom(...parts), fc.string());
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.record({ kind, categories: fc.nat(63) })),
        fc.boolean(),
        (fields, recorded) => {
          const found = interfacesOf(offering(fields, { recorded, kinds: ["heat water gas electricity"] }));
          expect(found).toEqual([...new Set(found)].sort());
          for (const uri of found.filter(one => one.includes(":statistics:"))) {
            expect(found).toContain(uri.replace(/:statistics:\w+/, ""));
          }
        },
      ),
    );
  });
});

describe("harmonized interfaces of nodes", () => {
  it("HI-GET-03, HI-GET-04: of the node named, for who may see it; what is invisible is not found", async () => {
    const { add, plans, start, stop, concentrator, read } = scene({ contacts: [stranger] });
    plans.set("warm", telling(quantity("Temperature", 21)));
    add("test.device", "room-1", { plan: "warm" });
    await start();
    expect(await concentrator.interfaces(callerOf(owner), refOf("room-1"), never)).toEqual([]);
    await read(["room-1"]);
    const heard = ["urn:nfi:iot:hi:sensor:temperature:1.0"];
    expect(await concentrator.interfaces(callerOf(owner), refOf("room-1"), never)).toEqual(heard);
    expect(await concentrator.interfaces(callerOf(stranger), refOf("room-1"), never)).toEqual(heard);
    for (const [jid, node] of [
      ["nobody@example.org", "room-1"],
      [owner, "nothing"],
    ] as const) {
      await expect(concentrator.interfaces(callerOf(jid), refOf(node), never)).rejects.toMatchObject({
        kind: "not-found",
      });
    }
    expect(await concentrator.interfaces(callerOf(owner), undefined, never)).toEqual([]);
    await stop();
  });

  it("HI-GET-06: the list changes when the device says something new, once, as an update of the node", async () => {
    const { add, plans, start, stop, tree, read, concentrator } = scene();
    let fields = [quantity("Temperature", 21)];
    plans.set(
      "growing",
      async ({ clock }): Promise<Partial<Device>> => ({
        async *read() {
          yield { at: clock.now(), fields };
        },
      }),
    );
    add("test.device", "room-1", { plan: "growing" });
    await start();
    const updates: string[] = [];
    tree.whenChanged(({ kind, node }) => {
      if (kind === "updated") updates.push(node.nodeId);
    });
    await read(["room-1"]);
    await read(["room-1"]);
    expect(updates).toEqual(["room-1"]);
    fields = [...fields, quantity("Relative Humidity", 40)];
    await read(["room-1"]);
    expect(updates).toEqual(["room-1", "room-1"]);
    expect(await concentrator.interfaces(callerOf(owner), refOf("room-1"), never)).toHaveLength(2);
    await stop();
  });

  it("HI-GET-06: after a restart what was told is known, and is no news", async () => {
    const before = scene();
    before.plans.set("warm", telling(quantity("Temperature", 21)));
    before.add("test.device", "room-1", { plan: "warm", pollSeconds: 60 });
    await before.start();
    await before.clock.advance(180_000);
    await before.stop();
    const after = before.restart();
    after.plans.set("warm", telling(quantity("Temperature", 22)));
    const updates: string[] = [];
    after.tree.whenChanged(({ kind, node }) => {
      if (kind === "updated") updates.push(node.nodeId);
    });
    const known = await after.concentrator.interfaces(callerOf(owner), refOf("room-1"), never);
    expect(known).toContain("urn:nfi:iot:hi:sensor:temperature:1.0");
    await after.start();
    await after.read(["room-1"]);
    expect(updates).toEqual([]);
    expect(await after.concentrator.interfaces(callerOf(owner), refOf("room-1"), never)).toEqual([
      "urn:nfi:iot:hi:sensor:temperature:1.0",
      "urn:nfi:iot:hi:sensor:temperature:statistics:history:1.0",
    ]);
    await after.stop();
  });
});
