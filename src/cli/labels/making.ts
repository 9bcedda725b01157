// The options of `isthmus labels`: read from the command line, checked together, and what is wrong said before anything is
// asked of anybody.

import { extname, resolve } from "node:path";
import { type Format, formats } from "#labels/making.ts";
import { customMarginMm, type LabelSize, rolls, type Sheet, sheets } from "#labels/sizes-table.ts";
import { createAllLanguages } from "#languages/all.ts";
import { labelCopiesMax, labelDotsMax, labelDotsMin, labelSideMmMax, labelSideMmMin } from "#limits.ts";
import { type Invocation, type Option, UsageError } from "../command.ts";

export const makingOptions: Readonly<Record<string, Option>> = {
  out: { type: "string", value: "FILE", help: "Where to; the kind by its ending: .pdf, .png, .svg or .zpl." },
  format: { type: "string", value: "KIND", help: "pdf, png, svg or zpl, where the ending does not say it." },
  size: { type: "string", value: "SIZE", help: `On a roll: ${named(rolls)}, or WIDTHxHEIGHTmm. 62x29 unless said.` },
  sheet: { type: "string", value: "NAME", help: `On sheets: ${named(sheets)} (Avery).` },
  skip: { type: "string", value: "N", help: "Labels of the first sheet that are used up already." },
  copies: { type: "string", value: "N", help: "Of each label; 1 unless said." },
  dpi: {
    type: "string",
    value: "DOTS",
    help: "The printer's dots per inch: 300 unless said, 203 for zpl, 600 for sheets.",
  },
  font: { type: "string", value: "FILE", multiple: true, help: "TrueType or OpenType font, for scripts ours has not." },
  force: { type: "boolean", help: "Replace the file if it is there." },
};

function named(table: Readonly<Record<string, unknown>>): string {
  return Object.keys(table).join(", ");
}

export interface Making {
  readonly out: string;
  readonly format: Format;
  readonly size: LabelSize;
  readonly sheet: Sheet | undefined;
  readonly skip: number;
  readonly copies: number;
  readonly dotsPerInch: number;
  readonly fontFiles: readonly string[];
  readonly replace: boolean;
}

/** Undefined without --out. Throws `UsageError`. */
export function makingOf(call: Invocation): Making | undefined {
  const out = call.text("out");
  if (out === undefined) return undefined;
  const format = formatOf(out, call.text("format"));
  const sheet = sheetOf(call.text("sheet"));
  if (sheet !== undefined && call.text("size") !== undefined) throw new UsageError("say --size or --sheet, not both");
  if (sheet === undefined && call.text("skip") !== undefined) throw new UsageError("--skip goes with --sheet");
  if (sheet !== undefined && format === "zpl")
    throw new UsageError("label printers have rolls: --sheet is not for zpl");
  const perSheet = sheet === undefined ? 1 : sheet.columns * sheet.rows;
  const copies = numberOf(call, "copies", 1, 1, labelCopiesMax);
  if (copies > 1 && sheet === undefined && (format === "png" || format === "svg"))
    throw new UsageError(`--copies of a picture are made when it is printed; it is for pdf, zpl and --sheet`);
  return {
    out: resolve(out),
    format,
    size: sheet ?? sizeOf(call.text("size") ?? "62x29"),
    sheet,
    skip: numberOf(call, "skip", 0, 0, perSheet - 1),
    copies,
    dotsPerInch: numberOf(call, "dpi", format === "zpl" ? 203 : sheet ? 600 : 300, labelDotsMin, labelDotsMax),
    fontFiles: call.texts("font").map(file => resolve(file)),
    replace: call.flag("force"),
  };
}

function formatOf(out: string, said: string | undefined): Format {
  const ending = extname(out).slice(1).toLowerCase();
  const found = formats.find(one => one === (said ?? ending).toLowerCase());
  if (found !== undefined) return found;
  throw new UsageError(
    said === undefined
      ? `"${out}" does not say what to write: let it end with .${formats.join(", .")}, or say --format`
      : `--format is ${formats.join(", ")}, not "${said}"`,
  );
}

function sheetOf(name: string | undefined): Sheet | undefined {
  if (name === undefined) return undefined;
  const found = Object.entries(sheets).find(([one]) => one.toLowerCase() === name.toLowerCase())?.[1];
  if (found === undefined) throw new UsageError(`there is no sheet "${name}" here: ${named(sheets)}`);
  return found;
}

function sizeOf(text: string): LabelSize {
  const said = text.toLowerCase().replace(/\s+/g, "");
  const roll = rolls[said] ?? rolls[said.replace(/mm$/, "")];
  if (roll !== undefined) return roll;
  const [, width = "", height = "", unit] = /^(\d+(?:[.,]\d+)?)x(\d+(?:[.,]\d+)?)(mm|in)?$/.exec(said) ?? [];
  const mm = (number: string) => Number(number.replace(",", ".")) * (unit === "in" ? 25.4 : 1);
  const isRight = [width, height].every(one => one !== "" && mm(one) >= labelSideMmMin && mm(one) <= labelSideMmMax);
  if (!isRight)
    throw new UsageError(
      `--size is one of ${named(rolls)}, or WIDTHxHEIGHTmm from ${labelSideMmMin} to ${labelSideMmMax} mm, not "${text}"`,
    );
  return { widthMm: mm(width), heightMm: mm(height), marginMm: customMarginMm };
}

function numberOf(call: Invocation, name: string, standard: number, min: number, max: number): number {
  const text = call.text(name);
  if (text === undefined) return standard;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max))
    throw new UsageError(`--${name} is a number from ${min} to ${max}, not "${text}"`);
  return number;
}

/** The language of labels: as asked, else the appliance's. Throws `UsageError` for one that is not spoken. */
export function sentences(asked: string | undefined, standard: string): (english: string) => string {
  const languages = createAllLanguages(standard);
  const language = languages.effective(asked ?? "");
  if (asked !== undefined && !asked.toLowerCase().startsWith(language.toLowerCase()))
    throw new UsageError(`labels speak ${languages.tags.join(", ")}, not "${asked}"`);
  return english => languages.localize(language, english);
}
