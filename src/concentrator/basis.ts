// What an opinion of a rule goes by, for `isthmus why`: who gave what and when, how long it holds, what is remembered of the
// service's answers. Types only; the words are why-sentences.ts and why-tokens.ts.

import type { Tokens } from "./contract/caller.ts";
import type { Decision } from "./decision-cache.ts";
import type { Grant as Role } from "./grants.ts";

/** Times are milliseconds since 1970 UTC. */
export type Basis =
  | { readonly kind: "owner"; readonly of: "node" | "appliance" | "something" }
  /** It is the service itself, or the registry. */
  | { readonly kind: "decider" | "registry" }
  | { readonly kind: "role"; readonly role: Role }
  | { readonly kind: "contact" }
  | ServiceBasis;

export interface ServiceBasis {
  readonly kind: "service";
  /** JID of who decides for the owner. */
  readonly service: string;
  /** decided: by what it said · open: it would be asked now. */
  readonly state: "decided" | "open";
  /** The answer that decides, or that there was. */
  readonly known: Remembered | undefined;
  /** The last attempt to ask this came to nothing. */
  readonly failed: FailedQuestion | undefined;
  /** This very question is on its way. */
  readonly isAsked: boolean;
}

/** An answer of the service as it is remembered. */
export interface Remembered {
  readonly decision: Decision;
  /** Learned before a longer absence or a restart: asked for again where that is possible. */
  readonly isOlder: boolean;
}

export interface FailedQuestion {
  readonly at: number;
  readonly failed: "away" | "invalid" | "refused" | "overtaken";
}

/** A token somebody showed with his last request of a kind. Knowing all of it is worth little, and still nobody is told. */
export interface ShownToken {
  readonly kind: keyof Tokens;
  readonly issuer: string;
  /** Enough of it to tell it from others. */
  readonly short: string;
  readonly counts: boolean;
  /** When its holder last proved to have the key; undefined: not since the start. */
  readonly provenAt: number | undefined;
  /** Undefined when it counts. */
  readonly dropped: TokenDropped | undefined;
}

/**
 * off: the appliance takes none · foreign: issued by another service · malformed: no token at all · open: not asked for its proof,
 * or too long ago · and what came of asking: unknown to its issuer, who could be away; its certificate not valid; its holder
 * did not answer, refused, or has another key.
 */
export type TokenDropped =
  | { readonly why: "off" | "foreign" | "malformed" | "open" }
  | { readonly why: TokenFailure; readonly at: number };
export type TokenFailure = "unknown" | "away" | "certificate" | "unanswered" | "refused" | "wrong";

/** The tokens of somebody's last request of a kind, and what became of them. */
export interface TokenEvidence {
  readonly at: number;
  /** As shown, for asking again. */
  readonly tokens: Tokens;
  /** Of those that count, as decisions are kept by. */
  readonly digest: string;
  readonly shown: readonly ShownToken[];
}
