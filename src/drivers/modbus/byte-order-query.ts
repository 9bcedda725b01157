// Finding out how a unit holds a value: a block of its registers in every reading, ranked by what its display shows, and the one
// that was meant made a node below the unit.

import * as z from "zod";
import { formatDecimal } from "#base/decimal.ts";
import { type Command, parameterized, queryWith } from "#contract/command.ts";
import type { Env } from "#contract/driver.ts";
import { DeviceFault, Refusal } from "#contract/faults.ts";
import { categoryNames } from "#contract/field.ts";
import { type Cell, integerCell, noCell, quantityCell, type Report, textCell } from "#contract/report.ts";
import { fieldName, unit as unitSetting } from "#contract/settings.ts";
import { modbusBlockMax, modbusChoicesMax } from "#limits.ts";
import { addressOf } from "./address.ts";
import type { AskUnit } from "./asking.ts";
import { type Interpretation, interpretationsOf, numberTypes, ordersOf, shownNumber, valueAt } from "./byte-orders.ts";
import { describeException } from "./pdu.ts";
import { numberings } from "./profile-numbering.ts";
import { wordOrders, wordsOf } from "./registers.ts";

const words = {
  category: "Registers",
  find: "Find out how a value is held",
  table: "Table",
  tableHelp: "Holding registers (function 3) or input registers (4).",
  address: "Address",
  addressHelp: "17 or 0x0011 as the numbering says; 4x0018 and 400018 name the table and count from 1.",
  numbering: "Numbering",
  numberingHelp: "How the manual counts: from 0 as on the wire, from 1, or 40001 for the first holding register.",
  count: "How many",
  countHelp: "Registers to look at; some more than the value has, where its place is not certain.",
  shown: "What the display shows",
  shownHelp: "The number as it stands there now, such as 1843.7; empty where there is none.",
  page: "Registers",
  expected: "a number as a display shows it, such as 1843.7",
  every: "Every reading",
  ranked: "What it may be, best first",
  choice: "Choice",
  type: "Type",
  order: "Word order",
  scale: "Scale",
  value: "Value",
  fit: "Fit",
  hex: "Hexadecimal",
  none: "Nothing here reads like what the display shows: look at other addresses, or at the other table.",
  next: "One of them becomes a field by the command that makes a field of a choice, with its number.",
  take: "Make a field of a choice",
  takeHelp: "The number it has in the list of what it may be.",
  unknown: "There is no such choice: find out first how the value is held, then choose a number of that list.",
  taken: "The field was added below the unit.",
  id: "Node id",
  idHelp: "Empty for one made of the field's name and address.",
  kind: "Category",
  kindHelp: "What kind of value it is.",
};

const { page } = words;
const findSettings = z
  .object({
    table: z
      .enum(["holding", "input"])
      .default("holding")
      .meta({ title: words.table, description: words.tableHelp, page }),
    address: z.coerce.string().min(1).max(12).meta({ title: words.address, description: words.addressHelp, page }),
    numbering: z
      .enum(numberings)
      .default("wire")
      .meta({ title: words.numbering, description: words.numberingHelp, page }),
    count: z
      .int()
      .min(1)
      .max(modbusBlockMax)
      .default(4)
      .meta({ title: words.count, description: words.countHelp, page }),
    shown: z.string().max(32).default("").meta({ title: words.shown, description: words.shownHelp, page }),
  })
  .superRefine(({ address, numbering, table, shown }, context) => {
    const found = addressOf(address, numbering, table);
    if (typeof found === "string") context.addIssue({ code: "custom", path: ["address"], message: found });
    if (shown.trim() !== "" && shownNumber(shown) === undefined)
      context.addIssue({ code: "custom", path: ["shown"], message: words.expected });
  });

const takeSettings = z.object({
  choice: z
    .int()
    .min(1)
    .max(modbusChoicesMax)
    .default(1)
    .meta({ title: words.choice, description: words.takeHelp, page }),
  fieldName,
  unit: unitSetting,
  category: z
    .enum(categoryNames)
    .default("momentary")
    .meta({ title: words.kind, description: words.kindHelp, page: "Field" }),
  nodeId: z.string().max(128).default("").meta({ title: words.id, description: words.idHelp, page: "Field" }),
});

/** A reading at its place on the wire. */
interface Choice extends Interpretation {
  readonly table: "holding" | "input";
  readonly address: number;
}

/** `asker`: asks the unit behind everybody else. Without `addBelow` there is nothing to hang a field on. */
export function byteOrderCommands(
  asker: (signal: AbortSignal) => AskUnit,
  unit: number,
  addBelow: Env["addBelow"],
): readonly Command[] {
  let choices: readonly Choice[] = [];
  const find = queryWith({
    id: "FindValue",
    title: words.find,
    sort: { category: words.category, key: "1" },
    settings: findSettings,
    async query(given, report, signal) {
      choices = await findValue(given, asker(signal), report, addBelow !== undefined);
    },
  });
  return addBelow === undefined ? [find] : [find, takeCommand(() => choices, unit, addBelow)];
}

async function findValue(
  { table, address: text, numbering, count, shown }: z.output<typeof findSettings>,
  ask: AskUnit,
  report: Report,
  canTake: boolean,
): Promise<readonly Choice[]> {
  const found = addressOf(text, numbering, table);
  if (typeof found === "string") throw new DeviceFault("refused", `address ${text}: ${found}`);
  await report.title(words.find);
  const { address } = found;
  const answer = await ask({ function: table === "holding" ? 3 : 4, address, quantity: count });
  if (answer.kind === "exception")
    throw new DeviceFault("refused", `the unit refuses: ${describeException(answer.code)}`);
  const registers = answer.kind === "registers" ? answer.registers : [];
  const wanted = shownNumber(shown);
  await everyReading(registers, address, report);
  const choices = interpretationsOf(registers, wanted)
    .filter(({ fit }) => wanted === undefined || fit > 0)
    .slice(0, modbusChoicesMax)
    .map(one => ({ ...one, table, address: address + one.offset }));
  if (choices.length === 0) await report.message(words.none, "Warning");
  else await ranked(choices, report);
  if (choices.length > 0 && canTake) await report.message(words.next);
  return choices;
}

/** All four orders side by side, as the wrong ones may look right as well. */
async function everyReading(registers: readonly number[], first: number, report: Report): Promise<void> {
  const table = await report.table(words.every, [
    { columnId: "address", header: words.address, alignment: "Right" },
    { columnId: "hex", header: words.hex },
    { columnId: "type", header: words.type },
    ...wordOrders.map(order => ({ columnId: order, header: order, alignment: "Right" as const })),
  ]);
  for (let offset = 0; offset < registers.length; offset++) {
    for (const type of numberTypes) {
      const own = registers.slice(offset, offset + wordsOf({ type }));
      const values = wordOrders.map(order =>
        ordersOf(type).includes(order) ? valueAt(registers, offset, type, order) : undefined,
      );
      if (values.every(value => value === undefined)) continue;
      const hex = own.map(word => word.toString(16).toUpperCase().padStart(4, "0")).join(" ");
      await table.row(
        integerCell(first + offset),
        textCell(hex),
        textCell(type),
        ...values.map((value): Cell => (value === undefined ? noCell : textCell(short(formatDecimal(value))))),
      );
    }
  }
  await table.done();
}

const shortMax = 15;
/** What is longer than any display is nonsense, and is told as such: by its size. */
const short = (text: string): string =>
  text.length <= shortMax ? text : Number(text).toExponential(3).replace("e+", "e");

async function ranked(choices: readonly Choice[], report: Report): Promise<void> {
  const table = await report.table(words.ranked, [
    { columnId: "choice", header: words.choice, alignment: "Right" },
    { columnId: "value", header: words.value, alignment: "Right" },
    { columnId: "fit", header: words.fit, alignment: "Right" },
    { columnId: "address", header: words.address, alignment: "Right" },
    { columnId: "type", header: words.type },
    { columnId: "order", header: words.order },
    { columnId: "scale", header: words.scale, alignment: "Right" },
  ]);
  for (const [at, { value, fit, address, type, order, scale }] of choices.entries()) {
    await table.row(
      integerCell(at + 1),
      textCell(short(formatDecimal(value))),
      quantityCell(Math.round(fit), 0, "%"),
      integerCell(address),
      textCell(type),
      textCell(wordsOf({ type }) === 1 && order === "ABCD" ? "" : order),
      textCell(String(scale)),
    );
  }
  await table.done();
}

const takeCommand = (choices: () => readonly Choice[], unit: number, addBelow: NonNullable<Env["addBelow"]>): Command =>
  parameterized({
    id: "AddFoundValue",
    title: words.take,
    sort: { category: words.category, key: "2" },
    success: words.taken,
    settings: takeSettings,
    async execute({ choice, fieldName: name, unit: unitName, category, nodeId }) {
      const chosen = choices()[choice - 1];
      if (chosen === undefined)
        throw new Refusal("not-acceptable", words.unknown, [{ name: "choice", message: words.unknown }]);
      const { table, address, type, order, scale } = chosen;
      const id = nodeId || `${slugOf(name)}-${unit}-${address}`;
      const settings = {
        fieldName: name,
        table,
        address: String(address),
        numbering: "wire",
        type,
        wordOrder: order,
        scale,
        unit: unitName,
        category,
      };
      const { created } = addBelow([{ type: "modbus.register", id, name, settings }]);
      if (created.length === 0) throw new Refusal("conflict", `There is a node ${id} already: give another node id.`);
    },
  });

const slugOf = (name: string): string =>
  name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "") || "value";
