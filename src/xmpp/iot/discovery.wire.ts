// What goes over the wire between thing, owner and Thing Registry. Discovery (urn:*:iot:disco:1.0), Discovery.xsd; local
// names are the same in all three generations. Absent and empty address parts are the same thing: "" (DISCO-ADDR-01).

import {
  attr,
  attrOr,
  element,
  group,
  many,
  mapped,
  maybe,
  mixed,
  one,
  optional,
  type Part,
  type Value,
  WireError,
} from "#xml/codec.ts";
import { elements } from "#xml/element.ts";
import { boolean, double, positive, type Scalar, ScalarError, text, unsigned } from "#xml/scalars.ts";
import { boundedText } from "./address.wire.ts";

/** A JID in an attribute: resource stripped, lower case (DISCO-ADDR-02). Whether it is a valid JID is for the reader to ask. */
export const bareAddress: Scalar<string> = {
  parse: value => {
    const bare = (value.split("/", 1)[0] ?? "").normalize("NFC").toLowerCase();
    if (bare === "" || bare.length > 2047 || /[\s\p{Cc}]/u.test(bare)) throw new ScalarError("not a JID");
    return bare;
  },
  format: value => value,
};

/** `id`, `src`, `pt`, each optional; all three empty is the device itself. */
export const address = group({
  nodeId: attrOr("id", boundedText, ""),
  sourceId: attrOr("src", boundedText, ""),
  partition: attrOr("pt", boundedText, ""),
});

/** Absent means `standard`, but it is always written: implementations disagree about the default. */
export const explicit = <T>(name: string, scalar: Scalar<T>, standard: T): Part<T> => ({
  read: attrOr(name, scalar, standard).read,
  write: attr(name, scalar).write,
});

export interface WireTag {
  readonly name: string;
  readonly value: string | number;
}

const tagName: Scalar<string> = {
  parse: value => {
    if (!isTagName(value))
      throw new ScalarError("not a tag name: 1 to 64 characters, none of : # = < > or white space");
    return value;
  },
  format: value => value,
};

/** What is refused is not repeated: it may be a KEY, said as a number by mistake (DISCO-KEY-02). */
const tagNumber: Scalar<number> = {
  parse(value) {
    try {
      return double.parse(value);
    } catch {
      throw new ScalarError("not a finite number");
    }
  },
  format: double.format,
};

/** DISCO-TAG-02. */
export const isTagName = (name: string): boolean => /^[^:#=<>\s]{1,64}$/u.test(name);
/** DISCO-TAG-02, URI-DEC-08: an address of a product page may be longer than other values. */
export const tagCharsMax = (name: string): number => (name.toUpperCase() === "PURL" ? 256 : 128);

const tagList = (name: Scalar<string>): Part<readonly WireTag[]> =>
  mapped(
    mixed({
      str: element("str", { name: attr("name", name), value: attr("value", boundedText) }),
      num: element("num", { name: attr("name", name), value: attr("value", tagNumber) }),
    }),
    found => found.map(({ name, value }) => ({ name, value })),
    tags =>
      tags.map(({ name, value }) =>
        typeof value === "number" ? { kind: "num" as const, name, value } : { kind: "str" as const, name, value },
      ),
  );

/** As a thing or an owner says them: strict, one tag a name whatever its case (DISCO-TAG-01/02). */
const tags: Part<readonly WireTag[]> = {
  read(node, path) {
    const found = tagList(tagName).read(node, path);
    const seen = new Set<string>();
    for (const { name, value } of found) {
      const upper = name.toUpperCase();
      if (seen.has(upper)) throw new WireError(path, `the tag ${upper} stands twice`);
      seen.add(upper);
      if (typeof value === "string" && value.length > tagCharsMax(name))
        throw new WireError(path, `the value of ${upper} is longer than ${tagCharsMax(name)} characters`);
    }
    return found;
  },
  write: tagList(tagName).write,
};

// Thing to registry.
export const register = element("register", { ref: address, selfOwned: attrOr("selfOwned", boolean, false), tags });
export const unregister = element("unregister", { ref: address });

/** By the thing without `jid`, by the owner with it. */
export const update = element("update", { jid: optional("jid", bareAddress), ref: address, tags });

// Owner to registry.
/** An address narrows the match (DISCO-MINE-01). */
export const mine = element("mine", { ref: address, isPublic: explicit("public", boolean, true), tags });
export const remove = element("remove", { jid: attr("jid", bareAddress), ref: address });
export const disown = element("disown", { jid: attr("jid", bareAddress), ref: address });

// Registry to thing; `claimed` also in answers, to the owner with the thing's JID and to the thing with the owner's.
/** `isPublic` undefined: not said; prose and schema disagree about what that means (DISCO-CLAIMED-01). */
export const claimed = element("claimed", {
  jid: attr("jid", bareAddress),
  ref: address,
  isPublic: optional("public", boolean),
});
export const removed = element("removed", { ref: address });
/** Also the answer to an `update` of a thing that nobody owns. */
export const disowned = element("disowned", { ref: address });

// Search. `nameWildcard` is accepted on every operator (DISCO-SEARCH-02).
const named = { name: attr("name", boundedText), nameWildcard: optional("nameWildcard", boundedText) };
const compare = <N extends string, T>(name: N, scalar: Scalar<T>) =>
  element(name, { ...named, value: attr("value", scalar) });
const range = <N extends string, T>(name: N, scalar: Scalar<T>) =>
  element(name, {
    ...named,
    min: attr("min", scalar),
    minIncluded: attrOr("minIncluded", boolean, true),
    max: attr("max", scalar),
    maxIncluded: attrOr("maxIncluded", boolean, true),
  });

const wildcard: Scalar<string> = {
  parse: value => {
    if (value === "") throw new ScalarError("empty");
    return boundedText.parse(value);
  },
  format: value => value,
};

const operator = {
  strEq: compare("strEq", boundedText),
  strNEq: compare("strNEq", boundedText),
  strGt: compare("strGt", boundedText),
  strGtEq: compare("strGtEq", boundedText),
  strLt: compare("strLt", boundedText),
  strLtEq: compare("strLtEq", boundedText),
  strRegEx: compare("strRegEx", boundedText),
  strRange: range("strRange", boundedText),
  strNRange: range("strNRange", boundedText),
  strMask: element("strMask", { ...named, value: attr("value", boundedText), wildcard: attr("wildcard", wildcard) }),
  numEq: compare("numEq", double),
  numNEq: compare("numNEq", double),
  numGt: compare("numGt", double),
  numGtEq: compare("numGtEq", double),
  numLt: compare("numLt", double),
  numLtEq: compare("numLtEq", double),
  numRange: range("numRange", double),
  numNRange: range("numNRange", double),
};

const anyOperator = mixed(operator);
export type Operator = ReturnType<typeof anyOperator.read>[number];

/** An operator that is not understood may not be skipped: it would widen the search (DISCO-SEARCH-04). */
const operators: Part<readonly Operator[]> = {
  read(node, path) {
    const own = elements(node).filter(one => one.ns === node.ns);
    const unknown = own.find(one => !Object.hasOwn(operator, one.name));
    if (unknown) throw new WireError(`${path}/${unknown.name}`, "not an operator");
    if (own.length === 0) throw new WireError(path, "no operator");
    return anyOperator.read(node, path);
  },
  write: anyOperator.write,
};

export const search = element("search", {
  offset: attrOr("offset", unsigned, 0),
  maxCount: optional("maxCount", positive),
  distributed: attrOr("distributed", boolean, false),
  operators,
});

/** `owner` is the older schema's; a registry of today leaves it out. Tags are those of others: read as they come. */
const thing = element("thing", {
  jid: attr("jid", bareAddress),
  ref: address,
  owner: optional("owner", bareAddress),
  tags: tagList(text),
});
export const found = element("found", { more: explicit("more", boolean, false), things: many(thing) });

/**
 * After the things of a distributed search, in a namespace of our own: which registries the asked one has asked, how many of
 * the last things are theirs, in this order, and why one said nothing.
 */
export const askedNs = "urn:isthmus:registry:asked:1";
export const asked = element("asked", {
  registries: many(
    element("registry", {
      jid: attr("jid", bareAddress),
      things: attrOr("things", unsigned, 0),
      fault: optional("fault", boundedText),
    }),
  ),
});

// Distributed search (DEBBY): a registry below asks the one above; what is found comes back in `result`.
export const query = element("query", {
  qid: attr("qid", boundedText),
  created: optional("created", boundedText),
  source: optional("source", boundedText),
  search: one(search),
});
export const result = element("result", { qid: attr("qid", boundedText), found: maybe(found) });

export type Register = Value<typeof register>;
export type Mine = Value<typeof mine>;
export type Claimed = Value<typeof claimed>;
export type Update = Value<typeof update>;
export type Search = Value<typeof search>;
export type Found = Value<typeof found>;
export type FoundThing = Value<typeof thing>;
