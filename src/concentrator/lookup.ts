// Sources and nodes as one caller may see them. What he may not see is the same as what is not there (COM-ERR-02).

import type { Admission, Visible } from "./admission.ts";
import type { Concentrator, NodeInfo, SourceInfo } from "./concentrator.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import { meteringTopology, type NodeRef, nodeKey } from "./contract/node.ts";
import type { TreeNode, TreeSource } from "./forest.ts";
import { infoOf, inheritanceOf, kindsOf } from "./node-info.ts";
import type { Tree } from "./tree.ts";

export interface LookupDeps {
  readonly tree: Pick<Tree, "find" | "sources" | "catalogue">;
  readonly visible: Admission["visible"];
  readonly allowedOfVisible: Admission["allowedOfVisible"];
}

export type Lookup = Pick<
  Concentrator,
  | "sources"
  | "rootSources"
  | "childSources"
  | "contains"
  | "node"
  | "allNodes"
  | "rootNodes"
  | "childNodes"
  | "ancestors"
  | "inheritance"
>;

/** These rules answer from memory; nobody waits, so nobody leaves. */
const never = new AbortController().signal;

export function createLookup({ tree, visible, allowedOfVisible }: LookupDeps): Lookup {
  const { find, sources, catalogue } = tree;

  const seen = (caller: Caller, nodes: Iterable<TreeNode>): Promise<Visible> =>
    visible(
      caller,
      Array.from(nodes, node => node.ref),
      never,
    );
  const isIn = (set: Visible) => (node: TreeNode) => set.has(nodeKey(node.ref));

  const nodeFor = async (caller: Caller, ref: NodeRef): Promise<TreeNode> => {
    const node = find(ref);
    if (node === undefined || (await seen(caller, [node])).size === 0) throw unknownNode();
    return node;
  };

  /** Infos of those of the nodes that are seen, in the order given. */
  const infos = async (caller: Caller, nodes: readonly TreeNode[]): Promise<NodeInfo[]> => {
    const around = new Set<TreeNode>();
    for (const node of nodes) {
      around.add(node);
      if (node.parent !== undefined) around.add(node.parent);
      for (const child of node.children) around.add(child);
    }
    const sees = isIn(await seen(caller, around));
    const shown = nodes.filter(sees);
    // Every node has commands; which there are for a caller depends on his right to execute any (CON-NI-04).
    const refs = shown.map(node => node.ref);
    const executes = isIn(await allowedOfVisible(caller, "execute", refs, never));
    return shown.map(node => infoOf(node, catalogue, sees, executes));
  };

  const sourceFor = async (caller: Caller, sourceId: string): Promise<TreeSource> => {
    const source = sources.get(sourceId === "" ? meteringTopology : sourceId);
    if (source === undefined || !(await seesSource(caller, source)))
      throw new Refusal("not-found", "There is no such source.");
    return source;
  };

  const seesSource = async (caller: Caller, { sourceId, nodes }: TreeSource): Promise<boolean> => {
    const asSuch: NodeRef = { nodeId: "", sourceId, partition: "" };
    if ((await visible(caller, [asSuch], never)).size > 0) return true;
    // Who sees any sees, as a rule, one of the first: the others are looked at only for those who see little.
    const all = [...nodes.values()];
    for (let from = 0, many = 1; from < all.length; from += many, many *= 8) {
      if ((await seen(caller, all.slice(from, from + many))).size > 0) return true;
    }
    return false;
  };

  const allSources = async (caller: Caller): Promise<SourceInfo[]> => {
    const list: SourceInfo[] = [];
    for (const source of sources.values()) {
      if (!(await seesSource(caller, source))) continue;
      const { sourceId, name, lastChanged } = source;
      list.push({ sourceId, name, hasChildren: false, ...(lastChanged === undefined ? {} : { lastChanged }) });
    }
    return list;
  };

  return {
    sources: allSources,
    rootSources: allSources,
    async childSources(caller, sourceId) {
      await sourceFor(caller, sourceId);
      return [];
    },
    async contains(caller, ref) {
      const node = find(ref);
      return node !== undefined && (await seen(caller, [node])).size > 0;
    },
    async node(caller, ref) {
      const node = find(ref);
      const [info] = node === undefined ? [] : await infos(caller, [node]);
      if (info === undefined) throw unknownNode();
      return info;
    },
    async allNodes(caller, sourceId, types) {
      const source = await sourceFor(caller, sourceId);
      const wanted = new Set(types);
      for (const type of wanted) {
        if (!catalogue.knows(type)) throw new Refusal("not-found", `There is no node type ${type}.`);
      }
      const nodes = breadthFirst(source.roots);
      return infos(
        caller,
        wanted.size === 0 ? nodes : nodes.filter(node => kindsOf(node).some(kind => wanted.has(kind))),
      );
    },
    async rootNodes(caller, sourceId) {
      const source = await sourceFor(caller, sourceId);
      const roots = await infos(caller, [...source.roots]);
      if (roots.length > 0) return roots;
      // Who owns a single meter sees neither its line nor the root: his topmost nodes are his roots (CON-ROOT-02).
      const all = breadthFirst(source.roots);
      const sees = isIn(await seen(caller, all));
      return infos(
        caller,
        all.filter(node => sees(node) && !above(node).some(sees)),
      );
    },
    childNodes: async (caller, ref) => infos(caller, [...(await nodeFor(caller, ref)).children]),
    async ancestors(caller, ref) {
      const node = await nodeFor(caller, ref);
      const chain = [node, ...above(node)];
      const sees = isIn(await seen(caller, chain));
      const hidden = chain.findIndex(one => !sees(one));
      return infos(caller, hidden < 0 ? chain : chain.slice(0, hidden));
    },
    inheritance: async (caller, ref) => inheritanceOf(await nodeFor(caller, ref)),
  };
}

function breadthFirst(roots: Iterable<TreeNode>): TreeNode[] {
  const nodes = [...roots];
  // The list grows while it is walked: children come after all of the level above.
  for (const node of nodes) nodes.push(...node.children);
  return nodes;
}

/** From the parent to the root. */
function above(node: TreeNode): TreeNode[] {
  const chain: TreeNode[] = [];
  for (let one = node.parent; one !== undefined; one = one.parent) chain.push(one);
  return chain;
}

const unknownNode = (): Refusal => new Refusal("not-found", "There is no such node.");
