import { defineConfig } from "vitest/config";

// Real parts (Prosody, mosquitto, sockets) run in some tests: bounds are generous. A third of the time
// is spent waiting for them, so there is one worker more than the two cores such a machine has.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    pool: "forks",
  },
});
