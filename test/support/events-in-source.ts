// Every event the sources can log, found in their text: the id, its levels, and the names of its facts. A log is called `log` or
// ends in it, and the first argument names the event; `audit(…)` names one too, as a notice.

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

export interface LoggedEvent {
  readonly id: string;
  readonly level: string;
  readonly file: string;
  /** Text of the facts, as it stands in the source. */
  readonly facts: string;
}

const call = /(?:\b(?:log|lines|quiet)|\.log)\.(debug|info|notice|warning|error)\(|\baudit\(/g;

/** From an opening bracket to the one that closes it, without both. Strings may hold brackets. */
function inside(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const one = text[at] as string;
    if (one === '"' || one === "`") {
      for (at++; at < text.length && text[at] !== one; at++) if (text[at] === "\\") at++;
    } else if ("([{".includes(one)) depth++;
    else if (")]}".includes(one) && --depth === 0) return text.slice(open + 1, at);
  }
  return "";
}

/** The arguments, split at the commas between them. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const one = text[at] as string;
    if (one === '"' || one === "`") {
      for (at++; at < text.length && text[at] !== one; at++) if (text[at] === "\\") at++;
    } else if ("([{".includes(one)) depth++;
    else if (")]}".includes(one)) depth--;
    else if (one === "," && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}

/** "a" and "b" of `what ? "a" : "b"`; "sniffer-…" of a template with something in it. */
const namesIn = (argument: string): string[] => [
  ...[...argument.matchAll(/"([\w.-]+)"/g)].map(found => found[1] as string),
  ...[...argument.matchAll(/`([^`]*)`/g)].map(found => (found[1] as string).replace(/\$\{[^}]*\}/g, "…")),
];

export function eventsInSource(): LoggedEvent[] {
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter(path => path.endsWith(".ts"))
    .sort();
  return files.flatMap(path => {
    const file = `src/${path}`;
    const text = readFileSync(join(root, file), "utf8").replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, "");
    return [...text.matchAll(call)].flatMap(found => {
      const open = found.index + found[0].length - 1;
      const [name = "", ...rest] = split(inside(text, open));
      // A comparison in front of the names says when, not what.
      const words = name.includes("?") ? name.slice(name.indexOf("?")) : name;
      return namesIn(words).map(id => ({ id, level: found[1] ?? "notice", file, facts: rest.join(",") }));
    });
  });
}
