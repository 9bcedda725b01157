// What counts as a change, kind by kind (EV-TRG-03…06), and the units that are compared with each other.

import { expect, it } from "vitest";
import { type ChangeLimits, isChange, isWatched } from "#concentrator/triggers.ts";
import { convert } from "#concentrator/units.ts";
import { askAll, categories, type FieldValue, noCategories } from "#contract/field.ts";
import { quantity } from "./scene.ts";

const q = (value: number, unit = "kWh"): FieldValue => ({ kind: "quantity", value, decimals: 2, unit });
const text = (value: string): FieldValue => ({ kind: "string", value });

it("EV-TRG-03: at least as much as the limit, any one of several; without any, every difference", () => {
  const cases: [number, number, ChangeLimits, boolean][] = [
    [10, 10.5, { by: 0.5 }, true],
    [0.2, 0.3, { by: 0.1 }, true],
    [902.36, 902.41, { by: 0.05 }, true],
    [10, 9.5, { by: 0.5 }, true],
    [10, 10.4, { by: 0.5 }, false],
    [10, 12, { up: 2 }, true],
    [10, 8, { up: 2 }, false],
    [10, 8, { down: 2 }, true],
    [10, 12, { down: 2 }, false],
    [10, 9, { up: 5, down: 1 }, true],
    [10, 10, {}, false],
    [10, 10.01, {}, true],
    [10, 10.01, { value: 3 }, true],
  ];
  for (const [before, now, limits, is] of cases) {
    expect(isChange(q(before), q(now), limits), `${before} to ${now} by ${JSON.stringify(limits)}`).toBe(is);
  }
});

it("EV-TRG-04: booleans, integers and times of all kinds are numbers, texts are the same or not", () => {
  const changes: [FieldValue, FieldValue, ChangeLimits, boolean][] = [
    [{ kind: "boolean", value: false }, { kind: "boolean", value: true }, { up: 1 }, true],
    [{ kind: "boolean", value: true }, { kind: "boolean", value: false }, { up: 1 }, false],
    [{ kind: "int32", value: 5 }, { kind: "int32", value: 7 }, { by: 2 }, true],
    [{ kind: "int64", value: 2n ** 60n }, { kind: "int64", value: 2n ** 60n + 3n }, { by: 3 }, true],
    [{ kind: "int64", value: 2n ** 60n }, { kind: "int64", value: 2n ** 60n + 3n }, { by: 4 }, false],
    [{ kind: "dateTime", value: 0 }, { kind: "dateTime", value: 60_000 }, { by: 60 }, true],
    [{ kind: "date", value: "2031-03-01" }, { kind: "date", value: "2031-03-02" }, { up: 86_400 }, true],
    [{ kind: "time", value: "10:00:00" }, { kind: "time", value: "10:00:30.5" }, { by: 31 }, false],
    [{ kind: "duration", value: "PT1M" }, { kind: "duration", value: "PT1M30S" }, { by: 30 }, true],
    [{ kind: "duration", value: "PT1M" }, { kind: "duration", value: "-PT1M" }, { down: 120 }, true],
    [text("open"), text("shut"), { by: 1_000 }, true],
    [text("open"), text("open"), {}, false],
    [{ kind: "enum", value: "A", type: "x" }, { kind: "enum", value: "B", type: "x" }, { up: 3 }, true],
    [q(1), text("1"), { by: 5 }, true],
  ];
  for (const [before, now, limits, is] of changes) {
    expect(
      isChange(before, now, limits),
      `${JSON.stringify([before, now, limits], (_, one) => (typeof one === "bigint" ? `${one}n` : one))}`,
    ).toBe(is);
  }
});

it("EV-TRG-05: another unit is converted where it can be, and a change where it cannot; what is missing is none", () => {
  expect(isChange(q(1, "kWh"), q(1_000, "Wh"))).toBe(false);
  expect(isChange(q(1, "MJ"), q(0.28, "kWh"), { by: 0.01 })).toBe(false);
  expect(isChange(q(20, "Cel"), q(293.15, "K"))).toBe(false);
  expect(isChange(q(1, "kWh"), q(1, "m3"), { by: 100 })).toBe(true);
  expect(isChange(q(1), { kind: "missing", reason: "no answer" })).toBe(false);
  expect(isChange({ kind: "missing", reason: "no answer" }, q(1))).toBe(true);
  expect(convert(212, "degF", "Cel")).toBeCloseTo(100, 9);
  expect(convert(1, "toString", "toString")).toBe(1);
  expect(convert(1, "toString", "kWh")).toBeUndefined();
});

it("EV-TRG-06: listed fields of the asked categories; without a list what tells the present", () => {
  const momentary = { ...askAll, categories: categories("momentary", "peak", "historical") };
  expect(isWatched(quantity("A", 1), momentary)).toBe(true);
  expect(isWatched(quantity("A", 1, "status"), momentary)).toBe(false);
  expect(isWatched(quantity("A", 1, "peak"), momentary)).toBe(false);
  expect(isWatched(quantity("A", 1, "peak"), { ...momentary, names: ["A"] })).toBe(true);
  expect(isWatched(quantity("A", 1, "historical"), { ...momentary, names: ["A"] })).toBe(false);
  expect(isWatched(quantity("B", 1), { ...momentary, names: ["A"] })).toBe(false);
  expect(isWatched(quantity("A", 1), { ...askAll, categories: noCategories })).toBe(false);
});
