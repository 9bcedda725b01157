// A new KEY for a thing that nobody owns, so that its printed label is worth nothing any more: the registry takes it first, and
// only then it is ours. Whatever goes wrong, the KEY we have is told to the registry again: the label that hangs there is right.

import type { Log } from "#base/log.ts";
import { Refusal } from "#contract/faults.ts";
import type { NodeRef, Tag } from "#contract/node.ts";
import type { Element } from "#xml/element.ts";
import type { Claims } from "./claims.ts";

export interface RekeyingDeps {
  readonly claims: Claims;
  readonly online: () => boolean;
  /** JID of the registry; undefined while none is known. */
  readonly registry: () => string | undefined;
  readonly tags: (ref: NodeRef) => readonly Tag[] | undefined;
  /** Registers the thing with these tags and KEY; what the registry answered. */
  readonly register: (ref: NodeRef, told: readonly Tag[], signal: AbortSignal) => Promise<Element | undefined>;
  /** The registry says somebody owns it. */
  readonly owned: (
    ref: NodeRef,
    claimed: Element,
    registry: string,
    tags: readonly Tag[],
    signal: AbortSignal,
  ) => Promise<void>;
  /** That the registry is away, and did not answer that it will not. */
  readonly isAway: (error: unknown) => Promise<boolean>;
  /** Tell the registry again what we have. */
  readonly recheck: (ref: NodeRef) => void;
  readonly log: Log;
}

/** Must not run while the same thing is registered otherwise. Throws `Refusal`, and then the KEY is the one it was. */
export function createRekeying({ claims, online, tags, recheck, log, ...deps }: RekeyingDeps) {
  return async (ref: NodeRef, signal: AbortSignal): Promise<void> => {
    const record = claims.get(ref);
    const now = tags(ref);
    if (record === undefined || record.leaving || now === undefined)
      throw new Refusal("not-found", "There is no such thing.");
    if (record.state === "claimed") throw new Refusal("not-allowed", "It has an owner, and so it has no code.");
    const registry = deps.registry();
    if (registry === undefined || !online()) throw away();
    const key = claims.newKey();
    let reply: Element | undefined;
    try {
      reply = await deps.register(record.ref, [...now, { name: "KEY", value: key }], signal);
    } catch (error) {
      recheck(ref);
      log.notice("rekeying-failed", { node: ref, error });
      signal.throwIfAborted();
      throw (await deps.isAway(error)) ? away() : refused();
    }
    if (reply?.name === "claimed") {
      await deps.owned(record.ref, reply, registry, now, signal);
      throw new Refusal("conflict", "It was claimed a moment ago, and so it has no code any more.");
    }
    // Claimed or removed while we waited: the registry has the last word on which came first.
    if (claims.get(ref) !== record) {
      recheck(ref);
      throw new Refusal("conflict", "It was changed meanwhile: try again.");
    }
    claims.rekeyed(ref, key, registry, now);
    log.notice("thing-rekeyed", { node: ref });
  };
}

const away = () =>
  new Refusal("busy", "The registry cannot be reached: the code is the one it was, and its label stays right.");
const refused = () =>
  new Refusal("busy", "The registry took no new code: the code is the one it was, and its label stays right.");
