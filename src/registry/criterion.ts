// Whether a thing satisfies a criterion, said plainly: what an index finds is checked by this, and every index is tested
// against it (discovery.md, section 5).

import type { Tag } from "#contract/node.ts";
import { compareOrdinal } from "#iot/iotdisco.ts";
import type { Criterion } from "./store.ts";

/** A thing that lacks the tag fails every operator (DISCO-SEARCH-01); with several, one suffices (DISCO-SEARCH-02). */
export const satisfies = (tags: readonly Tag[], criterion: Criterion): boolean =>
  tags.some(({ name, value }) => isNamed(name.toUpperCase(), criterion) && holds(value, criterion));

function isNamed(name: string, { name: asked, nameWildcard }: Criterion): boolean {
  return nameWildcard === undefined ? name === asked : fits(name, asked, nameWildcard.toUpperCase());
}

/** Of one value. Texts are compared by their UTF-8 bytes, which is the order of code points. */
export function holds(value: string | number, criterion: Criterion): boolean {
  switch (criterion.type) {
    case "mask":
      return typeof value === "string" && fits(value, criterion.mask, criterion.wildcard);
    case "regex":
      return typeof value === "string" && criterion.expression.matches(value);
    default: {
      if (typeof value !== (criterion.type === "num" ? "number" : "string")) return false;
      return isWithin(value, criterion) !== criterion.outside;
    }
  }
}

type Interval = Extract<Criterion, { type: "str" | "num" }>;

function isWithin(value: string | number, { min, max }: Interval): boolean {
  const low = min === undefined ? 1 : compare(value, min.value);
  const high = max === undefined ? -1 : compare(value, max.value);
  return (low > 0 || (low === 0 && min?.included === true)) && (high < 0 || (high === 0 && max?.included === true));
}

const compare = (a: string | number, b: string | number): number =>
  typeof a === "string" && typeof b === "string" ? compareOrdinal(a, b) : Number(a) - Number(b);

/** Any run of characters where the wildcard stands, everything else as it is. */
export function fits(text: string, mask: string, wildcard: string): boolean {
  const parts = mask.split(wildcard);
  const [first = "", last = ""] = [parts[0], parts.at(-1)];
  if (parts.length === 1) return text === mask;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
