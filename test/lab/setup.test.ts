// The set-up entry: the summary line, a second run that fetches nothing, and sentences instead of stacks.

import { type ExecFileException, execFile } from "node:child_process";
import { chmod, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { summarise } from "../../scripts/summary.mjs";
import { temporaryFolder } from "./scene.ts";

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const { npm_execpath: _, ...around } = process.env;
  return new Promise(resolve => {
    const options = { env: { ...around, ...env }, timeout: 25_000 };
    execFile(process.execPath, args, options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

/** A folder of commands that note that they were called, and fail as without a network. */
async function failingStubs(folder: string): Promise<{ path: string; called: () => Promise<string> }> {
  const path = join(folder, "stubs");
  const note = join(folder, "called");
  await mkdir(path);
  await writeFile(note, "");
  for (const name of ["npm", "apt-get", "sudo"]) {
    await writeFile(join(path, name), `#!/bin/sh\necho ${name} "$@" >> '${note}'\necho ENOTFOUND >&2\nexit 1\n`);
    await chmod(join(path, name), 0o755);
  }
  return { path, called: () => readFile(note, "utf8") };
}

/** The scripts and the lockfile in a folder of their own, with node_modules only where told. */
async function copyOfProject(folder: string, modules: boolean): Promise<string> {
  await cp(join(project, "scripts"), join(folder, "scripts"), { recursive: true });
  await cp(join(project, "bin"), join(folder, "bin"), { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) await cp(join(project, name), join(folder, name));
  if (modules) await symlink(join(project, "node_modules"), join(folder, "node_modules"));
  return folder;
}

describe("set-up", () => {
  test("a second run calls neither npm nor apt-get", async () => {
    await using folder = await temporaryFolder();
    const stubs = await failingStubs(folder.path);
    const outcome = await run([join(project, "scripts/with-setup.mjs"), "setup"], {
      PATH: `${stubs.path}:${process.env.PATH}`,
    });
    expect(outcome).toEqual({ code: 0, stdout: "Everything is in place.\n", stderr: "" });
    expect(await stubs.called()).toBe("");
  });

  test("without packages and network it says so in one sentence", async () => {
    await using folder = await temporaryFolder();
    const stubs = await failingStubs(folder.path);
    const copy = await copyOfProject(join(folder.path, "copy"), false);
    const outcome = await run([join(copy, "scripts/with-setup.mjs"), "setup"], {
      PATH: `${stubs.path}:${process.env.PATH}`,
    });
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toBe(
      "The npm packages could not be fetched: connect this machine to the internet, then run this again.\n",
    );
    expect(await stubs.called()).toMatch(/^npm ci .*--ignore-scripts/);
  });

  test("an unknown word is answered with the known ones", async () => {
    const outcome = await run([join(project, "scripts/with-setup.mjs"), "toString"]);
    expect(outcome).toMatchObject({
      code: 1,
      stderr: 'There is no "toString": say one of demo, bench, test, fuzz, conformance, setup.\n',
    });
  });
});

describe("the command isthmus", () => {
  test("passes arguments and exit code through, also when called by a link", async () => {
    await using folder = await temporaryFolder();
    const copy = await copyOfProject(join(folder.path, "copy"), true);
    await mkdir(join(copy, "src/cli"), { recursive: true });
    await writeFile(
      join(copy, "src/cli/main.ts"),
      "const args: string[] = process.argv.slice(2); console.log(args.join('|'), process.version); process.exit(7);",
    );
    await symlink(join(copy, "bin/isthmus.mjs"), join(folder.path, "isthmus"));
    const outcome = await run([join(folder.path, "isthmus"), "read", "a b"]);
    expect(outcome).toMatchObject({ code: 7, stdout: `read|a b ${process.version}\n` });
  });
});

describe("the last line of npm test", () => {
  const around = { vitestExit: 0, failedChecks: 0 };
  test("counts what passed, failed and was skipped", () => {
    const report = { numPassedTests: 12, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
    expect(summarise(report, around)).toEqual({ line: "12 passed, 0 failed", ok: true });
    expect(summarise({ ...report, numPendingTests: 2, numTodoTests: 1 }, around).line).toBe(
      "12 passed, 0 failed, 3 skipped",
    );
    expect(summarise({ ...report, numFailedTests: 3 }, { ...around, vitestExit: 1 })).toEqual({
      line: "12 passed, 3 failed",
      ok: false,
    });
  });

  test("never says 0 failed over a broken run", () => {
    const unloadable = { status: "failed", assertionResults: [] };
    const report = { numPassedTests: 1, numFailedTests: 1, testResults: [unloadable] };
    expect(summarise(report, { ...around, vitestExit: 1 }).line).toBe("1 passed, 2 failed");
    expect(summarise({ numPassedTests: 5 }, { ...around, vitestExit: 1 }).line).toBe("5 passed, 1 failed");
    expect(summarise({ numPassedTests: 5 }, { ...around, failedChecks: 2 })).toEqual({
      line: "5 passed, 2 failed",
      ok: false,
    });
    expect(summarise(undefined, { ...around, vitestExit: 1 }).line).toBe("0 passed, 1 failed");
  });
});
