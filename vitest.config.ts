import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that wait for programs and lines take longest and come first, so that at the end no worker is left alone with one. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) =>
      /\/test\/(e2e|interop|bad-input|fuzz|labels|lab)\//.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter(file => !isLong(file))];
  }
}

// Real parts (Prosody, mosquitto, sockets) run in some tests: bounds are generous. A third of the time is spent waiting for
// them, so there are two workers more than the two cores such a machine has.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 4,
    pool: "forks",
    sequence: { sequencer: LongestFirst },
  },
});
