// A table of a report whose rows come at any pace, printed in columns. Rows are held for a moment, so that it is known how wide
// they are; where a later one needs more room than its column has, the table begins anew with its head.

import type { Clock } from "#base/clock.ts";
import type { Cell, Column } from "#contract/report.ts";
import { tableHeldMs } from "#limits.ts";
import { formatTable, type Output, safe } from "./output.ts";
import type { Progress } from "./progress.ts";
import { shownWidth, padded as toWidth } from "./table.ts";

export interface TablePrinter {
  take(records: readonly (readonly Cell[])[]): void;
  /** What is held is printed now: something else is to stand after it. */
  flush(): void;
  /** No more rows come. */
  done(): void;
}

export function createTablePrinter(
  columns: readonly Column[],
  out: Output,
  progress: Pick<Progress, "clear">,
  clock: Clock,
): TablePrinter {
  const headers = columns.map(column => safe(column.header ?? column.columnId));
  const widths = headers.map(shownWidth);
  let held: string[][] = [];
  let timer: AbortController | undefined;
  let isShown = false;

  const padded = (cells: readonly string[]) =>
    cells.map((cell, at) => {
      const width = widths[at] ?? 0;
      return columns[at]?.alignment === "Right"
        ? " ".repeat(Math.max(0, width - shownWidth(cell))) + cell
        : toWidth(cell, width);
    });
  const head = () => {
    for (const line of formatTable(padded(headers), [])) out.line(line);
    isShown = true;
  };

  const flush = () => {
    timer?.abort();
    timer = undefined;
    if (held.length === 0) return;
    progress.clear();
    let isWider = false;
    for (const row of held)
      for (const [at, cell] of row.entries()) {
        const width = shownWidth(cell);
        if (width <= (widths[at] ?? 0)) continue;
        widths[at] = width;
        isWider = true;
      }
    if (isWider || !isShown) head();
    // Made safe cell by cell: once more would count the marks of the first time as text.
    for (const row of held) out.drawing(padded(row).join("  ").trimEnd());
    held = [];
  };

  return {
    take(records) {
      held.push(
        ...records.map(cells => columns.map((column, at) => safe(formatCell(cells[at] ?? { kind: "void" }, column)))),
      );
      if (timer !== undefined) return;
      timer = new AbortController();
      clock.sleep(tableHeldMs, timer.signal).then(flush, () => {});
    },
    flush,
    done() {
      flush();
      if (isShown) return;
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
