// The nodes in memory: sources, roots, children, each found in one step. It knows where a node stands, not what it does.

import type { ControlParameter } from "./contract/control.ts";
import type { Device, NodeType } from "./contract/driver.ts";
import { applianceSource, meteringTopology, type NodeMessage, type NodeRef } from "./contract/node.ts";
import type { NodeRecord } from "./records.ts";

/** The device of a node as long as it is open; `signal` aborts, with the fault as its reason, when it goes away. */
export interface Opened {
  readonly device: Device;
  readonly signal: AbortSignal;
}

export interface TreeNode {
  readonly record: NodeRecord;
  readonly ref: NodeRef;
  /** Undefined when no driver of this program has the type any more. */
  readonly type: NodeType | undefined;
  /** As the type's schema gives them; undefined when they no longer pass it. */
  readonly settings: Readonly<Record<string, unknown>> | undefined;
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
        ref: record.ref,
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
    get size() {
      return size;
    },
  };
}

/** The node and all below it, parents before children. */
export function* withDescendants(node: TreeNode): Generator<TreeNode> {
  yield node;
  for (const child of node.children) yield* withDescendants(child);
}

/** A child's partition: the NodeId of the nearest line above it, "" where there is none. */
export function partitionBelow(parent: Pick<TreeNode, "ref" | "type"> | undefined): string {
  if (parent === undefined) return "";
  return parent.type?.line ? parent.ref.nodeId : parent.ref.partition;
}
