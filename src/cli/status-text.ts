// The appliance's status as it is printed: by `isthmus status`, at the start of `isthmus run` and in the demonstration.

import type { NodeRef, NodeState } from "#contract/node.ts";
import { describeNode, writtenNode } from "#contract/node.ts";
import type { LabelFacts } from "#labels/facts.ts";
import type { Output } from "./output.ts";

export interface StatusNode {
  readonly ref: NodeRef;
  readonly name: string;
  readonly type: string;
  readonly state: NodeState;
  readonly message: string;
  /** Undefined for what is not a thing of its own: lines belong to the appliance. */
  readonly thing?: StatusThing;
  /** NodeId of the node it hangs below. */
  readonly parent?: string | undefined;
}

export interface StatusThing extends Partial<LabelFacts> {
  readonly state: string;
  readonly owner?: string | undefined;
  readonly uri?: string | undefined;
}

export interface Status {
  readonly name: string;
  readonly language?: string;
  readonly version: string;
  readonly upSeconds: number;
  readonly connection: {
    readonly phase: string;
    readonly jid: string;
    readonly since: number;
    readonly reason: string;
  };
  readonly registry: string;
  readonly provisioning: string;
  /** Why it is not found, or another is not used; "" when nothing is wrong. */
  readonly trouble?: { readonly registry: string; readonly provisioning: string };
  readonly nodes: readonly StatusNode[];
}

/** Draws a code, as `qrCode` does; undefined where no codes are shown, so that nothing is loaded that draws. */
export type DrawCode = (text: string) => string | undefined;

export function printStatus(status: Status, out: Output, draw: DrawCode | undefined): void {
  const { connection } = status;
  out.line(`${status.name}, Isthmus ${status.version}, up ${duration(status.upSeconds)}`);
  out.line(
    `broker        ${connection.phase}${connection.jid ? ` as ${connection.jid}` : ""}${connection.reason ? `: ${connection.reason}` : ""}`,
  );
  for (const kind of ["registry", "provisioning"] as const) {
    const trouble = status.trouble?.[kind] ?? "";
    const found = status[kind] || (trouble === "" ? "not found" : "none");
    out.line(`${kind.padEnd(14)}${found}${trouble === "" ? "" : `: ${trouble}`}`);
  }
  out.line();
  out.table(["Node", "Name", "Type", "State", "Ownership", "Message"], status.nodes.map(rowOf));
  if (draw !== undefined) printCodes(status.nodes, out, draw);
}

const rowOf = (node: StatusNode): string[] => [
  writtenNode(node.ref),
  node.name,
  node.type,
  node.state,
  ownership(node),
  node.message,
];

export const ownership = ({ thing }: StatusNode): string => {
  if (thing === undefined) return "the appliance's";
  if (thing.state === "unregistered") return "not registered yet";
  return thing.owner === undefined ? thing.state : `claimed by ${thing.owner}`;
};

/** The claim code of each thing that nobody owns, as text and as a QR code for a phone (URI-SEC-04: level M). */
export function printCodes(nodes: readonly StatusNode[], out: Output, draw: DrawCode): void {
  for (const node of nodes) {
    const uri = node.thing?.uri;
    if (uri === undefined) continue;
    out.line();
    out.line(`To claim ${describeNode(node.ref)}${node.name ? `, ${node.name}` : ""}:`);
    out.line(uri);
    const picture = draw(uri);
    if (picture !== undefined) out.drawing(picture);
    else out.line("This code is too long for a picture: type or send it as text.");
  }
}

export function duration(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
