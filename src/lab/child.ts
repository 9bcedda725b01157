// Programs that run beside us while something is demonstrated or tested: started with a bound on their readiness, ended
// with a bound on their farewell, and never left behind, not even when we die ourselves.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";

export interface ChildPlan {
  /** As it shall stand in sentences. */
  name: string;
  /** Full path, see `findProgram`. */
  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Resolves when the child serves. Its signal is aborted when the child has ended or the bound is over. */
  ready(signal: AbortSignal, output: () => string): Promise<void>;
  readyMs?: number;
  /** How long it may take to end after SIGTERM before it is killed. */
  stopMs?: number;
}

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Resolves, never rejects, with how it ended: "exit code 1", "signal SIGKILL". */
  readonly ended: Promise<string>;
  /** The last lines it wrote, standard output and error together. */
  output(): string;
  /** Resolves when it is gone: SIGTERM first, SIGKILL after the bound. */
  stop(): Promise<void>;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
}

export class LabError extends Error {
  override name = "LabError";
}

const readyMsDefault = 10_000;
const stopMsDefault = 3_000;
const outputCharsMax = 16_384;

export async function startChild(plan: ChildPlan, clock: Clock, signal: AbortSignal): Promise<Child> {
  signal.throwIfAborted();
  const child = launch(plan, clock);
  const gone = new AbortController();
  const died = child.ended.then(how => {
    gone.abort();
    throw new LabError(`${plan.name} did not start: ${how}${lastWords(child)}`);
  });
  died.catch(() => {});
  const readyMs = plan.readyMs ?? readyMsDefault;
  try {
    await within(clock, readyMs, `${plan.name} did not become ready`, signal, inner =>
      Promise.race([plan.ready(AbortSignal.any([inner, gone.signal]), child.output), died]),
    );
    return child;
  } catch (error) {
    const words = lastWords(child);
    await child.stop();
    if (signal.aborted || error instanceof LabError) throw error;
    throw new LabError(`${error instanceof Error ? error.message : error}${words}`, { cause: error });
  }
}

/** Debian keeps daemons in sbin, which is not in every user's PATH. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

export function findProgram(name: string): string {
  const path = lookFor(name);
  if (path === undefined) throw new LabError(`${name} is not installed: run "npm run setup", then try again.`);
  return path;
}

function lookFor(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...systemFolders];
  return folders
    .filter(folder => folder !== "")
    .map(folder => join(folder, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function launch(plan: ChildPlan, clock: Clock): Child {
  const process = spawnTied(plan);
  let output = "";
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-outputCharsMax);
  };
  process.stdout.setEncoding("utf8").on("data", keep);
  process.stderr.setEncoding("utf8").on("data", keep);
  let over = false;
  const ended = new Promise<string>(resolve => {
    const end = (how: string) => {
      over = true;
      if (process.pid !== undefined) untrack(process.pid);
      resolve(how);
    };
    process.once("error", error => end(error.message));
    process.once("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  if (process.pid !== undefined) track(process.pid);
  const kill = async () => {
    if (!over && process.pid !== undefined) killGroup(process.pid);
    await ended;
  };
  const stop = async () => {
    if (over) return;
    process.kill("SIGTERM");
    const timer = new AbortController();
    const late = clock.sleep(plan.stopMs ?? stopMsDefault, timer.signal).catch(() => {});
    await Promise.race([ended, late]);
    timer.abort();
    await kill();
  };
  return { pid: process.pid ?? -1, ended, output: () => output, stop, kill, [Symbol.asyncDispose]: stop };
}

/** An owner that was killed before the kernel was asked would not be noticed: then we are nobody's child by now. */
const ownedOrGone = `[ "$PPID" = ${process.pid} ] || exit 1; exec "$0" "$@"`;

/**
 * The child gets a process group of its own, so that Ctrl-C reaches us alone and we end the parts in the right order. In
 * return the kernel is asked (through setpriv of util-linux, where it is there) to end it when we are killed.
 */
function spawnTied(plan: ChildPlan): ChildProcessByStdio<null, Readable, Readable> {
  const setpriv = lookFor("setpriv");
  const [command, args] =
    setpriv === undefined
      ? [plan.command, plan.args]
      : [setpriv, ["--pdeathsig", "KILL", "--", "/bin/sh", "-c", ownedOrGone, plan.command, ...plan.args]];
  return spawn(command, args, {
    cwd: plan.cwd,
    env: plan.env ?? process.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const living = new Set<number>();
let watching = false;

function track(pid: number): void {
  living.add(pid);
  if (watching) return;
  watching = true;
  // Before whoever removes their folders.
  process.prependListener("exit", () => {
    for (const each of living) killGroup(each);
  });
}

/** What the child started itself goes with it. */
function untrack(pid: number): void {
  living.delete(pid);
  killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left in the group: that is what we wanted.
  }
}

function lastWords(child: Child): string {
  const lines = child.output().trimEnd().split("\n").slice(-5).join("\n");
  return lines === "" ? "" : `\n${lines}`;
}
