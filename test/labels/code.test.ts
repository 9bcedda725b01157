import fc from "fast-check";
import QRCode from "qrcode";
import { describe, expect, it } from "vitest";
import { createBitmap } from "#labels/bitmap.ts";
import { type Code, codeOf, misread, quietModules } from "#labels/code.ts";
import { LabelError } from "#labels/label-error.ts";
import { codeVersionMax } from "#limits.ts";
import { uriOf } from "./faces.ts";

function printed(code: Code, module: number) {
  const quiet = quietModules * module;
  const picture = createBitmap(code.size * module + 2 * quiet, code.size * module + 2 * quiet);
  for (let row = 0; row < code.size; row++) {
    for (let column = 0; column < code.size; column++) {
      if (!code.dark(column, row)) continue;
      const [x, y] = [quiet + column * module, quiet + row * module];
      picture.fillRectangle(x, y, x + module, y + module);
    }
  }
  return { picture, read: (as = code) => misread(picture, as, quiet, quiet, module), quiet };
}

describe("codes", () => {
  it("URI-SEC-04: are of level M, or of a better one where no module gets smaller for it", () => {
    for (let length = 20; length < 600; length += 7) {
      const text = `iotdisco:SN=${"a".repeat(length)}`;
      const least = QRCode.create(text, { errorCorrectionLevel: "M" });
      if (least.version > codeVersionMax) continue;
      expect(codeOf(text).size).toBe(least.modules.size);
    }
    expect(() => codeOf(`iotdisco:SN=${"a".repeat(700)}`)).toThrow(LabelError);
    expect(() => codeOf(`iotdisco:SN=${"a".repeat(5_000)}`)).toThrow(LabelError);
  });

  it("read back as what they are, at every size printers make them", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.string({ maxLength: 40 }),
        fc.integer({ min: 3, max: 12 }),
        (number, extra, module) => {
          expect(printed(codeOf(uriOf(number, extra.replace(/\p{C}/gu, ""))), module).read()).toBeUndefined();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("another code is not taken for this one", () => {
    const [one, other] = [codeOf(uriOf(1)), codeOf(uriOf(2))];
    expect(other.size).toBe(one.size);
    expect(printed(one, 4).read(other)).toMatch(/does not read back/);
  });

  it("a dot in the quiet zone is found, wherever it is", () => {
    const code = codeOf(uriOf(1));
    const end = (code.size + 2 * quietModules) * 4 - 1;
    for (const [x = 0, y = 0] of [
      [0, 0],
      [15, 100],
      [100, 15],
      [end - 15, 100],
      [end, end],
    ]) {
      const { picture, read, quiet } = printed(code, 4);
      expect(quiet).toBe(16);
      picture.fillRectangle(x, y, x + 1, y + 1);
      expect(read()).toMatch(/too close/);
    }
  });

  it("a code that was not printed is found", () => {
    const code = codeOf(uriOf(1));
    const { picture, quiet } = printed(code, 4);
    picture.clear();
    expect(misread(picture, code, quiet, quiet, 4)).toMatch(/does not read back/);
    expect(misread(picture, code, 10_000, 10_000, 4)).toMatch(/does not read back/);
  });
});
