import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { version } from "../../src/base/version.ts";
import { isthmus, project, startCommand } from "../e2e/command-line.ts";

it("is that of package.json, and both programs tell it", async () => {
  expect(JSON.parse(readFileSync(join(project, "package.json"), "utf8")).version).toBe(version);
  const registry = startCommand(process.execPath, [join(project, "bin/isthmus-registry.mjs"), "--version"]);
  const said = await Promise.all([isthmus(["--version"]).ended, registry.ended]);
  expect(said.map(({ code, err }) => [code, err])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  const on = `${version} on Node ${process.versions.node}\n`;
  expect(said.map(({ out }) => out)).toEqual([`isthmus ${on}`, `isthmus-registry ${on}`]);
}, 60_000);
