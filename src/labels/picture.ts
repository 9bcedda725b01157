// A page as black and white dots, at the printer's own number of them.

import { type Bitmap, createBitmap } from "./bitmap.ts";
import { misread } from "./code.ts";
import type { Drawing, Page } from "./drawing.ts";
import { polygonsOf } from "./outline.ts";

export function pictureOf(page: Page, dotsPerInch: number): Bitmap {
  const perMm = dotsPerInch / 25.4;
  const picture = createBitmap(Math.round(page.widthMm * perMm), Math.round(page.heightMm * perMm));
  for (const { drawing, x, y } of page.placed)
    draw(picture, drawing, Math.round(x * perMm), Math.round(y * perMm), perMm);
  return picture;
}

/** What is wrong with a code of this drawing when it is printed; undefined when each can be read. */
export function faultOf(drawing: Drawing, dotsPerInch: number): string | undefined {
  if (!drawing.marks.some(({ kind }) => kind === "code")) return undefined;
  const { widthMm, heightMm } = drawing;
  const picture = pictureOf({ widthMm, heightMm, placed: [{ drawing, x: 0, y: 0 }], copies: 1 }, dotsPerInch);
  const perMm = dotsPerInch / 25.4;
  for (const mark of drawing.marks) {
    if (mark.kind !== "code") continue;
    const [left, top, module] = [mark.x, mark.y, mark.moduleMm].map(mm => Math.round(mm * perMm));
    const fault = misread(picture, mark.code, left as number, top as number, module as number);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function draw(picture: Bitmap, { marks }: Drawing, left: number, top: number, perMm: number): void {
  for (const mark of marks) {
    const x = left + mark.x * perMm;
    const y = top + mark.y * perMm;
    if (mark.kind === "bar") {
      const [right, bottom] = [x + mark.width * perMm, y + mark.height * perMm];
      picture.fillRectangle(Math.round(x), Math.round(y), Math.round(right), Math.round(bottom));
    } else if (mark.kind === "code") {
      const module = Math.round(mark.moduleMm * perMm);
      const [x0, y0] = [Math.round(x), Math.round(y)];
      for (let row = 0; row < mark.code.size; row++) {
        for (const [from, to] of darkRuns(mark.code, row)) {
          picture.fillRectangle(x0 + from * module, y0 + row * module, x0 + to * module, y0 + (row + 1) * module);
        }
      }
    } else {
      const size = mark.sizeMm * perMm;
      for (const { glyph, x: dx, y: dy } of mark.line.glyphs) {
        picture.fillShape(polygonsOf(glyph.outline, x + dx * size, y - dy * size, size));
      }
    }
  }
}

/** From and to, of each run of dark modules in a row. */
export function darkRuns({ size, dark }: { size: number; dark(x: number, y: number): boolean }, row: number) {
  const runs: [from: number, to: number][] = [];
  for (let column = 0; column < size; column++) {
    if (!dark(column, row)) continue;
    const last = runs.at(-1);
    if (last?.[1] === column) last[1]++;
    else runs.push([column, column + 1]);
  }
  return runs;
}
