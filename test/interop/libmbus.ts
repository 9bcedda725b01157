// The command-line master of libmbus, built from the sources that the npm package node-mbus carries (BSD licence): an M-Bus master we
// did not write, for our simulated slaves.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const sources = join(import.meta.dirname, "../../node_modules/node-mbus/libmbus");
const library = ["mbus", "mbus-protocol", "mbus-protocol-aux", "mbus-serial", "mbus-tcp"];

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Libmbus extends Disposable {
  /** Runs "mbus-tcp-scan" and the like. */
  run(program: string, ...words: readonly string[]): Promise<Said>;
}

/** Compiles what is named; without the compiler it throws with its words. */
export async function buildLibmbus(programs: readonly string[]): Promise<Libmbus> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-libmbus-"));
  const compile = async (words: readonly string[]) => {
    const { code, stderr } = await start("gcc", ["-O1", "-w", `-I${sources}`, ...words], folder);
    if (code !== 0) throw new Error(`gcc: ${stderr}`);
  };
  try {
    const files = library.map(name => join(sources, "mbus", `${name}.c`));
    await compile(["-c", ...files, join(import.meta.dirname, "libmbus-patience.c")]);
    const objects = [...library, "libmbus-patience"].map(name => `${name}.o`);
    const link = ["-Wl,--wrap=tcsetattr", ...objects, "-lm"];
    for (const name of programs) await compile(["-o", name, join(sources, "bin", `${name}.c`), ...link]);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    run: (program, ...words) => start(join(folder, program), words, folder),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The simulated slaves answer within some ten milliseconds; where nobody is each wait is in vain. */
const patience = { LIBMBUS_SECONDS: "0.12" };

function start(command: string, words: readonly string[], folder: string): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, {
      cwd: folder,
      env: { ...process.env, ...patience },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Uint8Array) => {
      said.stdout += Buffer.from(chunk).toString("latin1");
    });
    child.stderr.on("data", (chunk: Uint8Array) => {
      said.stderr += Buffer.from(chunk).toString("latin1");
    });
    child.once("error", reject);
    child.once("close", code => resolve({ code, ...said }));
  });
}
