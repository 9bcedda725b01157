// The source-event face: who follows a data source is told what happens to its nodes, in messages of the generation he asked
// in, until his time is up, he leaves or he may no longer see it (concentrator interface, CON-SUB, CON-EVT).

import type { Log } from "#base/log.ts";
import { createScope, type Scope } from "#base/scope.ts";
import type { Concentrator } from "#concentrator/concentrator.ts";
import type { Following } from "#concentrator/source-events.ts";
import type { NewsKind, SourceNews } from "#concentrator/source-follower.ts";
import type { Caller } from "#contract/caller.ts";
import { Refusal } from "#contract/faults.ts";
import { english, type Languages } from "#contract/language.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import {
  messagesShownMax,
  sourceSubscriptionSecondsMax,
  sourceSubscriptionsMax,
  sourceSubscriptionsPerCallerMax,
} from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { type IqRequest, type Route, route } from "#xmpp/router.ts";
import { callerOf } from "./asker.ts";
import { inEveryGeneration } from "./generations.ts";
import { describe } from "./nodes.ts";
import type { Details } from "./nodes.wire.ts";
import * as wire from "./source-events.wire.ts";

export interface SourceEventsDeps {
  readonly concentrator: Pick<Concentrator, "followSource" | "childSources">;
  /** Sends a payload in a message to a full JID. Throws `Refusal` busy when the outbox is full. */
  readonly send: (to: string, payload: Element) => void;
  readonly languages?: Languages;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface SourceEventsFace {
  readonly routes: readonly Route[];
  /** This full JID is unavailable, or a message to it bounced (CON-SUB-04). */
  gone(fullJid: string): void;
  /** This bare JID's consent was withdrawn. */
  withdrawn(bareJid: string): void;
  readonly active: number;
}

/** A subscription; what it tells of grows with each renewal (CON-SUB-02). */
interface Entry {
  readonly key: string;
  readonly caller: Caller;
  readonly scope: Scope;
  ns: string;
  language: string;
  details: Details;
  readonly events: Set<wire.EventName>;
  following: Following | undefined;
  over: boolean;
}

const nameOf: Readonly<Record<NewsKind, wire.EventName>> = {
  added: "nodeAdded",
  updated: "nodeUpdated",
  status: "nodeStatusChanged",
  removed: "nodeRemoved",
  movedUp: "nodeMovedUp",
  movedDown: "nodeMovedDown",
};

export function createSourceEvents(deps: SourceEventsDeps): SourceEventsFace {
  const { concentrator, log, languages = english } = deps;
  const entries = new Map<string, Entry>();

  const drop = (entry: Entry) => {
    entry.over = true;
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    entry.following?.[Symbol.dispose]();
    entry.scope[Symbol.dispose]();
  };

  const checkQuota = (caller: Caller) => {
    const mine = entries.values().filter(one => one.caller.bareJid === caller.bareJid);
    if ([...mine].length >= sourceSubscriptionsPerCallerMax || entries.size >= sourceSubscriptionsMax) {
      throw new Refusal("busy", "too many subscriptions to sources; end one of them first");
    }
  };

  const begin = async (key: string, caller: Caller, request: wire.Subscribe, ns: string) => {
    const { sourceId, since, parameters, messages } = request;
    const entry: Entry = {
      key,
      caller,
      scope: createScope(deps.signal),
      ns,
      language: caller.language,
      details: { parameters, messages },
      events: new Set(chosen(request.events)),
      following: undefined,
      over: false,
    };
    entries.set(key, entry);
    const say = (text: string) => languages.localize(entry.language, text);
    try {
      entry.following = await concentrator.followSource(
        { caller, sourceId, ttlMs: request.ttlSeconds * 1000, since },
        {
          wants: kind => entry.events.has(nameOf[kind]),
          tell(news) {
            if (!entry.over) deps.send(caller.fullJid, encodeNews(news, entry.details, say, entry.ns));
          },
          ended: () => drop(entry),
        },
        entry.scope.signal,
      );
    } catch (error) {
      const wasOver = entry.over;
      drop(entry);
      throw wasOver ? new Refusal("not-allowed", "the subscription was ended") : error;
    }
  };

  const renew = (entry: Entry, caller: Caller, request: wire.Subscribe, ns: string) => {
    entry.following?.renew({ ttlMs: request.ttlSeconds * 1000, since: request.since });
    for (const name of chosen(request.events)) entry.events.add(name);
    entry.details = {
      parameters: entry.details.parameters || request.parameters,
      messages: entry.details.messages || request.messages,
    };
    entry.ns = ns;
    entry.language = caller.language;
  };

  const subscribe = async (request: wire.Subscribe, iq: IqRequest): Promise<undefined> => {
    const caller = callerOf(iq, request.tokens);
    const sourceId = await visibleSource(caller, request.sourceId);
    const key = `${caller.fullJid}\n${sourceId}`;
    const known = entries.get(key);
    if (known !== undefined && known.following === undefined) {
      throw new Refusal("conflict", "a subscription of yours to this source is just being made");
    }
    if (known === undefined) checkQuota(caller);
    if (request.ttlSeconds > sourceSubscriptionSecondsMax) {
      throw new Refusal("not-acceptable", `ttl is at most ${sourceSubscriptionSecondsMax} seconds`);
    }
    if (known === undefined) await begin(key, caller, { ...request, sourceId }, iq.payload.ns);
    else renew(known, caller, request, iq.payload.ns);
    log.debug("source-subscribed", { from: caller.fullJid, source: sourceId });
    return undefined;
  };

  const unsubscribe = async (request: { sourceId: string; events: wire.EventFlags }, caller: Caller) => {
    const entry = entries.get(`${caller.fullJid}\n${await visibleSource(caller, request.sourceId)}`);
    if (entry === undefined) return undefined;
    for (const name of chosen(request.events)) entry.events.delete(name);
    if (entry.events.size === 0) drop(entry);
    return undefined;
  };

  /** Throws not-found for an unknown one as for an invisible one. */
  const visibleSource = async (caller: Caller, sourceId: string): Promise<string> => {
    const meant = sourceId === "" ? meteringTopology : sourceId;
    await concentrator.childSources(caller, meant);
    return meant;
  };

  const dropWhere = (which: (entry: Entry) => boolean) => {
    for (const entry of [...entries.values()]) if (which(entry)) drop(entry);
  };

  return {
    routes: inEveryGeneration("concentrator", ns => [
      route(["set"], ns, wire.subscribe, subscribe),
      route(["set"], ns, wire.unsubscribe, (request, iq) => unsubscribe(request, callerOf(iq, request.tokens))),
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
      return entries.size;
    },
  };
}

const chosen = (events: wire.EventFlags): wire.EventName[] => wire.eventNames.filter(name => events[name]);

function encodeNews(news: SourceNews, details: Details, say: (text: string) => string, ns: string): Element {
  const { at } = news;
  switch (news.kind) {
    case "added":
      return wire.nodeAdded.encode({ info: describe(news.info, details, say), at, after: news.after }, ns);
    case "updated":
      return wire.nodeUpdated.encode({ info: describe(news.info, details, say), at, oldId: news.old?.nodeId }, ns);
    case "status": {
      const shown = news.messages.toSorted((a, b) => a.at - b.at).slice(-messagesShownMax);
      const messages = details.messages ? shown.map(one => ({ ...one, text: say(one.text) })) : [];
      return wire.nodeStatusChanged.encode({ ...named(news.node), state: news.state, at, messages }, ns);
    }
    default:
      return plain[news.kind].encode({ ...named(news.node), at }, ns);
  }
}

const plain = { removed: wire.nodeRemoved, movedUp: wire.nodeMovedUp, movedDown: wire.nodeMovedDown };

/** A node is known by its NodeId among its siblings too (CON-NI-01). */
const named = (ref: NodeRef) => ({ ref, localId: ref.nodeId, logId: undefined });
