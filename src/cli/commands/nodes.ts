// `isthmus nodes`: what the appliance lets one see.

import { writtenNode } from "#contract/node.ts";
import type { CommandBody } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";

export const nodes: CommandBody = {
  usage: "",
  options: clientOptions,
  words: [0, 0],
  run: call =>
    withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      const rows: string[][] = [];
      for (const source of await client.things.sources(appliance, call.signal)) {
        for (const node of await client.things.allNodes(appliance, source.sourceId, call.signal)) {
          call.out.value(node);
          const can = [node.isReadable ? "read" : "", node.isControllable ? "set" : ""].filter(one => one !== "");
          const message = node.messages.filter(one => one.type !== "Information").at(-1)?.text ?? "";
          rows.push([
            writtenNode(node.ref),
            node.displayName ?? "",
            node.nodeType ?? "",
            node.state,
            can.join(", "),
            message,
          ]);
        }
      }
      if (rows.length === 0) call.out.note("No node is visible to you.");
      else call.out.table(["Node", "Name", "Type", "State", "Can", "Message"], rows);
      return 0;
    }),
};
