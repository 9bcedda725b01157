import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoff } from "#base/delays.ts";

const take = (count: number, delays: Generator<number>) => Array.from({ length: count }, () => delays.next().value);

describe("backoff", () => {
  it("doubles from the first delay to the cap and stays there", () => {
    expect(take(7, backoff(1_000, 10_000, 0))).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  });

  it("a first delay above the cap is the cap", () => {
    expect(take(3, backoff(60_000, 1_000, 0))).toEqual([1_000, 1_000, 1_000]);
  });

  it("spreads each delay over the jitter and no farther, and never ends", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 40, maxLength: 40 }),
        (first, cap, jitter, dice) => {
          const rolls = dice.values();
          const delays = take(
            40,
            backoff(first, cap, jitter, () => rolls.next().value ?? 0),
          );
          delays.forEach((delay, at) => {
            const middle = Math.min(first * 2 ** at, cap);
            expect(delay).toBeGreaterThanOrEqual(Math.floor(middle * (1 - jitter)));
            expect(delay).toBeLessThanOrEqual(Math.ceil(middle * (1 + jitter)));
          });
        },
      ),
    );
  });

  it("two appliances do not return in step", () => {
    expect(take(20, backoff(1_000, 300_000))).not.toEqual(take(20, backoff(1_000, 300_000)));
  });
});
