// The rule "provisioning": for each node what is remembered, else what the service says, else no. Owners are not asked
// about. What happens while the service is away is docs/decisions/0003.

import { createHash } from "node:crypto";
import type { Opinion, Question, Rule } from "#concentrator/admission.ts";
import type { Remembered, ServiceBasis } from "#concentrator/basis.ts";
import type { DecisionKey } from "#concentrator/decision-cache.ts";
import type { Tokens } from "#contract/caller.ts";
import { categoriesOfMask, categoryMask } from "#contract/field.ts";
import { type NodeRef, nodeKey, rootRef } from "#contract/node.ts";
import { domainOf } from "../jid.ts";
import type { Answer, DecisionMemory, Known } from "./decision-memory.ts";
import { isToken, tokensMax } from "./provisioning-device.wire.ts";
import type { QuestionRate } from "./question-rate.ts";
import type { Service } from "./registration.ts";
import type { Outcome, ServiceQuestions } from "./service-questions.ts";

export interface DecisionRuleDeps {
  readonly memory: DecisionMemory;
  readonly questions: ServiceQuestions;
  readonly rate: QuestionRate;
  readonly service: () => Service | undefined;
  readonly account: () => string;
  readonly thingOf: (ref: NodeRef) => NodeRef;
  readonly ownerOf: (thing: NodeRef) => string | undefined;
  readonly staleRead: boolean;
}

export type Decided = { readonly answer: Answer } | { readonly failed: string };

export interface DecisionRule extends Rule {
  /** One question of any kind. Throws `Refusal` busy, or the abort reason. */
  decide(key: DecisionKey, tokens: Tokens, signal: AbortSignal): Promise<Decided>;
  /** What `decide` would say at once, and by what; asks nobody. What would be asked has failed with `words.open`. */
  explain(key: DecisionKey): Explaining;
}

export interface Explaining {
  readonly decided: Decided;
  readonly because: ServiceBasis | undefined;
}

/** Why something was not granted: for the log and for who asks why. */
export const words = {
  unowned: "Nobody owns this, so nobody can allow it.",
  service: "The service decides for owners and has no rights itself.",
  tokens: "The tokens that were shown are malformed.",
  unknown: "No service is known that could decide.",
  tooMany:
    "There were too many new questions of this caller, of his domain or in all; for a while nothing new is asked.",
  refused: "The owner's service says no.",
  open: "The owner's service is asked when it is tried.",
  away: "The owner's service cannot be reached.",
  invalid: "The answer of the owner's service is not valid.",
  error: "The owner's service answered with an error.",
  overtaken: "Rights changed while the owner's service was being asked.",
  undecided: "It was not decided.",
};

export function createDecisionRule(deps: DecisionRuleDeps): DecisionRule {
  const { memory, questions } = deps;

  /** Whether what is known serves as an answer while the service is away (docs/decisions/0003). */
  const servesAway = (key: DecisionKey, known: Known): boolean =>
    known.answer.allow && key.kind === "canRead" && deps.staleRead;
  /** Whether it serves without asking. */
  const serves = (key: DecisionKey, known: Known): boolean =>
    !known.stale || (questions.away && servesAway(key, known));

  /** What memory says of each key, and what is left open. The keys differ in their nodes only. */
  const look = (keys: readonly DecisionKey[]): Looked => {
    const looked: Looked = { decided: new Map(), older: new Map(), open: [], unheard: new Set() };
    for (const key of keys) {
      const known = memory.find(key);
      if (known !== undefined && serves(key, known)) looked.decided.set(key, { answer: known.answer });
      else looked.open.push(key);
      if (known === undefined) looked.unheard.add(key);
      else if (servesAway(key, known)) looked.older.set(key, known.answer);
    }
    return looked;
  };

  /** The same for one key, with what `settle` would do but without doing it. */
  const explain = (key: DecisionKey): Explaining => {
    const known = memory.look(key);
    const service = deps.service();
    const because = (state: ServiceBasis["state"]): ServiceBasis | undefined =>
      service && {
        kind: "service",
        service: service.jid,
        state,
        known: known && rememberedOf(known),
        failed: questions.failedOf(service, key),
        isAsked: questions.isAsked(service, key),
      };
    const refused = (failed: string): Explaining => ({ decided: { failed }, because: because("decided") });
    if (known !== undefined && (serves(key, known) || (questions.offline && servesAway(key, known)))) {
      return { decided: { answer: known.answer }, because: because("decided") };
    }
    if (service === undefined) return refused(words.unknown);
    const isNew = known === undefined && !questions.isAsked(service, key);
    if (isNew && deps.rate.isFull(key.caller, domainOf(deps.account()))) return refused(words.tooMany);
    if (questions.offline) return refused(words.away);
    return { decided: { failed: words.open }, because: because("open") };
  };

  /** Puts what is open to the service. */
  const settle = async ({ decided, older, open, unheard }: Looked, tokens: Tokens, signal: AbortSignal) => {
    const service = deps.service();
    if (service === undefined) {
      for (const key of open) decided.set(key, { failed: words.unknown });
      return decided;
    }
    const fresh = open.filter(key => unheard.has(key) && !questions.isAsked(service, key));
    const tooMany = fresh.length > 0 && !deps.rate.take((fresh[0] as DecisionKey).caller, domainOf(deps.account()));
    const asked = tooMany ? open.filter(key => !fresh.includes(key)) : open;
    if (tooMany) for (const key of fresh) decided.set(key, { failed: words.tooMany });
    const outcomes = asked.length === 0 ? [] : await patiently(service, asked, tokens, signal);
    for (const [at, key] of asked.entries()) {
      const outcome = outcomes[at] as Outcome;
      const instead = "failed" in outcome && outcome.failed === "away" ? older.get(key) : undefined;
      if ("answer" in outcome) decided.set(key, outcome);
      else decided.set(key, instead ? { answer: instead } : { failed: reasons[outcome.failed] });
    }
    return decided;
  };

  /** An answer that rights overtook is asked for once more; if they change again meanwhile, there is none. */
  const patiently = async (
    service: Service,
    keys: readonly DecisionKey[],
    tokens: Tokens,
    signal: AbortSignal,
  ): Promise<Outcome[]> => {
    const outcomes = await leaving(signal, questions.ask(service, keys, tokens));
    const again = keys.filter((_, at) => isOvertaken(outcomes[at]));
    if (again.length === 0) return outcomes;
    // Whose answer it is may be what changed.
    const second = await leaving(signal, questions.ask(deps.service() ?? service, again, tokens));
    return outcomes.map((one, at) =>
      isOvertaken(one) ? (second[again.indexOf(keys[at] as DecisionKey)] as Outcome) : one,
    );
  };

  return {
    name: "provisioning",

    async decide(key, tokens, signal) {
      const looked = look([key]);
      const decided = looked.open.length === 0 ? looked.decided : await settle(looked, tokens, signal);
      return decided.get(key) ?? { failed: words.undecided };
    },

    explain,

    ask(question, signal, explaining) {
      const { right, caller, nodes } = question;
      // The service decides on reading and control, and on nothing else of the appliance (COM-AUTH-05).
      if (right !== "read" && right !== "control") return [];
      const deny = (why: string) => nodes.map((node): Opinion => ({ node, deny: why }));
      if (caller.bareJid === deps.service()?.jid) return deny(words.service);
      if (!areTokens(caller.tokens)) return deny(words.tokens);

      const opinions: Opinion[] = [];
      /** One question a thing, however many of its nodes are asked for. */
      const byThing = new Map<string, { key: DecisionKey; nodes: NodeRef[] }>();
      const key = keyMaker(question);
      for (const node of nodes) {
        const thing = deps.thingOf(node);
        const owner = deps.ownerOf(thing);
        if (owner === undefined) opinions.push({ node, deny: words.unowned });
        else if (owner === caller.bareJid) {
          const because = explaining ? { because: { kind: "owner", of: "appliance" } as const } : {};
          opinions.push({ node, grant: { categories: question.categories, names: [] }, ...because });
        } else {
          const one = byThing.get(nodeKey(thing));
          if (one) one.nodes.push(node);
          else byThing.set(nodeKey(thing), { key: key(thing), nodes: [node] });
        }
      }
      if (byThing.size === 0) return opinions;
      const asked = [...byThing.values()];
      if (explaining) {
        for (const { key, nodes } of asked) {
          const { decided, because } = explain(key);
          for (const node of nodes)
            opinions.push({ ...opinionOf(question, node, decided), ...(because && { because }) });
        }
        return opinions;
      }
      const told = (decided: ReadonlyMap<DecisionKey, Decided>): Opinion[] => {
        for (const one of asked)
          for (const node of one.nodes) opinions.push(opinionOf(question, node, decided.get(one.key)));
        return opinions;
      };
      const looked = look(asked.map(one => one.key));
      // What is remembered is answered in the same breath, without a timer or a promise.
      return looked.open.length === 0 ? told(looked.decided) : settle(looked, caller.tokens, signal).then(told);
    },
  };
}

/** By key, as one object each. */
interface Looked {
  readonly decided: Map<DecisionKey, Decided>;
  /** What was allowed before a longer absence, to go by while the service is away. */
  readonly older: Map<DecisionKey, Answer>;
  readonly open: DecisionKey[];
  readonly unheard: Set<DecisionKey>;
}

const reasons = {
  away: words.away,
  invalid: words.invalid,
  refused: words.error,
  overtaken: words.overtaken,
} as const;

export const rememberedOf = ({ decision, stale }: Known): Remembered => ({ decision, isOlder: stale });

const isOvertaken = (outcome: Outcome | undefined): boolean =>
  outcome !== undefined && "failed" in outcome && outcome.failed === "overtaken";

function opinionOf(question: Question, node: NodeRef, decided: Decided | undefined): Opinion {
  if (decided === undefined) return { node, deny: words.undecided };
  if ("failed" in decided) return { node, deny: decided.failed };
  const { allow, grantedCategories, grantedNames } = decided.answer;
  if (!allow) return { node, deny: words.refused };
  // Categories mean nothing to control: as asked, so that whoever narrows finds nothing taken away.
  const categories = question.right === "read" ? categoriesOfMask(grantedCategories) : question.categories;
  return { node, grant: { categories, names: grantedNames ?? [] } };
}

/** The part of a key that all nodes of a question share is made once. */
function keyMaker({ right, caller, categories, names }: Question): (thing: NodeRef) => DecisionKey {
  const shared = {
    kind: right === "read" ? ("canRead" as const) : ("canControl" as const),
    caller: caller.bareJid,
    tokens: tokensDigest(caller.tokens),
    categories: right === "read" ? categoryMask(categories) : 0,
    names: names.length < 2 ? names : [...new Set(names)].sort(),
  };
  return node => ({ ...shared, node });
}

const areTokens = ({ service, device, user }: Tokens): boolean =>
  [service, device, user].every(list => list.length <= tokensMax && list.every(isToken));

/** "" for none: the usual case costs nothing. */
export function tokensDigest({ service, device, user }: Tokens): string {
  if (service.length + device.length + user.length === 0) return "";
  const canonical = [service, device, user].map(list => [...new Set(list)].sort());
  return createHash("sha256").update(JSON.stringify(canonical)).digest("base64url");
}

export const friendKey = (caller: string): DecisionKey => ({
  kind: "isFriend",
  node: rootRef,
  caller,
  tokens: "",
  categories: 0,
  names: [],
});

/** The caller may leave; the question goes on for the others who wait for it, and its answer is kept. */
async function leaving<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  signal.throwIfAborted();
  let onAbort = () => {};
  const left = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, left]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
