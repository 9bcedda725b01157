#!/usr/bin/env node
// The broker-side program: runs src/registry/main.ts on the project's own Node 24, whatever Node the shell has.

import { startProgram } from "../scripts/node24.mjs";

await startProgram("isthmus-registry", "src/registry/main.ts");
