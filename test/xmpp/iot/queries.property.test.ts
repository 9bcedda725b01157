// Whatever a report says, and whatever is overheard, is read as it was written in all three generations; and whatever comes over
// the wire in their place is a value or a `WireError`, never more.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Cell } from "#contract/report.ts";
import { namespaces } from "#iot/generations.ts";
import { type ProgressItem, queryProgress } from "#iot/queries.wire.ts";
import { sniff } from "#iot/sniffers.wire.ts";
import { WireError } from "#xml/codec.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { formattedBytes } from "#xml/size.ts";
import * as any from "./arbitraries.ts";

const text = any.name;
const id = any.name.filter(one => one !== "" && one.length <= 1024);
const octets = fc.uint8Array({ maxLength: 40 });
const moment = any.moment;
const finite = fc
  .double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 })
  .map(value => (value === 0 ? 0 : value));

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant({ kind: "void" as const }),
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("int" as const), value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }),
  fc.record({ kind: fc.constant("long" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ kind: fc.constant("double" as const), value: finite }),
  fc.record({ kind: fc.constant("string" as const), value: text }),
  fc.record({ kind: fc.constant("dateTime" as const), value: moment }),
  fc.record({ kind: fc.constant("base64" as const), contentType: text, value: octets }),
  fc.record({
    kind: fc.constant("quantity" as const),
    value: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    decimals: fc.integer({ min: 0, max: 6 }),
    unit: text,
  }),
  fc.record({ kind: fc.constant("measurement" as const), value: finite, unit: text, error: finite }),
);

const item: fc.Arbitrary<ProgressItem> = fc.oneof(
  fc.constantFrom<ProgressItem>({ kind: "started" }, { kind: "done" }, { kind: "aborted" }, { kind: "endSection" }),
  fc.record({ kind: fc.constantFrom("title" as const, "status" as const), text }),
  fc.record({ kind: fc.constant("beginSection" as const), header: text }),
  fc.record({ kind: fc.constant("tableDone" as const), tableId: id }),
  fc.record({
    kind: fc.constant("newTable" as const),
    tableId: id,
    title: text,
    columns: fc.array(
      fc.record({
        columnId: id,
        header: fc.option(
          text.filter(one => one !== ""),
          { nil: undefined },
        ),
        source: fc.constant(undefined),
        partition: fc.constant(undefined),
        foreground: fc.constantFrom(undefined, "FF8000"),
        background: fc.constant(undefined),
        alignment: fc.constantFrom(undefined, "Left" as const, "Center" as const, "Right" as const),
        decimals: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
      }),
      { maxLength: 4 },
    ),
  }),
  fc.record({
    kind: fc.constant("newRecords" as const),
    tableId: id,
    records: fc.array(fc.array(cell, { maxLength: 5 }), { maxLength: 4 }),
  }),
  fc.record({ kind: fc.constant("newObject" as const), contentType: text, content: octets }),
  fc.record({
    kind: fc.constant("message" as const),
    type: fc.constantFrom("Information" as const, "Warning" as const, "Error" as const, "Exception" as const),
    level: fc.constantFrom("Minor" as const, "Medium" as const, "Major" as const),
    text,
  }),
);

const heard = fc.oneof(
  fc.record({ kind: fc.constantFrom("rxBin" as const, "txBin" as const), bytes: octets }),
  fc.record({
    kind: fc.constantFrom("rx" as const, "tx" as const, "info" as const, "warning" as const, "error" as const),
    text,
  }),
  fc.constant({ kind: "expired" as const }),
);

for (const ns of namespaces("concentrator")) {
  describe(`properties in ${ns}`, () => {
    it("CON-QP-03, -05: any report is read as it was written, and is never longer than it was measured", () => {
      const progress = fc.record({
        ref: fc.record({ nodeId: id, sourceId: fc.constantFrom("", "plant"), partition: fc.constantFrom("", "north") }),
        queryId: id,
        seqNr: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        items: fc.array(item, { maxLength: 6 }),
      });
      fc.assert(
        fc.property(progress, value => {
          const written = queryProgress.encode(value, ns);
          expect(queryProgress.decode(parse(format(written)))).toEqual(value);
          expect(new TextEncoder().encode(format(written)).length).toBeLessThanOrEqual(formattedBytes(written));
        }),
        { numRuns: 300 },
      );
    });

    it("CON-SNIFF-07: what is overheard is read as it was written", () => {
      fc.assert(
        fc.property(id, moment, fc.array(heard, { maxLength: 8 }), (snifferId, at, items) => {
          const value = { snifferId, at, items };
          expect(sniff.decode(parse(format(sniff.encode(value, ns))))).toEqual(value);
        }),
        { numRuns: 300 },
      );
    });

    it("any element in their place is a value or a WireError", () => {
      const names = [
        "newRecords",
        "record",
        "quantity",
        "int",
        "base64",
        "rxBin",
        "newTable",
        "column",
        "queryMessage",
        "x",
      ];
      const attributes = fc.dictionary(
        fc.constantFrom(
          "id",
          "queryId",
          "seqNr",
          "tableId",
          "m",
          "u",
          "e",
          "contentType",
          "type",
          "snifferId",
          "timestamp",
        ),
        fc.string({ maxLength: 6 }),
        { maxKeys: 4 },
      );
      const { tree } = fc.letrec<{ tree: Element }>(tie => ({
        tree: fc
          .tuple(
            fc.constantFrom(...names),
            attributes,
            fc.array(fc.oneof({ maxDepth: 3 }, fc.string({ maxLength: 5 }), tie("tree")), { maxLength: 3 }),
          )
          .map(([name, attrs, children]) => element(name, ns, attrs, children as (Element | string)[])),
      }));
      fc.assert(
        fc.property(tree, node => {
          for (const codec of [queryProgress, sniff]) {
            try {
              codec.decode({ ...node, name: codec.name });
            } catch (error) {
              expect(error).toBeInstanceOf(WireError);
            }
          }
        }),
        { numRuns: 500 },
      );
    });
  });
}
