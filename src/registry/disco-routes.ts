// What the component says of itself: service discovery (XEP-0030) and ping (XEP-0199). Features are the namespaces it
// serves, so nothing is announced that is not there (DISCO-NS-01, DISCO-NS-05).

import { element } from "#xml/element.ts";
import type { Route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";

const infoNs = "http://jabber.org/protocol/disco#info";
const itemsNs = "http://jabber.org/protocol/disco#items";
const pingNs = "urn:xmpp:ping";

export const discoRoutes = (features: () => readonly string[]): Route[] => [
  {
    types: ["get"],
    ns: infoNs,
    name: "query",
    access: "anyone",
    async handle({ payload }) {
      // No node of ours has anything to say.
      if (payload.attrs.node !== undefined) throw new StanzaError("cancel", "item-not-found");
      return element("query", infoNs, {}, [
        element("identity", infoNs, { category: "component", type: "generic", name: "Thing Registry" }),
        ...features().map(name => element("feature", infoNs, { var: name })),
      ]);
    },
  },
  {
    types: ["get"],
    ns: itemsNs,
    name: "query",
    access: "anyone",
    handle: async () => element("query", itemsNs),
  },
  { types: ["get"], ns: pingNs, name: "ping", access: "anyone", handle: async () => undefined },
];
