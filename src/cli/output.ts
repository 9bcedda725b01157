// What the program prints: for people tables and sentences, with --json one value a line. Text from outside is shown with
// its control and direction characters escaped: a look-alike name is the main trap of consent (PROVO-LIM-04).

import { shownJid } from "#xmpp/shown-jid.ts";
import { padded, shownWidth, tableLines } from "./table.ts";

export interface Output {
  readonly json: boolean;
  /** One line for people, made safe; silent with --json. */
  line(text?: string): void;
  /** Lines of our own making that steer the terminal, such as a QR code: never text from outside. */
  drawing(text: string): void;
  /** For people; silent with --json, so that programs read nothing but values. */
  note(text: string): void;
  /** One JSON value on a line; nothing for people. */
  value(value: unknown): void;
  table(headers: readonly string[], rows: readonly (readonly string[])[]): void;
}

/** Where it is shown: how wide, undefined in a pipe or file; and whether colours may be used. */
export interface Screen {
  readonly columns?: number | undefined;
  readonly colours: boolean;
}

/** A pipe or file, and a person who wants no colours (no-color.org), get none. */
export const screenOf = (
  { isTTY, columns }: { isTTY?: boolean | undefined; columns?: number | undefined },
  environment: Readonly<Record<string, string | undefined>>,
): Screen =>
  isTTY === true
    ? { columns, colours: (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb" }
    : { colours: false };

export function createOutput(
  json: boolean,
  write: (text: string) => void,
  { columns, colours }: Screen = { colours: true },
): Output {
  const line = (text: string) => write(`${text}\n`);
  return {
    json,
    line: (text = "") => {
      if (!json) line(safe(text));
    },
    drawing: text => {
      if (!json) line(colours ? text : text.replace(colour, ""));
    },
    note: text => {
      if (!json) line(safe(text));
    },
    value: value => {
      if (json) line(formatJson(value));
    },
    table(headers, rows) {
      if (json) return;
      for (const text of formatTable(headers, rows, columns)) line(text);
    },
  };
}

export const formatTable = (
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  columns?: number,
): string[] => tableLines({ headers, rows: rows.map(row => row.map(safe)) }, columns);

/** Select Graphic Rendition, all that our own drawings use. */
const colour = /\u001b\[[0-9;]*m/g;

/** A table whose rows come one by one, for ever: a column grows with what is in it. The head is printed with the first row. */
export function createRows({ line }: Pick<Output, "line">, headers: readonly string[]) {
  const widths = headers.map(shownWidth);
  let isFirst = true;
  return (row: readonly string[]): void => {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, shownWidth(safe(cell)));
    const columns = (cells: readonly string[]) => cells.map((cell, at) => padded(cell, widths[at] ?? 0));
    if (isFirst) for (const head of formatTable(columns(headers), [])) line(head);
    isFirst = false;
    line(columns(row).join("  ").trimEnd());
  };
}

/** Control, format, direction and invisible characters as \u{…}: nothing from outside moves the cursor or hides its own letters. */
export const safe = (text: string): string =>
  text.replace(unsafe, one => `\\u{${one.codePointAt(0)?.toString(16)}}`).replace(address, shownJid);

/** Anything that could be an address of a person. */
const address = /[^\s<>"'()]+@[^\s<>"'()]+/gu;

const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** JSON of any value on one line, safe on a terminal too: in it such characters stand only within texts, where \uXXXX is the same. */
const formatJson = (value: unknown): string =>
  JSON.stringify(value, (_, one) => (typeof one === "bigint" ? one.toString() : one)).replace(unsafe, one =>
    Array.from({ length: one.length }, (_, at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
