// Labels as files, read again by the tools of who uses them: each code has to say what the thing's code is.

import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LabelFace } from "#labels/face.ts";
import { LabelError } from "#labels/label-error.ts";
import { type LabelJob, makeLabels } from "#labels/making.ts";
import { type LabelSize, rolls, type Sheet, sheets } from "#labels/sizes-table.ts";
import { claimed, face, meter, uriOf } from "./faces.ts";
import { codeIn, type Picture, pdfPages, pdfText, pngDots, readPng, svgPicture, zplLabels } from "./reading.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-labels-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const roll = (name: string): LabelSize => rolls[name] as LabelSize;
const sheet = (name: string): Sheet => sheets[name] as Sheet;
const never = new AbortController().signal;

function make(faces: readonly LabelFace[], name: string, given: Partial<LabelJob> = {}) {
  const format = name.slice(name.lastIndexOf(".") + 1) as LabelJob["format"];
  return makeLabels(faces, faces.length, {
    out: join(folder, name),
    format,
    size: given.sheet ?? roll("62x29"),
    sheet: undefined,
    skip: 0,
    copies: 1,
    dotsPerInch: format === "zpl" ? 203 : 300,
    fontFiles: [],
    say: text => text,
    replace: false,
    signal: never,
    ...given,
  });
}

const three = [face(meter(1)), face(claimed(2)), face(meter(3, { name: "Счётчик & <Wasser> ^XZ~", room: 'A "B"' }))];
const hasInk = ({ grey }: Picture) => grey.some(value => value < 128);
/** The part of a sheet's page where that label lies. */
function codeAt(page: Picture, one: Sheet, place: number, dots: number): string | undefined {
  const perMm = dots / 25.4;
  const [column, row] = [place % one.columns, Math.floor(place / one.columns)];
  const at = [one.leftMm + column * one.stepXMm, one.topMm + row * one.stepYMm, one.widthMm, one.heightMm];
  const [left = 0, top = 0, width = 0, height = 0] = at.map(mm => Math.floor(mm * perMm));
  return codeIn(page, left, top, width, height);
}

describe("PDF", () => {
  it("URI-SEC-04: a roll has a page a label, in its true size, whose code can be read", async () => {
    const { files, pages } = await make(three, "a.pdf");
    expect(files).toEqual([join(folder, "a.pdf")]);
    const drawn = pdfPages(join(folder, "a.pdf"), 300);
    expect(pages).toBe(3);
    expect(drawn.map(page => [page.width, page.height])).toEqual(Array(3).fill([733, 343]));
    expect(drawn.map(page => codeIn(page))).toEqual([uriOf(1), undefined, uriOf(3)]);
    expect(drawn.every(hasInk)).toBe(true);
  });

  it("its words can be searched for and copied, in any script", async () => {
    await make([...three, face(meter(4, { name: "עברית 12" }))], "a.pdf");
    const text = pdfText(join(folder, "a.pdf"));
    for (const words of [
      "66120001",
      "Wärmezähler 1",
      "Счётчик & <Wasser> ^XZ~",
      "Claimed: no code on this label",
      "עברית",
    ]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain("iotdisco");
  });

  it("poppler, which checks the file's structure, has nothing to complain of", async () => {
    await make(three, "a.pdf", { copies: 3 });
    const info = execFileSync("pdfinfo", [join(folder, "a.pdf")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(info).toMatch(/Pages:\s+9/);
    const said = execFileSync("sh", ["-c", 'pdftotext "$1" - 2>&1 >/dev/null', "sh", join(folder, "a.pdf")], {
      encoding: "utf8",
    });
    expect(said).toBe("");
  });

  it("a sheet is filled row by row, from the first label that is left", async () => {
    const faces = Array.from({ length: 30 }, (_, at) => face(meter(at + 1)));
    const { pages } = await make(faces, "a.pdf", { sheet: sheet("L7160"), skip: 4, dotsPerInch: 600 });
    expect(pages).toBe(2);
    const [first, second] = pdfPages(join(folder, "a.pdf"), 300) as [Picture, Picture];
    const codes = (page: Picture) => Array.from({ length: 21 }, (_, at) => codeAt(page, sheet("L7160"), at, 300));
    expect([first.width, first.height]).toEqual([2481, 3508]);
    expect(codes(first)).toEqual([...Array(4).fill(undefined), ...faces.slice(0, 17).map(({ uri }) => uri)]);
    expect(codes(second)).toEqual([...faces.slice(17).map(({ uri }) => uri), ...Array(8).fill(undefined)]);
  });

  it("copies of a label lie beside it", async () => {
    await make([face(meter(1)), face(meter(2))], "a.pdf", { sheet: sheet("L7163"), copies: 2, dotsPerInch: 600 });
    const [page] = pdfPages(join(folder, "a.pdf"), 300) as [Picture];
    const codes = Array.from({ length: 5 }, (_, at) => codeAt(page, sheet("L7163"), at, 300));
    expect(codes).toEqual([uriOf(1), uriOf(1), uriOf(2), uriOf(2), undefined]);
  });
});

describe.each(Object.entries(sheets))("a sheet of %s", (_, one) => {
  it("has all its labels on the paper, none over another", () => {
    expect(one.leftMm + (one.columns - 1) * one.stepXMm + one.widthMm).toBeLessThanOrEqual(one.pageWidthMm + 0.01);
    expect(one.topMm + (one.rows - 1) * one.stepYMm + one.heightMm).toBeLessThanOrEqual(one.pageHeightMm + 0.01);
    expect(one.stepXMm).toBeGreaterThanOrEqual(one.widthMm);
    expect(one.stepYMm).toBeGreaterThanOrEqual(one.heightMm);
    // What is left at both sides is alike, as sheets are made.
    const [right, bottom] = [
      one.pageWidthMm - one.leftMm - (one.columns - 1) * one.stepXMm - one.widthMm,
      one.pageHeightMm - one.topMm - (one.rows - 1) * one.stepYMm - one.heightMm,
    ];
    expect(Math.abs(right - one.leftMm)).toBeLessThan(0.5);
    expect(Math.abs(bottom - one.topMm)).toBeLessThan(0.5);
  });

  it("can be read from the PDF, at its last place too", async () => {
    const places = one.columns * one.rows;
    const dots = 300;
    await make([face(meter(1))], "a.pdf", { sheet: one, skip: places - 1, dotsPerInch: dots });
    const [page] = pdfPages(join(folder, "a.pdf"), 600) as [Picture];
    expect(codeAt(page, one, places - 1, 600)).toBe(uriOf(1));
  });
});

describe("PNG", () => {
  it("one label is one file, black and white, in its true size", async () => {
    const { files } = await make([face(meter(1))], "a.png");
    const bytes = readFileSync(files[0] as string);
    const picture = readPng(files[0] as string);
    expect([picture.width, picture.height, pngDots(bytes)]).toEqual([732, 343, 11_811]);
    expect(codeIn(picture)).toBe(uriOf(1));
  });

  it("several are numbered files, a sheet is one", async () => {
    const { files } = await make(three, "a.png");
    expect(files.map(file => file.slice(folder.length + 1))).toEqual(["a-1.png", "a-2.png", "a-3.png"]);
    expect(files.map(file => codeIn(readPng(file)))).toEqual([uriOf(1), undefined, uriOf(3)]);
    const page = await make(three, "b.png", { sheet: sheet("L7165") });
    expect(page.files).toEqual([join(folder, "b.png")]);
    const picture = readPng(page.files[0] as string);
    expect([0, 1, 2].map(at => codeAt(picture, sheet("L7165"), at, 300))).toEqual([uriOf(1), undefined, uriOf(3)]);
  });
});

describe("SVG", () => {
  it("is what librsvg draws a readable code of, in its true size", async () => {
    const { files } = await make(three, "a.svg");
    const pictures = files.map(file => svgPicture(file, 600));
    expect(pictures.map(({ width, height }) => [width, height])).toEqual(Array(3).fill([1465, 686]));
    expect(pictures.map(one => codeIn(one))).toEqual([uriOf(1), undefined, uriOf(3)]);
    expect(readFileSync(files[2] as string, "utf8")).toContain("Счётчик &#38; &#60;Wasser&#62; ^XZ~");
  });

  it("looks as the PNG does", async () => {
    const [svg = ""] = (await make([face(meter(1))], "a.svg")).files;
    const [png = ""] = (await make([face(meter(1))], "a.png")).files;
    const [one, other] = [svgPicture(svg, 300), readPng(png)];
    let differs = 0;
    for (let y = 0; y < other.height; y++) {
      for (let x = 0; x < other.width; x++) {
        const black = (picture: Picture) => (picture.grey[y * picture.width + x] as number) < 128;
        if (black(one) !== black(other)) differs++;
      }
    }
    // The edges of letters are rounded in another way; a letter that is missing or upside down is thousands.
    expect(differs / (other.width * other.height)).toBeLessThan(0.01);
  });
});

describe("ZPL", () => {
  it.each(["2x1in", "3x1in", "4x2in", "62x100"])("prints %s dot by dot, with a code that can be read", async name => {
    await make(three, "a.zpl", { size: roll(name), copies: 2 });
    const printed = zplLabels(readFileSync(join(folder, "a.zpl"), "latin1"));
    expect(printed.map(({ picture }) => codeIn(picture))).toEqual([uriOf(1), undefined, uriOf(3)]);
    expect(printed.map(({ copies }) => copies)).toEqual([2, 2, 2]);
    const { widthMm, heightMm } = roll(name);
    const dots = (mm: number) => Math.round((mm * 203) / 25.4);
    expect(printed.map(({ picture }) => [picture.width, picture.height])).toEqual(
      Array(3).fill([dots(widthMm), dots(heightMm)]),
    );
  });

  it("is the same picture as the PNG at the printer's dots", async () => {
    await make([face(meter(1))], "a.zpl", { size: roll("2x1in") });
    const [png = ""] = (await make([face(meter(1))], "a.png", { size: roll("2x1in"), dotsPerInch: 203 })).files;
    const [label] = zplLabels(readFileSync(join(folder, "a.zpl"), "latin1"));
    expect(label?.picture).toEqual(readPng(png));
  });

  it("what a thing is called commands no printer", async () => {
    await make([face(meter(1, { name: "^XZ^XA^JUF~JR\\^FS", serial: "^FD~DG" }))], "a.zpl");
    const text = readFileSync(join(folder, "a.zpl"), "latin1");
    expect(text.match(/\^X[AZ]/g)).toEqual(["^XA", "^XZ"]);
    expect(text.match(/\^(?!XA|XZ|FX|FS|PW|LL|LH|FO|GFA|PQ)|~/g)).toBeNull();
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(zplLabels(text).map(({ comment }) => comment)).toEqual(["_XZ_XA_JUF_JR\\_FS, heat-1 (attic), _FD_DG"]);
  });

  it("a large label at many dots is put into fields that printers take", async () => {
    await make(three, "a.zpl", { size: roll("62x100"), dotsPerInch: 1_200 });
    const text = readFileSync(join(folder, "a.zpl"), "latin1");
    for (const [, bytes] of text.matchAll(/\^GFA,(\d+)/g)) expect(Number(bytes)).toBeLessThanOrEqual(99_999);
    expect(zplLabels(text).map(({ picture }) => codeIn(picture))).toEqual([uriOf(1), undefined, uriOf(3)]);
    // Forty million dots are written and read again, perhaps on a busy machine.
  }, 120_000);
});

describe("files are there whole or not at all", () => {
  const files = () => readdirSync(folder).sort();

  it("URI-SEC-02: only their owner can read them", async () => {
    await make(three, "a.pdf");
    expect(statSync(join(folder, "a.pdf")).mode & 0o777).toBe(0o600);
  });

  it("nothing of a label that cannot be made, nor of those before it", async () => {
    const long = face(meter(9, { uri: uriOf(9, "x".repeat(110)) }));
    const small = { widthMm: 45, heightMm: 23, marginMm: 1 };
    for (const name of ["a.pdf", "a.png", "a.svg", "a.zpl"]) {
      await expect(make([face(meter(1)), long], name, { size: small, dotsPerInch: 300 })).rejects.toThrow(
        /^heat-9 \(attic\): its code needs .* Nothing was written\.$/,
      );
    }
    expect(files()).toEqual([]);
  });

  it("a file that is there stays as it is, unless it is to be replaced", async () => {
    writeFileSync(join(folder, "a.pdf"), "mine");
    await expect(make(three, "a.pdf")).rejects.toThrow(
      new LabelError(`${join(folder, "a.pdf")} is there already: say --force to replace it.`),
    );
    expect(readFileSync(join(folder, "a.pdf"), "utf8")).toBe("mine");
    writeFileSync(join(folder, "b-2.png"), "mine");
    await expect(make(three, "b.png")).rejects.toThrow(/b-2.png is there already/);
    expect(files()).toEqual(["a.pdf", "b-2.png"]);
    await make(three, "a.pdf", { replace: true });
    expect(pdfPages(join(folder, "a.pdf"), 300)).toHaveLength(3);
    expect(files()).toEqual(["a.pdf", "b-2.png"]);
  });

  it("one that came to be meanwhile is not lost either", async () => {
    const faces = function* () {
      yield face(meter(1));
      writeFileSync(join(folder, "a.pdf"), "came meanwhile");
    };
    const job = { out: join(folder, "a.pdf"), format: "pdf", size: roll("62x29"), sheet: undefined } as const;
    const rest = { skip: 0, copies: 1, dotsPerInch: 300, fontFiles: [], say: (text: string) => text, replace: false };
    await expect(makeLabels(faces(), 1, { ...job, ...rest, signal: never })).rejects.toThrow(/is there already/);
    expect(readFileSync(join(folder, "a.pdf"), "utf8")).toBe("came meanwhile");
    expect(files()).toEqual(["a.pdf"]);
  });

  it("stopped in the middle it leaves nothing", async () => {
    const stop = new AbortController();
    const progress = (done: number) => done === 2 && stop.abort(new Error("enough"));
    await expect(make(three, "a.pdf", { signal: stop.signal, progress })).rejects.toThrow("enough");
    expect(files()).toEqual([]);
  });

  it("where it cannot be written is said", async () => {
    await expect(make(three, "none/a.pdf")).rejects.toThrow(/cannot be written: there is no such folder/);
    mkdirSync(join(folder, "b.pdf"));
    await expect(make(three, "b.pdf")).rejects.toThrow(/is there already/);
    await expect(make(three, "b.pdf", { replace: true })).rejects.toThrow(/b.pdf cannot be written: it is a folder/);
    expect(files()).toEqual(["b.pdf"]);
  });

  it("a rehearsal does all but write", async () => {
    const made = await make(three, "a.pdf", { rehearsing: true });
    expect(made.files).toEqual([]);
    expect(existsSync(join(folder, "a.pdf"))).toBe(false);
    expect(files()).toEqual([]);
  });
});

it("many labels are written as they are drawn: none waits in memory for the last", async () => {
  const count = 400;
  let atMost = 0;
  let written = 0;
  const faces = function* () {
    for (let number = 1; number <= count; number++) {
      if (number === count / 2) {
        const [beside = ""] = readdirSync(folder);
        written = statSync(join(folder, beside)).size;
      }
      yield face(claimed(number));
    }
  };
  const progress = (done: number) => {
    atMost = Math.max(atMost, done);
  };
  const job = { out: join(folder, "a.pdf"), format: "pdf", size: roll("62x29"), sheet: undefined, skip: 0 } as const;
  const how = { copies: 1, dotsPerInch: 300, fontFiles: [], say: (text: string) => text, replace: false, progress };
  const made = await makeLabels(faces(), count, { ...job, ...how, signal: never });
  expect(atMost).toBe(count);
  // Half of the pages are on the disk when half of the labels are drawn.
  expect(written / statSync(made.files[0] as string).size).toBeGreaterThan(0.3);
  expect(pdfText(made.files[0] as string)).toContain(String(66_120_000 + count));
});
