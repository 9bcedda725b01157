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

describe("the rules one by one", () => {
  const bad = (uri: string, why: RegExp) => {
    expect(() => decodeUri(uri), uri).toThrow(IotdiscoError);
    expect(() => decodeUri(uri), uri).toThrow(why);
  };

  it("URI-DEC-03: a value may be empty; a name, a term, an operator or an end may not", () => {
    expect(decodeUri("iotdisco:ROOM=;KEY=k;R=")).toMatchObject({
      kind: "claim",
      tags: [{ name: "KEY", value: "k" }],
      registry: undefined,
    });
    expect(decodeUri("iotdisco:ROOM=")).toMatchObject({ operators: [{ kind: "strEq", name: "ROOM", value: "" }] });
    bad("iotdisco:=x;KEY=k", /name/);
    bad("iotdisco:A=1;;B=2", /empty term/);
    bad("iotdisco:A=1;B", /operator/);
    bad("iotdisco:A=1;KEY=k;", /empty term/);
    bad("iotdisco:", /empty term/);
  });

  it("URI-DEC-04: # marks a number, only where a term begins, and a bad number spoils all of it", () => {
    expect(decodeUri("iotdisco:#V=-1.5E3")).toMatchObject({ operators: [{ kind: "numEq", value: -1500 }] });
    expect(decodeUri("iotdisco:A=#1")).toMatchObject({ operators: [{ kind: "strEq", value: "#1" }] });
    for (const value of ["1,5", "", "NaN", "INF", "-INF", "Infinity", "0x10", "1e999", "1 2"])
      bad(`iotdisco:CLASS=Valve;#V=${value}`, /V is not a number/);
    bad("iotdisco:A#=1", /name/);
    bad("iotdisco:##A=1", /name/);
  });

  it("URI-DEC-06: names are the same in either case, in whatever language the reader is", () => {
    const before = process.env.LC_ALL;
    process.env.LC_ALL = "tr_TR.UTF-8";
    try {
      bad("iotdisco:id=1;ID=2", /ID stands twice/);
      bad("iotdisco:title=1;TITLE=2;KEY=k", /TITLE stands twice/);
      expect(decodeUri("iotdisco:jid=a%40b.example;nid=x;sid=y;pt=z")).toMatchObject({
        kind: "direct",
        ref: { nodeId: "x", sourceId: "y", partition: "z" },
      });
      expect(decodeUri("iotdisco:class=Valve;key=k;r=reg.hub.example")).toMatchObject({
        kind: "claim",
        registry: "reg.hub.example",
      });
      expect(decodeUri("iotdisco:#t>1;#T<2")).toMatchObject({ operators: [{ kind: "numRange" }] });
    } finally {
      if (before === undefined) delete process.env.LC_ALL;
      else process.env.LC_ALL = before;
    }
  });

  it("URI-DEC-07: twice only as one lower and one upper bound of one kind", () => {
    expect(decodeUri("iotdisco:A>=b;A<d")).toMatchObject({ operators: [{ kind: "strRange" }] });
    for (const twice of [
      "A=1;A=1",
      "A=1;a<2",
      "A>1;A>=2",
      "A<1;A<=2",
      "A<>1;A<>2",
      "A~*x;A~*y",
      "A>1;#A<2",
      "A>1;A<9;A<8",
    ])
      bad(`iotdisco:${twice}`, /stands twice/);
    bad("iotdisco:A=1;A=2;KEY=k", /stands twice/);
    bad("iotdisco:JID=a%40b.example;JID=c%40d.example", /stands twice/);
    bad("iotdisco:A=1;KEY=k;R=a.example;R=b.example", /two registries/);
  });

  it("URI-DEC-08: 4096 characters, 64 terms, names of 64, values of 128 and PURL of 256, nothing that deceives the eye", () => {
    const fine = [
      `iotdisco:${"N".repeat(64)}=1`,
      `iotdisco:A=${"x".repeat(128)}`,
      `iotdisco:purl=${"x".repeat(256)}`,
      `iotdisco:${Array.from({ length: 64 }, (_, n) => `A${n}=1`).join(";")}`,
    ];
    for (const uri of fine) expect(() => decodeUri(uri)).not.toThrow();
    bad(`iotdisco:${"N".repeat(65)}=1`, /name/);
    bad(`iotdisco:A=${"x".repeat(129)}`, /longer than 128/);
    bad(`iotdisco:PURL=${"x".repeat(257)}`, /longer than 256/);
    bad(`iotdisco:${Array.from({ length: 65 }, (_, n) => `A${n}=1`).join(";")}`, /64 terms/);
    bad(`iotdisco:A=${"%41".repeat(1_400)}`, /4096 characters/);
    for (const hidden of ["%00", "%0A", "%7F", "%C2%85", "%E2%80%AE", "%E2%81%A6", "\u202e"])
      for (const uri of [
        `iotdisco:A=x${hidden}y`,
        `iotdisco:A${hidden}B=x`,
        `IoTDisco;A:x${decodeURIComponent(hidden)}y`,
      ])
        bad(uri, /control character|bad name/);
  });

  it("URI-DEC-09: the old text is read as it stands, and never written", () => {
    expect(decodeUri("IoTDisco;MAN:www.ktc.se;#V:1.0;A:100%25;KEY:a=b<c~d\\")).toMatchObject(
      claim([
        { name: "MAN", value: "www.ktc.se" },
        { name: "V", value: 1 },
        { name: "A", value: "100%25" },
        { name: "KEY", value: "a=b<c~d\\" },
      ]),
    );
    bad("IoTDisco;A", /value/);
    bad("IoTDisco;#V:x", /number/);
    expect(encodeClaim([{ name: "SN", value: "77" }], "k", "r.example")).toMatch(/^iotdisco:/);
    expect(encodeSearch([{ kind: "strEq", name: "SN", nameWildcard: undefined, value: "77" }])).toMatch(/^iotdisco:/);
  });

  it("URI-KIND-01: a KEY makes a claim, with a registry or without; with a condition it is nothing", () => {
    expect(decodeUri("iotdisco:CLASS=Valve;KEY=k")).toMatchObject({ kind: "claim", registry: undefined });
    expect(decodeUri("iotdisco:CLASS=Valve;KEY=k;R=r.example")).toMatchObject({ kind: "claim", registry: "r.example" });
    expect(decodeUri("iotdisco:CLASS=Valve;R=r.example")).toMatchObject({ kind: "search", registry: "r.example" });
    for (const uri of ["KEY<>k", "KEY~*k", "KEY>a;KEY<b", "#KEY=1", "KEY=k;CLASS~*V", "KEY=k;#V>1"])
      bad(`iotdisco:${uri}`, /claim with a search/);
  });

  it("URI-KIND-02: the registry is no tag of the thing, and an address only when it is a domain", () => {
    const uri = decodeUri("iotdisco:CLASS=Valve;r=Reg.Hub.Example;KEY=k");
    expect(uri).toMatchObject(
      claim(
        [
          { name: "CLASS", value: "Valve" },
          { name: "KEY", value: "k" },
        ],
        "reg.hub.example",
      ),
    );
    for (const address of ["a%40b.example", "b.example%2Fx", "b.example%20c", "-b.example", "%3Cb%3E", "b..example"])
      bad(`iotdisco:CLASS=Valve;KEY=k;R=${address}`, /R is not the address/);
    bad("iotdisco:CLASS=Valve;KEY=k;R~*example", /R is not the address/);
    bad("iotdisco:CLASS=Valve;KEY=k;#R=1", /R is not the address/);
  });

  it("URI-SRCH-04: a registry alone is no search", () => {
    bad("iotdisco:R=reg.hub.example", /nothing but a registry/);
    expect(() => encodeSearch([], "reg.hub.example")).toThrow(IotdiscoError);
    expect(decodeUri("iotdisco:A<>;R=reg.hub.example")).toMatchObject({ operators: [{ kind: "strNEq", value: "" }] });
  });

  it("URI-SEC-02: what is said of a bad code does not hold its KEY", () => {
    const key = "0123456789abcdef0123456789abcdef";
    for (const uri of [
      `iotdisco:CLASS=a;KEY=${key};KEY=${key}`,
      `iotdisco:CLASS<a;KEY=${key}`,
      `iotdisco:KEY=${key};R=evil%40x.example`,
      `iotdisco:KEY=${key}${"x".repeat(128)}`,
      `iotdisco:KEY=${key};`,
      `IoTDisco;KEY:${key};B`,
    ])
      try {
        decodeUri(uri);
        expect.unreachable(uri);
      } catch (error) {
        expect(String(error)).not.toContain(key.slice(0, 8));
      }
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
