// `npm run demo|test|bench|fuzz|conformance|setup`: does the set-up that is missing, then runs the thing on Node 24. It is plain
// JavaScript for any Node >= 20, because it runs before there is another.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ensureDebianPackages } from "./debian.mjs";
import { projectFolder, runInForeground } from "./node24.mjs";
import { ensurePackages } from "./packages.mjs";
import { Refusal, refuse } from "./refusal.mjs";
import { summarise } from "./summary.mjs";

const programs = {
  demo: (node, args) => runInProject(node, ["src/cli/main.ts", "demo", ...args]),
  bench: (node, args) => runInProject(node, ["bench/main.ts", ...args]),
  test: runTests,
  fuzz: (node, args) => runInProject(node, ["test/fuzz/main.ts", ...args]),
  conformance: (node, args) => runInProject(node, ["scripts/conformance.ts", ...args]),
  setup: async () => {
    console.log("Everything is in place.");
    return 0;
  },
};

process.exitCode = await main(process.argv[2] ?? "", process.argv.slice(3)).catch(error => {
  console.error(error instanceof Refusal ? error.message : `Set-up failed: ${error.message ?? error}`);
  return 1;
});

async function main(name, args) {
  checkMachine();
  if (!Object.hasOwn(programs, name)) refuse(`There is no "${name}": say one of ${Object.keys(programs).join(", ")}.`);
  const node = await ensurePackages(projectFolder);
  await ensureDebianPackages({ tests: name === "test" || name === "conformance" });
  return await programs[name](node, args);
}

function checkMachine() {
  if (process.platform !== "linux") {
    refuse(`Isthmus runs on Linux, and this is ${process.platform}: use Debian or Ubuntu, a virtual machine will do.`);
  }
  if (process.arch !== "x64" && process.arch !== "arm64") {
    refuse(
      `Isthmus needs a 64-bit system, x86-64 or ARM, and this Node is ${process.arch}: use a 64-bit Debian or Ubuntu.`,
    );
  }
  if (Number(process.versions.node.split(".")[0]) < 20) {
    refuse(
      `Set-up needs Node 20 or newer, and this is ${process.version}: install it from nodejs.org, then run this again.`,
    );
  }
}

function runInProject(node, args) {
  // Programs that start "node" themselves shall get the same one.
  const path = `${join(projectFolder, "node_modules", ".bin")}${delimiter}${process.env.PATH ?? ""}`;
  return runInForeground(node, args, { cwd: projectFolder, env: { ...process.env, PATH: path } });
}

/** With arguments (a file, `-t name`) only those tests run, without the checks of types and style. */
async function runTests(node, args) {
  let failedChecks = 0;
  if (args.length === 0) {
    const checks = [
      ["types", ["node_modules/typescript/bin/tsc", "--noEmit"]],
      ["style", ["node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings"]],
    ];
    for (const [what, command] of checks) {
      const code = await runInProject(node, command);
      if (code > 128) return code;
      if (code !== 0) failedChecks += 1;
      console.log(`${what}: ${code === 0 ? "ok" : "failed, see above"}`);
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "isthmus-test-"));
  try {
    const file = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const vitestExit = await runInProject(node, ["node_modules/vitest/vitest.mjs", "run", ...reporters, ...args]);
    if (vitestExit > 128) return vitestExit;
    const { line, ok } = summarise(readReport(file), { vitestExit, failedChecks });
    console.log(line);
    return ok ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    console.error("vitest left no report.");
    return undefined;
  }
}
