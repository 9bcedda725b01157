// The writer's side of a report: what is written is made sound here, whatever a query does. Sections balance, rows have as many
// cells as their table has columns and come between its beginning and its end, and at the end everything is closed.

import { type Cell, type Column, noCell, type Report, type ReportItem, type ReportTable } from "./contract/report.ts";

export interface ReportWriter {
  readonly report: Report;
  /** Closes what is open, innermost first (CON-QP-06). */
  close(): void;
}

/** `put` takes an item at once, in order, and resolves when there is room for more. Throws when nobody reads any more. */
export function createReportWriter(put: (item: ReportItem) => Promise<void>): ReportWriter {
  let sections = 0;
  let tables = 0;
  const open = new Set<string>();

  const tableOf = (tableId: string, columns: readonly Column[]): ReportTable => ({
    async row(...cells) {
      if (!open.has(tableId)) throw new Error("a row for a table that is done");
      if (cells.length > columns.length) throw new Error(`${cells.length} cells for ${columns.length} columns`);
      const record = Array.from(columns, (_, at) => sayable(cells[at] ?? noCell));
      await put({ kind: "newRecords", tableId, records: [record] });
    },
    async done() {
      if (open.delete(tableId)) await put({ kind: "tableDone", tableId });
    },
  });

  return {
    report: {
      title: text => put({ kind: "title", text }),
      status: text => put({ kind: "status", text }),
      async beginSection(header) {
        sections++;
        await put({ kind: "beginSection", header });
      },
      async endSection() {
        if (sections === 0) throw new Error("a section ends that did not begin");
        sections--;
        await put({ kind: "endSection" });
      },
      async table(title, columns) {
        const tableId = `t${++tables}`;
        open.add(tableId);
        await put({ kind: "newTable", tableId, title, columns });
        return tableOf(tableId, columns);
      },
      object: (contentType, content) => put({ kind: "newObject", contentType, content }),
      message: (text, type = "Information", level = "Minor") => put({ kind: "message", text, type, level }),
    },
    close() {
      // Put at once; nobody has to wait for the room.
      const quietly = (item: ReportItem) => put(item).catch(() => {});
      for (const tableId of [...open].reverse()) void quietly({ kind: "tableDone", tableId });
      open.clear();
      for (; sections > 0; sections--) void quietly({ kind: "endSection" });
    },
  };
}

/** What has no form on the wire is no value (COM-LEX-03, CON-QP-05). */
function sayable(cell: Cell): Cell {
  switch (cell.kind) {
    case "int":
      return Number.isInteger(cell.value) && Math.abs(cell.value) < 2 ** 31 ? cell : noCell;
    case "double":
    case "quantity":
    case "measurement":
    case "dateTime":
      return Number.isFinite(cell.value) && Math.abs(cell.value) <= 8.64e15 ? cell : noCell;
    case "long":
      return BigInt.asIntN(64, cell.value) === cell.value ? cell : noCell;
    default:
      return cell;
  }
}
