// The URI of a label: our vectors, hostile ones, and round trips through our own writer.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Operator } from "#iot/discovery.wire.ts";
import { compareOrdinal, decodeUri, IotdiscoError, isRegistryAddress, type SearchUri } from "#iot/iotdisco.ts";
import { encodeClaim, encodeDirect, encodeSearch } from "#iot/iotdisco-encode.ts";

const claim = (tags: { name: string; value: string | number }[], registry?: string) => ({
  kind: "claim",
  tags,
  registry,
});
const range = (kind: string, name: string, min: unknown, minIncluded: boolean, max: unknown, maxIncluded: boolean) => ({
  kind,
  name,
  min,
  minIncluded,
  max,
  maxIncluded,
});

describe("vectors", () => {
  it("URI-DEC-01, URI-ENC-03: a claim with its registry", () => {
    expect(decodeUri("iotdisco:CLASS=Valve;#V=3.0;KEY=0f9c;R=reg.hub.example")).toMatchObject(
      claim(
        [
          { name: "CLASS", value: "Valve" },
          { name: "V", value: 3 },
          { name: "KEY", value: "0f9c" },
        ],
        "reg.hub.example",
      ),
    );
  });

  it("URI-DEC-01: backslash and percent escapes mean the same", () => {
    const tags = [
      { name: "NAME", value: "a;b" },
      { name: "KEY", value: "k" },
    ];
    expect(decodeUri("iotdisco:NAME=a\\;b;KEY=k")).toMatchObject(claim(tags));
    expect(decodeUri("IOTDISCO:NAME=a%3Bb;KEY=k")).toMatchObject(claim(tags));
    expect(decodeUri("iotdisco:NAME=a\\\\b;KEY=k")).toMatchObject({ tags: [{ value: "a\\b" }, {}] });
    expect(decodeUri("iotdisco:NAME=100%;N2=%zz%C3%BC%FF;KEY=k")).toMatchObject({
      tags: [{ value: "100%" }, { value: "%zzü%FF" }, {}],
    });
  });

  it("URI-DEC-02: the undecoded reading is offered where it differs, and only there", () => {
    expect(decodeUri("iotdisco:NAME=%41;KEY=k")).toMatchObject({
      tags: [{ value: "A" }, {}],
      retryTags: [{ name: "NAME", value: "%41" }, { name: "KEY" }],
    });
    expect(decodeUri("iotdisco:NAME=A;KEY=k")).toMatchObject({ retryTags: undefined });
  });

  it("URI-SRCH-01: ranges inside and outside, whatever the order of the two", () => {
    for (const text of ["#T>=-5;#T<0;CLASS~*Ther*", "#T<0;#T>=-5;CLASS~*Ther*"])
      expect(decodeUri(`iotdisco:${text}`)).toMatchObject({
        kind: "search",
        operators: [
          range("numRange", "T", -5, true, 0, false),
          { kind: "strMask", name: "CLASS", value: "Ther*", wildcard: "*" },
        ],
      });
    const only = (text: string) => (decodeUri(`iotdisco:${text}`) as SearchUri).operators[0];
    expect(only("#T<1;#T>9")).toMatchObject(range("numNRange", "T", 1, true, 9, true));
    expect(only("#K>3;#K<2")).toMatchObject(range("numNRange", "K", 2, true, 3, true));
    expect(only("#K>=3;#K<=2")).toMatchObject(range("numNRange", "K", 2, false, 3, false));
    expect(only("K>=b;K<=b")).toMatchObject(range("strRange", "K", "b", true, "b", true));
    expect(only("K>b;k<b")).toMatchObject(range("strRange", "K", "b", false, "b", false));
  });

  it("URI-SRCH-02: string bounds are ordered by code point, beyond the basic plane too", () => {
    expect(compareOrdinal("\uFF5E", "\u{1F600}")).toBeLessThan(0);
    expect(compareOrdinal("a", "B")).toBeGreaterThan(0);
    expect(decodeUri("iotdisco:K>Z;K<a")).toMatchObject({ operators: [{ kind: "strRange" }] });
  });

  it("URI-DEC-05: a backslash after < or > is an escape", () => {
    expect(decodeUri("iotdisco:A<\\=x")).toMatchObject({ operators: [{ kind: "strLt", value: "=x" }] });
    expect(decodeUri("iotdisco:A<>x")).toMatchObject({ operators: [{ kind: "strNEq", value: "x" }] });
  });

  it("kinds: direct, legacy claim, empty values", () => {
    expect(decodeUri("iotdisco:JID=gw9%40hub.example;NID=mbus-12;SID=MeteringTopology")).toMatchObject({
      kind: "direct",
      jid: "gw9@hub.example",
      ref: { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" },
    });
    expect(decodeUri("IoTDisco;SN:77;#V:1;KEY:q%41")).toMatchObject(
      claim([
        { name: "SN", value: "77" },
        { name: "V", value: 1 },
        { name: "KEY", value: "q%41" },
      ]),
    );
    expect(decodeUri("iotdisco:A=1;KEY=;R=")).toMatchObject(claim([{ name: "A", value: "1" }], undefined));
  });

  it.each([
    ["URI-DEC-03: nothing", "iotdisco:"],
    ["URI-DEC-03: trailing separator", "iotdisco:A=1;"],
    ["URI-DEC-03: no operator", "iotdisco:A"],
    ["URI-DEC-03: no name", "iotdisco:=1"],
    ["URI-DEC-04: not a number", "iotdisco:#A=x"],
    ["URI-DEC-04: infinite", "iotdisco:#A=INF"],
    ["URI-DEC-04: # inside", "iotdisco:A#=1"],
    ["URI-DEC-07: twice equal", "iotdisco:A=1;A=2"],
    ["URI-DEC-07: twice in another case", "iotdisco:KEY=1;key=2"],
    ["URI-DEC-07: two lower bounds", "iotdisco:A>1;A>2"],
    ["URI-DEC-07: bounds of two kinds", "iotdisco:A>1;#A<2"],
    ["URI-KIND: search for a key", "iotdisco:KEY>1"],
    ["URI-KIND: claim with a search", "iotdisco:KEY=1;A<2"],
    ["URI-KIND: address with a search", "iotdisco:JID=a%40b.example;A<2"],
    ["URI-KIND: node without address", "iotdisco:NID=a"],
    ["URI-SRCH-04: registry alone", "iotdisco:R=reg.hub.example"],
    ["pattern of a number", "iotdisco:#A~*1"],
    ["URI-DEC-08: control character", "iotdisco:A=%00"],
    ["URI-DEC-08: bidi override", "iotdisco:A=%E2%80%AEgpj"],
    ["URI-DEC-08: long value", `iotdisco:A=${"x".repeat(129)}`],
    ["URI-DEC-08: many terms", `iotdisco:${Array.from({ length: 65 }, (_, n) => `A${n}=1`).join(";")}`],
    ["URI-SEC-01: registry with an account", "iotdisco:KEY=k;R=evil%40hub.example"],
    ["URI-SEC-01: registry with a resource", "iotdisco:KEY=k;R=hub.example%2Fx"],
    ["a bad name after decoding", "iotdisco:A%3DB=1"],
    ["another scheme", "https://example.com"],
    ["half an escape", "iotdisco:A=b\\"],
  ])("rejects %s", (_, uri) => {
    expect(() => decodeUri(uri)).toThrow(IotdiscoError);
  });

  it("URI-SEC-01: what may be a registry", () => {
    expect(isRegistryAddress("reg.hub.example")).toBe(true);
    for (const bad of ["", "a@b", "a/b", "a b", "-a.example", `${"a".repeat(250)}.example`, "a..b"])
      expect(isRegistryAddress(bad)).toBe(false);
  });
});

describe("writing", () => {
  it("URI-ENC-02/04: tags as registered, then KEY, then R; .0 kept; empty tags left out", () => {
    const tags = [
      { name: "CLASS", value: "Heat Meter" },
      { name: "V", value: 2 },
      { name: "ROOM", value: "" },
    ];
    expect(encodeClaim(tags, "b1e0", "reg.hub.example")).toBe(
      "iotdisco:CLASS=Heat%20Meter;#V=2.0;KEY=b1e0;R=reg.hub.example",
    );
  });

  it("URI-SRCH-03: refuses what it cannot say", () => {
    const base = { name: "A", nameWildcard: undefined };
    const bad: Operator[][] = [
      [],
      [{ kind: "strRegEx", ...base, value: "x" }],
      [{ kind: "strEq", name: "A*", nameWildcard: "*", value: "x" }],
      [{ kind: "strMask", ...base, value: "x", wildcard: "%%" }],
      [{ kind: "strEq", ...base, name: "key", value: "x" }],
      [{ kind: "numRange", ...base, min: 2, minIncluded: true, max: 1, maxIncluded: true }],
      [
        { kind: "strEq", ...base, value: "x" },
        { kind: "strNEq", ...base, name: "a", value: "y" },
      ],
    ];
    for (const operators of bad) expect(() => encodeSearch(operators)).toThrow(IotdiscoError);
    expect(() => encodeClaim([{ name: "R", value: "x" }], "k", "r.example")).toThrow(IotdiscoError);
    expect(() => encodeClaim([], "k", "a@b.example")).toThrow(IotdiscoError);
  });

  it("URI-ENC-01: direct form", () => {
    const uri = encodeDirect("gw9@hub.example", { nodeId: "a b", sourceId: "MeteringTopology", partition: "" });
    expect(uri).toBe("iotdisco:JID=gw9%40hub.example;NID=a%20b;SID=MeteringTopology");
  });
});

describe("round trips", () => {
  const name = fc
    .string({ minLength: 1, maxLength: 20, unit: "grapheme" })
    .filter(text => /^[^:#=<>~;\\\s\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]{1,64}$/u.test(text))
    .filter(text => !/^(key|r|jid|nid|sid|pt)$/i.test(text));
  const words = fc
    .string({ minLength: 1, maxLength: 40, unit: "grapheme" })
    .filter(text => text.length <= 128 && !/[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/u.test(text));
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => value + 0);
  const distinct = { selector: ({ name }: { name: string }) => name.toUpperCase() };

  it("URI-ENC-01: any claim reads back exactly", () => {
    const tag = fc.record({ name, value: fc.oneof(words, number) });
    fc.assert(
      fc.property(fc.uniqueArray(tag, { ...distinct, maxLength: 8 }), tags => {
        const uri = encodeClaim(tags, "0f9c", "reg.hub.example");
        expect(uri).toMatch(/^iotdisco:[A-Za-z0-9\-._~%#=;]*$/);
        expect(decodeUri(uri)).toMatchObject(claim([...tags, { name: "KEY", value: "0f9c" }], "reg.hub.example"));
      }),
    );
  });

  it("URI-SRCH: any search that can be said reads back exactly", () => {
    const base = { nameWildcard: fc.constant(undefined), name };
    const text = fc.record({
      ...base,
      kind: fc.constantFrom("strEq", "strNEq", "strLtEq", "strGt" as const),
      value: words,
    });
    const count = fc.record({
      ...base,
      kind: fc.constantFrom("numEq", "numNEq", "numLt", "numGtEq" as const),
      value: number,
    });
    const mask = fc.record({
      ...base,
      kind: fc.constant("strMask" as const),
      value: words,
      wildcard: fc.constantFrom("*", "?", "€"),
    });
    const span = fc
      .record({
        ...base,
        kind: fc.constantFrom("numRange", "numNRange" as const),
        a: number,
        b: number,
        minIncluded: fc.boolean(),
        maxIncluded: fc.boolean(),
      })
      .filter(({ a, b }) => a !== b)
      .map(({ a, b, ...rest }) => ({ ...rest, min: Math.min(a, b), max: Math.max(a, b) }));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.oneof(text, count, mask, span), { ...distinct, minLength: 1, maxLength: 6 }),
        operators => {
          expect(decodeUri(encodeSearch(operators as Operator[], "reg.hub.example"))).toEqual({
            kind: "search",
            operators,
            registry: "reg.hub.example",
          });
        },
      ),
    );
  });

  it("URI-SEC-03: any text is a URI or a typed error, never more", () => {
    const soup = fc.stringMatching(/^[A-Za-z%#=<>~;\\:0-9*. €]{0,60}$/).map(text => `iotdisco:${text}`);
    fc.assert(
      fc.property(soup, text => {
        try {
          decodeUri(text);
        } catch (error) {
          expect(error).toBeInstanceOf(IotdiscoError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
