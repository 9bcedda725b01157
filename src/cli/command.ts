// What a command of the `isthmus` program is: its words, its options and what it does. Options are declared once and give
// parsing, checking and `--help`.

import { parseArgs } from "node:util";
import type { Output } from "./output.ts";

/** The words on the command line are wrong: a sentence and exit code 2, no stack. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The command could not do what was asked: a sentence and exit code 1, no stack. */
export class CommandError extends Error {
  override name = "CommandError";
}

export interface Option {
  readonly type: "string" | "boolean";
  /** What stands for the value in the help: `--as NAME`. */
  readonly value?: string;
  readonly help: string;
  readonly multiple?: true;
}

export interface Invocation {
  readonly words: readonly string[];
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
  readonly out: Output;
  readonly signal: AbortSignal;
}

/** Name and summary stand in the list of commands.ts, which is printed without loading any. */
export interface CommandBody {
  /** What follows the name: "URI [--private]". */
  readonly usage: string;
  readonly details?: string;
  readonly options: Readonly<Record<string, Option>>;
  /** How many words must and may follow. */
  readonly words: readonly [min: number, max: number];
  /** Exit code. */
  run(call: Invocation): Promise<number>;
}

export interface Command extends CommandBody {
  /** "owner claim": one or two words. */
  readonly name: string;
  readonly summary: string;
}

export const everyCommand: Readonly<Record<string, Option>> = {
  help: { type: "boolean", help: "Show this help." },
  json: { type: "boolean", help: "Print JSON, one value a line, for programs." },
};

export interface Parsed {
  readonly words: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

/** Throws `UsageError` with a sentence that names the option or the missing word. */
export function parseWords(command: Command, args: readonly string[]): Parsed {
  const known = { ...everyCommand, ...command.options };
  const options = Object.fromEntries(
    Object.entries(known).map(([name, one]) => [name, { type: one.type, multiple: one.multiple === true }]),
  );
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/\. To specify a positional.*$/s, ".").replace(/\s+/g, " "));
  }
  const words = parsed.positionals;
  const [min, max] = command.words;
  if (parsed.values.help !== true) {
    if (words.length < min) throw new UsageError(`${command.name} needs more: ${command.usage}`);
    if (words.length > max) throw new UsageError(`${command.name} does not know what to do with "${words[max]}"`);
  }
  return { words, values: parsed.values };
}

export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...everyCommand }).map(([name, one]): [string, string] => [
    `--${name}${one.value ? ` ${one.value}` : ""}`,
    one.help,
  ]);
  const width = Math.max(...options.map(([name]) => name.length));
  return [
    `isthmus ${command.name} ${command.usage}`.trimEnd(),
    "",
    command.summary,
    ...(command.details ? ["", ...wrapped(command.details)] : []),
    "",
    "Options:",
    ...options.flatMap(([name, help]) =>
      wrapped(help, columns - width - 4).map((line, at) => `  ${(at === 0 ? name : "").padEnd(width)}  ${line}`),
    ),
  ].join("\n");
}

/** The narrowest terminal that people use. */
const columns = 80;

/** Lines for a terminal; what the text itself breaks stays broken. */
const wrapped = (text: string, width = columns): string[] =>
  text.split("\n").flatMap(line => line.match(new RegExp(`\\S.{0,${width - 1}}(?=\\s|$)|\\S+`, "g")) ?? [""]);
