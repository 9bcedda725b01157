// What each node has shown to offer, learned from what its device says, and told anew when the harmonized interfaces that
// follow from it change (HI-GET-06). Nodes that say the same share what is remembered of it.

import { fieldsPerNodeMax, shapesRememberedMax } from "#limits.ts";
import type { Command } from "./contract/command.ts";
import { categoryMask, type Sample } from "./contract/field.ts";
import type { Tag } from "./contract/node.ts";
import type { TreeNode } from "./forest.ts";
import { type FieldShape, interfacesOf, type Offering } from "./harmonized.ts";
import type { LatestField, Readings } from "./records.ts";

export interface OfferedDeps {
  readonly readings: Pick<Readings, "latest">;
  /** The interfaces of the node are others than before. */
  readonly changed: (node: TreeNode) => void;
}

export interface Offered {
  /** URIs of the harmonized interfaces the node offers now, sorted. */
  interfaces(node: TreeNode): readonly string[];
  /** Its device said this. */
  heard(node: TreeNode, sample: Sample): void;
  /** Its device opened: parameters and commands may be others. */
  opened(node: TreeNode): void;
}

interface Shape {
  readonly fields: ReadonlyMap<string, FieldShape>;
  /** What the identity fields call the device. */
  readonly medium: string;
}

interface Known {
  shape: Shape;
  /** With which it said so: with others it may never say it again. */
  settings: TreeNode["settings"];
  /** As last told, one a line. */
  told: string;
}

export function createOffered({ readings, changed }: OfferedDeps): Offered {
  const nodes = new WeakMap<TreeNode, Known>();
  const shapes = new Map<string, Shape>();

  /** One object for all that say the same: there are thousands of meters and a few kinds of them. */
  const shared = (fields: ReadonlyMap<string, FieldShape>, medium: string): Shape => {
    const names = [...fields].map(([name, { kind, categories }]) => `${name}\u0000${kind}\u0000${categories}`);
    const key = [medium, ...names.sort()].join("\u0001");
    const found = shapes.get(key);
    if (found !== undefined) return found;
    if (shapes.size >= shapesRememberedMax) shapes.clear();
    const shape = { fields, medium };
    shapes.set(key, shape);
    return shape;
  };

  const knownOf = (node: TreeNode): Known => {
    const found = nodes.get(node);
    if (found !== undefined) {
      if (found.settings !== node.settings) {
        // Renamed or moved, it is the same device still.
        if (JSON.stringify(found.settings) !== JSON.stringify(node.settings)) found.shape = shared(new Map(), "");
        found.settings = node.settings;
      }
      return found;
    }
    const shape = shared(...shapeOf(readings.latest(node.ref)));
    const known: Known = { shape, settings: node.settings, told: "" };
    known.told = listOf(node, known).join("\n");
    nodes.set(node, known);
    return known;
  };

  const tellIfChanged = (node: TreeNode, known: Known) => {
    const now = listOf(node, known).join("\n");
    if (now === known.told) return;
    known.told = now;
    changed(node);
  };

  return {
    interfaces: node => listOf(node, knownOf(node)),
    heard(node, sample) {
      const known = knownOf(node);
      const { fields, medium } = known.shape;
      if (sample.fields.every(field => says(known.shape, field))) return;
      const more = new Map(fields);
      let named = medium;
      for (const field of sample.fields) {
        if (more.size >= fieldsPerNodeMax && !more.has(field.name)) continue;
        learn(more, field);
        named = mediumIn(field) ?? named;
      }
      known.shape = shared(more, named);
      tellIfChanged(node, known);
    },
    opened: node => tellIfChanged(node, knownOf(node)),
  };
}

type Said = Sample["fields"][number];

const says = ({ fields, medium }: Shape, field: Said): boolean => {
  if (field.value.kind === "missing") return true;
  const known = fields.get(field.name);
  const mask = categoryMask(field.categories);
  if (known?.kind !== field.value.kind || (known.categories & mask) !== mask) return false;
  return (mediumIn(field) ?? medium) === medium;
};

/** A field may be told as momentary now and as historical later: it is delivered as both. */
const learn = (into: Map<string, FieldShape>, { name, value, categories }: Said): void => {
  if (value.kind === "missing") return;
  const known = into.get(name);
  const mask = categoryMask(categories);
  into.set(name, { kind: value.kind, categories: known?.kind === value.kind ? known.categories | mask : mask });
};

const mediumIn = ({ name, value }: Said): string | undefined =>
  name === "Medium" && (value.kind === "string" || value.kind === "enum") ? value.value : undefined;

function shapeOf(latest: readonly LatestField[]): [Map<string, FieldShape>, string] {
  const fields = new Map<string, FieldShape>();
  let medium = "";
  for (const { field } of latest) {
    learn(fields, field);
    medium = mediumIn(field) ?? medium;
  }
  return [fields, medium];
}

const listOf = (node: TreeNode, { shape }: Known): string[] => interfacesOf(offeringOf(node, shape));

const offeringOf = (node: TreeNode, { fields, medium }: Shape): Offering => ({
  fields,
  parameters: node.parameters,
  commands: (node.opened?.device.commands ?? []).filter(isSimple).map(one => one.id),
  kinds: [medium, ...tagsOf(node).flatMap(({ name, value }) => (name === "CLASS" ? String(value) : []))],
  recorded: node.opened?.device.watch !== undefined || Number(node.settings?.pollSeconds ?? 0) > 0,
});

const isSimple = ({ kind }: Command): boolean => kind === "simple";

const tagsOf = ({ record, type, settings }: TreeNode): readonly Tag[] => [
  ...(settings === undefined ? [] : (type?.tags?.(settings) ?? [])),
  ...record.tags,
];
