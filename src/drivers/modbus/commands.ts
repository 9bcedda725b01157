// What a Modbus line can be told to do: look for units one by one, each with what it says of itself (Modbus Application Protocol
// 1.1b3, clause 6.21). Between two units everybody else has the line.

import * as z from "zod";
import { type Command, queryWith } from "#contract/command.ts";
import { DeviceFault } from "#contract/faults.ts";
import { integerCell, type Report, textCell } from "#contract/report.ts";
import { resetCommand, statisticsCommand } from "../line-commands.ts";
import { identification, patiently } from "./asking.ts";
import type { ModbusLine } from "./line.ts";
import { type Answer, describeException, type Request } from "./pdu.ts";
import { recognise } from "./sunspec-walk.ts";

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
  sunspec: "SunSpec",
  sunspecHelp: "Add a SunSpec device as a node of that type: it says itself what it has.",
  none: "No unit answered. Check the wiring, the baud rate and the parity.",
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
    { columnId: "sunspec", header: words.sunspec },
  ]);
  let sunspecs = 0;
  const request: Request = { function: kind === "holding" ? 3 : 4, address: register, quantity: 1 };
  let found = 0;
  for (let at = from; at <= to; at++) {
    await report.status(`Unit ${at} of ${to}: ${found} found so far.`);
    const probe = (one: Request) => patiently(line, signal, () => line.probe(at, one, signal));
    const answer = await heard(() => probe(request));
    if (answer === undefined) continue;
    found++;
    const objects = answer === words.garbled ? [] : await identification(probe, true);
    const sunspec = answer === words.garbled ? undefined : await recognise(probe);
    if (sunspec !== undefined) sunspecs++;
    const said = [sunspec?.manufacturer, sunspec?.model, sunspec?.version];
    await table.row(
      integerCell(at),
      textCell(answer),
      ...[0, 1, 2].map(id => textCell(said[id] ?? objects.find(one => one.id === id)?.text)),
      textCell(sunspec && `map at ${sunspec.base}`),
    );
  }
  await table.done();
  await report.status(`${found} found from ${from} to ${to}.`);
  if (sunspecs > 0) await report.message(words.sunspecHelp);
  if (found === 0) await report.message(words.none, "Warning");
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
