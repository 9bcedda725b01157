// `isthmus node …`: nodes made, edited, moved and removed, by the forms the appliance gives.

import { describeNode, type NodeRef, parseNode } from "#contract/node.ts";
import { type CommandBody, CommandError, UsageError } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import { formOptions, throughForm } from "../form-words.ts";

/** Where the field devices begin. */
const top = "site";

export const nodeTypes: CommandBody = {
  usage: "[PARENT]",
  details: `What can be added below PARENT; without it below "${top}", where the field devices begin.`,
  options: clientOptions,
  words: [0, 1],
  run: call =>
    withClient(call, async client => {
      const parent = parseNode(call.words[0] ?? top);
      const types = await client.editing.addableTypes(await client.appliance(call.signal), parent, call.signal);
      for (const one of types) call.out.value(one);
      if (types.length === 0) call.out.note(`Nothing can be added below ${describeNode(parent)}.`);
      else
        call.out.table(
          ["Type", "What it is"],
          types.map(({ type, name }) => [type, name]),
        );
      return 0;
    }),
};

export const nodeAdd: CommandBody = {
  usage: "PARENT TYPE [--set NAME=VALUE]...",
  details: `PARENT is a node, "${top}" for the top; TYPE is one of \`isthmus node types PARENT\`.`,
  options: { ...clientOptions, ...formOptions },
  words: [2, 2],
  run: call =>
    withClient(call, async client => {
      const [above = "", type = ""] = call.words;
      const parent = parseNode(above);
      const appliance = await client.appliance(call.signal);
      const made = await throughForm(call, {
        fetch: () => client.editing.newForm(appliance, parent, type, call.signal),
        postBack: given => client.editing.postBack(appliance, given, call.signal),
        submit: given => client.editing.create(appliance, parent, type, given, call.signal),
      });
      if (made === undefined) return 0;
      call.out.value(made);
      call.out.note(`${describeNode(made.ref)} is added below ${describeNode(parent)}.`);
      return 0;
    }),
};

export const nodeEdit: CommandBody = {
  usage: "NODE... [--set NAME=VALUE]...",
  details: "Several nodes are edited together, in what they have in common. --form shows what can be set.",
  options: { ...clientOptions, ...formOptions },
  words: [1, 1000],
  run: call =>
    withClient(call, async client => {
      const nodes = call.words.map(parseNode);
      if (!call.flag("form") && call.texts("set").length + call.texts("set-file").length === 0)
        throw new UsageError("say with --set NAME=VALUE what to change, or --form to see what there is");
      const appliance = await client.appliance(call.signal);
      const changed = await throughForm(call, {
        fetch: () => client.editing.editForm(appliance, nodes, call.signal),
        postBack: given => client.editing.postBack(appliance, given, call.signal),
        submit: async given => ({ node: await client.editing.edit(appliance, nodes, given, call.signal) }),
      });
      if (changed === undefined) return 0;
      call.out.value(changed.node ?? { changed: nodes });
      call.out.note(`${(changed.node ? [changed.node.ref] : nodes).map(describeNode).join(", ")}: changed.`);
      return 0;
    }),
};

export const nodeMove: CommandBody = {
  usage: "NODE... --up|--down",
  details: "One place among the nodes of the same parent; several nodes move together.",
  options: {
    ...clientOptions,
    up: { type: "boolean", help: "Towards the first." },
    down: { type: "boolean", help: "Towards the last." },
  },
  words: [1, 1000],
  run: call => {
    if (call.flag("up") === call.flag("down")) throw new UsageError("say --up or --down");
    const direction = call.flag("up") ? "up" : "down";
    return withClient(call, async client => {
      const nodes = call.words.map(parseNode);
      await client.editing.move(await client.appliance(call.signal), nodes, direction, call.signal);
      call.out.value({ moved: nodes, direction });
      call.out.note(`${nodes.map(describeNode).join(", ")}: moved ${direction}, unless already there.`);
      return 0;
    });
  },
};

export const nodeRemove: CommandBody = {
  usage: "NODE... [--all]",
  details: "A node goes with its history and with its registration as a thing.",
  options: { ...clientOptions, all: { type: "boolean", help: "Also with all nodes below." } },
  words: [1, 1000],
  run: call =>
    withClient(call, async client => {
      const nodes = call.words.map(parseNode);
      const appliance = await client.appliance(call.signal);
      if (!call.flag("all")) {
        const details = { parameters: false, messages: false };
        const found = await client.things.nodes(appliance, nodes, call.signal, details);
        const parents = found.filter(one => one.hasChildren).map(one => describeNode(one.ref));
        if (parents.length > 0)
          throw new CommandError(`There are nodes below ${parents.join(", ")}: say --all to remove them too.`);
      }
      const removed: NodeRef[] = [];
      for (const node of nodes) {
        await client.editing.destroy(appliance, node, call.signal);
        removed.push(node);
        call.out.value({ removed: node });
      }
      call.out.note(`${removed.map(describeNode).join(", ")}: removed.`);
      return 0;
    }),
};
