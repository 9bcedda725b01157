// What the program prints: for people tables and sentences, with --json one value a line. Text from outside is shown with
// its control and direction characters escaped: a look-alike name is the main trap of consent (PROVO-LIM-04).

export interface Output {
  readonly json: boolean;
  line(text?: string): void;
  /** For people; silent with --json, so that programs read nothing but values. */
  note(text: string): void;
  /** One JSON value on a line; nothing for people. */
  value(value: unknown): void;
  table(headers: readonly string[], rows: readonly (readonly string[])[]): void;
}

export function createOutput(json: boolean, write: (text: string) => void): Output {
  const line = (text = "") => write(`${text}\n`);
  return {
    json,
    line: text => {
      if (!json) line(text);
    },
    note: text => {
      if (!json) line(text);
    },
    value: value => {
      if (json) line(JSON.stringify(value, (_, one) => (typeof one === "bigint" ? one.toString() : one)));
    },
    table(headers, rows) {
      if (json) return;
      for (const text of formatTable(headers, rows)) line(text);
    },
  };
}

export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map(row => row.map(safe));
  const widths = headers.map((header, at) => Math.max(header.length, ...shown.map(row => (row[at] ?? "").length)));
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return [format(headers), widths.map(width => "─".repeat(width)).join("  "), ...shown.map(format)];
}

/** Control, format and direction characters as \u{…}: nothing from outside moves the cursor or hides its own letters. */
export const safe = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, one => `\\u{${one.codePointAt(0)?.toString(16)}}`);
