// The things of an appliance as its labels need them: told over its socket on the same machine.

import { join, resolve } from "node:path";
import { systemClock } from "#base/clock.ts";
import { type NodeRef, parseNode, rootRef, sameNode } from "#contract/node.ts";
import type { LabelThing } from "#labels/face.ts";
import { askStatus, NotRunningError } from "#link/status-socket.ts";
import { CommandError, type Invocation, UsageError } from "../command.ts";
import { runningDemo } from "../identity.ts";
import type { Status, StatusNode } from "../status-text.ts";

/** A thing, and the NodeIds of what it hangs below. */
export interface ListedThing extends LabelThing {
  readonly above: readonly string[];
}

export interface Listed {
  readonly things: readonly ListedThing[];
  /** Domain of the registry; empty when none was found yet. */
  readonly registry: string;
  /** The appliance's own. */
  readonly language: string;
  /** File of labels that were made. */
  readonly printedFile: string;
}

/** Throws `CommandError` when no appliance runs here. */
export async function thingsHere(call: Invocation): Promise<Listed> {
  const folder = resolve(call.text("data") ?? runningDemo()?.dataFolder ?? "data");
  try {
    const status = (await askStatus(join(folder, "status.sock"), systemClock, call.signal)) as Status;
    const parents = new Map(status.nodes.map(one => [sourceKey(one.ref), one.parent]));
    return {
      things: status.nodes.flatMap(node => listed(node, parents)),
      registry: status.registry,
      language: status.language ?? "en",
      printedFile: join(folder, "labels.json"),
    };
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error;
    throw new CommandError(`${error.message} Of an appliance elsewhere: say as whom with --as.`);
  }
}

const sourceKey = ({ sourceId, nodeId }: NodeRef): string => `${sourceId}\u0000${nodeId}`;

function listed(node: StatusNode, parents: ReadonlyMap<string, string | undefined>): ListedThing[] {
  const { ref, name, thing } = node;
  if (thing === undefined) return [];
  const above: string[] = [];
  for (let at = node.parent; at !== undefined && !above.includes(at); ) {
    above.push(at);
    at = parents.get(sourceKey({ ...ref, nodeId: at }));
  }
  const { state, uri, serial = "", model = "", room = "" } = thing;
  return [{ ref, name, state: state as LabelThing["state"], uri, serial, model, room, above }];
}

/** Those that were asked for, in the appliance's order. Throws `UsageError` for a node or line there is not. */
export function chosen(things: readonly ListedThing[], call: Invocation): ListedThing[] {
  const nodes = call.texts("node").map(text => ({ text, ref: text === "appliance" ? rootRef : parseNode(text) }));
  const line = call.text("line");
  const means = (ref: NodeRef, one: NodeRef) =>
    sameNode(ref, one) || (ref.partition === "" && ref.nodeId === one.nodeId && ref.sourceId === one.sourceId);
  for (const { text, ref } of nodes) {
    if (!things.some(one => means(ref, one.ref)))
      throw new UsageError(`there is no thing "${text}" here that could have a label`);
  }
  const isBelow = (one: ListedThing) => line === undefined || one.above.includes(line) || one.ref.partition === line;
  if (line !== undefined && !things.some(isBelow)) {
    const lines = [...new Set(things.flatMap(({ above }) => above.slice(0, 1)))];
    throw new UsageError(
      `nothing hangs on a line "${line}"${lines.length > 0 ? `; there are ${lines.join(", ")}` : ""}`,
    );
  }
  return things.filter(
    one =>
      isBelow(one) &&
      (nodes.length === 0 || nodes.some(({ ref }) => means(ref, one.ref))) &&
      (!call.flag("unclaimed") || one.uri !== undefined),
  );
}
