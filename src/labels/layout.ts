// Where everything stands on one label: the code at the left, or above on an upright label, and beside it the words, as large
// as there is room for, the serial number largest. Text never comes into the code's quiet zone.

import { codeModuleMmMax, codeModuleMmMin, codeModuleMmWished, labelTextMmMax, labelTextMmMin } from "#limits.ts";
import { type Code, codeOf, quietModules } from "./code.ts";
import type { Drawing, Mark } from "./drawing.ts";
import type { LabelFace } from "./face.ts";
import { fitted } from "./fitting.ts";
import type { Fonts } from "./fonts.ts";
import { LabelError } from "./label-error.ts";
import { rowsOf, type Sentence } from "./rows.ts";
import type { LabelSize } from "./sizes-table.ts";

export interface LayoutOptions {
  readonly fonts: Fonts;
  /** Of the printer: a module is a whole number of its dots. */
  readonly dotsPerInch: number;
  /** A word of words.ts in the language of the label. */
  readonly say: Sentence;
}

/** Printers leave an edge white, and sheets are not cut where one thinks. */
const marginMm = 3;
/** Beside a code there is at least so much for words. */
const wordsMmMin = 16;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Throws `LabelError` where the code, or the least there is to say, does not fit on such a label. */
export function layOut(face: LabelFace, size: LabelSize, options: LayoutOptions): Drawing {
  const { widthMm, heightMm } = size;
  const margin = Math.min(marginMm, 0.1 * Math.min(widthMm, heightMm));
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
  const moduleMm = moduleOf(code, sides, Math.min(all.width, all.height), options.dotsPerInch);
  const quiet = quietModules * moduleMm;
  const side = code.size * moduleMm;
  const snap = snapTo(options.dotsPerInch);
  const x = snap(Math.max(all.x, quiet));
  const left = x + side + quiet;
  return {
    x,
    y: snap((heightMm - side) / 2),
    moduleMm,
    room: { ...all, x: left, width: all.x + all.width - left },
  };
}

function placeAbove(code: Code, { widthMm, heightMm }: LabelSize, all: Box, options: LayoutOptions): Placed {
  const sides = [Math.min(widthMm, heightMm * 0.6), Math.min(widthMm, heightMm * 0.7)];
  const moduleMm = moduleOf(code, sides, Math.min(all.width, all.height), options.dotsPerInch);
  const quiet = quietModules * moduleMm;
  const side = code.size * moduleMm;
  const snap = snapTo(options.dotsPerInch);
  const y = snap(Math.max(all.y, quiet));
  const top = y + side + quiet;
  return {
    x: snap((widthMm - side) / 2),
    y,
    moduleMm,
    room: { ...all, y: top, height: all.y + all.height - top },
  };
}

const snapTo = (dotsPerInch: number) => (mm: number) => Math.round((mm * dotsPerInch) / 25.4) * (25.4 / dotsPerInch);

/** The first of the sides, quiet zone included, on which modules get the wished size; else the least they may have. */
function moduleOf(code: Code, sides: readonly number[], modulesMax: number, dotsPerInch: number): number {
  const dot = 25.4 / dotsPerInch;
  const on = (side: number) => {
    const mm = Math.min(side / (code.size + 2 * quietModules), modulesMax / code.size, codeModuleMmMax);
    return Math.floor(mm / dot + 1e-9) * dot;
  };
  const found = sides.map(on).find(mm => mm >= codeModuleMmWished) ?? Math.max(...sides.map(on));
  if (found >= codeModuleMmMin) return found;
  const dots = Math.ceil(codeModuleMmMin / dot - 1e-9);
  const needed = Math.ceil((code.size + 2 * quietModules) * dots * dot);
  throw new LabelError(
    `its code needs ${needed} mm in height, and ${needed + wordsMmMin} mm in width, at ${dotsPerInch} dots per inch: ` +
      "choose a larger label, or a finer printer with --dpi",
  );
}

/** Words as large as they can be; what matters least is left out where even the smallest do not fit. */
function write(face: LabelFace, room: Box, { fonts, say }: LayoutOptions): Mark[] {
  const heightOf = (step: number, unit: number) =>
    rowsOf(face, step, say).reduce((sum, row) => sum + blockOf(row, unit).height, 0);
  const blockOf = (row: ReturnType<typeof rowsOf>[number], unit: number) => {
    const whole = fonts.line(row.text, row.weight);
    const wished = row.em * unit;
    // Grows down to the width it has, and no further than it may; beyond that it is broken, and at last cut.
    const sizeMm = Math.max(row.emMin * unit, Math.min(wished, room.width / Math.max(whole.width, 1e-6)));
    const lines = fitted(fonts, row.text, row.weight, room.width / sizeMm, row.linesMax);
    return { sizeMm, lines, height: lines.length * sizeMm * lineEm + row.gapEm * unit };
  };
  for (let step = 0; ; step++) {
    const rows = rowsOf(face, step, say);
    if (rows.length === 0) throw new LabelError("the label is too small for its words: choose a larger one");
    if (heightOf(step, labelTextMmMin) > room.height) continue;
    let [low, high] = [labelTextMmMin, labelTextMmMax];
    for (let turn = 0; turn < 7; turn++) {
      const middle = (low + high) / 2;
      if (heightOf(step, middle) <= room.height) low = middle;
      else high = middle;
    }
    const marks: Mark[] = [];
    let y = room.y + (room.height - heightOf(step, low)) / 2;
    for (const row of rowsOf(face, step, say)) {
      const { sizeMm, lines } = blockOf(row, low);
      y += row.gapEm * low;
      for (const line of lines) {
        marks.push({ kind: "text", x: room.x, y: y + baselineEm * sizeMm, sizeMm, line });
        y += sizeMm * lineEm;
      }
    }
    return marks;
  }
}

/** From one line to the next, and from its top to where letters stand: accents and descenders stay within. */
const lineEm = 1.2;
const baselineEm = 0.95;
