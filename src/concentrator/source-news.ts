// An event as one follower may hear it: what he does not see is not told, what he no longer sees is removed for him, and what
// he sees for the first time is added (CON-SUB-08, CON-SUB-09).

import type { Admission } from "./admission.ts";
import type { Concentrator, NodeInfo } from "./concentrator.ts";
import { Refusal } from "./contract/faults.ts";
import { type NodeRef, nodeKey } from "./contract/node.ts";
import type { SourceEvent } from "./records.ts";
import type { Follower, SourceNews, Waiting } from "./source-follower.ts";
import type { Tree } from "./tree.ts";

/** What a caller sees: of nodes that are there, and by the same rules of nodes that were. */
export interface Sight {
  readonly visible: Admission["visible"];
  readonly wouldSee: Admission["visible"];
}

export interface SourceNewsDeps extends Sight {
  readonly tree: Pick<Tree, "find">;
  readonly lookup: Pick<Concentrator, "node">;
}

/** `seen`: which NodeIds he knows, or knows no longer, once he has been told. */
export interface Telling {
  readonly news: SourceNews | undefined;
  readonly seen: readonly (readonly [nodeId: string, is: boolean])[];
}

const nothing: Telling = { news: undefined, seen: [] };

export function createSourceNews({ tree, lookup, visible, wouldSee }: SourceNewsDeps) {
  const isSeen = async (one: Follower, ref: NodeRef): Promise<boolean> => {
    const sees = tree.find(ref) === undefined ? wouldSee : visible;
    return (await sees(one.caller, [ref], one.scope.signal)).has(nodeKey(ref));
  };

  /** As he sees it now; as it was kept when it is gone. */
  const describe = async (one: Follower, event: Waiting): Promise<NodeInfo | undefined> => {
    try {
      return await lookup.node(one.caller, event.node);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    if (event.kind === "rights") return undefined;
    const { parent } = event;
    const isParentSeen = parent !== undefined && (await isSeen(one, parent));
    return formerInfo(event, isParentSeen ? parent : undefined);
  };

  const added = async (one: Follower, event: Waiting, after?: NodeRef): Promise<Telling> => {
    const info = await describe(one, event);
    if (info === undefined) return nothing;
    const place = after !== undefined && (await isSeen(one, after)) ? { after } : {};
    return { news: { kind: "added", at: event.at, info, ...place }, seen: [[event.node.nodeId, true]] };
  };

  return async (one: Follower, event: Waiting, isPast: boolean): Promise<Telling> => {
    const { node, at } = event;
    const old = "old" in event ? event.old : undefined;
    const wasSeen = one.seen.has(node.nodeId) || (old !== undefined && one.seen.has(old.nodeId));
    const forget = [node, ...(old === undefined ? [] : [old])].map(({ nodeId }) => [nodeId, false] as const);
    const removed = (ref: NodeRef): Telling => ({ news: { kind: "removed", at, node: ref }, seen: forget });

    if (event.kind === "removed") return wasSeen || (isPast && (await isSeen(one, node))) ? removed(node) : nothing;
    // He knows it by the name it had.
    if (!(await isSeen(one, node))) return wasSeen ? removed(old ?? node) : nothing;
    if (event.kind === "added") return added(one, event, event.after);
    const isThere = tree.find(node) !== undefined;
    if (!wasSeen && (isThere || !isPast)) return isThere ? added(one, event) : nothing;
    const seen = [...forget.slice(1), [node.nodeId, true] as const];
    switch (event.kind) {
      case "rights":
        return nothing;
      case "status":
        return { news: { kind: "status", at, node, state: event.state, messages: event.messages ?? [] }, seen };
      case "updated": {
        const info = await describe(one, event);
        return info === undefined
          ? nothing
          : { news: { kind: "updated", at, info, ...(old === undefined ? {} : { old }) }, seen };
      }
      default:
        return { news: { kind: event.kind, at, node }, seen };
    }
  };
}

/** What can still be said of a node that is gone. */
const formerInfo = (event: SourceEvent, parent: NodeRef | undefined): NodeInfo => ({
  ref: event.node,
  localId: event.node.nodeId,
  displayName: event.displayName,
  nodeType: event.nodeType,
  typeTitle: event.nodeType,
  state: event.state,
  hasChildren: false,
  childrenOrdered: false,
  isReadable: false,
  isControllable: false,
  hasCommands: false,
  sniffable: false,
  ...(parent === undefined ? {} : { parent }),
  lastChanged: event.at,
  parameters: [],
  messages: [],
});
