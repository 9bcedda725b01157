// The programs that the demonstration and the tests start as children (brokers, openssl), as Debian packages.
// Only what is missing is installed; their system services are neither started nor left enabled.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
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

const inPython = module => existsSync(`/usr/lib/python3/dist-packages/${module}`);

/**
 * Other people's code that only the tests talk to: a second broker, clients and servers in other languages. What is `optional`
 * is not in every release: where there is no such package the tests that need it say that they were skipped.
 */
const neededByTests = [
  { name: "ejabberd", present: () => has("ejabberdctl") },
  { name: "gcc", present: () => has("gcc") },
  { name: "libc6-dev", present: () => existsSync("/usr/include/stdio.h") },
  { name: "librsvg2-bin", present: () => has("rsvg-convert") },
  { name: "mbpoll", present: () => has("mbpoll"), optional: true },
  { name: "poppler-utils", present: () => has("pdftoppm") && has("pdftotext") },
  { name: "python3-pymodbus", present: () => inPython("pymodbus"), optional: true },
  { name: "python3-serial", present: () => inPython("serial"), optional: true },
  { name: "python3-serial-asyncio", present: () => inPython("serial_asyncio"), optional: true },
  { name: "python3-slixmpp", present: () => has("python3") && inPython("slixmpp") },
];

/** @param {{ tests: boolean }} purpose */
export async function ensureDebianPackages({ tests }) {
  const without = notedAsAbsent();
  const missing = [...needed, ...(tests ? neededByTests : [])].filter(
    ({ name, present, optional }) => !present() && !(optional && without.includes(name)),
  );
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
  const absent = [...done.output.matchAll(/^No package (\S+) in this release$/gm)].map(([, name]) => name);
  const left = missing.filter(({ name, present, optional }) => !present() && !(optional && absent.includes(name)));
  if (done.code === 0 && left.length === 0) return noteAsAbsent(absent);
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

/** So that each run does not ask for them again; forgotten when the npm packages are installed anew. */
const absentNote = join(projectFolder, "node_modules", ".isthmus-without");
const notedAsAbsent = () => (existsSync(absentNote) ? readFileSync(absentNote, "utf8").split("\n") : []);

function noteAsAbsent(names) {
  if (names.length === 0) return;
  console.log(`There is no ${names.join(", ")} in this release: the tests that need it are skipped.`);
  writeFileSync(absentNote, `${[...notedAsAbsent(), ...names].join("\n")}\n`);
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
