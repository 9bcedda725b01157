// What goes when an owner does: all that runs in his name ends at once, and then everything of him that is kept is taken away,
// piece by piece, over power cuts and absences of the broker. What he was allowed goes in the commit that ends his ownership.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import type { Task } from "#base/supervise.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import type { Parted, PartingStore } from "#concentrator/ownership.ts";
import type { EventLog, Readings } from "#concentrator/records.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type NodeRef, nodeKey, rootRef, sameNode } from "#contract/node.ts";
import { partingAgainMs } from "#limits.ts";

export interface PartingDeps {
  readonly store: PartingStore;
  readonly tree: Pick<Tree, "sources" | "find" | "note" | "erase">;
  readonly readings: Pick<Readings, "forget">;
  readonly events: Pick<EventLog, "forget">;
  /** What was measured stays for whoever owns it next. */
  readonly keepsHistory: boolean;
  readonly ownerOf: (thing: NodeRef) => string | undefined;
  /** Owns something, has a role, or is a service we deal with. */
  readonly isOurs: (bareJid: string) => boolean;
  readonly isOwned: () => boolean;
  /** Who is on our list; undefined while that is not known, or cannot be changed. */
  readonly contacts: () => readonly string[] | undefined;
  /** All that runs for him ends. */
  readonly withdrawn: (bareJid: string) => void;
  readonly dropMessages: (bareJid: string) => void;
  /** Off the list, both ways. */
  readonly unfriend: (bareJid: string) => Promise<void>;
  /** Nothing is left to do: what was deleted is not to be left in the files either. */
  readonly scrub: () => void;
  /** The appliance itself has no owner any more: what he had set up in his name besides is to go. */
  readonly applianceParted: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Parting {
  /** To be called inside the commit in which it loses its owner. */
  begin(thing: NodeRef, owner: string): void;
  /** To be called when that is on the disk. */
  ended(): void;
  /** He has neither a thing nor a role here any more. */
  farewell(bareJid: string): void;
  /** Everybody on the list of contacts is to go, whoever let him in. */
  everybody(): void;
  /** It has an owner again. */
  claimed(thing: NodeRef): void;
  /** He is still on the list, and has to go: what he asks is not read. */
  isLeaving(bareJid: string): boolean;
  /** The list of contacts is known, or known anew. */
  online(): void;
  readonly run: Task;
}

/** Stands on the node whose printed code is worth nothing any more. */
const labelEvent = "label-void";

export function createParting(deps: PartingDeps): Parting {
  const { store, tree, clock, log } = deps;
  const leaving = new Set(store.farewells());
  /** Partings of which all that could be done at once was done. */
  const begun = new Set<string>();
  let wake = () => {};

  const farewell = (jid: string): void => {
    if (deps.isOurs(jid)) return;
    leaving.add(jid);
    store.addFarewell(jid);
    deps.withdrawn(jid);
    deps.dropMessages(jid);
    wake();
  };

  /** Contacts were let in by the word of who owned the appliance, or, where nobody did, of any owner. */
  const endFriendships = ({ thing }: Parted): void => {
    if (sameNode(thing, rootRef) || !deps.isOwned()) everybody();
  };
  const everybody = (): void => {
    const contacts = deps.contacts();
    if (contacts === undefined) {
      leaving.add("");
      store.addFarewell("");
    } else for (const jid of contacts) farewell(jid);
  };

  const endAtOnce = (): void => {
    for (const parted of store.partings()) {
      if (begun.has(nameOf(parted))) continue;
      begun.add(nameOf(parted));
      farewell(parted.owner);
      endFriendships(parted);
      if (sameNode(parted.thing, rootRef)) deps.applianceParted();
    }
  };

  const nodesOf = (thing: NodeRef): TreeNode[] => {
    if (!sameNode(thing, rootRef)) return [tree.find(thing) ?? []].flat();
    return everyNode().filter(({ ref }) => deps.ownerOf(ref) === undefined);
  };
  const everyNode = (): TreeNode[] => [...tree.sources.values()].flatMap(({ nodes }) => [...nodes.values()]);

  const eraseWords = (nodes: readonly TreeNode[], of: string): void => {
    for (const node of nodes) {
      const his = [...node.messages.values()].filter(({ eventId, text }) => eventId.includes(of) || text.includes(of));
      if (his.length > 0)
        tree.erase(
          node,
          his.map(({ eventId }) => eventId),
        );
    }
  };

  /** In bounded steps, each harmless when it was done before. */
  const clear = async ({ thing, owner }: Parted, signal: AbortSignal): Promise<void> => {
    const nodes = nodesOf(thing);
    if (!deps.keepsHistory) for (const { ref } of nodes) deps.readings.forget(ref);
    const isGone = !deps.isOurs(owner);
    eraseWords(isGone ? everyNode() : nodes, owner);
    while (isGone && deps.events.forget(owner)) await clock.sleep(0, signal);
    if (deps.ownerOf(thing) === undefined) showVoid(thing);
    store.done({ thing, owner });
    begun.delete(nameOf({ thing, owner }));
    log.notice("owner-forgotten", { node: thing, history: deps.keepsHistory ? "kept" : "deleted" });
  };

  /** The appliance's own node stands for the appliance. */
  const shownAt = (thing: NodeRef): TreeNode | undefined =>
    sameNode(thing, rootRef) ? everyNode().find(({ type }) => type?.inherits.includes("Appliance")) : tree.find(thing);
  const showVoid = (thing: NodeRef): void => {
    const node = shownAt(thing);
    if (node !== undefined)
      tree.note(node, "Warning", labelEvent, "The code on its label is worth nothing any more: print it anew.");
  };

  const sayFarewells = async (): Promise<void> => {
    const contacts = deps.contacts();
    if (contacts === undefined) return;
    if (leaving.has("")) {
      for (const jid of contacts) farewell(jid);
      store.removeFarewell("");
      leaving.delete("");
    }
    for (const jid of [...leaving]) {
      // He came back meanwhile.
      if (!deps.isOurs(jid)) await deps.unfriend(jid);
      store.removeFarewell(jid);
      leaving.delete(jid);
    }
  };

  return {
    begin(thing, owner) {
      store.begin({ thing, owner });
    },
    ended() {
      endAtOnce();
      wake();
    },
    farewell,
    everybody() {
      everybody();
      wake();
    },
    claimed(thing) {
      const node = shownAt(thing);
      if (node !== undefined) tree.erase(node, [labelEvent]);
    },
    isLeaving: jid => leaving.has(jid) && !deps.isOurs(jid),
    online: () => wake(),
    async run(signal) {
      // What the end of the program cut off.
      endAtOnce();
      while (!signal.aborted) {
        using pause = createScope(signal);
        wake = pause.abort;
        try {
          const todo = store.partings();
          const isMore = todo.length + leaving.size > 0;
          for (const parted of todo) await clear(parted, signal);
          await sayFarewells();
          if (isMore && leaving.size === 0 && store.partings().length === 0) deps.scrub();
        } catch (error) {
          if (signal.aborted) return;
          log.warning("owner-not-forgotten", { error });
        }
        await clock.sleep(partingAgainMs, pause.signal).catch(() => {});
      }
    },
  };
}

const nameOf = ({ thing, owner }: Parted): string => `${nodeKey(thing)}\n${owner}`;
