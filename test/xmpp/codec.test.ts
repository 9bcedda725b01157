// The combinators one by one, and any described value through the wire and back.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as wire from "#xml/codec.ts";
import { WireError } from "#xml/codec.ts";
import { element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { boolean, dateTime, double, identifier, int32, int64, oneOf, text, words } from "#xml/scalars.ts";

const ns = "urn:test";
const point = wire.element("pt", { x: wire.attr("x", int32), note: wire.optional("note", text) });
const circle = wire.element("circle", { r: wire.attr("r", double) });
const dot = wire.element("dot", { x: wire.attr("x", int32) });
const label = wire.element("label", { words: wire.body(text) });
const all = wire.element("all", {
  id: wire.attr("id", identifier),
  big: wire.optional("big", int64),
  mode: wire.attrOr("mode", oneOf("fast", "slow"), "slow"),
  at: wire.optional("at", dateTime),
  flags: wire.flags({ momentary: "m", peak: "p" }),
  tokens: wire.mapped(
    wire.optional("tokens", words),
    value => value ?? [],
    value => (value.length === 0 ? undefined : value),
  ),
  points: wire.many(point),
  centre: wire.maybe(circle),
  shapes: wire.mixed({ dot, label }),
  done: wire.present("done"),
  form: wire.foreign("x", "jabber:x:data"),
});
type All = wire.Value<typeof all>;

const pathOf = (work: () => unknown): string => {
  try {
    work();
    return "accepted";
  } catch (error) {
    if (error instanceof WireError) return error.path;
    throw error;
  }
};
const decode = (xml: string) => all.decode(parse(xml.replace("<all", `<all xmlns='${ns}'`)));

describe("codecs", () => {
  it("say where the fault is", () => {
    expect(pathOf(() => decode("<all/>"))).toBe("all@id");
    expect(pathOf(() => decode("<all id=''/>"))).toBe("all@id");
    expect(pathOf(() => decode("<all id='1' mode='medium'/>"))).toBe("all@mode");
    expect(pathOf(() => decode("<all id='1' m='perhaps'/>"))).toBe("all@m");
    expect(pathOf(() => decode("<all id='1'><pt x='1'/><pt x='one'/></all>"))).toBe("all/pt[2]@x");
    expect(pathOf(() => decode("<all id='1'><circle r='1'/><circle r='2'/></all>"))).toBe("all/circle");
    expect(pathOf(() => decode("<all id='1'><circle r='NaN'/></all>"))).toBe("all/circle@r");
    expect(pathOf(() => wire.element("e", { c: wire.one(circle) }).decode(element("e", ns)))).toBe("e/circle");
  });

  it("are deaf to what they do not know, and to the known in another namespace", () => {
    const value = decode(
      "<all id='1' new='2'><newer/><pt xmlns='urn:other' x='nonsense'/>text<pt x='7'/><done xmlns='urn:other'/></all>",
    );
    expect(value.points).toEqual([{ x: 7, note: undefined }]);
    expect(value.done).toBe(false);
  });

  it("write no defaults and nothing that is absent", () => {
    const value = decode("<all id='1' mode='slow' m='false' big='' note=''/>");
    expect(format(all.encode(value, ns))).toBe(`<all xmlns='${ns}' id='1'/>`);
  });

  it("one description serves every namespace", () => {
    const value = decode("<all id='1'><pt x='1'/><done/></all>");
    expect(format(all.encode(value, "urn:other"))).toBe("<all xmlns='urn:other' id='1'><pt x='1'/><done/></all>");
  });

  it("any value comes back as it was", () => {
    const words_ = fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: 3 });
    const whole = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const shape = fc.oneof(
      fc.record({ kind: fc.constant("dot" as const), x: whole }),
      fc.record({ kind: fc.constant("label" as const), words: fc.string({ unit: "grapheme" }) }),
    );
    const value: fc.Arbitrary<All> = fc.record({
      id: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      big: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: undefined }),
      mode: fc.constantFrom("fast", "slow"),
      at: fc.option(fc.integer({ min: 0, max: 253_402_300_799_999 }), { nil: undefined }),
      flags: fc.record({ momentary: fc.boolean(), peak: fc.boolean() }),
      tokens: words_,
      points: fc.array(fc.record({ x: whole, note: fc.constantFrom(undefined, "n") }), { maxLength: 3 }),
      centre: fc.option(fc.record({ r: fc.double({ noNaN: true, noDefaultInfinity: true }).map(one => one || 0) }), {
        nil: undefined,
      }),
      shapes: fc.array(shape, { maxLength: 3 }),
      done: fc.boolean(),
      form: fc.option(fc.constant(element("x", "jabber:x:data", { type: "form" })), { nil: undefined }),
    });
    fc.assert(
      fc.property(value, any => {
        expect(all.decode(parse(format(all.encode(any, ns))))).toEqual(any);
      }),
      { numRuns: 500 },
    );
  });

  it("any element decodes to a value or a WireError", () => {
    const attrs = fc.dictionary(fc.constantFrom("id", "big", "mode", "at", "m", "x", "r"), fc.string(), { maxKeys: 4 });
    const part = fc
      .tuple(fc.constantFrom("pt", "circle", "label", "done", "x"), attrs)
      .map(([name, values]) => element(name, ns, values));
    fc.assert(
      fc.property(attrs, fc.array(part), (values, children) => {
        pathOf(() => all.decode(element("all", ns, values, children)));
      }),
      { numRuns: 1_000 },
    );
  });

  it("booleans as people write them", () => {
    expect(boolean.parse(" YES ")).toBe(true);
    expect(decode("<all id='1' m='1' p='off'/>").flags).toEqual({ momentary: true, peak: false });
  });
});
