// Rules to a decision to `Admitted`: nothing is touched before it is admitted, and only this file can make the value that
// reading and controlling require. Rules are asked in order; the first opinion on a node wins; silence is refusal.

import type { Caller } from "./contract/caller.ts";
import type { Ask, Categories } from "./contract/field.ts";
import type { NodeRef } from "./contract/node.ts";

export type Right = "view" | "read" | "control";

/** May this caller read these fields, or control these parameters, of these nodes? `names` empty = all of them. */
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

/** One rule's opinion on one node of the question. `deny` says why, for the log and for `isthmus why`, never for the caller. */
export type Opinion = { readonly node: NodeRef } & ({ readonly grant: Grant } | { readonly deny: string });

export interface Rule {
  /** For the log: "owner", "local", "provisioning". */
  readonly name: string;
  /** Nodes left out of the answer go on to the next rule. Throwing counts as no opinion, which in the end refuses. */
  ask(question: Question, signal: AbortSignal): Promise<readonly Opinion[]>;
}

declare const admitted: unique symbol;

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
