// The program `isthmus` in a process of its own, with what it printed and how it ended: as bin/isthmus.mjs starts it, which hundreds
// of commands need not wait for; or by way of that, as a person and systemd start it.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { systemClock as clock } from "#base/clock.ts";
import { compileCache, nodeFlags } from "../../scripts/node24.mjs";
import { forever } from "../lab/scene.ts";
import { found } from "./house.ts";

export const project = join(import.meta.dirname, "../..");

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Standard output and error so far. */
  out(): string;
  err(): string;
  /** Looks until this is in it. */
  says(pattern: RegExp): Promise<string>;
}

export interface Start {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input stays open, for the test to write to. */
  readonly open?: true;
  /** A process group of its own, so that a signal can reach it as a terminal's Ctrl-C does. */
  readonly group?: true;
}

/** Ends by itself, or is killed after this: nothing a test starts here takes longer. */
const lifeMs = 60_000;

export function startCommand(
  command: string,
  args: readonly string[],
  { stdin = "", env = {}, group, open }: Start = {},
): Running {
  const child = spawn(command, args, { cwd: project, env: { ...process.env, ...env }, detached: group === true });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", chunk => {
    out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", chunk => {
    err += chunk;
  });
  child.stdin.on("error", () => {});
  if (open) child.stdin.write(stdin);
  else child.stdin.end(stdin);
  const over = new AbortController();
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over.abort();
      resolve({ code: code ?? (signal === "SIGINT" ? 130 : -1), out, err });
    });
  });
  clock.sleep(lifeMs, over.signal).then(
    () => child.kill("SIGKILL"),
    () => {},
  );
  return {
    child,
    ended,
    out: () => out,
    err: () => err,
    says: pattern => found(`${pattern} in the output`, async () => (pattern.test(out) ? out : undefined), 30_000),
  };
}

export const isthmus = (args: readonly string[], start: Start = {}): Running =>
  startCommand(process.execPath, [...nodeFlags, join(project, "src/cli/main.ts"), ...args], {
    ...start,
    env: { ...compileCache(), ...start.env },
  });

const wrapper = join(project, "bin/isthmus.mjs");
/** As a person starts it: signals and the exit code go through two processes. */
export const isthmusWrapped = (args: readonly string[], start: Start = {}): Running =>
  startCommand(process.execPath, [wrapper, ...args], start);

/** At a terminal of its own: what is written to its standard input are keys, and all it says is in `out`. */
export const isthmusOnTerminal = (args: readonly string[], start: Start = {}): Running => {
  const words = [process.execPath, wrapper, ...args].map(word => `'${word}'`).join(" ");
  return startCommand("script", ["-q", "-f", "-e", "-c", `exec ${words}`, "/dev/null"], { ...start, open: true });
};

export const pause = (ms: number) => clock.sleep(ms, forever);
