// Searches beyond this registry (discovery.md, section 6): peers are asked the same search, the registry above by `query`, and
// registries below are answered. All of it in requests with a bound; what stock brokers cannot carry is left out (docs/decisions).

import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import * as wire from "#iot/discovery.wire.ts";
import { namespace } from "#iot/generations.ts";
import { federationMs, federationQueriesRemembered } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import type { Connection } from "#xmpp/connection.ts";
import { domainOf } from "#xmpp/jid.ts";
import { StanzaError } from "#xmpp/stanza.ts";

export interface FederationOptions {
  /** Registries that are asked the same when somebody searches everywhere. */
  readonly peers: readonly string[];
  /** The registry of the broker above, asked when nothing is found. */
  readonly parent: string | undefined;
  /** Registries of brokers below, who may ask. */
  readonly children: readonly string[];
}

export const alone: FederationOptions = { peers: [], parent: undefined, children: [] };

export interface FederationDeps {
  readonly options: FederationOptions;
  /** Our own JID. */
  readonly jid: string;
  readonly connection: Connection;
  readonly isLocal: (domain: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What one of them has found, and nothing with a reason when it did not answer. */
export interface Harvest {
  readonly registry: string;
  readonly things: readonly wire.FoundThing[];
  readonly more: boolean;
  readonly fault: string | undefined;
}

export interface Federation {
  /** Somebody is there to be asked. */
  readonly isOpen: boolean;
  isChild(jid: string): boolean;
  isParent(jid: string): boolean;
  /** Peers at once; the parent when `isNothing` still holds after them. At most `count` things of each. */
  ask(search: wire.Search, count: number, isNothing: boolean): Promise<readonly Harvest[]>;
  /** Of a question from below that is passed on: under its own number. */
  askParent(search: wire.Search, count: number, qid: string): Promise<readonly Harvest[]>;
  /** False: this question was here before, by another way or in a circle. */
  isNew(qid: string): boolean;
}

const ns = namespace("discovery", "nf");
const nothing: wire.Found = { things: [], more: false };

function named(name: string, answer: Element): Element {
  if (answer.name !== name) throw new StanzaError("cancel", "undefined-condition", `<${answer.name}/> is no answer`);
  return answer;
}

export function createFederation(deps: FederationDeps): Federation {
  const { options, connection, clock, log, signal, jid } = deps;
  const peers = options.peers.filter(one => one !== jid);
  const parent = options.parent === jid ? undefined : options.parent;
  const known = new Set<string>();

  const isNew = (qid: string): boolean => {
    if (known.has(qid)) return false;
    known.add(qid);
    const [oldest = ""] = known;
    if (known.size > federationQueriesRemembered) known.delete(oldest);
    return true;
  };
  const harvest = async (registry: string, request: Element, read: (answer: Element) => wire.Found, count: number) => {
    try {
      const answer = await connection.request("get", registry, request, { timeoutMs: federationMs, signal });
      const { things, more } = answer === undefined ? nothing : read(answer);
      // Nobody else speaks for things of our own domains, nor tells who owns what.
      const foreign = things.filter(thing => !deps.isLocal(domainOf(thing.jid)));
      const kept = foreign.slice(0, count).map(thing => ({ ...thing, owner: undefined }));
      return { registry, things: kept, more: more || foreign.length > count, fault: undefined };
    } catch (error) {
      if (signal.aborted) throw error;
      const fault = error instanceof StanzaError ? error.condition : "remote-server-timeout";
      log.info("peer-unanswered", { to: registry, fault });
      return { registry, things: [], more: false, fault };
    }
  };
  const plain = ({ operators }: wire.Search, count: number): wire.Search => ({
    offset: 0,
    maxCount: count,
    // Whom we ask does not ask others for us: a search goes one step, and in no circle.
    distributed: false,
    operators,
  });
  const askParent = async (search: wire.Search, count: number, qid: string): Promise<readonly Harvest[]> => {
    if (parent === undefined) return [];
    const created = new Date(clock.now()).toISOString();
    const request = wire.query.encode({ qid, created, source: jid, search: plain(search, count) }, ns);
    const read = (answer: Element) => wire.result.decode(named("result", answer)).found ?? nothing;
    return [await harvest(parent, request, read, count)];
  };

  return {
    isOpen: peers.length > 0 || parent !== undefined,
    isChild: from => options.children.includes(from),
    isParent: from => from === parent,
    isNew,
    askParent,
    async ask(search, count, isNothing) {
      const request = wire.search.encode(plain(search, count), ns);
      const found = await Promise.all(
        peers.map(one => harvest(one, request, answer => wire.found.decode(named("found", answer)), count)),
      );
      const isStillNothing = isNothing && found.every(({ things }) => things.length === 0);
      if (!isStillNothing || parent === undefined) return found;
      const qid = randomBytes(16).toString("base64url");
      isNew(qid);
      return [...found, ...(await askParent(search, count, qid))];
    },
  };
}

/** One page of all that was found: our own first, then that of the others in turn, and where each part is from. */
export function merged(
  own: wire.Found,
  harvests: readonly Harvest[],
  count: number,
): { found: wire.Found; asked: Parameters<typeof wire.asked.encode>[0] } {
  const things = [...own.things];
  let more = own.more;
  const registries = harvests.map(({ registry, things: theirs, more: theyHaveMore, fault }) => {
    const taken = theirs.slice(0, Math.max(0, count - things.length));
    things.push(...taken);
    more ||= theyHaveMore || taken.length < theirs.length;
    return { jid: registry, things: taken.length, fault };
  });
  return { found: { more, things }, asked: { registries } };
}
