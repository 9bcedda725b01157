// The state of each thing (unregistered, registered, claimed) and the only ways it changes. Every change is on the disk
// before anybody is told of it; a change of owner forgets, in the same commit, what was allowed under the one before.

import { randomBytes } from "node:crypto";
import type { Log } from "#base/log.ts";
import type { OwnershipStore, ThingRecord } from "#concentrator/ownership.ts";
import { Refusal } from "#contract/faults.ts";
import { type NodeRef, nodeKey, type Tag } from "#contract/node.ts";

export interface ClaimsDeps {
  readonly store: OwnershipStore;
  /** Forgets the decisions about a thing; called inside the commit that changes its owner. */
  readonly forgetDecisions: (ref: NodeRef) => void;
  /** After the commit. Must not throw. */
  readonly claimed: (ref: NodeRef, owner: string) => void;
  /** `ownsMore`: he still owns another thing of ours (DISCO-DISOWN-03). */
  readonly disowned: (ref: NodeRef, owner: string, ownsMore: boolean) => void;
  /** The registry has taken it out. */
  readonly left?: (ref: NodeRef) => void;
  readonly log: Log;
  /** At least 128 bits nobody can guess (DISCO-KEY-01). */
  readonly newKey?: () => string;
}

export interface Claims {
  /** As they are when each is come to; in the order they were added. */
  all(): IteratorObject<ThingRecord>;
  get(ref: NodeRef): ThingRecord | undefined;
  owners(): ReadonlySet<string>;
  /** Makes records for things that have none, each with a KEY of its own, in one commit. */
  add(refs: readonly NodeRef[]): void;
  /** The registry took it with these tags, and nobody owns it. */
  taken(ref: NodeRef, registry: string, tags: readonly Tag[]): void;
  /**
   * The registry says who owns it. In a push (`push`) it may not name another owner than the one known: Refusal conflict
   * (DISCO-CLAIMED-03); in the answer to our own question it may.
   */
  claim(ref: NodeRef, owner: string, isPublic: boolean | undefined, registry: string, push: boolean): void;
  /** The registry took it with another KEY: whoever has the former one cannot claim it any more. */
  rekeyed(ref: NodeRef, key: string, registry: string, tags: readonly Tag[]): void;
  newKey(): string;
  /** The registry took an update. */
  told(ref: NodeRef, tags: readonly Tag[]): void;
  /** Nothing more is told of it; it stays its owner's. */
  outOfRegistry(ref: NodeRef): void;
  /** Nobody owns it any more: a new epoch with a new KEY. */
  disown(ref: NodeRef): void;
  /**
   * As if it came new out of its box, whoever owned it: nobody owns it, and it is registered with a new KEY once the registry has
   * taken it out.
   */
  reset(ref: NodeRef): void;
  leave(ref: NodeRef): void;
  /** The node is called otherwise: the former name leaves the registry; the KEY stays, and with it a label that is printed. */
  rename(from: NodeRef, to: NodeRef): void;
  left(ref: NodeRef): void;
  /** Another registry is in charge: it has been told nothing, and the KEYs told to the old one are worth nothing. */
  startAnew(): void;
}

export function createClaims(deps: ClaimsDeps): Claims {
  const { store, log } = deps;
  const newKey = deps.newKey ?? (() => randomBytes(32).toString("hex"));
  const records = new Map(store.all().map(record => [nodeKey(record.ref), record]));
  let owners = ownersOf(records.values());

  const known = (ref: NodeRef): ThingRecord => {
    const record = records.get(nodeKey(ref));
    if (record === undefined) throw new Refusal("not-found", "no such thing here");
    return record;
  };
  /** Store first: what memory says is never ahead of the disk. */
  const put = (record: ThingRecord) => {
    store.put(record);
    records.set(nodeKey(record.ref), record);
  };
  const putWithNewRights = (record: ThingRecord) => {
    store.atomically(() => {
      store.put(record);
      deps.forgetDecisions(record.ref);
    });
    records.set(nodeKey(record.ref), record);
    owners = ownersOf(records.values());
  };
  const fresh = (ref: NodeRef): ThingRecord => ({
    ref,
    state: "unregistered",
    owner: undefined,
    isPublic: undefined,
    inRegistry: true,
    key: newKey(),
    registry: undefined,
    tags: [],
    leaving: false,
  });
  const lost = (before: ThingRecord) => {
    if (before.owner === undefined) return;
    log.notice("Disowned", { node: before.ref, owner: before.owner });
    deps.disowned(before.ref, before.owner, owners.has(before.owner));
  };

  return {
    all: () => records.values(),
    get: ref => records.get(nodeKey(ref)),
    owners: () => owners,

    add(refs) {
      // Deleted and made again before the registry heard of it: nothing of the former thing is the new one's, and the registry is
      // told of the end before it is told of the beginning, or it would name the former owner.
      for (const ref of refs) {
        const former = records.get(nodeKey(ref));
        if (!former?.leaving || former.owner === undefined) continue;
        putWithNewRights({ ...fresh(ref), leaving: true });
        lost(former);
      }
      const missing = refs.filter(ref => !records.has(nodeKey(ref))).map(fresh);
      if (missing.length === 0) return;
      store.atomically(() => {
        for (const record of missing) store.put(record);
      });
      for (const record of missing) records.set(nodeKey(record.ref), record);
    },

    taken(ref, registry, tags) {
      const record = known(ref);
      if (record.state === "claimed") return;
      put({ ...record, state: "registered", registry, tags, inRegistry: true });
    },

    claim(ref, owner, isPublic, registry, push) {
      const record = known(ref);
      if (record.leaving) throw new Refusal("not-found", "no such thing here");
      const next: ThingRecord = {
        ...record,
        state: "claimed",
        owner,
        isPublic,
        registry,
        key: undefined,
        inRegistry: true,
      };
      if (record.owner === owner) {
        // A repeated push, or the answer at each log-in: what the owner took out of the registry comes back only by his word.
        if (record.isPublic !== isPublic || record.registry !== registry)
          put({ ...next, inRegistry: record.inRegistry || isPublic === true });
        return;
      }
      if (push && record.owner !== undefined) throw new Refusal("conflict", "it has another owner");
      putWithNewRights(next);
      lost(record);
      log.notice("OwnerChanged", { node: ref, owner, public: isPublic ?? "not said" });
      deps.claimed(ref, owner);
    },

    rekeyed(ref, key, registry, tags) {
      const record = known(ref);
      if (record.state !== "claimed") put({ ...record, state: "registered", key, registry, tags, inRegistry: true });
    },
    newKey,

    told(ref, tags) {
      const record = known(ref);
      if (record.state === "claimed") put({ ...record, tags });
    },

    outOfRegistry(ref) {
      const record = known(ref);
      if (record.inRegistry) put({ ...record, inRegistry: false });
    },

    disown(ref) {
      const record = known(ref);
      if (record.state !== "claimed") return;
      putWithNewRights({ ...fresh(ref), leaving: record.leaving });
      lost(record);
    },

    reset(ref) {
      const record = known(ref);
      putWithNewRights({ ...fresh(ref), leaving: true });
      lost(record);
    },

    leave(ref) {
      const record = records.get(nodeKey(ref));
      if (record !== undefined && !record.leaving) put({ ...record, leaving: true });
    },

    rename(from, to) {
      const former = records.get(nodeKey(from));
      if (former === undefined || former.leaving) return;
      const leaving = { ...former, leaving: true };
      const anew = { ...fresh(to), key: former.key ?? newKey() };
      store.atomically(() => {
        store.put(leaving);
        store.put(anew);
      });
      records.set(nodeKey(from), leaving);
      // Behind the former one: that is to be out of the registry before its KEY comes again.
      records.delete(nodeKey(to));
      records.set(nodeKey(to), anew);
    },

    left(ref) {
      const record = known(ref);
      store.atomically(() => {
        store.delete(ref);
        deps.forgetDecisions(ref);
      });
      records.delete(nodeKey(ref));
      owners = ownersOf(records.values());
      lost(record);
      deps.left?.(ref);
    },

    startAnew() {
      const anew = [...records.values()]
        .filter(record => record.state !== "claimed")
        .map(record => ({ ...fresh(record.ref), leaving: record.leaving }));
      store.atomically(() => {
        for (const record of anew) store.put(record);
      });
      for (const record of anew) records.set(nodeKey(record.ref), record);
    },
  };
}

const ownersOf = (records: Iterable<ThingRecord>): ReadonlySet<string> => {
  const owners = new Set<string>();
  for (const { owner } of records) if (owner !== undefined) owners.add(owner);
  return owners;
};
