// The part of XEP-0060 that publishing sensor data needs: a place is made, configured, given readers, published to and taken
// away; and what its readers receive. The payload of an item is a `resp` of any generation.

import { attr, attrOr, element, foreign, many, maybe, one, optional, type Part, type Value } from "#xml/codec.ts";
import { type Element, elements, element as make } from "#xml/element.ts";
import { oneOf, text } from "#xml/scalars.ts";

export const pubsubNs = "http://jabber.org/protocol/pubsub";
export const ownerNs = `${pubsubNs}#owner`;
export const eventNs = `${pubsubNs}#event`;

const node = attr("node", text);
const form = foreign("x", "jabber:x:data");

/** The first element inside that is in a namespace of its own. */
const payload: Part<Element | undefined> = {
  read: parent => elements(parent).find(child => child.ns !== parent.ns),
  write(value, into) {
    if (value !== undefined) into.children.push(value);
  },
};
const item = element("item", { id: optional("id", text), payload });

export const creation = element("pubsub", {
  create: one(element("create", { node })),
  configure: maybe(element("configure", { form })),
});
export const publishing = element("pubsub", { publish: one(element("publish", { node, items: many(item) })) });

// In the owner's namespace.
export const configuration = element("pubsub", { configure: one(element("configure", { node, form })) });
export const deletion = element("pubsub", { remove: one(element("delete", { node })) });
const affiliation = element("affiliation", {
  jid: attr("jid", text),
  affiliation: attr("affiliation", oneOf("owner", "publisher", "publish-only", "member", "none", "outcast")),
});
export const affiliations = element("pubsub", {
  affiliations: one(element("affiliations", { node: attrOr("node", text, ""), list: many(affiliation) })),
});
export type Affiliation = Value<typeof affiliation>;
const subscription = element("subscription", {
  jid: attr("jid", text),
  subscription: attr("subscription", oneOf("none", "pending", "subscribed", "unconfigured")),
});
export const subscriptions = element("pubsub", {
  subscriptions: one(element("subscriptions", { node: attrOr("node", text, ""), list: many(subscription) })),
});

/** What a reader receives. */
export const event = element("event", { items: maybe(element("items", { node, items: many(item) })) });

/** A submitted form of fields with one value each. */
export const submitted = (fields: Readonly<Record<string, string>>): Element =>
  make(
    "x",
    "jabber:x:data",
    { type: "submit" },
    Object.entries(fields).map(([name, value]) =>
      make("field", "jabber:x:data", name === "FORM_TYPE" ? { var: name, type: "hidden" } : { var: name }, [
        make("value", "jabber:x:data", {}, [value]),
      ]),
    ),
  );
