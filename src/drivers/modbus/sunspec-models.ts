// The models of a device made ready to be read: laid out, named uniquely over the whole device, planned.

import { sunspecModelWordsMax } from "#limits.ts";
import { definitionOf, type ModelDefinition } from "./sunspec-definition.ts";
import type { NamedPoint } from "./sunspec-field.ts";
import { headWords, isCounted, layoutOf, type PlacedPoint } from "./sunspec-layout.ts";
import { sunspecCategories, sunspecName } from "./sunspec-names-table.ts";
import { type ModelPlan, planModel } from "./sunspec-plan.ts";
import type { Ask, FoundModel, SunspecMap } from "./sunspec-walk.ts";

export interface LoadedModel extends FoundModel {
  /** Which of the models of this id it is, from 1. */
  readonly occurrence: number;
  readonly plan: ModelPlan;
  readonly named: ReadonlyMap<PlacedPoint, NamedPoint>;
}

/** Ids of models to read; "usual" is all but curves and what concerns the device's networks, "all" is all but the latter. */
export type ReadModels = "usual" | "all" | ReadonlySet<number>;

/** How a device is attached to its networks: not measured, and passwords among it. */
const isNetwork = (id: number): boolean => id >= 2 && id <= 19;
/** Curves of grid codes: hundreds of points that somebody set once. */
const isCurve = (id: number): boolean =>
  id === 126 || (id >= 129 && id <= 144) || (id >= 705 && id <= 710) || id === 712;

export const isRead = (id: number, models: ReadModels): boolean =>
  !isNetwork(id) && (models === "all" || (models === "usual" ? !isCurve(id) : models.has(id) || id === 1));

/** Throws `DeviceFault` when the unit falls silent; a model that cannot be laid out is left out. */
export async function loadModels(
  ask: Ask,
  map: SunspecMap,
  models: ReadModels,
  wordsMax: number,
): Promise<LoadedModel[]> {
  const placed: (FoundModel & { occurrence: number; points: readonly PlacedPoint[] })[] = [];
  for (const found of map.models) {
    const definition = isRead(found.id, models) ? definitionOf(found.id) : undefined;
    if (definition === undefined) continue;
    const occurrence = 1 + placed.filter(({ id }) => id === found.id).length;
    const points = (await layOut(ask, found, definition, wordsMax)).filter(isShown);
    placed.push({ ...found, occurrence, points });
  }
  const names = uniqueNames(placed);
  return placed.map(({ points, ...found }) => ({
    ...found,
    plan: planModel(points, wordsMax),
    named: new Map(
      points.map(one => [
        one,
        { placed: one, name: names.get(one) ?? "", categories: sunspecCategories(found.id, one.point) },
      ]),
    ),
  }));
}

/** Heads, scale factors and padding are no values of their own. */
const isShown = ({ point, path }: PlacedPoint): boolean =>
  point.type !== "sunssf" &&
  point.type !== "pad" &&
  !(path.length === 0 && (point.name === "ID" || point.name === "L"));

/** A model whose groups are counted by a register is read once, to know how many there are. */
async function layOut(
  ask: Ask,
  found: FoundModel,
  definition: ModelDefinition,
  wordsMax: number,
): Promise<PlacedPoint[]> {
  const length = Math.min(found.length, sunspecModelWordsMax);
  if (!isCounted(definition)) return layoutOf(definition, length);
  const fixed = Math.min(
    length + headWords,
    definition.points.reduce((sum, { size }) => sum + size, 0),
  );
  const registers: number[] = [];
  while (registers.length < fixed) {
    const quantity = Math.min(wordsMax, fixed - registers.length);
    const answer = await ask({ function: 3, address: found.address + registers.length, quantity });
    if (answer.kind !== "registers") break;
    registers.push(...answer.registers);
  }
  return layoutOf(definition, length, offset => registers[offset]);
}

/** Equal names are told apart by what stays the same: the model, the point's own name, and only then which of several it is. */
function uniqueNames(
  models: readonly (FoundModel & { occurrence: number; points: readonly PlacedPoint[] })[],
): Map<PlacedPoint, string> {
  const names = new Map<PlacedPoint, string>();
  const used = new Set<string>();
  const sorted = models.toSorted((a, b) => a.id - b.id || a.occurrence - b.occurrence);
  for (const { id, occurrence, points } of sorted) {
    const within = new Map<string, number>();
    for (const one of points) {
      const plain = sunspecName(id, one);
      const again = within.get(plain) ?? 0;
      within.set(plain, again + 1);
      const own = again === 0 ? plain : `${plain}, ${one.point.name}`;
      const ofModel = `${own}, Model ${id}`;
      const candidates = [own, ofModel, `${ofModel}, ${occurrence}`, `${ofModel}, ${occurrence}, ${one.offset}`];
      const name = candidates.find(candidate => !used.has(candidate)) ?? `${own}, ${names.size}`;
      used.add(name);
      names.set(one, name);
    }
  }
  return names;
}
