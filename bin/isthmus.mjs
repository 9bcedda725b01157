#!/usr/bin/env node
// The command `isthmus`: runs src/cli/main.ts on the project's own Node 24, whatever Node the shell has.

import { join } from "node:path";
import { node24, projectFolder, runInForeground } from "../scripts/node24.mjs";

const node = node24();
if (node === undefined) {
  console.error(`isthmus: the npm packages are missing: run "npm run setup" in ${projectFolder} first.`);
  process.exit(1);
}
process.exitCode = await runInForeground(node, [join(projectFolder, "src/cli/main.ts"), ...process.argv.slice(2)]);
