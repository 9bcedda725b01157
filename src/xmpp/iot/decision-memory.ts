// What the provisioning service decided, in memory for use and in the store to survive: lookups touch no disk. Lifetimes,
// subsumption, bounds and epochs of PROV-CACHE-01…09 are here and nowhere else.

import type { Clock } from "#base/clock.ts";
import type { Remembered } from "#concentrator/basis.ts";
import type { Decision, DecisionKey, DecisionStore } from "#concentrator/decision-cache.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import {
  decisionAllowMs,
  decisionClockBackMs,
  decisionDenyMs,
  decisionDenyMsMax,
  decisionsMax,
  decisionsPerCallerMax,
} from "#limits.ts";

/** An answer to a question, before it is dated. */
export type Answer = Pick<Decision, "allow" | "grantedCategories" | "grantedNames">;

export interface Known {
  readonly answer: Answer;
  /** What it was taken from: the answer to this question, or to a broader one. */
  readonly decision: Decision;
  /** Learned before a longer absence or a restart: to be asked for again where that is possible. */
  readonly stale: boolean;
}

export interface DecisionMemory {
  /** What is kept of this service about this account; anything else is gone. */
  open(service: string, account: string): void;
  find(key: DecisionKey): Known | undefined;
  /** The same, without counting as a use. */
  look(key: DecisionKey): Known | undefined;
  /** All that holds of this caller, the newest first. */
  about(caller: string): readonly Remembered[];
  /** To be taken when a question goes out, and given back with its answer. */
  readonly epoch: number;
  /** Nothing was forgotten since that would have been about this key. */
  isCurrent(key: DecisionKey, epoch: number): boolean;
  /** Keeps answers, in one commit; the caller has checked that they are current. */
  learn(answers: readonly { readonly key: DecisionKey; readonly answer: Answer }[]): void;
  forget(keys: readonly DecisionKey[]): void;
  /** Of one node, and every isFriend; without a node, all. On the disk when it returns. */
  clear(node?: NodeRef): void;
  absent(): void;
  readonly size: number;
}

interface Entry {
  readonly decision: Decision;
  stale: boolean;
}

/** XML cannot carry the separator, so no two questions share a key. */
const groupKey = (key: DecisionKey): string =>
  `${key.kind}\u0000${nodeKey(key.node)}\u0000${key.caller}\u0000${key.tokens}`;
const rowKey = (key: DecisionKey): string => `${groupKey(key)}\u0000${key.categories}\u0000${key.names.join("\u0000")}`;

export function createDecisionMemory(store: DecisionStore, clock: Clock): DecisionMemory {
  /** Both in order of last use, the oldest first. */
  const entries = new Map<string, Entry>();
  const callers = new Map<string, Map<string, Entry>>();
  const groups = new Map<string, Set<Entry>>();
  const clears = createClears();
  let opened: { service: string; account: string } | undefined;

  const add = (entry: Entry) => {
    const { decision } = entry;
    drop(decision);
    const row = rowKey(decision);
    entries.set(row, entry);
    mapOf(callers, decision.caller, () => new Map<string, Entry>()).set(row, entry);
    mapOf(groups, groupKey(decision), () => new Set<Entry>()).add(entry);
  };

  const drop = (key: DecisionKey) => {
    const row = rowKey(key);
    const entry = entries.get(row);
    if (entry === undefined) return;
    entries.delete(row);
    const caller = callers.get(key.caller);
    caller?.delete(row);
    if (caller?.size === 0) callers.delete(key.caller);
    const group = groups.get(groupKey(key));
    group?.delete(entry);
    if (group?.size === 0) groups.delete(groupKey(key));
  };

  const used = (row: string, entry: Entry) => {
    entries.delete(row);
    entries.set(row, entry);
    const caller = callers.get(entry.decision.caller);
    caller?.delete(row);
    caller?.set(row, entry);
  };

  const isLive = ({ decision }: Entry): boolean => {
    const now = clock.now();
    return now < decision.expiresAt && decision.fetchedAt <= now + decisionClockBackMs;
  };

  /** PROV-CACHE-03: what was granted in full answers narrower questions; a part or a refusal only its own. */
  const broader = (key: DecisionKey): Entry | undefined => {
    let found: Entry | undefined;
    for (const entry of groups.get(groupKey(key)) ?? []) {
      const { decision } = entry;
      const full =
        decision.allow && decision.grantedNames === undefined && decision.grantedCategories === decision.categories;
      const covers = (decision.categories & key.categories) === key.categories;
      const names = decision.names.length === 0 || sameNames(decision.names, key.names);
      if (full && covers && names && isLive(entry) && (found === undefined || found.stale)) found = entry;
    }
    return found;
  };

  const lookUp = (key: DecisionKey): { entry: Entry; known: Known } | undefined => {
    const exact = entries.get(rowKey(key));
    if (exact !== undefined && isLive(exact)) {
      const { decision, stale } = exact;
      return { entry: exact, known: { answer: decision, decision, stale } };
    }
    const entry = broader(key);
    if (entry === undefined) return undefined;
    const answer = { allow: true, grantedCategories: key.categories, grantedNames: undefined };
    return { entry, known: { answer, decision: entry.decision, stale: entry.stale } };
  };

  const date = (key: DecisionKey, answer: Answer): Decision => {
    const now = clock.now();
    if (answer.allow) return { ...key, ...answer, fetchedAt: now, expiresAt: now + decisionAllowMs, denials: 0 };
    const denials = (entries.get(rowKey(key))?.decision.denials ?? 0) + 1;
    const lifeMs = Math.min(decisionDenyMs * 2 ** Math.min(denials - 1, 30), decisionDenyMsMax);
    return { ...key, ...answer, fetchedAt: now, expiresAt: now + lifeMs, denials };
  };

  /** Over the bounds, those unused for longest go: first the same caller's, then anybody's. */
  const surplus = (learned: readonly Decision[]): DecisionKey[] => {
    const gone: DecisionKey[] = [];
    const evict = (from: Map<string, Entry>) => {
      const oldest = from.values().next().value as Entry;
      drop(oldest.decision);
      gone.push(oldest.decision);
    };
    for (const { caller } of learned) {
      const own = callers.get(caller);
      while (own !== undefined && own.size > decisionsPerCallerMax) evict(own);
    }
    while (entries.size > decisionsMax) evict(entries);
    return gone;
  };

  return {
    open(service, account) {
      if (opened?.service === service && opened.account === account) return;
      opened = { service, account };
      entries.clear();
      callers.clear();
      groups.clear();
      clears.all();
      const longGone: Decision[] = [];
      for (const decision of store.open(service, account)) {
        if (decision.expiresAt + decisionDenyMsMax < clock.now()) longGone.push(decision);
        else add({ decision, stale: true });
      }
      if (longGone.length > 0) store.delete(longGone);
    },
    find(key) {
      const found = lookUp(key);
      if (found === undefined) return undefined;
      used(rowKey(found.entry.decision), found.entry);
      return found.known;
    },
    look: key => lookUp(key)?.known,
    about: caller =>
      [...(callers.get(caller)?.values() ?? [])]
        .filter(isLive)
        .map(({ decision, stale }) => ({ decision, isOlder: stale }))
        .sort((a, b) => b.decision.fetchedAt - a.decision.fetchedAt),
    get epoch() {
      return clears.now;
    },
    isCurrent: clears.isCurrent,
    learn(answers) {
      const learned = answers.map(({ key, answer }) => date(key, answer));
      store.put(learned);
      for (const decision of learned) add({ decision, stale: false });
      const gone = surplus(learned);
      if (gone.length > 0) store.delete(gone);
    },
    forget(keys) {
      const known = keys.filter(key => entries.has(rowKey(key)));
      if (keys.some(key => key.kind === "isFriend")) clears.isFriend();
      if (known.length > 0) store.delete(known);
      for (const key of known) drop(key);
    },
    clear(node) {
      store.clear(node);
      if (node === undefined) {
        entries.clear();
        callers.clear();
        groups.clear();
        clears.all();
        return;
      }
      for (const { decision } of [...entries.values()])
        if (decision.kind === "isFriend" || nodeKey(decision.node) === nodeKey(node)) drop(decision);
      clears.node(node);
    },
    absent() {
      for (const entry of entries.values()) entry.stale = true;
    },
    get size() {
      return entries.size;
    },
  };
}

/** Nodes cleared one by one that are told apart; more count as a clear of all, which is the safe side. */
const clearedNodesMax = 1_000;

/** PROV-CACHE-05: when what was last forgotten, counted in clears, so that an answer to an older question is known as such. */
function createClears() {
  let now = 0;
  let lastAll = 0;
  let lastFriend = 0;
  const lastOf = new Map<string, number>();
  return {
    get now() {
      return now;
    },
    all() {
      lastAll = ++now;
      lastOf.clear();
    },
    isFriend() {
      lastFriend = ++now;
    },
    node(ref: NodeRef) {
      if (lastOf.size >= clearedNodesMax) return this.all();
      lastFriend = ++now;
      lastOf.set(nodeKey(ref), now);
    },
    isCurrent(key: DecisionKey, epoch: number): boolean {
      const last = key.kind === "isFriend" ? lastFriend : (lastOf.get(nodeKey(key.node)) ?? 0);
      return epoch >= Math.max(last, lastAll);
    },
  };
}

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name, at) => name === b[at]);

function mapOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
