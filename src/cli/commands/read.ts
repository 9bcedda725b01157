// `isthmus read` and `isthmus watch`: values of nodes, once or again and again.

import { systemClock } from "#base/clock.ts";
import { TimeoutError } from "#base/deadline.ts";
import { describe } from "#base/log.ts";
import {
  type Ask,
  type Category,
  categories,
  categoryNames,
  type Field,
  formatValue,
  type Reading,
} from "#contract/field.ts";
import { describeNode, parseNode } from "#contract/node.ts";
import { dateTime } from "#xml/scalars.ts";
import { Disconnected } from "#xmpp/connection.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type CommandBody, CommandError, type Invocation, type Option, UsageError } from "../command.ts";
import { type Client, clientOptions, readoutMs, withClient } from "../connect.ts";
import { safe } from "../output.ts";

export const categoryOption: Option = {
  type: "string",
  value: "NAME",
  multiple: true,
  help: `One of ${categoryNames.join(", ")}, or all. Momentary unless said.`,
};

const readOptions: Record<string, Option> = {
  ...clientOptions,
  field: { type: "string", value: "NAME", multiple: true, help: "Only this field; may be given again." },
  category: categoryOption,
  from: { type: "string", value: "TIME", help: "Not older than this (2031-03-02T05:00:00Z)." },
  to: { type: "string", value: "TIME", help: "Not newer than this." },
};

export const read: CommandBody = {
  usage: "NODE... [--field NAME] [--category NAME]",
  details: "NODE is a NodeId as `isthmus nodes` shows it, or NodeId@partition.",
  options: readOptions,
  words: [1, 1000],
  run: call =>
    withClient(call, async client => {
      const faults = await readOnce(client, call, askOf(call));
      return faults === 0 ? 0 : 1;
    }),
};

export const watch: CommandBody = {
  usage: "NODE... [--every SECONDS]",
  options: { ...readOptions, every: { type: "string", value: "SECONDS", help: "How often; 10 unless said." } },
  words: [1, 1000],
  run: call =>
    withClient(call, async client => {
      const seconds = Number(call.text("every") ?? "10");
      if (!(seconds >= 1 && seconds <= 86_400)) throw new UsageError("--every is a number of seconds from 1 to 86400");
      const ask = askOf(call);
      // The first readout must succeed: who may not read, or mistypes, is told at once.
      for (let seen = false; !call.signal.aborted; seen = true) {
        await readOnce(client, call, ask).catch((error: unknown) => {
          if (call.signal.aborted) return;
          if (!seen || !passes(error)) throw error;
          process.stderr.write(`${safe(describe(error))}\n`);
        });
        await systemClock.sleep(seconds * 1000, call.signal).catch(() => {});
      }
      return 0;
    }),
};

/** It is not there just now, or has too much to do; the next readout may succeed. */
const passes = (error: unknown): boolean =>
  error instanceof StanzaError
    ? error.type === "wait" || error.condition === "recipient-unavailable" || error.condition === "service-unavailable"
    : error instanceof CommandError || error instanceof TimeoutError || error instanceof Disconnected;

/** Prints what comes in; resolves with the number of faults. */
async function readOnce(client: Client, { words, out, signal }: Invocation, ask: Partial<Ask>): Promise<number> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(readoutMs)]);
  const rows: string[][] = [];
  let faults = 0;
  for await (const reading of client.things.read(await client.appliance(limited), words.map(parseNode), ask, limited)) {
    if (reading.kind === "fault") faults++;
    out.value(reading);
    rows.push(...rowsOf(reading));
  }
  if (rows.length === 0) out.note("No values of that kind.");
  else out.table(["Node", "Time", "Field", "Value", "Category", "Quality"], rows);
  return faults;
}

export function rowsOf(reading: Reading): string[][] {
  const node = describeNode(reading.node);
  // A value that a meter stored without a date (docs/field-names.md).
  const at = reading.at === 0 ? "unknown" : new Date(reading.at).toISOString();
  if (reading.kind === "fault") return [[node, at, "", `error: ${reading.message}`, "", ""]];
  return reading.fields.map(field => [
    node,
    at,
    field.name,
    formatValue(field.value),
    categoriesOf(field),
    Object.keys(field.quality).join(", "),
  ]);
}

const categoriesOf = (field: Field): string => categoryNames.filter(name => field.categories[name]).join(", ");

export function askOf(call: Invocation): Partial<Ask> {
  const names = call.texts("category");
  const unknown = names.find(name => name !== "all" && !categoryNames.includes(name as Category));
  if (unknown !== undefined)
    throw new UsageError(`"${unknown}" is no category: say ${categoryNames.join(", ")} or all`);
  const chosen = names.includes("all") ? categoryNames : (names as readonly Category[]);
  return {
    names: call.texts("field"),
    categories: categories(...(chosen.length === 0 ? (["momentary"] as const) : chosen)),
    from: timeOf(call, "from") ?? Number.NEGATIVE_INFINITY,
    to: timeOf(call, "to") ?? Number.POSITIVE_INFINITY,
  };
}

function timeOf(call: Invocation, name: string): number | undefined {
  const text = call.text(name);
  if (text === undefined) return undefined;
  try {
    return dateTime.parse(text);
  } catch {
    throw new UsageError(`--${name} is a time such as 2031-03-02T05:00:00Z, not "${text}"`);
  }
}
