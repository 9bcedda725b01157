// Reset as commands: of the appliance's own node for its owner, of a thing for who owns it and for the owner of the appliance, and
// for nobody else, whatever roles he was given.

import * as z from "zod";
import { isThing, type TreeNode } from "#concentrator/forest.ts";
import type { Owners } from "#concentrator/rules.ts";
import type { Caller } from "#contract/caller.ts";
import { type Command, parameterized } from "#contract/command.ts";
import { applianceSource } from "#contract/node.ts";
import type { Reset } from "./reset.ts";

const words = {
  page: "Reset",
  all: "Reset the appliance",
  allConfirm:
    "Nobody owns the appliance and its things any more, you neither. Rules, roles, friends and what was measured are deleted, and the labels have to be printed anew. Continue?",
  allDone: "The appliance is as new: claim it with its new code.",
  one: "Reset this thing",
  oneConfirm:
    "Nobody owns it any more. Rules and roles and what it measured are deleted, and its label has to be printed anew. Continue?",
  oneDone: "It is as new: claim it with its new code.",
  settings: "Settings",
  allHelp: "keep: the site stays as it is set up. wipe: the site is emptied.",
  oneHelp: "keep: it stays as it is set up. wipe: only what it cannot be without stays, such as its address.",
};

const settingsOf = (description: string) =>
  z.object({
    settings: z.enum(["keep", "wipe"]).default("keep").meta({ title: words.settings, description, page: words.page }),
  });

export function resetCommands(
  reset: Pick<Reset, "all" | "thing">,
  { ownerOf, rootOwner }: Owners,
): (node: TreeNode, caller: Caller) => readonly Command[] {
  return (node, caller) => {
    const { bareJid } = caller;
    const isRootOwner = rootOwner() === bareJid;
    if (node.ref.sourceId === applianceSource && node.type?.inherits.includes("Appliance"))
      return isRootOwner ? [whole(reset, bareJid)] : [];
    return isThing(node) && (isRootOwner || ownerOf(node.ref) === bareJid) ? [single(reset, node, bareJid)] : [];
  };
}

const whole = (reset: Pick<Reset, "all">, by: string): Command =>
  parameterized({
    id: "FactoryReset",
    title: words.all,
    sort: { category: words.page, key: "1" },
    confirmation: words.allConfirm,
    success: words.allDone,
    settings: settingsOf(words.allHelp),
    execute: ({ settings }) => reset.all(settings, by),
  });

const single = (reset: Pick<Reset, "thing">, { ref }: TreeNode, by: string): Command =>
  parameterized({
    id: "ResetThing",
    title: words.one,
    sort: { category: words.page, key: "1" },
    confirmation: words.oneConfirm,
    success: words.oneDone,
    settings: settingsOf(words.oneHelp),
    async execute({ settings }) {
      reset.thing(ref, settings, by);
    },
  });
