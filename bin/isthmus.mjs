#!/usr/bin/env node
// The command `isthmus`: runs src/cli/main.ts on the project's own Node 24, whatever Node the shell has.

import { startProgram } from "../scripts/node24.mjs";

await startProgram("isthmus", "src/cli/main.ts");
