// What a thing and its provisioning service say to each other. Decision Support (urn:*:iot:prov:d:1.0),
// ProvisioningDevice.xsd; where deployed software departs from the schema (parameter names), the form is part of the value.

import {
  attr,
  attrOr,
  type Codec,
  element,
  flags,
  group,
  many,
  mapped,
  type Part,
  type Value,
  WireError,
} from "#xml/codec.ts";
import { type Element, elements, element as make } from "#xml/element.ts";
import { boolean, type Scalar, ScalarError } from "#xml/scalars.ts";
import { nodeElement } from "./address.wire.ts";
import { address, bareAddress } from "./discovery.wire.ts";

// Groups that the owner's side shares.

const letters = flags({
  momentary: "m",
  peak: "p",
  status: "s",
  computed: "c",
  identity: "i",
  historical: "h",
  all: "all",
});
export type WireCategories = Readonly<
  Record<"momentary" | "peak" | "status" | "computed" | "identity" | "historical", boolean>
>;

/** `m p s c i h`, or `all` for the six. Written letter by letter, which every reader understands. */
export const categories: Part<WireCategories> = mapped(
  letters,
  ({ all, ...some }) =>
    all ? { momentary: true, peak: true, status: true, computed: true, identity: true, historical: true } : some,
  some => ({ ...some, all: false }),
);

/** PROV-CANREAD-01, TOK-FMT-01: what may stand in a token. */
export const isToken = (token: string): boolean => /^[^\s"'<&]{1,256}$/u.test(token);
/** Tokens of one kind in one request (PROV-CANREAD-01). */
export const tokensMax = 8;

const tokenList: Scalar<readonly string[]> = {
  parse: value => {
    const list = value.split(/\s+/).filter(word => word !== "");
    if (list.length > tokensMax) throw new ScalarError(`more than ${tokensMax} tokens`);
    if (!list.every(isToken)) throw new ScalarError("not a list of tokens");
    return list;
  },
  format: value => value.join(" "),
};

const tokensOf = (name: string): Part<readonly string[]> => ({
  read: attrOr<readonly string[]>(name, tokenList, []).read,
  write: (value, into) => {
    if (value.length > 0) into.attrs[name] = tokenList.format(value);
  },
});

export const tokens = group({ service: tokensOf("st"), device: tokensOf("dt"), user: tokensOf("ut") });

const own = (node: Element, ...names: string[]): Element[] =>
  elements(node).filter(one => one.ns === node.ns && names.includes(one.name));

const nameIn = (one: Element, attribute: string, path: string): string => {
  const name = one.attrs[attribute] ?? "";
  if (name === "" || name.length > 1024)
    throw new WireError(`${path}/${one.name}@${attribute}`, "missing, empty or longer than 1024 characters");
  return name;
};

const distinct = (names: readonly string[]): string[] => [...new Set(names)];

/** Field names: `f n`, in the older dialect `field name`; both are read, the first is written. None is [] = all. */
export const fieldNames: Part<readonly string[]> = {
  read: (node, path) =>
    distinct(own(node, "f", "field").map(one => nameIn(one, one.name === "f" ? "n" : "name", path))),
  write(names, into, ns) {
    for (const n of names) into.children.push(make("f", ns, { n }));
  },
};

/** How parameter names stand: `p` (schema), `parameter` (deployed devices), both, or none given (= all). */
export type ParameterForm = "p" | "parameter" | "both" | "none";

export interface ParameterNames {
  readonly names: readonly string[];
  readonly form: ParameterForm;
}

/** `p n` and `parameter name` alike (PROV-CANCONTROL-01); the form found is kept, for the answer to use (PROV-RESP-02). */
export const parameterNames: Part<ParameterNames> = {
  read(node, path) {
    const schema = own(node, "p").map(one => nameIn(one, "n", path));
    const deployed = own(node, "parameter").map(one => nameIn(one, "name", path));
    const form = schema.length > 0 ? (deployed.length > 0 ? "both" : "p") : deployed.length > 0 ? "parameter" : "none";
    return { names: distinct([...schema, ...deployed]), form };
  },
  write({ names, form }, into, ns) {
    if (form === "p" || form === "both") for (const n of names) into.children.push(make("p", ns, { n }));
    if (form === "parameter" || form === "both")
      for (const name of names) into.children.push(make("parameter", ns, { name }));
  },
};

/** The form of a question: a service of the published generation reads the schema; deployed ones may read the other only. */
export const askedForm = (generation: "nfi" | "nf" | "ieee", strictXsd = false): ParameterForm =>
  generation === "nfi" || strictXsd ? "p" : "both";

/** The form of an answer: that of the question; where it named none, what every reader of that generation understands. */
export const answeredForm = (generation: "nfi" | "nf" | "ieee", asked: ParameterForm): ParameterForm =>
  asked !== "none" ? asked : generation === "nfi" ? "p" : "both";

const provisioning = /^urn:(?:nfi|nf|ieee):iot:prov:|^urn:xmpp:iot:provisioning$/;

/**
 * Refuses a child of a provisioning namespace that is not among the known: in a dialect we do not read, a list of some
 * would look like "all" (PROV-CANCONTROL-03).
 */
const understood = <T>(codec: Codec<T>, ...known: string[]): Codec<T> => ({
  ...codec,
  decode(node, path = codec.name) {
    for (const one of elements(node))
      if (provisioning.test(one.ns) && !(one.ns === node.ns && known.includes(one.name)))
        throw new WireError(`${path}/${one.name}`, "not understood in an answer");
    return codec.decode(node, path);
  },
});

// Thing to service.
export const isFriend = element("isFriend", { jid: attr("jid", bareAddress) });
export const isFriendResponse = understood(
  element("isFriendResponse", { jid: attr("jid", bareAddress), result: attr("result", boolean) }),
);

export const canRead = element("canRead", {
  jid: attr("jid", bareAddress),
  tokens,
  categories,
  nodes: many(nodeElement),
  names: fieldNames,
});
/** Absent lists mean "as asked", absent categories mean none (PROV-CANREAD-02). */
export const canReadResponse = understood(
  element("canReadResponse", {
    jid: attr("jid", bareAddress),
    result: attr("result", boolean),
    categories,
    nodes: many(nodeElement),
    names: fieldNames,
  }),
  "nd",
  "f",
  "field",
);

export const canControl = element("canControl", {
  jid: attr("jid", bareAddress),
  tokens,
  nodes: many(nodeElement),
  parameters: parameterNames,
});
export const canControlResponse = understood(
  element("canControlResponse", {
    jid: attr("jid", bareAddress),
    result: attr("result", boolean),
    nodes: many(nodeElement),
    parameters: parameterNames,
  }),
  "nd",
  "p",
  "parameter",
);

// Service to thing.
export const clearCache = element("clearCache", { ref: address });
/** In a message. */
export const friend = element("friend", { jid: attr("jid", bareAddress) });
export const unfriend = element("unfriend", { jid: attr("jid", bareAddress) });

export type CanRead = Value<typeof canRead>;
export type CanReadResponse = Value<typeof canReadResponse>;
export type CanControl = Value<typeof canControl>;
export type CanControlResponse = Value<typeof canControlResponse>;
