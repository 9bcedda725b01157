// Pages as SVG 1.1 in their true size: letters as shapes, so that they look the same wherever there are no such fonts.

import type { Code } from "./code.ts";
import type { Drawing, Mark, Page } from "./drawing.ts";
import type { Glyph } from "./fonts.ts";
import type { Outline } from "./outline.ts";
import { darkRuns } from "./picture.ts";

export function svgOf({ widthMm, heightMm, placed }: Page): string {
  const used = new Map<number, Glyph>();
  const body = placed.map(
    ({ drawing, x, y }) =>
      `<g transform="translate(${short(x)} ${short(y)})"><title>${escaped(drawing.title)}</title>${marksOf(drawing, used)}</g>\n`,
  );
  const [width, height] = [short(widthMm), short(heightMm)];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>\n',
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" ',
    `width="${width}mm" height="${height}mm" viewBox="0 0 ${width} ${height}">\n`,
    "<defs>\n",
    ...used.values().map(({ number, outline }) => `<path id="g${number}" d="${pathOf(outline)}"/>\n`),
    `</defs>\n<rect width="${width}" height="${height}" fill="#fff"/>\n`,
    ...body,
    "</svg>\n",
  ].join("");
}

const marksOf = ({ marks }: Drawing, used: Map<number, Glyph>): string =>
  marks.map(mark => markOf(mark, used)).join("");

function markOf(mark: Mark, used: Map<number, Glyph>): string {
  const [x, y] = [short(mark.x), short(mark.y)];
  if (mark.kind === "bar")
    return `<rect x="${x}" y="${y}" width="${short(mark.width)}" height="${short(mark.height)}"/>`;
  if (mark.kind === "code") {
    const scale = short(mark.moduleMm);
    return `<path shape-rendering="crispEdges" transform="translate(${x} ${y}) scale(${scale})" d="${modulesOf(mark.code)}"/>`;
  }
  const letters = mark.line.glyphs.map(({ glyph, x: dx, y: dy }) => {
    if (glyph.outline.length === 0) return "";
    used.set(glyph.number, glyph);
    return `<use xlink:href="#g${glyph.number}" x="${short(dx)}" y="${short(-dy)}"/>`;
  });
  return `<g transform="translate(${x} ${y}) scale(${short(mark.sizeMm)})">${letters.join("")}</g>`;
}

const modulesOf = (code: Code): string =>
  Array.from({ length: code.size }, (_, row) =>
    darkRuns(code, row)
      .map(([from, to]) => `M${from} ${row}h${to - from}v1H${from}z`)
      .join(""),
  ).join("");

/** Letters are drawn upwards, SVG counts downwards. */
const pathOf = (outline: Outline): string =>
  outline
    .map(({ type, points }) => type + points.map((value, at) => short(at % 2 === 0 ? value : -value)).join(" "))
    .join("");

/** A ten thousandth of a millimetre, or of the type's size. */
const short = (value: number): string => String(Number(value.toFixed(4)));

const escaped = (text: string): string =>
  text
    .replace(/[&<>"]/g, one => `&#${one.charCodeAt(0)};`)
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "");
