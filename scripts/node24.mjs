// Where this project's own Node 24 is, and how to run a program on it: shared by bin/isthmus.mjs and the scripts.
// It must be understood by any Node >= 18, because it runs before Node 24 is known to be there.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const projectFolder = dirname(dirname(fileURLToPath(import.meta.url)));

/** Type stripping without a warning begins here. */
const oldestMajor = 24;
const oldestMinor = 12;

/** @param {string} version such as "v24.21.0" */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** The binary inside the npm package for this machine; it may be missing. */
export function node24Path(folder = projectFolder) {
  return join(folder, "node_modules", `node-linux-${process.arch}`, "bin", "node");
}

/** What to run the program with: the project's own Node 24, else the Node we are if it is new enough, else nothing. */
export function node24(folder = projectFolder) {
  const own = node24Path(folder);
  if (existsSync(own)) return own;
  return isNewEnough(process.version) ? process.execPath : undefined;
}

/**
 * Where Node keeps what it made of our sources, types stripped: from the second start on the program is there in a third
 * of the time and with a fifth less memory. A folder that cannot be written is no fault.
 */
export const compileCache = (folder = projectFolder) => ({
  NODE_COMPILE_CACHE: join(folder, "node_modules", ".cache", "node"),
});

/**
 * What our programs are started with, so that an appliance of ten thousand nodes occupies 180 MB and not 290. Left alone, V8
 * lets its young generation grow to three times 16 MB when much is made at once and keeps it, lets the old one double, and
 * never finds Node idle enough to give anything back; in its mode for small memory it does, a few seconds after the work.
 */
export const nodeFlags = ["--optimize-for-size", "--max-semi-space-size=4", "--heap-growing-percent=60"];

/** Runs a program of ours with the words of this command line, as the whole of what this process does. */
export async function startProgram(name, file) {
  const node = node24();
  if (node === undefined) {
    console.error(`${name}: the npm packages are missing: run "npm run setup" in ${projectFolder} first.`);
    process.exitCode = 1;
    return;
  }
  process.exitCode = await runInForeground(node, [...nodeFlags, join(projectFolder, file), ...process.argv.slice(2)]);
}

/**
 * Runs a program in the foreground, hands SIGINT, SIGTERM and SIGHUP on to it and resolves with its exit code, or with
 * 128 + the signal that ended it, as a shell does.
 * @param {string} command
 * @param {string[]} args
 * @param {import("node:child_process").SpawnOptions} options
 * @returns {Promise<number>}
 */
export function runInForeground(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const env = { ...compileCache(), ...(options.env ?? process.env) };
    const child = spawn(command, args, { stdio: "inherit", ...options, env });
    const stopForwarding = forwardSignals(child);
    child.once("error", error => {
      stopForwarding();
      reject(error);
    });
    child.once("exit", (code, signal) => {
      stopForwarding();
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

function forwardSignals(child) {
  const lastAt = new Map();
  const onSignal = signal => {
    // On a terminal Ctrl-C reaches the whole process group: the child has it already, and a second one would read as
    // "at once, please". We only stay alive until the child has tidied up.
    if (signal === "SIGINT" && process.stdin.isTTY) return;
    // npm passes on what the group got as well, so the same signal comes twice within milliseconds.
    const now = Date.now();
    if (now - (lastAt.get(signal) ?? 0) < 1000) return;
    lastAt.set(signal, now);
    child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, onSignal);
  const watch = watchForOrphanhood(() => onSignal("SIGTERM"));
  return () => {
    clearInterval(watch);
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
}

/** An npm that was killed tells us nothing; that it is no longer our parent does. */
function watchForOrphanhood(onOrphaned) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  return setInterval(() => {
    if (process.ppid !== parent) onOrphaned();
  }, 500);
}
