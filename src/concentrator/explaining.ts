// Why somebody may, or may not: the rules themselves are run on his question, without asking anybody and without a trace of it,
// so that what is explained is what happens. Who may hear it is who owns the node, and nobody else.

import type { Admission, Explained, Question } from "./admission.ts";
import type { Remembered, ShownToken, TokenEvidence } from "./basis.ts";
import { type Caller, noTokens } from "./contract/caller.ts";
import { allCategories, type Categories, categoriesOfMask, covers } from "./contract/field.ts";
import type { NodeRef } from "./contract/node.ts";
import type { DecisionKind } from "./decision-cache.ts";
import type { TreeNode } from "./forest.ts";
import type { Owners } from "./rules.ts";
import { faultText } from "./status.ts";

export const explainedRights = ["read", "control", "friend"] as const;
export type ExplainedRight = (typeof explainedRights)[number];

/** What is known beyond the rules, of whoever keeps it. Nothing here asks anybody. */
export interface ExplainSources {
  /** What he sends is read at all; undefined while the list of contacts is not known yet. */
  letIn(bareJid: string): boolean | undefined;
  /** Whether, and why, he would be let in. */
  friend(bareJid: string): Explained;
  /** Answers of the service about him and the thing the node belongs to, the newest first. */
  remembered(bareJid: string, kind: DecisionKind, ref: NodeRef): readonly Remembered[];
  /** What he showed of tokens with his last request that had some; undefined when there is none to go by. */
  tokens(bareJid: string): TokenEvidence | undefined;
  /** Normalises; undefined when the text is no JID. */
  bareJid(text: string): string | undefined;
}

export interface Asked {
  /** Bare, normalised. */
  readonly caller: string;
  readonly right: ExplainedRight;
  readonly field: string | undefined;
  /** Undefined: as he asked last, or all. */
  readonly categories: Categories | undefined;
}

/** yes · part: not all that was asked · no · asked: the service is asked when he tries. */
export type Answer = "yes" | "part" | "no" | "asked";

export interface Explanation {
  readonly asked: Asked;
  readonly node: NodeRef;
  readonly answer: Answer;
  readonly letIn: boolean | undefined;
  /** Undefined for friend, which has nothing to see. */
  readonly view: Explained | "nobody" | undefined;
  /** Undefined when it does not come to that: what is not seen is neither read nor controlled. */
  readonly decided: Explained | "nobody" | undefined;
  /** The question that was explained. */
  readonly question: Pick<Question, "categories" | "names">;
  /** The question is one he has asked before. */
  readonly isAsLast: boolean;
  readonly remembered: readonly Remembered[];
  /** Explained is a request with these; undefined when he showed none lately. */
  readonly tokens: ExplainedTokens | undefined;
  /** What keeps the device from answering at this moment, in words; and how its line treats it. */
  readonly fault: string | undefined;
  readonly state: string | undefined;
}

export interface ExplainedTokens {
  readonly at: number;
  readonly shown: readonly ShownToken[];
  /** What it would be without those that count; undefined when none does, or it does not come to that. */
  readonly without: Answer | undefined;
}

export interface ExplainingDeps extends Owners {
  readonly admission: Pick<Admission, "explain">;
  readonly sources: ExplainSources;
}

export interface Explaining {
  /** Who owns it; where nobody does, who owns the appliance. */
  mayHear(caller: Caller, ref: NodeRef): boolean;
  why(node: TreeNode, asked: Asked, signal: AbortSignal): Promise<Explanation>;
  readonly bareJid: ExplainSources["bareJid"];
}

const kinds: Readonly<Record<ExplainedRight, DecisionKind>> = {
  read: "canRead",
  control: "canControl",
  friend: "isFriend",
};

export function createExplaining({ admission, sources, ownerOf, rootOwner }: ExplainingDeps): Explaining {
  const explain = async (right: "view" | "read" | "control", of: Omit<Question, "right">, signal: AbortSignal) =>
    (await admission.explain({ ...of, right }, signal)) ?? "nobody";

  return {
    bareJid: sources.bareJid,
    mayHear: ({ bareJid }, ref) => (ownerOf(ref) ?? rootOwner()) === bareJid,

    async why(node, asked, signal) {
      const { right } = asked;
      const remembered = sources.remembered(asked.caller, kinds[right], node.ref);
      const evidence = right === "friend" ? undefined : sources.tokens(asked.caller);
      const last = lastAsked(asked, remembered, evidence?.digest ?? "");
      const question = last ?? {
        categories: asked.categories ?? allCategories,
        names: asked.field === undefined ? [] : [asked.field],
      };
      const common = { asked, node: node.ref, question, isAsLast: last !== undefined, remembered };
      if (right === "friend") {
        const decided = sources.friend(asked.caller);
        const letIn = sources.letIn(asked.caller);
        // Who is in stays in until it is taken back, whatever would be said of him now.
        const answer = letIn ? "yes" : answerOf(decided, question, asked);
        const none = { view: undefined, tokens: undefined, fault: undefined, state: undefined };
        return { ...common, ...none, answer, letIn, decided };
      }
      const tokens = evidence?.tokens ?? noTokens;
      const caller: Caller = { bareJid: asked.caller, fullJid: asked.caller, tokens, language: "" };
      const of = { caller, nodes: [node.ref], ...question };
      const letIn = sources.letIn(asked.caller);
      const view = await explain("view", { ...of, categories: allCategories, names: [] }, signal);
      const isSeen = view !== "nobody" && view.granted !== undefined;
      const whole = right === "control" ? { ...of, categories: allCategories } : of;
      const decided = isSeen ? await explain(right, whole, signal) : undefined;
      const said = (one: typeof decided): Answer => (letIn === false ? "no" : answerOf(one, whole, asked));
      const bare = { ...whole, caller: { ...caller, tokens: noTokens } };
      const counts = isSeen && evidence?.shown.some(one => one.counts);
      const without = counts ? said(await explain(right, bare, signal)) : undefined;
      const shown = evidence && { at: evidence.at, shown: evidence.shown, without };
      const now = { fault: faultText(node), state: stateOf(node) };
      return { ...common, ...now, answer: said(decided), letIn, view, decided, tokens: shown };
    },
  };
}

/** The last question he asked that concerns what is to be explained, with the tokens that are known to count. */
function lastAsked({ field, categories }: Asked, remembered: readonly Remembered[], digest: string) {
  if (categories !== undefined) return undefined;
  const last = remembered.find(
    ({ decision: { tokens, names } }) =>
      tokens === digest && (field === undefined || names.length === 0 || names.includes(field)),
  );
  if (last === undefined) return undefined;
  const { kind, categories: mask, names } = last.decision;
  return { categories: kind === "canRead" ? categoriesOfMask(mask) : allCategories, names };
}

function answerOf(
  decided: Explained | "nobody" | undefined,
  asked: Pick<Question, "categories" | "names">,
  { field }: Asked,
): Answer {
  if (decided === undefined || decided === "nobody") return "no";
  if (decided.because?.kind === "service" && decided.because.state === "open") return "asked";
  const { granted } = decided;
  if (granted === undefined) return "no";
  const has = (name: string) => granted.names.length === 0 || granted.names.includes(name);
  if (field !== undefined && !has(field)) return "no";
  const hasNames =
    field === undefined ? (asked.names.length === 0 ? granted.names.length === 0 : asked.names.every(has)) : true;
  return hasNames && covers(granted.categories, asked.categories) ? "yes" : "part";
}

/** "resting, next try in 40 s": what the device's line says of it, where it says something. */
function stateOf(node: TreeNode): string | undefined {
  const state = node.opened?.device.describe?.().find(({ id }) => id === "state")?.value;
  return state?.kind === "string" && state.value !== "answering" ? state.value : undefined;
}
