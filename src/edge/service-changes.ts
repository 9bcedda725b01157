// A registry or provisioning service that became another one, or of which there are several. Whoever can list a service at the
// broker could otherwise take over everything that is claimed, or be given what is to be claimed: the one that is known stays in
// charge until the owner of the appliance confirms (ACC-FIND-03), and of several unknown ones the boot file names the right one.

import type { Log } from "#base/log.ts";
import type { Tree } from "#concentrator/tree.ts";
import { applianceSource } from "#contract/node.ts";
import type { DecidingKind, Unchosen } from "#xmpp/disco.ts";

export type ServiceKind = DecidingKind;

export interface ChangedService {
  readonly kind: ServiceKind;
  /** JIDs. */
  readonly known: string;
  readonly said: string;
}

export interface ServiceChanges {
  /** Looked for and found: used at once when it is the known one, the first one, or nothing is claimed yet. */
  found(kind: ServiceKind, known: string | undefined, said: string, use: () => void): void;
  /** Looked for, and none can be said to be the one that is meant: what is known stays, and a person is told. */
  unchosen(all: readonly Unchosen[]): void;
  /** In words, why there is none of that kind, or none but the one before. */
  trouble(kind: ServiceKind): string | undefined;
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
  const troubles = new Map<ServiceKind, string>();
  const settle = (kind: ServiceKind) => {
    const wasSaid = troubles.delete(kind);
    if (!waiting.delete(kind) && !wasSaid) return;
    const board = boardOf(tree);
    if (board !== undefined) tree.erase(board, [`service.${kind}`]);
  };
  const tell = (one: Unchosen) => {
    const { kind, named, offered } = one;
    const text = sentence(one);
    if (troubles.get(kind) === text) return;
    settle(kind);
    troubles.set(kind, text);
    log.error("ServiceUnchosen", { what: kind, named, offered, hint: `name the right one in the boot file: ${kind}` });
    const board = boardOf(tree);
    if (board !== undefined) tree.note(board, "Error", `service.${kind}`, text);
  };
  return {
    found(kind, known, said, use) {
      if (known === undefined || known === said || !isClaimed()) {
        settle(kind);
        use();
        return;
      }
      troubles.delete(kind);
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
    unchosen(all) {
      for (const kind of [...troubles.keys()]) if (!all.some(one => one.kind === kind)) settle(kind);
      for (const one of all) tell(one);
    },
    trouble: kind => troubles.get(kind),
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

/** Each whole, so that it can be said in other languages. */
function sentence({ kind, named, offered }: Unchosen): string {
  const list = offered.join(", ");
  if (named === undefined && kind === "registry") {
    const text = `The domain lists several registries: ${list}. None of them is used until the boot file names the right one (registry).`;
    return text;
  }
  if (named === undefined) {
    const text = `The domain lists several provisioning services: ${list}. None of them is used until the boot file names the right one (provisioning).`;
    return text;
  }
  if (kind === "registry") {
    const text = `The registry that the boot file names, ${named}, is not among the services of the domain or does not answer. No other is used.`;
    return text;
  }
  const text = `The provisioning service that the boot file names, ${named}, is not among the services of the domain or does not answer. No other is used.`;
  return text;
}

const boardOf = (tree: Pick<Tree, "find">) => tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
