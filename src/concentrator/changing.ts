// Changing what is there: names, settings, labels, order among siblings. All or nothing: checked, then on the disk, then
// applied, then told (CON-EDIT-03, CON-EDIT-08, CON-MOVE).

import type { Clock } from "#base/clock.ts";
import { Refusal } from "./contract/faults.ts";
import { type NodeRef, sameNode, type Tag } from "./contract/node.ts";
import type { Forest, TreeNode } from "./forest.ts";
import type { createNotices } from "./notices.ts";
import type { Opening } from "./opening.ts";
import { checkName, isNameFree, parseSettings, refuseName } from "./planning.ts";
import type { NodeOptions, NodeRecord, NodeStore, Readings, Statuses } from "./records.ts";

/** What a node is to be, as a whole. */
export interface NodeEdit {
  readonly node: NodeRef;
  readonly nodeId: string;
  readonly displayName: string;
  /** As given; checked by the type's schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tags: readonly Tag[];
  readonly options: NodeOptions;
}

export interface Changing {
  /** All of them or none. What is as it was is not told of. Throws `Refusal`. */
  edit(edits: readonly NodeEdit[]): void;
  /** One step each among the siblings; at the edge, or where siblings have no order, nothing happens (CON-MOVE-01…03). */
  move(refs: readonly NodeRef[], direction: "up" | "down"): void;
}

export interface ChangingDeps {
  readonly forest: Forest;
  readonly nodes: NodeStore;
  readonly statuses: Statuses;
  readonly readings: Pick<Readings, "rename" | "keepFor">;
  readonly opening: Opening;
  readonly changed: ReturnType<typeof createNotices>["changed"];
  /** Devices are to be open. */
  readonly running: () => boolean;
  readonly clock: Clock;
}

interface Change {
  readonly node: TreeNode;
  /** As it was called before. */
  readonly ref: NodeRef;
  readonly record: NodeRecord;
  readonly settings: TreeNode["settings"];
}

export function createChanging({
  forest,
  nodes,
  statuses,
  readings,
  opening,
  changed,
  running,
  clock,
}: ChangingDeps): Changing {
  const nodeOf = (ref: NodeRef): TreeNode => {
    const node = forest.find(ref);
    if (node === undefined) throw new Refusal("not-found", "There is no such node.");
    return node;
  };

  const plan = (edit: NodeEdit): Change => {
    const node = nodeOf(edit.node);
    const { record, type } = node;
    const ref: NodeRef = { ...node.ref, nodeId: edit.nodeId };
    if (!sameNode(ref, node.ref)) {
      checkName(edit.nodeId);
      if (!isNameFree(forest, ref))
        throw refuseName("conflict", `${edit.nodeId} is taken: a NodeId is unique in its source.`);
    }
    const settings = type === undefined ? node.settings : parseSettings(type, edit.settings);
    const { displayName, tags, options } = edit;
    const next = { ...record, ref, displayName, settings: edit.settings, tags, options, changedAt: clock.now() };
    return { node, ref: node.ref, record: next, settings };
  };

  const apply = ({ node, ref, record, settings }: Change): void => {
    const reopen = JSON.stringify(node.settings) !== JSON.stringify(settings);
    const renamed = !sameNode(ref, record.ref);
    forest.replace(node, record, settings);
    // Settings that did not fit did so before.
    if (node.settings !== undefined) node.messages.delete("settings");
    if (renamed) {
      readings.rename(ref, record.ref);
      readings.keepFor(ref, undefined);
      statuses.keepMessages(ref, []);
      statuses.keepMessages(record.ref, [...node.messages.values()]);
    }
    readings.keepFor(record.ref, keepMsOf(record));
    changed("updated", node, renamed ? { old: ref } : {});
    if (reopen && running()) opening.reopen(node);
  };

  return {
    edit(edits) {
      const changes = edits.map(plan).filter(differs);
      if (changes.length === 0) return;
      nodes.replace(changes);
      for (const change of changes) apply(change);
    },
    move(refs, direction) {
      const moving = new Set(refs.map(nodeOf));
      const moved: TreeNode[] = [];
      const orders: TreeNode[][] = [];
      for (const [parent, group] of Map.groupBy(moving, node => node.parent)) {
        // At the top of a source there is no order to keep.
        if (parent === undefined) continue;
        const { order, stepped } = step([...parent.children], new Set(group), direction);
        if (stepped.length === 0) continue;
        orders.push(order);
        moved.push(...stepped);
      }
      if (moved.length === 0) return;
      const changes = orders.flatMap(renumbered);
      nodes.replace(changes.map(({ node, record }) => ({ ref: node.ref, record })));
      for (const { node, record } of changes) forest.replace(node, record, node.settings);
      for (const order of orders) forest.order(order);
      for (const node of moved) changed(direction === "up" ? "movedUp" : "movedDown", node);
    },
  };
}

export const keepMsOf = ({ options }: NodeRecord): number | undefined =>
  options?.historyDays === undefined ? undefined : options.historyDays * 86_400_000;

const differs = ({ node, record }: Change): boolean => {
  const { changedAt: _now, ...next } = record;
  const { changedAt: _then, ...before } = node.record;
  return (
    JSON.stringify({ ...next, options: next.options ?? {} }) !==
    JSON.stringify({ ...before, options: before.options ?? {} })
  );
};

/** Up in sibling order, down in reverse; who stands at the edge, or behind one that stays, stays. */
export function step<T>(siblings: readonly T[], moving: ReadonlySet<T>, direction: "up" | "down") {
  const order = direction === "up" ? [...siblings] : siblings.toReversed();
  const stepped: T[] = [];
  for (let at = 1; at < order.length; at++) {
    const one = order[at] as T;
    const before = order[at - 1] as T;
    if (!moving.has(one) || moving.has(before)) continue;
    order[at - 1] = one;
    order[at] = before;
    stepped.push(one);
  }
  return { order: direction === "up" ? order : order.reverse(), stepped };
}

/** The places stay the same, the nodes in them change; only those that changed theirs. */
function renumbered(order: readonly TreeNode[]): { node: TreeNode; record: NodeRecord }[] {
  const places = order.map(({ record }) => record.position).sort((a, b) => a - b);
  let last = Number.NEGATIVE_INFINITY;
  return order.flatMap((node, index) => {
    last = Math.max(places[index] as number, last + 1);
    return node.record.position === last ? [] : [{ node, record: { ...node.record, position: last } }];
  });
}
