// `isthmus profile …`: profiles of meters without an appliance: what there is, one to start from, and whether one's own is right.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { builtInMbus } from "#drivers/mbus/profiles/all.ts";
import { builtInModbus } from "#drivers/modbus/profiles/all.ts";
import { isProfileFile } from "#drivers/own-profiles.ts";
import type { ProfileEntry, Protocol } from "#drivers/profile.ts";
import { type ProfileFault, type ReadProfile, readProfile } from "#drivers/profile-file.ts";
import { profileKinds } from "#drivers/profile-kinds.ts";
import { builtInText } from "#drivers/profile-shelf.ts";
import { type CommandBody, CommandError, type Invocation } from "../command.ts";
import type { Output } from "../output.ts";

const builtIn = { modbus: builtInModbus, mbus: builtInMbus } as const;
const protocolWords: Readonly<Record<Protocol, string>> = { modbus: "Modbus", mbus: "M-Bus" };

export const profileList: CommandBody = {
  usage: "[WORD...]",
  details: "WORD is part of a name, a maker or a model; without one all are listed.",
  options: {},
  words: [0, 10],
  async run({ words, out }) {
    const found = listed().filter(one => words.every(word => isAbout(one, word)));
    if (found.length === 0) {
      throw new CommandError(
        `No built-in profile is about ${words.join(" ")}. docs/profiles.md says how to write one.`,
      );
    }
    for (const one of found) out.value(one);
    out.table(
      ["Name", "Bus", "Maker", "Model", "Kind"],
      found.map(one => [one.name, protocolWords[one.protocol], one.manufacturer, one.model, one.class]),
    );
    return 0;
  },
};

interface Listed extends Pick<ProfileEntry, "name" | "manufacturer" | "model" | "class"> {
  readonly protocol: Protocol;
}

const listed = (): Listed[] =>
  (Object.keys(builtIn) as Protocol[]).flatMap(protocol =>
    builtIn[protocol].entries.map(({ name, manufacturer, model, class: kind }) => ({
      name,
      protocol,
      manufacturer,
      model,
      class: kind,
    })),
  );

const isAbout = ({ name, manufacturer, model }: Listed, word: string): boolean =>
  [name, manufacturer, model].some(text => text.toLowerCase().includes(word.toLowerCase()));

export const profileShow: CommandBody = {
  usage: "NAME",
  details:
    "Prints the file of a built-in profile: a start for one's own. Give a copy another name; one of the same name takes its place.",
  options: {},
  words: [1, 1],
  async run({ words: [name = ""], out }) {
    const protocol = listed().find(one => one.name === name)?.protocol;
    if (protocol === undefined)
      throw new CommandError(`There is no built-in profile ${name}; isthmus profile list lists them.`);
    const text = builtInText(builtIn[protocol], name);
    out.value({ name, protocol, yaml: text });
    for (const line of text.trimEnd().split("\n")) out.line(line);
    return 0;
  },
};

export const profileTest: CommandBody = {
  usage: "FILE... [--quiet]",
  details:
    "Checks profiles as the appliance does, and runs their examples. A FOLDER stands for the profiles in it, and the NAME of a built-in profile for that one.\nExit code 1 when one is wrong.",
  options: { quiet: { type: "boolean", help: "Only what is wrong." } },
  words: [1, 1_000],
  async run(call) {
    const files = call.words.flatMap(filesIn);
    const names = new Map<string, string>();
    let wrong = 0;
    for (const [n, file] of files.entries()) {
      if (n > 0 && !call.flag("quiet")) call.out.line();
      if (!testOne(file, names, call)) wrong++;
    }
    return wrong === 0 ? 0 : 1;
  },
};

/** The profiles of a folder, as the appliance reads them. */
function filesIn(word: string): string[] {
  if (!statSync(word, { throwIfNoEntry: false })?.isDirectory()) return [word];
  const files = readdirSync(word).filter(isProfileFile).sort();
  if (files.length === 0) throw new CommandError(`The folder ${word} holds no profiles (*.yaml).`);
  return files.map(file => join(word, file));
}

/** `names`: of the profiles before it, with their files. */
function testOne(file: string, names: Map<string, string>, { out, flag }: Invocation): boolean {
  const read = readFile(file);
  if ("faults" in read) {
    out.value({ file, good: false, faults: read.faults });
    for (const fault of read.faults) sayFault(file, fault, out);
    return false;
  }
  const { profile, examples } = read;
  const bad = examples.filter(({ good }) => !good);
  const other = names.get(profile.name);
  if (other !== undefined) {
    const what = `${profile.name} is the name of the profile in ${other} too`;
    const fault = { line: 1, column: 1, place: "name", what };
    out.value({ file, good: false, faults: [fault] });
    sayFault(file, fault, out);
    return false;
  }
  names.set(profile.name, file);
  out.value({ file, good: bad.length === 0, name: profile.name, protocol: profile.protocol, examples });
  const shown = flag("quiet") ? bad : examples;
  if (!flag("quiet")) out.line(`${file}: ${profile.manufacturer} ${profile.model} (${profile.name})`);
  if (shown.length > 0) {
    out.table(
      ["Line", "Field", "Raw", "Expected", "Got", ""],
      shown.map(one => [String(one.line), one.field, one.raw, one.expected, one.got, one.good ? "ok" : "WRONG"]),
    );
  }
  if (bad.length > 0) out.line(`${file}: ${bad.length} of ${counted(examples.length, "value")} wrong.`);
  else if (examples.length === 0) out.line(`${file} is right, but has no examples: nothing shows that its values are.`);
  else if (!flag("quiet")) out.line(`${file} is right: ${counted(examples.length, "value")} as expected.`);
  return bad.length === 0;
}

const counted = (count: number, what: string): string => (count === 1 ? `1 ${what}` : `${count} ${what}s`);

function sayFault(file: string, { line, column, place, what, advice }: ProfileFault, out: Output): void {
  out.line(`${file}:${line}:${column}: ${place === "" ? "" : `${place}: `}${what}`);
  if (advice !== undefined) out.line(`    ${advice}`);
}

function readFile(file: string): ReadProfile {
  const known = listed().find(one => one.name === file);
  if (known !== undefined) return readProfile(builtInText(builtIn[known.protocol], file), profileKinds);
  try {
    return readProfile(readFileSync(file, "utf8"), profileKinds);
  } catch (error) {
    const { code = "unknown reason" } = error as NodeJS.ErrnoException;
    return { faults: [{ line: 1, column: 1, place: "", what: `the file cannot be read: ${code}` }] };
  }
}
