// A picture of black and white dots, one bit each, and filling shapes in it: what a label printer prints, dot by dot.

/** Points in dots, x to the right and y down, closed: the last point is joined to the first. */
export type Polygon = readonly (readonly [x: number, y: number])[];

export interface Bitmap {
  readonly width: number;
  readonly height: number;
  /** Octets of one row; the first dot is the highest bit, the last ones of a row are white. */
  readonly rowBytes: number;
  /** 1 is black. */
  readonly bits: Uint8Array;
  /** True where it is black; outside all is white. */
  get(x: number, y: number): boolean;
  /** Half open, cut to the picture. */
  fillRectangle(left: number, top: number, right: number, bottom: number): void;
  /** By the nonzero rule, as fonts mean it: a dot is black where its centre is inside. */
  fillShape(polygons: readonly Polygon[]): void;
  clear(): void;
}

export function createBitmap(width: number, height: number): Bitmap {
  const rowBytes = Math.ceil(width / 8);
  const bits = new Uint8Array(rowBytes * height);

  const fillRow = (y: number, from: number, to: number) => {
    const start = Math.max(0, from);
    const end = Math.min(width, to);
    for (let x = start; x < end; x++) {
      if ((x & 7) === 0 && x + 8 <= end) {
        bits[y * rowBytes + (x >> 3)] = 0xff;
        x += 7;
      } else {
        const at = y * rowBytes + (x >> 3);
        bits[at] = (bits[at] as number) | (0x80 >> (x & 7));
      }
    }
  };

  return {
    width,
    height,
    rowBytes,
    bits,
    get: (x, y) =>
      x >= 0 &&
      y >= 0 &&
      x < width &&
      y < height &&
      ((bits[y * rowBytes + (x >> 3)] as number) & (0x80 >> (x & 7))) !== 0,
    fillRectangle(left, top, right, bottom) {
      for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) fillRow(y, left, right);
    },
    fillShape(polygons) {
      const edges = edgesOf(polygons);
      if (edges.length === 0) return;
      const top = Math.max(0, Math.floor(Math.min(...edges.map(one => one.top))));
      const bottom = Math.min(height, Math.ceil(Math.max(...edges.map(one => one.bottom))));
      for (let y = top; y < bottom; y++) {
        for (const [from, to] of spansAt(edges, y + 0.5)) fillRow(y, Math.ceil(from - 0.5), Math.ceil(to - 0.5));
      }
    },
    clear: () => void bits.fill(0),
  };
}

interface Edge {
  readonly top: number;
  readonly bottom: number;
  /** Where it is at its top, and how far it goes to the right for one dot down. */
  readonly x: number;
  readonly slope: number;
  readonly winding: 1 | -1;
}

function edgesOf(polygons: readonly Polygon[]): Edge[] {
  const edges: Edge[] = [];
  for (const polygon of polygons) {
    let [x0, y0] = polygon.at(-1) ?? [0, 0];
    for (const [x1, y1] of polygon) {
      if (y0 !== y1) {
        const [top, bottom, x] = y0 < y1 ? [y0, y1, x0] : [y1, y0, x1];
        edges.push({ top, bottom, x, slope: (x1 - x0) / (y1 - y0), winding: y0 < y1 ? 1 : -1 });
      }
      [x0, y0] = [x1, y1];
    }
  }
  return edges;
}

/** From and to, left to right, of what is inside at this height. */
function spansAt(edges: readonly Edge[], y: number): [number, number][] {
  const crossings = edges
    .filter(one => one.top <= y && y < one.bottom)
    .map(({ x, top, slope, winding }) => ({ x: x + (y - top) * slope, winding }))
    .sort((a, b) => a.x - b.x);
  const spans: [number, number][] = [];
  let depth = 0;
  let from = 0;
  for (const { x, winding } of crossings) {
    if (depth === 0) from = x;
    depth += winding;
    if (depth === 0) spans.push([from, x]);
  }
  return spans;
}
