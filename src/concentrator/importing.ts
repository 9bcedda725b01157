// Nodes that come into the tree together: a site from a file or as text, and what a device has found on its line. All of it or
// nothing; what is there already stays as it is.

import type { Clock } from "#base/clock.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Added, ChildNode } from "./contract/driver.ts";
import { Refusal } from "./contract/faults.ts";
import type { NodeRef } from "./contract/node.ts";
import type { Forest, TreeNode } from "./forest.ts";
import { createPlan, type NewNode, type Place, type Planned } from "./planning.ts";
import type { SiteNode } from "./tree.ts";

export interface ImportingDeps {
  readonly forest: Forest;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  /** Stored, applied, opened. */
  readonly apply: (planned: readonly Planned[]) => NodeRef[];
}

export function createImporting({ forest, catalogue, clock, apply }: ImportingDeps) {
  const into = (sourceId: string, parent: Place["parent"], nodes: readonly SiteNode[]) => {
    const plan = createPlan(forest, catalogue, clock.now());
    const present: NodeRef[] = [];
    const visit = (below: Place["parent"], list: readonly SiteNode[], above: string) => {
      for (const one of list) {
        const path = `${above}${one.id}`;
        const known = forest.sources.get(sourceId)?.nodes.get(one.id);
        if (known !== undefined) present.push(known.ref);
        const next = known ?? saying(path, () => plan.add({ sourceId, parent: below }, asNewNode(one)));
        visit(next, one.nodes ?? [], `${path}/`);
      }
    };
    visit(parent, nodes, "");
    return { created: apply(plan.planned), present };
  };
  return {
    site: (sourceId: string, nodes: readonly SiteNode[]) => into(sourceId, forest.rootOf(sourceId), nodes),
    below(node: TreeNode, children: readonly ChildNode[]): Added {
      if (forest.find(node.ref) !== node) throw new Refusal("not-found", "The node is not there any more.");
      const { created, present } = into(node.ref.sourceId, node, children);
      return { created: created.map(({ nodeId }) => nodeId), present: present.map(({ nodeId }) => nodeId) };
    },
  };
}

/** In a file of hundreds of nodes a refusal is of use only with its place. */
function saying<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(error.kind, `${path}: ${error.message}`, error.parameters) : error;
  }
}

const asNewNode = (one: SiteNode): NewNode => ({
  type: one.type,
  nodeId: one.id,
  settings: one.settings ?? {},
  displayName: one.name ?? one.id,
  tags: Object.entries(one.tags ?? {}).map(([name, value]) => ({ name, value })),
  options: {
    ...(one.registered === false ? { registered: false } : {}),
    ...(one.historyDays === undefined ? {} : { historyDays: one.historyDays }),
  },
});
