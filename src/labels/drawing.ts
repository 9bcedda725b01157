// What is drawn: letters, bars and codes with their places, in millimetres from the upper left corner, y downwards. Each kind
// of file is made of the same drawing, so that what was checked in one holds in all.

import type { Code } from "./code.ts";
import type { Line } from "./fonts.ts";

export type Mark =
  /** Filled black. */
  | {
      readonly kind: "bar";
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }
  /** The place of its first module, the quiet zone outside of it. */
  | { readonly kind: "code"; readonly x: number; readonly y: number; readonly moduleMm: number; readonly code: Code }
  /** The place where the first letter stands on the baseline. */
  | { readonly kind: "text"; readonly x: number; readonly y: number; readonly sizeMm: number; readonly line: Line };

export interface Drawing {
  readonly widthMm: number;
  readonly heightMm: number;
  /** For who cannot see it; nothing secret. */
  readonly title: string;
  readonly marks: readonly Mark[];
}

/** One side of paper, or one label of a roll: drawings and where they lie on it. */
export interface Page {
  readonly widthMm: number;
  readonly heightMm: number;
  readonly placed: readonly { readonly drawing: Drawing; readonly x: number; readonly y: number }[];
  /** How often it is printed. */
  readonly copies: number;
}
