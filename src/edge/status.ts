// What the appliance says of itself to the machine it runs on: `isthmus status`, the technician's table, the demonstration.

import { version } from "#base/version.ts";
import { isThing } from "#concentrator/forest.ts";
import { faultText, stateOf } from "#concentrator/status.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type NodeRef, nodeKey, rootRef, sameNode, type Tag } from "#contract/node.ts";
import type { Discovery } from "#iot/discovery.ts";
import type { Provisioning } from "#iot/provisioning.ts";
import { labelFacts } from "#labels/facts.ts";
import type { Session } from "#xmpp/session.ts";
import type { ServiceChanges } from "./service-changes.ts";

export interface StatusDeps {
  readonly name: string;
  /** Where the appliance is; empty where nobody said. */
  readonly room: string;
  /** The language the appliance speaks to who asks for none. */
  readonly language: string;
  readonly tree: Tree;
  readonly session: Session;
  readonly discovery: Discovery;
  readonly provisioning: Provisioning;
  readonly changes: Pick<ServiceChanges, "trouble">;
  /** Seconds since the start. */
  readonly upSeconds: () => number;
}

/** Plain data, as `Status` of cli/status-text.ts reads it. Holds claim codes: only for who may claim. */
export function describeStatus({
  name,
  room,
  language,
  tree,
  session,
  discovery,
  provisioning,
  changes,
  upSeconds,
}: StatusDeps) {
  const things = new Map(discovery.list().map(one => [nodeKey(one.ref), one]));
  const tags = new Map<string, readonly Tag[]>(tree.things().map(one => [nodeKey(one.ref), one.tags]));
  /** Before the registry was ever found a thing has no record yet. */
  const thing = (ref: NodeRef) => {
    const found = things.get(nodeKey(ref));
    const label = labelFacts(sameNode(ref, rootRef) ? applianceTags(room) : (tags.get(nodeKey(ref)) ?? []));
    return { thing: { state: found?.state ?? "unregistered", owner: found?.owner, uri: found?.uri, ...label } };
  };
  const nodes = [...tree.sources.values()].flatMap(source =>
    [...source.nodes.values()].map(node => ({
      ref: node.ref,
      name: node.record.displayName,
      type: node.record.type,
      parent: node.parent?.ref.nodeId,
      state: stateOf(node),
      message: faultText(node) ?? "",
      ...(isThing(node) ? thing(node.ref) : {}),
    })),
  );
  return {
    name,
    language,
    version,
    upSeconds: upSeconds(),
    connection: { ...session.state(), jid: jidOf(session) },
    registry: discovery.service?.jid ?? "",
    provisioning: provisioning.service?.jid ?? "",
    /** Why there is no such service, or none but the one before; "" when nothing is wrong. */
    trouble: { registry: changes.trouble("registry") ?? "", provisioning: changes.trouble("provisioning") ?? "" },
    nodes: [
      { ref: rootRef, name, type: "appliance", state: "None" as const, message: "", ...thing(rootRef) },
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

/** What stands on the appliance's own label. */
export const applianceTags = (room: string): Tag[] => [
  { name: "MODEL", value: `Isthmus ${version}` },
  { name: "ROOM", value: room },
];
