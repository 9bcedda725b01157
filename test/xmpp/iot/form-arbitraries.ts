// Forms and answers as fast-check makes them: well formed, and as strange as XML allows.

import fc from "fast-check";
import { type Datatype, type FilledFieldKind, type Form, filledField } from "#contract/filled-form.ts";
import type { SubmissionOnWire } from "#iot/data-form.wire.ts";
import type { Element } from "#xml/element.ts";

/** What XML carries unchanged. */
const text = fc.string({ unit: "grapheme", maxLength: 12 }).map(one => one.replace(/[^\P{C}\n]|\uFFFE|\uFFFF/gu, ""));
const name = text.filter(one => one !== "" && one !== "FORM_TYPE" && one !== "xdd session" && !one.includes("\n"));
const line = text.map(one => one.replaceAll("\n", ""));

const fieldNames = fc.constantFrom(
  ...[
    "NodeId",
    "Name",
    "Registered",
    "HistoryDays",
    "ROOM",
    "LAT",
    "fields",
    "latencyMs",
    "failing",
    "pollSeconds",
    "timeoutMs",
  ],
  ...[
    "host",
    "port",
    "password",
    "password.clear",
    "min",
    "max",
    "decimals",
    "fieldName",
    "kind",
    "address",
    "key",
    "baudRate",
  ],
);
const values = fc.oneof(
  fc.constantFrom(
    "",
    "0",
    "1",
    "-1",
    "7",
    "3.5",
    "true",
    "no",
    "abc",
    "127.0.0.1",
    "2400",
    "silent",
    "new",
    "a",
    "1e99",
  ),
  text,
);

/** Names known and unknown, values likely and not, one or several, a name perhaps twice. */
export const answers: fc.Arbitrary<SubmissionOnWire> = fc.record({
  type: fc.constant("submit" as const),
  session: fc.constantFrom("", "0".repeat(32)),
  fields: fc.array(
    fc.record({
      name: fc.oneof({ arbitrary: fieldNames, weight: 9 }, { arbitrary: name, weight: 1 }),
      values: fc.oneof(
        { arbitrary: fc.tuple(values), weight: 9 },
        { arbitrary: fc.array(values, { minLength: 1, maxLength: 3 }), weight: 1 },
      ),
    }),
    { maxLength: 5 },
  ),
});

/** Answers that a simulated meter or line takes, under one of a few names. */
export const likelyAnswers: fc.Arbitrary<SubmissionOnWire> = fc
  .record(
    {
      NodeId: fc.constantFrom("a", "b", "c", "d", "e", "new"),
      Name: line,
      Registered: fc.constantFrom("true", "0", ""),
      HistoryDays: fc.constantFrom("", "30"),
      ROOM: line,
      LAT: fc.constantFrom("", "59.3", "-0.5"),
      fields: fc.constantFrom("", "1", "500"),
      pollSeconds: fc.constantFrom("0", "60", "-1"),
    },
    { requiredKeys: [] },
  )
  .map(given => ({
    type: "submit" as const,
    session: "",
    fields: Object.entries(given).map(([key, value]) => ({ name: key, values: [value] })),
  }));

const datatypes: Datatype[] = ["string", "int", "long", "double", "date", "dateTime", "duration", "uri", "language"];

const field = fc
  .record({
    name,
    label: line,
    description: text,
    kind: fc.constantFrom<FilledFieldKind>("text", "lines", "secret", "choice", "choices", "jid"),
    datatype: fc.constantFrom(...datatypes),
    values: fc.array(
      text.filter(one => one !== ""),
      { maxLength: 2 },
    ),
    options: fc.array(fc.record({ value: text, label: line }), { maxLength: 3 }),
    bound: fc.constantFrom("range", "regex", "open", "basic"),
    required: fc.boolean(),
    readOnly: fc.boolean(),
    notSame: fc.boolean(),
    postBack: fc.boolean(),
    error: text,
  })
  .map(({ bound, ...one }) =>
    filledField({
      ...one,
      ...(bound === "range" ? { min: "1", max: "9" } : {}),
      ...(bound === "regex" ? { pattern: "^[a-z]+$" } : {}),
      open: bound === "open",
    }),
  );

export const filledForm: fc.Arbitrary<Form> = fc
  .record({
    title: text,
    instructions: fc.array(text, { maxLength: 2 }),
    session: fc.constantFrom("", "b194"),
    fields: fc.uniqueArray(field, { selector: one => one.name, maxLength: 6 }),
    pages: fc.boolean(),
  })
  .map(({ pages, fields, ...form }) => ({
    ...form,
    // One page is as good as none, and is not written.
    fields: pages && fields.length > 1 ? fields.map((one, at) => ({ ...one, page: `Page ${at % 2}` })) : fields,
  }));

/** Any tree of the names forms are made of, in any order and namespace. */
export const element: fc.Arbitrary<Element> = fc.letrec<{ node: Element }>(tie => ({
  node: fc.record({
    name: fc.constantFrom(
      "x",
      "field",
      "value",
      "option",
      "validate",
      "range",
      "page",
      "section",
      "fieldref",
      "error",
      "pGroup",
      "title",
    ),
    ns: fc.constantFrom(
      "jabber:x:data",
      "http://jabber.org/protocol/xdata-validate",
      "urn:xmpp:xdata:dynamic",
      "urn:x",
    ),
    attrs: fc.dictionary(fc.constantFrom("type", "var", "label", "datatype", "min", "max", "n"), line, { maxKeys: 4 }),
    children: fc.array(fc.oneof({ maxDepth: 4 }, text, tie("node")), { maxLength: 4 }),
  }),
})).node;
