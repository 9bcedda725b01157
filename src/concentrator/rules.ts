// The rules the appliance brings itself: owners, and what contacts may see. Provisioning is a rule of another room and comes
// after these; a node nobody owns and no rule speaks for is closed (COM-AUTH-06).

import type { Grant, Opinion, Question, Right, Rule } from "./admission.ts";
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
    ask(question) {
      const { bareJid } = question.caller;
      const isRootOwner = rootOwner() === bareJid;
      const isManaging = question.right !== "read" && question.right !== "control";
      const isOwnRight = ownRights.has(question.right);
      return grantWhere(question, node => {
        const owner = ownerOf(node);
        return (
          (owner === bareJid && isOwnRight) || (isRootOwner && (isManaging || owner === undefined || owner === bareJid))
        );
      });
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
  ask(question) {
    if (question.right !== "view" || !isContact(question.caller.bareJid)) return [];
    return grantWhere(question, node => sources.includes(node.sourceId));
  },
});

/** All that was asked, on those nodes of the question; no opinion on the others. */
export function grantWhere(question: Question, holds: (node: NodeRef) => boolean): Opinion[] {
  // All that was asked; the same object for ten thousand nodes.
  const grant: Grant = { categories: question.categories, names: question.names };
  return question.nodes.filter(holds).map(node => ({ node, grant }));
}
