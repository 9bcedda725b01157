// A query's report as it grows, for people: headings, tables row by row, messages, texts; the progress line on a terminal. For
// programs each item as a JSON value.

import { type Clock, systemClock } from "#base/clock.ts";
import type { QueryItem } from "#client/queries.ts";
import type { Output } from "./output.ts";
import type { Progress } from "./progress.ts";
import { createTablePrinter, type TablePrinter } from "./report-table.ts";

/** At its end rows that are held still are printed: a report may break off. */
export interface ReportPrinter extends Disposable {
  take(item: QueryItem): void;
  /** An object that is not to be printed. */
  keep(content: Uint8Array): void;
  /** The query ended by itself, and nothing in it was an error. */
  readonly succeeded: boolean;
  /** All objects of the report, one after the other. */
  objects(): Uint8Array;
}

export function createReportPrinter(out: Output, progress: Progress, clock: Clock = systemClock): ReportPrinter {
  const tables = new Map<string, TablePrinter>();
  const objects: Uint8Array[] = [];
  let failed = false;
  let ended = "";
  let isFirst = true;
  /** Between parts, and not before the first. */
  const gap = () => {
    if (!isFirst) out.line();
    isFirst = false;
  };

  /** All that is held of tables, but of this one. */
  const flush = (but?: TablePrinter) => {
    for (const table of tables.values()) if (table !== but) table.flush();
  };

  const print = (item: QueryItem) => {
    // A status stands nowhere in the report.
    if (item.kind !== "status") flush(item.kind === "newRecords" ? tables.get(item.tableId) : undefined);
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
        tables.set(item.tableId, createTablePrinter(item.columns, out, progress, clock));
        break;
      case "newRecords":
        tables.get(item.tableId)?.take(item.records);
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
    [Symbol.dispose]: () => flush(),
  };
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
