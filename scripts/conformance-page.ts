// From the lists of requirements and the results of a test run to docs/conformance.md and its last line.

import { type Family, type Level, type Requirement, requirementsOf } from "../test/conformance/requirements/family.ts";
import { idsIn } from "./conformance-ids.ts";

export interface TestResult {
  /** Below the project's folder. */
  readonly file: string;
  /** With the names of the suites it stands in. */
  readonly name: string;
  readonly passed: boolean;
}

export interface Audit {
  readonly page: string;
  /** `M: x of y, S: x of y` */
  readonly line: string;
  /** What makes the command fail, in words. */
  readonly faults: readonly string[];
  /** S and Y ids that nothing proves and nothing excuses. */
  readonly open: readonly string[];
}

/** More tests than this are counted, not named. */
const namedMax = 4;

interface Judged extends Requirement {
  readonly passed: readonly TestResult[];
  readonly failed: readonly TestResult[];
  /** At least one test names it, and all that do pass. */
  readonly proven: boolean;
}

/** Vitest's JSON report as results; a test that did not run proves nothing and breaks nothing. */
export function resultsOf(report: unknown, root: string): TestResult[] {
  const { testResults } = report as {
    testResults: {
      name: string;
      assertionResults: { ancestorTitles: string[]; title: string; status: string }[];
    }[];
  };
  return testResults
    .flatMap(({ name: path, assertionResults }) =>
      assertionResults
        .filter(({ status }) => status === "passed" || status === "failed")
        .map(({ ancestorTitles, title, status }) => ({
          file: path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path,
          name: [...ancestorTitles, title].join(" › "),
          passed: status === "passed",
        })),
    )
    .sort((a, b) => compare(a.file, b.file) || compare(a.name, b.name));
}

export function audit(
  families: readonly Family[],
  nextFamilies: readonly Family[],
  results: readonly TestResult[],
): Audit {
  const known = new Set([...families, ...nextFamilies].map(({ name }) => name));
  const naming = new Map<string, TestResult[]>();
  for (const result of results) {
    for (const id of new Set(idsIn(result.name, known))) naming.set(id, [...(naming.get(id) ?? []), result]);
  }
  const judge = (family: Family): Judged[] =>
    requirementsOf(family).map(one => {
      const all = naming.get(one.id) ?? [];
      const failed = all.filter(({ passed }) => !passed);
      const passed = all.filter(result => result.passed);
      return { ...one, passed, failed, proven: passed.length > 0 && failed.length === 0 };
    });
  const now = families.map(family => ({ family, judged: judge(family) }));
  const next = nextFamilies.map(family => ({ family, judged: judge(family) }));

  const ids = new Set([...now, ...next].flatMap(({ judged }) => judged.map(({ id }) => id)));
  const strangers = [...naming].filter(([id]) => !ids.has(id));
  const all = now.flatMap(({ judged }) => judged);
  const line = (["M", "S"] as const).map(level => `${level}: ${share(all, level)}`).join(", ");
  return {
    page: pageOf(now, next, line),
    line,
    faults: [
      ...strangers.map(([id, [first]]) => `${first?.file} › ${first?.name}: there is no requirement ${id}`),
      ...all
        .filter(({ level, proven, exempt }) => level === "M" && !proven && exempt === undefined)
        .map(({ id, failed }) => `${id}: ${failed[0] ? `fails in ${testText(failed[0])}` : "no test names it"}`),
      ...all
        .filter(({ level, failed }) => level !== "M" && failed.length > 0)
        .map(({ id, failed }) => `${id}: fails in ${failed.map(testText).join("; ")}`),
      ...all
        .filter(({ proven, exempt }) => proven && exempt !== undefined)
        .map(({ id }) => `${id}: exempted, and a test proves it: one of the two is wrong`),
    ],
    open: all
      .filter(({ level, proven, exempt }) => (level === "S" || level === "Y") && !proven && exempt === undefined)
      .map(({ id }) => id),
  };
}

type Section = readonly { readonly family: Family; readonly judged: readonly Judged[] }[];

function pageOf(now: Section, next: Section, line: string): string {
  const known = new Set(now.map(({ family }) => family.name));
  return [
    "# Conformance",
    "",
    "Written by `npm run conformance -- --write` from the names of the tests; do not edit. Ids and levels are those of our",
    "notes on the interfaces, the sentences are our own: the interfaces themselves are published by the Neuro-Foundation",
    "(<https://neuro-foundation.io/>). M must, S should, Y may; D is a ruling where the sources disagree. An id counts as",
    "proven when at least one test names it and every test that does passes.",
    "",
    "| Family | | M | S | Y | without test, with reason |",
    "|---|---|---|---|---|---|",
    ...now.map(
      ({ family, judged }) =>
        `| [${family.name}](#${anchor(family)}) | ${family.title} | ${share(judged, "M")} | ${share(judged, "S")} | ${share(judged, "Y")} | ${judged.filter(({ exempt }) => exempt !== undefined).length} |`,
    ),
    "",
    line,
    ...now.flatMap(({ family, judged }) => tableOf(family, judged, known)),
    ...(next.length === 0 ? [] : ["", "# Next", "", "Known, and not counted yet."]),
    ...next.flatMap(({ family, judged }) => tableOf(family, judged, known)),
    "",
  ].join("\n");
}

const tableOf = (family: Family, judged: readonly Judged[], known: ReadonlySet<string>): string[] => [
  "",
  `## ${heading(family)}`,
  "",
  "| Id | | What is promised | Proven by |",
  "|---|---|---|---|",
  ...judged.map(one => `| ${one.id} | ${one.level} | ${cell(one.text)} | ${proofText(one, known)} |`),
];

const heading = ({ name, title }: Family): string => `${name}: ${title}`;
const anchor = (family: Family): string =>
  heading(family)
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");

function proofText({ level, text, exempt, passed, failed, proven }: Judged, known: ReadonlySet<string>): string {
  if (failed.length > 0) return `**fails**: ${failed.slice(0, namedMax).map(testText).map(cell).join("<br>")}`;
  if (proven) {
    const named = varied(passed).slice(0, namedMax).map(testText).map(cell);
    const more = passed.length - named.length;
    return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join("<br>");
  }
  if (exempt !== undefined) return `*no test*: ${cell(exempt)}`;
  if (level === "D") return `see ${idsIn(text, known).join(", ")}`;
  return "**nothing yet**";
}

/** One of each file first, since tests of one file often differ in a word only. */
function varied(results: readonly TestResult[]): TestResult[] {
  const first = new Map(results.toReversed().map(result => [result.file, result]));
  return [...results].sort((a, b) => Number(first.get(b.file) === b) - Number(first.get(a.file) === a));
}

const testText = ({ file, name }: TestResult): string => `${file} › ${name}`;

/** Tables end a cell at a bar, and browsers would take a name for a tag. */
const cell = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("|", "\\|").replace(/\s+/g, " ");

function share(judged: readonly Judged[], level: Level): string {
  const of = judged.filter(one => one.level === level);
  return `${of.filter(({ proven }) => proven).length} of ${of.length}`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
