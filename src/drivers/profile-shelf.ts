// The profiles a driver can choose from: those that come with the program, each read from its file when it is first used, and
// the owner's own, which win over a built-in one of the same name.

import { readFileSync } from "node:fs";
import type { ProfileEntry, ProfileHead, ProfileKind } from "./profile.ts";
import { readProfile } from "./profile-file.ts";

/** `E`: what the driver of the profiles wants to know of each without reading it. */
export interface Shelf<P extends ProfileHead, E extends ProfileEntry = ProfileEntry> {
  /** By name. */
  readonly entries: readonly E[];
  entry(name: string): E | undefined;
  /** Undefined where there is none of this name. */
  find(name: string): P | undefined;
}

export interface BuiltIn<E extends ProfileEntry = ProfileEntry> {
  readonly entries: readonly E[];
  /** Where NAME.yaml lies. */
  readonly folder: URL;
}

export function createShelf<P extends ProfileHead & E, E extends ProfileEntry>(
  kind: ProfileKind<P>,
  builtIn: BuiltIn<E>,
  own: readonly ProfileHead[] = [],
): Shelf<P, E> {
  const ours = own.filter(one => one.protocol === kind.protocol) as P[];
  const read = new Map<string, P>(ours.map(one => [one.name, one]));
  const entries = new Map<string, E>([...builtIn.entries, ...ours].map(one => [one.name, one]));
  return {
    entries: [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    entry: name => entries.get(name),
    find(name) {
      if (!entries.has(name)) return undefined;
      const found = read.get(name) ?? readBuiltIn(kind, builtIn, name);
      read.set(name, found);
      return found;
    },
  };
}

/** Throws for a file of ours that is wrong, which tests do not let happen. */
export function readBuiltIn<P extends ProfileHead>(kind: ProfileKind<P>, builtIn: BuiltIn, name: string): P {
  const result = readProfile(builtInText(builtIn, name), { [kind.protocol]: kind });
  if ("profile" in result) return result.profile as P;
  const [fault] = result.faults;
  throw new Error(`profile ${name}, line ${fault?.line}: ${fault?.place}: ${fault?.what}`);
}

export const builtInText = ({ folder }: BuiltIn, name: string): string =>
  readFileSync(new URL(`${name}.yaml`, folder), "utf8");
