// Asking for the harmonized interfaces of a node, or of the appliance itself: a question of seeing, and of nothing more.

import type { Admission } from "./admission.ts";
import type { Caller } from "./contract/caller.ts";
import { Refusal } from "./contract/faults.ts";
import { applianceSource, type NodeRef, nodeKey } from "./contract/node.ts";
import { isIdentity } from "./harmonized.ts";
import type { Offered } from "./offered.ts";
import type { Tree } from "./tree.ts";

export interface Interfaces {
  /** URIs, sorted. Without a reference those by which the appliance itself is identified (HI-GET-03). Throws not-found. */
  interfaces(caller: Caller, ref: NodeRef | undefined, signal: AbortSignal): Promise<readonly string[]>;
  /** The same without asking who asks: for the tags the registry is told, which its owner rules. */
  interfacesOf(ref: NodeRef): readonly string[];
}

export interface InterfacesDeps {
  readonly tree: Pick<Tree, "find" | "sources">;
  readonly admission: Pick<Admission, "require" | "allowed">;
  readonly offered: Offered;
}

export function createInterfaces({ tree, admission, offered }: InterfacesDeps): Interfaces {
  return {
    async interfaces(caller, ref, signal) {
      if (ref !== undefined) {
        const [seen] = await admission.require(caller, "view", [ref], signal);
        const node = seen && tree.find(seen);
        if (node === undefined) throw new Refusal("not-found", "There is no such node.");
        return offered.interfaces(node);
      }
      const nodes = [...(tree.sources.get(applianceSource)?.nodes.values() ?? [])];
      const seen = await admission.allowed(
        caller,
        "view",
        nodes.map(node => node.ref),
        signal,
      );
      const visible = nodes.filter(node => seen.has(nodeKey(node.ref)));
      return [...new Set(visible.flatMap(node => offered.interfaces(node).filter(isIdentity)))].sort();
    },
    interfacesOf(ref) {
      const node = tree.find(ref);
      return node === undefined ? [] : offered.interfaces(node);
    },
  };
}
