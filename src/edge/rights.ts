// Who decides on the appliance: its owners, the roles they gave, what contacts may see, and then the owner's service. The rules
// in their order stand here, and nowhere else (docs/architecture.md, "Who decides").

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Rule } from "#concentrator/admission.ts";
import { createRoles, type RoleHooks, type Roles } from "#concentrator/roles.ts";
import { contactsMayView, type Owners, ownerRule } from "#concentrator/rules.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { applianceSource, meteringTopology, rootRef } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import { bareJid } from "#xmpp/jid.ts";
import type { Stores } from "./stores.ts";

export interface RightsDeps {
  readonly settings: BootSettings;
  readonly stores: Pick<Stores, "grants">;
  readonly tree: Pick<Tree, "find">;
  readonly discovery: Pick<Discovery, "ownerOf" | "isOwner">;
  /** He may see our presence, and is no service that only has to reach us. */
  readonly isContact: (bareJid: string) => boolean;
  readonly hooks: RoleHooks;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Rights {
  readonly owners: Owners;
  readonly roles: Roles;
  /** In the order asked; `provisioning` has the last word. */
  rules(provisioning: Rule): readonly Rule[];
}

export function createRights({ settings, stores, discovery, hooks, ...deps }: RightsDeps): Rights {
  const owners: Owners = { ownerOf: discovery.ownerOf, rootOwner: () => discovery.ownerOf(rootRef) };
  const roles = createRoles({ ...deps, ...owners, store: stores.grants, find: deps.tree.find, bareJid, hooks });
  /** What somebody owns, or was given, says what he sees: not the other tenants' meters (COM-AUTH-07). */
  const isParticular = (jid: string) => jid !== owners.rootOwner() && (discovery.isOwner(jid) || roles.holds(jid));
  const sources = [
    ...(settings.contactsSeeDevices ? [meteringTopology] : []),
    ...(settings.contactsSeeAppliance ? [applianceSource] : []),
  ];
  const contacts = contactsMayView(
    jid => deps.isContact(jid) && (settings.neighboursSee || !isParticular(jid)),
    sources,
  );
  return {
    owners,
    roles,
    rules: provisioning => [ownerRule(owners, settings), roles.rule, contacts, provisioning],
  };
}
