// What the registry was told of each thing since the log-in, and what it would not have.

import { type NodeRef, nodeKey, type Tag } from "#contract/node.ts";

/** What this log-in has done for one thing. */
export interface Told {
  confirmed: boolean;
  /** Monotonic. */
  notBefore: number;
  /** The tags the registry refused: others may be offered at once. */
  refused: readonly Tag[] | undefined;
}

export function createTold() {
  const progress = new Map<string, Told>();
  return {
    of(ref: NodeRef): Told {
      const known = progress.get(nodeKey(ref));
      if (known) return known;
      const made: Told = { confirmed: false, notBefore: 0, refused: undefined };
      progress.set(nodeKey(ref), made);
      return made;
    },
    forget: (ref: NodeRef) => void progress.delete(nodeKey(ref)),
    /** All are to be told again; what was refused is remembered. */
    startAnew() {
      for (const one of progress.values()) {
        one.confirmed = false;
        one.notBefore = 0;
      }
    },
  };
}
