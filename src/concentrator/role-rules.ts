// What the roles allow that owners gave to others (docs/architecture.md, "Who decides"). A role is worth what its giver may
// give at this moment: it ends with his ownership, and nobody gives away the readings of a node that somebody else owns.

import type { Right, Rule } from "./admission.ts";
import type { Basis } from "./basis.ts";
import type { NodeRef } from "./contract/node.ts";
import type { Grant, Role } from "./grants.ts";
import { grantWhere, type Owners } from "./rules.ts";

export interface RoleRuleDeps extends Owners {
  /** Grants to this JID that have not ended. */
  readonly of: (bareJid: string) => readonly Grant[];
  /** `ref` is `top` or below it. */
  readonly isWithin: (ref: NodeRef, top: NodeRef) => boolean;
}

const rights: Readonly<Record<Role, ReadonlySet<Right>>> = {
  installer: new Set(["view", "edit", "add", "destroy", "execute", "sniff", "read", "control"]),
  viewer: new Set(["view", "read"]),
};

export function roleRule(deps: RoleRuleDeps): Rule {
  const { ownerOf, rootOwner, isWithin } = deps;

  const allows = ({ role, node: top, by, as }: Grant, right: Right, ref: NodeRef): boolean => {
    if (!rights[role].has(right)) return false;
    if (as === "node") return ownerOf(ref) === by && isWithin(ref, top);
    if (rootOwner() !== by || !(isWhole(top) || isWithin(ref, top))) return false;
    // Below a line he adds and changes; the line itself is not his to take away.
    if (right === "destroy" && !isWhole(top) && ref.nodeId === top.nodeId && ref.sourceId === top.sourceId)
      return false;
    const owner = ownerOf(ref);
    return (right !== "read" && right !== "control") || owner === undefined || owner === by;
  };

  return {
    name: "roles",
    ask(question, _signal, explaining) {
      const grants = deps.of(question.caller.bareJid);
      if (grants.length === 0) return [];
      const found = (ref: NodeRef) => grants.find(grant => allows(grant, question.right, ref));
      const because = (ref: NodeRef): Basis | undefined => {
        const role = found(ref);
        return role && { kind: "role", role };
      };
      return grantWhere(question, ref => found(ref) !== undefined, explaining ? because : undefined);
    },
  };
}

export const isWhole = (ref: NodeRef): boolean => ref.nodeId === "" && ref.sourceId === "";
