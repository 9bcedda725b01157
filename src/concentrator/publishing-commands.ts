// Enabling and ending the publishing of a node's values, as commands for who owns it.

import * as z from "zod";
import type { Caller } from "./contract/caller.ts";
import { type Command, parameterized, simple } from "./contract/command.ts";
import { Refusal } from "./contract/faults.ts";
import type { TreeNode } from "./forest.ts";
import type { Publishing } from "./publishing.ts";

const words = {
  page: "Publishing",
  begin: "Publish the values",
  beginConfirm:
    "The values are kept by the broker and told to the readers unasked, past the decisions on single fields. Continue?",
  begun: "The values are published.",
  end: "Stop publishing the values",
  ended: "The values are published no more.",
  readers: "Readers",
  readersHelp: "Addresses, separated by blanks. Each reads as long as he may read the whole node.",
  min: "Shortest interval (s)",
  minHelp: "Changes are told no more often.",
  max: "Longest interval (s)",
  maxHelp: "Told this often also without a change.",
  deadband: "Deadband (%)",
  deadbandHelp: "A number that changed by less is no news.",
};

const seconds = (title: string, description: string, standard: number) =>
  z.int().min(1).max(86_400).default(standard).meta({ title, description, page: words.page });

const settings = z.object({
  readers: z
    .string()
    .max(4_096)
    .default("")
    .meta({ title: words.readers, description: words.readersHelp, page: words.page }),
  minSeconds: seconds(words.min, words.minHelp, 10),
  maxSeconds: seconds(words.max, words.maxHelp, 900),
  deadbandPercent: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .meta({ title: words.deadband, description: words.deadbandHelp, page: words.page }),
});

export function publishingCommands(
  publishing: Publishing,
  bareJid: (text: string) => string | undefined,
  node: TreeNode,
  caller: Caller,
): readonly Command[] {
  if (!node.readable || !publishing.mayEnable(caller.bareJid, node.ref)) return [];
  const jidOf = (text: string): string => {
    const jid = bareJid(text);
    if (jid === undefined) throw new Refusal("bad-request", `"${text.slice(0, 100)}" is no address of a person.`);
    return jid;
  };
  const begin = parameterized({
    id: "PublishValues",
    title: words.begin,
    sort: { category: words.page, key: "1" },
    confirmation: words.beginConfirm,
    success: words.begun,
    settings,
    async execute({ readers, ...how }) {
      const jids = new Set(readers.split(/\s+/).filter(Boolean).map(jidOf));
      publishing.enable(caller, { ...how, node: node.ref, readers: [...jids] });
    },
  });
  const end = simple({
    id: "StopPublishing",
    title: words.end,
    sort: { category: words.page, key: "2" },
    success: words.ended,
    async execute() {
      publishing.disable(caller, node.ref);
    },
  });
  return publishing.of(node.ref) === undefined ? [begin] : [begin, end];
}
