// Reading labels as their user's tools do: PDF by poppler, SVG by librsvg, PNG and ZPL by readers of our own written from their
// documents, and codes out of the pictures by jsQR.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import jsQR from "jsqr";

/** Its types take it for an ES module, which it is not. */
const readQr = jsQR as unknown as typeof jsQR.default;

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 0 black to 255 white. */
  readonly grey: Uint8Array;
}

/** The text of the code in this part of a picture, in dots; undefined when there is none that can be read. */
export function codeIn(picture: Picture, left = 0, top = 0, width = picture.width, height = picture.height) {
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = picture.grey[(top + y) * picture.width + left + x] ?? 255;
      pixels.fill(value, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return readQr(pixels, width, height, { inversionAttempts: "dontInvert" })?.data;
}

/** Pages of a PDF as a printer's driver draws them. */
export function pdfPages(file: string, dotsPerInch: number): Picture[] {
  const out = execFileSync("pdftoppm", ["-gray", "-r", `${dotsPerInch}`, file], { maxBuffer: 1 << 30 });
  const pages: Picture[] = [];
  for (let at = 0; at < out.length; ) {
    const head = /^P5\s(\d+)\s(\d+)\s255\s/.exec(out.toString("latin1", at, at + 64));
    if (head === null) throw new Error("no PGM");
    const [width, height] = [Number(head[1]), Number(head[2])];
    const from = at + head[0].length;
    at = from + width * height;
    pages.push({ width, height, grey: out.subarray(from, at) });
  }
  return pages;
}

export const pdfText = (file: string): string =>
  execFileSync("pdftotext", ["-layout", file, "-"], { encoding: "utf8" });

export function svgPicture(file: string, dotsPerInch: number): Picture {
  const dots = `${dotsPerInch}`;
  return pngPicture(execFileSync("rsvg-convert", ["-d", dots, "-p", dots, file], { maxBuffer: 1 << 30 }));
}

/** ISO/IEC 15948: grey of one bit or RGBA of eight, not interlaced. */
export function pngPicture(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = new Map<string, Uint8Array[]>();
  for (let at = 8; at < bytes.length; ) {
    const length = view.getUint32(at);
    const name = Buffer.from(bytes.subarray(at + 4, at + 8)).toString("latin1");
    chunks.set(name, [...(chunks.get(name) ?? []), bytes.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  const header = Buffer.from(chunks.get("IHDR")?.[0] ?? []);
  const [width, height, bits, colour] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8], header[9]];
  const isGrey = bits === 1 && colour === 0;
  if (!isGrey && !(bits === 8 && colour === 6)) throw new Error(`a PNG of ${bits} bits and colour ${colour}`);
  const step = isGrey ? 1 : 4;
  const rowBytes = isGrey ? Math.ceil(width / 8) : width * 4;
  const packed = inflateSync(Buffer.concat(chunks.get("IDAT") ?? []));
  let above = new Uint8Array(rowBytes);
  const grey = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = unfiltered(packed.subarray(y * (rowBytes + 1), (y + 1) * (rowBytes + 1)), above, step);
    above = row;
    for (let x = 0; x < width; x++) {
      const isWhite = ((row[x >> 3] as number) & (0x80 >> (x & 7))) !== 0;
      const [red = 0, alpha = 0] = [row[x * 4], row[x * 4 + 3]];
      grey[y * width + x] = isGrey ? (isWhite ? 255 : 0) : 255 - (alpha / 255) * (255 - red);
    }
  }
  return { width, height, grey };
}

/** Dots a metre. */
export function pngDots(bytes: Uint8Array): number {
  const at = Buffer.from(bytes).indexOf("pHYs");
  return Buffer.from(bytes).readUInt32BE(at + 4);
}

function unfiltered(filtered: Uint8Array, above: Uint8Array, step: number): Uint8Array<ArrayBuffer> {
  const kind = filtered[0];
  const row = new Uint8Array(filtered.length - 1);
  for (let at = 0; at < row.length; at++) {
    const [a, b, c] = [row[at - step] ?? 0, above[at] ?? 0, at < step ? 0 : (above[at - step] ?? 0)];
    const paeth = () => {
      const p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    };
    const guess = kind === 1 ? a : kind === 2 ? b : kind === 3 ? (a + b) >> 1 : kind === 4 ? paeth() : 0;
    row[at] = ((filtered[at + 1] as number) + guess) & 0xff;
  }
  return row;
}

export interface ZplLabel {
  readonly picture: Picture;
  readonly copies: number;
  readonly comment: string;
}

/** ZPL II as its programming guide says: commands begin with a caret; pictures are placed by ^FO and given by ^GFA. */
export function zplLabels(text: string): ZplLabel[] {
  return text
    .split("^XA")
    .slice(1)
    .map(label => {
      const number = (command: string) => Number(new RegExp(`\\^${command}(\\d+)`).exec(label)?.[1]);
      const [width, height] = [number("PW"), number("LL")];
      const grey = new Uint8Array(width * height).fill(255);
      for (const [, x, y, total, count, rowBytes, data] of label.matchAll(
        /\^FO(\d+),(\d+)\^GFA,(\d+),(\d+),(\d+),([^^]*)\^FS/g,
      )) {
        if (total !== count) throw new Error("sizes that differ");
        const rows = zplRows(data ?? "", Number(rowBytes) * 2);
        if (rows.length * Number(rowBytes) !== Number(total))
          throw new Error(`${rows.length} rows are not ${total} octets`);
        for (const [down, row] of rows.entries()) {
          for (let right = 0; right < row.length * 4; right++) {
            const isBlack = (Number.parseInt(row[right >> 2] as string, 16) & (8 >> (right & 3))) !== 0;
            if (isBlack && Number(x) + right < width) grey[(Number(y) + down) * width + Number(x) + right] = 0;
          }
        }
      }
      if (!label.trimEnd().endsWith("^XZ")) throw new Error("a format without an end");
      const comment = /\^FX ([^^]*)\^FS/.exec(label)?.[1] ?? "";
      return { picture: { width, height, grey }, copies: number("PQ"), comment };
    });
}

function zplRows(data: string, digits: number): string[] {
  const rows: string[] = [];
  let row = "";
  let count = 0;
  const end = () => {
    rows.push(row);
    row = "";
  };
  for (const one of data) {
    if (/[G-Y]/.test(one)) count += one.charCodeAt(0) - 70;
    else if (/[g-z]/.test(one)) count += (one.charCodeAt(0) - 102) * 20;
    else if (one === ",") row = row.padEnd(digits, "0");
    else if (one === "!") row = row.padEnd(digits, "F");
    else if (one === ":" && row === "") row = rows.at(-1) ?? "";
    else if (/[0-9A-F]/.test(one)) {
      row += one.repeat(Math.max(1, count));
      count = 0;
    } else throw new Error(`"${one}" in a picture`);
    if (row.length > digits) throw new Error("a row that is too long");
    if (row.length === digits) end();
  }
  if (row !== "") throw new Error("a row that does not end");
  return rows;
}

export const readPng = (file: string): Picture => pngPicture(readFileSync(file));
