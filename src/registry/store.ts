// What the registry keeps, behind one interface: SQLite today (sqlite/), another database for another scale. Reads see
// committed states only; what belongs together is changed in one transaction.

import type { NodeRef, Tag } from "#contract/node.ts";
import type { Dialect } from "#iot/old-discovery.ts";
import type { Expression } from "./regex.ts";
import type { TokenReads, TokenWrites } from "./token-records.ts";

/** The states of a thing that has a record (discovery.md, section 3). orphaned: disowned, waiting to register anew. */
export type ThingState = "unclaimed" | "orphaned" | "public" | "private" | "removed" | "selfOwned" | "disowning";

export interface Thing {
  /** Counts up with first registration: the stable order of searches (DISCO-SEARCH-03). */
  readonly id: number;
  /** Bare, normalised. */
  readonly jid: string;
  readonly ref: NodeRef;
  readonly state: ThingState;
  /** Bare JID; undefined when nobody owns it. */
  readonly owner: string | undefined;
  /** The state before `disowning`. */
  readonly prior: ThingState | undefined;
}

export type DecisionKind = "friend" | "read" | "control";
export type OriginKind = "caller" | "user" | "device" | "service" | "domain" | "all";

export interface Origin {
  readonly kind: OriginKind;
  /** JID, token or domain; "" for all. */
  readonly value: string;
}

/** What is granted at most. `names` undefined = every name; `categories` is a mask of contract/field.ts. */
export interface Limit {
  readonly categories: number;
  readonly names: readonly string[] | undefined;
}

export interface Rule extends Limit {
  readonly origin: Origin;
  readonly allow: boolean;
}

export interface OwnedRule {
  readonly thing: Pick<Thing, "jid" | "ref">;
  readonly kind: DecisionKind;
  readonly rule: Rule;
}

export interface QuestionTokens {
  readonly service: readonly string[];
  readonly device: readonly string[];
  readonly user: readonly string[];
}

/** A question to an owner. `names` empty = all. Times in milliseconds since 1970 UTC; `sentAt` 0 = not delivered yet. */
export interface Question {
  readonly key: string;
  readonly thing: number;
  readonly kind: DecisionKind;
  readonly remote: string;
  readonly owner: string;
  readonly tokens: QuestionTokens;
  readonly categories: number;
  readonly names: readonly string[];
  readonly askedAt: number;
  readonly sentAt: number;
  readonly tries: number;
  readonly open: boolean;
}

export type PushKind = "claimed" | "removed" | "clearCache";

/** A push that its device has not acknowledged. `due` undefined: waits for a sign of life. */
export interface Pending {
  readonly id: number;
  readonly jid: string;
  readonly what: PushKind;
  readonly ref: NodeRef;
  /** Of `claimed` alone. */
  readonly owner: string | undefined;
  readonly isPublic: boolean;
  readonly tries: number;
}

/** One entry of the component's roster. `to`: we receive their presence; `from`: they receive ours. */
export interface Peer {
  readonly jid: string;
  /** Last used by this JID (DISCO-NS-02). */
  readonly generation: Dialect;
  readonly to: "none" | "asked" | "both";
  readonly from: boolean;
}

export interface Bound<T> {
  readonly value: T;
  readonly included: boolean;
}

/** One search operator in normal form; `name` in upper case, `nameWildcard` the text in it that stands for any run. */
export type Criterion = { readonly name: string; readonly nameWildcard: string | undefined } & (
  | {
      readonly type: "str" | "num";
      /** Within the interval, or outside of it. */
      readonly outside: boolean;
      readonly min: Bound<string | number> | undefined;
      readonly max: Bound<string | number> | undefined;
    }
  | { readonly type: "mask"; readonly mask: string; readonly wildcard: string }
  | { readonly type: "regex"; readonly expression: Expression }
);

export interface Page {
  readonly offset: number;
  readonly count: number;
}

export interface Reads extends TokenReads {
  thing(jid: string, ref: NodeRef): Thing | undefined;
  thingById(id: number): Thing | undefined;
  /** Things of that JID owned by the owner. */
  thingsOf(jid: string, owner: string): readonly Thing[];
  /** In order of `id`. */
  thingsOwned(owner: string, offset: number, count: number): readonly Thing[];
  /** Unclaimed things with that digest, two at most: one too many is enough to know. Empty parts of `ref` are any. */
  claimable(digest: Uint8Array, ref: NodeRef | undefined): readonly Thing[];
  countThings(jid: string): number;
  hasThings(jid: string): boolean;
  ownsAnything(owner: string): boolean;
  tagsOf(things: readonly number[]): ReadonlyMap<number, readonly Tag[]>;

  /** The thing that stands for the whole JID when friendship is decided: the root when it is registered and owned, else the node claimed first. */
  friendThing(jid: string): Thing | undefined;
  /** One entry a node: its thing, and the rules of that kind whose origin is among `origins`. */
  decisions(
    jid: string,
    refs: readonly NodeRef[],
    kind: DecisionKind,
    origins: readonly Origin[],
  ): readonly { thing: Thing | undefined; rules: readonly Rule[] }[];
  rulesOf(thing: number, kind: DecisionKind, origins: readonly Origin[]): readonly Rule[];
  countRules(thing: number): number;
  /** Of all things of that owner, newest first. */
  rulesOwned(owner: string, count: number): readonly OwnedRule[];

  question(key: string): Question | undefined;
  openQuestion(thing: number, kind: DecisionKind, remote: string): Question | undefined;
  openQuestionsOf(thing: number, kind: DecisionKind): readonly Question[];
  /** Open questions of an owner, oldest first, last sent before `sentBefore`. */
  openQuestions(owner: string, sentBefore: number, count: number): readonly Question[];
  countOpen(of: { thing: number } | { owner: string; domain?: string }): number;
  /** Owners with questions never delivered, after that one in order of JIDs. */
  ownersUnasked(after: string, count: number): readonly string[];

  pendingOf(jid: string): readonly Pending[];
  /** JIDs with a push due by then. */
  pendingDue(by: number, count: number): readonly string[];
  nextDue(): number | undefined;
  peer(jid: string): Peer | undefined;
  /** Peers whose presence we receive, after that JID in order of JIDs. */
  peersAfter(jid: string, count: number): readonly Peer[];
}

export interface Writes extends TokenWrites {
  insertThing(
    jid: string,
    ref: NodeRef,
    state: ThingState,
    owner: string | undefined,
    digest: Digest,
    at: number,
  ): number;
  setThing(
    id: number,
    state: ThingState,
    owner: string | undefined,
    digest: Digest,
    claimedAt: number | undefined,
  ): void;
  /** To `disowning`, remembering what it was. */
  beginDisown(id: number): void;
  /** Back from `disowning`. */
  restoreDisown(id: number): void;
  /** After a start: no disown is under way. */
  restoreDisowns(): void;
  /** With tags, rules, questions and pending pushes. */
  deleteThing(thing: Thing): void;
  replaceTags(thing: number, tags: readonly Tag[]): void;
  putTag(thing: number, tag: Tag): void;
  deleteTag(thing: number, name: string): void;

  putRule(thing: number, kind: DecisionKind, rule: Rule, key: string, at: number): void;
  /** The rule that the question of this key was answered with, whoever it is for. */
  takeBackAnswer(thing: number, key: string): void;
  /** Every rule and question of the thing. */
  forgetDecisions(thing: number): void;
  insertQuestion(question: Omit<Question, "open">): void;
  /** What is asked, before its first delivery. */
  widenQuestion(key: string, categories: number, names: readonly string[]): void;
  /** `sentAt` 0: it came back. */
  questionSent(key: string, sentAt: number, tries: number): void;
  closeQuestion(key: string): void;
  /** Questions asked before: their keys are dead. */
  deleteQuestionsBefore(askedAt: number): void;

  /** Replaces one of the same kind for the same node, and goes to the end of the line. */
  putPending(push: Omit<Pending, "id" | "tries">, due: number | undefined): void;
  deletePending(ids: readonly number[]): void;
  deletePendingOf(jid: string, ref: NodeRef, what: readonly PushKind[]): void;
  deferPending(jid: string, tries: number, due: number | undefined): void;
  /** One `clearCache` for each device with an owner that speaks nf or ieee, or never told (PROV-CLEAR-05). */
  clearEveryDevice(): void;

  putPeer(peer: Peer): void;
}

/** SHA-256 over the canonical tags with KEY; undefined = cannot be claimed. */
export type Digest = Uint8Array | undefined;

export type Promised<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<R> : never;
};

export type Records = Promised<Reads & Writes>;

export interface RegistryStore extends Promised<Reads>, AsyncDisposable {
  /**
   * Runs `work` alone, all or nothing: when it throws nothing has changed. `work` uses the records it is given and waits
   * for nothing else, for everybody else waits for it.
   */
  change<T>(work: (records: Records) => Promise<T>): Promise<T>;
  /**
   * Public and self-owned things that satisfy every criterion, in order of `id`. May take several turns, and throws
   * `Refusal` busy when no index helps and too much would have to be looked through. Rejects when aborted.
   */
  search(criteria: readonly Criterion[], page: Page, signal: AbortSignal): Promise<readonly Thing[]>;
}
