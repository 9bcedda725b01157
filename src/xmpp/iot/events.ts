// The subscription face: who wants to be told of changes is admitted like who reads, and then told in messages of the
// sensor-data interface under the id he chose, until he or his right is gone (event interface, EV-SUB, EV-EVT, EV-END).

import type { Clock } from "#base/clock.ts";
import { TimeoutError, within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createScope, type Scope } from "#base/scope.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Subscription } from "#concentrator/subscriptions.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { type Ask, askAll, isEmpty, type Reading } from "#contract/field.ts";
import { english, type Languages } from "#contract/language.ts";
import type { NodeRef } from "#contract/node.ts";
import * as limits from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { callerOf, distinct } from "./asker.ts";
import * as wire from "./events.wire.ts";
import { inEveryGeneration, sibling } from "./generations.ts";
import { type Outgoing, partBytesOf } from "./payload-size.ts";
import { createReadout, type DeliveryLimits } from "./readout-delivery.ts";
import { accepted } from "./sensor-data.wire.ts";

export interface EventsLimits extends DeliveryLimits {
  readonly subscriptionsPerCallerMax: number;
  readonly subscribedNodesPerCallerMax: number;
  readonly eventSubscriptionsMax: number;
  readonly nodesPerRequestMax: number;
}

export interface EventsDeps extends Outgoing {
  readonly concentrator: Pick<Concentrator, "subscribe" | "contains">;
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  readonly languages?: Languages;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly limits?: Partial<EventsLimits>;
}

export interface Events {
  readonly routes: readonly Route[];
  /** This full JID is unavailable, or a message to it bounced: its subscriptions are over (EV-END-01). */
  gone(fullJid: string): void;
  /** This bare JID's consent was withdrawn. */
  withdrawn(bareJid: string): void;
  /** Subscriptions that are kept. */
  readonly active: number;
}

/** A subscription from its request to its end; `kept` once it was accepted. */
interface Entry {
  readonly key: string;
  readonly id: string;
  /** Of the sensor-data interface, in the generation of the request. */
  readonly ns: string;
  readonly caller: Caller;
  readonly nodes: number;
  readonly scope: Scope;
  kept: Subscription | undefined;
  over: boolean;
}

export function createEvents(deps: EventsDeps): Events {
  const { concentrator, clock, log, languages = english } = deps;
  const bounds: EventsLimits = {
    ...limits,
    get payloadBytesMax() {
      return partBytesOf(deps);
    },
    ...deps.limits,
  };
  /** By full JID and id (EV-SUB-01). */
  const kept = new Map<string, Entry>();
  /** Being decided on; the newest of its key is the one that counts. */
  const asked = new Map<string, Entry>();

  const drop = (entry: Entry) => {
    entry.over = true;
    if (kept.get(entry.key) === entry) kept.delete(entry.key);
    if (asked.get(entry.key) === entry) asked.delete(entry.key);
    entry.kept?.[Symbol.dispose]();
    entry.scope[Symbol.dispose]();
  };

  const deliver = (entry: Entry, readings: AsyncIterable<Reading>, targets: readonly NodeRef[]) =>
    createReadout({
      id: entry.id,
      ns: entry.ns,
      targets,
      readings,
      signal: entry.scope.signal,
      silent: () => entry.over,
      send: payload => deps.send(entry.caller.fullJid, payload),
      say: text => languages.localize(entry.caller.language, text),
      clock,
      log,
      limits: bounds,
    }).rest();

  const admit = async (entry: Entry, request: wire.Subscribe, nodes: readonly NodeRef[], ask: Ask) => {
    const interest = {
      caller: entry.caller,
      nodes,
      ask,
      limits: new Map(request.fields.map(field => [field.name, field])),
      minIntervalMs: request.minIntervalMs,
      maxIntervalMs: request.maxIntervalMs,
      historyMs: request.maxAgeMs,
    };
    const subscriber = {
      admitted() {
        checkQuota(entry);
        checkIntervals(request);
      },
      event: (readings: AsyncIterable<Reading>, targets: readonly NodeRef[]) => deliver(entry, readings, targets),
      ended: () => drop(entry),
    };
    try {
      // The subscription outlives the wait for its admission: it ends with the entry, not with the deadline.
      return await within(clock, limits.admissionMs, "decision", entry.scope.signal, () =>
        concentrator.subscribe(interest, subscriber, entry.scope.signal),
      );
    } catch (error) {
      if (entry.over) throw new Refusal("not-allowed", "the subscription was ended or replaced");
      if (error instanceof TimeoutError) throw new Refusal("denied", "no decision was reached in time");
      throw error;
    }
  };

  /** Checked after the right (COM-ERR-03); a subscription that is replaced makes room for the new one. */
  const checkQuota = (entry: Entry) => {
    let mine = 0;
    let nodes = entry.nodes;
    for (const other of kept.values()) {
      if (other.key === entry.key || other.caller.bareJid !== entry.caller.bareJid) continue;
      mine++;
      nodes += other.nodes;
    }
    if (mine >= bounds.subscriptionsPerCallerMax) {
      throw new Refusal("busy", `${mine} subscriptions of yours are active already; end one of them first`);
    }
    if (nodes > bounds.subscribedNodesPerCallerMax) {
      throw new Refusal(
        "busy",
        `at most ${bounds.subscribedNodesPerCallerMax} nodes in all your subscriptions together`,
      );
    }
    if (kept.size >= bounds.eventSubscriptionsMax)
      throw new Refusal("busy", "there are too many subscriptions already");
  };

  const subscribe = async (request: wire.Subscribe, iq: IqRequest): Promise<Element> => {
    const caller = callerOf(iq, request.tokens);
    const nodes = distinct(request.nodes);
    if (nodes.length > bounds.nodesPerRequestMax) {
      throw new Refusal("not-acceptable", `at most ${bounds.nodesPerRequestMax} nodes in one request`);
    }
    const key = `${caller.fullJid}\n${request.id}`;
    const ns = sibling(iq.payload.ns, "events", "sensorData");
    const scope = createScope(deps.signal);
    const entry: Entry = { key, id: request.id, ns, caller, nodes: nodes.length, scope, kept: undefined, over: false };
    const earlier = asked.get(key);
    if (earlier !== undefined) drop(earlier);
    asked.set(key, entry);
    try {
      const ask: Ask = { ...askAll, categories: request.categories, names: request.fields.map(one => one.name) };
      // Nothing asked of a node needs no right, but the node must be there for this caller to see (EV-SUB-03).
      const wanted = isEmpty(ask.categories) ? [] : nodes;
      if (wanted.length < nodes.length) await mustSee(caller, nodes);
      entry.kept = await admit(entry, request, wanted, ask);
      // Others of his may have been admitted at the same time.
      checkQuota(entry);
      const before = kept.get(key);
      if (before !== undefined) drop(before);
      asked.delete(key);
      kept.set(key, entry);
    } catch (error) {
      drop(entry);
      throw error;
    }
    log.debug("subscribed", { from: caller.fullJid, id: request.id, nodes: nodes.length });
    // Its first message may not overtake this answer.
    if (request.now) void clock.sleep(0, scope.signal).then(entry.kept.now, () => {});
    return accepted.encode({ id: request.id, queued: false }, ns);
  };

  const mustSee = async (caller: Caller, nodes: readonly NodeRef[]) => {
    for (const node of nodes) {
      if (!(await concentrator.contains(caller, node))) throw new Refusal("not-found", "There is no such node.");
    }
  };

  const dropWhere = (which: (entry: Entry) => boolean) => {
    for (const entry of [...kept.values(), ...asked.values()]) if (which(entry)) drop(entry);
  };

  return {
    // Both iq types: other clients send `subscribe` as get (COM-STZ-03).
    routes: inEveryGeneration("events", ns => [
      route(["get", "set"], ns, wire.subscribe, subscribe),
      route(["get", "set"], ns, wire.unsubscribe, async ({ id }, iq) => {
        const key = `${iq.from}\n${id}`;
        const entries = [kept.get(key), asked.get(key)].filter(entry => entry !== undefined);
        if (entries.length === 0) throw new Refusal("not-found", `there is no subscription ${id}`);
        for (const entry of entries) drop(entry);
        return undefined;
      }),
    ]),
    gone(fullJid) {
      const from = normalJid(fullJid);
      dropWhere(entry => entry.caller.fullJid === from);
    },
    withdrawn(jid) {
      const from = bareJid(jid);
      dropWhere(entry => entry.caller.bareJid === from);
    },
    get active() {
      return kept.size;
    },
  };
}

function checkIntervals({ minIntervalMs, maxIntervalMs }: wire.Subscribe): void {
  if (minIntervalMs !== undefined && maxIntervalMs !== undefined && minIntervalMs > maxIntervalMs) {
    throw new Refusal("not-acceptable", "minInt is longer than maxInt");
  }
}
