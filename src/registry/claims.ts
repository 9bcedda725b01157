// Claiming and disowning: the two steps in which registry, owner and thing have to agree, with their order, their bounds
// and their silence towards those who guess (discovery.md, MINE and DISOWN).

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createRate } from "#base/rate.ts";
import { createScope } from "#base/scope.ts";
import { Refusal } from "#contract/faults.ts";
import type { NodeRef, Tag } from "#contract/node.ts";
import { countedSendersMax, disownMs, guessDelayMs, guessesDelayedMax } from "#limits.ts";
import { domainOf } from "#xmpp/jid.ts";
import { disownedPush, type Pushes } from "./pushes.ts";
import type { RegistryStore, Thing } from "./store.ts";
import { readRegistration } from "./tags.ts";
import { beginDisown, claim, endDisown, notFound } from "./things.ts";

export interface ClaimsDeps {
  readonly store: RegistryStore;
  readonly pushes: Pushes;
  readonly clock: Clock;
  readonly log: Log;
  readonly isLocal: (domain: string) => boolean;
  readonly allowWeakKey: boolean;
  readonly signal: AbortSignal;
}

export interface Claims {
  /** The thing, now owned. Throws `Refusal` not-found for every reason there is (DISCO-MINE-04). */
  mine(owner: string, tags: readonly Tag[], ref: NodeRef | undefined, isPublic: boolean): Promise<Thing>;
  /** Resolves when the thing has agreed; throws `Refusal` not-found, or not-allowed when it did not. */
  disown(owner: string, jid: string, ref: NodeRef): Promise<Thing>;
  /** The thing has registered anew or left, which is as good as an answer (DISCO-DISOWN-02). */
  agreed(thing: Thing): void;
}

export function createClaims(deps: ClaimsDeps): Claims {
  const { store, pushes, clock, log } = deps;
  const perMinute = createRate(clock, 5, 60_000 / 5, countedSendersMax);
  const perDay = createRate(clock, 30, 86_400_000 / 30, countedSendersMax);
  const perDomain = createRate(clock, 60, 3_600_000 / 60, countedSendersMax);
  const disowning = new Map<number, () => void>();
  let delayed = 0;

  const mayGuess = (owner: string): boolean => {
    const domain = domainOf(owner);
    return perMinute.allows(owner) && perDay.allows(owner) && (deps.isLocal(domain) || perDomain.allows(domain));
  };
  const guessed = (owner: string) => {
    perMinute.spend(owner);
    perDay.spend(owner);
    if (!deps.isLocal(domainOf(owner))) perDomain.spend(domainOf(owner));
  };
  /** The same answer, late: also when the KEY was right, for who guesses fast enough finds one. */
  const refuseLate = async (): Promise<never> => {
    if (delayed < guessesDelayedMax) {
      delayed++;
      const scope = createScope(deps.signal);
      using _ = scope;
      await clock.sleep(guessDelayMs, scope.signal).finally(() => delayed--);
    }
    throw notFound();
  };

  return {
    async mine(owner, tags, ref, isPublic) {
      const { digest } = readRegistration(tags, deps.allowWeakKey);
      // Looked at and counted in one step of the store, or many guesses sent at once would all be the first.
      const found = await store.change(async records => {
        if (!mayGuess(owner)) return "too many";
        const thing = await claim(records, owner, digest, ref, isPublic, clock.now());
        if (thing === undefined || thing === "several") guessed(owner);
        return thing;
      });
      if (found === "too many") {
        log.warning("RateLimited", { sender: owner, element: "mine" });
        return refuseLate();
      }
      if (found === "several") log.error("KeyCloned", { sender: owner, why: "several things have the same KEY" });
      if (found === undefined || found === "several") {
        log.warning("ClaimRejected", { sender: owner });
        throw notFound();
      }
      log.notice("OwnerChanged", { thing: found.jid, node: found.ref.nodeId, owner, isPublic });
      return found;
    },

    async disown(owner, jid, ref) {
      const thing = await store.change(records => beginDisown(records, owner, jid, ref));
      const scope = createScope(deps.signal);
      using _ = scope;
      const byItself = new Promise<true>(resolve => disowning.set(thing.id, () => resolve(true)));
      try {
        const asked = pushes.ask(jid, disownedPush(ref), disownMs);
        const done = await Promise.race([asked, byItself, tooLong(scope.signal)]);
        const changed = await store.change(async records => {
          if (done) return endDisown(records, thing.id, clock.now());
          await records.restoreDisown(thing.id);
          return false;
        });
        // Not there any more, or registered anew: finished by its own call.
        const left = !changed && (await isFinished(thing, owner));
        if (!changed && !left) throw new Refusal("not-allowed", "the thing is offline or did not agree");
        log.notice("Disowned", { thing: jid, node: ref.nodeId, owner });
        return thing;
      } finally {
        disowning.delete(thing.id);
      }
    },
    agreed: thing => disowning.get(thing.id)?.(),
  };

  async function isFinished(thing: Thing, owner: string): Promise<boolean> {
    return (await store.thingById(thing.id))?.owner !== owner;
  }

  /** The fall-back through the generations may not add up to more than the owner waits. */
  async function tooLong(signal: AbortSignal): Promise<false> {
    await clock.sleep(disownMs, signal).catch(() => {});
    return false;
  }
}
