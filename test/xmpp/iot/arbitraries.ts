// Values of the field's words, as fast-check makes them up.

import fc from "fast-check";
import {
  type Categories,
  categoriesOfMask,
  categoryNames,
  type Field,
  type FieldValue,
  type Quality,
  qualityNames,
  type Reading,
} from "#contract/field.ts";
import type { NodeRef } from "#contract/node.ts";

/** Characters XML can carry, white space and the special ones among them. */
export const xmlText: fc.Arbitrary<string> = fc
  .string({ unit: "binary", maxLength: 24 })
  .map(text => text.toWellFormed().replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, ""));
export const name: fc.Arbitrary<string> = xmlText.filter(text => text !== "");

export const nodeRef: fc.Arbitrary<NodeRef> = fc.record({ nodeId: name, sourceId: xmlText, partition: xmlText });

export const categories: fc.Arbitrary<Categories> = fc
  .integer({ min: 0, max: 2 ** categoryNames.length - 1 })
  .map(categoriesOfMask);
export const quality: fc.Arbitrary<Quality> = fc
  .subarray([...qualityNames])
  .map(names => Object.fromEntries(names.map(one => [one, true as const])));

/** Years 1 to 9999. */
export const moment: fc.Arbitrary<number> = fc.integer({
  min: Date.parse("0001-01-01T00:00:00Z"),
  max: Date.parse("9999-12-31T23:59:59.999Z"),
});
const two = (most: number) => fc.integer({ min: 0, max: most }).map(number => String(number).padStart(2, "0"));
const date = moment.map(at => new Date(at).toISOString().slice(0, 10));
const time = fc.tuple(two(23), two(59), two(59)).map(parts => parts.join(":"));
const duration = fc.tuple(fc.nat(99), fc.nat(99), fc.nat(59)).map(([d, h, s]) => `P${d}DT${h}H${s}S`);

/** A number that is exactly what its decimals say. */
const decimal = fc
  .record({ value: fc.double({ noNaN: true, noDefaultInfinity: true }), decimals: fc.integer({ min: 0, max: 12 }) })
  .map(({ value, decimals }) => ({ value: Number((value % 1e15).toFixed(decimals)) + 0, decimals }));

export const fieldValue: fc.Arbitrary<Exclude<FieldValue, { kind: "missing" }>> = fc.oneof(
  fc.tuple(decimal, xmlText).map(([number, unit]) => ({ kind: "quantity" as const, ...number, unit })),
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant("int32" as const), value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) }),
  fc.record({ kind: fc.constant("int64" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ kind: fc.constant("string" as const), value: xmlText }),
  fc.record({ kind: fc.constant("date" as const), value: date }),
  fc.record({ kind: fc.constant("time" as const), value: time }),
  fc.record({ kind: fc.constant("duration" as const), value: duration }),
  fc.record({ kind: fc.constant("dateTime" as const), value: moment }),
  fc.record({ kind: fc.constant("enum" as const), value: xmlText, type: xmlText }),
);

export const field: fc.Arbitrary<Field> = fc
  .record({ name, value: fieldValue, categories, quality, writable: fc.boolean() })
  .map(({ writable, ...rest }) => (writable ? { ...rest, writable } : rest));

export const reading: fc.Arbitrary<Reading> = fc.oneof(
  fc.record({
    kind: fc.constant("reading" as const),
    node: nodeRef,
    at: moment,
    fields: fc.array(field, { minLength: 1, maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant("fault" as const), node: nodeRef, at: moment, message: name }),
);
