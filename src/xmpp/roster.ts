// The contact list the server keeps for our account (RFC 6121 section 2): fetched before we show ourselves, kept current by
// pushes from our own server and from nobody else (PRES-OUT-01, PRES-IQ-04).

import type { Log } from "#base/log.ts";
import { attr, attrOr, element, many, optional } from "#xml/codec.ts";
import { oneOf, text } from "#xml/scalars.ts";
import type { Connection } from "./connection.ts";
import { bareJid } from "./jid.ts";
import { type Route, route } from "./router.ts";
import { StanzaError } from "./stanza.ts";

/** from: he sees us · to: we see him. */
export type Subscription = "none" | "to" | "from" | "both";

export interface Contact {
  readonly jid: string;
  readonly subscription: Subscription;
  /** We asked to see him and he has not answered. */
  readonly asked: boolean;
}

export interface RosterDeps {
  readonly connection: Pick<Connection, "jid" | "request">;
  readonly log: Log;
}

export interface Roster {
  readonly routes: readonly Route[];
  /** Replaces what is known. Throws what `request` throws. */
  fetch(signal: AbortSignal): Promise<void>;
  contact(bareJid: string): Contact | undefined;
  contacts(): readonly Contact[];
  /** True when the contact may see us: consent was given (PRES-IQ-01). */
  consented(bareJid: string): boolean;
  /** Takes the contact off the list, both ways. One that is not on it is no error. */
  remove(bareJid: string, signal?: AbortSignal): Promise<void>;
  /** Told of a contact whose consent ended, after the fact. */
  onWithdrawn(listener: (bareJid: string) => void): void;
}

export const rosterNs = "jabber:iq:roster";

const query = element("query", {
  items: many(
    element("item", {
      jid: attr("jid", text),
      subscription: attrOr("subscription", oneOf("none", "to", "from", "both", "remove"), "none"),
      ask: optional("ask", text),
    }),
  ),
});

export function createRoster({ connection, log }: RosterDeps): Roster {
  const contacts = new Map<string, Contact>();
  const listeners: ((bareJid: string) => void)[] = [];

  const consented = (jid: string): boolean => {
    const subscription = contacts.get(jid)?.subscription;
    return subscription === "from" || subscription === "both";
  };

  const put = (item: (typeof query extends { decode(node: never): infer Q } ? Q : never)["items"][number]) => {
    const jid = bareJid(item.jid);
    if (jid === undefined) return log.warning("roster-item-ignored", { jid: item.jid });
    const had = consented(jid);
    if (item.subscription === "remove") contacts.delete(jid);
    else contacts.set(jid, { jid, subscription: item.subscription, asked: item.ask === "subscribe" });
    if (had && !consented(jid)) for (const tell of listeners) tell(jid);
  };

  return {
    routes: [
      route(["set"], rosterNs, query, async ({ items }, { from }) => {
        // A push from anybody else would let him write our list: RFC 6121 section 2.1.6, and the answer it asks for.
        if (from !== bareJid(connection.jid)) {
          log.warning("SpoofedStanza", { element: "roster", from });
          throw new StanzaError("cancel", "service-unavailable");
        }
        for (const item of items) put(item);
        return undefined;
      }),
    ],
    async fetch(signal) {
      const answer = await connection.request("get", undefined, query.encode({ items: [] }, rosterNs), { signal });
      const { items } = answer === undefined ? { items: [] } : query.decode(answer);
      const left = new Set(contacts.keys());
      for (const item of items) {
        put(item);
        left.delete(bareJid(item.jid) ?? "");
      }
      // Gone from the list while we were away.
      for (const jid of left) put({ jid, subscription: "remove", ask: undefined });
    },
    contact: jid => contacts.get(jid),
    contacts: () => [...contacts.values()],
    consented,
    async remove(jid, signal) {
      const payload = query.encode({ items: [{ jid, subscription: "remove", ask: undefined }] }, rosterNs);
      try {
        await connection.request("set", undefined, payload, signal === undefined ? {} : { signal });
      } catch (error) {
        if (!(error instanceof StanzaError && error.condition === "item-not-found")) throw error;
      }
    },
    onWithdrawn(listener) {
      listeners.push(listener);
    },
  };
}
