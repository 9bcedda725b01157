// What of node24.mjs is used from TypeScript.

export const nodeFlags: readonly string[];
export function compileCache(folder?: string): { NODE_COMPILE_CACHE: string };
