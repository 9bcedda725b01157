// What a thing tells the registry of itself, brought within the registry's rules (DISCO-TAG-01…03), so that what is
// registered can be printed on a label and claimed from it.

import type { Tag } from "#contract/node.ts";
import { thingTagBytesMax, thingTagsMax } from "#limits.ts";
import { isTagName, tagCharsMax } from "./discovery.wire.ts";

/** KEY and R are added by us; the others are addresses in a URI. */
const reserved = /^(KEY|R|JID|NID|SID|PT)$/i;
const unprintable = /[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]/gu;

/** One tag a name, none empty, none that a registry would refuse; what does not fit is cut or left out. */
export function registrable(tags: readonly Tag[]): Tag[] {
  const taken = new Map<string, Tag>();
  let bytes = 0;
  for (const tag of tags) {
    const upper = tag.name.toUpperCase();
    if (!isTagName(tag.name) || /[~;\\]|[\p{Cc}\p{Cs}]/u.test(tag.name) || reserved.test(tag.name) || taken.has(upper))
      continue;
    const value = typeof tag.value === "number" ? tag.value : printable(tag.value, tagCharsMax(tag.name));
    if (value === "" || (typeof value === "number" && !Number.isFinite(value))) continue;
    bytes += Buffer.byteLength(`${tag.name}${value}`);
    if (taken.size >= thingTagsMax || bytes > thingTagBytesMax) break;
    taken.set(upper, { name: tag.name, value });
  }
  return [...taken.values()];
}

function printable(text: string, charsMax: number): string {
  const clean = text.normalize("NFC").replace(unprintable, "");
  if (clean.length <= charsMax) return clean;
  const cut = clean.slice(0, charsMax);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

export const sameTags = (a: readonly Tag[], b: readonly Tag[]): boolean =>
  a.length === b.length && a.every((tag, at) => tag.name === b[at]?.name && Object.is(tag.value, b[at]?.value));

/** An update merges: what is no longer said has to be taken back, by an empty text even where it was a number (DISCO-UPD-01). */
export function updateOf(told: readonly Tag[], now: readonly Tag[]): Tag[] {
  const names = new Set(now.map(tag => tag.name.toUpperCase()));
  const gone = told.filter(tag => !names.has(tag.name.toUpperCase()));
  return [...now, ...gone.map(({ name }) => ({ name, value: "" }))];
}

/** Tags by which the very device is known, which its owner may want out of the registry (DISCO-EDGE-03). */
export const withoutIdentity = (tags: readonly Tag[]): Tag[] => tags.filter(tag => !/^(SN|MNR)$/i.test(tag.name));
