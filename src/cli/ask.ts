// Questions at a terminal. Who answers with Ctrl-C or with the end of the input has answered too.

import { createInterface } from "node:readline/promises";
import { CommandError, type Invocation, UsageError } from "./command.ts";

/** Somebody is there to be asked. */
export const isAsking = ({ out }: Pick<Invocation, "out">): boolean =>
  !out.json && process.stdin.isTTY === true && process.stdout.isTTY === true;

/** What was typed, or undefined where the input ended. Rejects when aborted; Ctrl-C is the process's to hear. */
export async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // The terminal hands over keys one by one while a line is typed; without this Ctrl-C would only end the line.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const closed = new Promise<undefined>(resolve => lines.once("close", () => resolve(undefined)));
  try {
    return await Promise.race([lines.question(question, { signal }), closed]);
  } finally {
    lines.close();
  }
}

/** Nothing is done by mistake: at a terminal it is asked, in a script it must be said, in the words of `instead`. */
export async function confirm(question: string, instead: string, call: Invocation): Promise<void> {
  if (!isAsking(call)) throw new UsageError(`${question} Say ${instead}.`);
  call.out.line(question);
  const answer = await ask("yes/no: ", call.signal);
  if (!/^\s*y/i.test(answer ?? "")) throw new CommandError("Nothing was done.");
}
