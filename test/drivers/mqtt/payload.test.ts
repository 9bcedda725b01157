import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FieldValue, formatValue } from "#contract/field.ts";
import { absent, fieldValue, isPointer, parsePayload, pointTo, timeOf, type ValueMap } from "#drivers/mqtt/payload.ts";
import { mqttTextCharsMax } from "#limits.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const map = (over: Partial<ValueMap> = {}): ValueMap => ({
  kind: "number",
  unit: "",
  factor: 1,
  onText: "true",
  offText: "false",
  ...over,
});
const read = (payload: string, pointer = "", over: Partial<ValueMap> = {}) =>
  fieldValue(pointTo(parsePayload(bytes(payload)), pointer), map(over));
const shown = (payload: string, over: Partial<ValueMap> = {}) => formatValue(read(payload, "", over));
const reasonOf = (value: FieldValue) => (value.kind === "missing" ? value.reason : value);

describe("a payload", () => {
  it("is JSON, or a bare text, or nothing", () => {
    expect(parsePayload(bytes('{"a":[1,2]}'))).toEqual({ a: [1, 2] });
    expect(parsePayload(bytes("21.5"))).toBe(21.5);
    expect(parsePayload(bytes("\ufeff true\n"))).toBe(true);
    expect(parsePayload(bytes(" ON \n"))).toBe("ON");
    expect(parsePayload(bytes("null"))).toBe(null);
    for (const broken of ["", " ", '{"a":', "{'a':1}", "[1,2", '{"a":1}}', "{"]) {
      expect(parsePayload(bytes(broken))).toBeUndefined();
    }
    expect(parsePayload(Uint8Array.of(0xff, 0xfe, 0x31))).toBeUndefined();
    expect(parsePayload(bytes("[".repeat(200_000)))).toBeUndefined();
    expect(() => parsePayload(bytes("[".repeat(50_000) + "]".repeat(50_000)))).not.toThrow();
  });

  it("any octets whatever, through any pointer to any kind: a value, a reason, or nothing, never an exception", () => {
    const json = fc.jsonValue().map(value => bytes(JSON.stringify(value)));
    const pointer = fc
      .array(fc.oneof(fc.string(), fc.constantFrom("0", "length", "__proto__", "constructor", "a~b", "a/b")))
      .map(parts => parts.map(part => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""));
    const maps = fc.record({
      kind: fc.constantFrom("number", "boolean", "text"),
      unit: fc.constantFrom("", "kWh"),
      factor: fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
      decimals: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
      onText: fc.constant("ON"),
      offText: fc.constant("OFF"),
    }) as fc.Arbitrary<ValueMap>;
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), json), pointer, maps, (payload, path, wanted) => {
        expect(isPointer(path)).toBe(true);
        const content = parsePayload(payload);
        const raw = pointTo(content, path);
        timeOf(raw);
        if (content === undefined || raw === absent) return;
        const value = fieldValue(raw, wanted);
        if (value.kind === "quantity") {
          expect(Number.isFinite(value.value)).toBe(true);
          expect(value.decimals).toBeGreaterThanOrEqual(0);
          expect(() => formatValue(value)).not.toThrow();
        }
        if (value.kind === "missing") expect(value.reason).not.toBe("");
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("pointers (RFC 6901)", () => {
  const document = { foo: ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7, deep: { x: null } };

  it.each<[string, unknown]>([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/m~0n", 8],
    ["/ ", 7],
    ["/deep/x", null],
  ])("%j leads there", (pointer, expected) => {
    expect(isPointer(pointer)).toBe(true);
    expect(pointTo(document, pointer)).toEqual(expected);
  });

  it.each([
    "/foo/2",
    "/foo/00",
    "/foo/-",
    "/foo/length",
    "/nothing",
    "/foo/0/x",
    "/deep/x/y",
    "/toString",
    "/__proto__",
  ])("%j leads nowhere, which is no fault", pointer => {
    expect(isPointer(pointer)).toBe(true);
    expect(pointTo(document, pointer)).toBe(absent);
  });

  it.each(["foo", "foo/bar", "/~", "/~2", "#/foo", " /foo"])("%j is none", pointer => {
    expect(isPointer(pointer)).toBe(false);
  });

  it("decides quickly about a long text that is none", () => {
    const began = performance.now();
    expect(isPointer(`${"/a".repeat(500)}~`)).toBe(false);
    expect(isPointer(`${"/".repeat(1_000)}~`)).toBe(false);
    expect(isPointer(`/${"a".repeat(1_000)}~`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(100);
  });
});

describe("a number", () => {
  it.each<[payload: string, over: Partial<ValueMap>, expected: string]>([
    ["21.5", {}, "21.5"],
    ["12.30", {}, "12.30"],
    ['"12.30"', { unit: "kWh" }, "12.30 kWh"],
    ["0", {}, "0"],
    ["-0", {}, "0"],
    ["-0.0", {}, "0.0"],
    ["+7", {}, "7"],
    [".5", {}, "0.5"],
    ["2.5E3", {}, "2500"],
    ["1e-3", {}, "0.001"],
    ["1.5e-7", {}, "0.00000015"],
    ["0.1", { factor: 3 }, "0.3"],
    ["3", { factor: 0.1 }, "0.3"],
    ["3", { factor: 0.25 }, "0.75"],
    ["3", { factor: 0.5 }, "1.5"],
    ["21", { factor: 1.8 }, "37.8"],
    ["1000", { factor: 1 / 3.6 }, "277.777777778"],
    ["215", { factor: 0.001, decimals: 1 }, "0.2"],
    ["1.005", { decimals: 0 }, "1"],
    ["1234567.891", { factor: 0.001 }, "1234.567891"],
    ["9007199254740991", {}, "9007199254740991"],
  ])("%s with %j is %s", (payload, over, expected) => {
    expect(shown(payload, over)).toBe(expected);
  });

  it.each([
    "NaN",
    "Infinity",
    "-INF",
    "0x10",
    "1,5",
    "21.5 °C",
    "true",
    "[1]",
    '{"a":1}',
    '""',
    "1e999",
    "--1",
    "1e-99",
  ])("%s is none, and the reason says so", payload => {
    expect(reasonOf(read(payload))).toMatch(/number expected, the message has /);
  });

  it("is not made 0 by rounding nor left with noise by the factor, whatever was written", () => {
    const written = fc.tuple(fc.integer({ min: -99_999_999, max: 99_999_999 }), fc.integer({ min: 0, max: 6 }));
    const factor = fc.constantFrom(1, 0.1, 0.01, 0.001, 0.5, 0.25, 10, 1_000, 3);
    fc.assert(
      fc.property(written, factor, ([digits, decimals], by) => {
        const text = (digits / 10 ** decimals).toFixed(decimals);
        const value = read(text, "", { factor: by });
        if (value.kind !== "quantity") throw new Error(JSON.stringify(value));
        const [, fraction = ""] = String(by).split(".");
        const scale = 10n ** BigInt(fraction.length);
        const product = BigInt(Math.round(digits)) * BigInt(Math.round(by * Number(scale)));
        const exact = Number(product) / 10 ** (decimals + fraction.length);
        expect(value.value).toBeCloseTo(exact, 9);
        expect(value.decimals).toBe(Math.min(9, decimals + fraction.length));
        if (digits !== 0) expect(value.value).not.toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("on and off, and text", () => {
  it.each([
    ["true", true],
    ["1", true],
    ['"On"', true],
    ["YES", true],
    ["open", true],
    ["false", false],
    ["0", false],
    ["off", false],
    ["closed", false],
  ])("%s is %s", (payload, expected) => {
    expect(read(payload, "", { kind: "boolean" })).toEqual({ kind: "boolean", value: expected });
  });

  it("a device may have words of its own", () => {
    const words = { kind: "boolean", onText: "heating", offText: "1" } as const;
    expect(read('"heating"', "", words)).toEqual({ kind: "boolean", value: true });
    expect(read("1", "", words)).toEqual({ kind: "boolean", value: false });
  });

  it.each(["2", "overpower", "[true]", '{"on":true}', '""'])("%s is neither", payload => {
    expect(reasonOf(read(payload, "", { kind: "boolean" }))).toMatch(/^on or off expected/);
  });

  it("text is what the message has, within bounds", () => {
    expect(read('"auto"', "", { kind: "text" })).toEqual({ kind: "string", value: "auto" });
    expect(read("12.30", "", { kind: "text" })).toEqual({ kind: "string", value: "12.30" });
    expect(read("true", "", { kind: "text" })).toEqual({ kind: "string", value: "true" });
    expect(reasonOf(read("[1]", "", { kind: "text" }))).toBe("text expected, the message has a list");
    const long = JSON.stringify("x".repeat(mqttTextCharsMax + 1));
    expect(reasonOf(read(long, "", { kind: "text" }))).toContain(`${mqttTextCharsMax + 1} characters`);
  });

  it("null is missing, of every kind", () => {
    for (const kind of ["number", "boolean", "text"] as const) {
      expect(reasonOf(read('{"a":null}', "/a", { kind }))).toBe("the device says it has none");
    }
  });

  it("a message however deep is described without going into it", () => {
    for (const depth of [100, 1_000, 2_000, 4_000, 8_000, 100_000]) {
      const content = parsePayload(bytes("[".repeat(depth) + "]".repeat(depth)));
      if (content !== undefined) expect(reasonOf(fieldValue(content, map()))).toContain("a list");
    }
  });

  it("a reason quotes the message shortly and in whole characters", () => {
    const reason = reasonOf(read(JSON.stringify("😀".repeat(100)))) as string;
    expect(reason.length).toBeLessThan(100);
    expect(reason.isWellFormed()).toBe(true);
  });
});

describe("the time in a message", () => {
  const at = Date.UTC(2026, 10, 20, 8, 30, 0);

  it.each<[unknown]>([
    [at],
    [at / 1000],
    [String(at)],
    [String(at / 1000)],
    ["2026-11-20T08:30:00Z"],
    ["2026-11-20t08:30z"],
    ["2026-11-20 09:30:00+01:00"],
    ["2026-11-20T09:30:00.000+0100"],
    ["2026-11-20T09:30:00,0+01"],
    ["2026-11-20T00:30:00-08:00"],
  ])("%j is understood", raw => {
    expect(timeOf(raw)).toBe(at);
  });

  it("keeps fractions of a second, and of a literal too", () => {
    expect(timeOf("2026-11-20T08:30:00.250Z")).toBe(at + 250);
    expect(timeOf(parsePayload(bytes(`${at / 1000}.250`)))).toBe(at + 250);
  });

  it.each<[unknown]>([
    ["2026-11-20T08:30:00"],
    ["2026-11-20"],
    ["08:30"],
    ["2026-13-20T08:30:00Z"],
    ["2026-11-20T25:30:00Z"],
    ["yesterday Z"],
    [0],
    [-5],
    [1e300],
    [Number.POSITIVE_INFINITY],
    [""],
    [null],
    [true],
    [{}],
    [absent],
    [undefined],
  ])("%j is none", raw => {
    expect(timeOf(raw)).toBeUndefined();
  });
});
