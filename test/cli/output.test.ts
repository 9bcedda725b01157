import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createOutput, formatTable, safe } from "../../src/cli/output.ts";

function bench(json: boolean) {
  let written = "";
  const out = createOutput(json, text => {
    written += text;
  });
  return { out, text: () => written };
}

/** Moves a cursor, changes a direction, or is not seen. */
const tricks = [
  "\u001b[2J",
  "\u009b2J",
  "\r",
  "\n",
  "\t",
  "\u0000",
  "\u007f",
  "\u0085",
  "\u200b",
  "\u200f",
  "\u202e",
  "\u2066",
  "\u2028",
  "\u2029",
  "\u3164",
  "\ufeff",
  "\u00ad",
  "\ud800",
  "\u{e0041}",
];
const outside = fc
  .array(fc.oneof(fc.constantFrom(...tricks), fc.string({ unit: "binary" })))
  .map(parts => parts.join(""));
const harmful = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe("text from outside", () => {
  it("PROVO-LIM-04: moves no cursor, turns no direction and hides none of its letters", () => {
    expect(safe("owner\u202e@evil.example")).toBe("owner\\u{202e}@evil.example");
    expect(safe("\u001b[31mred")).toBe("\\u{1b}[31mred");
    expect(safe("a\u{e0041}b")).toBe("a\\u{e0041}b");
    expect(safe("Küche 热 😀 °C – „x“")).toBe("Küche 热 😀 °C – „x“");
    for (const trick of tricks) expect(safe(trick)).not.toBe(trick);
    fc.assert(fc.property(outside, text => void expect(safe(text)).not.toMatch(harmful)));
  });

  it("is safe in lines, notes and tables, each of which stays one line", () => {
    fc.assert(
      fc.property(outside, text => {
        const { out, text: written } = bench(false);
        out.line(text);
        out.note(text);
        out.table(["Name"], [[text]]);
        const lines = written().split("\n");
        expect(lines).toHaveLength(6);
        for (const line of lines) expect(line).not.toMatch(harmful);
      }),
    );
  });

  it("is safe in JSON too, and means the same", () => {
    fc.assert(
      fc.property(outside, text => {
        const { out, text: written } = bench(true);
        out.value({ [text]: text });
        expect(written().slice(0, -1)).not.toMatch(harmful);
        expect(JSON.parse(written())).toEqual({ [text]: text });
      }),
    );
  });
});

describe("output", () => {
  it("for people: lines, notes, drawings as they are, tables; no values", () => {
    const { out, text } = bench(false);
    out.line("first");
    out.line();
    out.note("second");
    out.drawing("\u001b[97m█\u001b[0m");
    out.value({ a: 1 });
    expect(text()).toBe("first\n\nsecond\n\u001b[97m█\u001b[0m\n");
  });

  it("with --json nothing but values, one a line, long integers as text", () => {
    const { out, text } = bench(true);
    out.line("first");
    out.note("second");
    out.drawing("drawing");
    out.table(["A"], [["b"]]);
    out.value({ count: 12345678901234567890n });
    out.value([1, "zwei"]);
    expect(text()).toBe('{"count":"12345678901234567890"}\n[1,"zwei"]\n');
  });

  it("tables: columns as wide as their widest cell, escaped ones too, and no blanks at the end", () => {
    const rows = [["heat-3", "ok"], ["a\u202eb", ""], ["", "a long message"], ["only one"]];
    const lines = formatTable(["Node", "State"], rows);
    expect(lines).toEqual([
      "Node        State",
      "──────────  ──────────────",
      "heat-3      ok",
      "a\\u{202e}b",
      "            a long message",
      "only one",
    ]);
    expect(formatTable(["A"], [])).toEqual(["A", "─"]);
  });
});
