// New nodes, checked before anything is changed: type, place, name and settings. What comes out is ready to be stored and
// applied; what is wrong is said all at once, by the name of the setting.

import { identifierCharsMax, nodeDepthMax, nodesMax } from "#limits.ts";
import type { Catalogue } from "./catalogue.ts";
import type { NodeType } from "./contract/driver.ts";
import { Refusal } from "./contract/faults.ts";
import type { NodeRef, Tag } from "./contract/node.ts";
import { type Forest, partitionBelow, type TreeNode } from "./forest.ts";
import type { NodeOptions, NodeRecord } from "./records.ts";

export interface NewNode {
  readonly type: string;
  readonly nodeId: string;
  /** As a person gave them; checked by the type's schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly displayName: string;
  readonly tags: readonly Tag[];
  readonly options?: NodeOptions;
}

/** Where a new node goes: a node of the tree, one planned just before, or the root of a source. */
export interface Place {
  readonly sourceId: string;
  readonly parent: Planned | TreeNode | undefined;
}

export interface Planned {
  readonly record: NodeRecord;
  readonly ref: NodeRef;
  readonly type: NodeType;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly parent: Planned | TreeNode | undefined;
}

/** Checks node after node against the tree and against those planned before. Throws `Refusal`. */
export function createPlan(forest: Forest, catalogue: Catalogue, now: number) {
  const planned: Planned[] = [];
  const places = new Map<Place["parent"], number>();
  /** Behind all its siblings, also when the clock was set back (CON-NEW-02). */
  const lastPlace = ({ sourceId, parent }: Place): number => {
    const siblings =
      parent === undefined ? forest.sources.get(sourceId)?.roots : "children" in parent ? parent.children : [];
    let last = places.get(parent) ?? now * 1_000;
    if (!places.has(parent)) for (const { record } of siblings ?? []) last = Math.max(last, record.position + 1);
    places.set(parent, last + 1);
    return last;
  };
  const taken = new Set<string>();

  const isTaken = (sourceId: string, nodeId: string) =>
    taken.has(`${sourceId}\u0000${nodeId}`) || (forest.sources.get(sourceId)?.nodes.has(nodeId) ?? false);

  return {
    planned: planned as readonly Planned[],
    add({ sourceId, parent }: Place, one: NewNode): Planned {
      if (!forest.sources.has(sourceId)) throw new Refusal("not-found", `There is no source ${sourceId}.`);
      if (forest.size + planned.length >= nodesMax) throw new Refusal("busy", `There are ${nodesMax} nodes already.`);
      const type = typeFor(catalogue, parent, one.type);
      checkName(one.nodeId);
      if (isTaken(sourceId, one.nodeId)) {
        throw refuseName("conflict", `${one.nodeId} is taken: a NodeId is unique in its source.`);
      }
      if (depthOf(parent) >= nodeDepthMax) throw new Refusal("not-acceptable", "The tree would become too deep.");
      const settings = parseSettings(type, one.settings);
      checkKnown(type, one.settings, settings);
      const ref: NodeRef = { nodeId: one.nodeId, sourceId, partition: partitionBelow(parent) };
      const record: NodeRecord = {
        ref,
        parent: parent?.ref,
        type: type.name,
        settings: one.settings,
        displayName: one.displayName,
        tags: one.tags,
        ...(one.options === undefined ? {} : { options: one.options }),
        position: lastPlace({ sourceId, parent }),
        createdAt: now,
        changedAt: now,
      };
      const result: Planned = { record, ref, type, settings, parent };
      planned.push(result);
      taken.add(`${sourceId}\u0000${one.nodeId}`);
      return result;
    },
  };
}

function typeFor(catalogue: Catalogue, parent: Place["parent"], name: string): NodeType {
  const type = catalogue.find(name);
  // Unknown and not acceptable here are the same to the asker (CON-NEW-01).
  if (type === undefined) throw new Refusal("not-found", `There is no node type ${name}.`);
  if (!acceptedBelow(type, parent)) {
    const atRoot = parent === undefined || parent.type?.root;
    const place = atRoot ? "at the root of a source" : `below a node of type ${parent.type?.name}`;
    throw new Refusal("not-found", `A node of type ${name} cannot stand ${place}.`);
  }
  return type;
}

/** A node of unknown type takes no children; the root of a source takes what stands at the root of one. */
export function acceptedBelow(type: NodeType, parent: Pick<TreeNode, "type"> | undefined): boolean {
  if (parent === undefined) return type.parents.includes("");
  // What the appliance itself is stands in a source of its own, and is made by the program.
  if (parent.type?.root) return type.parents.includes("") && !type.inherits.includes("Appliance");
  return parent.type !== undefined && type.parents.includes(parent.type.name);
}

export const isNameFree = (forest: Forest, { sourceId, nodeId }: NodeRef): boolean =>
  !forest.sources.get(sourceId)?.nodes.has(nodeId);

export function checkName(nodeId: string): void {
  if (nodeId.trim() === "" || nodeId.length > identifierCharsMax || /[\p{Cc}\p{Cs}]/u.test(nodeId)) {
    throw refuseName("not-acceptable", "A NodeId is a text without control characters, and not empty.");
  }
}

export const refuseName = (kind: "conflict" | "not-acceptable", message: string): Refusal =>
  new Refusal(kind, message, [{ name: "NodeId", message }]);

/** A misspelt setting would be one that is not heeded. Only for new nodes: what is stored may be older than its driver. */
function checkKnown(type: NodeType, given: object, parsed: object): void {
  const faults = Object.keys(given)
    .filter(name => !Object.hasOwn(parsed, name))
    .map(name => ({ name, message: "there is no such setting" }));
  if (faults.length > 0) throw refuseSettings(type, faults);
}

const refuseSettings = (type: NodeType, faults: readonly { name: string; message: string }[]): Refusal =>
  new Refusal(
    "not-acceptable",
    `Settings of ${type.name}: ${faults.map(({ name, message }) => `${name}: ${message}`).join("; ")}`,
    faults,
  );

/** Parsed by the type's schema. Throws `Refusal` not-acceptable that names each faulty setting. */
export function parseSettings(type: NodeType, settings: unknown): Readonly<Record<string, unknown>> {
  const parsed = type.settings.safeParse(settings);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(issue => ({ name: issue.path.join("."), message: issue.message }));
  throw refuseSettings(type, faults);
}

function depthOf(parent: Place["parent"]): number {
  let depth = 0;
  for (let above = parent; above !== undefined; above = above.parent) depth++;
  return depth;
}
