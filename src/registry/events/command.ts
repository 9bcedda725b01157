// `isthmus-registry log`: the events that were received, one line each. Every text in them is somebody else's: nothing of it moves
// the cursor, hides its own letters or looks like the next line (LOG-RCV-02).

import { parseArgs } from "node:util";
import type { Log } from "#base/log.ts";
import { quoted } from "#base/log.ts";
import { eventTypes } from "#iot/event-log.wire.ts";
import { receivedListMax } from "#limits.ts";
import { eventsFile, openEventStore, type Received } from "./store.ts";

/** The words are wrong: a sentence. */
export class EventsError extends Error {
  override name = "EventsError";
}

export interface EventsIo {
  /** Path of the registry's database, from `--config` or `--database`. */
  readonly database: (config: string | undefined, database: string | undefined) => string;
  readonly out: (text: string) => void;
  readonly note: (text: string) => void;
  readonly log: Log;
}

export const eventsHelp = `The events that were received (docs/events.md), the newest last.

  isthmus-registry log --config FILE [--last N] [--since TIME] [--from JID] [--type TYPE] [--json]

  --config FILE     settings of the registry, which say where its database lies
  --database FILE   the database itself
  --last N          so many (50)
  --since TIME      from then on: 2026-01-05, or 2026-01-05T08:00:00Z
  --from JID        of this sender
  --type TYPE       this type and what is worse: ${eventTypes.join(", ")}
  --json            one JSON object a line, for programs
`;

const words = {
  config: { type: "string" },
  database: { type: "string" },
  last: { type: "string" },
  since: { type: "string" },
  from: { type: "string" },
  type: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

const usage = (message: string): EventsError => new EventsError(`${message}\nTry isthmus-registry log --help.`);

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: words }).values;
  } catch (error) {
    throw usage((error as Error).message.replace(/\. To specify a positional.*$/s, "."));
  }
}

/** Throws `EventsError`, `DatabaseFault`. */
export function eventsCommand(args: readonly string[], io: EventsIo): void {
  const values = read(args);
  if (values.help) {
    io.out(eventsHelp);
    return;
  }
  const last = Number(values.last ?? 50);
  if (!Number.isInteger(last) || last < 1 || last > receivedListMax)
    throw usage(`--last is a number from 1 to ${receivedListMax}`);
  const sinceMs = values.since === undefined ? 0 : Date.parse(values.since);
  if (Number.isNaN(sinceMs)) throw usage("--since is a date, or a date and time such as 2026-01-05T08:00:00Z");
  const worst = eventTypes.findIndex(one => one.toLowerCase() === values.type?.toLowerCase());
  if (values.type !== undefined && worst < 0) throw usage(`--type is one of ${eventTypes.join(", ")}`);
  using store = openEventStore(eventsFile(io.database(values.config, values.database)), io.log);
  const found = store.list({
    last,
    sinceMs,
    ...(values.from !== undefined && { sender: values.from.toLowerCase() }),
    ...(worst >= 0 && { types: eventTypes.slice(worst) }),
  });
  for (const one of found) io.out(`${values.json ? jsonOf(one) : lineOf(one)}\n`);
  if (found.length === 0)
    io.note(
      store.size === 0
        ? "No events have been received: eventLogSenders in the registry's settings says of whom they are taken.\n"
        : "None of the events is like that.\n",
    );
}

/** When it came and from whom, by our own word; then what he says. */
export function lineOf({ received, sender, entry }: Received): string {
  const said = [
    ...named("object", entry.object),
    ...named("subject", entry.subject),
    ...(entry.facility === sender ? [] : named("facility", entry.facility)),
    ...entry.tags.flatMap(({ name, value }) => named(name, value)),
    ...(entry.stackTrace === undefined ? [] : named("stack", entry.stackTrace)),
  ];
  const type = entry.type.said ?? entry.type.is;
  return [
    new Date(received).toISOString(),
    quoted(sender),
    `${quoted(type)}/${quoted(entry.level.said ?? entry.level.is)}`,
    quoted(entry.id ?? "-"),
    quoted(entry.message.text),
    ...said,
  ].join(" ");
}

const named = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : [`${quoted(name)}=${quoted(value)}`];

const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const jsonOf = ({ received, sender, entry }: Received): string =>
  JSON.stringify({ received: new Date(received).toISOString(), sender, ...entry }).replace(hidden, one =>
    Array.from({ length: one.length }, (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
