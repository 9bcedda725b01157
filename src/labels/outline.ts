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
  let [x0, y0] = [0, 0];
  for (const { type, points } of outline) {
    if (type === "Z") continue;
    if (type === "M") {
      current = [];
      polygons.push(current);
    }
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = points;
    if (type === "Q") {
      for (let piece = 1; piece <= curvePieces; piece++) {
        const t = piece / curvePieces;
        const [p, q, r] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
        place(p * x0 + q * a + r * c, p * y0 + q * b + r * d);
      }
    } else if (type === "C") {
      for (let piece = 1; piece <= curvePieces; piece++) {
        const t = piece / curvePieces;
        const [p, q, r, s] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
        place(p * x0 + q * a + r * c + s * e, p * y0 + q * b + r * d + s * f);
      }
    } else place(a, b);
    [x0, y0] = points.slice(-2) as [number, number];
  }
  return polygons;
}
