// May this caller be a friend, read, control? What the owner has answered decides; what he has not answered is refused at
// once and asked of him (decision-support.md, section 5). No XML, no waiting for people.

import type { NodeRef } from "#contract/node.ts";
import { domainOf } from "#xmpp/jid.ts";
import type { DecisionKind, Limit, Origin, OriginKind, Promised, Question, Reads, Rule, Thing } from "./store.ts";
import { hasOwner } from "./things.ts";

/** What a device asks. `nodes` empty is the device itself; `names` empty = all; categories are 0 unless read. */
export interface Ask {
  readonly device: string;
  readonly kind: "read" | "control";
  readonly caller: string;
  readonly tokens: Question["tokens"];
  /** Those of them that count; none unless said (TOK-FWD-02). */
  readonly proven?: Question["tokens"];
  readonly nodes: readonly NodeRef[];
  readonly categories: number;
  readonly names: readonly string[];
}

/** What is granted; never more than asked. `names` undefined = all, and no limit applies. */
export interface Granted {
  readonly nodes: readonly NodeRef[];
  readonly categories: number;
  readonly names: readonly string[] | undefined;
}

export interface Verdict {
  /** Undefined: refused. */
  readonly granted: Granted | undefined;
  /** Things whose owner has not said anything yet. */
  readonly unanswered: readonly (Thing & { owner: string })[];
}

/** First level with a match decides (PROV-EVAL-04). */
const precedence: readonly OriginKind[] = ["caller", "user", "device", "service", "domain", "all"];

/** Origins a caller can match; `proven`: tokens whose key was proven, which alone count (TOK-FWD-02). */
export const originsOf = (caller: string, proven?: Question["tokens"]): readonly Origin[] => [
  { kind: "caller", value: caller },
  ...(["user", "device", "service"] as const).flatMap(kind => (proven?.[kind] ?? []).map(value => ({ kind, value }))),
  { kind: "domain", value: domainOf(caller) },
  { kind: "all", value: "" },
];

export async function decide(reads: Promised<Reads>, ask: Ask): Promise<Verdict> {
  const { device, caller, kind } = ask;
  const root: NodeRef = { nodeId: "", sourceId: "", partition: "" };
  const refs = ask.nodes.length === 0 ? [root] : ask.nodes;
  const found = await reads.decisions(device, refs, kind, originsOf(caller, ask.proven));
  const unanswered: (Thing & { owner: string })[] = [];
  const nodes: NodeRef[] = [];
  let left: Limit | undefined;
  const asked: Limit = { categories: ask.categories, names: ask.names.length === 0 ? undefined : ask.names };

  for (const { thing, rules } of found) {
    if (thing === undefined || !hasOwner(thing)) continue;
    const limit = thing.owner === caller ? asked : decisive(rules, asked);
    if (limit === undefined) {
      unanswered.push(thing);
      continue;
    }
    if (limit === "denied") continue;
    // One answer cannot say a limit for each node: all get what all have in common, and a node that shares nothing with
    // those before it is left out (PROV-EVAL-07).
    const common = left === undefined ? limit : intersect(left, limit);
    if (isNothing(common, kind)) continue;
    left = common;
    nodes.push(thing.ref);
  }
  const granted = left === undefined ? undefined : { nodes: ask.nodes.length === 0 ? [] : nodes, ...left };
  // Nothing was asked for, so there is nothing to ask the owner.
  return { granted, unanswered: isNothing(asked, kind) ? [] : unanswered };
}

/** Friendship is with the whole JID: any of its owners is in, others as the owner of the thing that stands for it says. */
export async function decideFriend(
  reads: Promised<Reads>,
  device: string,
  caller: string,
): Promise<{ result: boolean; unanswered: (Thing & { owner: string }) | undefined }> {
  const own = await reads.thingsOf(device, caller);
  if (own.some(thing => hasOwner(thing))) return { result: true, unanswered: undefined };
  const thing = await reads.friendThing(device);
  if (thing === undefined || !hasOwner(thing)) return { result: false, unanswered: undefined };
  const rules = await reads.rulesOf(thing.id, "friend", originsOf(caller));
  const first = firstMatch(rules);
  return { result: first.some(rule => rule.allow), unanswered: first.length === 0 ? thing : undefined };
}

/** Undefined: no rule matches. */
function decisive(rules: readonly Rule[], asked: Limit): Limit | "denied" | undefined {
  const level = firstMatch(rules);
  if (level.length === 0) return undefined;
  const granting = level.filter(rule => rule.allow);
  // Several tokens on one level: the most permissive counts.
  const limits = granting.map(rule => intersect(asked, rule));
  const best = limits.toSorted((a, b) => generosity(b) - generosity(a))[0];
  return best === undefined ? "denied" : best;
}

const firstMatch = (rules: readonly Rule[]): readonly Rule[] => {
  const level = precedence.find(kind => rules.some(rule => rule.origin.kind === kind));
  return level === undefined ? [] : rules.filter(rule => rule.origin.kind === level);
};

const generosity = ({ categories, names }: Limit): number =>
  (names === undefined ? 1_000 : names.length) * 8 + categories.toString(2).replaceAll("0", "").length;

const intersect = (a: Limit, b: Limit): Limit => ({
  categories: a.categories & b.categories,
  names: a.names === undefined ? b.names : b.names === undefined ? a.names : a.names.filter(n => b.names?.includes(n)),
});

const isNothing = ({ categories, names }: Limit, kind: DecisionKind): boolean =>
  names?.length === 0 || (kind === "read" && categories === 0);
