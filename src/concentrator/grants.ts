// Roles that owners gave to other people, as they survive a power cut: the port between those who decide by them and the
// store. Types only.

import type { NodeRef } from "./contract/node.ts";

/**
 * installer: sets the site up and sees to it, without reading what somebody owns · viewer: sees and reads, and no more.
 */
export const roleNames = ["installer", "viewer"] as const;
export type Role = (typeof roleNames)[number];

export interface Grant {
  /** Who has the role. Bare, normalised. */
  readonly jid: string;
  readonly role: Role;
  /** It holds there and below; `rootRef` is the whole appliance. */
  readonly node: NodeRef;
  /** Who gave it. Bare, normalised. It holds as long as he owns what he gave it as owner of. */
  readonly by: string;
  /** As whose owner he gave it: of the appliance, or of `node`. */
  readonly as: "appliance" | "node";
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  /** From then on it is over; undefined = until it is taken back. */
  readonly until: number | undefined;
}

/** Every write is on the disk when the call returns. One grant a (jid, role, node, by): a second replaces the first. */
export interface GrantStore {
  all(): Grant[];
  put(grant: Grant): void;
  /** In one commit. Joins a transaction that is open. */
  delete(grants: readonly Grant[]): void;
}
