// What an opinion of a rule goes by, for `isthmus why`: who gave what and when, how long it holds, what is remembered of the
// service's answers. Types only; the words are why-sentences.ts.

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
