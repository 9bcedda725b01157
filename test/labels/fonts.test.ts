import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { fitted } from "#labels/fitting.ts";
import { openFonts, printable } from "#labels/fonts.ts";
import { LabelError } from "#labels/label-error.ts";
import { labelTextCharsMax } from "#limits.ts";

const fonts = openFonts();
const folder = mkdtempSync(join(tmpdir(), "isthmus-fonts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const said = (text: string) =>
  fonts
    .line(text, "regular")
    .glyphs.toSorted((a, b) => a.x - b.x)
    .map(({ glyph }) => glyph.text)
    .join("");

describe("letters", () => {
  it.each(["Wärmezähler Kü ß", "Électricité Œ", "Счётчик воды", "Θερμόμετρο", "Հաշվիչ", "50 °C ≤ 3 m³", "I-l1 0O"])(
    "%s",
    text => {
      expect(said(text)).toBe(text);
      expect(fonts.line(text, "bold").width).not.toBe(0);
      expect([...fonts.missing]).toEqual([]);
    },
  );

  it("what runs from right to left stands from right to left, and numbers within it do not", () => {
    expect(said("מונה 47")).toBe("47 הנומ");
    expect(said("A מונה B")).toBe("A הנומ B");
  });

  it("letters of Arabic are joined: a letter alone has another shape than within a word", () => {
    const shapes = (text: string) => fonts.line(text, "regular").glyphs.map(({ glyph }) => glyph.number);
    expect(shapes("ععع").filter(one => shapes("ع").includes(one))).toEqual([]);
  });

  it("a mark stands on its letter however it was typed", () => {
    expect(fonts.line("A\u0308", "regular").width).toBe(fonts.line("Ä", "regular").width);
  });

  it("nothing on a label is invisible, moves what stands beside it, or breaks the line", () => {
    expect(printable(" a\u202eb\u200bc\n\td\u0000e\ufeff\ud800 ")).toBe("abc d e");
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), text => {
        const line = fonts.line(text, "regular");
        expect(Number.isFinite(line.width)).toBe(true);
        expect(line.text).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it("what no font has is told, and a box stands for it", () => {
    const own = openFonts();
    expect(own.line("水 7", "regular").glyphs[0]?.glyph.outline.length).toBeGreaterThan(0);
    expect([...own.missing]).toEqual(["水"]);
  });

  it("another font has what ours has not", () => {
    const math = fileURLToPath(import.meta.resolve("dejavu-fonts-ttf/ttf/DejaVuMathTeXGyre.ttf"));
    const letter = "\u{1d4d0}";
    const without = openFonts();
    without.line(letter, "regular");
    expect([...without.missing]).toEqual([letter]);
    const own = openFonts([math]);
    const { glyphs } = own.line(`a${letter}b`, "bold");
    expect(glyphs.map(({ glyph }) => glyph.text)).toEqual(["a", letter, "b"]);
    expect([...own.missing]).toEqual([]);
  });

  it("what is no font is said", () => {
    const text = join(folder, "text.ttf");
    writeFileSync(text, "not a font");
    expect(() => openFonts([text])).toThrow(new LabelError(`${text} is not a TrueType or OpenType font.`));
    expect(() => openFonts([join(folder, "none.ttf")])).toThrow(/cannot be read \(ENOENT\)/);
  });
});

describe("fitting", () => {
  const texts = (text: string, width: number, lines = 1) =>
    fitted(fonts, text, "regular", width, lines).map(line => line.text);

  it("what fits stays whole, what does not ends with an ellipsis", () => {
    expect(texts("Wärmezähler", 20)).toEqual(["Wärmezähler"]);
    expect(texts("Wärmezähler im Keller", 6)).toEqual(["Wärmezähl…"]);
    expect(texts("Wärmezähler im Keller", 6.5, 2)).toEqual(["Wärmezähler", "im Keller"]);
  });

  it("breaks between words, and within a word that is too long for a line", () => {
    expect(texts("one two three", 4, 3)).toEqual(["one two", "three"]);
    expect(texts("Donaudampfschifffahrt", 4, 2).join("")).toMatch(/^Donau.*…$/);
    expect(texts("", 5, 2)).toEqual([""]);
  });

  it("never wider than there is room, and never cut within a letter", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 80 }),
        fc.double({ min: 0.5, max: 30, noNaN: true }),
        fc.integer({ min: 1, max: 3 }),
        (text, width, lines) => {
          const found = fitted(fonts, text, "regular", width, lines);
          expect(found.length).toBeLessThanOrEqual(lines);
          for (const line of found) {
            expect(line.width).toBeLessThanOrEqual(width);
            expect(line.text.isWellFormed()).toBe(true);
          }
        },
      ),
    );
  });

  it("a text without an end takes no time without an end", () => {
    const [line] = texts("x".repeat(1e6), 10);
    expect(line?.length).toBeLessThan(labelTextCharsMax);
  });
});
