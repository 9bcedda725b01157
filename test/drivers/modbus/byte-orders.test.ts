// Every reading of unknown registers, ranked: what the meter's display shows is found among them, and never hidden.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decimalOf, formatDecimal } from "#base/decimal.ts";
import { interpretationsOf, ordersOf, shownNumber, valueAt } from "#drivers/modbus/byte-orders.ts";
import { inOrder } from "#drivers/modbus/registers.ts";

const float = (value: number): number[] => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return [view.getUint16(0), view.getUint16(2)];
};
const best = (registers: readonly number[], shown: string) => {
  const [first] = interpretationsOf(registers, shownNumber(shown));
  return first && [first.offset, first.type, first.order, first.scale, formatDecimal(first.value), first.fit >= 90];
};

describe("what a display shows", () => {
  it.each([
    ["230.1", "230.1"],
    ["1 843,7 kWh", "1843.7"],
    ["1'843.70", "1843.7"],
    ["-12", "-12"],
    ["0.5 m3/h", "0.5"],
    ["007", "7"],
  ])("%s is a number", (text, number) => {
    expect(formatDecimal(shownNumber(text) ?? decimalOf(-1))).toBe(number);
  });
  it.each(["", "kWh", "1.843,7", "1,843,700", "12 34", "1e5", "9".repeat(40)])("%j is none", text => {
    expect(shownNumber(text)).toBeUndefined();
  });
});

describe("the reading that was meant comes first", () => {
  it.each<[string, number[], string, unknown[]]>([
    ["a float, high word first", float(230.1), "230.1", [0, "float32", "ABCD", 1, "230.1", true]],
    ["a float, low word first", float(230.1).reverse(), "230.1", [0, "float32", "CDAB", 1, "230.1", true]],
    [
      "a float among others",
      [...float(1), ...float(49.98), ...float(7)],
      "49.9",
      [2, "float32", "ABCD", 1, "49.98", true],
    ],
    ["a scaled integer", [2301], "230.1", [0, "uint16", "ABCD", 0.1, "230.1", true]],
    ["a negative one", [0x10000 - 2301], "-230.1", [0, "int16", "ABCD", 0.1, "-230.1", true]],
    ["a counter of 32 bits", [0x001c, 0x1ed9], "18429.05", [0, "uint32", "ABCD", 0.01, "18429.05", true]],
    ["one with the low word first", [0x1ed9, 0x001c], "18429.05", [0, "uint32", "CDAB", 0.01, "18429.05", true]],
    ["octets the wrong way round", [0xfd08], "230.1", [0, "uint16", "BADC", 0.1, "230.1", true]],
    ["a display in kW of a register in W", float(2300), "2.3", [0, "float32", "ABCD", 0.001, "2.3", true]],
    ["decimal digits", [0x2301], "230.1", [0, "bcd16", "ABCD", 0.1, "230.1", true]],
    ["a value that moved on meanwhile", float(231.4), "230.1", [0, "float32", "ABCD", 1, "231.4", false]],
  ])("%s", (_, registers, shown, expected) => {
    expect(best(registers, shown)).toEqual(expected);
  });

  it("whatever the layout: it is always among those that fit whole", () => {
    const types = ["uint16", "uint32", "int32", "float32", "uint64"] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.nat(3),
        fc.nat({ max: 60_000 }),
        fc.nat({ max: 3 }),
        fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }),
        (type, orderAt, number, offset, noise) => {
          const orders = ordersOf(type);
          const order = orders[orderAt % orders.length] ?? "ABCD";
          const words = type === "uint64" ? 4 : type === "uint16" ? 1 : 2;
          const view = new DataView(new ArrayBuffer(words * 2));
          if (type === "float32") view.setFloat32(0, number);
          else view.setUint16(words * 2 - 2, number);
          const straight = Array.from({ length: words }, (_, n) => view.getUint16(2 * n));
          const own = inOrder(straight, order, false);
          const registers = [...noise];
          for (let n = 0; n < words; n++) registers[offset + n] = ((own[2 * n] ?? 0) << 8) | (own[2 * n + 1] ?? 0);
          const fitting = interpretationsOf(registers, shownNumber(String(number))).filter(({ fit }) => fit > 60);
          const same = (one: (typeof fitting)[number]) =>
            one.offset <= offset && valueAt(registers, one.offset, one.type, one.order) !== undefined;
          expect(fitting.some(one => same(one) && Math.abs(Number(formatDecimal(one.value)) - number) <= 1)).toBe(true);
        },
      ),
      { seed: 4, numRuns: 500 },
    );
  });
});

it("without a display floats that look like measurements come before nonsense", () => {
  const [first, ...others] = interpretationsOf(float(230.1));
  expect(first).toMatchObject({ type: "float32", order: "ABCD" });
  expect(others.filter(({ type }) => type === "float32").every(({ fit }) => fit < (first?.fit ?? 0))).toBe(true);
});

it("a signed reading that says the same is not told twice, and nothing fails whatever the registers", () => {
  expect(interpretationsOf([7]).map(({ type }) => type)).not.toContain("int16");
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { maxLength: 8 }),
      fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      (registers, shown) => {
        for (const { fit, value } of interpretationsOf(registers, shown === null ? undefined : decimalOf(shown))) {
          expect(fit).toBeGreaterThanOrEqual(0);
          expect(fit).toBeLessThanOrEqual(100);
          expect(formatDecimal(value)).toMatch(/^-?\d/);
        }
      },
    ),
    { seed: 4, numRuns: 60 },
  );
});
