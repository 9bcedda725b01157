// What one unit can be told to do: say who it is, show registers, and what experts ask for (loop back, FIFO queue, file
// records). Everything goes past its breaker, behind whoever else wants the line.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { type Command, query, queryWith, simple } from "#contract/command.ts";
import type { Env } from "#contract/driver.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Cell, integerCell, quantityCell, type Report, textCell } from "#contract/report.ts";
import { factsTable, lastFramesCommand } from "../line-commands.ts";
import { addressOf } from "./address.ts";
import { type AskUnit, answered, identification, patiently, readable } from "./asking.ts";
import { byteOrderCommands } from "./byte-order-query.ts";
import type { Learned } from "./learned.ts";
import type { ModbusLine } from "./line.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { tables } from "./point.ts";
import { numberings } from "./profile-numbering.ts";
import { unitName } from "./session.ts";
import { recognise } from "./sunspec-walk.ts";

const words = {
  service: "Service",
  expert: "For experts",
  identify: "Ask the unit who it is",
  identity: "The unit",
  serverId: "Server id",
  object: "Object",
  sunspec: "SunSpec map at",
  sunspecSerial: "Serial number",
  noIdentity: "The unit does not say who it is.",
  forget: "Ask again for what was refused",
  forgotten: "What this model refused, and how long its reads may be, is found out anew.",
  notForgotten: "It could not be forgotten.",
  registers: "Show registers",
  table: "Table",
  tableHelp: "Coils and discrete inputs are bits, the other two registers.",
  address: "Address",
  addressHelp: "17 or 0x0011 as the numbering says; 4x0018 and 400018 name the table and count from 1.",
  numbering: "Numbering",
  numberingHelp: "How the manual counts: from 0 as on the wire, from 1, or 40001 for the first holding register.",
  count: "How many",
  countHelp: "Read in one request; lower it where the unit refuses.",
  hex: "Hexadecimal",
  unsigned: "Unsigned",
  signed: "Signed",
  characters: "Characters",
  bit: "Bit",
  loopback: "Try the line with a loop back",
  loopbackHelp: "Each sends two octets that the unit has to send back.",
  attempt: "Attempt",
  result: "Result",
  took: "Time",
  same: "came back as sent",
  unknown: "refused, which is an answer too",
  fifo: "Read a FIFO queue",
  pointer: "Address of the queue's pointer",
  file: "Read file records",
  fileNumber: "File",
  record: "First record",
  place: "Place",
};

const objectNames: Readonly<Record<number, string>> = {
  0: "Vendor",
  1: "Product",
  2: "Revision",
  3: "Vendor address",
  4: "Product name",
  5: "Model",
  6: "Application",
};

const page = words.service;
const address = z.coerce.string().min(1).max(12).meta({ title: words.address, description: words.addressHelp, page });
const count = (max: number, standard: number) =>
  z.int().min(1).max(max).default(standard).meta({ title: words.count, description: words.countHelp, page });

const registerSettings = z
  .object({
    table: z.enum(tables).default("holding").meta({ title: words.table, description: words.tableHelp, page }),
    address,
    numbering: z
      .enum(numberings)
      .default("wire")
      .meta({ title: words.numbering, description: words.numberingHelp, page }),
    count: count(125, 10),
  })
  .superRefine(({ address: text, numbering, table }, context) => {
    const found = addressOf(text, numbering, table);
    if (typeof found === "string") context.addIssue({ code: "custom", path: ["address"], message: found });
  });

/** `learned`: what the unit's model was found to refuse, where that is kept. */
export function unitCommands(
  line: ModbusLine,
  unit: number,
  learned?: Learned,
  addBelow?: Env["addBelow"],
): readonly Command[] {
  const asker =
    (signal: AbortSignal): AskUnit =>
    request =>
      patiently(line, signal, () => line.probe(unit, request, signal));
  return [
    query({
      id: "Identify",
      title: words.identify,
      sort: { category: words.service, key: "1" },
      query: (report, signal) => identify(asker(signal), report),
    }),
    queryWith({
      id: "ReadRegisters",
      title: words.registers,
      sort: { category: words.service, key: "3" },
      settings: registerSettings,
      query: (values, report, signal) => showRegisters(values, asker(signal), report),
    }),
    ...byteOrderCommands(asker, unit, addBelow),
    ...expertCommands(asker, line.clock),
    ...(learned === undefined ? [] : [forgetCommand(learned)]),
    lastFramesCommand(line.tap, unitName(unit)),
  ];
}

const expertCommands = (asker: (signal: AbortSignal) => AskUnit, clock: Clock): readonly Command[] => [
  queryWith({
    id: "Loopback",
    title: words.loopback,
    sort: { category: words.expert, key: "1" },
    settings: z.object({
      count: z.int().min(1).max(100).default(5).meta({ title: words.count, description: words.loopbackHelp, page }),
    }),
    query: (values, report, signal) => loopBack(values.count, asker(signal), clock, report),
  }),
  queryWith({
    id: "ReadFifo",
    title: words.fifo,
    sort: { category: words.expert, key: "2" },
    settings: z.object({
      pointer: z.int().min(0).max(65_535).meta({ title: words.pointer, page }),
    }),
    async query({ pointer }, report, signal) {
      const answer = good(await asker(signal)({ function: 24, address: pointer }));
      await wordsTable(report, words.fifo, answer.kind === "registers" ? answer.registers : [], 0, words.place);
    },
  }),
  queryWith({
    id: "ReadFile",
    title: words.file,
    sort: { category: words.expert, key: "3" },
    settings: z.object({
      file: z.int().min(1).max(65_535).meta({ title: words.fileNumber, page }),
      record: z.int().min(0).max(9_999).default(0).meta({ title: words.record, page }),
      count: count(121, 10),
    }),
    async query({ file, record, count: many }, report, signal) {
      const answer = good(await asker(signal)({ function: 20, parts: [{ file, record, count: many }] }));
      const [part = []] = answer.kind === "records" ? answer.parts : [];
      await wordsTable(report, words.file, part, record, words.record);
    },
  }),
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

async function identify(ask: AskUnit, report: Report): Promise<void> {
  await report.title(words.identity);
  const objects = await identification(ask);
  const id = await answered(() => ask({ function: 17 }));
  const facts: (readonly [string, Cell])[] = objects.map(({ id: object, text }) => [
    objectNames[object] ?? `${words.object} ${object}`,
    textCell(text),
  ]);
  if (id?.kind === "data") facts.push([words.serverId, textCell(readable(id.data))]);
  const sunspec = await recognise(ask);
  if (sunspec !== undefined) {
    facts.push([words.sunspec, integerCell(sunspec.base)]);
    const own = [sunspec.manufacturer, sunspec.model, sunspec.version];
    for (const [n, text] of own.entries()) if (text !== undefined) facts.push([objectNames[n] ?? "", textCell(text)]);
    if (sunspec.serialNumber !== undefined) facts.push([words.sunspecSerial, textCell(sunspec.serialNumber)]);
  }
  if (facts.length === 0) return report.message(words.noIdentity, "Warning");
  await factsTable(report, words.identity, facts);
}

/** The answer; a refusal ends the command with its words. */
function good(answer: Answer): Answer {
  if (answer.kind !== "exception") return answer;
  throw new DeviceFault("refused", `the unit refuses: ${describeException(answer.code)}`);
}

const readFunction = { coil: 1, discrete: 2, holding: 3, input: 4 } as const;

async function showRegisters(
  { table, address: text, numbering, count: many }: z.output<typeof registerSettings>,
  ask: AskUnit,
  report: Report,
): Promise<void> {
  const found = addressOf(text, numbering, table);
  if (typeof found === "string") throw new DeviceFault("refused", `address ${text}: ${found}`);
  const request: Request = { function: readFunction[table], address: found.address, quantity: many };
  await report.title(words.registers);
  const answer = good(await ask(request));
  if (answer.kind === "registers") return wordsTable(report, words.registers, answer.registers, found.address);
  if (answer.kind !== "bits") return;
  const shown = await report.table(words.registers, [
    { columnId: "address", header: words.address, alignment: "Right" },
    { columnId: "bit", header: words.bit, alignment: "Right" },
  ]);
  for (const [n, on] of answer.bits.entries()) await shown.row(integerCell(found.address + n), integerCell(on ? 1 : 0));
  await shown.done();
}

async function wordsTable(
  report: Report,
  title: string,
  registers: readonly number[],
  first: number,
  place = words.address,
): Promise<void> {
  const table = await report.table(title, [
    { columnId: "address", header: place, alignment: "Right" },
    { columnId: "hex", header: words.hex, alignment: "Right" },
    { columnId: "unsigned", header: words.unsigned, alignment: "Right" },
    { columnId: "signed", header: words.signed, alignment: "Right" },
    { columnId: "characters", header: words.characters },
  ]);
  for (const [n, word] of registers.entries()) {
    await table.row(
      integerCell(first + n),
      textCell(word.toString(16).toUpperCase().padStart(4, "0")),
      integerCell(word),
      integerCell(word > 0x7fff ? word - 0x1_0000 : word),
      textCell(readable(Uint8Array.of(word >> 8, word & 0xff))),
    );
  }
  await table.done();
}

/** Each with data of its own, so that one echo is not taken for another. */
async function loopBack(times: number, ask: AskUnit, clock: Clock, report: Report): Promise<void> {
  await report.title(words.loopback);
  const table = await report.table(words.loopback, [
    { columnId: "attempt", header: words.attempt, alignment: "Right" },
    { columnId: "result", header: words.result },
    { columnId: "took", header: words.took, alignment: "Right" },
  ]);
  for (let n = 1; n <= times; n++) {
    const began = clock.monotonic();
    const result = await loopedBack(ask, (Math.floor(clock.now()) + 257 * n) & 0xffff);
    await table.row(integerCell(n), textCell(result), quantityCell(clock.monotonic() - began, 0, "ms"));
  }
  await table.done();
}

async function loopedBack(ask: AskUnit, data: number): Promise<string> {
  try {
    const answer = await ask({ function: 8, sub: 0, data });
    return answer.kind === "exception" ? `${words.unknown}: ${describeException(answer.code)}` : words.same;
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return error.message;
    throw error;
  }
}
