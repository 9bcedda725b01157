// The progress of a query: Concentrator.xsd, queryProgress, with `seqNr`, which the schema forgets and other clients need
// (section 7 of the concentrator interface, CON-DIS-03).

import type { Cell, Column, ReportMessageLevel, ReportMessageType } from "#contract/report.ts";
import {
  attr,
  attrOr,
  body,
  type Codec,
  content,
  element,
  group,
  many,
  mixed,
  optional,
  type Part,
  type ShapeValue,
} from "#xml/codec.ts";
import { type Element, elements, noAttributes } from "#xml/element.ts";
import {
  base64,
  boolean,
  color,
  date,
  dateTime,
  decimal,
  double,
  duration,
  identifier,
  int32,
  int64,
  oneOf,
  positive,
  type Scalar,
  text,
  time,
  unsigned,
} from "#xml/scalars.ts";
import { nodeAttributes } from "./address.wire.ts";

type PlainCell = Exclude<Cell, { kind: "void" | "base64" | "quantity" | "measurement" }>;

const plain: Readonly<Record<PlainCell["kind"], Scalar<never>>> = {
  boolean: boolean as Scalar<never>,
  color: color as Scalar<never>,
  date: date as Scalar<never>,
  dateTime: dateTime as Scalar<never>,
  double: double as Scalar<never>,
  duration: duration as Scalar<never>,
  int: int32 as Scalar<never>,
  long: int64 as Scalar<never>,
  string: text as Scalar<never>,
  time: time as Scalar<never>,
};

const octets = group({ contentType: attr("contentType", text), value: body(base64) });
const quantity = group({ m: attr("m", decimal), unit: attr("u", text) });
const measurement = group({ value: attr("m", double), unit: attr("u", text), error: attr("e", double) });

type Draft = Parameters<Part<unknown>["write"]>[1];

function readCell(node: Element, path: string): Cell | undefined {
  switch (node.name) {
    case "void":
      return { kind: "void" };
    case "base64":
      return { kind: "base64", ...octets.read(node, path) };
    case "quantity": {
      const { m, unit } = quantity.read(node, path);
      return { kind: "quantity", ...m, unit };
    }
    case "measurement":
      return { kind: "measurement", ...measurement.read(node, path) };
    default:
      return Object.hasOwn(plain, node.name)
        ? ({ kind: node.name, value: body(plain[node.name as PlainCell["kind"]]).read(node, path) } as Cell)
        : undefined;
  }
}

function writeCell(cell: Cell, into: Draft, ns: string): void {
  if (cell.kind === "void") return;
  if (cell.kind === "base64") octets.write(cell, into, ns);
  else if (cell.kind === "quantity") quantity.write({ m: cell, unit: cell.unit }, into, ns);
  else if (cell.kind === "measurement") measurement.write(cell, into, ns);
  else body(plain[cell.kind]).write(cell.value as never, into, ns);
}

/** The element name is the kind; an element we do not know holds its place in the row. */
const cells: Part<readonly Cell[]> = {
  read: (node, path) =>
    elements(node)
      .filter(one => one.ns === node.ns)
      .map((one, index) => readCell(one, `${path}/${one.name}[${index + 1}]`) ?? { kind: "void" }),
  write(row, into, ns) {
    for (const cell of row) {
      const draft: Draft = { attrs: noAttributes(), children: [] };
      writeCell(cell, draft, ns);
      into.children.push({ name: cell.kind, ns, attrs: draft.attrs, children: draft.children });
    }
  },
};

const column: Codec<Column> = element("column", {
  columnId: attr("columnId", identifier),
  header: optional("header", text),
  source: optional("src", text),
  partition: optional("pt", text),
  foreground: optional("fgColor", color),
  background: optional("bgColor", color),
  alignment: optional("alignment", oneOf("Left", "Center", "Right")),
  decimals: optional("nrDecimals", unsigned),
});

const tableId = attr("tableId", identifier);
const types: readonly ReportMessageType[] = ["Information", "Warning", "Error", "Exception"];
const levels: readonly ReportMessageLevel[] = ["Minor", "Medium", "Major"];

const progress = mixed({
  started: element("queryStarted", {}),
  done: element("queryDone", {}),
  aborted: element("queryAborted", {}),
  title: element("title", { text: attr("name", text) }),
  status: element("status", { text: attr("message", text) }),
  beginSection: element("beginSection", { header: attr("header", text) }),
  endSection: element("endSection", {}),
  newTable: element("newTable", { tableId, title: attr("tableName", text), columns: many(column) }),
  newRecords: element("newRecords", { tableId, records: many(content("record", cells)) }),
  tableDone: element("tableDone", { tableId }),
  newObject: element("newObject", { contentType: attr("contentType", text), content: body(base64) }),
  message: element("queryMessage", {
    type: attrOr("type", oneOf(...types), "Information"),
    level: attrOr("level", oneOf(...levels), "Minor"),
    text: body(text),
  }),
});

const progressShape = {
  ref: nodeAttributes,
  queryId: attr("queryId", identifier),
  /** From 1, by 1, in each query (CON-QP-01). */
  seqNr: attr("seqNr", positive),
  items: progress,
};
export const queryProgress: Codec<ShapeValue<typeof progressShape>> = element("queryProgress", progressShape);
export type ProgressItem = ShapeValue<typeof progressShape>["items"][number];
