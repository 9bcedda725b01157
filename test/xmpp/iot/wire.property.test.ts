// Whatever the field says survives the wire in all three generations, and whatever comes over the wire is a value or a
// `WireError`, never more.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import * as control from "#iot/control.wire.ts";
import * as events from "#iot/events.wire.ts";
import { type SampleOnWire, timestamp } from "#iot/fields.wire.ts";
import { createFragments } from "#iot/fragments.ts";
import { namespaces } from "#iot/generations.ts";
import { request, response } from "#iot/sensor-data.wire.ts";
import * as sourceEvents from "#iot/source-events.wire.ts";
import { WireError } from "#xml/codec.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { formattedBytes } from "#xml/size.ts";
import * as any from "./arbitraries.ts";

const utf8Length = (text: string) => new TextEncoder().encode(text).length;

for (const ns of namespaces("sensorData")) {
  describe(`properties in ${ns}`, () => {
    it("SD-RESP-09: every field value is read as it was written", () => {
      fc.assert(
        fc.property(
          fc.array(any.field, { maxLength: 8 }),
          fc.array(any.name, { maxLength: 3 }),
          any.moment,
          (fields, errors, at) => {
            const sample: SampleOnWire = { at, fields, errors };
            expect(timestamp.decode(parse(format(timestamp.encode(sample, ns))))).toEqual(sample);
          },
        ),
        { numRuns: 500 },
      );
    });

    it("SD-RESP-10: what has no value is an error that names the field, never a value", () => {
      const valueless = fc.oneof(
        fc.record({ kind: fc.constant("missing" as const), reason: any.name }),
        fc
          .constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
          .map(value => ({ kind: "quantity" as const, value, decimals: 1, unit: "kWh" })),
        fc.constantFrom(Number.NaN, 9e15).map(value => ({ kind: "dateTime" as const, value })),
        fc.constantFrom(0.5, 2 ** 31, Number.NaN).map(value => ({ kind: "int32" as const, value })),
        fc.constant({ kind: "int64" as const, value: 2n ** 63n }),
      );
      fc.assert(
        fc.property(any.field, valueless, (field, value) => {
          const read = timestamp.decode(
            parse(format(timestamp.encode({ at: 0, fields: [{ ...field, value }], errors: [] }, ns))),
          );
          expect(read.fields).toEqual([]);
          expect(read.errors).toHaveLength(1);
          expect(read.errors[0]?.startsWith(`${field.name}: `)).toBe(true);
        }),
      );
    });

    it("SD-RESP-02, -05, -06, COM-STZ-09: fragments stay below their bound, stand alone and lose nothing", () => {
      fc.assert(
        fc.property(
          fc.array(any.reading, { maxLength: 30 }),
          fc.integer({ min: 2_000, max: 8_000 }),
          (readings, bytesMax) => {
            const fragments = createFragments("r<'1'>", ns, bytesMax);
            const pieces: Element[] = readings.flatMap(one => fragments.add(one));
            pieces.push(fragments.take(false));
            for (const piece of pieces)
              expect(utf8Length(format(piece, "jabber:client"))).toBeLessThanOrEqual(bytesMax);
            const read = pieces.map(piece => response.decode(parse(format(piece))));
            expect(read.map(({ more }) => more)).toEqual(pieces.map((_, index) => index < pieces.length - 1));
            for (const one of read) {
              expect(one.samples).toEqual([]);
              for (const { samples } of one.nodes) {
                expect(samples.map(({ at }) => at)).toEqual(samples.map(({ at }) => at).toSorted((a, b) => a - b));
              }
            }
            const told = read.flatMap(({ nodes }) =>
              nodes.flatMap(({ ref, samples }) =>
                samples.flatMap(({ at, fields, errors }) => [...fields, ...errors].map(said => item(ref, at, said))),
              ),
            );
            const meant = readings.flatMap(one =>
              one.kind === "fault"
                ? [item(one.node, one.at, one.message)]
                : one.fields.map(said => item(one.node, one.at, said)),
            );
            expect(told.toSorted()).toEqual(meant.toSorted());
          },
        ),
      );
    });
  });
}

/** One said thing as a text that does not depend on the order of properties. */
const item = (node: NodeRef, at: number, said: unknown): string =>
  JSON.stringify([nodeKey(node), at, said], (_key, value) => {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });

describe("hostile input", () => {
  /** Elements of the right names with attributes of any text. */
  const anyElement = (names: string[], attrs: string[]): fc.Arbitrary<Element> =>
    fc.letrec<{ node: Element }>(tie => ({
      node: fc
        .record({
          name: fc.constantFrom(...names),
          attrs: fc.dictionary(
            fc.constantFrom(...attrs),
            fc.oneof(any.xmlText, fc.constantFrom("true", "1", "2031-03-02", "")),
            {
              noNullPrototype: false,
            },
          ),
          children: fc.array(fc.oneof({ depthSize: "small", maxDepth: 3 }, any.xmlText, tie("node")), { maxLength: 4 }),
        })
        .map(({ name, attrs, children }) => element(name, "urn:x", attrs, children)),
    })).node;

  const sensorNames = ["req", "resp", "nd", "ts", "f", "q", "s", "b", "d", "dt", "dr", "e", "i", "l", "t", "err", "x"];
  const attributes = [
    "id",
    "src",
    "pt",
    "n",
    "v",
    "u",
    "t",
    "m",
    "h",
    "ar",
    "all",
    "from",
    "to",
    "when",
    "more",
    "st",
    "ctr",
    "by",
    "dn",
    "minInt",
    "maxAge",
    "ttl",
    "ts",
    "state",
    "hasChildren",
    "getEventsSince",
    "nodeAdded",
  ];

  const read = [request, response, control.set, control.parameterError, events.subscribe, events.unsubscribe];
  const sourced = [sourceEvents.subscribe, sourceEvents.nodeAdded, sourceEvents.nodeUpdated, sourceEvents.nodeRemoved];
  for (const codec of [...read, ...sourced, sourceEvents.nodeStatusChanged]) {
    it(`COM-LEX-07: ${codec.name} is read or refused with a path`, () => {
      fc.assert(
        fc.property(anyElement([...sensorNames, "set", "cl", "db"], attributes), node => {
          try {
            codec.decode(node);
          } catch (error) {
            expect(error).toBeInstanceOf(WireError);
          }
        }),
        { numRuns: 500 },
      );
    });
  }

  it("COM-STZ-09: the measured length is never less than the written one", () => {
    fc.assert(
      fc.property(anyElement(sensorNames, attributes), node => {
        expect(utf8Length(format(node))).toBeLessThanOrEqual(formattedBytes(node));
      }),
    );
  });
});
