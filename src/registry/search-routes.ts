// Searching (discovery.md, sections 5 and 6): what searchers ask here, and what registries ask each other, in every generation.

import { TimeoutError, within } from "#base/deadline.ts";
import { createRate } from "#base/rate.ts";
import type { NodeRef } from "#contract/node.ts";
import * as wire from "#iot/discovery.wire.ts";
import { inEveryGeneration } from "#iot/generations.ts";
import { countedSendersMax, searchMs, searchRowsMax, searchRowsStandard } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { alone, createFederation, type Federation, merged } from "./federation.ts";
import { oldRoutes } from "./old-dialect.ts";
import { criteriaOf } from "./search.ts";
import type { Service } from "./service.ts";
import type { Criterion, Page, Thing } from "./store.ts";

export function searchRoutes(service: Service): Route[] {
  const { clock, options, isLocal, connection, log } = service;
  const federation = createFederation({
    options: options.federation ?? alone,
    jid: options.jid,
    connection,
    isLocal,
    clock,
    log,
    signal: service.signal,
  });
  const rates = ratesOf(service);
  const routes = inEveryGeneration("discovery", ns => [
    route(["get"], ns, wire.search, async (search, { fromBare, signal }) => {
      rates.take(fromBare, search.distributed && federation.isOpen);
      const own = await foundHere(service, search, signal);
      rates.learn(fromBare, search, own);
      const goesOn = search.distributed && search.offset === 0 && !own.more && isAnybodys(search);
      if (!goesOn || !federation.isOpen) return wire.found.encode(own, ns);
      const { count } = page(search.maxCount);
      const harvests = await federation.ask(search, count, own.things.length === 0);
      const { found, asked } = merged(own, harvests, count);
      const answer = wire.found.encode(found, ns);
      return { ...answer, children: [...answer.children, wire.asked.encode(asked, wire.askedNs)] };
    }),
    ...registryRoutes(service, federation, rates, ns),
  ]);
  const { oldDialect } = options;
  if (oldDialect === undefined) return routes;
  const ownerOf = async (jid: string, ref: NodeRef) => (await service.store.thing(jid, ref))?.owner;
  return [...routes, ...oldRoutes(routes, oldDialect.exposeOwner ? ownerOf : undefined)];
}

/** Between registries; anybody else is not told whether there is anything to ask (DISCO-DEBBY-02). */
function registryRoutes(service: Service, federation: Federation, rates: SearchRates, ns: string): Route[] {
  return [
    route(["get"], ns, wire.query, async ({ qid, search }, { fromBare, signal }) => {
      // Whose question it was first is hearsay: what counts is who passes it on.
      if (!federation.isChild(fromBare)) throw new StanzaError("auth", "forbidden");
      rates.take(fromBare, false);
      if (!federation.isNew(qid)) return wire.result.encode({ qid, found: undefined }, ns);
      const own = await foundHere(service, { ...search, offset: 0 }, signal);
      const { count } = page(search.maxCount);
      const { found } =
        own.things.length > 0 || !isAnybodys(search)
          ? { found: own }
          : merged(own, await federation.askParent(search, count, qid), count);
      return wire.result.encode({ qid, found: found.things.length > 0 ? found : undefined }, ns);
    }),
    route(["set"], ns, wire.result, async (_, { fromBare }) => {
      // Every question of ours is answered in its own reply; what comes later has nobody left who waits for it (DISCO-DEBBY-03).
      if (!federation.isParent(fromBare)) throw new StanzaError("auth", "forbidden");
      return undefined;
    }),
  ];
}

async function foundHere(service: Service, search: wire.Search, signal: AbortSignal): Promise<wire.Found> {
  const criteria = criteriaOf(search.operators);
  const { rows, count } = page(search.maxCount);
  const things =
    criteria === undefined ? [] : await searched(service, criteria, { offset: search.offset, count: rows }, signal);
  return foundIn(service, things, count);
}

/** Not for a KEY: that finds nothing anywhere, and goes to nobody else (DISCO-KEY-02). */
const isAnybodys = ({ operators }: wire.Search): boolean => criteriaOf(operators) !== undefined;

/** Bounded, and refused in words: right after a start a registry of a million things is not ready yet. */
async function searched(
  { store, clock }: Service,
  criteria: readonly Criterion[],
  page: Page,
  signal: AbortSignal,
): Promise<readonly Thing[]> {
  try {
    return await within(clock, searchMs, "the search", signal, inner => store.search(criteria, page, inner));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    throw new StanzaError("wait", "resource-constraint", "this search takes too long now; try again later");
  }
}

interface SearchRates {
  /** Throws when it is too often; a search of several registries counts for several. */
  take(sender: string, isDistributed: boolean): void;
  /** What came of it. */
  learn(sender: string, search: wire.Search, found: wire.Found): void;
}

/**
 * DISCO-THR-06: thirty a minute; and of those that find nothing, or everything, twenty, and then one in ten seconds: that is
 * how somebody looks who does not know what for. Shared by the generations, or three dialects would have three allowances.
 */
function ratesOf({ clock }: Service): SearchRates {
  const searches = createRate(clock, 30, 2_000, countedSendersMax);
  const scans = createRate(clock, 20, 10_000, countedSendersMax);
  const wordy = new StanzaError("wait", "resource-constraint", "too many requests; try again later");
  return {
    take(sender, isDistributed) {
      if (!scans.allows(sender) || !searches.take(sender)) throw wordy;
      if (isDistributed) for (let more = 0; more < distributedCost - 1; more++) searches.spend(sender);
    },
    learn(sender, { operators, offset }, { things }) {
      const isScan = operators.every(saysNothing) || (things.length === 0 && offset === 0);
      if (isScan) scans.spend(sender);
    },
  };
}

const distributedCost = 5;

/** A wildcard alone, whatever the tag. */
const saysNothing = (operator: wire.Operator): boolean =>
  (operator.kind === "strMask" && operator.value.replaceAll(operator.wildcard, "") === "") ||
  (operator.kind === "strRegEx" && /^\.[*+]\??$/.test(operator.value));

/** One row more than shown tells whether there are more (DISCO-SEARCH-03). */
export const page = (maxCount: number | undefined): { count: number; rows: number } => {
  const count = Math.min(maxCount ?? searchRowsStandard, searchRowsMax);
  return { count, rows: count + 1 };
};

/** Without owner and KEY (DISCO-KEY-02). `things` may hold one more than `count`. */
async function foundIn(
  { store }: Pick<Service, "store">,
  things: readonly Thing[],
  count: number,
): Promise<wire.Found> {
  const shown = things.slice(0, count);
  const tags = await store.tagsOf(shown.map(({ id }) => id));
  return {
    more: things.length > count,
    things: shown.map(({ id, jid, ref }) => ({ jid, ref, owner: undefined, tags: tags.get(id) ?? [] })),
  };
}

/** Without white space between the things (DISCO-SEARCH-05). */
export const foundElement = async (
  service: Pick<Service, "store">,
  things: readonly Thing[],
  count: number,
  ns: string,
): Promise<Element> => wire.found.encode(await foundIn(service, things, count), ns);
