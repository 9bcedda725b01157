// Text into the room there is for it: on one line or several, cut with an ellipsis where it does not fit, never smaller than
// asked and never beyond its edge.

import { labelTextCharsMax } from "#limits.ts";
import { type Fonts, type Line, printable, type Weight } from "./fonts.ts";

const ellipsis = "…";
const letters = new Intl.Segmenter("und", { granularity: "grapheme" });

/** `widthMax` in units of the type's size. At least one line, none wider than that. */
export function fitted(fonts: Fonts, text: string, weight: Weight, widthMax: number, linesMax = 1): Line[] {
  let rest = printable(text.slice(0, labelTextCharsMax));
  const lines: Line[] = [];
  while (lines.length < linesMax - 1) {
    const whole = fonts.line(rest, weight);
    if (whole.width <= widthMax) break;
    const head = longestStart(fonts, rest, weight, widthMax);
    if (head === "") break;
    lines.push(fonts.line(head, weight));
    rest = rest.slice(head.length).trim();
  }
  lines.push(cut(fonts, rest, weight, widthMax));
  return lines;
}

/** The line, or as much of its beginning as fits with the ellipsis. */
function cut(fonts: Fonts, text: string, weight: Weight, widthMax: number): Line {
  const whole = fonts.line(text, weight);
  if (whole.width <= widthMax) return whole;
  const parts = Array.from(letters.segment(text), one => one.segment);
  const with_ = (count: number) => fonts.line(`${parts.slice(0, count).join("").trimEnd()}${ellipsis}`, weight);
  const kept = longest(parts.length - 1, count => with_(count).width <= widthMax);
  const line = with_(kept);
  return line.width <= widthMax ? line : fonts.line("", weight);
}

/** Whole words; of a word that is longer than the line, as many letters as fit. */
function longestStart(fonts: Fonts, text: string, weight: Weight, widthMax: number): string {
  const parts = Array.from(letters.segment(text), one => one.segment);
  const start = (count: number) => parts.slice(0, count).join("");
  const fitting = start(longest(parts.length, count => fonts.line(start(count), weight).width <= widthMax));
  if (fitting === text) return text;
  const words = /^(.*[^\s])\s/u.exec(/\s/.test(text[fitting.length] ?? "") ? `${fitting} ` : fitting)?.[1];
  return words ?? fitting;
}

/** The largest count up to `max` for which it holds, taking it to hold for all smaller ones; 0 when for none. */
function longest(max: number, holds: (count: number) => boolean): number {
  let low = 0;
  let high = max;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
