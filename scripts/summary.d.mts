// Types of summary.mjs for the tests; the scripts themselves are plain JavaScript because they run before Node 24.

export function summarise(
  report: unknown,
  around: { vitestExit: number; failedChecks: number },
): { line: string; ok: boolean };
