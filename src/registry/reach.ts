// Which other domains cannot be reached now (FED-05): learned from what the broker gives back, tried again with a ping, and
// forgotten at their first word. While a domain is away nothing is sent there, and what waits for it is counted.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { awayDomainsMax, reachAgainMs, reachTriesMax, requestMs, waitingPerDomainMax } from "#limits.ts";
import { element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { domainOf } from "#xmpp/jid.ts";
import { type Condition, StanzaError } from "#xmpp/stanza.ts";

export interface ReachDeps {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Log;
  readonly isLocal: (domain: string) => boolean;
  /** That domain answers again: what waits for it can go. */
  readonly returned: (domain: string) => void;
  readonly signal: AbortSignal;
}

export interface Reach {
  isAway(jid: string): boolean;
  /** One more thing may wait for the domain of this JID; the same one counts once. */
  mayWait(jid: string, what: string): boolean;
  /** A stanza to this JID came back. True when it was for want of a way there. */
  cameBack(jid: string, condition: Condition): boolean;
  /** It has spoken. */
  heard(jid: string): void;
  /** The pings; until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

interface Away {
  tries: number;
  /** Monotonic. */
  dueAt: number;
  readonly waiting: Set<string>;
}

/** The broker found no way to that domain. */
export const isNoWay = (condition: Condition): boolean =>
  condition === "remote-server-not-found" || condition === "remote-server-timeout";

export function createReach(deps: ReachDeps): Reach {
  const { connection, clock, log } = deps;
  const domains = new Map<string, Away>();
  let wake = Promise.withResolvers<void>();

  const lost = (domain: string) => {
    if (domains.has(domain) || domains.size >= awayDomainsMax) return;
    log.warning("domain-away", { domain, why: "the broker finds no way there" });
    domains.set(domain, { tries: 0, dueAt: clock.monotonic() + reachAgainMs[0], waiting: new Set() });
    wake.resolve();
  };
  const back = (domain: string) => {
    const away = domains.get(domain);
    if (away === undefined) return;
    domains.delete(domain);
    log.info("domain-back", { domain, waiting: away.waiting.size });
    deps.returned(domain);
  };
  const tryAgain = async (domain: string, away: Away): Promise<void> => {
    const answers = await connection
      .request("get", domain, element("ping", "urn:xmpp:ping"), { timeoutMs: requestMs, signal: deps.signal })
      .then(
        () => true,
        // A refusal is an answer too.
        error => error instanceof StanzaError && !isNoWay(error.condition),
      );
    if (answers) return back(domain);
    away.tries++;
    if (away.tries >= reachTriesMax && domains.get(domain) === away) {
      // Whatever is said to it next goes out, and finds out anew.
      domains.delete(domain);
      deps.returned(domain);
    }
    away.dueAt = clock.monotonic() + (reachAgainMs[away.tries] ?? reachAgainMs[reachAgainMs.length - 1] ?? 0);
  };

  return {
    isAway: jid => domains.has(domainOf(jid)),
    mayWait(jid, what) {
      const waiting = domains.get(domainOf(jid))?.waiting;
      if (waiting === undefined || waiting.has(what)) return true;
      if (waiting.size >= waitingPerDomainMax) return false;
      waiting.add(what);
      return true;
    },
    cameBack(jid, condition) {
      const domain = domainOf(jid);
      if (!isNoWay(condition) || deps.isLocal(domain)) return false;
      lost(domain);
      return true;
    },
    heard: jid => back(domainOf(jid)),
    async run(signal) {
      while (!signal.aborted) {
        wake = Promise.withResolvers<void>();
        const now = clock.monotonic();
        const due = [...domains].filter(([, { dueAt }]) => dueAt <= now).slice(0, pingsAtOnce);
        if (connection.online) await Promise.all(due.map(([domain, away]) => tryAgain(domain, away)));
        let next = Number.POSITIVE_INFINITY;
        for (const { dueAt } of domains.values()) next = Math.min(next, dueAt);
        const scope = createScope(signal);
        using _ = scope;
        const asleep = Number.isFinite(next)
          ? clock.sleep(Math.max(reachPaceMs, next - clock.monotonic()), scope.signal)
          : new Promise<void>(resolve => scope.signal.addEventListener("abort", () => resolve(), { once: true }));
        await Promise.race([wake.promise, asleep.catch(() => {})]);
      }
    },
  };
}

/** A domain that drops what is sent to it costs a wait of its own, and nobody else's. */
const pingsAtOnce = 500;
/** Between two looks while the component itself is offline. */
const reachPaceMs = 1_000;
