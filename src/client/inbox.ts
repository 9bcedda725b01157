// What comes in on a client's connection, handed to those who wait for it: data messages and questions by the name of their
// payload, presence by contact. A client serves next to nothing: every iq that asks is refused, but for the roster pushes of
// its own server and what is served by name.

import { type Element, element, elements } from "#xml/element.ts";
import type { Connection, Inbound } from "#xmpp/connection.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { asStanzaError, encodeError, StanzaError } from "#xmpp/stanza.ts";

export interface ClientMessage {
  /** Normalised full JID, as stamped by the broker. */
  readonly from: string;
  readonly payload: Element;
}

/** What is answered to an iq; throwing is an error. */
type Answer = (from: string, payload: Element) => Promise<Element | undefined>;

type Take = (message: ClientMessage) => void;

/** Presence of one sender: his full JID came or went, or his bare JID said something about subscription. */
export interface PresenceNews {
  readonly from: string;
  readonly fromBare: string;
  readonly type: "available" | "unavailable" | "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed" | "error";
}

export interface Inbox extends Inbound {
  /** Told of every message with such a payload until disposed. */
  onMessage(ns: string, name: string, take: Take): Disposable;
  /** Answers iqs of type get with such a payload, from anybody, until disposed. */
  serve(ns: string, name: string, answer: Answer): Disposable;
  onPresence(take: (news: PresenceNews) => void): Disposable;
  /** Told of each new stream, resumed or not. */
  onOnline(take: (resumed: boolean) => void): Disposable;
  /** The connection to reply on; given once, after both exist. */
  attach(connection: Connection): void;
}

const presenceTypes: readonly string[] = [
  "unavailable",
  "subscribe",
  "subscribed",
  "unsubscribe",
  "unsubscribed",
  "error",
];

export function createInbox(): Inbox {
  const takers = new Map<string, Set<Take>>();
  const served = new Map<string, Answer>();
  const watchers = new Set<(news: PresenceNews) => void>();
  const onlineTakers = new Set<(resumed: boolean) => void>();
  let connection: Connection | undefined;

  const reply = (stanza: Element, type: "result" | "error", payload: Element | undefined) => {
    const attrs = { type, id: stanza.attrs.id, to: stanza.attrs.from };
    try {
      connection?.send(element("iq", stanza.ns, attrs, payload === undefined ? [] : [payload]));
    } catch {
      // The connection went meanwhile; who asked sees that himself.
    }
  };
  const refuse = (stanza: Element, error: unknown) =>
    reply(stanza, "error", encodeError(asStanzaError(error), stanza.ns));

  return {
    attach(one) {
      connection = one;
    },
    onMessage(ns, name, take) {
      const key = `${ns} ${name}`;
      const those = takers.get(key) ?? new Set();
      takers.set(key, those.add(take));
      return { [Symbol.dispose]: () => void those.delete(take) };
    },
    serve(ns, name, answer) {
      served.set(`${ns} ${name}`, answer);
      return { [Symbol.dispose]: () => void served.delete(`${ns} ${name}`) };
    },
    onPresence(take) {
      watchers.add(take);
      return { [Symbol.dispose]: () => void watchers.delete(take) };
    },
    onOnline(take) {
      onlineTakers.add(take);
      return { [Symbol.dispose]: () => void onlineTakers.delete(take) };
    },
    iq(stanza) {
      if (stanza.attrs.type !== "get" && stanza.attrs.type !== "set") return;
      const { from } = stanza.attrs;
      const own = from === undefined || (connection !== undefined && bareJid(from) === bareJid(connection.jid));
      if (own && elements(stanza)[0]?.ns === "jabber:iq:roster") {
        // A roster push of our own server: what it says comes as presence too.
        connection?.send(element("iq", stanza.ns, { type: "result", id: stanza.attrs.id }));
        return;
      }
      const payload = elements(stanza)[0];
      const sender = normalJid(from);
      const answer = stanza.attrs.type === "get" && payload && served.get(`${payload.ns} ${payload.name}`);
      if (!answer || sender === undefined) return refuse(stanza, new StanzaError("cancel", "service-unavailable"));
      answer(sender, payload).then(
        result => reply(stanza, "result", result),
        error => refuse(stanza, error),
      );
    },
    message(stanza) {
      const from = normalJid(stanza.attrs.from);
      if (from === undefined || stanza.attrs.type === "error") return;
      for (const payload of elements(stanza)) {
        for (const take of takers.get(`${payload.ns} ${payload.name}`) ?? []) take({ from, payload });
      }
    },
    presence(stanza) {
      const from = normalJid(stanza.attrs.from);
      const fromBare = bareJid(stanza.attrs.from);
      if (from === undefined || fromBare === undefined) return;
      const said = stanza.attrs.type ?? "available";
      if (said !== "available" && !presenceTypes.includes(said)) return;
      for (const take of watchers) take({ from, fromBare, type: said as PresenceNews["type"] });
    },
    online(_, resumed) {
      for (const take of onlineTakers) take(resumed);
    },
  };
}
