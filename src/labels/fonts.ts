// Text to letters in their places: right forms and order in scripts that are joined or run from right to left (HarfBuzz, and
// the Unicode Bidirectional Algorithm). What no font has is drawn as an empty box and told.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import bidiFactory from "bidi-js";
import * as harfbuzz from "harfbuzzjs";
import { fontBytesMax, linesRememberedMax } from "#limits.ts";
import { LabelError } from "./label-error.ts";
import type { Outline, Segment } from "./outline.ts";

export type Weight = "regular" | "bold";

/** One for each shape of each font, however often it is used. */
export interface Glyph {
  /** From 0, in the order in which they were met. */
  readonly number: number;
  readonly outline: Outline;
  /** To where the next letter begins, in units of the type's size. */
  readonly advance: number;
  /** What it stands for; a part of a letter stands for nothing. */
  readonly text: string;
}

export interface PlacedGlyph {
  readonly glyph: Glyph;
  /** Where it is to be drawn from the beginning of the line, in units of the type's size, y upwards. */
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly text: string;
  readonly glyphs: readonly PlacedGlyph[];
  /** In units of the type's size. */
  readonly width: number;
}

export interface Fonts {
  /** One line of any text. */
  line(text: string, weight: Weight): Line;
  /** All letters that were drawn so far. */
  readonly glyphs: readonly Glyph[];
  /** Characters that no font has, so far. */
  readonly missing: ReadonlySet<string>;
}

interface Face {
  readonly font: harfbuzz.Font;
  readonly unitsPerEm: number;
  readonly glyphs: Map<number, Glyph>;
}

/** Its types take it for an ES module, which it is not. */
const bidi = (bidiFactory as unknown as typeof bidiFactory.default)();

/** `more` are font files that are looked in for what our own have not. Throws `LabelError` for what is no font. */
export function openFonts(more: readonly string[] = []): Fonts {
  const others = more.map(openFile);
  const regular = openFile(own("DejaVuSansCondensed.ttf"));
  const faces: Record<Weight, readonly [Face, ...Face[]]> = {
    regular: [regular, ...others],
    // Some scripts are there in one weight only.
    bold: [openFile(own("DejaVuSansCondensed-Bold.ttf")), regular, ...others],
  };
  // One for all: each of them lies in memory that is not collected at once.
  const buffer = new harfbuzz.Buffer();
  const glyphs: Glyph[] = [];
  const missing = new Set<string>();

  const glyphOf = (face: Face, id: number, text: string): Glyph => {
    const known = face.glyphs.get(id);
    if (known !== undefined) return known;
    const made: Glyph = {
      number: glyphs.length,
      outline: outlineOf(face, id),
      advance: face.font.glyphHAdvance(id) / face.unitsPerEm,
      text,
    };
    face.glyphs.set(id, made);
    glyphs.push(made);
    return made;
  };

  const faceFor = (character: string, weight: Weight): Face => {
    const all = faces[weight];
    const face = all.find(({ font }) => font.nominalGlyph(character.codePointAt(0) as number) !== undefined);
    if (face === undefined) missing.add(character);
    return face ?? all[0];
  };

  /** Letters of a run, left to right, from `x` on; and where the next run begins. */
  const shape = (run: Run, x: number, placed: PlacedGlyph[]): number => {
    const { face, text, level } = run;
    buffer.reset();
    buffer.addText(text);
    buffer.guessSegmentProperties();
    buffer.setDirection(level % 2 === 1 ? harfbuzz.Direction.RTL : harfbuzz.Direction.LTR);
    harfbuzz.shape(face.font, buffer);
    const infos = buffer.getGlyphInfos();
    const starts = [...new Set(infos.map(({ cluster }) => cluster)), text.length].sort((a, b) => a - b);
    let at = x;
    let before = -1;
    for (const [index, { xAdvance, xOffset, yOffset }] of buffer.getGlyphPositions().entries()) {
      const { codepoint, cluster } = infos[index] as harfbuzz.GlyphInfo;
      const said = cluster === before ? "" : text.slice(cluster, starts[starts.indexOf(cluster) + 1]);
      before = cluster;
      // The empty box of a font stands for many characters.
      const glyph = glyphOf(face, codepoint, codepoint === 0 ? "\ufffd" : said);
      placed.push({ glyph, x: at + xOffset / face.unitsPerEm, y: yOffset / face.unitsPerEm });
      at += xAdvance / face.unitsPerEm;
    }
    return at;
  };

  /** The same words stand on all labels, and each is measured several times. */
  const known = new Map<string, Line>();
  const remembered = (text: string, weight: Weight): Line => {
    const key = `${weight} ${text}`;
    const found = known.get(key) ?? shaped(text, weight);
    if (known.size >= linesRememberedMax) known.clear();
    known.set(key, found);
    return found;
  };
  const shaped = (text: string, weight: Weight): Line => {
    const clean = printable(text);
    const { levels } = bidi.getEmbeddingLevels(clean);
    const runs: Run[] = [];
    let at = 0;
    for (const character of clean) {
      const level = levels[at] as number;
      const last = runs.at(-1);
      // A mark goes with its letter, a blank with its word, where the font has it.
      const stays = last !== undefined && last.level === level && /[\p{M}\s]/u.test(character);
      const face = stays && has(last.face, character) ? last.face : faceFor(character, weight);
      if (last !== undefined && last.level === level && last.face === face) last.text += character;
      else runs.push({ face, level, text: character });
      at += character.length;
    }
    const placed: PlacedGlyph[] = [];
    let width = 0;
    for (const run of inVisualOrder(runs)) width = shape(run, width, placed);
    return { text: clean, glyphs: placed, width };
  };
  return { glyphs, missing, line: remembered };
}

interface Run {
  readonly face: Face;
  readonly level: number;
  text: string;
}

const has = ({ font }: Face, character: string): boolean =>
  font.nominalGlyph(character.codePointAt(0) as number) !== undefined;

/** Rule L2 of the algorithm, on whole runs: from the highest level down, what is at least as high is turned round. */
function inVisualOrder(runs: readonly Run[]): Run[] {
  const ordered = [...runs];
  for (let level = Math.max(0, ...runs.map(one => one.level)); level > 0; level--) {
    for (let from = 0; from < ordered.length; from++) {
      let to = from;
      while (to < ordered.length && (ordered[to] as Run).level >= level) to++;
      if (to > from + 1) ordered.splice(from, to - from, ...ordered.slice(from, to).reverse());
      from = Math.max(from, to);
    }
  }
  return ordered;
}

/** Nothing on a label is invisible, nor turns round what stands beside it. */
export const printable = (text: string): string =>
  text
    .normalize("NFC")
    .replace(/[\s\p{Cc}]+/gu, " ")
    // Marks piled up on one letter would stand on the line above.
    .replace(/(\p{M}{2})\p{M}+/gu, "$1")
    .replace(/[\p{Cs}\p{Co}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu, "")
    .trim();

function outlineOf({ font, unitsPerEm }: Face, id: number): Outline {
  return font.glyphToJson(id).map(({ type, values }) => ({
    type: type as Segment["type"],
    points: values.map(value => value / unitsPerEm),
  }));
}

const own = (name: string): string => fileURLToPath(import.meta.resolve(`dejavu-fonts-ttf/ttf/${name}`));

function openFile(path: string): Face {
  const bytes = readFont(path);
  const face = new harfbuzz.Face(new harfbuzz.Blob(new Uint8Array(bytes).buffer));
  const font = new harfbuzz.Font(face);
  if (face.collectUnicodes().length === 0) throw new LabelError(`${path} is not a TrueType or OpenType font.`);
  return { font, unitsPerEm: face.upem, glyphs: new Map() };
}

function readFont(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new LabelError(`The font ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (bytes.length > fontBytesMax) throw new LabelError(`The font ${path} is too large.`);
  return bytes;
}
