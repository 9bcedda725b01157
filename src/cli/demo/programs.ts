// The two programs of the demonstration as processes of their own, so that they can be stopped, killed and started again.

import { join, resolve } from "node:path";
import type { Clock } from "#base/clock.ts";
import { type Child, type ChildPlan, startChild } from "#lab/child.ts";
import { compileCache, nodeFlags } from "../../../scripts/node24.mjs";

export interface Program extends AsyncDisposable {
  start(): Promise<void>;
  /** As an operator would. */
  stop(): Promise<void>;
  /** As a power cut would. */
  kill(): Promise<void>;
  readonly pid: number;
  /** Resolves with how it ended, by itself or not: "exit code 75". */
  ended(): Promise<string>;
  /** The last lines it wrote. */
  output(): string;
}

const source = resolve(import.meta.dirname, "../..");
const readyMs = 20_000;

/** `words` after the file, below src. Ready when it has said `ready` in its log. */
export function createProgram(
  name: string,
  file: string,
  words: readonly string[],
  clock: Clock,
  signal: AbortSignal,
): Program {
  let child: Child | undefined;
  const plan: ChildPlan = {
    name,
    command: process.execPath,
    args: [...nodeFlags, join(source, file), ...words],
    env: { ...compileCache(), ...process.env },
    readyMs,
    stopMs: 10_000,
    ready: async (inner, output) => {
      while (!/(^|\n)notice +ready\b/.test(output())) await clock.sleep(50, inner);
    },
  };
  return {
    async start() {
      child = await startChild(plan, clock, signal);
    },
    async stop() {
      await child?.stop();
    },
    async kill() {
      await child?.kill();
    },
    ended: async () => (await child?.ended) ?? "not started",
    output: () => child?.output() ?? "",
    get pid() {
      return child?.pid ?? 0;
    },
    async [Symbol.asyncDispose]() {
      await child?.stop();
    },
  };
}
