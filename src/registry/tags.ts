// What tags a thing may have, and the digest that stands for a claim: the registry never keeps a KEY (DISCO-KEY-03).

import { createHash } from "node:crypto";
import { Refusal } from "#contract/faults.ts";
import type { Tag } from "#contract/node.ts";
import { claimKeyCharsMin, tagBytesPerThingMax, tagsPerThingMax } from "#limits.ts";
import type { Digest } from "./store.ts";

export interface Registration {
  /** Without KEY, R and empty texts. */
  readonly tags: readonly Tag[];
  /** Undefined: not claimable, for want of a KEY or because it is too short (DISCO-KEY-04). */
  readonly digest: Digest;
}

/** Tags as a thing or a claimer sent them. R is for URIs alone (DISCO-TAG-04). */
export function readRegistration(sent: readonly Tag[], allowWeakKey: boolean): Registration {
  const meant = sent.filter(({ name, value }) => name.toUpperCase() !== "R" && value !== "");
  const key = meant.find(isKey);
  const strong = typeof key?.value === "string" && (allowWeakKey || key.value.length >= claimKeyCharsMin);
  return { tags: meant.filter(tag => !isKey(tag)), digest: strong ? claimDigest(meant) : undefined };
}

export const isKey = ({ name }: { readonly name: string }): boolean => name.toUpperCase() === "KEY";

/** The same for the same set of tags, whatever their order, case of names or way of writing a number. */
export function claimDigest(tags: readonly Tag[]): Uint8Array {
  const canonical = tags
    .filter(({ value }) => value !== "")
    .map(({ name, value }) => [
      name.normalize("NFC").toUpperCase(),
      typeof value === "number" ? "num" : "str",
      typeof value === "number" ? String(value === 0 ? 0 : value) : value.normalize("NFC"),
    ])
    .map(one => JSON.stringify(one))
    .sort();
  return createHash("sha256").update(canonical.join("\n")).digest();
}

/** Throws `Refusal` busy when these are more than one thing may have (DISCO-TAG-03). */
export function checkAmount(tags: readonly Tag[]): void {
  if (tags.length > tagsPerThingMax)
    throw new Refusal("busy", `${tags.length} tags are more than the ${tagsPerThingMax} a thing may have`);
  const bytes = tags.reduce((sum, { name, value }) => sum + Buffer.byteLength(`${name}${value}`), 0);
  if (bytes > tagBytesPerThingMax)
    throw new Refusal("busy", `the tags take ${bytes} bytes; a thing may have ${tagBytesPerThingMax}`);
}

/** What stands after an update: only named tags change, an empty text deletes (DISCO-UPD-01). KEY and R change nothing. */
export function mergeTags(
  present: readonly Tag[],
  sent: readonly Tag[],
): { put: readonly Tag[]; drop: readonly string[]; after: readonly Tag[] } {
  const changes = sent.filter(tag => !isKey(tag) && tag.name.toUpperCase() !== "R");
  const put = changes.filter(({ value }) => value !== "");
  const drop = changes.filter(({ value }) => value === "").map(({ name }) => name);
  const touched = new Set(changes.map(({ name }) => name.toUpperCase()));
  return { put, drop, after: [...present.filter(({ name }) => !touched.has(name.toUpperCase())), ...put] };
}
