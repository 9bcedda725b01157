// Thing Registry: what things, owners and searchers ask (discovery.md, section 4), in every generation.

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import { createRate, type Rate } from "#base/rate.ts";
import { Refusal } from "#contract/faults.ts";
import { type NodeRef, rootRef, sameNode, type Tag } from "#contract/node.ts";
import * as wire from "#iot/discovery.wire.ts";
import { generationOf, inEveryGeneration } from "#iot/generations.ts";
import { countedSendersMax, searchMs, searchRowsMax, searchRowsStandard } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { domainOf } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { criteriaOf } from "./search.ts";
import type { Service } from "./service.ts";
import type { Criterion, Page, Thing } from "./store.ts";
import { readRegistration } from "./tags.ts";
import { register, remove, unregister, updateByOwner, updateByThing } from "./things.ts";

export const discoveryRoutes = (service: Service): Route[] => {
  const rates = ratesOf(service.clock);
  return inEveryGeneration("discovery", ns => [...thingRoutes(service, rates, ns), ...ownerRoutes(service, rates, ns)]);
};

interface Rates {
  readonly registers: Rate;
  readonly searches: Rate;
}

/** DISCO-THR-05/06; shared by the generations, or three dialects would have three allowances. */
const ratesOf = (clock: Clock): Rates => ({
  registers: createRate(clock, 500, 200, countedSendersMax),
  searches: createRate(clock, 30, 2_000, countedSendersMax),
});

const slowDown = () => new StanzaError("wait", "resource-constraint", "too many requests; try again later");

function thingRoutes(service: Service, { registers }: Rates, ns: string): Route[] {
  const { store, claims, clock, options } = service;
  const requireLocal = ({ fromBare }: IqRequest) => {
    if (!service.isLocal(domainOf(fromBare)))
      throw new Refusal("not-allowed", "things register with the registry of their own domain");
  };
  const tellDevice = (request: IqRequest) =>
    service.after(request, "pushes", () => service.pushes.deliver(request.fromBare));

  return [
    route(["set"], ns, wire.register, async ({ ref, selfOwned, tags }, request) => {
      requireLocal(request);
      if (!registers.take(request.fromBare)) throw slowDown();
      const registration = readRegistration(tags, options.allowWeakKey);
      const { claimed, disowned } = await store.change(records =>
        register(records, request.fromBare, ref, registration, selfOwned, clock.now()),
      );
      if (disowned !== undefined) {
        claims.agreed(disowned);
        tellDevice(request);
      }
      service.after(request, "first-contact", () =>
        service.peers.befriend(request.fromBare, generationOf("discovery", ns) ?? "nf"),
      );
      return claimed && wire.claimed.encode({ jid: claimed.owner, ref, isPublic: claimed.isPublic }, ns);
    }),
    route(["set"], ns, wire.update, async ({ jid, ref, tags }, request) => {
      const { fromBare } = request;
      if (jid !== undefined && jid !== fromBare) {
        await store.change(records => updateByOwner(records, fromBare, jid, ref, tags));
        return undefined;
      }
      requireLocal(request);
      if (!registers.take(fromBare)) throw slowDown();
      const { disowned } = await store.change(records => updateByThing(records, fromBare, ref, tags));
      return disowned ? wire.disowned.encode({ ref: rootRef }, ns) : undefined;
    }),
    route(["set"], ns, wire.unregister, async ({ ref }, request) => {
      requireLocal(request);
      const { disowned } = await store.change(records => unregister(records, request.fromBare, ref, clock.now()));
      if (disowned !== undefined) claims.agreed(disowned);
      tellDevice(request);
      return undefined;
    }),
  ];
}

function ownerRoutes(service: Service, { searches }: Rates, ns: string): Route[] {
  const { store, claims, clock, pushes } = service;
  return [
    route(["set"], ns, wire.mine, async ({ ref, isPublic, tags }, request) => {
      const narrow = sameNode(ref, rootRef) ? undefined : ref;
      const thing = await claims.mine(request.fromBare, tags, narrow, isPublic);
      service.after(request, "claim", async () => {
        await pushes.deliver(thing.jid);
        await service.peers.befriend(request.fromBare, generationOf("discovery", ns) ?? "nf");
      });
      return wire.claimed.encode({ jid: thing.jid, ref: thing.ref, isPublic }, ns);
    }),
    route(["set"], ns, wire.remove, async ({ jid, ref }, request) => {
      await store.change(records => remove(records, request.fromBare, jid, ref, clock.now()));
      service.after(request, "remove", () => pushes.deliver(jid));
      return undefined;
    }),
    route(["set"], ns, wire.disown, async ({ jid, ref }, request) => {
      await claims.disown(request.fromBare, jid, ref);
      service.after(request, "disown", () => pushes.deliver(jid));
      return undefined;
    }),
    route(["get"], ns, wire.search, async ({ offset, maxCount, operators }, request) => {
      if (!searches.take(request.fromBare)) throw slowDown();
      const criteria = criteriaOf(operators);
      const { rows, count } = page(maxCount);
      const things =
        criteria === undefined ? [] : await searched(service, criteria, { offset, count: rows }, request.signal);
      return foundElement(service, things, count, ns);
    }),
  ];
}

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

/** One row more than shown tells whether there are more (DISCO-SEARCH-03). */
export const page = (maxCount: number | undefined): { count: number; rows: number } => {
  const count = Math.min(maxCount ?? searchRowsStandard, searchRowsMax);
  return { count, rows: count + 1 };
};

/** Without owner, KEY and white space (DISCO-KEY-02, DISCO-SEARCH-05). `things` may hold one more than `count`. */
export async function foundElement(
  { store }: Pick<Service, "store">,
  things: readonly Thing[],
  count: number,
  ns: string,
): Promise<Element> {
  const shown = things.slice(0, count);
  const tags = await store.tagsOf(shown.map(({ id }) => id));
  const entry = ({ id, jid, ref }: Thing): { jid: string; ref: NodeRef; owner: undefined; tags: readonly Tag[] } => ({
    jid,
    ref,
    owner: undefined,
    tags: tags.get(id) ?? [],
  });
  return wire.found.encode({ more: things.length > count, things: shown.map(entry) }, ns);
}
