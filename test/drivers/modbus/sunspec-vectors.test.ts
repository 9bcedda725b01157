// SunSpec register images through the pure parts: models in the order of the chain, and every point with its value.

import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatScaled } from "#base/decimal.ts";
import type { Answer, Request } from "#drivers/modbus/pdu.ts";
import { definitionOf } from "#drivers/modbus/sunspec-definition.ts";
import { layoutOf, type PlacedPoint } from "#drivers/modbus/sunspec-layout.ts";
import { type PointValue, pointValueOf } from "#drivers/modbus/sunspec-value.ts";
import { findBase, identityIn, walkModels } from "#drivers/modbus/sunspec-walk.ts";

interface ExpectedPoint {
  value: number | string | null;
  symbol?: string;
  symbols?: string[];
  why?: string;
}
interface Expected {
  id: number;
  length: number;
  address: number;
  points: Record<string, ExpectedPoint>;
  group?: string;
  repeating?: Record<string, ExpectedPoint>[];
}
interface Image {
  name: string;
  base: number;
  registers: string;
  expect: Expected[];
}
const { devices } = JSON.parse(readFileSync(new URL("../../vectors/modbus/sunspec.json", import.meta.url), "utf8")) as {
  devices: Image[];
};

const wordsOf = (hex: string) => (hex.match(/.{4}/g) ?? []).map(word => Number.parseInt(word, 16));

/** A unit that holds the image and nothing else. */
const unitOf = (image: Image) => {
  const words = wordsOf(image.registers);
  return async (request: Request): Promise<Answer> => {
    if (request.function !== 3) return { kind: "exception", code: 1 };
    const from = request.address - image.base;
    const registers = words.slice(from, from + request.quantity);
    return from < 0 || registers.length < request.quantity
      ? { kind: "exception", code: 2 }
      : { kind: "registers", registers };
  };
};

function check(name: string, value: PointValue | undefined, wanted: ExpectedPoint): void {
  if (wanted.value === null) {
    expect(value?.kind, name).toBe("none");
    if (wanted.why !== undefined) expect(value).toMatchObject({ reason: "the device gives no scale factor for it" });
  } else if (value?.kind === "choice") {
    expect([value.code, value.name], name).toEqual([wanted.value, wanted.symbol]);
  } else if (value?.kind === "flags") {
    expect([value.raw, value.names], name).toEqual([wanted.value, wanted.symbols ?? []]);
  } else if (value?.kind === "text") {
    expect(value.value, name).toBe(wanted.value);
  } else if (value?.kind === "decimal") {
    // Doubles hold 15 digits of what the device counts exactly; a float32 is shown as short as it can be.
    const got = Number(formatScaled(value.value));
    const same = got === wanted.value || Math.fround(got) === wanted.value;
    expect(same, `${name}: ${got} is ${wanted.value}`).toBe(true);
  } else throw new Error(`${name}: ${value?.kind}`);
}

describe("register images", () => {
  for (const image of devices) {
    it(image.name, async () => {
      const ask = unitOf(image);
      expect(await findBase(ask)).toBe(image.base);
      const { models, cut } = await walkModels(ask, image.base);
      expect(cut).toBeUndefined();
      expect(models).toEqual(image.expect.map(({ id, length, address }) => ({ id, length, address })));

      let points = 0;
      for (const wanted of image.expect) {
        const definition = definitionOf(wanted.id);
        if (definition === undefined) throw new Error(`model ${wanted.id}`);
        const from = wanted.address - image.base;
        const own = wordsOf(image.registers).slice(from, from + 2 + wanted.length);
        const placed = layoutOf(definition, wanted.length, offset => own[offset]);
        const at = (name: string, number?: number) =>
          placed.find(
            one =>
              one.point.name === name &&
              (number === undefined) === (one.path.length === 0) &&
              one.path[0]?.number === number,
          );
        const value = (one: PlacedPoint | undefined) => one && pointValueOf(one, offset => own[offset]);
        for (const [name, expected] of Object.entries(wanted.points)) {
          check(`${wanted.id} ${name}`, value(at(name)), expected);
          points++;
        }
        for (const [n, group] of (wanted.repeating ?? []).entries()) {
          for (const [name, expected] of Object.entries(group)) {
            check(`${wanted.id} ${wanted.group} ${n + 1} ${name}`, value(at(name, n + 1)), expected);
            points++;
          }
        }
        const groups = new Set(placed.map(one => one.path[0]?.number ?? 0));
        groups.delete(0);
        expect(groups.size).toBe(wanted.repeating?.length ?? 0);
      }
      expect(points).toBeGreaterThan(20);
    });
  }

  it("who the device is stands in its common model", () => {
    const [image] = devices;
    expect(identityIn(wordsOf(image?.registers ?? "").slice(2, 70))).toEqual({
      manufacturer: "Example Energy",
      model: "X3",
      version: "1.2.3",
      serialNumber: "A1",
    });
  });
});

describe("layouts", () => {
  const definition = (id: number) => {
    const found = definitionOf(id);
    if (found === undefined) throw new Error(`model ${id}`);
    return found;
  };
  const at = (placed: PlacedPoint[], name: string, ...path: number[]) =>
    placed.find(one => one.point.name === name && one.path.flatMap(({ number }) => number ?? []).join() === path.join())
      ?.offset;

  it("groups are counted by the register that says so, groups within groups too", () => {
    // 714: two ports; the register that counts them is the third behind the head.
    const ports = layoutOf(definition(714), 18 + 2 * 25, offset => (offset === 4 ? 2 : 0));
    expect([at(ports, "DCA"), at(ports, "DCA", 1), at(ports, "DCA", 2), at(ports, "DCA", 3)]).toEqual([
      5,
      30,
      55,
      undefined,
    ]);
    // 705: curves of points, both counted at the top.
    const top = layoutOf(definition(705), 200);
    const counts = new Map(["NPt", "NCrv"].map((name, n) => [at(top, name) ?? -1, 2 + n] as const));
    const curves = layoutOf(definition(705), 200, offset => counts.get(offset));
    const points = curves.filter(one => one.point.name === "V" && one.path.length === 2);
    expect(points.map(one => one.path.map(({ number }) => number).join("/"))).toEqual([
      "1/1",
      "1/2",
      "2/1",
      "2/2",
      "3/1",
      "3/2",
    ]);
  });

  it("a count that is not implemented is none, and one too large ends with the model", () => {
    const none = layoutOf(definition(714), 100, offset => (offset === 4 ? 0xffff : 0));
    expect(at(none, "DCA", 1)).toBeUndefined();
    const many = layoutOf(definition(714), 18 + 2 * 25, offset => (offset === 4 ? 60_000 : 0));
    expect(Math.max(...many.map(({ offset, point }) => offset + point.size))).toBeLessThanOrEqual(2 + 18 + 2 * 25);
  });

  it("every published model is laid out, whatever its length, and no point ends behind it", () => {
    const ids = readdirSync(new URL("../../../src/drivers/modbus/sunspec-models", import.meta.url))
      .map(name => Number.parseInt(name, 10))
      .filter(Number.isInteger);
    expect(ids.length).toBe(112);
    fc.assert(
      fc.property(fc.constantFrom(...ids), fc.nat(1_500), fc.nat(0xffff), (id, length, word) => {
        for (const one of layoutOf(definition(id), length, () => word)) {
          expect(one.offset + one.point.size).toBeLessThanOrEqual(2 + length);
          expect(typeof pointValueOf(one, () => word).kind).toBe("string");
        }
      }),
      { numRuns: 500 },
    );
  });

  it("whatever registers a unit holds, the chain is walked to an end", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(0xffff), { maxLength: 400 }), async words => {
        const image: Image = {
          name: "",
          base: 40_000,
          registers: ["5375", "6e53", ...words.map(word => word.toString(16).padStart(4, "0"))].join(""),
          expect: [],
        };
        const map = await walkModels(unitOf(image), 40_000);
        expect(map.models.length).toBeLessThanOrEqual(200);
      }),
      { numRuns: 300 },
    );
  });
});
