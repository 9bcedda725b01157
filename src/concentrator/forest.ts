// The nodes in memory: sources, roots, children, each found in one step. It knows where a node stands, not what it does.

import type { ControlParameter } from "./contract/control.ts";
import type { Device, NodeType } from "./contract/driver.ts";
import { applianceSource, meteringTopology, type NodeMessage, type NodeRef, withKey } from "./contract/node.ts";
import type { NodeRecord } from "./records.ts";

/** The device of a node as long as it is open; `signal` aborts, with the fault as its reason, when it goes away. */
export interface Opened {
  readonly device: Device;
  readonly signal: AbortSignal;
}

export interface TreeNode {
  /** Replaced, with what is made of it, when the node is edited. */
  record: NodeRecord;
  ref: NodeRef;
  /** Undefined when no driver of this program has the type any more. */
  readonly type: NodeType | undefined;
  /** As the type's schema gives them; undefined when they no longer pass it. */
  settings: Readonly<Record<string, unknown>> | undefined;
  readonly parent: TreeNode | undefined;
  /** In sibling order. */
  readonly children: Set<TreeNode>;
  /** By event id, oldest first. */
  readonly messages: Map<string, NodeMessage>;
  changedAt: number;
  /** What the device could do when it was last open: a form may show it while the line is down. */
  readable: boolean;
  parameters: readonly ControlParameter[];
  opened: Opened | undefined;
}

export interface TreeSource {
  readonly sourceId: string;
  readonly name: string;
  readonly roots: Set<TreeNode>;
  readonly nodes: Map<string, TreeNode>;
  lastChanged: number | undefined;
}

export interface Forest {
  readonly sources: ReadonlyMap<string, TreeSource>;
  /**
   * The node meant by a reference. No source means the field devices (COM-ID-02). A NodeId is unique in its source, so a
   * reference without partition means it too; a wrong partition means nothing.
   */
  find(ref: NodeRef): TreeNode | undefined;
  add(record: NodeRecord, type: NodeType | undefined, settings: TreeNode["settings"]): TreeNode;
  /** The node alone; its children must have gone before. */
  remove(node: TreeNode): void;
  /** The node is what the record says, under the name it says. Its children's records follow. */
  replace(node: TreeNode, record: NodeRecord, settings: TreeNode["settings"]): void;
  /** The node and its siblings in the order given; all of them must be in it. */
  order(siblings: readonly TreeNode[]): void;
  /** The node all others of the source hang below, where there is one. */
  rootOf(sourceId: string): TreeNode | undefined;
  readonly size: number;
}

export function createForest(): Forest {
  const sources = new Map<string, TreeSource>(
    [
      { sourceId: meteringTopology, name: "Field devices" },
      { sourceId: applianceSource, name: "The appliance itself" },
    ].map(one => [one.sourceId, { ...one, roots: new Set(), nodes: new Map(), lastChanged: undefined }]),
  );
  let size = 0;

  return {
    sources,
    find(ref) {
      const node = sources.get(ref.sourceId === "" ? meteringTopology : ref.sourceId)?.nodes.get(ref.nodeId);
      return node !== undefined && (ref.partition === "" || ref.partition === node.ref.partition) ? node : undefined;
    },
    add(record, type, settings) {
      const source = sources.get(record.ref.sourceId);
      if (source === undefined) throw new Error(`no source ${record.ref.sourceId}`);
      const parent = record.parent && source.nodes.get(record.parent.nodeId);
      const node: TreeNode = {
        record,
        ref: withKey(record.ref),
        type,
        settings,
        parent,
        children: new Set(),
        messages: new Map(),
        changedAt: record.changedAt,
        readable: type?.thing === true,
        parameters: [],
        opened: undefined,
      };
      source.nodes.set(record.ref.nodeId, node);
      (parent?.children ?? source.roots).add(node);
      size++;
      return node;
    },
    remove(node) {
      const source = sources.get(node.ref.sourceId);
      source?.nodes.delete(node.ref.nodeId);
      (node.parent?.children ?? source?.roots)?.delete(node);
      size--;
    },
    replace(node, record, settings) {
      const nodes = sources.get(node.ref.sourceId)?.nodes;
      if (record.ref.nodeId !== node.ref.nodeId) {
        nodes?.delete(node.ref.nodeId);
        nodes?.set(record.ref.nodeId, node);
        for (const child of node.children) child.record = { ...child.record, parent: record.ref };
      }
      node.record = record;
      node.ref = withKey(record.ref);
      node.settings = settings;
    },
    order(siblings) {
      const [first] = siblings;
      if (first === undefined) return;
      const set = first.parent?.children ?? sources.get(first.ref.sourceId)?.roots;
      set?.clear();
      for (const one of siblings) set?.add(one);
    },
    rootOf: sourceId =>
      sources
        .get(sourceId)
        ?.roots.values()
        .find(node => node.type?.root === true),
    get size() {
      return size;
    },
  };
}

/** Told to the registry and claimable on its own. */
export const isThing = (node: TreeNode): boolean =>
  node.type?.thing === true && node.record.options?.registered !== false;

/** The node and all below it, parents before children. */
export function* withDescendants(node: TreeNode): Generator<TreeNode> {
  yield node;
  for (const child of node.children) yield* withDescendants(child);
}

/**
 * A new child's partition: the NodeId of the nearest line above it, "" where there is none. It is part of the address and
 * stays as it is when the line is called otherwise later.
 */
export function partitionBelow(parent: Pick<TreeNode, "ref" | "type"> | undefined): string {
  if (parent === undefined) return "";
  return parent.type?.line ? parent.ref.nodeId : parent.ref.partition;
}
