// npm packages and Node 24: installed when they are not what the lockfile says, otherwise left alone.
// No package of ours needs an install script, so npm is told to run none.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { findCommand, lastLine, looksOffline, run } from "./commands.mjs";
import { isNewEnough, node24Path } from "./node24.mjs";
import { refuse } from "./refusal.mjs";

/** Makes sure of node_modules and returns the path of a Node 24 that runs. @param {string} folder */
export async function ensurePackages(folder) {
  const lockText = readFileSync(join(folder, "package-lock.json"), "utf8");
  const stamp = `${createHash("sha256").update(lockText).digest("hex")} ${process.platform} ${process.arch}\n`;
  const stampPath = join(folder, "node_modules", ".isthmus-setup");
  const fresh = readIfThere(stampPath) === stamp || matchesInstalled(folder, lockText);
  if (!fresh || !existsSync(node24Path(folder))) {
    rmSync(stampPath, { force: true });
    await npmInstall(folder);
  }
  const node = workingNode24(folder);
  if (readIfThere(stampPath) !== stamp) writeFileSync(stampPath, stamp);
  return node;
}

/**
 * npm's own note of what it installed (written last) holds every package of the lockfile that this machine needs: so a
 * developer's `npm install <package>` does not lead to everything being fetched again.
 */
function matchesInstalled(folder, lockText) {
  const noteText = readIfThere(join(folder, "node_modules", ".package-lock.json"));
  if (noteText === undefined) return false;
  const installed = JSON.parse(noteText).packages ?? {};
  return Object.entries(JSON.parse(lockText).packages).every(([path, entry]) => {
    if (path === "") return true;
    const present = installed[path];
    return present === undefined ? entry.optional === true : present.version === entry.version;
  });
}

async function npmInstall(folder) {
  console.log("Installing npm packages and Node 24 (once, about 60 MB) …");
  const cli = process.env.npm_execpath;
  const npm = findCommand("npm");
  if (cli === undefined && npm === undefined)
    refuse("npm is missing: install it (Debian package npm), then run this again.");
  const args = ["ci", "--include=dev", "--include=optional", "--ignore-scripts", "--loglevel=error"];
  // npm's own patience without a network is several minutes of silence.
  args.push("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000");
  const done = cli?.endsWith(".js")
    ? await run(process.execPath, [cli, ...args], { minutes: 20, cwd: folder })
    : await run(npm ?? "npm", args, { minutes: 20, cwd: folder });
  if (done.code === 0) return;
  if (done.late || looksOffline(done.output)) {
    refuse("The npm packages could not be fetched: connect this machine to the internet, then run this again.");
  }
  if (/\bENOSPC\b/.test(done.output)) refuse("The disk is full: free 500 MB, then run this again.");
  if (/\b(EACCES|EPERM|EROFS)\b/.test(done.output)) {
    refuse(`${folder} is not yours to write: take ownership of it or clone it again as yourself, then run this again.`);
  }
  const complaint = done.output.split("\n").find(line => /^npm (error|ERR!) (?!code)\S/.test(line));
  refuse(
    `npm could not install the packages (${(complaint ?? lastLine(done.output)).trim()}): run "npm ci" to see it all.`,
  );
}

function workingNode24(folder) {
  const node = node24Path(folder);
  if (!existsSync(node)) {
    refuse(`Node 24 is missing from node_modules: remove ${join(folder, "node_modules")}, then run this again.`);
  }
  const { stdout, error, stderr } = spawnSync(node, ["--version"], { encoding: "utf8", timeout: 30_000 });
  const version = stdout?.trim() ?? "";
  if (!/^v\d/.test(version)) {
    const why = error?.message ?? lastLine(stderr ?? "");
    refuse(`Node 24 does not run on this machine (${why}): use a 64-bit Debian 12 or Ubuntu 22.04, or newer.`);
  }
  if (!isNewEnough(version)) {
    refuse(`node_modules holds Node ${version} but 24.12 or newer is needed: run "npm ci", then run this again.`);
  }
  linkAsNode(folder, node);
  return node;
}

/** npm 10 leaves .bin/node out because two packages offer it; scripts run by npm would get the old Node. */
function linkAsNode(folder, node) {
  const bin = join(folder, "node_modules", ".bin");
  const link = join(bin, "node");
  if (existsSync(link)) return;
  mkdirSync(bin, { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(relative(bin, node), link);
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
