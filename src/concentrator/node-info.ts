// What is said of a node to those who may see it. Parameters are made when they are looked at: most lists of ten thousand
// nodes are asked for without them.

import { type Catalogue, capabilityNames } from "./catalogue.ts";
import type { Inheritance, NodeInfo } from "./concentrator.ts";
import type { FormFieldKind } from "./contract/form.ts";
import type { DisplayParameter } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import { stateOf } from "./status.ts";

/** `sees` says what the asker may see: an invisible parent or child is not told of (CON-NI-04). */
export function infoOf(
  node: TreeNode,
  catalogue: Catalogue,
  sees: (node: TreeNode) => boolean,
  executes: (node: TreeNode) => boolean,
): NodeInfo {
  const { parent } = node;
  let parameters: DisplayParameter[] | undefined;
  return {
    ref: node.ref,
    localId: node.ref.nodeId,
    displayName: node.record.displayName,
    nodeType: node.record.type,
    typeTitle: titleOf(node),
    state: stateOf(node),
    hasChildren: node.children.values().some(sees),
    childrenOrdered: catalogue.takesChildren(node.type),
    isReadable: node.readable,
    isControllable: node.parameters.length > 0,
    hasCommands: executes(node),
    sniffable: node.opened?.device.sniff !== undefined,
    ...(parent !== undefined && sees(parent) ? { parent: parent.ref } : {}),
    lastChanged: node.changedAt,
    get parameters() {
      return (parameters ??= parametersOf(node, catalogue));
    },
    messages: [...node.messages.values()],
  };
}

const titleOf = (node: TreeNode): string => node.type?.title ?? `Unknown type ${node.record.type}`;

/** Names a node answers to in `onlyIfDerivedFrom`: its type, the bases of it, and what it can do. */
export function kindsOf(node: TreeNode): readonly string[] {
  const { baseClasses, interfaces } = inheritanceOf(node);
  return [node.record.type, ...baseClasses, ...interfaces];
}

export function inheritanceOf(node: TreeNode): Inheritance {
  const can = { Readable: node.readable, Controllable: node.parameters.length > 0 };
  return { baseClasses: node.type?.inherits ?? [], interfaces: capabilityNames.filter(name => can[name]) };
}

/** Name and type first (CON-NI-07), then the settings, secrets left out (CON-NI-08), then what the device says of itself. */
function parametersOf(node: TreeNode, catalogue: Catalogue): DisplayParameter[] {
  const { ref, type, settings } = node;
  const list: DisplayParameter[] = [text("NodeId", "Node", ref.nodeId), text("Type", "Type", titleOf(node))];
  if (ref.partition !== "") list.push(text("Partition", "Line", ref.partition));
  if (type === undefined || settings === undefined) return list;
  for (const { name, title, secret, kind } of catalogue.form(type)) {
    const value = secret ? undefined : displayed(settings[name], kind);
    if (value !== undefined) list.push({ id: name, name: title, value });
  }
  list.push(...(node.opened?.device.describe?.() ?? []));
  return list;
}

/** The kind is that of the setting, so that it does not change with its value; what does not fit 32 bits is long (CON-NI-06). */
function displayed(value: unknown, kind: FormFieldKind): DisplayParameter["value"] | undefined {
  switch (typeof value) {
    case "boolean":
      return { kind: "boolean", value };
    case "number":
      if (kind === "number" || !Number.isSafeInteger(value)) return { kind: "double", value };
      return (value | 0) === value ? { kind: "int", value } : { kind: "long", value: BigInt(value) };
    case "bigint":
      return { kind: "long", value };
    case "string":
      return value === "" ? undefined : { kind: "string", value };
    default:
      return undefined;
  }
}

const text = (id: string, name: string, value: string): DisplayParameter => ({
  id,
  name,
  value: { kind: "string", value },
});
