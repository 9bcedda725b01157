// Decision support on the thing's side: the rule that asks the owner's service who may read and control, who may see our
// presence, and what that service tells us unasked. Its own JID is obeyed in what it decides and has no rights itself.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Rule } from "#concentrator/admission.ts";
import type { Remembered } from "#concentrator/basis.ts";
import type { DecisionKind, DecisionStore } from "#concentrator/decision-cache.ts";
import type { OwnershipStore } from "#concentrator/ownership.ts";
import { noTokens } from "#contract/caller.ts";
import { type NodeRef, nodeKey } from "#contract/node.ts";
import { decisionAbsenceMs, nodeClearsMax, nodeClearsMs } from "#limits.ts";
import type { Connection } from "../connection.ts";
import { isDomainJid } from "../jid.ts";
import type { MessageRoute, Route } from "../router.ts";
import { createDecisionMemory } from "./decision-memory.ts";
import { createDecisionRule, type Explaining, friendKey, words as why } from "./decision-rule.ts";
import { generationNames } from "./generations.ts";
import { createQuestionRate } from "./question-rate.ts";
import type { Service } from "./registration.ts";
import { createServiceQuestions } from "./service-questions.ts";
import { serviceRoutes } from "./service-words.ts";

export interface ProvisioningDeps {
  readonly connection: Pick<Connection, "online" | "request">;
  readonly decisions: DecisionStore;
  /** Remembers the service. */
  readonly store: Pick<OwnershipStore, "service" | "rememberService">;
  /** Our own bare JID; undefined before there is an account. */
  readonly account: () => string | undefined;
  /** The thing a node belongs to: itself, or the appliance (rootRef) for a node that is no thing of its own. */
  readonly thingOf: (ref: NodeRef) => NodeRef;
  /** Owner of a thing, bare JID. */
  readonly ownerOf: (thing: NodeRef) => string | undefined;
  readonly owners: () => ReadonlySet<string>;
  readonly hooks: ProvisioningHooks;
  readonly clock: Clock;
  readonly log: Log;
  /** Names parameters to the service in the schema's form alone. Default false. */
  readonly strictXsd?: boolean;
  /** While the service is away, reads go by an older yes within its lifetime (docs/decisions/0003). Default true. */
  readonly staleRead?: boolean;
}

/** Must not throw. */
export interface ProvisioningHooks {
  /** Decisions were forgotten: running subscriptions and queued reads are to be decided anew (PROV-CACHE-07). */
  rightsChanged(): void;
  /** Ask for this JID's presence, once (PROV-FRIEND-01). */
  friend(bareJid: string): void;
  /** End the subscriptions of both directions and leave the roster. */
  unfriend(bareJid: string): void;
}

/** What to answer who asks for our presence. `subscribeBack`: we want his too. pending: nobody can decide, an operator may. */
export type SubscriptionDecision =
  | { readonly kind: "accept"; readonly subscribeBack: boolean }
  /** `unanswered`: the service could not be asked; the next request is a new one (PROV-ISFRIEND-02). */
  | { readonly kind: "decline"; readonly reason: string; readonly unanswered?: true }
  | { readonly kind: "pending"; readonly reason: string };

export type SubscriptionExplained =
  | { readonly kind: "service" | "owner" }
  | { readonly kind: "unowned" | "unknown"; readonly reason: string }
  | ({ readonly kind: "service's word" } & Explaining);

export interface Provisioning {
  readonly rule: Rule;
  decideSubscription(bareJid: string, signal: AbortSignal): Promise<SubscriptionDecision>;
  /** What `decideSubscription` would say at once, and by what; asks nobody. */
  explainSubscription(bareJid: string): SubscriptionExplained;
  /** What is remembered of this caller about the thing a node belongs to, the newest first. */
  remembered(bareJid: string, kind: DecisionKind, ref: NodeRef): readonly Remembered[];
  readonly routes: readonly Route[];
  readonly messages: readonly MessageRoute[];
  /** Found by disco on the own domain, or pinned. Another one than before starts from nothing (PROV-TRUST-01). */
  serviceFound(service: Service): void;
  readonly service: Service | undefined;
  /** To be called when a stream is bound, and when it is lost. */
  online(resumed: boolean): void;
  offline(): void;
  /** A stanza or presence of the service. */
  serviceSeen(): void;
  /**
   * Forgets what was decided about a thing, or everything. Joins a transaction that is open; `rightsChanged` follows when
   * the caller's turn is over.
   */
  forget(ref?: NodeRef): void;
}

export function createProvisioning(deps: ProvisioningDeps): Provisioning {
  const { clock, log, hooks } = deps;
  const memory = createDecisionMemory(tellingRules(deps.decisions, log), clock);
  const questions = createServiceQuestions({
    connection: deps.connection,
    memory,
    service: () => service,
    clock,
    log,
    strictXsd: deps.strictXsd ?? false,
  });
  const rate = createQuestionRate(clock);
  let service = remembered(deps.store);
  let offlineSince: number | undefined;
  let nodeClears: number[] = [];

  const open = () => {
    const account = deps.account();
    if (service !== undefined && account !== undefined) memory.open(service.jid, account);
  };
  open();

  /** What is decided about being let in without the service's word. */
  const known = (jid: string): "service" | "owner" | "unowned" | "unknown" | undefined => {
    if (service !== undefined && jid === service.jid) return "service";
    const owners = deps.owners();
    if (owners.has(jid)) return "owner";
    if (owners.size === 0) return "unowned";
    return service === undefined ? "unknown" : undefined;
  };
  const isAbout = (about: NodeRef, kind: DecisionKind, ref: NodeRef): boolean =>
    kind === "isFriend" || nodeKey(about) === nodeKey(deps.thingOf(ref));

  const decider = createDecisionRule({
    memory,
    questions,
    rate,
    service: () => service,
    account: () => deps.account() ?? "",
    thingOf: deps.thingOf,
    ownerOf: deps.ownerOf,
    staleRead: deps.staleRead ?? true,
  });

  /** Several clears of single nodes in a row are one of all (PROV-CACHE-06): what follows would be cleared next. */
  const clear = (node: NodeRef | undefined): void => {
    if (node !== undefined) {
      const now = clock.monotonic();
      nodeClears = [...nodeClears.filter(at => now - at < nodeClearsMs), now];
    }
    const all = node === undefined || nodeClears.length >= nodeClearsMax;
    if (all) nodeClears = [];
    memory.clear(all ? undefined : node);
    log.info("CacheCleared", { node: all ? "all" : node, kept: memory.size });
    hooks.rightsChanged();
  };

  const words = serviceRoutes({
    service: () => service,
    account: deps.account,
    log,
    seen: questions.seen,
    clear,
    friend(jid) {
      memory.forget([friendKey(jid)]);
      hooks.friend(jid);
    },
    unfriend(jid) {
      memory.forget([friendKey(jid)]);
      hooks.unfriend(jid);
    },
  });

  return {
    rule: decider,
    async decideSubscription(jid, signal) {
      switch (known(jid)) {
        case "service":
          return { kind: "accept", subscribeBack: false };
        case "owner":
          return { kind: "accept", subscribeBack: true };
        case "unowned":
          return { kind: "decline", reason: why.unowned };
        case "unknown":
          return { kind: "pending", reason: why.unknown };
        case undefined: {
          const decided = await decider.decide(friendKey(jid), noTokens, signal);
          if ("answer" in decided && decided.answer.allow) return { kind: "accept", subscribeBack: true };
          if ("answer" in decided) return { kind: "decline", reason: why.refused };
          return { kind: "decline", reason: decided.failed, unanswered: true };
        }
      }
    },
    explainSubscription(jid) {
      const kind = known(jid);
      if (kind === "unowned" || kind === "unknown") return { kind, reason: why[kind] };
      return kind === undefined ? { kind: "service's word", ...decider.explain(friendKey(jid)) } : { kind };
    },
    remembered: (jid, kind, ref) =>
      memory.about(jid).filter(({ decision }) => decision.kind === kind && isAbout(decision.node, kind, ref)),
    ...words,
    serviceFound(found) {
      if (!isDomainJid(found.jid)) throw new Error(`a provisioning service is a domain, not ${found.jid}`);
      if (service?.jid !== found.jid || service.generation !== found.generation) {
        const before = service;
        service = found;
        deps.store.rememberService("provisioning", found);
        if (before !== undefined && before.jid !== found.jid) {
          log.notice("ProvisioningChanged", { from: before.jid, to: found.jid });
          queueMicrotask(hooks.rightsChanged);
        }
      }
      questions.seen();
      open();
    },
    get service() {
      return service;
    },
    online(resumed) {
      const absentMs = offlineSince === undefined ? 0 : clock.monotonic() - offlineSince;
      offlineSince = undefined;
      if (!resumed) questions.seen();
      if (absentMs > decisionAbsenceMs) memory.absent();
      open();
    },
    offline() {
      offlineSince ??= clock.monotonic();
    },
    serviceSeen: questions.seen,
    forget(ref) {
      memory.clear(ref);
      queueMicrotask(hooks.rightsChanged);
    },
  };
}

/** Each decision that is learned is told to the log (LOG-AUD-01): who may what, on whose word. */
const tellingRules = (store: DecisionStore, log: Log): DecisionStore => ({
  open: store.open,
  delete: store.delete,
  clear: store.clear,
  get epoch() {
    return store.epoch;
  },
  put(decisions) {
    store.put(decisions);
    for (const { kind, node, caller, allow, expiresAt } of decisions)
      log.info("RuleAdded", { caller, kind, node, allow, until: new Date(expiresAt).toISOString() });
  },
});

function remembered(store: Pick<OwnershipStore, "service">): Service | undefined {
  const known = store.service("provisioning");
  const generation = generationNames.find(one => one === known?.generation);
  return known && generation && { jid: known.jid, generation };
}
