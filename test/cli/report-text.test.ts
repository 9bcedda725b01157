// Reports of queries as they are printed: tables whose rows come in pieces, at any pace.

import { describe, expect, it } from "vitest";
import type { QueryItem } from "#client/queries.ts";
import { type Column, textCell } from "#contract/report.ts";
import { tableHeldMs } from "#limits.ts";
import { createOutput } from "../../src/cli/output.ts";
import { createReportPrinter } from "../../src/cli/report-text.ts";
import { manualClock } from "../support/manual-clock.ts";

function bench(json = false) {
  let written = "";
  const clock = manualClock();
  const out = createOutput(json, text => {
    written += text;
  });
  const printer = createReportPrinter(out, { show() {}, clear() {}, [Symbol.dispose]() {} }, clock);
  return { clock, printer, lines: () => written.split("\n").slice(0, -1) };
}

const columns: Column[] = [
  { columnId: "name", header: "Name" },
  { columnId: "n", header: "N", alignment: "Right" },
  { columnId: "text", header: "Text" },
];
const table = (tableId = "t"): QueryItem => ({ kind: "newTable", tableId, title: "Found", columns });
const rows = (...rows: (readonly string[])[]): QueryItem => ({
  kind: "newRecords",
  tableId: "t",
  records: rows.map(row => row.map(textCell)),
});
const done: QueryItem = { kind: "tableDone", tableId: "t" };
/** Where the columns begin, by the rule below the head. */
const startsOf = (rule: string) => [...rule.matchAll(/(?<= |^)─/g)].map(({ index }) => index);

describe("a table of a report", () => {
  it("stands in columns whatever came in which piece, when it comes at once", () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(rows(["a", "1", "x"]));
    it.printer.take(rows(["a much longer name", "12345", "y"]));
    it.printer.take(done);
    expect(it.lines()).toEqual([
      "Found",
      "Name                    N  Text",
      "──────────────────  ─────  ────",
      "a                       1  x",
      "a much longer name  12345  y",
    ]);
  });

  it("stands in columns whatever letters are in it: some take two places of a terminal, some none", () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(rows(["電力量計", "1", "x"], ["Ko\u0308ln", "2", "y"]));
    it.printer.take(done);
    expect(it.lines().slice(-2)).toEqual(["電力量計  1  x", "Ko\u0308ln      2  y"]);
  });

  it("is not held back for long: a scan shows what it has found", async () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(rows(["first", "1", "x"]));
    expect(it.lines()).toEqual(["Found"]);
    await it.clock.advance(tableHeldMs);
    expect(it.lines().at(-1)).toBe("first  1  x");
    // Narrower ones go on in the same columns, without another head.
    it.printer.take(rows(["b", "2", "y"]));
    await it.clock.advance(tableHeldMs);
    expect(it.lines().slice(-2)).toEqual(["first  1  x", "b      2  y"]);
    expect(it.clock.sleepers).toBe(0);
  });

  it("begins anew with its head where a later row needs more room, so that no row stands beside its columns", async () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(rows(["first", "1", "x"]));
    await it.clock.advance(tableHeldMs);
    it.printer.take(rows(["c", "100000", "y"], ["a much longer name", "2", "z"]));
    it.printer.take(done);
    const lines = it.lines();
    expect(lines.filter(one => one.startsWith("Name"))).toHaveLength(2);
    const [first = "", second = ""] = lines.filter(one => one.startsWith("─"));
    expect(startsOf(first)).toEqual([0, 7, 10]);
    expect(startsOf(second)).toEqual([0, 20, 28]);
    expect(lines.slice(-2)).toEqual(["c                   100000  y", "a much longer name       2  z"]);
  });

  it("keeps its place: what is said after a row stands after it, and what is left when the report breaks off is printed", async () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(rows(["a", "1", "x"]));
    it.printer.take({ kind: "message", type: "Warning", level: "Minor", text: "The line is slow." });
    expect(it.lines().slice(-2)).toEqual(["a     1  x", "Warning: The line is slow."]);
    it.printer.take(rows(["b", "2", "y"]));
    it.printer[Symbol.dispose]();
    expect(it.lines().at(-1)).toBe("b     2  y");
    await it.clock.advance(tableHeldMs);
    expect(it.lines().filter(one => one.startsWith("b"))).toHaveLength(1);
    expect(it.clock.sleepers).toBe(0);
  });

  it("without rows says so; a program gets each item the moment it comes", () => {
    const it = bench();
    it.printer.take(table());
    it.printer.take(done);
    expect(it.lines().at(-1)).toBe("(nothing)");
    const other = bench(true);
    other.printer.take(table());
    other.printer.take(rows(["a", "1", "x"]));
    expect(other.lines()).toHaveLength(2);
  });
});
