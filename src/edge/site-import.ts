// A site comes into the tree: from the site file at the first start, or as text over the network.

import type { Tree } from "#concentrator/tree.ts";
import type { Site } from "#config.ts";
import { Refusal } from "#contract/faults.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";

export interface Imported {
  readonly created: readonly NodeRef[];
  readonly present: readonly NodeRef[];
}

/**
 * What is not there yet is created, all of it or nothing; what is there stays as it is. The node at the top is always there: it
 * takes the name of the site that comes into it while nothing hangs below it. Throws `Refusal`.
 */
export function importSite(tree: Pick<Tree, "sources" | "import" | "edit">, { id, name, nodes }: Site): Imported {
  const source = tree.sources.get(meteringTopology);
  const root = [...(source?.roots ?? [])].find(one => one.type?.root);
  const isEmpty = root !== undefined && root.children.size === 0;
  const nodeId = id ?? root?.ref.nodeId ?? "";
  if (isEmpty && nodes.some(one => hasId(one, nodeId))) {
    throw new Refusal("conflict", `${nodeId}: the site and a node below it cannot have the same id.`);
  }
  const imported = tree.import(meteringTopology, nodes);
  if (isEmpty) {
    const { record, ref } = root;
    const { settings, tags, options = {} } = record;
    const displayName = name ?? record.displayName;
    tree.edit([{ node: ref, nodeId, displayName, settings, tags, options }]);
  }
  return imported;
}

const hasId = (node: Site["nodes"][number], id: string): boolean =>
  node.id === id || (node.nodes ?? []).some(one => hasId(one, id));
