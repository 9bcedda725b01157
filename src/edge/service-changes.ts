// A registry or provisioning service that became another one. Whoever can list a service at the broker could otherwise take over
// everything that is claimed, so the one that is known stays in charge until the owner of the appliance confirms (ACC-FIND-03).

import type { Log } from "#base/log.ts";
import type { Tree } from "#concentrator/tree.ts";
import { applianceSource } from "#contract/node.ts";

export type ServiceKind = "registry" | "provisioning";

export interface ChangedService {
  readonly kind: ServiceKind;
  /** JIDs. */
  readonly known: string;
  readonly said: string;
}

export interface ServiceChanges {
  /** Looked for and found: used at once when it is the known one, the first one, or nothing is claimed yet. */
  found(kind: ServiceKind, known: string | undefined, said: string, use: () => void): void;
  readonly pending: readonly ChangedService[];
  /** Uses what is pending. */
  confirm(): void;
}

export interface ServiceChangesDeps {
  readonly tree: Pick<Tree, "find" | "note" | "erase">;
  /** Somebody owns something here. */
  readonly isClaimed: () => boolean;
  readonly log: Log;
}

export function createServiceChanges({ tree, isClaimed, log }: ServiceChangesDeps): ServiceChanges {
  const waiting = new Map<ServiceKind, ChangedService & { readonly use: () => void }>();
  const settle = (kind: ServiceKind) => {
    if (!waiting.delete(kind)) return;
    const board = boardOf(tree);
    if (board !== undefined) tree.erase(board, [`service.${kind}`]);
  };
  return {
    found(kind, known, said, use) {
      if (known === undefined || known === said || !isClaimed()) {
        settle(kind);
        use();
        return;
      }
      const isNew = waiting.get(kind)?.said !== said;
      waiting.set(kind, { kind, known, said, use });
      if (!isNew) return;
      log.error("ServiceUnconfirmed", { what: kind, service: known, said, hint: "the owner has to confirm it" });
      const board = boardOf(tree);
      if (board === undefined) return;
      if (kind === "registry")
        tree.note(
          board,
          "Error",
          `service.${kind}`,
          `The registry of the domain is said to be ${said} now, and not ${known}. It is not believed until the owner of the appliance confirms it.`,
        );
      else
        tree.note(
          board,
          "Error",
          `service.${kind}`,
          `The provisioning service of the domain is said to be ${said} now, and not ${known}. It is not believed until the owner of the appliance confirms it.`,
        );
    },
    get pending() {
      return [...waiting.values()].map(({ kind, known, said }) => ({ kind, known, said }));
    },
    confirm() {
      for (const { kind, use } of [...waiting.values()]) {
        settle(kind);
        use();
      }
    },
  };
}

const boardOf = (tree: Pick<Tree, "find">) => tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
