// Tells the registry of each thing, one after the other and never in a storm: all of them after each log-in, one when its
// tags change, none while the registry is away. Goes on by itself when it is back.

import type { Clock } from "#base/clock.ts";
import { backoff } from "#base/delays.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { createTurns } from "#base/turns.ts";
import type { ThingRecord } from "#concentrator/ownership.ts";
import type { NodeRef, Tag } from "#contract/node.ts";
import {
  disownSettleMs,
  registerGapMs,
  registerJitterMs,
  registryRefusedMs,
  registryRetryFirstMs,
  registryRetryMsMax,
  rekeysWaitingMax,
} from "#limits.ts";
import { type Codec, WireError } from "#xml/codec.ts";
import type { Connection } from "../connection.ts";
import { bareJid } from "../jid.ts";
import { StanzaError } from "../stanza.ts";
import type { Claims } from "./claims.ts";
import * as wire from "./discovery.wire.ts";
import { type Generation, generationOf } from "./generations.ts";
import { fromOld, inDialect, oldDiscoveryNs, type RegistryService } from "./old-discovery.ts";
import { createRekeying } from "./rekeying.ts";
import { isServiceAway } from "./service-errors.ts";
import { sameTags, updateOf } from "./thing-tags.ts";
import { createTold } from "./told.ts";

export interface Service {
  /** A domain JID. */
  readonly jid: string;
  readonly generation: Generation;
}

export interface RegistrationDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  readonly claims: Claims;
  readonly registry: () => RegistryService | undefined;
  /** Tags of a thing as they are to be told now; undefined when there is no such thing. */
  readonly tags: (ref: NodeRef) => readonly Tag[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Default limits.registerJitterMs; 0 begins at once. */
  readonly jitterMs?: number;
  readonly random?: () => number;
}

export interface Registration {
  /** Works until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** A new log-in: everything is told again. */
  loggedIn(): void;
  /** Look again: things or tags changed. */
  wake(): void;
  /** The registry gave a sign of life: no need to wait out the pause. */
  seen(): void;
  /** Ask the registry about this one again. */
  recheck(ref: NodeRef): void;
  /** A new KEY for what nobody owns; the one before is worth nothing any more. Throws `Refusal`: then nothing has changed. */
  rekey(ref: NodeRef, signal: AbortSignal): Promise<void>;
  /** The thing was disowned: it is offered anew once the registry has our acknowledgement. */
  settle(ref: NodeRef): void;
}

export function createRegistration(deps: RegistrationDeps): Registration {
  const { claims, clock, log } = deps;
  const random = deps.random ?? Math.random;
  const progress = createTold();
  const { of } = progress;
  let startAt = 0;
  let pauseUntil = 0;
  let pauses = backoff(registryRetryFirstMs, registryRetryMsMax, 0.25, random);
  let interrupt = () => {};
  /**
   * The things one after the other, gone on with after each that was told: ten thousand are not gone through for each of
   * ten thousand. Something that changes begins it anew.
   */
  let pass = claims.all();
  let toldInPass = false;
  const begin = () => {
    pass = claims.all();
    toldInPass = false;
  };
  const wakeUp = () => {
    begin();
    interrupt();
  };

  /** The next thing to be told of, or how long to wait for one. */
  const next = (): ThingRecord | number => {
    if (!deps.connection.online || deps.registry() === undefined) return Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    const from = Math.max(startAt, pauseUntil);
    if (now < from) return from - now;
    for (;;) {
      let wait = Number.POSITIVE_INFINITY;
      for (const record of pass) {
        if (!isDue(record)) continue;
        const { notBefore, refused } = of(record.ref);
        if (notBefore <= now || (refused && !sameTags(refused, deps.tags(record.ref) ?? []))) {
          toldInPass = true;
          return record;
        }
        wait = Math.min(wait, notBefore - now);
      }
      // How long to wait is known after a pass in which there was nothing to tell.
      const isKnown = !toldInPass;
      begin();
      if (isKnown) return wait;
    }
  };

  const isDue = (record: ThingRecord): boolean => {
    if (record.leaving) return true;
    const tags = deps.tags(record.ref);
    if (tags === undefined) return false;
    if (!of(record.ref).confirmed) return true;
    if (record.state !== "claimed") return !sameTags(tags, record.tags);
    return isUpdated(record) && !sameTags(tags, record.tags);
  };

  const ask = async <T>(codec: Codec<T>, value: T, signal: AbortSignal) => {
    const registry = deps.registry() as RegistryService;
    const payload = inDialect(registry.generation, ns => codec.encode(value, ns));
    const reply = await deps.connection.request("set", registry.jid, payload, { signal });
    if (reply?.ns === oldDiscoveryNs) return fromOld(reply);
    return reply !== undefined && generationOf("discovery", reply.ns) === undefined ? undefined : reply;
  };

  const recheck = (ref: NodeRef): void => {
    progress.forget(ref);
    wakeUp();
  };
  /** Two registrations of one thing could come to the registry in another order than back to us. */
  const oneAtATime = createTurns(rekeysWaitingMax);
  const rekey = createRekeying({
    claims,
    online: () => deps.connection.online,
    registry: () => deps.registry()?.jid,
    tags: deps.tags,
    register: (ref, tags, signal) => ask(wire.register, { ref, selfOwned: false, tags }, signal),
    owned: (ref, claimed, registry, tags, signal) =>
      ownedElsewhere(ref, wire.claimed.decode(claimed), registry, tags, signal),
    isAway: error => isServiceAway(deps.connection, deps.registry()?.jid ?? "", error),
    recheck,
    log,
  });

  const register = async (record: ThingRecord, tags: readonly Tag[], signal: AbortSignal): Promise<void> => {
    const { ref, key } = record;
    const registry = (deps.registry() as RegistryService).jid;
    const told = key === undefined ? tags : [...tags, { name: "KEY", value: key }];
    const reply = await ask(wire.register, { ref, selfOwned: false, tags: told }, signal);
    // It may have been claimed, disowned or removed here while we waited: then this answer is about what was before.
    if (claims.get(ref) !== record) return;
    const one = of(ref);
    one.confirmed = true;
    one.refused = undefined;
    if (reply?.name !== "claimed" && record.state !== "claimed") return claims.taken(ref, registry, tags);
    try {
      if (reply?.name === "claimed") await ownedElsewhere(ref, wire.claimed.decode(reply), registry, tags, signal);
      // It has an owner here and the registry does not know: let it say so in its own words before anybody loses anything.
      else await update(record, [], record.tags, signal);
    } catch (error) {
      one.confirmed = false;
      throw error;
    }
  };

  /** DISCO-REG-02. */
  const ownedElsewhere = async (
    ref: NodeRef,
    { jid, isPublic }: wire.Claimed,
    registry: string,
    tags: readonly Tag[],
    signal: AbortSignal,
  ): Promise<void> => {
    const owner = bareJid(jid);
    if (owner === undefined) throw new WireError("claimed@jid", "not a JID");
    claims.claim(ref, owner, isPublic, registry, false);
    const now = claims.get(ref);
    if (now !== undefined && isUpdated(now)) await update(now, updateOf(now.tags, tags), tags, signal);
  };

  const update = async (
    { ref }: ThingRecord,
    said: readonly Tag[],
    now: readonly Tag[],
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      const reply = await ask(wire.update, { jid: undefined, ref, tags: said }, signal);
      if (reply?.name === "disowned") {
        claims.disown(ref);
        settle(ref);
      } else {
        claims.told(ref, now);
      }
    } catch (error) {
      if (!(error instanceof StanzaError) || error.condition !== "item-not-found") throw error;
      claims.outOfRegistry(ref);
    }
  };

  const unregister = async ({ ref }: ThingRecord, signal: AbortSignal): Promise<void> => {
    try {
      await ask(wire.unregister, { ref }, signal);
    } catch (error) {
      if (!(error instanceof StanzaError) || error.condition !== "item-not-found") throw error;
    }
    if (claims.get(ref)?.leaving) claims.left(ref);
    progress.forget(ref);
  };

  const tell = async (record: ThingRecord, signal: AbortSignal): Promise<void> => {
    const tags = deps.tags(record.ref);
    if (record.leaving) return await unregister(record, signal);
    if (tags === undefined) return;
    if (record.state !== "claimed" || !of(record.ref).confirmed) return await register(record, tags, signal);
    await update(record, updateOf(record.tags, tags), tags, signal);
  };

  const failed = async (record: ThingRecord, error: unknown): Promise<void> => {
    const registry = deps.registry();
    if (registry === undefined || (await isServiceAway(deps.connection, registry.jid, error))) {
      const pause = pauses.next().value as number;
      pauseUntil = clock.monotonic() + pause;
      log.warning("registry-away", { registry: registry?.jid, nextMs: pause, error });
    } else {
      const one = of(record.ref);
      one.notBefore = clock.monotonic() + registryRefusedMs;
      one.refused = deps.tags(record.ref) ?? [];
      // What it does not take of a thing is in its tags, unless it does not want the thing, or us, at all.
      if (error instanceof StanzaError && error.type === "modify")
        log.warning("RegistryTagRejected", { node: record.ref, error });
      else log.warning("thing-refused-by-registry", { node: record.ref, error });
    }
  };

  const settle = (ref: NodeRef): void => {
    const one = of(ref);
    one.confirmed = false;
    one.notBefore = clock.monotonic() + disownSettleMs;
    wakeUp();
  };

  const resume = () => {
    pauseUntil = 0;
    pauses = backoff(registryRetryFirstMs, registryRetryMsMax, 0.25, random);
  };

  return {
    async run(signal) {
      while (!signal.aborted) {
        const due = next();
        if (typeof due === "number") {
          using scope = createScope(signal);
          interrupt = () => scope.abort();
          await clock.sleep(Math.min(due, 86_400_000), scope.signal).catch(() => {});
          continue;
        }
        try {
          await oneAtATime.take("poll", signal, () => tell(due, signal));
          resume();
        } catch (error) {
          if (signal.aborted) return;
          await failed(due, error);
        }
        await clock.sleep(registerGapMs, signal).catch(() => {});
      }
    },
    loggedIn() {
      progress.startAnew();
      // Who comes new out of its box is waited for by a person with a label in his hand, and is in step with nobody.
      const isNew = claims.all().every(({ state }) => state === "unregistered");
      const spread = isNew ? 0 : (deps.jitterMs ?? registerJitterMs);
      startAt = clock.monotonic() + Math.round(spread * random());
      resume();
      wakeUp();
    },
    wake: () => wakeUp(),
    seen() {
      if (pauseUntil === 0) return;
      resume();
      wakeUp();
    },
    recheck,
    rekey: (ref, signal) => oneAtATime.take("control", signal, () => rekey(ref, signal)),
    settle,
  };
}

/** Only what searches find is kept up to date; what the registry did not say is tried until it says otherwise (DISCO-CLAIMED-01/05). */
const isUpdated = (record: ThingRecord): boolean =>
  record.state === "claimed" && record.inRegistry && record.isPublic !== false;
