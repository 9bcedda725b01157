// The commands every node has, whatever its driver: read it now, log a message on it, erase its messages. Reading is admitted as
// any reading is: who may execute commands on a node may not for that reason read it (COM-AUTH-03).

import * as z from "zod";
import type { Admission } from "./admission.ts";
import type { Caller } from "./contract/caller.ts";
import { type Command, parameterized, query, simple } from "./contract/command.ts";
import { askAll, categories, categoryNames, type Field } from "./contract/field.ts";
import { type Cell, flagCell, integerCell, noCell, quantityCell, textCell, timeCell } from "./contract/report.ts";
import type { TreeNode } from "./forest.ts";
import type { createReadout } from "./readout.ts";
import type { Tree } from "./tree.ts";

const words = {
  values: "Values",
  messages: "Messages",
  read: "Read now",
  reading: "Reading.",
  field: "Field",
  value: "Value",
  time: "Time",
  category: "Category",
  quality: "Quality",
  nothing: "The node said nothing.",
  log: "Log a message on the node",
  text: "Message",
  textHelp: "What others who look at the node should know.",
  type: "Type",
  typeHelp: "How urgent it is.",
  logged: "The message is on the node.",
  erase: "Erase the messages of the node",
  eraseConfirm: "The messages of this node are erased for everybody; what is wrong at this moment stays. Continue?",
  erased: "The messages are gone.",
};

export interface NodeCommandsDeps {
  readonly tree: Pick<Tree, "note" | "erase">;
  readonly admission: Pick<Admission, "read">;
  readonly readout: ReturnType<typeof createReadout>;
}

const logSettings = z.object({
  type: z.enum(["Information", "Warning", "Error"]).default("Information").meta({
    title: words.type,
    description: words.typeHelp,
    page: words.messages,
  }),
  text: z.string().min(1).max(1_024).meta({ title: words.text, description: words.textHelp, page: words.messages }),
});

export function nodeCommands(deps: NodeCommandsDeps, node: TreeNode, caller: Caller): readonly Command[] {
  const { tree } = deps;
  return [
    ...(node.readable ? [readNow(deps, node, caller)] : []),
    parameterized({
      id: "LogMessage",
      title: words.log,
      sort: { category: words.messages, key: "1" },
      success: words.logged,
      settings: logSettings,
      async execute({ type, text }) {
        tree.note(node, type, `logged-by-${caller.bareJid}`, text);
      },
    }),
    simple({
      id: "EraseMessages",
      title: words.erase,
      sort: { category: words.messages, key: "2" },
      confirmation: words.eraseConfirm,
      success: words.erased,
      async execute() {
        tree.erase(node);
      },
    }),
  ];
}

const everythingNow = { ...askAll, categories: categories(...categoryNames.filter(name => name !== "historical")) };

const readNow = ({ admission, readout }: NodeCommandsDeps, node: TreeNode, caller: Caller): Command =>
  query({
    id: "ReadNow",
    title: words.read,
    sort: { category: words.values, key: "1" },
    async query(report, signal) {
      await report.title(`${words.read}: ${node.record.displayName}`);
      const admitted = await admission.read(caller, [node.ref], everythingNow, signal);
      await report.status(words.reading);
      const table = await report.table(words.values, [
        { columnId: "field", header: words.field },
        { columnId: "value", header: words.value, alignment: "Right" },
        { columnId: "time", header: words.time },
        { columnId: "category", header: words.category },
        { columnId: "quality", header: words.quality },
      ]);
      let rows = 0;
      for await (const reading of readout(admitted, signal)) {
        if (reading.kind === "fault") await report.message(reading.message, "Error", "Major");
        else for (const field of reading.fields) await table.row(...cellsOf(field, reading.at));
        rows++;
      }
      if (rows === 0) await report.message(words.nothing, "Warning");
      await table.done();
    },
  });

const cellsOf = ({ name, value, categories: those, quality }: Field, at: number): Cell[] => [
  textCell(name),
  cellOf(value),
  timeCell(at),
  textCell(categoryNames.filter(category => those[category]).join(", ")),
  textCell(value.kind === "missing" ? value.reason : Object.keys(quality).join(", ")),
];

function cellOf(value: Field["value"]): Cell {
  switch (value.kind) {
    case "quantity":
      return quantityCell(value.value, value.decimals, value.unit);
    case "boolean":
      return flagCell(value.value);
    case "int32":
    case "int64":
      return integerCell(value.value);
    case "dateTime":
      return timeCell(value.value);
    case "enum":
      return textCell(value.value);
    case "missing":
      return noCell;
    default:
      return value;
  }
}
