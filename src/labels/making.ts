// Labels to files: each is drawn, its code is read again out of the drawing, and only when all are right a file is there.

import { setImmediate } from "node:timers/promises";
import type { Drawing, Page } from "./drawing.ts";
import type { LabelFace } from "./face.ts";
import { type Fonts, openFonts } from "./fonts.ts";
import { LabelError } from "./label-error.ts";
import { layOut } from "./layout.ts";
import { createOutputFiles, type OutputFiles } from "./output-file.ts";
import { createPdf } from "./pdf.ts";
import { faultOf, pictureOf } from "./picture.ts";
import { pngOf } from "./png.ts";
import type { Sentence } from "./rows.ts";
import type { LabelSize, Sheet } from "./sizes-table.ts";
import { svgOf } from "./svg.ts";
import { zplOf } from "./zpl.ts";

export const formats = ["pdf", "png", "svg", "zpl"] as const;
export type Format = (typeof formats)[number];

export interface LabelJob {
  readonly out: string;
  readonly format: Format;
  readonly size: LabelSize;
  /** Undefined: a roll, one label a page. */
  readonly sheet: Sheet | undefined;
  /** Places on the first sheet that are used up already. */
  readonly skip: number;
  readonly copies: number;
  readonly dotsPerInch: number;
  readonly fontFiles: readonly string[];
  readonly say: Sentence;
  readonly replace: boolean;
  /** All is done but that the files are there in the end: to know that it can be, before something cannot be undone. */
  readonly rehearsing?: boolean;
  readonly signal: AbortSignal;
  /** How many are drawn. */
  readonly progress?: (done: number) => void;
}

export interface Made {
  readonly files: readonly string[];
  readonly pages: number;
  /** Characters that no font has: an empty box stands for them. */
  readonly missing: readonly string[];
}

/** `faces`, of which there are `count`. Throws `LabelError`, and then nothing was written. */
export async function makeLabels(faces: Iterable<LabelFace>, count: number, job: LabelJob): Promise<Made> {
  const fonts = openFonts(job.fontFiles);
  using files = createOutputFiles(job.replace);
  const pageCount = job.sheet
    ? Math.ceil((job.skip + count * job.copies) / (job.sheet.columns * job.sheet.rows))
    : count;
  const writer = writers[job.format](job, files, fonts, pageCount);
  let drawn = 0;
  const drawings = function* () {
    for (const face of faces) {
      yield checked(face, fonts, job);
      job.progress?.(++drawn);
    }
  };
  for (const page of job.sheet ? sheetPages(drawings(), job.sheet, job) : rollPages(drawings(), job)) {
    writer.page(page);
    // Whoever wants to stop it is heard.
    await setImmediate();
    job.signal.throwIfAborted();
  }
  writer.end();
  return { files: job.rehearsing === true ? [] : files.commit(), pages: pageCount, missing: [...fonts.missing] };
}

function checked(face: LabelFace, fonts: Fonts, { size, dotsPerInch, say }: LabelJob): Drawing {
  try {
    const drawing = layOut(face, size, { fonts, dotsPerInch, say });
    const fault = faultOf(drawing, dotsPerInch);
    if (fault !== undefined) throw new LabelError(fault);
    return drawing;
  } catch (error) {
    if (!(error instanceof LabelError)) throw error;
    throw new LabelError(`${face.address || face.name || "The appliance"}: ${error.message}. Nothing was written.`);
  }
}

function* rollPages(drawings: Iterable<Drawing>, { copies }: LabelJob): Generator<Page> {
  for (const drawing of drawings) {
    const { widthMm, heightMm } = drawing;
    yield { widthMm, heightMm, placed: [{ drawing, x: 0, y: 0 }], copies };
  }
}

/** Row by row, as one peels them off. */
function* sheetPages(drawings: Iterable<Drawing>, sheet: Sheet, { skip, copies }: LabelJob): Generator<Page> {
  const { columns, rows, pageWidthMm: widthMm, pageHeightMm: heightMm } = sheet;
  let place = skip;
  let placed: Page["placed"][number][] = [];
  const page = (): Page => ({ widthMm, heightMm, placed, copies: 1 });
  for (const drawing of drawings) {
    for (let copy = 0; copy < copies; copy++) {
      if (place === columns * rows) {
        yield page();
        [place, placed] = [0, []];
      }
      const [column, row] = [place % columns, Math.floor(place / columns)];
      placed.push({ drawing, x: sheet.leftMm + column * sheet.stepXMm, y: sheet.topMm + row * sheet.stepYMm });
      place++;
    }
  }
  if (placed.length > 0) yield page();
}

interface Writer {
  page(page: Page): void;
  end(): void;
}

type MakeWriter = (job: LabelJob, files: OutputFiles, fonts: Fonts, pageCount: number) => Writer;

const writers: Readonly<Record<Format, MakeWriter>> = {
  pdf(job, files, fonts) {
    const pdf = createPdf(files.open(job.out));
    return { page: pdf.page, end: () => pdf.end(fonts.glyphs) };
  },
  zpl(job, files) {
    const write = files.open(job.out);
    return { page: page => write(Buffer.from(zplOf(page, pictureOf(page, job.dotsPerInch)), "latin1")), end() {} };
  },
  png: (job, files, _fonts, pageCount) =>
    pictures(job, files, pageCount, page => pngOf(pictureOf(page, job.dotsPerInch), job.dotsPerInch)),
  svg: (job, files, _fonts, pageCount) => pictures(job, files, pageCount, page => Buffer.from(svgOf(page))),
};

/** A file for each page: labels.png, or labels-01.png, labels-02.png … */
function pictures(job: LabelJob, files: OutputFiles, pageCount: number, draw: (page: Page) => Uint8Array): Writer {
  let number = 0;
  const nameOf = () => {
    number++;
    if (pageCount === 1) return job.out;
    const at = /\.[^./]*$/.exec(job.out)?.index ?? job.out.length;
    const digits = String(number).padStart(String(pageCount).length, "0");
    return `${job.out.slice(0, at)}-${digits}${job.out.slice(at)}`;
  };
  return { page: page => files.open(nameOf())(draw(page)), end() {} };
}
