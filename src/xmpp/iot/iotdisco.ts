// `iotdisco:` URIs, as printed on labels and shown as QR codes: to claim a thing, to find things, to address one. Pure, of
// no Node parts, for edge, client and app. Discovery, "iotdisco" URI scheme; three encoders exist in the wild, all are read.

import type { Operator, WireTag } from "./discovery.wire.ts";
import { decodeLegacyTerms, decodeTerms, fail, type Term } from "./iotdisco-terms.ts";

export { IotdiscoError } from "./iotdisco-terms.ts";

/** A node behind a JID; empty = absent. */
interface Address {
  readonly nodeId: string;
  readonly sourceId: string;
  readonly partition: string;
}

/** `retryTags`: the tags without percent-decoding, to try once after item-not-found (URI-DEC-02); undefined when no different. */
export interface ClaimUri {
  readonly kind: "claim";
  readonly tags: readonly WireTag[];
  readonly retryTags: readonly WireTag[] | undefined;
  readonly registry: string | undefined;
}

export interface SearchUri {
  readonly kind: "search";
  readonly operators: readonly Operator[];
  readonly registry: string | undefined;
}

/** A thing that is claimed already: to be asked for presence, without a registry. */
export interface DirectUri {
  readonly kind: "direct";
  /** Bare. */
  readonly jid: string;
  readonly ref: Address;
  readonly tags: readonly WireTag[];
  readonly registry: string | undefined;
}

export type Uri = ClaimUri | SearchUri | DirectUri;

const addressNames = ["JID", "NID", "SID", "PT"];

/**
 * Reads a URI as untrusted input: nothing but this value comes of it. Throws `IotdiscoError` with a reason for a person.
 * `registry` (the tag R) has the form of a domain JID; ask it by disco#info whether it is a registry before KEY goes there.
 */
export function decodeUri(uri: string): Uri {
  const terms = uri.startsWith("IoTDisco;") ? decodeLegacyTerms(uri) : decodeTerms(uri);
  const registry = takeRegistry(terms);
  const rest = terms.filter(term => upper(term) !== "R");
  if (rest.length === 0) fail("it says nothing but a registry");
  const has = (name: string) => rest.some(term => upper(term) === name);
  const onlyEqual = rest.every(term => term.relation === "=");

  if (has("JID")) {
    if (!onlyEqual) fail("an address with a search in it");
    return direct(rest, registry);
  }
  if (has("KEY")) {
    if (!onlyEqual || rest.some(term => upper(term) === "KEY" && term.numeric)) fail("a claim with a search in it");
    rejectRepeats(rest);
    return { kind: "claim", ...claimTags(rest), registry };
  }
  if (addressNames.some(has)) fail("part of an address without a JID");
  return { kind: "search", operators: searchOperators(rest), registry };
}

/** A domain alone, as `R` has to be (URI-SEC-01). */
export function isRegistryAddress(text: string): boolean {
  if (new TextEncoder().encode(text).length > 255) return false;
  return /^[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?(\.[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?)*$/u.test(text);
}

const upper = (term: Term): string => term.name.toUpperCase();

function takeRegistry(terms: readonly Term[]): string | undefined {
  const found = terms.filter(term => upper(term) === "R");
  const one = found[0];
  if (one === undefined) return undefined;
  if (found.length > 1) fail("two registries");
  if (one.numeric || one.relation !== "=") fail("R is not the address of a registry");
  const registry = one.value.normalize("NFC").toLowerCase();
  if (registry !== "" && !isRegistryAddress(registry)) fail("R is not the address of a registry");
  return registry === "" ? undefined : registry;
}

function rejectRepeats(terms: readonly Term[]): void {
  const seen = new Set<string>();
  for (const term of terms) {
    if (seen.has(upper(term))) fail(`${upper(term)} stands twice`);
    seen.add(upper(term));
  }
}

/** Empty tags count as absent, for thing, registry and owner alike (URI-ENC-04). */
function claimTags(terms: readonly Term[]) {
  const tags = terms.filter(term => term.value !== "").map(term => ({ name: term.name, value: tagValue(term) }));
  const changed = terms.some(term => term.raw !== term.value || term.rawName !== term.name);
  const retryTags = terms
    .filter(term => term.raw !== "")
    .map(term => ({ name: term.rawName, value: term.numeric ? term.number : term.raw }));
  return { tags, retryTags: changed ? retryTags : undefined };
}

const tagValue = (term: Term): string | number => (term.numeric ? term.number : term.value);

function direct(terms: readonly Term[], registry: string | undefined): DirectUri {
  rejectRepeats(terms);
  const named = (name: string): string => {
    const term = terms.find(one => upper(one) === name);
    if (term?.numeric) fail(`${name} is a number`);
    return term?.value ?? "";
  };
  const jid = (named("JID").split("/", 1)[0] ?? "").normalize("NFC").toLowerCase();
  const [, domain] = /^(?:[^@\s"&'/:<>]+@)?([^@\s]+)$/u.exec(jid) ?? [];
  if (domain === undefined || !isRegistryAddress(domain)) fail("JID is not an address");
  const ref = { nodeId: named("NID"), sourceId: named("SID"), partition: named("PT") };
  const others = terms.filter(term => !addressNames.includes(upper(term)) && term.value !== "");
  return { kind: "direct", jid, ref, tags: others.map(term => ({ name: term.name, value: tagValue(term) })), registry };
}

const equalities = { "=": "Eq", "<>": "NEq", "<": "Lt", "<=": "LtEq", ">": "Gt", ">=": "GtEq" } as const;

function searchOperators(terms: readonly Term[]): Operator[] {
  const byName = Map.groupBy(terms, upper);
  return [...byName.values()].map(same => {
    const [first, second, third] = same as [Term, Term?, Term?];
    if (second === undefined) return single(first);
    const lower = same.find(term => term.relation.startsWith(">"));
    const above = same.find(term => term.relation === "<" || term.relation === "<=");
    if (third !== undefined || lower === undefined || above === undefined || lower.numeric !== above.numeric)
      return fail(`${upper(first)} stands twice and is no range`);
    return between(lower, above);
  });
}

function single(term: Term): Operator {
  const { name, relation } = term;
  const base = { name, nameWildcard: undefined };
  if (relation === "~") return { kind: "strMask", ...base, value: term.value, wildcard: term.wildcard };
  const suffix = equalities[relation];
  return term.numeric
    ? { kind: `num${suffix}`, ...base, value: term.number }
    : { kind: `str${suffix}`, ...base, value: term.value };
}

/** Two bounds of one name: inside when they meet, outside when they do not. Outside, an exclusive bound belongs to the range (URI-SRCH-01). */
function between(lower: Term, above: Term): Operator {
  const inside = lower.numeric ? lower.number <= above.number : compareOrdinal(lower.value, above.value) <= 0;
  const lowerIncluded = lower.relation === ">=";
  const aboveIncluded = above.relation === "<=";
  const name = { name: lower.name, nameWildcard: undefined };
  const [from, to] = inside ? [lower, above] : [above, lower];
  const included = inside
    ? { minIncluded: lowerIncluded, maxIncluded: aboveIncluded }
    : { minIncluded: !aboveIncluded, maxIncluded: !lowerIncluded };
  return lower.numeric
    ? { kind: inside ? "numRange" : "numNRange", ...name, min: from.number, max: to.number, ...included }
    : { kind: inside ? "strRange" : "strNRange", ...name, min: from.value, max: to.value, ...included };
}

/** By code points, which is the order of UTF-8 bytes, and of no language (URI-SRCH-02). */
export function compareOrdinal(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
