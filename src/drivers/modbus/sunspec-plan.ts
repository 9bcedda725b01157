// The reads of one SunSpec model: as few as the unit's limit allows, each scale factor in the same read as its values, because it
// changes while the device runs. Values too far from their scale factor are read between two readings of it. Pure.

import { headWords, type PlacedPoint } from "./sunspec-layout.ts";

export interface Chunk {
  /** From the model's id on. */
  readonly offset: number;
  readonly quantity: number;
  readonly points: readonly PlacedPoint[];
}

export interface ModelPlan {
  /** The first begins at the model's id, which shows that the model is still there. */
  readonly chunks: readonly Chunk[];
  /** Scale factors that stand too far from some of their values. */
  readonly far?: { readonly offset: number; readonly quantity: number };
  readonly farPoints: readonly PlacedPoint[];
  /** Registers in one read. */
  readonly wordsMax: number;
}

/** `wordsMax`: registers in one read. */
export function planModel(points: readonly PlacedPoint[], wordsMax: number): ModelPlan {
  const near = points.filter(one => spanOf(one).end - spanOf(one).begin <= wordsMax);
  const farPoints = points.filter(one => !near.includes(one));
  const chunks: { offset: number; quantity: number; points: PlacedPoint[] }[] = [
    { offset: 0, quantity: headWords, points: [] },
  ];
  const open = [
    ...near.map(point => ({ point, ...spanOf(point) })),
    ...farPoints.map(point => ({ point, begin: point.offset, end: point.offset + point.point.size })),
  ].sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (const { point, begin, end } of open) {
    const last = chunks.find(one => begin >= one.offset && end - one.offset <= wordsMax);
    if (last === undefined) chunks.push({ offset: begin, quantity: end - begin, points: [point] });
    else {
      last.quantity = Math.max(last.quantity, end - last.offset);
      last.points.push(point);
    }
  }
  return { chunks, farPoints, wordsMax, ...farScales(farPoints) };
}

function spanOf({ point, offset, scale }: PlacedPoint): { begin: number; end: number } {
  const at = scale !== undefined && "offset" in scale && scale.offset >= 0 ? scale.offset : offset;
  return { begin: Math.min(offset, at), end: Math.max(offset + point.size, at + 1) };
}

function farScales(points: readonly PlacedPoint[]): Pick<ModelPlan, "far"> {
  const offsets = points.flatMap(({ scale }) => (scale !== undefined && "offset" in scale ? [scale.offset] : []));
  if (offsets.length === 0) return {};
  const offset = Math.min(...offsets);
  return { far: { offset, quantity: Math.max(...offsets) + 1 - offset } };
}
