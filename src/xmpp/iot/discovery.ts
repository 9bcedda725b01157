// The appliance and its nodes as things of the registry of their domain: registered, claimed, removed, disowned. What the
// registry sends is taken from that one JID only; the registry is told by registration.ts.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Thing } from "#concentrator/concentrator.ts";
import type { OwnershipStore, ThingRecord, ThingState } from "#concentrator/ownership.ts";
import { Refusal } from "#contract/faults.ts";
import { type NodeRef, nodeKey, type Tag } from "#contract/node.ts";
import type { Codec } from "#xml/codec.ts";
import type { Connection } from "../connection.ts";
import { bareJid, isDomainJid } from "../jid.ts";
import { type IqRequest, type Route, route } from "../router.ts";
import { createClaims } from "./claims.ts";
import * as wire from "./discovery.wire.ts";
import { inEveryGeneration, namespace } from "./generations.ts";
import { encodeClaim } from "./iotdisco-encode.ts";
import { IotdiscoError } from "./iotdisco-terms.ts";
import { dialects, fromOld, oldDiscoveryNs, oldTagNameCharsMax, type RegistryService } from "./old-discovery.ts";
import { createRegistration } from "./registration.ts";
import { registrable, withoutIdentity } from "./thing-tags.ts";

export interface DiscoveryDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  readonly store: OwnershipStore;
  /** The appliance (rootRef) and each node that is a thing. A thing missing here is left alone; `removed` ends it. */
  readonly things: () => readonly Thing[];
  /** JID of the registry that is meant, where a person has said it. */
  readonly named?: string | undefined;
  /** Forgets what was decided about a thing; called inside the commit that changes its owner. */
  readonly forgetDecisions: (ref: NodeRef) => void;
  readonly hooks: DiscoveryHooks;
  readonly clock: Clock;
  readonly log: Log;
  /** Tell the registry neither serial nor meter number once a thing is claimed. */
  readonly hideIdentity?: boolean;
  /** Spread of the first word after a log-in; default limits.registerJitterMs. */
  readonly jitterMs?: number;
  readonly random?: () => number;
  readonly newKey?: () => string;
}

/** Called after the change is on the disk; must not throw. */
export interface DiscoveryHooks {
  /** For the appliance itself (rootRef): ask for the owner's presence, and accept his (DISCO-CLAIMED-04). */
  claimed(ref: NodeRef, owner: string): void;
  /** `ownsMore` false: he owns nothing here any more and leaves the roster (DISCO-DISOWN-03). */
  disowned(ref: NodeRef, owner: string, ownsMore: boolean): void;
}

export interface ThingStatus {
  readonly ref: NodeRef;
  readonly state: ThingState;
  readonly owner: string | undefined;
  /** To claim it with. Whoever has it may claim: for a local or authenticated operator only (URI-KIND-03). */
  readonly uri: string | undefined;
}

export interface Discovery {
  readonly routes: readonly Route[];
  /** Works until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Found by disco on the own domain. Remembered, so that it is known from the start the next time. */
  serviceFound(service: RegistryService): void;
  readonly service: RegistryService | undefined;
  /** To be called when a stream is bound. A resumed one has lost nothing. */
  online(resumed: boolean): void;
  /** A stanza or presence of the registry: it is back. */
  registrySeen(): void;
  /** Things or tags changed. */
  thingsChanged(): void;
  /** The node is deleted for good: it is unregistered, and its owner and rules end. */
  removed(ref: NodeRef): void;
  /** Nobody owns it any more, whoever did; it is taken out of the registry and offered anew, with a new code. Throws not-found. */
  reset(ref: NodeRef): void;
  /** The node is called otherwise. Only what nobody owns is renamed; an owner would lose it. */
  renamed(from: NodeRef, to: NodeRef): void;
  /** A new claim code for what nobody owns: the printed one ends. Throws `Refusal`, and then it is the one it was. */
  rekey(ref: NodeRef, signal: AbortSignal): Promise<void>;
  /** Of this thing, not of what is below or above it. */
  ownerOf(ref: NodeRef): string | undefined;
  /** Owns any thing of ours. */
  isOwner(bareJid: string): boolean;
  /** Only while the registry has it and nobody owns it: exactly the tags registered, KEY and R. */
  claimUri(ref: NodeRef): string | undefined;
  list(): readonly ThingStatus[];
  /** The registry knows every thing there is. */
  readonly told: boolean;
}

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { store, log, hooks } = deps;
  let last = remembered(store);
  /** By node key: what each thing says of itself. */
  let things = new Map<string, readonly Tag[]>();

  const claims = createClaims({
    store,
    log,
    forgetDecisions: deps.forgetDecisions,
    claimed: hooks.claimed,
    disowned: hooks.disowned,
    // It is there still, or again: from here on it is another thing.
    left: ref => {
      if (things.has(nodeKey(ref))) claims.add([ref]);
    },
    ...(deps.newKey && { newKey: deps.newKey }),
  });

  /** What nobody owns yet is offered to another than the one that was named no more, not even until that one is found. */
  let service = deps.named === undefined || last?.jid === deps.named || claims.owners().size > 0 ? last : undefined;

  const tagsOf = (ref: NodeRef): readonly Tag[] | undefined => {
    const tags = things.get(nodeKey(ref));
    const shown = deps.hideIdentity && claims.get(ref)?.state === "claimed" ? tags && withoutIdentity(tags) : tags;
    return service?.generation === "xsf" ? shown?.filter(({ name }) => name.length <= oldTagNameCharsMax) : shown;
  };

  const registration = createRegistration({
    connection: deps.connection,
    claims,
    registry: () => service,
    tags: tagsOf,
    clock: deps.clock,
    log,
    ...(deps.jitterMs !== undefined && { jitterMs: deps.jitterMs }),
    ...(deps.random && { random: deps.random }),
  });

  const look = () => {
    const now = deps.things();
    things = new Map(now.map(({ ref, tags }) => [nodeKey(ref), registrable(tags)]));
    claims.add(now.map(({ ref }) => ref));
  };

  /** DISCO-CLAIMED-02: anybody else, however much he looks like it, changes nothing. */
  const fromRegistry = ({ from, payload }: IqRequest): RegistryService => {
    if (service === undefined || from !== service.jid) {
      log.warning("SpoofedStanza", { element: payload.name, from, registry: service?.jid ?? "none" });
      throw new Refusal("denied", "only the registry of this domain may say so");
    }
    registration.seen();
    return service;
  };

  const known = (ref: NodeRef): NodeRef => {
    const record = claims.get(ref);
    if (record === undefined || record.leaving) throw new Refusal("not-found", "no such thing here");
    return record.ref;
  };

  const onClaimed = (value: wire.Claimed, registry: RegistryService): void => {
    const owner = bareJid(value.jid);
    if (owner === undefined) throw new Refusal("bad-request", "the owner is no JID");
    const ref = known(value.ref);
    try {
      claims.claim(ref, owner, value.isPublic, registry.jid, true);
    } catch (error) {
      if (error instanceof Refusal && error.kind === "conflict") {
        log.warning("ClaimRejected", { node: ref, owner: claims.get(ref)?.owner, said: owner });
        registration.recheck(ref);
      }
      throw error;
    }
    registration.wake();
  };

  const push = <T>(ns: string, codec: Codec<T>, take: (value: T, registry: RegistryService) => void): Route =>
    route(
      ["set"],
      ns,
      codec,
      async (value, request) => {
        take(value, fromRegistry(request));
        return undefined;
      },
      // The registry need not be a contact; who is not the registry is refused here, by name, and noted.
      "anyone",
    );

  const pushes = (ns: string): Route[] => [
    push(ns, wire.claimed, onClaimed),
    push(ns, wire.removed, ({ ref }) => claims.outOfRegistry(known(ref))),
    push(ns, wire.disowned, ({ ref }) => {
      const one = known(ref);
      claims.disown(one);
      registration.settle(one);
    }),
  ];

  return {
    routes: [
      ...inEveryGeneration("discovery", pushes),
      ...pushes(namespace("discovery", "nf")).map(
        (one): Route => ({
          ...one,
          ns: oldDiscoveryNs,
          handle: request => one.handle({ ...request, payload: fromOld(request.payload) }),
        }),
      ),
    ],
    run: registration.run,
    serviceFound(found) {
      if (!isDomainJid(found.jid)) throw new Error(`a registry is a domain, not ${found.jid}`);
      if (service?.jid === found.jid && service.generation === found.generation) return;
      const before = last;
      last = service = found;
      store.rememberService("registry", found);
      if (before !== undefined && before.jid !== found.jid) {
        log.notice("registry-changed", { from: before.jid, to: found.jid });
        claims.startAnew();
        registration.loggedIn();
      }
      registration.wake();
    },
    get service() {
      return service;
    },
    online(resumed) {
      look();
      if (resumed) registration.wake();
      else registration.loggedIn();
    },
    registrySeen: registration.seen,
    thingsChanged() {
      look();
      registration.wake();
    },
    removed(ref) {
      things.delete(nodeKey(ref));
      claims.leave(ref);
      registration.wake();
    },
    reset(ref) {
      claims.reset(known(ref));
      registration.wake();
    },
    renamed(from, to) {
      things.delete(nodeKey(from));
      claims.rename(from, to);
      registration.wake();
    },
    rekey: registration.rekey,
    ownerOf: ref => claims.get(ref)?.owner,
    isOwner: jid => claims.owners().has(jid),
    claimUri: ref => claimUriOf(ref),
    list: () =>
      claims
        .all()
        .filter(isThere)
        .map(({ ref, state, owner }) => ({ ref, state, owner, uri: claimUriOf(ref) }))
        .toArray(),
    get told() {
      let some = false;
      for (const record of claims.all()) {
        if (isThere(record) && record.state === "unregistered") return false;
        some = true;
      }
      return some;
    },
  };

  /** Also while the registry is still to be told of what was there under this name before. */
  function isThere({ ref, leaving }: ThingRecord): boolean {
    return !leaving || things.has(nodeKey(ref));
  }

  function claimUriOf(ref: NodeRef): string | undefined {
    const record = claims.get(ref);
    if (record?.state !== "registered" || record.leaving || !record.key || !record.registry) return undefined;
    try {
      return encodeClaim(record.tags, record.key, record.registry);
    } catch (error) {
      // Too many long tags for a label; the thing can still be claimed by other means. The text of the error has no KEY.
      if (error instanceof IotdiscoError) return undefined;
      throw error;
    }
  }
}

function remembered(store: OwnershipStore): RegistryService | undefined {
  const known = store.service("registry");
  const generation = dialects.find(one => one === known?.generation);
  return known && generation && { jid: known.jid, generation };
}
