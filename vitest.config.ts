import { defineConfig } from "vitest/config";

// Real parts (Prosody, mosquitto, sockets) run in some tests: bounds are generous, workers few.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    pool: "forks",
  },
});
