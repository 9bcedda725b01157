// The QR code of a label (ISO/IEC 18004), as modules, and reading it again out of what will be printed: a label whose code
// does not read back as its text is never handed out.

import jsQR from "jsqr";
import QRCode from "qrcode";
import { codeVersionMax } from "#limits.ts";
import type { Bitmap } from "./bitmap.ts";
import { LabelError } from "./label-error.ts";

export interface Code {
  readonly text: string;
  /** Modules a side, without the quiet zone. */
  readonly size: number;
  dark(column: number, row: number): boolean;
}

/** Its types take it for an ES module, which it is not. */
const readCode = jsQR as unknown as typeof jsQR.default;

/** ISO/IEC 18004, 6.3.8: white modules on each side. */
export const quietModules = 4;

/**
 * Level M at least (URI-SEC-04); a higher one where it makes no module smaller, for labels in cellars get scratched. Throws
 * `LabelError` for a text longer than a label can carry.
 */
export function codeOf(text: string): Code {
  const made = (level: "M" | "Q" | "H", version?: number) => {
    try {
      return QRCode.create(text, { errorCorrectionLevel: level, ...(version === undefined ? {} : { version }) });
    } catch {
      return undefined;
    }
  };
  const standard = made("M");
  if (standard === undefined || standard.version > codeVersionMax)
    throw new LabelError("its code is too long for a label: shorten what the node says of itself");
  const { modules } = made("H", standard.version) ?? made("Q", standard.version) ?? standard;
  return {
    text,
    size: modules.size,
    dark: (column, row) => modules.get(row, column) === 1,
  };
}

/**
 * Reads the code at this place of a picture, quiet zone and all. Undefined when it says its text; else what is wrong. `module` and
 * the place of the first module are in dots.
 */
export function misread(picture: Bitmap, code: Code, left: number, top: number, module: number): string | undefined {
  const quiet = quietModules * module;
  const side = code.size * module + 2 * quiet;
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (!picture.get(left - quiet + x, top - quiet + y)) continue;
      const isQuiet = x < quiet || y < quiet || x >= side - quiet || y >= side - quiet;
      if (isQuiet) return "something stands too close to the code";
      pixels.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return readCode(pixels, side, side, { inversionAttempts: "dontInvert" })?.data === code.text
    ? undefined
    : "the code does not read back as it should";
}
