// A pseudo terminal: a serial port to whoever opens it, octets to the simulator or test. Made by the `script` program, which
// every Debian and Ubuntu has (bsdutils is essential there), so that nothing needs to be installed or compiled.

import { spawn } from "node:child_process";

export interface PseudoTerminal extends AsyncDisposable {
  /** /dev/pts/n */
  readonly path: string;
  /** To the one who opened the port. */
  write(bytes: Uint8Array): void;
  /** Sets the one listener for what he writes; without one, `heard` collects it. */
  onData(listener: (chunk: Uint8Array) => void): void;
  /** The next `count` octets written by the one who opened the port. */
  heard(count: number): Promise<Uint8Array>;
}

/** It lives as long as this process, however that ends. */
const hold = `stty raw -echo; tty; while kill -0 ${process.pid} 2>/dev/null; do sleep 5; done`;

export async function openPseudoTerminal(): Promise<PseudoTerminal> {
  const program = spawn("script", ["-q", "-f", "-e", "-c", hold, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = new Promise<void>(resolve => program.once("exit", () => resolve()));
  // What is written to a port that was pulled is lost.
  program.stdin.on("error", () => {});
  let buffer: number[] = [];
  let wake = () => {};
  let listener: ((chunk: Uint8Array) => void) | undefined;
  program.stdout.on("data", (chunk: Uint8Array) => {
    if (listener) return listener(chunk);
    buffer.push(...chunk);
    wake();
  });
  const heard = async (count: number): Promise<Uint8Array> => {
    while (buffer.length < count)
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    const taken = buffer.slice(0, count);
    buffer = buffer.slice(count);
    return Uint8Array.from(taken);
  };
  while (!buffer.includes(10)) await heard(buffer.length + 1).then(bytes => buffer.unshift(...bytes));
  const line = await heard(buffer.indexOf(10) + 1);
  return {
    path: Buffer.from(line).toString("latin1").trim(),
    heard,
    write: bytes => void program.stdin.write(bytes),
    onData(next) {
      listener = next;
    },
    async [Symbol.asyncDispose]() {
      program.kill("SIGKILL");
      await exited;
    },
  };
}
