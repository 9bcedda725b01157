import { describe, expect, it } from "vitest";
import { between, createLineHealth, roundTripsOf } from "#drivers/line-health.ts";
import { healthRoundTripsMax, healthUnitsMax } from "#limits.ts";
import { manualClock } from "../support/manual-clock.ts";

describe("the health of a line", () => {
  it("counts by unit and in all", () => {
    const health = createLineHealth(manualClock());
    health.answered("1", 12);
    health.answered("1", 8);
    health.timeout("2");
    health.retried("2");
    health.checksum("3");
    health.noise("3", 4);
    health.noise("3", 0);
    health.exception("1", 2);
    const { units, total } = health.figures();
    expect(
      units.map(({ unit, answers, timeouts, checksums, noiseOctets }) => [
        unit,
        answers,
        timeouts,
        checksums,
        noiseOctets,
      ]),
    ).toEqual([
      ["1", 2, 0, 0, 0],
      ["2", 0, 1, 0, 0],
      ["3", 0, 0, 1, 4],
    ]);
    expect(units[0]).toMatchObject({ shortestMs: 8, roundTripsMs: [12, 8], codes: { 2: 1 }, exceptions: 1 });
    expect(total).toMatchObject({ answers: 2, timeouts: 1, retries: 1, checksums: 1, noiseOctets: 4, exceptions: 1 });
  });

  it("keeps bounded round trips, and bounded units whose sums are counted all the same", () => {
    const health = createLineHealth(manualClock());
    for (let n = 0; n < 3 * healthRoundTripsMax; n++) health.answered("1", n);
    for (let n = 0; n < 2 * healthUnitsMax; n++) health.timeout(`u${n}`);
    const { units, total } = health.figures();
    expect(units[0]?.roundTripsMs).toHaveLength(healthRoundTripsMax);
    expect(units[0]?.shortestMs).toBe(0);
    expect(units).toHaveLength(healthUnitsMax);
    expect(total.timeouts).toBe(2 * healthUnitsMax);
  });

  it("says how long a unit rests, until it answers", async () => {
    const clock = manualClock();
    const health = createLineHealth(clock);
    health.resting("5", clock.monotonic() + 40_000);
    await clock.advance(10_000);
    expect(health.figures().units[0]?.restingMs).toBe(30_000);
    health.answered("5", 3);
    expect(health.figures().units[0]?.restingMs).toBeUndefined();
  });

  it("tells two faces at one address, and forgets a unit that was taken away", () => {
    const health = createLineHealth(manualClock());
    health.identity("5", "LUG 12345678");
    health.identity("5", "LUG 12345678");
    health.identity("5", "KAM 87654321");
    // Exchanged for another, as far as can be told.
    expect(health.figures().units[0]?.identities).toEqual(["KAM 87654321"]);
    health.identity("5", "LUG 12345678");
    expect(health.figures().units[0]?.identities).toEqual(["KAM 87654321", "LUG 12345678"]);
    health.forget("5");
    expect(health.figures().units).toEqual([]);
  });

  it("gives what happened between two looks", () => {
    const health = createLineHealth(manualClock());
    health.answered("1", 100);
    health.exception("1", 2);
    const before = health.figures();
    health.answered("1", 7);
    health.answered("1", 9);
    health.exception("1", 2);
    health.exception("1", 11);
    health.late("2", 1200);
    const { units, total } = between(before, health.figures());
    expect(units[0]).toMatchObject({ answers: 2, roundTripsMs: [7, 9], codes: { 2: 1, 11: 1 } });
    expect(units[1]).toMatchObject({ unit: "2", late: 1, latestMs: 1200 });
    expect(total).toMatchObject({ answers: 2, exceptions: 2, late: 1 });
    const again = health.figures();
    expect(between(again, health.figures()).units[0]).toMatchObject({ answers: 0, roundTripsMs: [] });
  });

  it("finds the median and the 95th percentile", () => {
    expect(roundTripsOf([])).toBeUndefined();
    expect(roundTripsOf([5])).toEqual({ minMs: 5, medianMs: 5, p95Ms: 5 });
    expect(roundTripsOf(Array.from({ length: 100 }, (_, n) => 100 - n))).toEqual({ minMs: 1, medianMs: 50, p95Ms: 95 });
  });
});
