// `isthmus subscribe`: values as they change, told by the appliance.

import type { Wish } from "#client/subscriptions.ts";
import { parseNode } from "#contract/node.ts";
import { type CommandBody, type Invocation, UsageError } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import { createRows } from "../output.ts";
import { askOf, categoryOption, rowsOf } from "./read.ts";

export const subscribe: CommandBody = {
  usage: "NODE... [--field NAME[:BY]] [--at-least SECONDS] [--at-most SECONDS]",
  details:
    "Prints the values of now, then each change, until Ctrl-C. --field Energy:5 tells of changes of 5 or more; without --field any change of any value is told. With --json each event as it came, with all that was subscribed to.",
  options: {
    ...clientOptions,
    field: {
      type: "string",
      value: "NAME[:BY]",
      multiple: true,
      help: "This field, when it changed by so much; may be given again.",
    },
    category: categoryOption,
    "at-least": { type: "string", value: "SECONDS", help: "Tell after so long even where nothing changed." },
    "at-most": { type: "string", value: "SECONDS", help: "Tell no more often than this." },
  },
  words: [1, 1000],
  run: call => {
    const wish = wishOf(call);
    return withClient(call, async client => {
      try {
        const where = (signal: AbortSignal) => client.appliance(signal);
        const print = createRows(call.out, ["Node", "Time", "Field", "Value", "Category", "Quality"]);
        const isNews = createNews(call.text("at-least") !== undefined);
        for await (const reading of client.subscriptions.subscribe(where, wish, call.signal)) {
          call.out.value(reading);
          for (const row of rowsOf(reading)) if (isNews(row)) print(row);
        }
      } catch (error) {
        if (!call.signal.aborted) throw error;
      }
      return 0;
    });
  },
};

/** An event brings all that was subscribed to: for people what is as it was is left out, unless they want to hear of it. */
function createNews(everything: boolean): (row: readonly string[]) => boolean {
  const last = new Map<string, string>();
  return ([node, , field, value = ""]) => {
    const key = `${node}\n${field}`;
    const isOther = last.get(key) !== value;
    last.set(key, value);
    return everything || isOther;
  };
}

function wishOf(call: Invocation): Wish {
  const maxIntervalMs = milliseconds(call, "at-least");
  const minIntervalMs = milliseconds(call, "at-most");
  const { categories } = askOf(call);
  return {
    nodes: call.words.map(parseNode),
    fields: call.texts("field").map(fieldOf),
    now: true,
    ...(categories === undefined ? {} : { categories }),
    ...(maxIntervalMs === undefined ? {} : { maxIntervalMs }),
    ...(minIntervalMs === undefined ? {} : { minIntervalMs }),
  };
}

/** "Power, Max" or "Energy:0.5": names hold no colon. */
function fieldOf(text: string): { name: string; by?: number } {
  const [name = "", by] = text.split(":");
  if (name === "" || (by !== undefined && !(Number(by) > 0))) {
    throw new UsageError(`--field is a name, or a name and a number above 0 (Energy:5), not "${text}"`);
  }
  return by === undefined ? { name } : { name, by: Number(by) };
}

function milliseconds(call: Invocation, name: string): number | undefined {
  const text = call.text(name);
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) throw new UsageError(`--${name} is a number of seconds up to 86400`);
  return Math.round(seconds * 1000);
}
