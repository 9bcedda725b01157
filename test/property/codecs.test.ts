// Whatever an element is read as is written and read again as the same, in all three generations: made of each case of
// test/cases, with its attributes, texts and children changed at random into what may or may not be read.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namespaces } from "#iot/generations.ts";
import { type Codec, WireError } from "#xml/codec.ts";
import { type Element, element, format, isElement } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { xmlText } from "../xmpp/iot/arbitraries.ts";
import { families, isCodec } from "../xmpp/iot/wire-files.ts";

const folder = join(import.meta.dirname, "../cases");

/** What stands somewhere in these interfaces: mostly read somewhere, seldom everywhere. */
const lexical = fc.oneof(
  xmlText,
  fc.constantFrom("", "0", "1", "-7", "12.30", "1e3", "true", "false", "yes", "2147483648", "9223372036854775807"),
  fc.constantFrom("2031-03-02", "2031-03-02T05:00:00.000Z", "2031-03-02T05:00:00.1234567+01:00", "23:59:59.5", "PT0S"),
  fc.constantFrom("P1DT2H", "-PT1.5S", "FF0000", "ff000080", "AQID", "owner@city.example", "urn:x", "Signed", "Error"),
);

type Change = readonly [where: number, how: "attribute" | "text" | "leave out" | "twice" | "turn", value: string];
const change: fc.Arbitrary<Change> = fc.tuple(
  fc.nat(1_000),
  fc.oneof(
    { weight: 6, arbitrary: fc.constant("attribute" as const) },
    { weight: 2, arbitrary: fc.constant("text" as const) },
    { weight: 1, arbitrary: fc.constantFrom("leave out" as const, "twice" as const, "turn" as const) },
  ),
  lexical,
);

const every = (node: Element): Element[] => [node, ...node.children.filter(isElement).flatMap(every)];

/** The same tree with one place changed; the names of elements and attributes stay. */
function changed(root: Element, [where, how, value]: Change): Element {
  const places = every(root);
  const place = places[where % places.length] as Element;
  const inPlace = (node: Element): Element => {
    if (node !== place) return { ...node, children: node.children.map(one => (isElement(one) ? inPlace(one) : one)) };
    const names = Object.keys(node.attrs);
    const name = names[where % Math.max(1, names.length)];
    switch (how) {
      case "attribute":
        return name === undefined ? node : element(node.name, node.ns, { ...node.attrs, [name]: value }, node.children);
      case "text":
        return node.children.some(isElement) ? node : { ...node, children: value === "" ? [] : [value] };
      case "leave out":
        return name === undefined || where % 2 === 0
          ? { ...node, children: node.children.slice(1) }
          : element(node.name, node.ns, { ...node.attrs, [name]: undefined }, node.children);
      case "twice":
        return { ...node, children: [...node.children, ...node.children] };
      case "turn":
        return { ...node, children: node.children.toReversed() };
    }
  };
  return inPlace(root);
}

/**
 * Read more generously than written, and the same from the second time on: a field of a submission without a value is one with
 * an empty value, a list of no names has no wrapper, and a level of the log that nobody knows is taken for a known one.
 */
const settling =
  /^(set-(common-)?node-parameters-after-edit|create-new-node|submission|post-back|give-up|canControl|log\.)/;
/** What could not be read of it is kept to be told, and is never written. */
const isFaulty = (value: unknown): boolean => {
  const { values } = value as { values?: { faults?: readonly unknown[] } };
  return (values?.faults?.length ?? 0) > 0;
};

const read = <T>(codec: Codec<T>, node: Element): T | undefined => {
  try {
    return codec.decode(node);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
};

for (const [name, { module, family }] of Object.entries(families)) {
  describe(`COM-NS-01, COM-LEX-07: elements of ${name}`, () => {
    // What is only read may be written otherwise.
    for (const file of readdirSync(join(folder, name)).filter(one => /(?<!\.in)\.xml$/.test(one))) {
      const text = readFileSync(join(folder, name, file), "utf8");
      const { codec: codecName } = JSON.parse(
        readFileSync(join(folder, name, file.replace(/\.xml$/, ".json")), "utf8"),
      );
      const codec = module[codecName];
      if (!isCodec(codec)) throw new Error(`${name}/${file}: no codec ${codecName}`);
      const generations = family === undefined ? [""] : namespaces(family);

      it(`are written as they were read: ${file}`, () => {
        let taken = 0;
        fc.assert(
          fc.property(fc.array(change, { maxLength: 4 }), fc.nat(), (changes, which) => {
            const ns = generations[which % generations.length] as string;
            const node = parse(format(changes.reduce(changed, parse(text.replaceAll("$NS", ns)))));
            const first = read(codec, node);
            if (first === undefined || isFaulty(first)) return;
            taken++;
            const again = (value: unknown, other: string) =>
              codec.decode(parse(format(codec.encode(value, other === "" ? node.ns : other))));
            const value = settling.test(file) ? again(first, ns) : first;
            for (const other of generations) expect(again(value, other)).toEqual(value);
          }),
          { numRuns: 150, seed: 20_261_120 },
        );
        expect(taken).toBeGreaterThan(10);
      });
    }
  });
}
