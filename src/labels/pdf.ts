// Pages as PDF 1.7 (ISO 32000-1), written as they come, so that ten thousand labels need no more memory than one. Letters are
// shapes of a Type 3 font, each there once, with the text they stand for: they can be searched for and copied.

import { deflateSync } from "node:zlib";
import type { Mark, Page } from "./drawing.ts";
import type { Glyph, Line } from "./fonts.ts";
import type { Outline } from "./outline.ts";
import { darkRuns } from "./picture.ts";

export interface PdfWriter {
  page(page: Page): void;
  /** `glyphs` are all that stand on the pages. */
  end(glyphs: readonly Glyph[]): void;
}

/** Points, 72 to the inch, to a millimetre. */
const perMm = 72 / 25.4;
/** Letters of one font: their numbers are octets. */
const fontGlyphs = 256;

const [catalogue, pages, resources, firstFree] = [1, 2, 3, 4];

export function createPdf(write: (bytes: Uint8Array) => void): PdfWriter {
  let length = 0;
  const offsets: number[] = [];
  const kids: number[] = [];
  let next = firstFree as number;

  const put = (...parts: readonly (string | Uint8Array)[]) => {
    for (const part of parts) {
      const bytes = typeof part === "string" ? Buffer.from(part, "latin1") : part;
      length += bytes.length;
      write(bytes);
    }
  };
  const object = (id: number, ...parts: readonly (string | Uint8Array)[]): number => {
    offsets[id] = length;
    put(`${id} 0 obj\n`, ...parts, "\nendobj\n");
    return id;
  };
  const stream = (text: string): number => {
    const packed = deflateSync(Buffer.from(text, "latin1"));
    const id = next++;
    return object(id, `<</Length ${packed.length}/Filter/FlateDecode>>\nstream\n`, packed, "\nendstream");
  };

  put("%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n");
  return {
    page(page) {
      const content = stream(contentOf(page));
      const box = `[0 0 ${short(page.widthMm * perMm)} ${short(page.heightMm * perMm)}]`;
      for (let copy = 0; copy < page.copies; copy++) {
        const text = `<</Type/Page/Parent ${pages} 0 R/MediaBox${box}/Resources ${resources} 0 R/Contents ${content} 0 R>>`;
        kids.push(object(next++, text));
      }
    },
    end(glyphs) {
      const fonts: string[] = [];
      for (let from = 0; from < glyphs.length; from += fontGlyphs) {
        const own = glyphs.slice(from, from + fontGlyphs);
        const shapes = own.map(one => stream(shapeOf(one)));
        const map = stream(unicodeMap(own));
        fonts.push(`/F${from / fontGlyphs} ${object(next++, fontOf(own, shapes, map))} 0 R`);
      }
      object(resources as number, `<</Font<<${fonts.join("")}>>>>`);
      object(pages as number, `<</Type/Pages/Count ${kids.length}/Kids[${kids.map(id => `${id} 0 R`).join("\n")}]>>`);
      // Whoever prints them prints them in their true size, unless he says otherwise.
      object(catalogue as number, `<</Type/Catalog/Pages ${pages} 0 R/ViewerPreferences<</PrintScaling/None>>>>`);
      const start = length;
      const rows = Array.from(
        { length: next - 1 },
        (_, at) => `${String(offsets[at + 1]).padStart(10, "0")} 00000 n\r\n`,
      );
      put(`xref\n0 ${next}\n0000000000 65535 f\r\n`, rows.join(""));
      put(`trailer\n<</Size ${next}/Root ${catalogue} 0 R>>\nstartxref\n${start}\n%%EOF\n`);
    },
  };
}

/** PDF counts upwards from the lower left corner, in points. */
function contentOf({ heightMm, placed }: Page): string {
  const parts: string[] = [];
  for (const { drawing, x, y } of placed) {
    for (const mark of drawing.marks) parts.push(markOf(mark, x, heightMm - y));
  }
  return parts.join("\n");
}

function markOf(mark: Mark, left: number, top: number): string {
  const [x, y] = [(left + mark.x) * perMm, (top - mark.y) * perMm];
  if (mark.kind === "bar")
    return `${short(x)} ${short(y - mark.height * perMm)} ${short(mark.width * perMm)} ${short(mark.height * perMm)} re f`;
  if (mark.kind === "text") return textOf(mark.line, x, y, mark.sizeMm * perMm);
  const scale = short(mark.moduleMm * perMm);
  const rows = Array.from({ length: mark.code.size }, (_, row) =>
    darkRuns(mark.code, row).map(([from, to]) => `${from} ${-row - 1} ${to - from} 1 re`),
  );
  // One shape: between two there would be a hair of white on a screen.
  return `q ${scale} 0 0 ${scale} ${short(x)} ${short(y)} cm\n${rows.flat().join("\n")}\nf Q`;
}

/** In the order in which it is seen, also where it is read the other way: that is what readers of PDF expect and turn round. */
function textOf({ glyphs }: Line, x: number, y: number, size: number): string {
  const said: string[] = [];
  let font = -1;
  let rise = 0;
  /** Where PDF would put the next letter. */
  let at = 0;
  for (const { glyph, x: dx, y: dy } of glyphs) {
    if (Math.floor(glyph.number / fontGlyphs) !== font) {
      font = Math.floor(glyph.number / fontGlyphs);
      said.push(`/F${font} ${short(size)} Tf`);
    }
    if (dy !== rise) said.push(`${short(dy * size)} Ts`);
    rise = dy;
    const back = Math.round((at - dx) * 1000);
    const letter = `<${(glyph.number % fontGlyphs).toString(16).padStart(2, "0")}>`;
    said.push(back === 0 ? `${letter} Tj` : `[${back} ${letter}] TJ`);
    at = dx + glyph.advance;
  }
  return `BT ${short(x)} ${short(y)} Td ${said.join(" ")}${rise === 0 ? "" : " 0 Ts"} ET`;
}

function fontOf(glyphs: readonly Glyph[], shapes: readonly number[], map: number): string {
  const names = glyphs.map((_, at) => `/g${at}`);
  return [
    "<</Type/Font/Subtype/Type3/FontBBox[0 0 0 0]/FontMatrix[0.001 0 0 0.001 0 0]/Resources<<>>",
    `/FirstChar 0/LastChar ${glyphs.length - 1}/Widths[${glyphs.map(({ advance }) => short(advance * 1000)).join(" ")}]`,
    `/Encoding<</Type/Encoding/Differences[0${names.join("")}]>>/ToUnicode ${map} 0 R`,
    `/CharProcs<<${names.map((name, at) => `${name} ${shapes[at]} 0 R`).join("")}>>>>`,
  ].join("\n");
}

function shapeOf({ advance, outline }: Glyph): string {
  return `${short(advance * 1000)} 0 d0\n${pathOf(outline)}${outline.length === 0 ? "" : "f"}`;
}

function pathOf(outline: Outline): string {
  const parts: string[] = [];
  let [x0, y0] = [0, 0];
  for (const { type, points } of outline) {
    const [a = 0, b = 0, c = 0, d = 0] = points;
    if (type === "M" || type === "L") parts.push(`${milli(a, b)} ${type === "M" ? "m" : "l"}`);
    else if (type === "C") parts.push(`${milli(...points)} c`);
    // PDF has cubic curves only: each control point lies two thirds of the way to the one of the quadratic curve.
    else if (type === "Q")
      parts.push(
        `${milli(x0 + ((a - x0) * 2) / 3, y0 + ((b - y0) * 2) / 3, c + ((a - c) * 2) / 3, d + ((b - d) * 2) / 3, c, d)} c`,
      );
    else parts.push("h");
    if (points.length >= 2) [x0, y0] = [points.at(-2) as number, points.at(-1) as number];
  }
  return parts.map(part => `${part}\n`).join("");
}

function unicodeMap(glyphs: readonly Glyph[]): string {
  const rows = glyphs.flatMap(({ text }, at) =>
    text === "" ? [] : [`<${at.toString(16).padStart(2, "0")}> <${utf16(text)}>`],
  );
  const blocks: string[] = [];
  // ISO 32000-1, 9.10.3 by way of Adobe's CMap format: at most a hundred in one block.
  for (let from = 0; from < rows.length; from += 100) {
    const some = rows.slice(from, from + 100);
    blocks.push(`${some.length} beginbfchar\n${some.join("\n")}\nendbfchar`);
  }
  return [
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def /CMapName /U def",
    "1 begincodespacerange\n<00> <ff>\nendcodespacerange",
    ...blocks,
    "endcmap CMapName currentdict /CMap defineresource pop end end",
  ].join("\n");
}

const utf16 = (text: string): string => Buffer.from(text, "utf16le").swap16().toString("hex");
const short = (value: number): string => String(Number(value.toFixed(3)));
const milli = (...values: readonly number[]): string => values.map(value => short(value * 1000)).join(" ");
