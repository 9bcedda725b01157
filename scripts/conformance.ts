// `npm run conformance`: runs the tests, or reads what a run left (`--results report.json`), and says which requirements
// they prove. `--write` refreshes docs/conformance.md; without it an out-of-date page is a failure.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { families, nextFamilies } from "../test/conformance/requirements/all.ts";
import { audit, resultsOf } from "./conformance-page.ts";
import { runInForeground } from "./node24.mjs";

const root = resolve(import.meta.dirname, "..");
const pageFile = join(root, "docs", "conformance.md");
const usage = "npm run conformance -- [--write] [--results FILE]   FILE: vitest's report, as --reporter=json writes it";

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  const report = options.results === undefined ? await runTests() : readReport(options.results);
  if (report === undefined) return 1;
  const { page, line, faults, open } = audit(families, nextFamilies, resultsOf(report, root));

  if (options.write) writeFileSync(pageFile, page);
  const stale = !existsSync(pageFile) || readFileSync(pageFile, "utf8") !== page;
  for (const fault of faults) console.log(fault);
  if (open.length > 0) console.log(`Not proven, and not demanded: ${open.join(", ")}`);
  if (stale) console.log("docs/conformance.md is out of date: npm run conformance -- --write");
  console.log(line);
  return faults.length > 0 || stale ? 1 : 0;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { write: { type: "boolean", default: false }, results: { type: "string" } },
    });
    return values;
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

/** The report of a whole run; what failed in it is named below, requirement by requirement. */
async function runTests(): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-conformance-"));
  try {
    const file = join(folder, "report.json");
    const args = ["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json"];
    const code = await runInForeground(process.execPath, [...args, `--outputFile.json=${file}`], {
      cwd: root,
      env: process.env,
    });
    return code > 128 ? undefined : readReport(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    console.error(`${file} is no report of vitest.`);
    return undefined;
  }
}
