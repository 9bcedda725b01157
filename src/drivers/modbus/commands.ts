// What a Modbus line and its units can be told to do: look for units one by one, and say what a unit is by the identification
// it carries (Modbus Application Protocol 1.1b3, clauses 6.13 and 6.21). Between two units everybody else has the line.

import * as z from "zod";
import { QueueFull } from "#base/turns.ts";
import { type Command, query, queryWith, simple } from "#contract/command.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Cell, integerCell, type Report, textCell } from "#contract/report.ts";
import { lineBusyMs } from "#limits.ts";
import { factsTable, lastFramesCommand, resetCommand, statisticsCommand } from "../line-commands.ts";
import type { Learned } from "./learned.ts";
import type { ModbusLine } from "./line.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { unitName } from "./session.ts";

const words = {
  search: "Search",
  service: "Service",
  scan: "Search for units",
  from: "First unit",
  to: "Last unit",
  range: "Units have the addresses 1 to 247; each that is not there costs one timeout of the line.",
  order: "not less than the first unit",
  table: "Register asked for",
  tableHelp: "What each unit is asked to read; a refusal is an answer too.",
  register: "Address of the register",
  registerHelp: "As on the wire, from 0.",
  found: "Units found",
  unit: "Unit",
  answer: "Answer",
  vendor: "Vendor",
  product: "Product",
  revision: "Revision",
  reads: "reads",
  refuses: "refuses",
  garbled: "answers in a way that cannot be read: noise, or two units with this address",
  none: "No unit answered. Check the wiring, the baud rate and the parity.",
  identify: "Ask the unit who it is",
  identity: "The unit",
  serverId: "Server id",
  object: "Object",
  forget: "Ask again for what was refused",
  forgotten: "What this model refused, and how long its reads may be, is found out anew.",
  notForgotten: "It could not be forgotten.",
  noIdentity: "The unit does not say who it is.",
};

const unitNumber = (title: string, standard: number) =>
  z.int().min(1).max(247).default(standard).meta({ title, description: words.range, page: words.search });

const scanSettings = z
  .object({
    from: unitNumber(words.from, 1),
    to: unitNumber(words.to, 247),
    table: z
      .enum(["holding", "input"])
      .default("holding")
      .meta({ title: words.table, description: words.tableHelp, page: words.search }),
    register: z
      .int()
      .min(0)
      .max(65_535)
      .default(0)
      .meta({ title: words.register, description: words.registerHelp, page: words.search }),
  })
  .refine(({ from, to }) => from <= to, { path: ["to"], message: words.order });

export const lineCommands = (line: ModbusLine): readonly Command[] => [
  queryWith({
    id: "ScanUnits",
    title: words.scan,
    sort: { category: words.search, key: "1" },
    settings: scanSettings,
    query: (values, report, signal) => scan(line, values, report, signal),
  }),
  statisticsCommand(() => line.tap.use, line.describe ?? (() => []), line.clock),
  resetCommand(async () => line[Symbol.asyncDispose]()),
];

const forgetCommand = (learned: Learned): Command =>
  simple({
    id: "ForgetRefusals",
    title: words.forget,
    sort: { category: words.service, key: "8" },
    success: words.forgotten,
    failure: words.notForgotten,
    async execute() {
      learned.forget();
    },
  });

/** `learned`: what the unit's model was found to refuse, where that is kept. */
export const unitCommands = (line: ModbusLine, address: number, learned?: Learned): readonly Command[] => [
  query({
    id: "Identify",
    title: words.identify,
    sort: { category: words.service, key: "1" },
    async query(report, signal) {
      await report.title(words.identity);
      // Past the breaker: silence at a function that a unit does not know says nothing of its health.
      const facts = await identify(request => line.probe(address, request, signal));
      if (facts.length === 0) return report.message(words.noIdentity, "Warning");
      await factsTable(report, words.identity, facts);
    },
  }),
  ...(learned === undefined ? [] : [forgetCommand(learned)]),
  lastFramesCommand(line.tap, unitName(address)),
];

async function scan(
  line: ModbusLine,
  { from, to, table: kind, register }: z.output<typeof scanSettings>,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  await report.title(words.scan);
  const table = await report.table(words.found, [
    { columnId: "unit", header: words.unit, alignment: "Right" },
    { columnId: "answer", header: words.answer },
    { columnId: "vendor", header: words.vendor },
    { columnId: "product", header: words.product },
    { columnId: "revision", header: words.revision },
  ]);
  const request: Request = { function: kind === "holding" ? 3 : 4, address: register, quantity: 1 };
  let found = 0;
  for (let at = from; at <= to; at++) {
    await report.status(`Unit ${at} of ${to}: ${found} found so far.`);
    const probe = (one: Request) => patiently(line, signal, () => line.probe(at, one, signal));
    const answer = await heard(() => probe(request));
    if (answer === undefined) continue;
    found++;
    const objects = answer === words.garbled ? [] : await identification(probe);
    await table.row(
      integerCell(at),
      textCell(answer),
      ...[0, 1, 2].map(id => textCell(objects.find(one => one.id === id)?.text)),
    );
  }
  await table.done();
  await report.status(`${found} found from ${from} to ${to}.`);
  if (found === 0) await report.message(words.none, "Warning");
}

/** A scan goes behind everybody else: where even the queue is full it waits outside. */
async function patiently<T>({ clock }: ModbusLine, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      await clock.sleep(lineBusyMs, signal);
    }
  }
}

/** What a unit makes of the request; undefined where none is. */
async function heard(ask: () => Promise<Answer>): Promise<string | undefined> {
  try {
    const answer = await ask();
    if (answer.kind !== "exception") return words.reads;
    // The gateway answers for a unit that is not there.
    return answer.code === 10 || answer.code === 11 ? undefined : `${words.refuses}: ${describeException(answer.code)}`;
  } catch (error) {
    if (!(error instanceof DeviceFault)) throw error;
    if (error.kind === "timeout") return undefined;
    if (error.kind === "garbled") return words.garbled;
    throw error;
  }
}

const objectNames: Readonly<Record<number, string>> = {
  0: words.vendor,
  1: words.product,
  2: words.revision,
  3: "Vendor address",
  4: "Product name",
  5: "Model",
  6: "Application",
};

async function identify(ask: (request: Request) => Promise<Answer>): Promise<[string, Cell][]> {
  const objects = await identification(ask);
  const id = await answered(() => ask({ function: 17 }));
  return [
    ...objects.map(({ id: object, text }): [string, Cell] => [
      objectNames[object] ?? `${words.object} ${object}`,
      textCell(text),
    ]),
    ...(id?.kind === "data" ? ([[words.serverId, textCell(readable(id.data))]] as [string, Cell][]) : []),
  ];
}

/** The basic objects; none where the unit does not know the function, which most do not. */
async function identification(ask: (request: Request) => Promise<Answer>): Promise<{ id: number; text: string }[]> {
  const answer = await answered(() => ask({ function: 43, code: 1, object: 0 }));
  if (answer?.kind !== "identification") return [];
  return [...answer.objects].map(([id, bytes]) => ({ id, text: readable(bytes) }));
}

/** A unit that does not know a function may refuse it, be silent or answer nonsense: all say no. */
async function answered(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    const answer = await ask();
    return answer.kind === "exception" ? undefined : answer;
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return undefined;
    throw error;
  }
}

/** Text as far as it is text. */
const readable = (bytes: Uint8Array): string =>
  Array.from(bytes, one => (one >= 32 && one < 127 ? String.fromCharCode(one) : "·")).join("");
