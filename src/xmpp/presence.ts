// Consent by presence: who may see us is decided by rules given from outside, answered once and bounded; who of our
// contacts is there is kept; withdrawn consent stops at once what was granted under it (PRES-SUB, PRES-IQ, PRES-OUT).

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { admissionMs, presenceSettleMs, resourcesPerContactMax } from "#limits.ts";
import { child, type Element, element } from "#xml/element.ts";
import type { Connection } from "./connection.ts";
import { bareJid, domainOf, normalJid } from "./jid.ts";
import type { Roster } from "./roster.ts";
import type { Gate } from "./router.ts";
import { clientNs } from "./stanza.ts";
import { createSubscriptionBook } from "./subscription-book.ts";

/**
 * accept: may see us · accept-and-subscribe: and we want to see him · decline-for-now: nobody could be asked, the next
 * request is decided anew (PROV-ISFRIEND-02) · ignore: no answer · pending: an operator decides.
 */
export type Consent = "accept" | "accept-and-subscribe" | "decline" | "decline-for-now" | "ignore" | "pending";

/** XEP-0379: who asks to see us shows the code he was given. */
const pairingNs = "urn:xmpp:pars:0";

export interface PresenceDeps {
  readonly connection: Pick<Connection, "jid" | "send">;
  readonly roster: Roster;
  /** He showed a pairing code that is ours, and has used it up now: he is let in without a decision (PRES-SUB-05). */
  readonly paired?: (bareJid: string, token: string) => boolean;
  /** Decides on a request to see us. What it throws leaves the request pending: no decision is no consent. */
  readonly decide: (bareJid: string, signal: AbortSignal) => Promise<Consent>;
  /** The caps of our presence. */
  readonly caps: () => Element;
  /** This full JID became unavailable. */
  readonly gone: (fullJid: string) => void;
  /** This bare JID may no longer see us: all that it has running is to stop. */
  readonly withdrawn: (bareJid: string) => void;
  /** One of our own earlier sessions, which the broker still shows. Absent: none is known. */
  readonly isFormer?: (fullJid: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Presence {
  /** Takes a presence stanza. Does not throw. */
  receive(stanza: Element): void;
  /** After each new stream, not after a resumed one: fetches the roster and then shows us (PRES-OUT-01). Throws what `request` throws. */
  announce(signal: AbortSignal): Promise<void>;
  isOnline(fullJid: string): boolean;
  /** Full JIDs of a contact that are available, as far as he lets us see. */
  resourcesOf(bareJid: string): readonly string[];
  /** Requests left to the operator. */
  readonly pending: readonly string[];
  /** The operator's decision on a pending request; later requests get the same for a while. */
  answer(bareJid: string, consent: Consent): void;
  /** Decides pending requests anew and forgets earlier answers: rules or owner changed. */
  reconsider(): void;
  /** Takes back our consent (PRES-SUB-04). */
  revoke(bareJid: string): Promise<void>;
  /** Asks to see the contact. */
  friend(bareJid: string): void;
  /** Ends it both ways. */
  unfriend(bareJid: string): Promise<void>;
}

export function createPresence(deps: PresenceDeps): Presence {
  const { connection, roster, log, clock } = deps;
  const online = new Map<string, Set<string>>();
  /** There before our stream was lost, and not heard of since. */
  const unheard = new Set<string>();
  const book = createSubscriptionBook(clock);
  const ownBare = () => bareJid(connection.jid) ?? "";

  const send = (to: string, type: "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed") =>
    connection.send(element("presence", clientNs, { to, type }));

  const withdraw = (jid: string) => {
    book.forget(jid);
    deps.withdrawn(jid);
  };
  roster.onWithdrawn(withdraw);

  const apply = (jid: string, consent: Consent) => {
    if (consent === "decline" || consent === "decline-for-now") send(jid, "unsubscribed");
    if (consent === "accept" || consent === "accept-and-subscribe") send(jid, "subscribed");
    if (consent === "accept-and-subscribe") askToSee(jid);
  };

  const askToSee = (jid: string) => {
    const contact = roster.contact(jid);
    if (contact?.subscription !== "to" && contact?.subscription !== "both") send(jid, "subscribe");
  };

  const decide = async (jid: string) => {
    try {
      const consent = await within(clock, admissionMs, "decision on presence", deps.signal, signal =>
        deps.decide(jid, signal),
      );
      book.decided(jid, consent);
      // Strangers may ask as often as they like; who was let in is for the operator to find again.
      if (consent === "accept" || consent === "accept-and-subscribe") log.notice("presence-granted", { from: jid });
      else log.info("presence-not-granted", { from: jid, consent });
      apply(jid, consent);
    } catch (error) {
      if (deps.signal.aborted) return;
      book.decided(jid, "undecided");
      log.warning("presence-undecided", { from: jid, error });
    }
  };

  const requested = (jid: string, stanza: Element) => {
    const token = child(stanza, "preauth", pairingNs)?.attrs.token;
    if (token !== undefined && deps.paired?.(jid, token)) {
      log.notice("presence-granted", { from: jid, by: "pairing code" });
      book.decided(jid, "accept-and-subscribe");
      apply(jid, "accept-and-subscribe");
      return;
    }
    const next = book.ask(jid, domainOf(jid));
    if (next === "decide") void decide(jid);
    else if (next === "full") log.warning("RateLimited", { from: jid, element: "presence" });
    else if (next !== "waiting") apply(jid, next);
  };

  const available = (from: string, bare: string) => {
    if (bare === ownBare()) {
      if (from === normalJid(connection.jid) || deps.isFormer?.(from)) return;
      log.warning("SecondResource", { jid: from, hint: "somebody else uses this account: change its password" });
      return;
    }
    // A stranger's presence tells nothing we asked for, and must not fill the table.
    if (roster.contact(bare) === undefined) return;
    unheard.delete(from);
    const resources = online.get(bare) ?? new Set();
    if (resources.size >= resourcesPerContactMax) return;
    online.set(bare, resources.add(from));
  };

  const forgetUnheard = () => {
    for (const full of unheard) deps.gone(full);
    unheard.clear();
  };

  const unavailable = (from: string, bare: string) => {
    const resources = online.get(bare);
    const left = from === bare ? [...(resources ?? [])] : [from];
    for (const full of left) {
      resources?.delete(full);
      deps.gone(full);
    }
    if (resources?.size === 0) online.delete(bare);
  };

  return {
    receive(stanza) {
      const from = normalJid(stanza.attrs.from);
      const bare = bareJid(stanza.attrs.from);
      if (from === undefined || bare === undefined) return;
      const type = stanza.attrs.type ?? "";
      if (type === "") available(from, bare);
      else if (type === "unavailable" || type === "error") unavailable(from, bare);
      else if (bare === ownBare()) return;
      else if (type === "subscribe") requested(bare, stanza);
      else if (type === "unsubscribe") {
        send(bare, "unsubscribed");
        withdraw(bare);
      } else if (type === "unsubscribed") online.delete(bare);
    },
    async announce(signal) {
      for (const resources of online.values()) for (const full of resources) unheard.add(full);
      online.clear();
      await roster.fetch(signal);
      connection.send(element("presence", clientNs, {}, [deps.caps()]));
      // Nobody tells us who left while we were away: the broker tells who is there, and the others are gone.
      void clock.sleep(presenceSettleMs, signal).then(forgetUnheard, () => {});
    },
    isOnline: full => online.get(bareJid(full) ?? "")?.has(full) ?? false,
    resourcesOf: bare => [...(online.get(bare) ?? [])],
    get pending() {
      return book.pending;
    },
    answer(jid, consent) {
      book.decided(jid, consent);
      apply(jid, consent);
    },
    reconsider() {
      for (const jid of book.reopen()) void decide(jid);
    },
    async revoke(jid) {
      send(jid, "unsubscribed");
      withdraw(jid);
      await roster.remove(jid, deps.signal);
    },
    friend: askToSee,
    async unfriend(jid) {
      send(jid, "unsubscribed");
      send(jid, "unsubscribe");
      withdraw(jid);
      await roster.remove(jid, deps.signal);
    },
  };
}

export interface GateDeps {
  readonly connection: Pick<Connection, "jid">;
  readonly roster: Pick<Roster, "consented">;
  /** JIDs of the services found on our own domain; a JID without a local part is no proof of being one (PRES-IQ-02). */
  readonly services: () => ReadonlySet<string>;
}

/** Who may use what is open to contacts: ourselves, our own server, the services found, and whom we let see us (PRES-IQ-01). */
export const createGate =
  ({ connection, roster, services }: GateDeps): Gate =>
  from =>
    from === bareJid(connection.jid) ||
    from === domainOf(connection.jid) ||
    services().has(from) ||
    roster.consented(from);
