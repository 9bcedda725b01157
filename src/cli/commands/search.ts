// `isthmus search …`: things that let themselves be found, by an `iotdisco:` URI or by conditions in the same words.

import type { Found, FoundThing } from "#client/finder.ts";
import { describeNode } from "#contract/node.ts";
import type { Operator } from "#iot/discovery.wire.ts";
import type { SearchUri } from "#iot/iotdisco.ts";
import { readCode } from "../codes.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { personOptions, withClient } from "../connect.ts";

/** Of one answer; a registry may give fewer. */
const pageCount = 100;
/** With --all: more is not for a terminal. */
const allMax = 10_000;

export const search: CommandBody = {
  usage: "URI | CONDITION… [--matches NAME=PATTERN] [--all]",
  details: `URI is a search: iotdisco:CLASS=HeatMeter;#LAT>=59;#LAT<60. Or say its conditions one by one, each in quotes:
  'CLASS=HeatMeter'  'CLASS<>Pump'  'CITY~*Sund*'  '#LAT>=59' '#LAT<60'   (# before the name: a number)`,
  options: {
    ...personOptions,
    matches: {
      type: "string",
      value: "NAME=PATTERN",
      multiple: true,
      help: "A tag whose whole text fits this regular expression.",
    },
    registry: { type: "string", value: "JID", help: "Where to search; without it the registry of one's own domain." },
    everywhere: { type: "boolean", help: "Other registries too, where this one asks them." },
    offset: { type: "string", value: "N", help: "Leave out the first N." },
    max: { type: "string", value: "N", help: "At most so many (20)." },
    all: { type: "boolean", help: `Page after page, ${allMax} things at most.` },
  },
  words: [0, 64],
  run: call => {
    const asked = readSearch(call);
    const offset = count(call, "offset", 0, 0);
    const max = call.flag("all") ? allMax : count(call, "max", 20, 1);
    return withClient(call, async client => {
      const things: FoundThing[] = [];
      let last: Found;
      do {
        const page = {
          offset: offset + things.length,
          count: Math.min(max - things.length, pageCount),
          distributed: call.flag("everywhere"),
        };
        last = await client.finder.search(asked, page, call.signal);
        things.push(...last.things);
        // What others have found stands at the end of the first page, and is in no later one.
      } while (last.more && last.things.length > 0 && last.others.length === 0 && things.length < max);
      show(call, things, last);
      if (last.more) call.out.note(moreText(last, offset + things.length));
      return 0;
    });
  },
};

function readSearch(call: Invocation): Pick<SearchUri, "operators" | "registry"> {
  const matching = call.texts("matches").map(expression);
  const named = call.text("registry");
  if (call.words.length === 0) {
    if (matching.length === 0) throw new UsageError("search for what? Say a condition, such as 'CLASS=HeatMeter'");
    return { operators: matching, registry: named };
  }
  const [first = ""] = call.words;
  const isWhole = /^\s*iotdisco[:;]/i.test(first);
  if (isWhole && call.words.length > 1) throw new UsageError("say one URI, or conditions, not both");
  const code = readCode(isWhole ? first : `iotdisco:${call.words.join(";")}`);
  if (code.kind === "claim")
    throw new UsageError("this code is for claiming a thing, with its KEY: `isthmus owner claim`");
  if (code.kind === "direct")
    throw new UsageError(`this code is the address of one thing: say --of ${code.jid} to the other commands`);
  return { operators: [...code.operators, ...matching], registry: named ?? code.registry };
}

function expression(text: string): Operator {
  const [, name, value] = /^([^=]+)=(.+)$/su.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new UsageError(`--matches is NAME=PATTERN, not "${text}"`);
  return { kind: "strRegEx", name, nameWildcard: undefined, value };
}

function count(call: Invocation, name: string, standard: number, min: number): number {
  const text = call.text(name) ?? String(standard);
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < min) throw new UsageError(`--${name} is a number from ${min}, not "${text}"`);
  return value;
}

function show({ out }: Invocation, things: readonly FoundThing[], { registry, others }: Found): void {
  const origins = originsOf(things.length, registry, others);
  for (const [at, thing] of things.entries()) out.value({ ...thing, registry: origins[at] });
  for (const { jid, fault } of others) if (fault !== undefined) out.note(`${jid} was asked and said nothing: ${fault}`);
  const rows = things.map(({ jid, ref, tags }, at) => {
    const said = tags.map(({ name, value }) => `${name}=${value}`).join(" ");
    return [jid, describeNode(ref), ...(others.length > 0 ? [origins[at] ?? ""] : []), said];
  });
  if (rows.length === 0) out.note(`Nothing at ${[registry, ...others.map(({ jid }) => jid)].join(", ")}.`);
  else out.table(["Appliance", "Node", ...(others.length > 0 ? ["Registry"] : []), "Tags"], rows);
}

/** Of each thing in turn: the asked registry's own come first, then those of the others in their order. */
function originsOf(things: number, registry: string, others: Found["others"]): string[] {
  const foreign = others.flatMap(({ jid, things: found }) => Array.from({ length: found }, () => jid));
  if (foreign.length > things)
    throw new CommandError(`${registry} says of more things where they are than it has found`);
  return [...Array.from({ length: things - foreign.length }, () => registry), ...foreign];
}

const moreText = ({ others, registry }: Found, next: number): string =>
  others.length === 0
    ? `There are more: say --offset ${next}, or --all.`
    : `There are more: search at each registry by itself, such as --registry ${others.find(one => one.things > 0)?.jid ?? registry}.`;
