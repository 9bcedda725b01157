// A query's report as it grows, for people: headings, tables row by row, messages, texts; the progress line on a terminal. For
// programs each item as a JSON value.

import type { QueryItem } from "#client/queries.ts";
import type { Cell, Column } from "#contract/report.ts";
import { formatTable, type Output, safe } from "./output.ts";
import type { Progress } from "./progress.ts";

export interface ReportPrinter {
  take(item: QueryItem): void;
  /** An object that is not to be printed. */
  keep(content: Uint8Array): void;
  /** The query ended by itself, and nothing in it was an error. */
  readonly succeeded: boolean;
  /** All objects of the report, one after the other. */
  objects(): Uint8Array;
}

export function createReportPrinter(out: Output, progress: Progress): ReportPrinter {
  const tables = new Map<string, RowPrinter>();
  const objects: Uint8Array[] = [];
  let failed = false;
  let ended = "";
  let isFirst = true;
  /** Between parts, and not before the first. */
  const gap = () => {
    if (!isFirst) out.line();
    isFirst = false;
  };

  const print = (item: QueryItem) => {
    switch (item.kind) {
      case "status":
        progress.show(item.text);
        break;
      case "title":
        gap();
        out.line(item.text);
        break;
      case "beginSection":
        gap();
        out.line(item.header);
        break;
      case "newTable":
        gap();
        out.line(item.title);
        tables.set(item.tableId, createRowPrinter(item.columns, out));
        break;
      case "newRecords":
        tables.get(item.tableId)?.print(item.records);
        break;
      case "tableDone":
        tables.get(item.tableId)?.done();
        tables.delete(item.tableId);
        break;
      case "newObject":
        // The parts of one object are one text.
        if (objects.length === 0) gap();
        objects.push(item.content);
        if (/^text\b/.test(item.contentType)) printText(item.content, out);
        else out.line(`(${item.contentType}, ${item.content.length} bytes)`);
        break;
      case "message":
        out.line(item.type === "Information" ? item.text : `${item.type}: ${item.text}`);
        break;
    }
  };

  return {
    take(item) {
      if (item.kind === "done" || item.kind === "aborted") ended = item.kind;
      if (item.kind === "message" && (item.type === "Error" || item.type === "Exception")) failed = true;
      if (item.kind !== "status") progress.clear();
      out.value(plain(item));
      print(item);
    },
    keep: content => void objects.push(content),
    get succeeded() {
      return ended === "done" && !failed;
    },
    objects: () => Buffer.concat(objects),
  };
}

interface RowPrinter {
  print(records: readonly (readonly Cell[])[]): void;
  done(): void;
}

/** Widths are those of the first rows: what comes later may be wider, and then only its own line is. */
function createRowPrinter(columns: readonly Column[], out: Output): RowPrinter {
  const headers = columns.map(column => column.header ?? column.columnId);
  const right = columns.map(({ alignment }) => alignment === "Right");
  let widths: number[] | undefined;
  const head = () => {
    const lines = formatTable(
      headers.map((header, at) => header.padEnd(widths?.[at] ?? 0)),
      [],
    );
    for (const line of lines) out.line(line);
  };
  return {
    print(records) {
      const rows = records.map(cells =>
        columns.map((column, at) => safe(formatCell(cells[at] ?? { kind: "void" }, column))),
      );
      if (widths === undefined) {
        widths = headers.map((header, at) => Math.max(header.length, ...rows.map(row => row[at]?.length ?? 0)));
        head();
      }
      for (const row of rows) {
        const cells = row.map((text, at) =>
          right[at] ? text.padStart(widths?.[at] ?? 0) : text.padEnd(widths?.[at] ?? 0),
        );
        out.drawing(cells.join("  ").trimEnd());
      }
    },
    done() {
      if (widths !== undefined) return;
      widths = headers.map(header => header.length);
      head();
      out.line("(nothing)");
    },
  };
}

export function formatCell(cell: Cell, { decimals }: Pick<Column, "decimals">): string {
  switch (cell.kind) {
    case "void":
      return "";
    case "dateTime":
      return new Date(cell.value).toISOString();
    case "base64":
      return `(${cell.contentType}, ${cell.value.length} bytes)`;
    case "quantity":
      return `${cell.value.toFixed(cell.decimals)} ${cell.unit}`.trimEnd();
    case "measurement":
      return `${cell.value} ± ${cell.error} ${cell.unit}`.trimEnd();
    case "double":
      return decimals === undefined ? `${cell.value}` : cell.value.toFixed(decimals);
    default:
      return `${cell.value}`;
  }
}

function printText(content: Uint8Array, out: Output): void {
  for (const line of new TextDecoder().decode(content).replace(/\n$/, "").split("\n"))
    out.line(line.replace(/\t/g, "  "));
}

/** Octets as base64: JSON has none. */
const plain = (item: QueryItem): unknown =>
  JSON.parse(
    JSON.stringify(item, (_, one) => {
      if (one instanceof Uint8Array) return Buffer.from(one).toString("base64");
      return typeof one === "bigint" ? one.toString() : one;
    }),
  );
