// Ad-hoc commands of the service (XEP-0050), for what the interfaces have no element for: an owner lists his rules, and what
// was asked of him (PROVO-MGMT-05). One step, nothing to fill in; and how the commands are found (XEP-0030).

import { randomBytes } from "node:crypto";
import { createRate } from "#base/rate.ts";
import { countedSendersMax } from "#limits.ts";
import { attr, element as codec, optional } from "#xml/codec.ts";
import { type Element, element } from "#xml/element.ts";
import { text } from "#xml/scalars.ts";
import * as disco from "#xmpp/iot/disco.wire.ts";
import { type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { ListForm } from "./list-form.ts";
import { questionList } from "./question-list.ts";
import { ruleList } from "./rule-list.ts";
import type { Service } from "./service.ts";
import type { RegistryStore } from "./store.ts";

const commandsNs = "http://jabber.org/protocol/commands";

interface Listing {
  readonly node: string;
  readonly name: string;
  readonly cut: (count: number) => string;
  list(store: RegistryStore, owner: string): Promise<ListForm>;
}
const listings: readonly Listing[] = [
  {
    node: "rules",
    name: "Rules of your things",
    cut: count => `Only the ${count} newest rules are shown.`,
    list: ruleList,
  },
  {
    node: "questions",
    name: "What was asked about your things",
    cut: count => `Only the ${count} oldest questions are shown.`,
    list: questionList,
  },
];

const command = codec("command", {
  node: attr("node", text),
  action: optional("action", text),
  sessionid: optional("sessionid", text),
});

export function commandRoutes(service: Service): Route[] {
  const lists = createRate(service.clock, 30, 2_000, countedSendersMax);
  return [
    route(["set"], commandsNs, command, async (asked, { fromBare }) => {
      const listing = listings.find(({ node }) => node === asked.node);
      if (listing === undefined) throw new StanzaError("cancel", "item-not-found", "no such command");
      const { node } = listing;
      const said = (status: string, sessionid: string | undefined, content: readonly Element[] = []) =>
        element("command", commandsNs, { node, sessionid, status }, content);
      const action = asked.action ?? "execute";
      if (action === "cancel") return said("canceled", asked.sessionid);
      if (action !== "execute") throw badAction(action);
      if (!lists.take(fromBare))
        throw new StanzaError("wait", "resource-constraint", "too many requests; try again later");
      const { form, count, isCut } = await listing.list(service.store, fromBare);
      const note = element("note", commandsNs, { type: "info" }, [listing.cut(count)]);
      return said("completed", randomBytes(9).toString("base64url"), isCut ? [note, form] : [form]);
    }),
  ];
}

function badAction(action: string): StanzaError {
  const isKnown = ["next", "prev", "complete"].includes(action);
  const detail = element(isKnown ? "bad-action" : "malformed-action", commandsNs);
  return new StanzaError("modify", "bad-request", "this command has one step", [detail]);
}

/** The routes of disco, which answer for the service itself, with what they say of these nodes. */
export const discoWithCommands = (jid: string, routes: readonly Route[]): Route[] =>
  routes.map(one => {
    const answers = one.ns === disco.infoNs ? infos : one.ns === disco.itemsNs ? itemsOf(jid) : new Map();
    return { ...one, handle: async request => answers.get(request.payload.attrs.node) ?? one.handle(request) };
  });

const infoOf = (of: string, type: string, called: string, features: readonly string[]): [string, Element] => [
  of,
  disco.info.encode({ node: of, identities: [{ category: "automation", type, name: called }], features }, disco.infoNs),
];
const infos: ReadonlyMap<string | undefined, Element> = new Map([
  infoOf(commandsNs, "command-list", "Commands", [commandsNs, disco.infoNs, disco.itemsNs]),
  ...listings.map(({ node, name }) => infoOf(node, "command-node", name, [commandsNs, "jabber:x:data"])),
]);

const itemsOf = (jid: string): ReadonlyMap<string | undefined, Element> => {
  const commands = listings.map(({ node, name }) => ({ jid, node, name }));
  const itemsIn = (node: string, items: typeof commands): [string, Element] => [
    node,
    disco.items.encode({ node, items }, disco.itemsNs),
  ];
  return new Map([itemsIn(commandsNs, commands), ...commands.map(({ node }) => itemsIn(node, []))]);
};
