// `isthmus tree`: the sources and nodes of the appliance as a tree, with how each is doing.

import type { NodeInfo } from "#client/nodes.ts";
import { nodeKey } from "#contract/node.ts";
import type { CommandBody } from "../command.ts";
import { clientOptions, withClient } from "../connect.ts";
import type { Output } from "../output.ts";

export const tree: CommandBody = {
  usage: "[SOURCE]",
  details: "With --json each node on a line, parents before children, `depth` saying how deep.",
  options: clientOptions,
  words: [0, 1],
  run: call =>
    withClient(call, async client => {
      const appliance = await client.appliance(call.signal);
      const [only] = call.words;
      const sources = await client.things.sources(appliance, call.signal);
      const meant = sources.filter(({ sourceId }) => only === undefined || sourceId === only);
      if (meant.length === 0)
        call.out.note(only === undefined ? "No node is visible to you." : `There is no source ${only}.`);
      for (const { sourceId, name } of meant) {
        const nodes = await client.things.allNodes(appliance, sourceId, call.signal);
        call.out.line(`${sourceId}${name === "" || name === sourceId ? "" : `  ${name}`}`);
        printTree(nodes, call.out);
      }
      return meant.length > 0 ? 0 : 1;
    }),
};

/** Children in the order they came in; who has no visible parent stands at the top. */
export function printTree(nodes: readonly NodeInfo[], out: Output): void {
  const known = new Set(nodes.map(({ ref }) => nodeKey(ref)));
  const parentKey = ({ ref, parent }: NodeInfo): string => {
    const key = parent && nodeKey({ sourceId: ref.sourceId, ...parent });
    return key !== undefined && known.has(key) && key !== nodeKey(ref) ? key : "";
  };
  const below = Map.groupBy(nodes, parentKey);
  const printed = new Set<NodeInfo>();
  const print = (list: readonly NodeInfo[], indent: string, depth: number) => {
    for (const [at, node] of list.entries()) {
      // What calls itself its own grandparent is shown once.
      if (printed.has(node)) continue;
      printed.add(node);
      const last = at === list.length - 1;
      out.value({ ...node, depth });
      out.line(`${indent}${last ? "└─" : "├─"} ${describe(node)}`);
      print(below.get(nodeKey(node.ref)) ?? [], `${indent}${last ? "   " : "│  "}`, depth + 1);
    }
  };
  print(below.get("") ?? [], "", 0);
}

function describe({
  ref,
  displayName,
  nodeType,
  state,
  messages,
  isReadable,
  isControllable,
  hasCommands,
}: NodeInfo): string {
  const can = [isReadable ? "read" : "", isControllable ? "set" : "", hasCommands ? "commands" : ""];
  const worst = state === "None" ? "" : `${state}: ${messages.toSorted((a, b) => b.at - a.at)[0]?.text ?? ""}`;
  return [
    ref.nodeId,
    displayName !== undefined && displayName !== ref.nodeId ? displayName : "",
    nodeType === undefined ? "" : `[${nodeType}]`,
    can.filter(one => one !== "").join(", "),
    worst.replace(/: $/, ""),
  ]
    .filter(one => one !== "")
    .join("  ");
}
