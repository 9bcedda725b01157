// Properties of the XML room: pieces make no difference, formatted elements read back as they were, and no text at all gets
// more out of the parser than elements or a typed error.

import fc from "fast-check";
import { expect, it } from "vitest";
import { type Element, element, format } from "#xml/element.ts";
import { createParser, parse, type XmlLimits } from "#xml/parser.ts";
import { XmlError } from "#xml/tags.ts";

const limits: XmlLimits = { charsMax: 2_000, depthMax: 6, elementsMax: 30, attributesMax: 4 };
type Outcome = { events: unknown[]; error: string | undefined };

/** What a stream gives when it comes in these pieces. */
function feed(pieces: readonly string[], tooLarge: boolean): Outcome {
  const events: unknown[] = [];
  const parser = createParser(
    {
      opened: root => void events.push(["opened", root.name]),
      element: node => void events.push(node),
      closed: () => void events.push("closed"),
      ...(tooLarge && { tooLarge: (node: Element, why: string) => void events.push([node, why]) }),
    },
    limits,
    1,
  );
  try {
    for (const piece of pieces) parser.write(piece);
    return { events, error: undefined };
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return { events, error: error.kind };
  }
}

const cut = (text: string, at: readonly number[]): string[] => {
  const points = [...new Set(at.map(one => one % (text.length + 1)))].sort((a, b) => a - b);
  return [...points, text.length].map((end, index) => text.slice(points[index - 1] ?? 0, end));
};

const name = fc.constantFrom("a", "b", "message", "x-1", "é", "constructor", "__proto__", "名");
const ns = fc.constantFrom("", "urn:a", "urn:b&'<", "jabber:client");
const characters = fc.string({ unit: "binary", maxLength: 30 });
/** Texts that XML can carry: the others are replaced on the way out, which is another test. */
const carried = characters.map(one =>
  one.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF\uD800-\uDFFF]/gu, "?"),
);
const tree: fc.Arbitrary<Element> = fc.letrec<{ node: Element }>(tie => ({
  node: fc
    .record({
      name,
      ns,
      attrs: fc.dictionary(name, carried, { maxKeys: 3, noNullPrototype: false }),
      children: fc.array(fc.oneof({ depthSize: "small" }, carried, tie("node")), { maxLength: 4 }),
    })
    .map(({ children, ...one }) => element(one.name, one.ns, one.attrs, merged(children))),
})).node;

/** Neighbouring texts are one text. */
const merged = (children: readonly (Element | string)[]): (Element | string)[] => {
  const result: (Element | string)[] = [];
  for (const one of children) {
    const last = result.at(-1);
    if (typeof one === "string" && typeof last === "string") result[result.length - 1] = last + one;
    else if (one !== "") result.push(one);
  }
  return result;
};

const generous: XmlLimits = { charsMax: 1_000_000, depthMax: 200, elementsMax: 100_000, attributesMax: 64 };

/** Texts that are nearly XML. */
const fragment = fc.constantFrom(
  ..."< > / = ' \" & ; ! ? [ ] - : # x a".split(" "),
  ..." ,<a>,</a>,<a/>,<b x='1'>,</b>,&amp;,&#65;,&#x,<![CDATA[,]]>,<!--,<?xml version='1.0'?>,<s>,</s>,xmlns:p='u',<p:a/>,\u0001,🔥".split(
    ",",
  ),
);
/** Texts that are longer than an element may be, inside or outside of quotes and sections. */
const lengthy = fc.constantFrom(" ", "x", "'", '"', "/").map(one => one.repeat(limits.charsMax + 1));
const nearly = fc
  .array(fc.oneof({ weight: 30, arbitrary: fragment }, { weight: 1, arbitrary: lengthy }), { maxLength: 60 })
  .map(parts => `<s>${parts.join("")}`);

it("format then parse is the identity", () => {
  fc.assert(
    fc.property(tree, node => {
      expect(parse(format(node), generous)).toEqual(node);
    }),
    { numRuns: 500 },
  );
});

it("any text at all formats to XML, with what XML cannot carry replaced", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(one => String.fromCharCode(one)) }), any => {
      const node = parse(format(element("a", "urn:a", { x: any }, [any])));
      expect(node.attrs.x).toBe(node.children.join(""));
      expect(node.attrs.x).toHaveLength(any.length);
    }),
    { numRuns: 500 },
  );
});

it("pieces of any size give what one piece gives", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        nearly,
        fc.array(tree, { maxLength: 4 }).map(list => `<s>${list.map(one => format(one)).join("\n ")}</s>`),
      ),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.boolean(),
      (text, at, tooLarge) => {
        const whole = feed([text], tooLarge);
        for (const pieces of [cut(text, at), [...text]]) {
          const { events, error } = feed(pieces, tooLarge);
          expect(events).toEqual(whole.events);
          // What is both too long and wrong is refused for what shows first.
          if (error !== whole.error) expect([error, whole.error].sort()).toEqual(["limit", "not-well-formed"]);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

it("any text gives elements or an XmlError, never anything else", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), nearly), fc.boolean(), (text, tooLarge) => {
      feed([text], tooLarge);
      try {
        parse(text);
      } catch (error) {
        expect(error).toBeInstanceOf(XmlError);
      }
    }),
    { numRuns: 2_000 },
  );
});

it("what is read is within the limits", () => {
  const depth = (node: Element): number =>
    1 + Math.max(0, ...node.children.map(one => (typeof one === "string" ? 0 : depth(one))));
  const count = (node: Element): number =>
    node.children.reduce((sum, one) => sum + (typeof one === "string" ? 0 : count(one)), 1);
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 3 }), list => {
      const { events } = feed([`<s>${list.map(one => format(one)).join("")}</s>`], true);
      for (const event of events) {
        if (typeof event !== "object" || event === null || !("children" in event)) continue;
        expect(depth(event as Element)).toBeLessThan(limits.depthMax);
        expect(count(event as Element)).toBeLessThanOrEqual(limits.elementsMax);
      }
    }),
    { numRuns: 300 },
  );
});
