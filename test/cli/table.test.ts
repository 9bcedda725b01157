// Tables as a person sees them: in a terminal of a given width, with texts of which some characters take two places or none.

import { describe, expect, it } from "vitest";
import { createOutput, screenOf } from "../../src/cli/output.ts";
import { shownWidth, tableLines } from "../../src/cli/table.ts";

describe("a table", () => {
  it("keeps its columns with letters that take two places, or none", () => {
    expect([
      shownWidth("热量表"),
      shownWidth("e\u0301"),
      shownWidth("🔥"),
      shownWidth("Küche"),
      shownWidth("عداد"),
    ]).toEqual([6, 1, 2, 5, 4]);
    const rows = [
      ["热量表", "one"],
      ["Meter 🔥", "two"],
      ["cafe\u0301", "three"],
    ];
    expect(tableLines({ headers: ["Name", "State"], rows })).toEqual([
      "Name      State",
      "────────  ─────",
      "热量表    one",
      "Meter 🔥  two",
      "cafe\u0301      three",
    ]);
  });

  it("is folded where the terminal is narrower, the widest column first, between words", () => {
    const rows = [
      [
        "gas-13 (shaft-mbus)",
        "ErrorUnsigned",
        "primary address 13: no answer: check the address, the wiring and the meter",
      ],
      ["heat-3 (attic-mbus)", "None", ""],
    ];
    const lines = tableLines({ headers: ["Node", "State", "Message"], rows }, 80);
    expect(lines).toEqual([
      "Node                 State          Message",
      "───────────────────  ─────────────  ────────────────────────────────────────────",
      "gas-13 (shaft-mbus)  ErrorUnsigned  primary address 13: no answer: check the",
      "                                    address, the wiring and the meter",
      "heat-3 (attic-mbus)  None",
    ]);
  });

  it("breaks a name that does not fit at its joints", () => {
    const rows = [["thermostat-2-temperature (home-mqtt)", "board@@Appliance"]];
    expect(tableLines({ headers: ["Node", "As written"], rows }, 26)).toEqual([
      "Node          As written",
      "────────────  ────────────",
      "thermostat-   board@@",
      "2-            Appliance",
      "temperature",
      "(home-mqtt)",
    ]);
  });

  it("breaks words only where nothing else helps, and never falls short of ten places a column", () => {
    const rows = [["demo-pmcipazslr@isthmus.localhost", "a".repeat(100), "b c"]];
    for (const columns of [1, 20, 34, 40, 60, 79]) {
      const lines = tableLines({ headers: ["A", "B", "C"], rows }, columns);
      const least = 10 + 10 + 3 + 4;
      for (const line of lines) expect(shownWidth(line)).toBeLessThanOrEqual(Math.max(columns, least));
      expect(lines.slice(2).join("").replaceAll(" ", "")).toHaveLength(33 + 100 + 2);
    }
  });

  it("in a pipe or a file each row stays one line, however long", () => {
    const rows = [["x".repeat(300), "y"]];
    expect(tableLines({ headers: ["A", "B"], rows })).toHaveLength(3);
  });
});

describe("what a screen is", () => {
  const drawn = (...[stream, environment]: Parameters<typeof screenOf>): string => {
    let written = "";
    createOutput(false, text => (written += text), screenOf(stream, environment)).drawing("\u001b[97;40m█ \u001b[0m");
    return written;
  };

  it("colours at a terminal, and in no pipe, no file, and where a person wants none", () => {
    const terminal = { isTTY: true, columns: 80 };
    expect(drawn(terminal, {})).toBe("\u001b[97;40m█ \u001b[0m\n");
    expect(drawn(terminal, { NO_COLOR: "" })).toBe("\u001b[97;40m█ \u001b[0m\n");
    expect(drawn(terminal, { NO_COLOR: "1" })).toBe("█ \n");
    expect(drawn(terminal, { TERM: "dumb" })).toBe("█ \n");
    expect(drawn({}, {})).toBe("█ \n");
    expect(drawn({ isTTY: false, columns: 80 }, {})).toBe("█ \n");
  });

  it("tables are folded at a terminal only", () => {
    const linesOf = (stream: Parameters<typeof screenOf>[0]): number => {
      let written = "";
      createOutput(false, text => (written += text), screenOf(stream, {})).table(["A"], [["word ".repeat(30).trim()]]);
      return written.trimEnd().split("\n").length;
    };
    expect(linesOf({ isTTY: true, columns: 80 })).toBe(4);
    expect(linesOf({})).toBe(3);
  });
});
