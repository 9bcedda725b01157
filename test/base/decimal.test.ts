import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDecimal,
  decimalOf,
  decimalOfFloat32,
  divideExactly,
  formatDecimal,
  formatScaled,
  multiplyDecimal,
  roundDecimal,
} from "#base/decimal.ts";

describe("exact decimals", () => {
  it.each([
    [0.1, "0.1"],
    [-1.25, "-1.25"],
    [1e-9, "0.000000001"],
    [1.5e21, "1500000000000000000000"],
    [0, "0"],
    [-0, "0"],
  ])("%d is written %s", (value, text) => {
    expect(formatScaled(decimalOf(value))).toBe(text);
  });

  it("0.5: 3 x 0.1 is 0.3, and a counter of 64 bits keeps its last digit", () => {
    expect(formatDecimal(multiplyDecimal(decimalOf(3), decimalOf(0.1)))).toBe("0.3");
    const counter = multiplyDecimal({ mantissa: 18_446_744_073_709_551_615n, exponent: 0 }, decimalOf(0.001));
    expect(formatScaled(counter)).toBe("18446744073709551.615");
    expect(formatScaled(addDecimal(counter, decimalOf(0.385)))).toBe("18446744073709552.000");
    expect(formatDecimal(addDecimal(counter, decimalOf(0.385)))).toBe("18446744073709552");
  });

  it("a float32 is the shortest decimal that gives it again", () => {
    expect(formatDecimal(decimalOfFloat32(Math.fround(0.1)))).toBe("0.1");
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), value => {
        expect(Math.fround(Number(formatScaled(decimalOfFloat32(value)))) + 0).toBe(value + 0);
      }),
    );
  });

  it("rounds half away from zero, and never adds places", () => {
    const rounded = (value: number, places: number) => formatScaled(roundDecimal(decimalOf(value), places));
    expect([rounded(1.005, 2), rounded(-1.005, 2), rounded(1.004, 2), rounded(7, 2), rounded(-0.4, 0)]).toEqual([
      "1.01",
      "-1.01",
      "1.00",
      "7",
      "0",
    ]);
  });

  it("divides only without a rest", () => {
    expect(divideExactly(decimalOf(21.5), decimalOf(0.5))).toBe(43n);
    expect(divideExactly(decimalOf(21.3), decimalOf(0.5))).toBeUndefined();
    expect(divideExactly(decimalOf(1), decimalOf(0))).toBeUndefined();
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -6, max: 6 }), fc.integer({ min: 1, max: 999 }), (n, exponent, d) => {
        const divisor = { mantissa: d, exponent };
        expect(divideExactly(multiplyDecimal({ mantissa: n, exponent: 0 }, divisor), divisor)).toBe(BigInt(n));
      }),
    );
  });

  it("sums are those of integers", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), fc.integer({ min: -9, max: 0 }), (a, b, exponent) => {
        const sum = addDecimal({ mantissa: a, exponent }, { mantissa: b, exponent });
        expect([BigInt(sum.mantissa), sum.exponent]).toEqual([a + b, exponent]);
      }),
    );
  });
});
