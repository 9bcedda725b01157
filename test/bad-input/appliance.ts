// Everything an appliance serves, behind the router it serves it with, without a broker: all faces, discovery, provisioning,
// roster and disco over the real tree, SQLite files, rights and simulated devices. Stanzas go in as text and come out as text.

import { join } from "node:path";
import * as z from "zod";
import { createBroadcast } from "#base/broadcast.ts";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { type Concentrator, createConcentrator } from "#concentrator/concentrator.ts";
import { createTree, type Tree } from "#concentrator/tree.ts";
import { bootSettings } from "#config.ts";
import { query } from "#contract/command.ts";
import type { Driver, NodeType } from "#contract/driver.ts";
import { applianceSource, meteringTopology, type NodeRef, rootRef } from "#contract/node.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { boardDriver } from "#drivers/board/driver.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { createApplianceCommands } from "#edge/appliance-commands.ts";
import { createFaces } from "#edge/faces.ts";
import { createFront } from "#edge/front.ts";
import { createRights } from "#edge/rights.ts";
import { openStores } from "#edge/stores.ts";
import { createDiscovery } from "#iot/discovery.ts";
import { createProvisioning } from "#iot/provisioning.ts";
import { createTokenDesk } from "#iot/tokens.ts";
import { createAllLanguages } from "#languages/all.ts";
import * as limits from "#limits.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createBlocking } from "#xmpp/blocking.ts";
import { Disconnected } from "#xmpp/connection.ts";
import { createGate } from "#xmpp/presence.ts";
import { createRoster } from "#xmpp/roster.ts";
import type { Route, Router } from "#xmpp/router.ts";
import { clientNs, payloadMessage } from "#xmpp/stanza.ts";
import { temporaryFolder } from "../lab/scene.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

export const registry = "things.city.example";
export const applianceJid = "gw@city.example/isthmus";
export const owner = "owner@city.example/phone";
/** Owns the meter "own", and sees nothing else. */
export const tenant = "tenant@city.example/phone";
/** Sees the meters, and may no more. */
export const contact = "contact@city.example/phone";
export const stranger = "eve@elsewhere.example/phone";
export const settings = bootSettings.parse({ domain: "city.example", timeZone: "Europe/Stockholm" });

export interface Appliance extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly router: Router;
  /** What the router was made of. */
  readonly routes: readonly Route[];
  readonly tree: Tree;
  readonly concentrator: Concentrator;
  readonly events: LogEvent[];
  /** Messages that left, as stanzas. */
  readonly sent: { readonly to: string; readonly payload: string }[];
  /** Replies that left, by id. */
  readonly replies: Map<string, Element[]>;
  /** The reply to one iq; its text is that of the whole stanza. Advances the clock until there is one, then a little more. */
  ask(type: string, payload: string, from?: string): Promise<Answer>;
  /** Sends an iq and does not wait; its id. */
  post(type: string, payload: Element, from?: string): string;
  /** All rows of all tables of configuration, ownership and history, and the tree as it is in memory. */
  state(): string;
  /** His consent was withdrawn. */
  withdrawn(bareJid: string): void;
}

export interface Answer {
  /** Of the reply's payload, or "result" when there is none. */
  readonly name: string;
  /** "type condition" of an error. */
  readonly condition: string;
  /** The payload as text. */
  readonly text: string;
  readonly payload: Element | undefined;
}

/** A line that can be listened to, on which nobody speaks. */
const tapSettings = z.object({});
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>(resolve => signal.addEventListener("abort", () => resolve(), { once: true }));
/** Its form is posted back: one setting means something only beside a certain value of another. */
const gaugeSettings = z.object({
  kind: z.enum(["plain", "scaled"]).default("plain").meta({ title: "Kind" }),
  scale: z
    .number()
    .default(1)
    .meta({ title: "Scale", when: { kind: ["scaled"] } }),
});
const tapDriver: Driver = {
  name: "test",
  nodeTypes: [
    {
      name: "test.tap",
      title: "Tap",
      parents: [""],
      settings: tapSettings,
      inherits: ["Line"],
      line: true,
      async open() {
        return {
          sniff: signal => createBroadcast<SniffedItem>(1).listen(signal),
          commands: [
            query({
              id: "Listen",
              title: "Listen until told otherwise",
              query: (_, signal) => untilAborted(signal),
            }),
          ],
          async [Symbol.asyncDispose]() {},
        };
      },
    } satisfies NodeType<typeof tapSettings>,
    {
      name: "test.gauge",
      title: "Gauge",
      parents: [""],
      settings: gaugeSettings,
      inherits: ["Meter"],
      async open() {
        return { async [Symbol.asyncDispose]() {} };
      },
    } satisfies NodeType<typeof gaugeSettings>,
  ],
};

const meter = (id: string, more = {}) => ({ type: "sim.meter", id, settings: { fields: 9, ...more } });
const site = [
  {
    type: "sim.line",
    id: "attic",
    nodes: [meter("own"), meter("hidden"), meter("beside")],
  },
  { type: "test.tap", id: "tap" },
];

export async function startAppliance(stanzaBytes = limits.stanzaBytesMax): Promise<Appliance> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryFolder());
  const clock = manualClock();
  const stop = new AbortController();
  const events: LogEvent[] = [];
  const log = createLog(event => {
    // A million refusals are not to be remembered by the test itself.
    if (events.length < 10_000) events.push(event);
  });
  const stores = stack.use(openStores({ ...settings, dataFolder: path }, clock, log));
  const tree = createTree({
    drivers: [simDriver, boardDriver, tapDriver],
    nodes: stores.nodes,
    statuses: stores.history.statuses,
    readings: stores.history.readings,
    clock,
    log,
    timeZone: settings.timeZone,
    roots: [{ ref: { nodeId: "site", sourceId: meteringTopology, partition: "" }, displayName: "Test house" }],
  });
  tree.import(applianceSource, [
    { type: "board.appliance", id: "board", name: "This appliance", settings: { pollSeconds: 0 } },
  ]);
  tree.import(meteringTopology, site);

  /** No broker: whoever wants to ask finds nobody. */
  const connection = {
    jid: applianceJid,
    online: false,
    request: async () => {
      throw new Disconnected("there is no broker in this test");
    },
    send() {},
  };
  const roster = createRoster({ connection, log });
  // One component is both, as in most houses.
  for (const role of ["registry", "provisioning"] as const) {
    stores.ownership.rememberService(role, { jid: registry, generation: "nf" });
  }
  const discovery = createDiscovery({
    connection,
    store: stores.ownership,
    things: () => [{ ref: rootRef, tags: [] }, ...tree.things()],
    forgetDecisions: () => {},
    hooks: { claimed() {}, disowned() {} },
    clock,
    log,
  });
  const { roles, rules } = createRights({
    settings,
    stores,
    tree,
    discovery,
    isContact: jid => roster.consented(jid),
    hooks: { granted() {}, ended() {} },
    clock,
    log,
  });
  const provisioning = createProvisioning({
    connection,
    decisions: stores.decisions,
    store: stores.ownership,
    account: () => bareOf(applianceJid),
    thingOf: ref => ref,
    ownerOf: discovery.ownerOf,
    owners: () => new Set(),
    hooks: { rightsChanged() {}, friend() {}, unfriend() {} },
    clock,
    log,
  });
  const applianceCommands = createApplianceCommands({
    tree,
    folder: stores.backups,
    backUp: stores.backUp,
    restart: () => {
      throw new Error("nobody asked for a restart");
    },
    clock,
    log,
    signal: stop.signal,
  });
  const concentrator = createConcentrator({
    tree,
    readings: stores.history.readings,
    eventLog: stores.history.events,
    rules: rules(provisioning.rule),
    roles,
    ownerOf: discovery.ownerOf,
    commandsOf: applianceCommands,
    clock,
    log,
  });
  const sent: { to: string; payload: string }[] = [];
  const languages = createAllLanguages("en");
  const faces = createFaces({
    concentrator,
    languages,
    clockSource: () => undefined,
    send(to, payload) {
      // As it would be written; an event that cannot be written is a fault of ours.
      format(payloadMessage(to, payload), clientNs);
      if (sent.length < 10_000) sent.push({ to, payload: format(payload) });
    },
    stanzaBytes: () => stanzaBytes,
    clock,
    log,
    signal: stop.signal,
  });
  const blocking = createBlocking({ connection, changed() {} });
  const tokens = createTokenDesk(true, {
    connection,
    service: () => provisioning.service,
    isContact: roster.consented,
    clock,
    log,
    signal: stop.signal,
  });
  const parts = [roster, blocking, faces, discovery, provisioning, tokens];
  const replies = new Map<string, Element[]>();
  const { disco, router } = createFront({
    parts,
    session: {
      send(stanza) {
        const { id = "" } = stanza.attrs;
        const all = replies.get(id) ?? [];
        if (all.length === 0) replies.set(id, all);
        all.push(stanza);
      },
    },
    gate: createGate({ connection, roster, services: () => new Set([registry]) }),
    languages,
    clock,
    log,
    signal: stop.signal,
  });
  const routes = [disco, ...parts].flatMap(one => one.routes);
  const running = Promise.all([tree.run(stop.signal), stores.history.run(stop.signal)]);
  discovery.online(false);
  await clock.advance(10);

  let ids = 0;
  const post = (type: string, payload: Element, from = owner) => {
    const id = `i${++ids}`;
    void router.iq(element("iq", clientNs, { type, id, from, to: applianceJid }, [payload]));
    return id;
  };
  const ask: Appliance["ask"] = async (type, payload, from = owner) => {
    const id = post(type, parse(payload), from);
    for (let waited = 0; !replies.has(id) && waited < 20_000; waited += 500)
      await clock.advance(waited === 0 ? 0 : 500);
    const all = replies.get(id) ?? [];
    replies.delete(id);
    if (all.length !== 1) throw new Error(`${all.length} replies to ${payload}`);
    return answerOf(all[0] as Element);
  };
  const friends = [owner, tenant, contact].map(who => `<item jid='${bareOf(who)}' subscription='both'/>`).join("");
  await ask("set", `<query xmlns='jabber:iq:roster'>${friends}</query>`, bareOf(applianceJid));
  for (const [who, ref] of [
    [owner, "id=''"],
    [tenant, `id='own' src='${meteringTopology}' pt='attic'`],
  ] as const) {
    const { condition } = await ask(
      "set",
      `<claimed xmlns='urn:nf:iot:disco:1.0' jid='${bareOf(who)}' ${ref}/>`,
      registry,
    );
    if (condition !== "") throw new Error(`not claimed: ${condition}`);
  }
  // Read once, so that every table of the history has something in it.
  await ask("get", `<req xmlns='urn:nf:iot:sd:1.0' id='first' all='true'><nd id='hidden'/></req>`);
  await clock.advance(5_000);
  const files: Database[] = [
    openDatabase(join(path, "edge.db"), edgeMigrations, silentLog),
    openDatabase(join(path, "history.db"), historyMigrations, silentLog),
  ];
  stack.defer(() => {
    for (const file of files) file.close();
  });
  const all = stack.move();
  return {
    clock,
    router,
    routes,
    tree,
    concentrator,
    events,
    sent,
    replies,
    ask,
    post,
    state: () => [...files.map(rowsOf), inMemory(tree)].join("\n"),
    withdrawn: faces.withdrawn,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("the test is over"));
      await clock.advance(10_000);
      await running;
      await all.disposeAsync();
    },
  };
}

export const bareOf = (jid: string): string => jid.split("/")[0] as string;

export function answerOf(stanza: Element): Answer {
  const payload = stanza.children.find(one => typeof one !== "string");
  const isError = stanza.attrs.type === "error";
  const condition = isError ? payload?.children.find(one => typeof one !== "string") : undefined;
  return {
    name: payload === undefined ? "result" : payload.name,
    condition: condition === undefined ? "" : `${payload?.attrs.type} ${condition.name}`,
    text: payload === undefined ? "" : format(payload),
    payload,
  };
}

function rowsOf(database: Database): string {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all() as {
    name: string;
  }[];
  return tables
    .map(({ name }) => `${name} ${JSON.stringify(database.prepare(`SELECT * FROM "${name}"`).all())}`)
    .join("\n");
}

/** Nodes in their order, what they hold and what stands on them. */
function inMemory(tree: Tree): string {
  const all: unknown[] = [];
  for (const { sourceId, roots, lastChanged } of tree.sources.values()) {
    const nodes = [...roots];
    for (const node of nodes) {
      nodes.push(...node.children);
      all.push([node.record, [...node.messages.values()], node.opened !== undefined]);
    }
    all.push([sourceId, lastChanged]);
  }
  return JSON.stringify(all);
}

export const refOf = (nodeId: string, partition = "attic"): NodeRef => ({
  nodeId,
  sourceId: meteringTopology,
  partition,
});
