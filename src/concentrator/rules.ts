// The rules the appliance brings itself: owners, and what contacts may see. Provisioning is a rule of another room and comes
// after these; a node nobody owns and no rule speaks for is closed (COM-AUTH-06).

import type { Grant, Opinion, Question, Right, Rule } from "./admission.ts";
import type { Basis } from "./basis.ts";
import { meteringTopology, type NodeRef } from "./contract/node.ts";

export interface Owners {
  /** Bare JID of who claimed this node; undefined when nobody did. */
  ownerOf(ref: NodeRef): string | undefined;
  /** Bare JID of who claimed the appliance. */
  rootOwner(): string | undefined;
}

/** How far an owner's word reaches, where the interfaces leave it open. */
export interface OwnerPolicy {
  /** Who claimed a single node may change its settings too (COM-AUTH-04). Default false: they belong to the installation. */
  readonly ownersEdit?: boolean;
}

/**
 * Who claimed a node sees, reads and controls it and runs its commands. Who claimed the appliance manages every node, and
 * reads and controls those nobody else claimed (COM-AUTH-03, -04): a tenant's meter on the landlord's bus stays the tenant's.
 */
export function ownerRule({ ownerOf, rootOwner }: Owners, { ownersEdit = false }: OwnerPolicy = {}): Rule {
  const ownRights = new Set<Right>(["view", "execute", "read", "control", ...(ownersEdit ? (["edit"] as const) : [])]);
  return {
    name: "owner",
    ask(question, _signal, explaining) {
      const { bareJid } = question.caller;
      const isRootOwner = rootOwner() === bareJid;
      const isManaging = question.right !== "read" && question.right !== "control";
      const isOwnRight = ownRights.has(question.right);
      const because = explaining
        ? (node: NodeRef): Basis => ({ kind: "owner", of: ownerOf(node) === bareJid ? "node" : "appliance" })
        : undefined;
      const holds = (node: NodeRef) => {
        const owner = ownerOf(node);
        return (
          (owner === bareJid && isOwnRight) || (isRootOwner && (isManaging || owner === undefined || owner === bareJid))
        );
      };
      return grantWhere(question, holds, because);
    },
  };
}

/**
 * Contacts, whose presence subscription was accepted, may see nodes and no more (COM-AUTH-07): what they ask for beyond that
 * is refused as forbidden, and can be put to the owner, instead of looking like something that does not exist.
 */
export const contactsMayView = (
  isContact: (bareJid: string) => boolean,
  sources: readonly string[] = [meteringTopology],
): Rule => ({
  name: "contacts may view",
  ask(question, _signal, explaining) {
    if (question.right !== "view" || !isContact(question.caller.bareJid)) return [];
    const because = explaining ? (): Basis => ({ kind: "contact" }) : undefined;
    return grantWhere(question, node => sources.includes(node.sourceId), because);
  },
});

/** All that was asked, on those nodes of the question; no opinion on the others. `because` where it is to be explained. */
export function grantWhere(
  question: Question,
  holds: (node: NodeRef) => boolean,
  because?: (node: NodeRef) => Basis | undefined,
): Opinion[] {
  // All that was asked; the same object for ten thousand nodes.
  const grant: Grant = { categories: question.categories, names: question.names };
  const nodes = question.nodes.filter(holds);
  if (because === undefined) return nodes.map(node => ({ node, grant }));
  return nodes.map(node => {
    const basis = because(node);
    return basis === undefined ? { node, grant } : { node, grant, because: basis };
  });
}
