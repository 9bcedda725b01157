// The command and listening faces over the real concentrator, with devices whose commands a test writes down.

import * as z from "zod";
import { createBroadcast } from "#base/broadcast.ts";
import type { Rule } from "#concentrator/admission.ts";
import { type Command, parameterized, query, queryWith, simple } from "#contract/command.ts";
import { DeviceFault, Refusal } from "#contract/faults.ts";
import { english } from "#contract/language.ts";
import { integerCell, quantityCell, type Report, textCell } from "#contract/report.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { createCommands } from "#iot/commands.ts";
import { createNodes } from "#iot/nodes.ts";
import { queryProgress } from "#iot/queries.wire.ts";
import { createSniffers } from "#iot/sniffers.ts";
import { sniff } from "#iot/sniffers.wire.ts";
import { stanzaBytesMax } from "#limits.ts";
import type { Element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { formattedBytes } from "#xml/size.ts";
import { type Scene, scene } from "../../concentrator/scene.ts";
import { type Bench, createBench } from "./face-bench.ts";

export const ns = "urn:nf:iot:concentrator:1.0";
export const owner = "owner@example.org/phone";
export const stranger = "stranger@example.org/phone";
export const node = (id: string) => `id='${id}' src='MeteringTopology'`;

export interface Devices {
  /** How often each command was executed, with which values. */
  readonly executed: { readonly plan: string; readonly id: string; readonly values: unknown }[];
  /** What the query `Ask` does, by plan. */
  readonly queries: Map<string, (report: Report, signal: AbortSignal, values: unknown) => Promise<void>>;
  /** What is said on the line of each plan. */
  readonly said: Map<string, (item: SniffedItem) => void>;
  /** Listeners at this moment, by plan. */
  readonly listeners: (plan: string) => number;
  /** Makes the device of the plan go away, as a line that is cut. */
  readonly lose: (plan: string) => void;
}

export interface CommandScene extends AsyncDisposable {
  readonly bench: Bench;
  readonly scene: Scene;
  readonly devices: Devices;
  /** Refuses what is to be sent while it is full, and what the broker would not take. */
  readonly outbox: { full: boolean; stanzaBytes: number };
  /** XML of a payload in, XML of the reply out. */
  ask(
    type: "get" | "set",
    name: string,
    attrs?: string,
    children?: string,
    from?: string,
    namespace?: string,
  ): Promise<string>;
  /** All progress sent so far of one query. */
  progress(queryId: string, nodeId?: string): ReturnType<typeof queryProgress.decode>[];
  /** Kinds of the items in order. */
  kinds(queryId: string, nodeId?: string): string[];
  sniffed(snifferId: string): ReturnType<typeof sniff.decode>[];
  gone(fullJid: string): void;
  withdrawn(bareJid: string): void;
}

export const parameters = z.object({
  speed: z.int().min(1).max(10).meta({ title: "Speed", page: "Motion" }),
  note: z.string().max(20).default("none").meta({ title: "Note" }),
  pin: z.string().default("").meta({ title: "PIN", secret: true }),
});

/** Nodes "a", "b" (alike) and "odd" (without the parameterized command), a line "line" with "child" below it. */
export async function commandScene(
  rules: readonly Rule[] = [],
  owners = new Map<string, string>(),
): Promise<CommandScene> {
  const bench = createBench();
  const it = scene({ clock: bench.clock, rules, owners });
  const lost = new Map<string, (fault: DeviceFault) => void>();
  const broadcasts = new Map<string, ReturnType<typeof createBroadcast<SniffedItem>>>();
  const devices: Devices = {
    executed: [],
    queries: new Map(),
    said: new Map(),
    listeners: plan => broadcasts.get(plan)?.listeners ?? 0,
    lose: plan => lost.get(plan)?.(new DeviceFault("unreachable", "The line was cut.")),
  };
  for (const plan of ["a", "b", "odd", "line", "child"]) {
    const broadcast = createBroadcast<SniffedItem>(1_000);
    broadcasts.set(plan, broadcast);
    devices.said.set(plan, broadcast.send);
    it.plans.set(plan, async () => ({
      commands: commandsOf(plan, devices),
      closed: new Promise<DeviceFault>(resolve => lost.set(plan, resolve)),
      async *read() {},
      ...(plan === "odd" ? {} : { sniff: (signal: AbortSignal) => broadcast.listen(signal) }),
    }));
  }
  for (const plan of ["a", "b", "odd"]) it.add("test.device", plan, { plan });
  it.add("test.line", "line", { plan: "line" });
  it.add("test.device", "child", { plan: "child" }, "line");
  await it.start();
  const log = { ...silent };
  const outbox = { full: false, stanzaBytes: stanzaBytesMax };
  const deps = {
    concentrator: it.concentrator,
    stanzaBytes: () => outbox.stanzaBytes,
    send(to: string, payload: Element) {
      if (formattedBytes(payload) > outbox.stanzaBytes) throw new Refusal("not-acceptable", "It is too large.");
      if (outbox.full) throw new Refusal("busy", "The outbox is full.");
      bench.send(to, payload);
    },
    languages: english,
    clock: bench.clock,
    log,
    signal: bench.stop.signal,
  };
  const commands = createCommands(deps);
  const sniffers = createSniffers(deps);
  const others = [...commands.routes, ...sniffers.routes];
  const raw = bench.serve([...others, ...createNodes({ concentrator: it.concentrator, others }).routes]);
  const progress: CommandScene["progress"] = (queryId, nodeId) =>
    bench.sent
      .filter(({ payload }) => payload.startsWith("<queryProgress"))
      .map(({ payload }) => queryProgress.decode(parse(payload)))
      .filter(one => one.queryId === queryId && (nodeId === undefined || one.ref.nodeId === nodeId));
  return {
    bench,
    scene: it,
    devices,
    outbox,
    ask: (type, name, attrs = "", children = "", from = owner, namespace = ns) =>
      raw(type, `<${name} xmlns='${namespace}' ${attrs}>${children}</${name}>`, from),
    progress,
    kinds: (queryId, nodeId) => progress(queryId, nodeId).flatMap(({ items }) => items.map(({ kind }) => kind)),
    sniffed: snifferId =>
      bench.sent
        .filter(({ payload }) => payload.startsWith("<sniff "))
        .map(({ payload }) => sniff.decode(parse(payload)))
        .filter(one => one.snifferId === snifferId),
    gone(fullJid) {
      commands.gone(fullJid);
      sniffers.gone(fullJid);
    },
    withdrawn(bareJid) {
      commands.withdrawn(bareJid);
      sniffers.withdrawn(bareJid);
    },
    async [Symbol.asyncDispose]() {
      bench.stop.abort(new Error("the test is over"));
      await it.stop();
    },
  };
}

const nothing = () => {};
const silent = {
  debug: nothing,
  info: nothing,
  notice: nothing,
  warning: nothing,
  error: nothing,
  with: () => silent,
};

function commandsOf(plan: string, devices: Devices): Command[] {
  const note = (id: string, values: unknown = {}) => void devices.executed.push({ plan, id, values });
  const run = (report: Report, signal: AbortSignal, values: unknown = {}) =>
    (devices.queries.get(plan) ?? standardReport)(report, signal, values);
  return [
    simple({
      id: "Reset",
      title: "Reset it",
      sort: { category: "Service", key: "1" },
      confirmation: "Really?",
      success: "Done.",
      failure: "Not done.",
      async execute() {
        note("Reset");
      },
    }),
    simple({
      id: "Break",
      title: "Break it",
      async execute() {
        throw new DeviceFault("refused", `${plan} is stuck.`);
      },
    }),
    ...(plan === "odd"
      ? []
      : [
          parameterized({
            id: "Calibrate",
            title: "Calibrate end stops",
            sort: { category: "Service", key: "2" },
            settings: parameters,
            async execute(values) {
              note("Calibrate", values);
            },
          }),
        ]),
    query({ id: "Ask", title: "Ask it", query: (report, signal) => run(report, signal) }),
    queryWith({
      id: "AskMore",
      title: "Ask it with words",
      settings: parameters,
      query: (values, report, signal) => run(report, signal, values),
    }),
  ];
}

export async function standardReport(report: Report): Promise<void> {
  await report.title("A report");
  await report.beginSection("First");
  const table = await report.table("Answers", [
    { columnId: "a", header: "Address", alignment: "Right" },
    { columnId: "p", header: "Power" },
    { columnId: "n" },
  ]);
  await table.row(integerCell(17), quantityCell(4.2, 1, "kW"));
  await table.row(integerCell(18), textCell(""), textCell("x"));
}
