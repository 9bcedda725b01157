// Every element as it goes over the wire, beside what it means: each pair of test/cases is read and written in all three
// generations. `$NS` is the namespace of the interface; a name ending in `.in` is read only (leniency towards others).

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { namespaces } from "#iot/generations.ts";
import { type Element, format, isElement } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { families, isCodec } from "./wire-files.ts";

const folder = join(import.meta.dirname, "../../cases");

/** int64 stands as "123n", since JSON has no integers of that size; octets as "octets:" and hexadecimal digits. */
const revive = (_key: string, value: unknown) => {
  if (typeof value !== "string") return value;
  if (/^-?\d+n$/.test(value)) return BigInt(value.slice(0, -1));
  return value.startsWith("octets:") ? Uint8Array.from(Buffer.from(value.slice(7), "hex")) : value;
};

/** Without the white space that only lays the file out. */
const compact = (node: Element): Element => ({
  ...node,
  children: node.children
    .filter(one => isElement(one) || !/^\s*\n\s*$/.test(one))
    .map(one => (isElement(one) ? compact(one) : one)),
});

/** Attributes in any order, absent ones left out. */
const sorted = (node: Element): unknown => ({
  name: node.name,
  ns: node.ns,
  attrs: Object.fromEntries(Object.entries(node.attrs).sort(([a], [b]) => (a < b ? -1 : 1))),
  children: node.children.map(one => (isElement(one) ? sorted(one) : one)),
});

for (const [name, { module, family }] of Object.entries(families)) {
  const files = readdirSync(join(folder, name)).filter(file => file.endsWith(".xml"));
  const seen = new Set<string>();

  describe(`cases of ${name}`, () => {
    for (const file of files) {
      const text = readFileSync(join(folder, name, file), "utf8");
      const json = readFileSync(join(folder, name, file.replace(/\.xml$/, ".json")), "utf8");
      const { codec: codecName, value } = JSON.parse(json, revive) as { codec: string; value: unknown };
      const codec = module[codecName];
      if (!isCodec(codec)) throw new Error(`${name}/${file}: no codec ${codecName}`);
      seen.add(codecName);
      for (const ns of family === undefined ? [""] : namespaces(family)) {
        const xml = compact(parse(text.replaceAll("$NS", ns)));
        it(`COM-NS-01: ${file} is read in ${ns === "" ? xml.ns : ns}`, () => {
          expect(codec.name).toBe(xml.name);
          expect(codec.decode(xml)).toEqual(value);
        });
        if (file.endsWith(".in.xml")) continue;
        it(`COM-NS-02: ${file} is written in ${ns === "" ? xml.ns : ns}`, () => {
          const written = parse(format(codec.encode(value, xml.ns)));
          expect(sorted(written)).toEqual(sorted(xml));
        });
      }
    }

    it("every element has a case", () => {
      const codecs = Object.keys(module).filter(key => isCodec(module[key]));
      // Alone they are parts of other elements, with cases there.
      const parts = ["dataSource", "identity"];
      expect(codecs.filter(key => !seen.has(key) && !parts.includes(key))).toEqual([]);
    });
  });
}
