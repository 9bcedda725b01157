// The program `isthmus`: finds the command, reads its words, runs it, and turns what goes wrong into a sentence and an exit
// code: 0 done, 1 could not, 2 wrong words, 130 interrupted.

import { systemClock } from "#base/clock.ts";
import { describe } from "#base/log.ts";
import { version } from "#base/version.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type Command, CommandError, helpOf, parseWords, UsageError } from "./command.ts";
import { commands, type Listed } from "./commands.ts";
import { createOutput, safe, screenOf } from "./output.ts";
import { refusalWords } from "./refusal-words.ts";

/** Errors whose message is written for people. */
const sentences = new Set([
  "DatabaseFault",
  "DialError",
  "Disconnected",
  "IotdiscoError",
  "LoginError",
  "Refusal",
  "TimeoutError",
  "WireError",
]);

const sameSignalMs = 1_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new DOMException("interrupted", "AbortError"));
  let askedAt: number | undefined;
  const onSignal = () => {
    // Who asks a second time does not want to wait. Sooner it is the same word, come from the terminal and from our parent.
    const now = systemClock.monotonic();
    if (askedAt !== undefined && now - askedAt > sameSignalMs) process.exit(130);
    askedAt ??= now;
    interrupt();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  process.stdout.on("error", interrupt); // The reader of a pipe went away.
  try {
    return await dispatch(helpFirst(commandFirst(args)), stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return 130;
    return explain(error, find(commandFirst(args))?.name);
  }
}

/** `isthmus --json nodes` means `isthmus nodes --json`: what every command knows may stand before it. */
function commandFirst(args: readonly string[]): readonly string[] {
  const at = args.findIndex(word => word !== "--json" && word !== "--help");
  return at <= 0 ? args : [...args.slice(at), ...args.slice(0, at)];
}

/** `isthmus help read` means `isthmus read --help`. */
function helpFirst(args: readonly string[]): readonly string[] {
  return args[0] === "help" ? [...args.slice(1), "--help"] : args;
}

async function dispatch(args: readonly string[], signal: AbortSignal): Promise<number> {
  const words = args.filter(word => !word.startsWith("-"));
  const listed = find(args);
  if (listed === undefined) {
    if (words.length === 0 && (args.length === 0 || args.includes("--help") || args.includes("-h"))) {
      process.stdout.write(`${overview(commands)}\n`);
      return 0;
    }
    if (args.includes("--version")) {
      process.stdout.write(`isthmus ${version} on Node ${process.versions.node}\n`);
      return 0;
    }
    const group = commands.filter(one => one.name.startsWith(`${words[0]} `));
    if (group.length > 0 && words.length === 1) {
      process.stdout.write(`${overview(group)}\n`);
      return args.includes("--help") ? 0 : 2;
    }
    throw new UsageError(`There is no command "${words.slice(0, group.length > 0 ? 2 : 1).join(" ")}".`);
  }
  const command: Command = { ...(await listed.load()), name: listed.name, summary: listed.summary };
  const { words: rest, values } = parseWords(command, args.slice(command.name.split(" ").length));
  if (values.help === true) {
    process.stdout.write(`${helpOf(command)}\n`);
    return 0;
  }
  const out = createOutput(
    values.json === true,
    text => process.stdout.write(text),
    screenOf(process.stdout, process.env),
  );
  return await command.run({
    words: rest,
    text: name => values[name] as string | undefined,
    texts: name => (values[name] as string[] | undefined) ?? [],
    flag: name => values[name] === true,
    out,
    signal,
  });
}

/** The command whose words the line begins with; two words win over one. */
function find(args: readonly string[]): Listed | undefined {
  return commands.find(one => one.name === args.slice(0, 2).join(" ")) ?? commands.find(one => one.name === args[0]);
}

function overview(list: readonly Listed[]): string {
  const width = Math.max(...list.map(one => one.name.length));
  return [
    "isthmus: meters, sensors and actuators as nodes of an XMPP concentrator",
    "",
    ...list.map(one => `  isthmus ${one.name.padEnd(width)}  ${one.summary}`),
    "",
    "`isthmus COMMAND --help` says more of each.",
  ].join("\n");
}

function explain(error: unknown, command: string | undefined): number {
  if (error instanceof UsageError) {
    process.stderr.write(
      `${safe(error.message)}\nTry \`isthmus ${command === undefined ? "" : `${command} `}--help\`.\n`,
    );
    return 2;
  }
  // Our own sentences may have lines; those of others have not.
  if (error instanceof CommandError) {
    process.stderr.write(`${error.message.split("\n").map(safe).join("\n")}\n`);
    return 1;
  }
  if (error instanceof StanzaError) {
    process.stderr.write(`${safe(refusalWords(error))}\n`);
    return 1;
  }
  const kind = error instanceof Error ? error.name : "";
  process.stderr.write(
    sentences.has(kind)
      ? `${safe(describe(error))}\n`
      : `isthmus failed: ${error instanceof Error ? error.stack : error}\n`,
  );
  return 1;
}
