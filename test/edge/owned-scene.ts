// Everything of the appliance that decides, put together as on the network but for the network: real tree, real files, the rules
// in their order, roles, decisions and ownership. What the registry and the owner's service say is written down by a test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "#base/log.ts";
import { createAdmission } from "#concentrator/admission.ts";
import { type Concentrator, createConcentrator } from "#concentrator/concentrator.ts";
import { type Asked, createExplaining, type Explanation } from "#concentrator/explaining.ts";
import { createPublishing, type Publishing } from "#concentrator/publishing.ts";
import { createTree, type Tree } from "#concentrator/tree.ts";
import { type BootSettings, bootSettings } from "#config.ts";
import { applianceSource, meteringTopology, type NodeRef, rootRef } from "#contract/node.ts";
import { boardDriver } from "#drivers/board/driver.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { type Contacts, createContacts } from "#edge/contacts.ts";
import { createEventSending } from "#edge/event-sending.ts";
import { createOwning, type Owning } from "#edge/owning.ts";
import { createReset, type Reset } from "#edge/reset.ts";
import { resetCommands } from "#edge/reset-commands.ts";
import { openStores, type Stores } from "#edge/stores.ts";
import type { Discovery } from "#iot/discovery.ts";
import { namespace } from "#iot/generations.ts";
import type { Provisioning } from "#iot/provisioning.ts";
import { createTokenDesk, type TokenDesk } from "#iot/tokens.ts";
import { bareJid } from "#xmpp/jid.ts";
import { createOutbox, type Outbox } from "#xmpp/outbox.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";
import { createServiceLink, edgeBare, type Script, type ServiceLink } from "../xmpp/iot/discovery-service-link.ts";

export const registry = "reg.hub.example";
export const decider = "prov.hub.example";
const discoNs = namespace("discovery", "nf");

export const ref = (nodeId: string, partition = ""): NodeRef => ({ nodeId, sourceId: meteringTopology, partition });
export const heat = ref("heat-3", "attic");
export const water = ref("water-7", "attic");
export const line = ref("attic");
export const board: NodeRef = { nodeId: "board", sourceId: applianceSource, partition: "" };
export { rootRef };

export interface OwnedScene extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly folder: string;
  readonly link: ServiceLink;
  readonly stores: Stores;
  readonly tree: Tree;
  readonly concentrator: Concentrator;
  readonly discovery: Discovery;
  readonly provisioning: Provisioning;
  readonly rights: Owning;
  readonly publishing: Publishing;
  readonly outbox: Outbox;
  /** Is to see what comes in before it is asked. */
  readonly desk: TokenDesk;
  readonly reset: Reset;
  /** Whom the owner keeps out, and codes that let somebody in. */
  readonly keptOut: Contacts;
  /** Who may see our presence. */
  readonly contacts: Set<string>;
  /** How the owner's service answers; away unless said. */
  decide: Script;
  /** Said to the hooks, in order. */
  readonly told: string[];
  claim(thing: NodeRef, owner: string, isPublic?: boolean): Promise<void>;
  disown(thing: NodeRef): Promise<void>;
  /** Questions to the service so far. */
  asked(): number;
  /** Whoever may hear it. */
  explain(node: NodeRef, asked: Asked): Promise<Explanation>;
}

export const says =
  (attrs: string, children = ""): Script =>
  ({ payload }) =>
    `<${payload.name}Response xmlns='${payload.ns}' jid='${payload.attrs.jid}' ${attrs}>${children}</${payload.name}Response>`;
export const yes = says("result='true' m='true' p='true' s='true' c='true' i='true' h='true'");
export const no = says("result='false'");
export const away: Script = () => {
  throw new StanzaError("wait", "service-unavailable");
};

export const addressOf = ({ nodeId, sourceId, partition }: NodeRef): string =>
  nodeId === "" ? "" : `id='${nodeId}' src='${sourceId}' pt='${partition}'`;

export async function ownedScene(
  boot: Partial<BootSettings> = {},
  /**
   * `asleep`: no device is opened, and nothing is read. `keep`: the folder is left for another one to go on with. Tokens are taken
   * where the boot file says so.
   */
  given: { clock?: ManualClock; folder?: string; asleep?: true; keep?: true } = {},
): Promise<OwnedScene> {
  const clock = given.clock ?? manualClock();
  const folder = given.folder ?? mkdtempSync(join(tmpdir(), "isthmus-owned-"));
  const settings = {
    ...bootSettings.parse({ domain: "hub.example", dataFolder: folder, registrationJitterSeconds: 0 }),
    ...boot,
  };
  const link = createServiceLink(clock);
  const { log } = link;
  const stores = openStores(settings, clock, silentLog);
  const tree = createTree({
    drivers: [boardDriver, simDriver],
    nodes: stores.nodes,
    statuses: stores.history.statuses,
    readings: stores.history.readings,
    clock,
    log: silentLog,
    timeZone: "UTC",
    roots: [{ ref: ref("site"), displayName: "House" }],
  });
  tree.import(applianceSource, [{ type: "board.appliance", id: "board", settings: { pollSeconds: 0 } }]);
  const nodes = ["heat-3", "water-7"].map(id => ({ type: "sim.meter", id, settings: { pollSeconds: 0 } }));
  tree.import(meteringTopology, [{ type: "sim.line", id: "attic", nodes }]);

  const stop = new AbortController();
  const outbox = createOutbox(stores.outbox, clock, silentLog, stop.signal);
  const contacts = new Set<string>();
  const told: string[] = [];
  const people = {
    isContact: (jid: string) => contacts.has(jid) && !owning.parting.isLeaving(jid),
    isService: (jid: string) => jid === decider || jid === registry,
    contacts: () => (link.online ? [...contacts] : undefined),
    friend: (jid: string) => {
      told.push(`friend ${jid}`);
      contacts.add(jid);
    },
    async unfriend(jid: string) {
      if (!link.online) throw new Error("not connected");
      told.push(`unfriend ${jid}`);
      contacts.delete(jid);
    },
    withdrawn: (jid: string) => {
      told.push(`withdrawn ${jid}`);
      concentrator.queriesWithdrawn(jid);
      concentrator.sniffersWithdrawn(jid);
    },
    dropMessages: outbox.drop,
    rightsChanged() {
      told.push("rights");
      concentrator.rightsChanged();
      publishing.reconsider();
    },
    applianceParted() {
      told.push("appliance parted");
      keptOut.ownerGone();
      eventSending.ownerGone();
    },
  };
  const desk = createTokenDesk(settings.tokens, {
    connection: link.connection,
    service: () => provisioning.service,
    isContact: people.isContact,
    clock,
    log,
    signal: stop.signal,
  });
  const owning: Owning = createOwning({
    settings,
    stores,
    tree,
    connection: desk.connection,
    account: () => edgeBare,
    things: () =>
      stores.credentials.retired() === undefined
        ? [{ ref: rootRef, tags: [{ name: "CLASS", value: "Concentrator" }] }, ...tree.things()]
        : [],
    people,
    clock,
    log,
  });
  const { discovery, provisioning, lettingIn, roles, owners, parting } = owning;
  const keptOut = createContacts({
    store: stores.contacts,
    connection: link.connection,
    roster: { contacts: () => [], consented: () => false },
    presence: () => ({ pending: [], answer() {}, async revoke() {}, reconsider() {} }),
    isNeeded: () => false,
    renew() {},
    clock,
    log: silentLog,
    signal: stop.signal,
  });
  const eventSending = createEventSending({
    settings,
    stores,
    connection: link.connection,
    owner: owners.rootOwner,
    clock,
    log: silentLog,
  });
  const publishing = createPublishing({
    ...owners,
    store: stores.publications,
    place: { async open() {}, async publish() {}, async close() {} },
    mayRead: async () => false,
    clock,
    log,
  });
  const reset = createReset({
    ...owning,
    settings,
    stores,
    tree,
    unpublish: publishing.removed,
    applianceParted: people.applianceParted,
    dropMessages: outbox.drop,
    log,
  });
  const rules = owning.rules(desk.guard(provisioning.rule));
  const sources = {
    ...owners,
    letIn: (jid: string) => contacts.has(jid),
    friend: lettingIn.explain,
    remembered: provisioning.remembered,
    tokens: desk.explain,
    bareJid,
  };
  const admission = createAdmission({ rules, find: one => tree.find(one)?.ref, clock, log });
  const explaining = createExplaining({ ...owners, admission, sources });
  const concentrator: Concentrator = createConcentrator({
    tree,
    readings: stores.history.readings,
    eventLog: stores.history.events,
    rules,
    roles,
    explaining: sources,
    commandsOf: (node, caller) => [
      ...resetCommands(reset, owners)(node, caller),
      ...eventSending.commands(node, caller),
    ],
    ownerOf: discovery.ownerOf,
    clock,
    log,
  });
  const scene = { decide: away };
  link.script = sent => (sent.to === decider ? scene.decide(sent) : "");
  link.serve([...discovery.routes, ...provisioning.routes, ...desk.routes], provisioning.messages);
  const running = Promise.all(
    [
      ...(given.asleep ? [] : [tree.run, stores.history.run]),
      discovery.run,
      roles.run,
      parting.run,
      publishing.run,
    ].map(run => run(stop.signal)),
  );
  discovery.serviceFound({ jid: registry, generation: "nf" });
  provisioning.serviceFound({ jid: decider, generation: "nf" });
  provisioning.online(false);
  discovery.online(false);
  await clock.advance(2_000);

  const push = async (payload: string) => {
    const answer = await link.push(registry, payload);
    if (answer !== "result") throw new Error(`the appliance said ${answer}`);
    await clock.advance(0);
  };
  return {
    clock,
    folder,
    link,
    stores,
    tree,
    concentrator,
    discovery,
    provisioning,
    rights: owning,
    publishing,
    outbox,
    desk,
    reset,
    keptOut,
    contacts,
    get decide() {
      return scene.decide;
    },
    set decide(script) {
      scene.decide = script;
    },
    told,
    claim: (thing, owner, isPublic = true) =>
      push(`<claimed xmlns='${discoNs}' jid='${owner}' ${addressOf(thing)} public='${isPublic}'/>`),
    disown: thing => push(`<disowned xmlns='${discoNs}' ${addressOf(thing)}/>`),
    async explain(node, asked) {
      const found = tree.find(node);
      if (found === undefined) throw new Error("no such node");
      return await explaining.why(found, asked, stop.signal);
    },
    asked: () => link.sent.filter(({ to }) => to === decider).length,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the test is over"));
      await clock.advance(60_000);
      await running;
      stores[Symbol.dispose]();
      if (given.keep === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}
