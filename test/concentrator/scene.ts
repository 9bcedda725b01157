// A concentrator with everything real but the field: SQLite, tree, admission. The field is simulated devices and one type
// whose behaviour a test writes down, for what no well-behaved driver does.

import * as z from "zod";
import { createLog, type Log, type LogEvent } from "#base/log.ts";
import type { Rule } from "#concentrator/admission.ts";
import { type Concentrator, createConcentrator } from "#concentrator/concentrator.ts";
import { contactsMayView, ownerRule } from "#concentrator/rules.ts";
import { createTree, type Tree } from "#concentrator/tree.ts";
import { type Caller, noTokens } from "#contract/caller.ts";
import type { Device, Driver, Env, NodeType } from "#contract/driver.ts";
import { type Ask, askAll, categories, type Field, type Reading, type Sample } from "#contract/field.ts";
import { meteringTopology, type NodeRef } from "#contract/node.ts";
import { pollSeconds } from "#contract/settings.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { createHistory, type History } from "#store/history.ts";
import { edgeMigrations, historyMigrations } from "#store/migrations.ts";
import { createNodeStore } from "#store/nodes.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

export const owner = "owner@example.org";
export const stranger = "stranger@example.org";
export const never = new AbortController().signal;

export const callerOf = (bareJid: string): Caller => ({
  bareJid,
  fullJid: `${bareJid}/test`,
  tokens: noTokens,
  language: "en",
});
export const refOf = (nodeId: string, partition = ""): NodeRef => ({ nodeId, sourceId: meteringTopology, partition });
export const momentary: Ask = { ...askAll, categories: categories("momentary") };

export const quantity = (name: string, value: number, ...of: Parameters<typeof categories>): Field => ({
  name,
  value: { kind: "quantity", value, decimals: 1, unit: "kWh" },
  categories: of.length === 0 ? categories("momentary") : categories(...of),
  quality: { automaticReadout: true },
});

/** How a device of the type test.device or test.line behaves, by the `plan` in its settings. */
export type Plan = (env: Env<Device | undefined>, signal: AbortSignal) => Promise<Partial<Device>>;

export interface Scene {
  readonly clock: ManualClock;
  readonly tree: Tree;
  readonly concentrator: Concentrator;
  readonly history: History;
  readonly edge: Database;
  readonly historyFile: Database;
  readonly events: LogEvent[];
  readonly log: Log;
  readonly plans: Map<string, Plan>;
  /** Opened and not closed yet, by plan. */
  readonly openNow: Map<string, number>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Another program over the same files, as after a kill. */
  restart(): Scene;
  add(type: string, nodeId: string, settings?: Record<string, unknown>, parent?: string): NodeRef;
  read(nodes: readonly string[], ask?: Ask, bareJid?: string, signal?: AbortSignal): Promise<Reading[]>;
}

export interface SceneOptions {
  readonly rules?: readonly Rule[];
  readonly owners?: ReadonlyMap<string, string>;
  readonly contacts?: readonly string[];
  readonly synchronised?: () => boolean;
  readonly clock?: ManualClock;
  readonly edge?: Database;
  readonly historyFile?: Database;
}

const settings = z.object({
  plan: z.string().default("").meta({ title: "Plan" }),
  serial: z.int().default(0).meta({ title: "Serial number" }),
  scale: z.number().default(1).meta({ title: "Scale" }),
  enabled: z.boolean().default(true).meta({ title: "Enabled" }),
  password: z.string().default("").meta({ title: "Password", secret: true }),
  pollSeconds: pollSeconds(0),
});

export function scene(options: SceneOptions = {}): Scene {
  const clock = options.clock ?? manualClock();
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  const edge = options.edge ?? openDatabase(":memory:", edgeMigrations, log);
  const historyFile = options.historyFile ?? openDatabase(":memory:", historyMigrations, log);
  const history = createHistory(historyFile, { clock, log, keepMs: 86_400_000 * 365 });
  const plans = new Map<string, Plan>();
  const openNow = new Map<string, number>();
  const tree = createTree({
    drivers: [simDriver, plannedDriver(plans, openNow)],
    nodes: createNodeStore(edge),
    statuses: history.statuses,
    readings: history.readings,
    clock,
    log,
    timeZone: "Europe/Berlin",
  });
  const owners = { ownerOf: (ref: NodeRef) => options.owners?.get(ref.nodeId), rootOwner: () => owner };
  const contacts = options.contacts ?? [stranger];
  const concentrator = createConcentrator({
    tree,
    readings: history.readings,
    eventLog: history.events,
    rules: [ownerRule(owners), contactsMayView(jid => contacts.includes(jid)), ...(options.rules ?? [])],
    clock,
    log,
    ...(options.synchronised ? { synchronised: options.synchronised } : {}),
  });
  let stop = new AbortController();
  let running: Promise<unknown> = Promise.resolve();

  return {
    clock,
    tree,
    concentrator,
    history,
    edge,
    historyFile,
    events,
    log,
    plans,
    openNow,
    async start() {
      stop = new AbortController();
      running = Promise.all([tree.run(stop.signal), history.run(stop.signal)]);
      await clock.advance(0);
    },
    async stop() {
      stop.abort();
      await clock.advance(10_000);
      await running;
    },
    restart: () => scene({ ...options, clock, edge, historyFile }),
    add: (type, nodeId, given = {}, parent) =>
      tree.create({
        sourceId: meteringTopology,
        type,
        nodeId,
        settings: given,
        displayName: nodeId,
        tags: [],
        parent: parent === undefined ? undefined : refOf(parent),
      }),
    async read(nodes, ask = momentary, bareJid = owner, signal = never) {
      const refs = nodes.map(nodeId => refOf(nodeId));
      const admitted = await concentrator.admitRead(callerOf(bareJid), refs, ask, signal);
      return collect(concentrator.readout(admitted, signal));
    },
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** "heat-1 Energy 5.0 kWh" or "heat-1 ! why", for comparison. */
export const summary = (readings: readonly Reading[]): string[] =>
  readings.flatMap(one =>
    one.kind === "fault"
      ? [`${one.node.nodeId} ! ${one.message}`]
      : one.fields.map(
          field => `${one.node.nodeId} ${field.name} ${"value" in field.value ? field.value.value : "missing"}`,
        ),
  );

/** A device that says these fields whenever it is asked. */
export const telling =
  (...fields: Field[]): Plan =>
  async ({ clock }) => ({
    async *read() {
      yield { at: clock.now(), fields };
    },
  });

/** Waits for ever and does not look at its signal: the worst driver there is. */
export const deaf = (): AsyncIterable<Sample> => ({
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
});

function plannedDriver(plans: Map<string, Plan>, openNow: Map<string, number>): Driver {
  const count = (plan: string, by: number) => openNow.set(plan, (openNow.get(plan) ?? 0) + by);
  const type = (name: string, more: Pick<NodeType, "thing" | "line">): NodeType<typeof settings> => ({
    name,
    title: `Test ${name}`,
    parents: ["", "test.line", "sim.line"],
    settings,
    inherits: ["Test"],
    async open({ plan }, env, signal) {
      const device = await (plans.get(plan) ?? telling(quantity("Energy", 1)))(env as Env<Device>, signal);
      count(plan, 1);
      let closed = false;
      return {
        ...device,
        async [Symbol.asyncDispose]() {
          await device[Symbol.asyncDispose]?.();
          if (!closed) count(plan, -1);
          closed = true;
        },
      };
    },
    ...more,
  });
  return { name: "test", nodeTypes: [type("test.device", { thing: true }), type("test.line", { line: true })] };
}
