// What of node24.mjs is used from TypeScript.

export const nodeFlags: readonly string[];
export function compileCache(folder?: string): { NODE_COMPILE_CACHE: string };
/** Resolves with the exit code, or 128 + the signal that ended it. */
export function runInForeground(
  command: string,
  args: readonly string[],
  options?: import("node:child_process").SpawnOptions,
): Promise<number>;
