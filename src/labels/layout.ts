// Where everything stands on one label: the code at the left, or above on an upright label, and beside it the words, as large
// as there is room for, the serial number largest. Text never comes into the code's quiet zone.

import {
  codeModuleMmMax,
  codeModuleMmMin,
  codeModuleMmWished,
  labelTextMmMax,
  labelTextMmMin,
  labelTextMmWished,
} from "#limits.ts";
import { type Code, codeOf, quietModules } from "./code.ts";
import type { Drawing, Mark } from "./drawing.ts";
import type { LabelFace } from "./face.ts";
import { fitted } from "./fitting.ts";
import type { Fonts, Line } from "./fonts.ts";
import { LabelError } from "./label-error.ts";
import { type Row, rowsOf, type Sentence } from "./rows.ts";
import type { LabelSize } from "./sizes-table.ts";

export interface LayoutOptions {
  readonly fonts: Fonts;
  /** Of the printer: a module is a whole number of its dots. */
  readonly dotsPerInch: number;
  /** A word of words.ts in the language of the label. */
  readonly say: Sentence;
}

/** Beside a code there is at least so much for words. */
const wordsMmMin = 16;
/** Letters reach out of their places a little. */
const gapMm = 0.4;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Throws `LabelError` where the code, or the least there is to say, does not fit on such a label. */
export function layOut(face: LabelFace, size: LabelSize, options: LayoutOptions): Drawing {
  const { widthMm, heightMm, marginMm: margin } = size;
  const all: Box = { x: margin, y: margin, width: widthMm - 2 * margin, height: heightMm - 2 * margin };
  const marks: Mark[] = [];
  let room = all;
  if (face.uri !== undefined) {
    const code = codeOf(face.uri);
    const isUpright = widthMm < heightMm * 1.15;
    const placed = isUpright ? placeAbove(code, size, all, options) : placeLeft(code, size, all, options);
    marks.push({ kind: "code", code, x: placed.x, y: placed.y, moduleMm: placed.moduleMm });
    room = placed.room;
  }
  marks.push(...write(face, room, options));
  const title = [face.name, face.address, face.serial].filter(one => one !== "").join(", ");
  return { widthMm, heightMm, title, marks };
}

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly moduleMm: number;
  /** Left for words. */
  readonly room: Box;
}

function placeLeft(code: Code, { widthMm, heightMm }: LabelSize, all: Box, options: LayoutOptions): Placed {
  const sides = [Math.min(heightMm, widthMm / 2), Math.min(heightMm, widthMm - all.x - wordsMmMin)];
  const moduleMm = moduleOf(code, sides, all, options.dotsPerInch);
  const quiet = quietModules * moduleMm;
  const side = code.size * moduleMm;
  const snap = snapTo(options.dotsPerInch);
  const x = snap(Math.max(all.x, quiet));
  const left = x + side + quiet + gapMm;
  return {
    x,
    y: snap((heightMm - side) / 2),
    moduleMm,
    room: { ...all, x: left, width: all.x + all.width - left },
  };
}

function placeAbove(code: Code, { widthMm, heightMm }: LabelSize, all: Box, options: LayoutOptions): Placed {
  const sides = [Math.min(widthMm, heightMm * 0.6), Math.min(widthMm, heightMm * 0.7)];
  const moduleMm = moduleOf(code, sides, all, options.dotsPerInch);
  const quiet = quietModules * moduleMm;
  const side = code.size * moduleMm;
  const snap = snapTo(options.dotsPerInch);
  const y = snap(Math.max(all.y, quiet));
  const top = y + side + quiet + gapMm;
  return {
    x: snap((widthMm - side) / 2),
    y,
    moduleMm,
    room: { ...all, y: top, height: all.y + all.height - top },
  };
}

const snapTo = (dotsPerInch: number) => (mm: number) => Math.round((mm * dotsPerInch) / 25.4) * (25.4 / dotsPerInch);

/** The first of the sides, quiet zone included, on which modules get the wished size; else the least they may have. */
function moduleOf(code: Code, sides: readonly number[], all: Box, dotsPerInch: number): number {
  const dot = 25.4 / dotsPerInch;
  const on = (side: number) => {
    const mm = Math.min(
      side / (code.size + 2 * quietModules),
      Math.min(all.width, all.height) / code.size,
      codeModuleMmMax,
    );
    return Math.floor(mm / dot + 1e-9) * dot;
  };
  const found = sides.map(on).find(mm => mm >= codeModuleMmWished) ?? Math.max(...sides.map(on));
  if (found >= codeModuleMmMin) return found;
  const dots = Math.ceil(codeModuleMmMin / dot - 1e-9);
  const needed = Math.ceil(Math.max(code.size + 2 * quietModules, code.size + (2 * all.x) / (dots * dot)) * dots * dot);
  throw new LabelError(
    `its code needs ${needed} mm in height, and ${needed + wordsMmMin + Math.ceil(all.x)} mm in width, at ${dotsPerInch} dots per inch: ` +
      "choose a larger label, or a finer printer with --dpi",
  );
}

/** Words as large as they can be; what matters least is left out where even the smallest do not fit. */
function write(face: LabelFace, room: Box, { fonts, say }: LayoutOptions): Mark[] {
  const blockOf = (row: Row, unit: number) => {
    const { width } = fonts.line(row.text, row.weight);
    // Shrinks to the width it has, and no further than it may; beyond that it is broken, and at last cut.
    const sizeMm = Math.max(row.emMin * unit, Math.min(row.em * unit, room.width / Math.max(width, 1e-6)));
    const lines = fitted(fonts, row.text, row.weight, room.width / sizeMm, row.linesMax).map(inkOf);
    const height = lines.reduce((sum, { above, below }) => sum + above + below, 0) * sizeMm + row.gapEm * unit;
    return { sizeMm, lines, height, isWhole: width * sizeMm <= room.width + 1e-6 };
  };
  const fits = (rows: readonly Row[], unit: number): boolean => {
    const blocks = rows.map(row => blockOf(row, unit));
    if (unit > labelTextMmWished && rows.some((row, at) => row.keepsWhole && !blocks[at]?.isWhole)) return false;
    return blocks.reduce((sum, { height }) => sum + height, 0) <= room.height;
  };
  for (let step = 0; ; step++) {
    const rows = rowsOf(face, step, say);
    if (rows.length === 0) throw new LabelError("the label is too small for its words: choose a larger one");
    if (!fits(rows, labelTextMmMin)) continue;
    let [unit, tooLarge] = [labelTextMmMin, labelTextMmMax];
    for (let turn = 0; turn < 7; turn++) {
      const middle = (unit + tooLarge) / 2;
      if (fits(rows, middle)) unit = middle;
      else tooLarge = middle;
    }
    return setRows(rows, row => blockOf(row, unit), unit, room);
  }
}

type Block = { sizeMm: number; lines: Ink[]; height: number };

function setRows(rows: readonly Row[], blockOf: (row: Row) => Block, unit: number, room: Box): Mark[] {
  const blocks = rows.map(row => ({ ...blockOf(row), gap: row.gapEm * unit }));
  const marks: Mark[] = [];
  let y = room.y + (room.height - blocks.reduce((sum, { height }) => sum + height, 0)) / 2;
  for (const { sizeMm, lines, gap } of blocks) {
    y += gap;
    for (const { line, left, above, below } of lines) {
      marks.push({ kind: "text", x: room.x + left * sizeMm, y: y + above * sizeMm, sizeMm, line });
      y += (above + below) * sizeMm;
    }
  }
  return marks;
}

interface Ink {
  readonly line: Line;
  /** To be put further to the right by this, so that nothing stands left of its place. In units of the type's size, as below. */
  readonly left: number;
  /** Above and below the baseline: as of all lines, or more where letters have marks upon marks. */
  readonly above: number;
  readonly below: number;
}

function inkOf(line: Line): Ink {
  let [left, above, below] = [0, 0.95, 0.25];
  for (const { glyph, x, y } of line.glyphs) {
    for (const { points } of glyph.outline) {
      for (const [at, value] of points.entries()) {
        if (at % 2 === 0) left = Math.max(left, -(x + value));
        else {
          above = Math.max(above, y + value);
          below = Math.max(below, -(y + value));
        }
      }
    }
  }
  return { line, left, above, below };
}
