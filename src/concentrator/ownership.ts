// Who owns which thing, as it survives a power cut: the port between the talk with the registry and the store. Types only.

import type { NodeRef, Tag } from "./contract/node.ts";

/** unregistered: the registry has not taken it yet · registered: taken, nobody owns it · claimed: it has an owner. */
export type ThingState = "unregistered" | "registered" | "claimed";

export interface ThingRecord {
  readonly ref: NodeRef;
  readonly state: ThingState;
  /** Bare JID; only when claimed. */
  readonly owner: string | undefined;
  /** Claimed things only: found by searches, so its tags are kept up to date. Undefined: the registry did not say. */
  readonly isPublic: boolean | undefined;
  /** False once the owner took it out of the registry: it stays his, but nothing is told of it any more. */
  readonly inRegistry: boolean;
  /** The secret of a claim; new for every epoch of being unowned, erased by the claim. */
  readonly key: string | undefined;
  /** The registry that took it. */
  readonly registry: string | undefined;
  /** As the registry last took them, without KEY: a claim has to name exactly these. */
  readonly tags: readonly Tag[];
  /** The node is gone here; the registry is still to be told. */
  readonly leaving: boolean;
}

/** A service of the own domain, remembered so that it is known, and can be waited for, while it is away. */
export interface KnownService {
  readonly jid: string;
  /** Name of the generation spoken with it. */
  readonly generation: string;
}
/** eventLog: where the owner wants events sent; an empty JID for nowhere. */
export type ServiceRole = "registry" | "provisioning" | "eventLog";

/** Every write is on the disk when the call returns. */
export interface OwnershipStore {
  all(): ThingRecord[];
  put(record: ThingRecord): void;
  delete(ref: NodeRef): void;
  service(role: ServiceRole): KnownService | undefined;
  rememberService(role: ServiceRole, service: KnownService): void;
  /** All writes of `work`, to this store and to the decisions beside it, in one commit or none. */
  atomically<T>(work: () => T): T;
}

/** A thing and who owned it. */
export interface Parted {
  readonly thing: NodeRef;
  readonly owner: string;
}

/** What is left to do when an owner is gone, until it is done. Every write is on the disk when the call returns. */
export interface PartingStore {
  /** Joins a transaction that is open. */
  begin(parted: Parted): void;
  partings(): Parted[];
  done(parted: Parted): void;
  /** Who is to be taken off the list of contacts; "" stands for all who were on it. */
  farewells(): string[];
  addFarewell(jid: string): void;
  removeFarewell(jid: string): void;
}
