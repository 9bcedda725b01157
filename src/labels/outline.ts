// Outlines of letters: lines and curves in units of the type's size, y upwards, and their straightening into polygons for
// pictures made of dots.

import type { Polygon } from "./bitmap.ts";

/** As in SVG paths: M and L one point, Q two, C three, Z none. */
export interface Segment {
  readonly type: "M" | "L" | "Q" | "C" | "Z";
  readonly points: readonly number[];
}
export type Outline = readonly Segment[];

/** Straight pieces of a curve: enough for letters of a hundred dots. */
const curvePieces = 8;

/** Placed at `x`, `y` (the baseline, y down) with `scale` dots for one unit. */
export function polygonsOf(outline: Outline, x: number, y: number, scale: number): Polygon[] {
  const polygons: [number, number][][] = [];
  let current: [number, number][] = [];
  const place = (px: number, py: number) => current.push([x + px * scale, y - py * scale]);
  let at: readonly [number, number] = [0, 0];
  for (const { type, points } of outline) {
    if (type === "Z") continue;
    if (type === "M") {
      current = [];
      polygons.push(current);
    }
    const through = [...at, ...points];
    for (let piece = 1; piece <= (type === "Q" || type === "C" ? curvePieces : 1); piece++) {
      const [px, py] = type === "Q" || type === "C" ? pointOf(through, piece / curvePieces) : points;
      place(px as number, py as number);
    }
    at = points.slice(-2) as unknown as readonly [number, number];
  }
  return polygons;
}

/** de Casteljau. */
function pointOf(points: readonly number[], t: number): [number, number] {
  let left = points;
  while (left.length > 2) {
    const before = left;
    left = before.slice(0, -2).map((value, at) => value + ((before[at + 2] as number) - value) * t);
  }
  return [left[0] as number, left[1] as number];
}
