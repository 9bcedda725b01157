// The owner's own profiles: the YAML files of a folder, read at start. One that is wrong is left out and said so; it stops neither
// the others nor the appliance.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { profileBytesMax, profileFilesMax } from "#limits.ts";
import type { ProfileHead } from "./profile.ts";
import { type Kinds, type ProfileFault, readProfile } from "./profile-file.ts";

export interface OwnProfiles {
  readonly profiles: readonly ProfileHead[];
  readonly faults: readonly (ProfileFault & { readonly file: string })[];
}

/** A folder that is not there holds nothing. Never throws. */
export function readOwnProfiles(folder: string, kinds: Kinds): OwnProfiles {
  const profiles = new Map<string, { profile: ProfileHead; file: string }>();
  const faults: (ProfileFault & { file: string })[] = [];
  const refuse = (file: string, what: string) => faults.push({ file, line: 1, column: 1, place: "", what });
  const names = filesIn(folder, what => refuse("", what));
  for (const file of names.slice(0, profileFilesMax)) {
    const text = textOf(join(folder, file));
    if (typeof text !== "string") {
      refuse(file, text.why);
      continue;
    }
    const found = profileIn(text, kinds);
    if ("faults" in found) faults.push(...found.faults.map(fault => ({ ...fault, file })));
    else if (profiles.has(found.profile.name)) {
      refuse(file, `${found.profile.name} is the name of the profile in ${profiles.get(found.profile.name)?.file} too`);
    } else profiles.set(found.profile.name, { profile: found.profile, file });
  }
  if (names.length > profileFilesMax)
    refuse("", `the folder holds more than ${profileFilesMax} profiles: the others are not read`);
  return { profiles: [...profiles.values()].map(({ profile }) => profile), faults };
}

/** A profile whose own examples contradict it would tell wrong values: it is refused like one that cannot be read. */
export function profileIn(
  text: string,
  kinds: Kinds,
): { readonly profile: ProfileHead } | { readonly faults: readonly ProfileFault[] } {
  const read = readProfile(text, kinds);
  if ("faults" in read) return read;
  const wrong = read.examples.filter(({ good }) => !good);
  if (wrong.length === 0) return { profile: read.profile };
  return {
    faults: wrong.map(({ line, column, example, field, got, expected }) => ({
      line,
      column,
      place: `examples[${example}]`,
      what: `${field === "" ? "the telegram" : field}: ${expected} is expected, and it is: ${got}`,
      advice: "isthmus profile test shows all examples",
    })),
  };
}

/** What an editor leaves behind with a point in front is none. */
export const isProfileFile = (name: string): boolean => /^[^.].*\.ya?ml$/i.test(name);

/** Sorted, so that the same one of two equal names wins each time. */
function filesIn(folder: string, refuse: (what: string) => void): string[] {
  try {
    return readdirSync(folder).filter(isProfileFile).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") refuse(`the folder of profiles cannot be read: ${code ?? "unknown reason"}`);
    return [];
  }
}

function textOf(path: string): string | { readonly why: string } {
  try {
    if (statSync(path).size > profileBytesMax) return { why: `the file is longer than ${profileBytesMax} octets` };
    return readFileSync(path, "utf8");
  } catch (error) {
    return { why: `the file cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown reason"}` };
  }
}
