// The last line of `npm test`: how many passed, failed and were skipped, counted from vitest's JSON report.

/**
 * A test file that could not be loaded has no results of its own, and an error outside any test only makes the run
 * unsuccessful: each counts as one failure, so that "0 failed" is never printed over a broken run.
 * @param {unknown} report vitest's JSON report, or undefined when there is none
 * @param {{ vitestExit: number, failedChecks: number }} around
 */
export function summarise(report, { vitestExit, failedChecks }) {
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = report ?? {};
  const files = report?.testResults ?? [];
  const unloadable = files.filter(file => file.status === "failed" && file.assertionResults.length === 0).length;
  let failed = numFailedTests + unloadable;
  if (failed === 0 && vitestExit !== 0) failed = 1;
  failed += failedChecks;
  const skipped = numPendingTests + numTodoTests;
  const line = `${numPassedTests} passed, ${failed} failed`;
  return { line: skipped > 0 ? `${line}, ${skipped} skipped` : line, ok: failed === 0 };
}
