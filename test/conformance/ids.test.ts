// The lists of requirements against the tests and comments that name them, without running anything; the page is made by
// `npm run conformance`.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { idsIn } from "../../scripts/conformance-ids.ts";
import { audit, resultsOf, type TestResult } from "../../scripts/conformance-page.ts";
import { families, nextFamilies } from "./requirements/all.ts";
import { type Family, requirementsOf } from "./requirements/family.ts";

const root = resolve(import.meta.dirname, "../..");
const all = [...families, ...nextFamilies];
const names = new Set(all.map(({ name }) => name));
const requirements = all.flatMap(requirementsOf);

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter(path => path.endsWith(".ts"))
    .map(path => join(root, folder, path));

describe("the lists of requirements", () => {
  it("name each id once, in a sentence of their own", () => {
    expect(new Set(requirements.map(({ id }) => id)).size).toBe(requirements.length);
    expect(requirements.filter(({ text }) => !/^\S.{10,}\.$/.test(text)).map(({ id }) => id)).toEqual([]);
  });

  it("hold every id that tests and sources name", () => {
    const known = new Set(requirements.map(({ id }) => id));
    const here = "test/conformance/ids.test.ts";
    const strangers = ["src", "test", "bench"].flatMap(sources).flatMap(path =>
      relative(root, path) === here
        ? []
        : idsIn(readFileSync(path, "utf8"), names)
            .filter(id => !known.has(id))
            .map(id => `${relative(root, path)}: ${id}`),
    );
    expect(strangers).toEqual([]);
  });

  it("rulings lead to requirements that exist", () => {
    const known = new Set(requirements.map(({ id }) => id));
    const rulings = requirements.filter(({ level }) => level === "D");
    expect(rulings.length).toBeGreaterThan(0);
    for (const { id, text } of rulings) {
      const carried = idsIn(text, names);
      expect(carried.length, id).toBeGreaterThan(0);
      expect(carried.filter(one => !known.has(one))).toEqual([]);
    }
  });
});

describe("ids in a text", () => {
  it("are single, ranges, lists, and nothing that only looks like one", () => {
    const some = new Set(["DF", "CON", "SD"]);
    const of = (text: string) => idsIn(text, some);
    expect(of("SD-REQ-07: a node")).toEqual(["SD-REQ-07"]);
    expect(of("DF-DYN-01..03, CON-EDIT-06/07: forms")).toEqual([
      "DF-DYN-01",
      "DF-DYN-02",
      "DF-DYN-03",
      "CON-EDIT-06",
      "CON-EDIT-07",
    ]);
    expect(of("SD-REQ-03…05")).toEqual(["SD-REQ-03", "SD-REQ-04", "SD-REQ-05"]);
    expect(of("SD-REQ-03, -06 and -07")).toEqual(["SD-REQ-03", "SD-REQ-06", "SD-REQ-07"]);
    expect(of("SCRAM-SHA-256 and SD-REQ-777 and EV-SUB-01")).toEqual([]);
    expect(of("SD-REQ-01, SD-REQ-02-stop")).toEqual(["SD-REQ-01", "SD-REQ-02"]);
  });
});

describe("an audit", () => {
  const family: Family = {
    name: "SD",
    title: "Some",
    requirements: { "SD-A-01 M": "One.", "SD-A-02 M": "Two.", "SD-A-03 S": "Three.", "SD-DIS-01 D": "Four: SD-A-01." },
    exempt: { "SD-A-02": "It cannot be seen from outside." },
  };
  const result = (name: string, passed = true): TestResult => ({ file: "test/x.test.ts", name, passed });

  it("counts what passing tests name, and shows the reason where there is none", () => {
    const { line, faults, page, open } = audit([family], [], [result("SD-A-01: a|b <c>")]);
    expect(line).toBe("M: 1 of 2, S: 0 of 1");
    expect(faults).toEqual([]);
    expect(open).toEqual(["SD-A-03"]);
    expect(page).toContain("| SD-A-01 | M | One. | test/x.test.ts › SD-A-01: a\\|b &lt;c> |");
    expect(page).toContain("| SD-A-02 | M | Two. | *no test*: It cannot be seen from outside. |");
    expect(page).toContain("| SD-DIS-01 | D | Four: SD-A-01. | see SD-A-01 |");
  });

  it("fails for an M that nothing proves, or that one of its tests refutes", () => {
    expect(audit([family], [], []).faults).toEqual(["SD-A-01: no test names it"]);
    expect(audit([family], [], [result("SD-A-01: good"), result("SD-A-01: bad", false)]).faults).toEqual([
      "SD-A-01: fails in test/x.test.ts › SD-A-01: bad",
    ]);
  });

  it("fails for an id that does not exist, and for an exemption that is refuted", () => {
    expect(audit([family], [], [result("SD-A-01, SD-A-09: x")]).faults).toEqual([
      "test/x.test.ts › SD-A-01, SD-A-09: x: there is no requirement SD-A-09",
    ]);
    expect(audit([family], [], [result("SD-A-01..02: x")]).faults).toEqual([
      "SD-A-02: exempted, and a test proves it: one of the two is wrong",
    ]);
  });

  it("leaves out what did not run, and does not count what comes next", () => {
    const assertion = (title: string, status: string) => ({ ancestorTitles: ["suite"], title, status });
    const report = {
      testResults: [
        { name: "/p/test/b.test.ts", assertionResults: [assertion("SD-A-01: ran", "passed")] },
        { name: "/p/test/a.test.ts", assertionResults: [assertion("SD-A-01: skipped", "pending")] },
      ],
    };
    expect(resultsOf(report, "/p")).toEqual([{ file: "test/b.test.ts", name: "suite › SD-A-01: ran", passed: true }]);
    const { line, page } = audit([], [family], resultsOf(report, "/p"));
    expect(line).toBe("M: 0 of 0, S: 0 of 0");
    expect(page).toContain("# Next");
  });
});
