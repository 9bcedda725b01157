// Every text that the appliance says to people, found where it is written: forms of node types, words of commands and reports,
// refusals, faults, names of what nodes show. What is put into a sentence is a numbered placeholder here.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeType } from "#contract/driver.ts";
import { formOf } from "#contract/form.ts";
import { drivers } from "#drivers/all.ts";

const root = join(import.meta.dirname, "../..");
/** What the registry, the command line and the lab say is not said by the appliance; labels speak its languages too. */
const rooms = ["src/concentrator", "src/drivers", "src/xmpp", "src/edge", "src/labels"];
/** But owners read what the registry asks them, wherever they read it. */
const questions = "src/registry/question-message.ts";

const walk = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return walk(path);
    return entry.name.endsWith(".ts") && !path.includes("/blueprint/") ? [path] : [];
  });

const literal = '"(?:[^"\\\\\\n]|\\\\.)*"|`(?:[^`\\\\]|\\\\.)*`';
/** Where texts for people are written, each with the text as its first group. */
const places: readonly RegExp[] = [
  new RegExp(`new Refusal\\(\\s*"[a-z-]+",\\s*(${literal})`, "g"),
  new RegExp(`new (?:DeviceFault|FormRejected)\\(\\s*"[a-z-]+",\\s*(${literal})`, "g"),
  new RegExp(`(?:textFact|countFact|timeFact)\\(\\s*"[^"]+",\\s*(${literal})`, "g"),
  new RegExp(`\\btext\\("[A-Za-z]+", (${literal})`, "g"),
  new RegExp(`(?:tree|deps|notices)\\.(?:warn|note)\\([^"\`]*"[a-z-]+",\\s*(${literal})`, "g"),
  new RegExp(`(?:errors|rejected)\\.set\\([^,]+, (${literal})`, "g"),
  new RegExp(`\\b(?:text|message|reason|why|silent|title): (${literal})`, "g"),
  new RegExp(`\\b(?:label|coordinate)\\((${literal})`, "g"),
  new RegExp(`\\b(?:label|coordinate)\\(\\s*"[^"]*",\\s*(${literal})`, "g"),
  new RegExp(`\\b(?:description|hint): (${literal})`, "g"),
  new RegExp(`announce\\("[a-z]+", (${literal})`, "g"),
  new RegExp(`\\bfault\\(\\w+, (${literal})`, "g"),
  new RegExp(`\\b(?:why|text|silent|said) = (${literal})`, "g"),
  // What a control parameter takes.
  /("It takes [^"]*"|`It takes [^`]*`)/g,
];
const blocks = /^(?:export )?const (?:words|counterNames|refusedTo)\b[^=]*= \{\n([\s\S]*?)\n\}/gm;
const blockText = new RegExp(`^\\s+(?:"[^"]+"|\\w+):\\s*(${literal}),?$`, "gm");

function textsIn(source: string): string[] {
  const found = places.flatMap(place =>
    Array.from(source.matchAll(place), one => one[1] as string).filter(isForPeople),
  );
  for (const [, block = ""] of source.matchAll(blocks)) {
    found.push(...Array.from(block.matchAll(blockText), one => one[1] as string));
  }
  return found.map(plain);
}

/** What is wrong with a stanza is told in small letters, to programmers, in English. */
const isForPeople = (literal: string): boolean => /^.(\p{Lu}|\d|\$|"|\\")/u.test(literal);

/** The text of a literal, `${…}` as {1}, {2}, … */
function plain(text: string): string {
  if (text.startsWith('"')) return JSON.parse(text) as string;
  let number = 0;
  return text
    .slice(1, -1)
    .replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, () => `{${++number}}`)
    .replaceAll("\\`", "`");
}

const ofForms = (): string[] =>
  (drivers.flatMap(driver => driver.nodeTypes) as readonly NodeType[]).flatMap(type => [
    type.title,
    ...formOf(type.settings).flatMap(({ title, description, page }) => [title, description, page]),
  ]);

/** By text, each with the files it stands in; sorted. */
export function textsForPeople(): ReadonlyMap<string, readonly string[]> {
  const texts = new Map<string, string[]>();
  const add = (text: string, where: string) => {
    // A placeholder alone, or with nothing but signs, is what somebody else wrote.
    if (!/\p{Ll}/u.test(text.replace(/\{\d+\}/g, "")) || text.includes("${")) return;
    texts.set(text, [...(texts.get(text) ?? []), where]);
  };
  for (const path of [...rooms.flatMap(walk), questions]) {
    for (const text of textsIn(readFileSync(join(root, path), "utf8"))) add(text, path);
  }
  for (const text of ofForms()) add(text, "settings");
  for (const text of ["Field devices", "The appliance itself"]) add(text, "sources");
  return new Map([...texts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
