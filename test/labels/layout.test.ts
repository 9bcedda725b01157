import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Drawing, Mark } from "#labels/drawing.ts";
import { openFonts } from "#labels/fonts.ts";
import { LabelError } from "#labels/label-error.ts";
import { layOut } from "#labels/layout.ts";
import { faultOf } from "#labels/picture.ts";
import { type LabelSize, rolls, sheets } from "#labels/sizes-table.ts";
import { codeModuleMmMin, labelTextMmMin } from "#limits.ts";
import { claimed, face, meter, uriOf } from "./faces.ts";

const fonts = openFonts();
const inEnglish = (text: string) => text;
const draw = (thing: ReturnType<typeof meter>, size: LabelSize, dotsPerInch = 300, say = inEnglish): Drawing =>
  layOut(face(thing), size, { fonts, dotsPerInch, say });
const sizes: readonly (readonly [string, LabelSize])[] = [...Object.entries(rolls), ...Object.entries(sheets)];

type Of<K extends Mark["kind"]> = Extract<Mark, { kind: K }>;
const marksOf = <K extends Mark["kind"]>({ marks }: Drawing, kind: K) =>
  marks.filter((mark): mark is Of<K> => mark.kind === kind);
const textsOf = (drawing: Drawing) => marksOf(drawing, "text").map(({ line }) => line.text);
const roll = (name: keyof typeof rolls): LabelSize => rolls[name] as LabelSize;

/** What is drawn of a line, from its highest to its lowest point. */
function boxOf({ x, y, sizeMm, line }: Of<"text">) {
  const points = line.glyphs.flatMap(({ glyph, x: dx, y: dy }) =>
    glyph.outline.flatMap(({ points: all }) =>
      all.map((value, at) => (at % 2 === 0 ? x + (dx + value) * sizeMm : y - (dy + value) * sizeMm)),
    ),
  );
  const [xs, ys] = [points.filter((_, at) => at % 2 === 0), points.filter((_, at) => at % 2 === 1)];
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
}

const nasty = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 120 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "",
    "Wärmezähler Wohnung 12, Dachgeschoß links hinten",
    "W".repeat(90),
    "عداد الحرارة",
    "a b ".repeat(40),
  ),
);

describe.each(sizes)("on %s", (_, size) => {
  it("the code has its quiet zone, modules of whole dots and of a size that can be read, and words beside it", () => {
    for (const dots of [203, 300, 600]) {
      const drawing = draw(meter(), size, dots);
      const [code] = marksOf(drawing, "code");
      if (code === undefined) throw new Error("no code");
      const [quiet, side] = [4 * code.moduleMm, code.code.size * code.moduleMm];
      expect(code.moduleMm).toBeGreaterThanOrEqual(codeModuleMmMin);
      expect((code.moduleMm * dots) / 25.4).toBeCloseTo(Math.round((code.moduleMm * dots) / 25.4), 6);
      expect(code.x - quiet).toBeGreaterThanOrEqual(-1e-6);
      expect(code.y - quiet).toBeGreaterThanOrEqual(-0.07);
      expect(code.x + side + quiet).toBeLessThanOrEqual(size.widthMm + 1e-6);
      expect(code.y + side + quiet).toBeLessThanOrEqual(size.heightMm + 0.07);
      expect(faultOf(drawing, dots)).toBeUndefined();
      expect(textsOf(drawing)).toEqual(expect.arrayContaining(["66120001"]));
    }
  });

  it("whatever things are called, words stay on the label, apart from each other, and out of the code", () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, nasty, fc.boolean(), (name, serial, model, room, isClaimed) => {
        const thing = (isClaimed ? claimed : meter)(1, { name, serial, model, room });
        const drawing = draw(thing, size);
        const boxes = marksOf(drawing, "text").map(boxOf);
        const [code] = marksOf(drawing, "code");
        for (const [at, { left, right, top, bottom }] of boxes.entries()) {
          if (left > right) continue;
          expect(top).toBeGreaterThan(0);
          expect(bottom).toBeLessThan(size.heightMm);
          expect(right).toBeLessThan(size.widthMm);
          if (code === undefined) continue;
          const side = (code.code.size + 4) * code.moduleMm;
          expect(left >= code.x + side || top >= code.y + side).toBe(true);
          expect(at).toBeGreaterThanOrEqual(0);
        }
        const lines = marksOf(drawing, "text");
        for (const [at, { sizeMm, y }] of lines.entries()) {
          expect(sizeMm).toBeGreaterThanOrEqual(labelTextMmMin * 0.75 - 1e-9);
          expect(y).toBeGreaterThan(lines[at - 1]?.y ?? 0);
        }
        expect(faultOf(drawing, 300)).toBeUndefined();
      }),
      { numRuns: 15 },
    );
  });
});

describe("what stands on it", () => {
  it("name, serial number largest, model, room, address, state and registry", () => {
    const drawing = draw(meter(), roll("62x29"));
    expect(textsOf(drawing)).toEqual([
      "Wärmezähler 1",
      "Serial number",
      "66120001",
      "Kamstrup MULTICAL 403",
      "Room: Room 1",
      "heat-1 (attic)",
      "Unclaimed: scan to claim",
      "things.house.example",
    ]);
    const [largest] = marksOf(drawing, "text").toSorted((a, b) => b.sizeMm - a.sizeMm);
    expect(largest?.line.text).toBe("66120001");
    expect(marksOf(drawing, "code")[0]?.code.text).toBe(uriOf(1));
  });

  it("URI-KIND-03: what has an owner says so, and has no code, whatever the appliance told", () => {
    const drawing = draw(claimed(1, { uri: uriOf(1) }), roll("62x29"));
    expect(marksOf(drawing, "code")).toEqual([]);
    expect(textsOf(drawing)).toContain("Claimed: no code on this label");
    expect(JSON.stringify(drawing)).not.toContain("KEY");
  });

  it("what the registry does not know yet says so, and has no code", () => {
    const drawing = draw(meter(1, { state: "unregistered", uri: undefined }), roll("62x29"));
    expect(marksOf(drawing, "code")).toEqual([]);
    expect(textsOf(drawing)).toContain("Not registered yet: no code");
  });

  it("without a serial number the node is what stands there in large", () => {
    expect(textsOf(draw(meter(1, { serial: "" }), roll("62x29"))).slice(1, 3)).toEqual(["Node", "heat-1"]);
  });

  it("the appliance itself has a label too", () => {
    const ref = { nodeId: "", sourceId: "", partition: "" };
    const drawing = draw(
      meter(1, { ref, serial: "", name: "House 12", model: "Isthmus 0.1.0", room: "Cellar" }),
      roll("62x29"),
    );
    expect(textsOf(drawing)).toEqual([
      "House 12",
      "Isthmus 0.1.0",
      "Room: Cellar",
      "Unclaimed: scan to claim",
      "things.house.example",
    ]);
  });

  it("COM-LANG-02: its words are those of its language, what it is called is not translated", () => {
    const drawing = draw(meter(1, { name: "Room" }), roll("62x29"), 300, text => `<${text}>`);
    expect(textsOf(drawing)).toEqual(expect.arrayContaining(["Room", "<Room>: Room 1", "<Serial number>"]));
  });

  it("a serial number is never shown as if it were a shorter one", () => {
    const serial = "1234567890".repeat(6);
    for (const [, size] of sizes) {
      const texts = textsOf(draw(meter(1, { serial }), size));
      const said = texts.filter(text => /^\d{5}/.test(text)).join("");
      expect(said === serial || said.endsWith("…")).toBe(true);
    }
  });

  it("a label that is too small for its code is refused, with what it needs", () => {
    expect(() => draw(meter(), { widthMm: 40, heightMm: 15, marginMm: 2 })).toThrow(LabelError);
    expect(() => draw(meter(), { widthMm: 40, heightMm: 15, marginMm: 2 })).toThrow(
      /needs \d+ mm in height, and \d+ mm in width/,
    );
    expect(() => draw(claimed(), { widthMm: 15, heightMm: 4, marginMm: 1 })).toThrow(/too small for its words/);
  });

  it("as large as it says is large enough", () => {
    for (const dots of [203, 300, 600]) {
      const said = (() => {
        try {
          draw(meter(), { widthMm: 40, heightMm: 15, marginMm: 2 }, dots);
        } catch (error) {
          return /needs (\d+) mm in height, and (\d+) mm in width/.exec((error as Error).message);
        }
        return undefined;
      })();
      const drawing = draw(meter(), { widthMm: Number(said?.[2]), heightMm: Number(said?.[1]), marginMm: 2 }, dots);
      expect(faultOf(drawing, dots)).toBeUndefined();
    }
  });
});
