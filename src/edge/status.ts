// What the appliance says of itself to the machine it runs on: `isthmus status`, the technician's table, the demonstration.

import { faultText, stateOf } from "#concentrator/status.ts";
import type { Tree } from "#concentrator/tree.ts";
import { nodeKey, rootRef } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import type { Provisioning } from "#iot/provisioning.ts";
import type { Session } from "#xmpp/session.ts";

export const version = "0.1.0";

export interface StatusDeps {
  readonly name: string;
  readonly tree: Tree;
  readonly session: Session;
  readonly discovery: Discovery;
  readonly provisioning: Provisioning;
  /** Seconds since the start. */
  readonly upSeconds: () => number;
}

/** Plain data, as `Status` of cli/status-text.ts reads it. Holds claim codes: only for who may claim. */
export function describeStatus({ name, tree, session, discovery, provisioning, upSeconds }: StatusDeps) {
  const things = new Map(discovery.list().map(one => [nodeKey(one.ref), one]));
  const thingOf = (ref: typeof rootRef) => {
    const found = things.get(nodeKey(ref));
    return found === undefined ? {} : { thing: { state: found.state, owner: found.owner, uri: found.uri } };
  };
  const nodes = [...tree.sources.values()].flatMap(source =>
    [...source.nodes.values()].map(node => ({
      ref: node.ref,
      name: node.record.displayName,
      type: node.record.type,
      state: stateOf(node),
      message: faultText(node) ?? "",
      ...thingOf(node.ref),
    })),
  );
  return {
    name,
    version,
    upSeconds: upSeconds(),
    connection: { ...session.state(), jid: jidOf(session) },
    registry: discovery.service?.jid ?? "",
    provisioning: provisioning.service?.jid ?? "",
    nodes: [
      { ref: rootRef, name, type: "appliance", state: "None" as const, message: "", ...thingOf(rootRef) },
      ...nodes,
    ],
  };
}
/** "" before the first log-in. */
function jidOf(session: Session): string {
  try {
    return session.jid;
  } catch {
    return "";
  }
}

export type EdgeStatus = ReturnType<typeof describeStatus>;
