// What a provisioning service and an owner say to each other: questions in messages, rules and management in iqs.
// Provisioning for owners (urn:*:iot:prov:o:1.0), ProvisioningOwner.xsd. `getDevices` is answered by `found` of discovery.

import {
  attr,
  attrOr,
  element,
  group,
  many,
  mapped,
  maybe,
  optional,
  type Part,
  type Value,
  WireError,
} from "#xml/codec.ts";
import { type Element, elements, element as make } from "#xml/element.ts";
import { boolean, identifier, oneOf, positive, type Scalar, ScalarError, unsigned } from "#xml/scalars.ts";
import { nodeElement } from "./address.wire.ts";
import { address, bareAddress } from "./discovery.wire.ts";
import {
  categories,
  fieldNames,
  isToken,
  parameterNames,
  tokens,
  type WireCategories,
} from "./provisioning-device.wire.ts";

/** `jid` is the thing, `remoteJid` who asked it, `key` the service's handle of the question. */
const about = {
  jid: attr("jid", bareAddress),
  remoteJid: attr("remoteJid", bareAddress),
  key: attr("key", identifier),
};

// Service to owner, in messages.
export const isFriendQuestion = element("isFriend", about);

/** No node is the device itself. */
export const canReadQuestion = element("canRead", {
  ...about,
  tokens,
  categories,
  nodes: many(nodeElement),
  names: fieldNames,
});

/** Where parameter names stand: straight in the question (deployed owners read only that), in `partial` (schema), or in both. */
export type Placement = "direct" | "wrapped" | "both";

const placedParameters: Part<{ readonly names: readonly string[]; readonly placement: Placement }> = {
  read(node, path) {
    const wrapper = only(node, "partial", path);
    const direct = parameterNames.read(node, path).names;
    const wrapped = wrapper === undefined ? [] : parameterNames.read(wrapper, `${path}/partial`).names;
    const placement = wrapper === undefined ? "direct" : direct.length === 0 ? "wrapped" : "both";
    return { names: [...new Set([...direct, ...wrapped])], placement };
  },
  write({ names, placement }, into, ns) {
    if (names.length === 0) return;
    const children = names.map(n => make("p", ns, { n }));
    if (placement !== "wrapped") into.children.push(...children);
    if (placement !== "direct") into.children.push(make("partial", ns, {}, children));
  },
};

/** PROVO-Q-03: straight for every owner, and as in the schema too for one of the published generation. */
export const placementFor = (generation: "nfi" | "nf" | "ieee"): Placement =>
  generation === "nfi" ? "both" : "direct";

export const canControlQuestion = element("canControl", {
  ...about,
  tokens,
  nodes: many(nodeElement),
  parameters: placedParameters,
});

// Owner to service.
export const isFriendRule = element("isFriendRule", {
  ...about,
  result: attr("result", boolean),
  range: attrOr("range", oneOf("Caller", "Domain", "All"), "Caller"),
});

/** Whom a rule is for; tokens must have been in the question (PROVO-RULE-06). */
export type Origin =
  | { readonly kind: "fromJid" | "fromDomain" | "all" }
  | { readonly kind: "fromService" | "fromDevice" | "fromUser"; readonly token: string };

const token: Scalar<string> = {
  parse: value => {
    if (!isToken(value)) throw new ScalarError("not a token");
    return value;
  },
  format: value => value,
};

const origin: Part<Origin> = {
  read(node, path) {
    const found = elements(node).flatMap(one => {
      const at = one.ns === node.ns ? originOf(one, path) : undefined;
      return at === undefined ? [] : [at];
    });
    if (found.length > 1) throw new WireError(path, "more than one origin");
    if (found[0] === undefined) throw new WireError(path, "no origin");
    return found[0];
  },
  write(value, into, ns) {
    into.children.push(make(value.kind, ns, "token" in value ? { token: value.token } : {}));
  },
};

function originOf(one: Element, path: string): Origin | undefined {
  switch (one.name) {
    case "fromJid":
    case "fromDomain":
    case "all":
      return { kind: one.name };
    case "fromService":
    case "fromDevice":
    case "fromUser":
      return { kind: one.name, token: attr("token", token).read(one, `${path}/${one.name}`) };
    default:
      return undefined;
  }
}

const every: WireCategories = {
  momentary: true,
  peak: true,
  status: true,
  computed: true,
  identity: true,
  historical: true,
};

/**
 * What a grant is limited to; undefined = everything of that kind on that node. One that limits nothing is an error, and
 * a refusal has no limits: what stands there is ignored (PROVO-RULE-04/05).
 */
const partial = <T>(content: Part<T>, limits: (node: Element) => boolean): Part<T | undefined> => ({
  read(node, path) {
    const wrapper = only(node, "partial", path);
    if (wrapper === undefined || !attr("result", boolean).read(node, path)) return undefined;
    if (!limits(wrapper)) throw new WireError(`${path}/partial`, "limits nothing");
    return content.read(wrapper, `${path}/partial`);
  },
  write(value, into, ns) {
    if (value === undefined) return;
    const draft = { attrs: {}, children: [] };
    content.write(value, draft, ns);
    into.children.push(make("partial", ns, draft.attrs, draft.children));
  },
});

const anyCategory = (said: WireCategories): boolean => Object.values(said).includes(true);

/** Names [] = all names; no category said = all categories (PROVO-RULE-05). */
const readLimit = partial(
  group({
    categories: mapped(
      categories,
      said => (anyCategory(said) ? said : every),
      some => some,
    ),
    names: fieldNames,
  }),
  node => anyCategory(categories.read(node, "")) || fieldNames.read(node, "").length > 0,
);

const controlLimit = partial(
  group({
    names: mapped(
      parameterNames,
      ({ names }) => names,
      names => ({ names, form: "p" as const }),
    ),
  }),
  node => parameterNames.read(node, "").names.length > 0,
);

/** The node is told for the reader's comfort; what counts is the one behind `key` (PROVO-RULE-03). */
export const canReadRule = element("canReadRule", {
  ...about,
  result: attr("result", boolean),
  node: maybe(nodeElement),
  partial: readLimit,
  origin,
});
export const canControlRule = element("canControlRule", {
  ...about,
  result: attr("result", boolean),
  node: maybe(nodeElement),
  partial: controlLimit,
  origin,
});

/** Without `jid`: every thing of the sender (PROVO-MGMT-01). */
export const clearCache = element("clearCache", { jid: optional("jid", bareAddress), ref: address });
export const deleteRules = element("deleteRules", { jid: optional("jid", bareAddress), ref: address });
export const getDevices = element("getDevices", {
  offset: attrOr("offset", unsigned, 0),
  maxCount: optional("maxCount", positive),
});

function only(node: Element, name: string, path: string): Element | undefined {
  const found = elements(node).filter(one => one.name === name && one.ns === node.ns);
  if (found.length > 1) throw new WireError(`${path}/${name}`, "more than one");
  return found[0];
}

export type IsFriendQuestion = Value<typeof isFriendQuestion>;
export type CanReadQuestion = Value<typeof canReadQuestion>;
export type CanControlQuestion = Value<typeof canControlQuestion>;
export type IsFriendRule = Value<typeof isFriendRule>;
export type CanReadRule = Value<typeof canReadRule>;
export type CanControlRule = Value<typeof canControlRule>;
