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
  /**
   * Asks for presence and waits for the answer and then for the presence itself, both within `signal`'s life. Who has let us see
   * him before and is not there is not waited for long.
   */
  ask(bare: string, signal: AbortSignal): Promise<ConsentAnswer>;
}

const presenceNs = "jabber:client";
const rosterNs = "jabber:iq:roster";
const pingNs = "urn:xmpp:ping";
/** A living appliance answers a ping at once. */
const pingMs = 3_000;
/** Said to be gone: it may be starting again. */
const returnMs = 1_500;
/** Not every broker says that somebody is not there; one that has something to say has said it by then. */
const silentMs = 6_000;

export interface ContactsDeps {
  readonly inbox: Inbox;
  readonly connection: Connection;
  /** Whose requests to see *our* presence are accepted (the appliance, the registry); others are left open. */
  readonly acceptFrom: (bare: string) => boolean;
  /** Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Shows us as present at each new stream. */
export function createContacts({ inbox, connection, acceptFrom, sleep }: ContactsDeps): Contacts {
  const online = new Map<string, Set<string>>();
  /** Said to be unavailable, under whatever name, since the stream began. */
  const gone = new Set<string>();
  /** They let us see them. */
  const seen = new Set<string>();
  const waiting = new Map<string, Set<() => void>>();
  const consent = new Map<string, "subscribed" | "unsubscribed">();

  const tell = (bare: string) => {
    for (const wake of waiting.get(bare) ?? []) wake();
  };
  const send = (to: string, type: string) => connection.send(element("presence", presenceNs, { to, type }));

  const consented = (bare: string, type: "subscribed" | "unsubscribed") => {
    consent.set(bare, type);
    if (type === "subscribed") seen.add(bare);
    else seen.delete(bare);
  };

  inbox.onPresence(({ from, fromBare, type }) => {
    if (type === "available") {
      online.set(fromBare, (online.get(fromBare) ?? new Set()).add(from));
      gone.delete(fromBare);
    } else if (type === "unavailable") {
      online.get(fromBare)?.delete(from);
      gone.add(fromBare);
    } else if (type === "subscribed" || type === "unsubscribed") consented(fromBare, type);
    else if (type === "subscribe" && acceptFrom(fromBare)) send(fromBare, "subscribed");
    tell(fromBare);
  });
  inbox.onOnline(resumed => {
    if (resumed) return;
    online.clear();
    gone.clear();
    // Who has not asked for the roster is not told of answers about subscriptions (RFC 6121 section 2.1.6); so first the
    // roster, then our presence, whether it came or not.
    const announce = () => connection.send(element("presence", presenceNs));
    connection.request("get", undefined, element("query", rosterNs)).then(roster => {
      for (const one of roster === undefined ? [] : elements(roster)) {
        const bare = bareJid(one.attrs.jid);
        const sees = one.attrs.subscription === "to" || one.attrs.subscription === "both";
        if (bare !== undefined && sees) consented(bare, "subscribed");
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
      const enough = new AbortController();
      const waits = AbortSignal.any([signal, enough.signal]);
      let givingUp = false;
      const giveUpAfter = (ms: number) =>
        sleep(ms, waits).then(
          () => enough.abort(),
          () => {},
        );
      const look = () => {
        if (fullJid(bare) !== undefined || consent.get(bare) === "unsubscribed") enough.abort();
        else if (seen.has(bare) && gone.has(bare) && !givingUp) {
          givingUp = true;
          void giveUpAfter(returnMs);
        }
      };
      const those = waiting.get(bare) ?? new Set();
      waiting.set(bare, those.add(look));
      if (seen.has(bare)) void giveUpAfter(silentMs);
      look();
      await new Promise<void>(resolve => {
        if (waits.aborted) resolve();
        else waits.addEventListener("abort", () => resolve(), { once: true });
      });
      those.delete(look);
      if (seen.has(bare) && !consent.has(bare)) consent.set(bare, "subscribed");
      return await answer(bare, signal);
    },
  };
}
