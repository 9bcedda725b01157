// What the registry and the roles are told of the tree: nodes that come, go, change their names or are things no longer
// (CON-EDIT-07, CON-NEW-04, CON-DEL-03).

import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import type { Task } from "#base/supervise.ts";
import { isThing } from "#concentrator/forest.ts";
import type { TreeChange } from "#concentrator/notices.ts";
import type { Roles } from "#concentrator/roles.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type NodeRef, rootRef, sameNode } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import { thingsLookMs } from "#limits.ts";

export interface Followers {
  readonly discovery: Pick<Discovery, "removed" | "renamed" | "thingsChanged" | "list">;
  readonly roles: Pick<Roles, "removed" | "renamed">;
}

/**
 * First what was missed when the program ended between a change and its telling, then each change as it comes. Looking at all
 * things anew is done once for many changes: ten thousand devices that open after a start are as many of them.
 */
export function followTree(tree: Pick<Tree, "find" | "changes">, { discovery, roles }: Followers, clock: Clock): Task {
  /** A node whose driver is not there any more is left alone: it may come back. */
  const isOver = (ref: NodeRef): boolean => {
    const node = tree.find(ref);
    return node === undefined || (node.type !== undefined && !isThing(node));
  };
  const tell = ({ kind, node, old }: TreeChange): void => {
    if (kind === "status" || kind === "movedUp" || kind === "movedDown") return;
    if (kind === "removed") roles.removed(node);
    if (old !== undefined) {
      roles.renamed(old, node);
      discovery.renamed(old, node);
    }
    if (isOver(node)) discovery.removed(node);
    lookDue = true;
    wake();
  };
  let lookDue = false;
  let wake = () => {};
  const look = async (signal: AbortSignal): Promise<void> => {
    signal.addEventListener("abort", () => wake(), { once: true });
    while (!signal.aborted) {
      if (!lookDue) await new Promise<void>(resolve => (wake = resolve));
      await clock.sleep(thingsLookMs, signal).catch(() => {});
      lookDue = false;
      if (!signal.aborted) discovery.thingsChanged();
    }
  };
  return async outer => {
    // Neither goes on without the other.
    using scope = createScope(outer);
    const { signal } = scope;
    const changes = tree.changes(signal);
    for (const { ref } of discovery.list()) if (!sameNode(ref, rootRef) && isOver(ref)) discovery.removed(ref);
    const following = async () => {
      for await (const change of changes) tell(change);
    };
    await Promise.all([following(), look(signal)]);
  };
}
