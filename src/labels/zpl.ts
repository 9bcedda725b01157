// Labels in ZPL II, the language of Zebra's printers: each a picture of the printer's own dots (^GFA), so that what it prints is
// what was checked, in any script, whatever fonts and firmware it has.

import type { Bitmap } from "./bitmap.ts";
import type { Page } from "./drawing.ts";

/** A graphic field takes no more octets (ZPL II Programming Guide, ^GF). */
const fieldBytesMax = 99_999;

/** One label format, with as many copies as the page wants. */
export function zplOf(page: Page, picture: Bitmap): string {
  const titles = page.placed.map(({ drawing }) => `^FX ${harmless(drawing.title)}^FS\n`);
  return [
    "^XA\n",
    ...titles,
    `^PW${picture.width}^LL${picture.height}^LH0,0\n`,
    ...fieldsOf(picture),
    `^PQ${page.copies}\n`,
    "^XZ\n",
  ].join("");
}

/** Bands with something in them, none larger than a field may be; what is white is left out. */
function fieldsOf({ rowBytes, height, bits }: Bitmap): string[] {
  const rowsMax = Math.floor(fieldBytesMax / rowBytes);
  const row = (y: number) => bits.subarray(y * rowBytes, (y + 1) * rowBytes);
  const isWhite = (y: number) => row(y).every(one => one === 0);
  const fields: string[] = [];
  for (let from = 0; from < height; ) {
    if (isWhite(from)) {
      from++;
      continue;
    }
    let to = from;
    while (to < height && to - from < rowsMax && !isWhite(to)) to++;
    const bytes = (to - from) * rowBytes;
    const rows = Array.from({ length: to - from }, (_, at) =>
      Buffer.from(row(from + at))
        .toString("hex")
        .toUpperCase(),
    );
    fields.push(`^FO0,${from}^GFA,${bytes},${bytes},${rowBytes},${packed(rows)}^FS\n`);
    from = to;
  }
  return fields;
}

/**
 * The guide's "alternative data compression scheme": G to Y count 1 to 19, g to z 20 to 400 of the digit that follows, a comma
 * fills the row with zeros, an exclamation mark with ones, a colon repeats the row above.
 */
function packed(rows: readonly string[]): string {
  let before = "";
  return rows
    .map(row => {
      const said = row === before ? ":" : packedRow(row);
      before = row;
      return said;
    })
    .join("");
}

function packedRow(row: string): string {
  const end = row.at(-1) === "0" ? "," : row.at(-1) === "F" ? "!" : "";
  const kept = end === "," ? row.replace(/0+$/, "") : end === "!" ? row.replace(/F+$/, "") : row;
  return kept.replace(/(.)\1+/g, (run: string, digit: string) => `${counts(run.length)}${digit}`) + end;
}

function counts(number: number): string {
  let left = number;
  let said = "";
  while (left >= 20) {
    const twenties = Math.min(20, Math.floor(left / 20));
    said += String.fromCharCode("g".charCodeAt(0) + twenties - 1);
    left -= twenties * 20;
  }
  return left === 0 ? said : said + String.fromCharCode("G".charCodeAt(0) + left - 1);
}

/** A caret or tilde would begin a command; others than ASCII would ask for a code page. */
const harmless = (text: string): string => text.replace(/[^\x20-\x7e]|[\^~]/g, "_");
