// Presence consent from the asking side: who has let us see where he is, under which full JID, and asking for it. A thing
// can only be asked under its full JID, which it tells those it has accepted (PRES-ID-02).

import { element, elements } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import type { Inbox } from "./inbox.ts";

export type ConsentAnswer =
  /** Accepted and online: ask under this full JID. */
  | { readonly state: "online"; readonly fullJid: string }
  /** Accepted, or accepted before, but not to be seen now. */
  | { readonly state: "accepted" }
  | { readonly state: "declined" }
  /** No answer yet: somebody may have been asked. */
  | { readonly state: "pending" };

export interface Contacts {
  /** The last full JID seen available of this bare JID. */
  fullJid(bare: string): string | undefined;
  /** Asks for presence and waits for the answer and then for the presence itself, both within `signal`'s life. */
  ask(bare: string, signal: AbortSignal): Promise<ConsentAnswer>;
}

const presenceNs = "jabber:client";
const rosterNs = "jabber:iq:roster";
const pingNs = "urn:xmpp:ping";
/** A living appliance answers a ping at once. */
const pingMs = 3_000;

/** Shows us as present at each new stream. `acceptFrom`: whose requests to see *our* presence are accepted (the appliance, the registry); others are left open. */
export function createContacts(inbox: Inbox, connection: Connection, acceptFrom: (bare: string) => boolean): Contacts {
  const online = new Map<string, Set<string>>();
  const waiting = new Map<string, Set<() => void>>();
  const consent = new Map<string, "subscribed" | "unsubscribed">();

  const tell = (bare: string) => {
    for (const wake of waiting.get(bare) ?? []) wake();
  };
  const send = (to: string, type: string) => connection.send(element("presence", presenceNs, { to, type }));

  inbox.onPresence(({ from, fromBare, type }) => {
    if (type === "available") online.set(fromBare, (online.get(fromBare) ?? new Set()).add(from));
    else if (type === "unavailable") online.get(fromBare)?.delete(from);
    else if (type === "subscribed" || type === "unsubscribed") consent.set(fromBare, type);
    else if (type === "subscribe" && acceptFrom(fromBare)) send(fromBare, "subscribed");
    tell(fromBare);
  });
  inbox.onOnline(resumed => {
    if (resumed) return;
    online.clear();
    // Who has not asked for the roster is not told of answers about subscriptions (RFC 6121 section 2.1.6); so first the
    // roster, then our presence, whether it came or not.
    const announce = () => connection.send(element("presence", presenceNs));
    connection.request("get", undefined, element("query", rosterNs)).then(roster => {
      for (const one of roster === undefined ? [] : elements(roster)) {
        const bare = bareJid(one.attrs.jid);
        const sees = one.attrs.subscription === "to" || one.attrs.subscription === "both";
        if (bare !== undefined && sees) consent.set(bare, "subscribed");
      }
      announce();
    }, announce);
  });

  const fullJid = (bare: string) => [...(online.get(bare) ?? [])].at(-1);

  /** After a crash the broker keeps the lost session for a while beside the new one: the one that answers is alive. */
  const alive = async (bare: string, signal: AbortSignal): Promise<string | undefined> => {
    const all = [...(online.get(bare) ?? [])];
    if (all.length < 2) return all[0];
    const ping = async (to: string) => {
      await connection.request("get", to, element("ping", pingNs), { signal, timeoutMs: pingMs }).catch(error => {
        // A refusal is an answer too.
        if (!(error instanceof StanzaError) || error.condition === "recipient-unavailable") throw error;
      });
      return to;
    };
    return await Promise.any(all.map(ping)).catch(() => all.at(-1));
  };

  const answer = async (bare: string, signal: AbortSignal): Promise<ConsentAnswer> => {
    const full = await alive(bare, signal);
    if (full !== undefined) return { state: "online", fullJid: full };
    const said = consent.get(bare);
    return { state: said === "subscribed" ? "accepted" : said === "unsubscribed" ? "declined" : "pending" };
  };

  return {
    fullJid,
    async ask(bare, signal) {
      if (fullJid(bare) !== undefined) return await answer(bare, signal);
      consent.delete(bare);
      send(bare, "subscribe");
      await new Promise<void>(resolve => {
        const done = () => {
          those.delete(look);
          signal.removeEventListener("abort", done);
          resolve();
        };
        const look = () => {
          if (fullJid(bare) !== undefined || consent.get(bare) === "unsubscribed") done();
        };
        const those = waiting.get(bare) ?? new Set();
        waiting.set(bare, those.add(look));
        signal.addEventListener("abort", done, { once: true });
        if (signal.aborted) done();
      });
      return await answer(bare, signal);
    },
  };
}
