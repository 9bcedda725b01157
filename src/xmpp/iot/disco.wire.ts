// Service discovery and entity capabilities on the wire: XEP-0030 (disco#info, disco#items), XEP-0115 (c), XEP-0199 (ping).

import { attr, attrOr, content, element, many, optional, type Value } from "#xml/codec.ts";
import { text } from "#xml/scalars.ts";

export const infoNs = "http://jabber.org/protocol/disco#info";
export const itemsNs = "http://jabber.org/protocol/disco#items";
export const capsNs = "http://jabber.org/protocol/caps";
export const pingNs = "urn:xmpp:ping";

export const identity = element("identity", {
  category: attr("category", text),
  type: attr("type", text),
  name: attrOr("name", text, ""),
});
export type Identity = Value<typeof identity>;

export const info = element("query", {
  node: optional("node", text),
  identities: many(identity),
  features: many(content("feature", attr("var", text))),
});
export type Info = Value<typeof info>;

export const items = element("query", {
  node: optional("node", text),
  items: many(
    element("item", { jid: attr("jid", text), node: optional("node", text), name: attrOr("name", text, "") }),
  ),
});
export type Items = Value<typeof items>;

/** In presence: `node#ver` is where the features behind the hash can be asked. */
export const caps = element("c", { hash: attr("hash", text), node: attr("node", text), ver: attr("ver", text) });

export const ping = element("ping", {});
