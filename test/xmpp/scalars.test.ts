// The lexical forms of COM-LEX: what is taken, what is refused, what is written, and that what is written reads back.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as scalars from "#xml/scalars.ts";
import { type Scalar, ScalarError } from "#xml/scalars.ts";

const refuses = (scalar: Scalar<unknown>, ...texts: string[]) => {
  for (const text of texts) expect(() => scalar.parse(text), JSON.stringify(text)).toThrow(ScalarError);
};

describe("scalars", () => {
  it("COM-LEX-01: booleans", () => {
    for (const text of ["true", "1", "yes", "ON", " True "]) expect(scalars.boolean.parse(text)).toBe(true);
    for (const text of ["false", "0", "No", "off"]) expect(scalars.boolean.parse(text)).toBe(false);
    expect([scalars.boolean.format(true), scalars.boolean.format(false)]).toEqual(["true", "false"]);
    refuses(scalars.boolean, "", "2", "tru", "constructor", "__proto__", "toString");
  });

  it("COM-LEX-02: dates and times, out in UTC with milliseconds, in with any fraction and zone", () => {
    const at = Date.UTC(2026, 10, 20, 8, 30, 15, 250);
    expect(scalars.dateTime.format(at)).toBe("2026-11-20T08:30:15.250Z");
    for (const text of [
      "2026-11-20T08:30:15.25Z",
      "2026-11-20T08:30:15.2500000Z",
      "2026-11-20T08:30:15.2509999Z",
      "2026-11-20T09:30:15.250+01:00",
      " 2026-11-20T08:30:15.250Z ",
    ]) {
      expect(scalars.dateTime.parse(text)).toBe(at);
    }
    expect(scalars.dateTime.parse("2026-11-20T08:30:15.250")).toBe(new Date(2026, 10, 20, 8, 30, 15, 250).getTime());
    expect(scalars.dateTime.parse("2024-02-29T00:00:00Z")).toBe(Date.UTC(2024, 1, 29));
    expect(scalars.dateTime.parse("0000-02-29T00:00:00Z")).toBe(Date.parse("0000-02-29T00:00:00Z"));
    expect(scalars.dateTime.parse("2026-11-19T24:00:00Z")).toBe(Date.UTC(2026, 10, 20));
    refuses(
      scalars.dateTime,
      "",
      "2026-11-20",
      "2026-02-29T00:00:00Z",
      "2026-02-31T00:00:00Z",
      "2026-13-01T00:00:00Z",
      "2026-01-01T25:00:00Z",
      "2026-01-01T24:00:01Z",
      "2026-01-01T00:60:00Z",
      "2026-01-01T00:00:00+99:99",
      "2026-01-01 00:00:00Z",
      "now",
    );
  });

  it("COM-LEX-03: doubles are finite and have no exponent on the way out", () => {
    expect(scalars.double.format(1e21)).toBe("1000000000000000000000");
    expect(scalars.double.format(-1.5e-7)).toBe("-0.00000015");
    expect(scalars.double.parse(" +.5e1 ")).toBe(5);
    refuses(scalars.double, "", ".", "INF", "-INF", "NaN", "Infinity", "1e999", "0x10", "1,5", "1 2", "1e");
  });

  it("numbers with their decimals as written", () => {
    expect(scalars.decimal.parse("12.30")).toEqual({ value: 12.3, decimals: 2 });
    expect(scalars.decimal.parse("1.50e1")).toEqual({ value: 15, decimals: 1 });
    expect(scalars.decimal.parse("5e-3")).toEqual({ value: 0.005, decimals: 3 });
    expect(scalars.decimal.format({ value: 12.3, decimals: 2 })).toBe("12.30");
    expect(scalars.decimal.format({ value: 1e22, decimals: 1 })).toBe("10000000000000000000000.0");
  });

  it("COM-LEX-07: whole numbers within their range", () => {
    expect(scalars.int32.parse("-2147483648")).toBe(-(2 ** 31));
    expect(scalars.int64.parse("-9223372036854775808")).toBe(-(2n ** 63n));
    refuses(scalars.int32, "2147483648", "1.0", "", "1e3", "٣", "--1");
    refuses(scalars.int64, "9223372036854775808", "99999999999999999999");
    refuses(scalars.unsigned, "-1", "4294967296");
    refuses(scalars.positive, "0");
  });

  it("COM-LEX-04, COM-LEX-05, COM-LEX-06: durations, times, dates, colours", () => {
    for (const text of ["PT0S", "P1Y2M3DT4H5M6.789S", "-P1D", "PT0.5S"])
      expect(scalars.duration.parse(text)).toBe(text);
    refuses(scalars.duration, "", "P", "PT", "P1", "P1DT", "1D", "P1H", "P-1D", "PT1.5M");
    for (const text of ["00:00:00", "23:59:59.9999999", "12:00:00+02:00"]) expect(scalars.time.parse(text)).toBe(text);
    refuses(scalars.time, "24:00:00", "1.02:03:04", "12:00", "12:60:00", "12:00:60");
    expect(scalars.date.parse("2024-02-29")).toBe("2024-02-29");
    refuses(scalars.date, "2026-02-29", "2026-2-1", "2026-00-10", "2026-01-32");
    expect(scalars.color.parse("ff00aA")).toBe("FF00AA");
    refuses(scalars.color, "#ff0000", "ff00", "^ff0000$");
  });

  it("COM-LEX-08: identifiers of 1 to 1024 characters", () => {
    expect(scalars.identifier.parse("x".repeat(1024))).toHaveLength(1024);
    refuses(scalars.identifier, "", "x".repeat(1025));
  });

  it("the message of an error quotes no more than a line", () => {
    expect(() => scalars.int32.parse("9".repeat(10_000))).toThrow(/^.{10,120}$/);
  });

  it("what is written reads back", () => {
    const back = <T>(scalar: Scalar<T>, values: fc.Arbitrary<T>) =>
      fc.assert(fc.property(values, value => void expect(scalar.parse(scalar.format(value))).toEqual(value)));
    back(
      scalars.double,
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(one => one || 0),
    );
    back(scalars.int32, fc.integer());
    back(scalars.int64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    back(scalars.boolean, fc.boolean());
    back(
      scalars.dateTime,
      fc.integer({ min: Date.parse("0000-01-01T00:00:00Z"), max: Date.parse("9999-12-31T23:59:59.999Z") }),
    );
    back(scalars.words, fc.array(fc.stringMatching(/^[^\s]{1,6}$/u)));
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => {
        expect(scalars.plainDecimal(value)).toMatch(/^-?\d+(\.\d+)?$/);
      }),
    );
  });

  it("any text is a value or a ScalarError", () => {
    const all = [
      scalars.boolean,
      scalars.int32,
      scalars.int64,
      scalars.double,
      scalars.decimal,
      scalars.dateTime,
      scalars.date,
      scalars.time,
      scalars.duration,
      scalars.color,
      scalars.identifier,
      scalars.oneOf("a", "b"),
    ];
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+0-9.eTZ:PYMDHS]{0,30}$/)), text => {
        for (const one of all) {
          try {
            (one as Scalar<unknown>).parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(ScalarError);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
