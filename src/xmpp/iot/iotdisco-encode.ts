// Writes `iotdisco:` URIs: all but the unreserved characters percent-encoded, so that every known reader takes them the
// same way (URI-ENC-01). What a URI cannot say is refused, never dropped (URI-SRCH-03).

import { plainDecimal } from "#xml/scalars.ts";
import { isTagName, type Operator, tagCharsMax, type WireTag } from "./discovery.wire.ts";
import { compareOrdinal, decodeUri, isRegistryAddress } from "./iotdisco.ts";
import { IotdiscoError } from "./iotdisco-terms.ts";

const refuse = (why: string): never => {
  throw new IotdiscoError(`cannot be written as an iotdisco URI: ${why}`);
};

/**
 * The claim of exactly these tags: as registered, then KEY, then R (URI-ENC-02…04). Empty tags are left out, as the
 * registry leaves them out. Whoever holds the result may claim the thing: never log it.
 */
export function encodeClaim(tags: readonly WireTag[], key: string, registry: string): string {
  const said = tags.filter(tag => tag.value !== "");
  const reserved = said.find(tag => /^(KEY|R|JID)$/i.test(tag.name));
  if (reserved) refuse(`${reserved.name} is no descriptive tag`);
  if (key === "") refuse("no KEY");
  return finish([...said.map(equal), equal({ name: "KEY", value: key }), registryTerm(registry)]);
}

/** Addresses a thing that is claimed already; asks no registry. */
export function encodeDirect(jid: string, ref: { nodeId: string; sourceId: string; partition: string }): string {
  const parts = { JID: jid, NID: ref.nodeId, SID: ref.sourceId, PT: ref.partition };
  return finish(Object.entries(parts).flatMap(([name, value]) => (value === "" ? [] : [`${name}=${encode(value)}`])));
}

/** A search; `registry` where it is to be made. */
export function encodeSearch(operators: readonly Operator[], registry?: string): string {
  if (operators.length === 0) refuse("a search for nothing");
  const names = operators.map(({ name }) => name.toUpperCase());
  if (new Set(names).size < names.length) refuse("two conditions on one name");
  const reserved = names.find(name => ["KEY", "R", "JID", "NID", "SID", "PT"].includes(name));
  if (reserved) refuse(`a search for ${reserved}`);
  const terms = operators.flatMap(searchTerms);
  return finish(registry === undefined ? terms : [...terms, registryTerm(registry)]);
}

const signs = { Eq: "=", NEq: "<>", Lt: "<", LtEq: "<=", Gt: ">", GtEq: ">=" } as const;

function searchTerms(operator: Operator): string[] {
  if (operator.nameWildcard !== undefined) refuse("a wildcard in a name");
  switch (operator.kind) {
    case "strRegEx":
      return refuse("a regular expression");
    case "strMask":
      if (!/^[^\s\p{Cc};\\%]$/u.test(operator.wildcard)) refuse("a wildcard of this kind");
      return [term(operator.name, `~${operator.wildcard}`, operator.value)];
    case "strRange":
    case "numRange": {
      const { name, min, max } = operator;
      if (compare(min, max) > 0) refuse("a range that ends before it begins");
      return [term(name, operator.minIncluded ? ">=" : ">", min), term(name, operator.maxIncluded ? "<=" : "<", max)];
    }
    case "strNRange":
    case "numNRange": {
      const { name, min, max } = operator;
      if (compare(min, max) >= 0) refuse("the outside of an empty range");
      return [term(name, operator.minIncluded ? "<" : "<=", min), term(name, operator.maxIncluded ? ">" : ">=", max)];
    }
    default:
      return [term(operator.name, signs[operator.kind.slice(3) as keyof typeof signs], operator.value)];
  }
}

const compare = (a: string | number, b: string | number): number =>
  typeof a === "number" || typeof b === "number" ? Number(a) - Number(b) : compareOrdinal(a, b);

const equal = ({ name, value }: WireTag): string => term(name, "=", value);

function term(name: string, sign: string, value: string | number): string {
  if (!isTagName(name) || /[~;\\]/.test(name)) refuse(`the name ${JSON.stringify(name)}`);
  if (typeof value === "string") {
    if (value.length > tagCharsMax(name)) refuse(`the value of ${name} is too long`);
    return `${encode(name)}${sign}${encode(value)}`;
  }
  return `#${encode(name)}${sign}${encodeNumber(value)}`;
}

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) refuse("a number that is not finite");
  const plain = plainDecimal(value);
  // Hundreds of digits would not fit a label, nor the bound of a value.
  const text = plain.length > 32 ? String(value).replace("+", "") : plain;
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function registryTerm(registry: string): string {
  if (!isRegistryAddress(registry)) refuse(`the registry ${JSON.stringify(registry)}`);
  return `R=${encode(registry)}`;
}

const encode = (text: string): string => {
  if (!text.isWellFormed()) refuse("half a character");
  return encodeURIComponent(text).replace(/[!'()*]/g, one => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
};

/** What was written must read back: a label outlives the program that printed it. */
function finish(terms: readonly string[]): string {
  const uri = `iotdisco:${terms.join(";")}`;
  decodeUri(uri);
  return uri;
}
