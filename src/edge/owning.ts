// Who owns the appliance and its nodes, and who may what by that: the talk with the registry and the owner's service, the rules
// and roles, and what goes when an owner does, put together. Who else is on the network comes in as functions.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Thing } from "#concentrator/concentrator.ts";
import { isThing } from "#concentrator/forest.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { type NodeRef, rootRef, sameNode } from "#contract/node.ts";
import { createDiscovery } from "#iot/discovery.ts";
import { createProvisioning, type Provisioning } from "#iot/provisioning.ts";
import type { Connection } from "#xmpp/connection.ts";
import { createLettingIn } from "./consent.ts";
import { createParting, type Parting } from "./parting.ts";
import { createRights, type Rights } from "./rights.ts";
import type { Stores } from "./stores.ts";

export interface OwningDeps {
  readonly settings: BootSettings;
  readonly stores: Pick<
    Stores,
    "ownership" | "decisions" | "grants" | "partings" | "history" | "scrub" | "credentials"
  >;
  readonly tree: Tree;
  readonly connection: Pick<Connection, "online" | "request">;
  /** Our own bare JID; undefined before there is an account. */
  readonly account: () => string | undefined;
  /** What the registry is told: the appliance, and each node that is a thing. */
  readonly things: () => readonly Thing[];
  readonly people: People;
  readonly clock: Clock;
  readonly log: Log;
}

/** Those on the list of contacts, and what runs for them. */
export interface People {
  /** May see our presence, and is no service. */
  isContact(bareJid: string): boolean;
  isService(bareJid: string): boolean;
  /** Undefined while the list is not known, or cannot be changed. */
  contacts(): readonly string[] | undefined;
  friend(bareJid: string): void;
  unfriend(bareJid: string): Promise<void>;
  /** All that runs for him ends. */
  withdrawn(bareJid: string): void;
  dropMessages(bareJid: string): void;
  /** Who waits for our presence is decided on anew, and so is all that is running (COM-AUTH-09, PROV-CACHE-07). */
  rightsChanged(): void;
  /** The appliance has lost its owner: what he had set up besides is to go. */
  applianceParted(): void;
}

export interface Owning extends Rights {
  readonly discovery: ReturnType<typeof createDiscovery>;
  readonly provisioning: Provisioning;
  readonly lettingIn: ReturnType<typeof createLettingIn>;
  readonly parting: Parting;
}

export function createOwning({ settings, stores, tree, people, clock, log, ...deps }: OwningDeps): Owning {
  const { connection } = deps;
  const discovery = createDiscovery({
    connection,
    store: stores.ownership,
    things: deps.things,
    named: settings.registry,
    forgetDecisions(ref) {
      const owner = discovery.ownerOf(ref);
      if (owner !== undefined) parting.begin(ref, owner);
      provisioning.forget(ref);
      rights.roles.ownerChanged(ref);
    },
    hooks: {
      claimed(ref, owner) {
        parting.claimed(ref);
        if (sameNode(ref, rootRef)) people.friend(owner);
        people.rightsChanged();
        discovery.thingsChanged();
      },
      disowned() {
        people.rightsChanged();
        parting.ended();
      },
    },
    clock,
    log,
    jitterMs: settings.registrationJitterSeconds * 1000,
  });
  const rights = createRights({
    settings,
    stores,
    tree,
    discovery,
    isContact: people.isContact,
    hooks: {
      granted(jid) {
        people.rightsChanged();
        people.friend(jid);
      },
      ended(jid) {
        people.rightsChanged();
        parting.farewell(jid);
      },
    },
    clock,
    log,
  });
  const isOwnThing = (ref: NodeRef) => {
    const node = tree.find(ref);
    return node !== undefined && isThing(node);
  };
  const owners = () => new Set(discovery.list().flatMap(({ owner }) => owner ?? []));
  const provisioning = createProvisioning({
    connection,
    decisions: stores.decisions,
    store: stores.ownership,
    account: deps.account,
    thingOf: ref => (isOwnThing(ref) ? ref : rootRef),
    ownerOf: discovery.ownerOf,
    owners,
    hooks: {
      rightsChanged: people.rightsChanged,
      friend: people.friend,
      unfriend: jid => void people.unfriend(jid).catch(error => log.warning("unfriend-failed", { jid, error })),
    },
    clock,
    log,
  });
  /** With an account that was given back went its list of contacts: nobody is on it, and nobody is to be told anything. */
  const hasList = () => stores.credentials.retired() === undefined;
  const parting = createParting({
    ...people,
    contacts: () => (hasList() ? people.contacts() : []),
    unfriend: async jid => (hasList() ? await people.unfriend(jid) : undefined),
    store: stores.partings,
    tree,
    readings: stores.history.readings,
    events: stores.history.events,
    keepsHistory: settings.formerOwnersHistory === "keep",
    ownerOf: discovery.ownerOf,
    isOurs: jid => discovery.isOwner(jid) || rights.roles.holds(jid) || people.isService(jid),
    isOwned: () => owners().size > 0,
    scrub: stores.scrub,
    clock,
    log,
  });
  return {
    ...rights,
    discovery,
    provisioning,
    parting,
    lettingIn: createLettingIn({
      roles: rights.roles,
      isRegistry: jid => jid === discovery.service?.jid,
      provisioning,
    }),
  };
}
