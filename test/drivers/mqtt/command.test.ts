import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandOf, isTemplate } from "#drivers/mqtt/command.ts";

const settings = (commandTemplate: string, over: { factor?: number; onText?: string; offText?: string } = {}) => ({
  commandTemplate,
  factor: 1,
  onText: "true",
  offText: "false",
  ...over,
});

describe("a command", () => {
  it.each<[template: string, value: number | boolean | string, expected: string]>([
    ["{value}", 21.5, "21.5"],
    ["{value}", true, "true"],
    ["{value}", "auto", "auto"],
    ["set {value} now", 21.5, "set 21.5 now"],
    ['{"setpoint": {value}}', 21.5, '{"setpoint": 21.5}'],
    ['{"mode": {value}}', "auto", '{"mode": "auto"}'],
    ['{"mode": "{value}"}', "auto", '{"mode": "auto"}'],
    ['{"mode": "{value}"}', 'a"b\\', '{"mode": "a\\"b\\\\"}'],
    ['{"cmd": "mode {value}!"}', 'a"b', '{"cmd": "mode a\\"b!"}'],
    ["[{value}, {value}]", 1, "[1, 1]"],
    ['"{value}"', 7, '"7"'],
    ['{"on": {value}}', false, '{"on": false}'],
    ["{value}", "$& $1 {value}", "$& $1 {value}"],
  ])("%s with %j is %s", (template, value, expected) => {
    expect(isTemplate(template)).toBe(true);
    expect(commandOf(settings(template), { value })).toBe(expected);
  });

  it("on and off in the device's own words: text where they are text, as they stand where they are JSON", () => {
    expect(commandOf(settings("{value}", { onText: "ON", offText: "OFF" }), { value: true })).toBe("ON");
    expect(commandOf(settings('{"state": {value}}', { onText: "ON" }), { value: true })).toBe('{"state": "ON"}');
    expect(commandOf(settings('{"state": {value}}', { offText: "0" }), { value: false })).toBe('{"state": 0}');
  });

  it("the factor is undone without the leavings of a division", () => {
    expect(commandOf(settings("{value}", { factor: 0.1 }), { value: 21.5 })).toBe("215");
    expect(commandOf(settings("{value}", { factor: 0.001 }), { value: 0.3 })).toBe("300");
    expect(commandOf(settings("{value}", { factor: 1000 }), { value: 1.1 })).toBe("0.0011");
  });

  it.each(["", "value", "{ value }", '{"a": {value}', "[{value}", '{"a": {value}}}', '{"a": b{value}}'])(
    "%j is no template",
    template => {
      expect(isTemplate(template)).toBe(false);
    },
  );

  it("a JSON template gives whole JSON whatever the value is, and says just the value", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
    );
    fc.assert(
      fc.property(value, one => {
        const bare = typeof one === "number" ? Number(one.toPrecision(12)) + 0 : one;
        const inPlace = JSON.parse(commandOf(settings('{"a": {value}, "b": 1}'), { value: one }));
        expect(inPlace).toEqual({ a: Object.is(bare, -0) ? 0 : bare, b: 1 });
        const quoted = JSON.parse(commandOf(settings('{"a": "x{value}"}'), { value: one }));
        expect(quoted.a).toBe(`x${typeof one === "number" ? String(bare) : one}`);
      }),
      { numRuns: 1_000 },
    );
  });
});
