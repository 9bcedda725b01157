// The appliance on the network: one session, the routes it serves, and who is told of what.

import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createConcentrator, type Thing } from "#concentrator/concentrator.ts";
import { interfaceTag } from "#concentrator/harmonized.ts";
import type { Tree } from "#concentrator/tree.ts";
import type { BootSettings } from "#config.ts";
import { rootRef } from "#contract/node.ts";
import { createTokenDesk } from "#iot/tokens.ts";
import { createAllLanguages } from "#languages/all.ts";
import * as limits from "#limits.ts";
import { bareJid, normalJid } from "#xmpp/jid.ts";
import { createGate, createPresence } from "#xmpp/presence.ts";
import { createRoster } from "#xmpp/roster.ts";
import { createSession } from "#xmpp/session.ts";
import { payloadMessage } from "#xmpp/stanza.ts";
import { createAccount } from "./account.ts";
import { createAccountCommands } from "./account-commands.ts";
import { createAnnouncing } from "./announcing.ts";
import { createApplianceCommands } from "./appliance-commands.ts";
import { applianceTags } from "./appliance-tags.ts";
import { createContactCommands } from "./contact-commands.ts";
import { createContacts } from "./contacts.ts";
import { createEventSending } from "./event-sending.ts";
import { createFaces } from "./faces.ts";
import { followClock } from "./following.ts";
import { createFront } from "./front.ts";
import { createKnownServices } from "./known-services.ts";
import { createLabelCommands } from "./label-commands.ts";
import { createOwning } from "./owning.ts";
import { createValuePublishing } from "./publishing.ts";
import { createReset } from "./reset.ts";
import { resetCommands } from "./reset-commands.ts";
import { createServiceChanges } from "./service-changes.ts";
import { sessionOptions } from "./session-options.ts";
import { createSoftwareUpdates } from "./software.ts";
import type { Stores } from "./stores.ts";

export interface NetworkDeps {
  readonly settings: BootSettings;
  readonly stores: Stores;
  readonly tree: Tree;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Stops the program so that it is started again; undefined when nobody would. */
  readonly restart?: (() => void) | undefined;
}

export function createNetwork({ settings, stores, tree, clock, log, signal, restart }: NetworkDeps) {
  const session = createSession(
    sessionOptions(settings, stores),
    {
      iq: stanza => {
        services.seen(stanza.attrs.from);
        tokens.seen(stanza);
        void router.iq(stanza);
      },
      message: stanza => {
        services.seen(stanza.attrs.from);
        if (stanza.attrs.type === "error") {
          events.bounced(stanza.attrs.from);
          faces.gone(stanza.attrs.from ?? "");
        } else void router.message(stanza);
      },
      presence: stanza => {
        services.seen(stanza.attrs.from);
        presence.receive(stanza);
      },
      online: (jid, resumed) => {
        if (!resumed) stores.sessions.began(normalJid(jid) ?? jid);
        provisioning.online(resumed);
        discovery.online(resumed);
        if (!resumed) announce();
        if (!resumed) services.look();
        if (!resumed) updates.online();
        if (!resumed) publishing.online();
        if (!resumed) contacts.online();
        events.wake();
        account.online();
      },
      offline: () => provisioning.offline(),
    },
    { clock, log, outbox: stores.outbox },
  );

  const account = createAccount({
    settings,
    stores,
    session,
    discovery: () => discovery,
    forgetPeople: () => reset.resume(),
    restart,
    clock,
    log,
  });
  const roster = createRoster({ connection: session, log });
  /** Not before the first log-in of this run. */
  let contactsKnown = false;
  /**
   * Found by what it offers (DISCO-TAG-05), once it is claimed: before, its tags are those printed on its label, to the letter.
   */
  function searchable(thing: Thing): Thing {
    if (discovery.ownerOf(thing.ref) === undefined) return thing;
    return { ...thing, tags: [...thing.tags, ...concentrator.interfacesOf(thing.ref).map(interfaceTag)] };
  }
  const asked = { service: () => provisioning.service, isContact: (jid: string) => gate(jid) };
  const tokens = createTokenDesk(settings.tokens, { connection: session, ...asked, clock, log, signal });
  const owning = createOwning({
    settings,
    stores,
    tree,
    connection: tokens.connection,
    account: account.jid,
    things: () =>
      account.leaving ? [] : [{ ref: rootRef, tags: applianceTags(settings) }, ...tree.things().map(searchable)],
    people: {
      // The services see when we are there, to reach us; that makes them no contacts with rights of their own.
      isContact: jid => isLetIn(jid) && !services.all.has(jid),
      isService: jid => services.all.has(jid),
      contacts: () => (contactsKnown && session.online ? roster.contacts().map(({ jid }) => jid) : undefined),
      friend: jid => presence.friend(jid),
      unfriend: jid => presence.unfriend(jid),
      withdrawn: jid => faces.withdrawn(jid),
      dropMessages: session.drop,
      rightsChanged() {
        presence.reconsider();
        faces.rightsChanged();
        publishing.reconsider();
      },
      applianceParted,
    },
    clock,
    log,
  });
  const { discovery, provisioning, owners, roles, rules, lettingIn, parting } = owning;
  function applianceParted(): void {
    contacts.ownerGone();
    events.ownerGone();
  }
  const isLetIn = (jid: string) => roster.consented(jid) && !parting.isLeaving(jid);
  const gate = createGate({ connection: session, roster: { consented: isLetIn }, services: () => services.all });

  const events = createEventSending({ settings, stores, connection: session, owner: owners.rootOwner, clock, log });
  const contacts = createContacts({
    store: stores.contacts,
    connection: session,
    roster,
    presence: () => presence,
    isNeeded: jid => discovery.isOwner(jid) || services.all.has(jid),
    renew: session.renew,
    clock,
    log,
    signal,
  });
  const contactCommands = createContactCommands({ contacts, owner: owners.rootOwner });
  const changes = createServiceChanges({
    tree,
    isClaimed: () => discovery.list().some(({ owner }) => owner !== undefined),
    log,
  });
  const accountCommands = createAccountCommands({ account, changes, owner: owners.rootOwner, log });
  const following = followClock({ settings, connection: session, tree, clock, log });
  const publishing = createValuePublishing({
    stores,
    tree,
    owners,
    admitRead: (...asked) => concentrator.admitRead(...asked),
    connection: session,
    stanzaBytes: () => session.stanzaBytes,
    clock,
    log,
  });
  const labelCommands = createLabelCommands({
    tree,
    discovery,
    mayExecute: (caller, nodes, inner) => concentrator.allowed(caller, "execute", nodes, inner),
    settings,
    clock,
  });
  const reset = createReset({
    ...owning,
    tree,
    settings,
    stores,
    unpublish: publishing.removed,
    applianceParted,
    dropMessages: session.drop,
    log,
  });
  const applianceCommands = createApplianceCommands({
    tree,
    folder: stores.backups,
    backUp: stores.backUp,
    restart,
    clock,
    log,
    signal,
  });
  const concentrator = createConcentrator({
    tree,
    readings: stores.history.readings,
    eventLog: stores.history.events,
    rules: rules(tokens.guard(provisioning.rule)),
    roles,
    explaining: {
      ...owners,
      letIn: jid => (contactsKnown ? gate(jid) : undefined),
      friend: lettingIn.explain,
      remembered: provisioning.remembered,
      tokens: tokens.explain,
      bareJid,
    },
    ownerOf: discovery.ownerOf,
    commandsOf: (node, caller) => [
      ...applianceCommands(node),
      ...resetCommands(reset, owners)(node, caller),
      ...labelCommands(node, caller),
      ...publishing.commands(node, caller),
      ...contactCommands(node, caller),
      ...accountCommands(node, caller),
      ...events.commands(node, caller),
    ],
    heard: publishing.heard,
    clock,
    log,
    synchronised: () => clock.now() >= limits.clockEarliestMs && !following.isOff,
  });
  const updates = createSoftwareUpdates({ settings, connection: session, tree, clock, log, signal });
  const services = createKnownServices({
    connection: session,
    domain: settings.domain,
    named: { registry: settings.registry, provisioning: settings.provisioning },
    discovery,
    provisioning,
    publishing,
    updates,
    events,
    changes,
    clock,
    log,
  });
  const languages = createAllLanguages(settings.language);
  const faces = createFaces({
    concentrator,
    languages,
    clockSource: () => following.source,
    send: (to, payload) => session.send(payloadMessage(to, payload)),
    stanzaBytes: () => session.stanzaBytes,
    clock,
    log,
    signal,
  });
  const parts = [roster, contacts, faces, discovery, provisioning, tokens, updates];
  const { disco, router } = createFront({ parts, session, gate, languages, clock, log, signal });
  const presence = createPresence({
    connection: session,
    roster,
    paired: contacts.paired,
    decide: async (jid, inner) => (contacts.isBlocked(jid) ? "ignore" : await lettingIn.decide(jid, inner)),
    caps: disco.caps,
    gone: faces.gone,
    withdrawn: faces.withdrawn,
    isFormer: stores.sessions.isFormer,
    clock,
    log,
    signal,
  });
  const announcePresence = async (inner: AbortSignal) => {
    await presence.announce(inner);
    contactsKnown = true;
    parting.online();
  };
  const announce = createAnnouncing(announcePresence, clock, log, signal);

  const running = [session, account, discovery, services, roles, following, updates, publishing, events, parting];
  return { session, reset, discovery, provisioning, changes, roles, events, tasks: running.map(({ run }) => run) };
}
