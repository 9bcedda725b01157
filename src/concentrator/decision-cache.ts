// What was learned from the provisioning service, as it survives a restart (PROV-CACHE-01…09): the port between those who
// remember and the store. Types only.

import type { NodeRef } from "./contract/node.ts";

export type DecisionKind = "isFriend" | "canRead" | "canControl";

/** The question, in one canonical form. */
export interface DecisionKey {
  readonly kind: DecisionKind;
  readonly node: NodeRef;
  /** Bare JID of who asked. */
  readonly caller: string;
  /** Digest of the tokens he showed, sorted and without repeats; "" for none. */
  readonly tokens: string;
  /** Mask of the categories asked for; 0 except for canRead. */
  readonly categories: number;
  /** Sorted, without repeats; [] = all. */
  readonly names: readonly string[];
}

export interface Decision extends DecisionKey {
  readonly allow: boolean;
  /** Of those asked for. */
  readonly grantedCategories: number;
  /** Of those asked for; undefined = as asked. */
  readonly grantedNames: readonly string[] | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly fetchedAt: number;
  /** From then on it is as if never heard. */
  readonly expiresAt: number;
  /** How often in a row this was denied; each time for longer. */
  readonly denials: number;
}

/** Every write is on the disk when the call returns. */
export interface DecisionStore {
  /** What is known of this service about us; what came from another one, or was told to another account, is deleted. */
  open(service: string, account: string): Decision[];
  /** In one commit. Replaces those of the same key. */
  put(decisions: readonly Decision[]): void;
  delete(decisions: readonly DecisionKey[]): void;
  /** Deletes those about the node and every isFriend; without a node, all. Bumps the epoch in the same commit. */
  clear(node?: NodeRef): void;
  /** Counts clears, over restarts. */
  readonly epoch: number;
}
