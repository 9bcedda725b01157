// SunSpec register images through the pure parts: models in the order of the chain, and every point with its value.

import { readFileSync } from "node:fs";
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
