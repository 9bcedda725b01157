// The programs that the demonstration and the tests start as children (brokers, openssl), as Debian packages.
// Only what is missing is installed; their system services are neither started nor left enabled.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findCommand, lastLine, looksOffline, run } from "./commands.mjs";
import { projectFolder } from "./node24.mjs";
import { refuse } from "./refusal.mjs";

const has = command => findCommand(command) !== undefined;

/** What is needed, by which it is known to be there. */
const needed = [
  { name: "prosody", present: () => has("prosody") && has("prosodyctl") },
  { name: "mosquitto", present: () => has("mosquitto") },
  { name: "openssl", present: () => has("openssl") },
];

/** Other people's code that only the tests talk to: a second broker, clients and servers in other languages. */
const neededByTests = [
  { name: "ejabberd", present: () => has("ejabberdctl") },
  { name: "gcc", present: () => has("gcc") },
  { name: "libc6-dev", present: () => existsSync("/usr/include/stdio.h") },
  { name: "mbpoll", present: () => has("mbpoll") },
  { name: "python3-pymodbus", present: () => existsSync("/usr/lib/python3/dist-packages/pymodbus") },
  { name: "python3-slixmpp", present: () => has("python3") && existsSync("/usr/lib/python3/dist-packages/slixmpp") },
];

/** @param {{ tests: boolean }} purpose */
export async function ensureDebianPackages({ tests }) {
  const missing = [...needed, ...(tests ? neededByTests : [])].filter(({ present }) => !present());
  const packages = missing.map(({ name }) => name);
  if (packages.length === 0) return;
  const list = packages.join(" ");
  if (findCommand("apt-get") === undefined) {
    refuse(`There is no apt-get here: install ${list} with this system's package manager, then run this again.`);
  }
  console.log(`Installing the Debian packages ${packages.join(", ")} (once) …`);
  const script = join(projectFolder, "scripts", "debian-install.sh");
  const [command, ...args] = [...asRoot(list), "/bin/sh", script, ...packages];
  const done = await run(command, args, { minutes: 15 });
  const left = missing.filter(({ present }) => !present());
  if (done.code === 0 && left.length === 0) return;
  if (done.late || looksOffline(done.output)) {
    refuse(
      `The Debian packages ${list} could not be fetched: connect this machine to the internet, then run this again.`,
    );
  }
  if (/Could not get lock|Unable to acquire the dpkg/.test(done.output)) {
    refuse("Another package installation is running: wait for it to end, then run this again.");
  }
  refuse(
    `apt-get could not install ${list} (${errorLine(done.output)}): run "sudo apt-get install ${list}", then this again.`,
  );
}

/** The words to put before a command so that it runs as root, or a refusal. */
function asRoot(list) {
  if (process.getuid?.() === 0) return [];
  const sudo = findCommand("sudo");
  const allowed =
    sudo !== undefined && spawnSync(sudo, ["-n", "true"], { timeout: 10_000, stdio: "ignore" }).status === 0;
  // A question for a password in the middle of a test run would be answered by nobody.
  if (!allowed) refuse(`Some programs are missing: run "sudo apt-get install ${list}", then run this again.`);
  return [sudo, "-n"];
}

function errorLine(output) {
  return (
    output
      .split("\n")
      .find(line => line.startsWith("E: "))
      ?.slice(3) ?? lastLine(output)
  );
}
