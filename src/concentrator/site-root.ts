// The node at the top of a source, below which everything else hangs: a client of these interfaces can only add below a node
// it can name, so an empty appliance must have one (CON-NEW-02). It does nothing and is nobody's to remove.

import * as z from "zod";
import type { NodeType } from "./contract/driver.ts";
import type { NodeRef } from "./contract/node.ts";
import type { NodeRecord, NodeStore } from "./records.ts";

export const siteType: NodeType = {
  name: "site",
  title: "Site",
  parents: [],
  settings: z.object({}),
  root: true,
  inherits: [],
  open: async () => ({ async [Symbol.asyncDispose]() {} }),
};

/** The root a source is to have when it has none yet. */
export interface SourceRoot {
  readonly ref: NodeRef;
  readonly displayName: string;
}

/** Puts the root into the store where it is missing, and what stood at the top of its source below it. */
export function ensureRoots(store: NodeStore, roots: readonly SourceRoot[], now: number): void {
  if (roots.length === 0) return;
  const records = store.load();
  for (const { ref, displayName } of roots) {
    const top = records.filter(one => one.ref.sourceId === ref.sourceId && one.parent === undefined);
    let root = top.find(one => one.type === siteType.name);
    if (root === undefined) {
      root = newRoot(freeName(ref, records), displayName, now);
      store.insert([root]);
    }
    const { ref: parent } = root;
    const orphans = top.filter(one => one.type !== siteType.name);
    store.replace(orphans.map(one => ({ ref: one.ref, record: { ...one, parent } })));
  }
}

const newRoot = (ref: NodeRef, displayName: string, now: number): NodeRecord => ({
  ref,
  parent: undefined,
  type: siteType.name,
  settings: {},
  displayName,
  tags: [],
  position: 0,
  createdAt: now,
  changedAt: now,
});

/** A site of before may use the name already. */
function freeName(ref: NodeRef, records: readonly NodeRecord[]): NodeRef {
  const taken = new Set(records.filter(one => one.ref.sourceId === ref.sourceId).map(one => one.ref.nodeId));
  let nodeId = ref.nodeId;
  for (let count = 2; taken.has(nodeId); count++) nodeId = `${ref.nodeId}-${count}`;
  return { ...ref, nodeId };
}
