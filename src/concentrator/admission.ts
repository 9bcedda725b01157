// Rules to a decision to `Admitted`: nothing is touched before it is admitted, and only this file can make the value that
// reading and controlling require. Rules are asked in order; the first opinion on a node wins; silence is refusal.

import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { decisionMs } from "#limits.ts";
import type { Basis } from "./basis.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import { type Ask, allCategories, type Categories } from "./contract/field.ts";
import { type NodeRef, nodeKey } from "./contract/node.ts";
import { narrowed } from "./narrowing.ts";

/**
 * view is a condition of every other (COM-AUTH-02) · read and control are decided by who owns the node · edit, add (below the
 * node), destroy, execute (its commands) and sniff manage it. A reference without NodeId is the source as such: to add at its
 * root.
 */
export type Right = "view" | "read" | "control" | "edit" | "add" | "destroy" | "execute" | "sniff";

/**
 * May this caller read these fields, or control these parameters, of these nodes? `names` empty = all of them. Categories and
 * names mean nothing to the other rights: all, and none.
 */
export interface Question {
  readonly right: Right;
  readonly caller: Caller;
  readonly nodes: readonly NodeRef[];
  readonly categories: Categories;
  readonly names: readonly string[];
}

/** What was granted of a question for one node: never more than asked. `names` empty = as asked. */
export interface Grant {
  readonly categories: Categories;
  readonly names: readonly string[];
}

/**
 * One rule's opinion on one node of the question. `deny` says why, for the log and for `isthmus why`, never for the caller.
 * `because` is there when it is to be explained.
 */
export type Opinion = { readonly node: NodeRef; readonly because?: Basis } & (
  | { readonly grant: Grant }
  | { readonly deny: string }
);

export interface Rule {
  /** For the log: "owner", "local", "provisioning". */
  readonly name: string;
  /**
   * Nodes left out of the answer go on to the next rule. Throwing counts as no opinion, which in the end refuses. A rule that
   * knows at once answers at once, without a promise: no timer is set for it. `explaining`: it says what it would, and by what,
   * at once; it asks nobody and notes nothing. What it would ask others about it denies, and says so in `because`.
   */
  ask(question: Question, signal: AbortSignal, explaining?: boolean): Promise<readonly Opinion[]> | readonly Opinion[];
}

const admitted: unique symbol = Symbol("admitted");

/** Leave to read: each target with what was granted of the ask. */
export interface Admitted {
  readonly [admitted]: "read";
  readonly caller: Caller;
  readonly targets: readonly { readonly node: NodeRef; readonly ask: Ask }[];
}

/** Leave to control: each target with the parameter names granted. */
export interface AdmittedControl {
  readonly [admitted]: "control";
  readonly caller: Caller;
  readonly targets: readonly { readonly node: NodeRef; readonly names: readonly string[] }[];
}

/** What decided on one node: undefined when no rule had an opinion on it, which refuses. */
export interface Explained {
  /** Name of the rule. */
  readonly rule: string;
  readonly because: Basis | undefined;
  /** What is left of what was asked; undefined when nothing is. */
  readonly granted: Grant | undefined;
  readonly deny: string | undefined;
}

export interface AdmissionDeps {
  /** Asked in this order. */
  readonly rules: readonly Rule[];
  /** The canonical reference of the node meant, undefined when there is none. */
  readonly find: (ref: NodeRef) => NodeRef | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Which of the nodes the caller may see, by `nodeKey`. */
export type Visible = ReadonlySet<string>;

export interface Admission {
  /** Unknown nodes are simply not visible. A reference without NodeId is the source as such. */
  visible(caller: Caller, nodes: readonly NodeRef[], signal: AbortSignal): Promise<Visible>;
  /**
   * On which of the nodes the caller has the right, by `nodeKey` of the node as it is called here: for lists, and for deciding
   * anew when something is delivered (COM-AUTH-09). What is unknown or invisible is not among them.
   */
  allowed(caller: Caller, right: Right, nodes: readonly NodeRef[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** The same of nodes that were found visible just now. */
  allowedOfVisible: Admission["allowed"];
  /**
   * The nodes as they are called here, each once, in the order given. Throws `Refusal` not-found when any is unknown or
   * invisible, and after that denied when the right is missing on any (COM-ERR-02, COM-ERR-03).
   */
  require(caller: Caller, right: Right, nodes: readonly NodeRef[], signal: AbortSignal): Promise<NodeRef[]>;
  /** Throws `Refusal` not-found when any node is unknown or invisible, denied when nothing is left of the ask. */
  read(caller: Caller, nodes: readonly NodeRef[], ask: Ask, signal: AbortSignal): Promise<Admitted>;
  control(
    caller: Caller,
    nodes: readonly NodeRef[],
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<AdmittedControl>;
  /** Runs the very rules on the question's one node, without asking anybody. Who may hear this is for others to decide. */
  explain(question: Question, signal: AbortSignal): Promise<Explained | undefined>;
}

export function createAdmission({ rules, find, clock, log }: AdmissionDeps): Admission {
  /** What the rules grant, by node; what no rule has an opinion on is not in it. */
  const decide = async (
    question: Question,
    signal: AbortSignal,
    explained?: (what: Explained) => void,
  ): Promise<Map<string, Grant>> => {
    const granted = new Map<string, Grant>();
    // By object, which nearly every rule hands back; the key of a text is made ten thousand times in one request.
    const open = new Set(question.nodes);
    let byKey: Map<string, NodeRef> | undefined;
    const asked = (node: NodeRef): NodeRef | undefined => {
      if (open.has(node)) return node;
      byKey ??= new Map(question.nodes.map(one => [nodeKey(one), one]));
      return byKey.get(nodeKey(node));
    };
    for (const rule of rules) {
      if (open.size === 0) break;
      const nodes = open.size === question.nodes.length ? question.nodes : [...open];
      for (const opinion of await opinionsOf(rule, { ...question, nodes }, signal, explained !== undefined)) {
        const node = asked(opinion.node);
        // Only of what was asked, and only the first word on it: a rule never adds nodes.
        if (node === undefined || !open.delete(node)) continue;
        const grant = "grant" in opinion ? narrowed(question, opinion.grant) : undefined;
        if (grant !== undefined) granted.set(nodeKey(node), grant);
        if (explained !== undefined) {
          const deny = "deny" in opinion ? opinion.deny : undefined;
          explained({ rule: rule.name, because: opinion.because, granted: grant, deny });
        } else if ("deny" in opinion) {
          log.debug("denied", {
            right: question.right,
            caller: question.caller.bareJid,
            rule: rule.name,
            why: opinion.deny,
          });
        }
      }
    }
    return granted;
  };

  const opinionsOf = async (
    rule: Rule,
    question: Question,
    signal: AbortSignal,
    explaining: boolean,
  ): Promise<readonly Opinion[]> => {
    try {
      signal.throwIfAborted();
      using scope = createScope(signal);
      const said = rule.ask(question, scope.signal, explaining);
      return "then" in said ? await within(clock, decisionMs, `rule ${rule.name}`, scope.signal, () => said) : said;
    } catch (error) {
      signal.throwIfAborted();
      // Not a word on the right, but a reason to come back later, which the asker should hear (PROV-CACHE-10).
      if (error instanceof Refusal && error.kind === "busy") throw error;
      log.error("rule-failed", { rule: rule.name, right: question.right, caller: question.caller.bareJid, error });
      return [];
    }
  };

  /** A source as such is known by its name alone. */
  const known = (ref: NodeRef): NodeRef | undefined => (ref.nodeId === "" ? ref : find(ref));

  const canonical = (nodes: readonly NodeRef[]): NodeRef[] => {
    const found = new Map<string, NodeRef>();
    for (const ref of nodes) {
      const node = known(ref);
      if (node === undefined) throw unknownNode();
      found.set(nodeKey(node), node);
    }
    return [...found.values()];
  };

  const having = (caller: Caller, right: Right, nodes: readonly NodeRef[], signal: AbortSignal) =>
    decide({ right, caller, nodes, categories: allCategories, names: [] }, signal);
  const see = (caller: Caller, nodes: readonly NodeRef[], signal: AbortSignal) => having(caller, "view", nodes, signal);

  /** A request as a whole was refused (LOG-AUD-01): lists that leave out what is not to be seen refuse nothing. */
  const noted = (caller: Caller, right: Right, nodes: readonly NodeRef[], had: { has(key: string): boolean }) => {
    const missing = nodes.filter(node => !had.has(nodeKey(node)));
    const more = missing.length > 1 ? { nodes: missing.length } : {};
    log.warning("DecisionDenied", { caller: caller.bareJid, right, node: missing[0], ...more });
  };

  /** The nodes as they are called here, each once, all of them visible: else the whole request is not-found (SD-REQ-07). */
  const requireVisible = async (caller: Caller, refs: readonly NodeRef[], signal: AbortSignal): Promise<NodeRef[]> => {
    const nodes = canonical(refs);
    if (nodes.length === 0) return nodes;
    const seen = await see(caller, nodes, signal);
    if (seen.size === nodes.length) return nodes;
    noted(caller, "view", nodes, seen);
    throw unknownNode();
  };

  const holding = async (caller: Caller, right: Right, refs: readonly NodeRef[], signal: AbortSignal) => {
    const nodes = refs.flatMap(ref => known(ref) ?? []);
    if (nodes.length === 0) return new Set<string>();
    const seen = await see(caller, nodes, signal);
    const visible = nodes.filter(node => seen.has(nodeKey(node)));
    const granted = right === "view" || visible.length === 0 ? seen : await having(caller, right, visible, signal);
    return new Set(granted.keys());
  };

  /** Node and grant in the order asked; `Refusal` denied when nodes were asked for and none is left. */
  const requireGrants = async (question: Question, signal: AbortSignal) => {
    const granted = await decide(question, signal);
    const left = question.nodes.flatMap(node => {
      const grant = granted.get(nodeKey(node));
      return grant === undefined ? [] : [{ node, grant }];
    });
    if (left.length === 0 && question.nodes.length > 0) {
      noted(question.caller, question.right, question.nodes, granted);
      throw denied(question.right);
    }
    return left;
  };

  return {
    visible: (caller, refs, signal) => holding(caller, "view", refs, signal),
    allowed: holding,
    allowedOfVisible: async (caller, right, nodes, signal) =>
      new Set((await having(caller, right, nodes, signal)).keys()),
    async require(caller, right, refs, signal) {
      const nodes = await requireVisible(caller, refs, signal);
      if (right === "view" || nodes.length === 0) return nodes;
      const had = await having(caller, right, nodes, signal);
      if (had.size === nodes.length) return nodes;
      noted(caller, right, nodes, had);
      throw denied(right);
    },
    async read(caller, refs, ask, signal) {
      const nodes = await requireVisible(caller, refs, signal);
      const { categories, names } = ask;
      const left = await requireGrants({ right: "read", caller, nodes, categories, names }, signal);
      return Object.freeze({
        [admitted]: "read" as const,
        caller,
        targets: Object.freeze(left.map(({ node, grant }) => Object.freeze({ node, ask: { ...ask, ...grant } }))),
      });
    },
    async control(caller, refs, names, signal) {
      const nodes = await requireVisible(caller, refs, signal);
      const left = await requireGrants({ right: "control", caller, nodes, categories: allCategories, names }, signal);
      return Object.freeze({
        [admitted]: "control" as const,
        caller,
        targets: Object.freeze(left.map(({ node, grant }) => Object.freeze({ node, names: grant.names }))),
      });
    },
    async explain(question, signal) {
      let what: Explained | undefined;
      await decide(question, signal, one => {
        what ??= one;
      });
      return what;
    },
  };
}

const refusedTo: Readonly<Record<Right, string>> = {
  view: "You may not view this; the owner can allow it.",
  read: "You may not read this; the owner can allow it.",
  control: "You may not control this; the owner can allow it.",
  edit: "You may not change this; the owner of the appliance can allow it.",
  add: "You may not add anything here; the owner of the appliance can allow it.",
  destroy: "You may not remove this; the owner of the appliance can allow it.",
  execute: "You may not run commands of this; its owner can allow it.",
  sniff: "You may not listen in on this; the owner of the appliance can allow it.",
};
const denied = (right: Right): Refusal => new Refusal("denied", refusedTo[right]);

/** The same words for what is not there and for what is not to be seen (COM-ERR-02). */
const unknownNode = (): Refusal => new Refusal("not-found", "There is no such node.");
