// Finding and running the commands that set-up needs, each with a bound and with its output kept for the error sentence.

import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian keeps daemons in sbin, which is not in every user's PATH. */
export const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

/** @param {string} name @returns {string | undefined} the full path of an executable */
export function findCommand(name, extraFolders = systemFolders) {
  const folders = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), ...extraFolders];
  return folders.map(folder => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end and resolves with its exit code and everything it wrote; never rejects. After `minutes` it
 * is ended. When we are told to stop it is ended too, and we exit: set-up can be repeated at any time.
 * @param {string} command
 * @param {string[]} args
 * @param {{ minutes: number, env?: NodeJS.ProcessEnv, cwd?: string }} options
 * @returns {Promise<{ code: number, output: string, late: boolean }>}
 */
export function run(command, args, { minutes, env = process.env, cwd }) {
  return new Promise(resolve => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let late = false;
    const keep = chunk => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGTERM");
    }, minutes * 60_000);
    let stopped;
    const onSignal = signal => {
      stopped = signal;
      child.kill("SIGTERM");
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
    const finish = code => {
      clearTimeout(timer);
      process.removeListener("SIGINT", onSignal).removeListener("SIGTERM", onSignal);
      if (stopped !== undefined) process.exit(stopped === "SIGINT" ? 130 : 143);
      resolve({ code, output, late });
    };
    child.once("error", error => {
      output += error.message;
      finish(127);
    });
    child.once("close", code => finish(code ?? 1));
  });
}

/** Whether a failed command's output reads as if there were no network. @param {string} output */
export function looksOffline(output) {
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT|Temporary failure resolving|Could not resolve|Could not connect|Cannot initiate the connection|Network is unreachable|Connection (refused|timed out|failed)|network (timeout|request)/i.test(
    output,
  );
}

/** The last line of a command's output that says something. @param {string} output */
export function lastLine(output) {
  const lines = output.split("\n").map(line => line.trim());
  return (
    lines.filter(line => line !== "" && !/complete log of this run|_logs\//.test(line)).at(-1) ?? "it said nothing"
  );
}
