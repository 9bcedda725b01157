// As new out of the box, the whole appliance or one thing of it: nobody owns it, nothing of who did is left, and it has a new code
// to be claimed with. Whatever was his goes the way it goes whenever an owner does (parting.ts); this is only its beginning.

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "#base/log.ts";
import type { TreeNode } from "#concentrator/forest.ts";
import type { Roles } from "#concentrator/roles.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { type NodeRef, rootRef } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import type { Parting } from "./parting.ts";
import type { ResetSettings } from "./reset-mark.ts";
import type { Stores } from "./stores.ts";

export interface ResetDeps {
  readonly settings: Pick<BootSettings, "formerOwnersHistory">;
  readonly stores: Pick<Stores, "publications" | "history" | "resetMark" | "forgetDrivers" | "copies">;
  readonly tree: Pick<Tree, "sources" | "find" | "edit" | "destroy" | "erase">;
  readonly discovery: Pick<Discovery, "reset" | "list" | "thingsChanged">;
  readonly roles: Pick<Roles, "removed" | "endAll">;
  readonly parting: Pick<Parting, "everybody">;
  /** The node publishes nothing any more. */
  readonly unpublish: (node: NodeRef) => void;
  /** What was set up in the owner's name besides: who is kept out, codes that let in, where events go. */
  readonly applianceParted: () => void;
  readonly dropMessages: () => void;
  readonly log: Log;
}

export interface Reset {
  /** One thing. Throws `Refusal`, and then nothing was done. */
  thing(ref: NodeRef, settings: ResetSettings, by: string): void;
  /** The appliance with all its things. */
  all(settings: ResetSettings, by: string): Promise<void>;
  /** Goes on with what the end of the program cut off, or was wanted while it did not run: true when there was something. */
  resume(): Promise<boolean>;
}

export function createReset(deps: ResetDeps): Reset {
  const { tree, discovery, roles, stores } = deps;
  const { resetMark: mark, history } = stores;
  const keepsHistory = deps.settings.formerOwnersHistory === "keep";
  const log = deps.log.with({ audit: true });

  const forgetNode = (node: TreeNode): void => {
    if (!keepsHistory) history.readings.forget(node.ref);
    tree.erase(node);
  };
  const everyNode = (): TreeNode[] => [...tree.sources.values()].flatMap(({ nodes }) => [...nodes.values()]);

  const emptySite = async (): Promise<void> => {
    for (const { roots } of [...tree.sources.values()])
      for (const root of roots)
        if (root.type?.root) for (const node of [...root.children]) await tree.destroy(node.ref);
    stores.forgetDrivers();
  };

  const deleteCopies = (): void => {
    for (const { folder, pattern } of stores.copies) {
      if (!existsSync(folder)) continue;
      for (const name of readdirSync(folder)) if (pattern.test(name)) rmSync(join(folder, name), { force: true });
    }
  };

  const whole = async (settings: ResetSettings): Promise<void> => {
    if (settings === "wipe") await emptySite();
    for (const { ref } of discovery.list()) discovery.reset(ref);
    roles.endAll();
    for (const { node } of stores.publications.all()) deps.unpublish(node);
    for (const node of everyNode()) forgetNode(node);
    while (history.events.forget("")) {
      // Each step is short; nothing else is to be done meanwhile.
    }
    deps.dropMessages();
    deps.applianceParted();
    deps.parting.everybody();
    deleteCopies();
    discovery.thingsChanged();
    mark.done();
  };

  return {
    thing(ref, settings, by) {
      const node = tree.find(ref);
      if (node === undefined) return;
      // First what can be refused.
      if (settings === "wipe") tree.edit([asNew(node)]);
      discovery.reset(node.ref);
      roles.removed(node.ref);
      deps.unpublish(node.ref);
      forgetNode(node);
      discovery.thingsChanged();
      log.notice("thing-reset", { node: node.ref, settings, by });
    },
    async all(settings, by) {
      mark.begin(settings);
      log.notice("appliance-reset", { node: rootRef, settings, by });
      await whole(settings);
    },
    async resume() {
      const settings = mark.pending();
      if (settings === undefined) return false;
      log.notice("appliance-reset", { node: rootRef, settings, by: "the machine" });
      await whole(settings);
      return true;
    },
  };
}

/** Without what a person gave it; what has no standard, such as its address on the line, stays: without it there is no device. */
export function asNew({ ref, record, type }: TreeNode): Parameters<Tree["edit"]>[0][number] {
  const needed = Object.entries(record.settings).filter(
    ([name]) => type?.settings.shape[name] !== undefined && !type.settings.shape[name].safeParse(undefined).success,
  );
  return {
    node: ref,
    nodeId: ref.nodeId,
    displayName: ref.nodeId,
    settings: type === undefined ? record.settings : Object.fromEntries(needed),
    tags: [],
    options: {},
  };
}
