// Who may see the appliance and who is kept out, as its owner decides it: what is asked, what he answers, whom he blocks, and codes
// that let somebody in once (PRES-SUB-01, -05, PRES-BLK-01).

import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createAudit } from "#concentrator/audit.ts";
import type { Blocked, ContactStore } from "#concentrator/contacts.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { blockedMax, pairingMsMax, pairingsMax } from "#limits.ts";
import { createBlocking } from "#xmpp/blocking.ts";
import type { Connection } from "#xmpp/connection.ts";
import { bareJid, domainOf } from "#xmpp/jid.ts";
import type { Presence } from "#xmpp/presence.ts";
import type { Roster } from "#xmpp/roster.ts";
import type { Route } from "#xmpp/router.ts";

export interface ContactsDeps {
  readonly store: ContactStore;
  readonly connection: Pick<Connection, "jid" | "request">;
  readonly roster: Pick<Roster, "contacts" | "consented">;
  readonly presence: () => Pick<Presence, "pending" | "answer" | "revoke" | "reconsider">;
  /** Owners and services: to keep them out would leave the appliance to nobody. */
  readonly isNeeded: (bareJid: string) => boolean;
  /** The session gets another resource (PRES-SUB-04). */
  readonly renew: () => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Listed {
  readonly jid: string;
  /** asks: waits for an answer · contact: may see us · blocked */
  readonly state: "asks" | "contact" | "blocked";
  readonly at?: number;
  readonly by?: string;
}

export interface Contacts {
  list(): readonly Listed[];
  /** Whatever was answered before; throws `Refusal` for who is blocked. */
  answer(caller: Caller, jid: string, isAccepted: boolean): void;
  /** Takes back what he was allowed to see and hears no more of him. Throws `Refusal`. */
  block(caller: Caller, jid: string): Promise<void>;
  unblock(caller: Caller, jid: string): Promise<void>;
  isBlocked(jid: string): boolean;
  /** An address that asks to see us with a new code in it: for whoever is given it, once, until then. */
  pair(caller: Caller, ms: number): { readonly uri: string; readonly until: number };
  /** The code is used up, whoever showed it: true when it was good. */
  paired(jid: string, code: string): boolean;
  /** A new stream: the broker's list and ours are made one. */
  online(): void;
  /** Another owner, or none: whom the former one kept out may ask again, and his codes let nobody in. */
  ownerGone(): void;
  readonly routes: readonly Route[];
}

export function createContacts(deps: ContactsDeps): Contacts {
  const { store, connection, roster, clock, log, signal } = deps;
  const audit = createAudit(log);
  const blocked = new Map(store.blocked().map(one => [one.jid, one]));

  const isBlocked = (jid: string): boolean => (blocked.has(jid) || blocked.has(domainOf(jid))) && !deps.isNeeded(jid);

  const addressOf = (text: string): string => {
    const jid = bareJid(text);
    if (jid === undefined) throw new Refusal("bad-request", "This is no address.");
    return jid;
  };
  const keep = (one: Blocked) => {
    if (!blocked.has(one.jid) && blocked.size >= blockedMax)
      throw new Refusal("busy", "No more addresses can be blocked: block their domain, or let others in again.");
    store.block(one);
    blocked.set(one.jid, one);
  };
  const forget = (jid: string) => {
    store.unblock(jid);
    blocked.delete(jid);
  };
  /** All whose address this is, or lies in this domain, and who may see us. */
  const meant = (jid: string): string[] =>
    roster
      .contacts()
      .map(one => one.jid)
      .filter(one => one === jid || (domainOf(one) === jid && !deps.isNeeded(one)));

  const revoke = async (jid: string): Promise<void> => {
    let knewUs = false;
    for (const one of meant(jid)) {
      knewUs ||= roster.consented(one);
      await deps.presence().revoke(one);
    }
    // He knows where we are at this moment: we move, once the answer to who wanted it has left.
    if (knewUs) clock.sleep(renewAfterMs, signal).then(deps.renew, () => {});
  };

  const blocking = createBlocking({
    connection,
    changed(jids, isNow) {
      if (jids === undefined) for (const jid of [...blocked.keys()]) forget(jid);
      for (const jid of jids ?? []) {
        if (blocked.has(jid) === isNow) continue;
        if (!isNow) forget(jid);
        else {
          keep({ jid, at: clock.now(), by: "" });
          void revoke(jid).catch(error => log.warning("contact-not-revoked", { jid, error }));
        }
        log.notice(isNow ? "contact-blocked" : "contact-unblocked", { jid, by: "the broker" });
      }
    },
  });
  const atBroker = async (jid: string, isNow: boolean) => {
    try {
      await blocking.put(jid, isNow, signal);
    } catch (error) {
      // Ours holds all the same.
      if (!signal.aborted) log.warning("block-not-at-broker", { jid, error });
    }
  };
  const agree = async () => {
    const there = await blocking.list(signal);
    if (there === undefined) return;
    const left = [...blocked.keys()].filter(jid => !there.includes(jid));
    for (const jid of left) await blocking.put(jid, true, signal);
    for (const jid of there) if (!blocked.has(jid)) keep({ jid, at: clock.now(), by: "" });
  };

  return {
    routes: blocking.routes,
    isBlocked,
    list: () => [
      ...deps.presence().pending.map((jid): Listed => ({ jid, state: "asks" })),
      ...roster
        .contacts()
        .filter(({ jid }) => roster.consented(jid))
        .map(({ jid }): Listed => ({ jid, state: "contact" })),
      ...[...blocked.values()].map((one): Listed => ({ jid: one.jid, state: "blocked", at: one.at, by: one.by })),
    ],
    answer(caller, text, isAccepted) {
      const jid = addressOf(text);
      if (isBlocked(jid)) throw new Refusal("conflict", "This address is blocked: let it in again first.");
      if (!deps.presence().pending.includes(jid)) throw new Refusal("not-found", "This address has not asked.");
      deps.presence().answer(jid, isAccepted ? "accept-and-subscribe" : "decline");
      audit(isAccepted ? "contact-accepted" : "contact-declined", caller, [], { contact: jid });
    },
    async block(caller, text) {
      const jid = addressOf(text);
      if (deps.isNeeded(jid) || jid === bareJid(connection.jid))
        throw new Refusal("not-allowed", "Owners, services and the appliance itself cannot be blocked.");
      keep({ jid, at: clock.now(), by: caller.bareJid });
      audit("contact-blocked", caller, [], { contact: jid });
      // Before the broker keeps us apart: he is told that it is over, as anybody would be.
      await revoke(jid);
      await atBroker(jid, true);
    },
    async unblock(caller, text) {
      const jid = addressOf(text);
      if (!blocked.has(jid)) throw new Refusal("not-found", "This address is not blocked.");
      forget(jid);
      audit("contact-unblocked", caller, [], { contact: jid });
      // Or he would have the answer he had while he was kept out.
      deps.presence().reconsider();
      await atBroker(jid, false);
    },
    pair(caller, ms) {
      const now = clock.now();
      for (const { digest, until } of store.pairings()) if (until <= now) store.takePairing(digest);
      if (store.pairings().length >= pairingsMax)
        throw new Refusal("busy", "There are too many codes that nobody has used yet.");
      const code = randomBytes(18).toString("base64url");
      const until = now + Math.min(ms, pairingMsMax);
      store.addPairing({ digest: digestOf(code), until, by: caller.bareJid });
      audit("pairing-code-made", caller, [], { until: new Date(until).toISOString() });
      return { uri: `xmpp:${bareJid(connection.jid)}?roster;preauth=${code}`, until };
    },
    paired(jid, code) {
      if (isBlocked(jid) || code.length > 256) return false;
      const digest = digestOf(code);
      const known = store.pairings().find(one => one.digest === digest);
      if (known === undefined || !store.takePairing(digest)) return false;
      return known.until > clock.now();
    },
    ownerGone() {
      for (const { digest } of store.pairings()) store.takePairing(digest);
      const former = [...blocked.keys()];
      for (const jid of former) forget(jid);
      void (async () => {
        for (const jid of former) await atBroker(jid, false);
      })();
    },
    online() {
      void agree().catch(error => {
        if (!signal.aborted) log.info("blocks-not-compared", { error });
      });
    },
  };
}

const renewAfterMs = 1_000;

const digestOf = (code: string): string => createHash("sha256").update(code).digest("hex");
