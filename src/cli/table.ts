// Tables for people: columns as wide as what is in them as a terminal shows it, folded where the terminal is narrower.

export interface Table {
  readonly headers: readonly string[];
  /** Texts that are safe to show. */
  readonly rows: readonly (readonly string[])[];
}

const gap = "  ";
/** Narrower than this no column is made: who has a smaller terminal has it cut the lines. */
const columnMin = 10;

/** `columns`: how wide the terminal is; undefined in a pipe or file, where each row stays one line. */
export function tableLines({ headers, rows }: Table, columns?: number): string[] {
  const natural = headers.map((header, at) => Math.max(...[header, ...rows.map(row => row[at] ?? "")].map(shownWidth)));
  const widths = columns === undefined ? natural : narrowed(natural, { headers, rows }, columns);
  const format = (cells: readonly string[]): string[] => {
    const folded = headers.map((_, at) => folds(cells[at] ?? "", widths[at] ?? 0));
    const height = Math.max(1, ...folded.map(lines => lines.length));
    return Array.from({ length: height }, (_, line) =>
      folded
        .map((lines, at) => padded(lines[line] ?? "", widths[at] ?? 0))
        .join(gap)
        .trimEnd(),
    );
  };
  return [...format(headers), widths.map(width => "─".repeat(width)).join(gap), ...rows.flatMap(format)];
}

/** The widest column gives first: as long as no word has to be broken, then none but at a hyphen or dot, then anywhere. */
function narrowed(natural: readonly number[], { headers, rows }: Table, columns: number): number[] {
  const widths = [...natural];
  const longest = (parts: RegExp) =>
    headers.map((header, at) =>
      Math.max(
        columnMin,
        ...[header, ...rows.map(row => row[at] ?? "")].flatMap(cell => cell.split(parts).map(shownWidth)),
      ),
    );
  for (const floors of [longest(/ /), longest(joint), headers.map(() => columnMin)]) {
    for (let over = sum(widths) + gap.length * (widths.length - 1) - columns; over > 0; over--) {
      const able = widths.map((width, at) => (width > (floors[at] ?? 0) ? width : 0));
      const widest = Math.max(...able);
      if (widest === 0) break;
      widths[able.indexOf(widest)] = widest - 1;
    }
  }
  return widths;
}

/** Where a line may end: after a blank, and after what joins the parts of a name or an address. */
const joint = /(?<= )|(?<=[-@./=,;:_])(?=[^-@./=,;:_ ])/u;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Lines no wider than that. A word that fits into a line is broken in none; one that does not, at a joint, or else anywhere. */
function folds(text: string, width: number): string[] {
  if (shownWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  const put = (part: string): void => {
    if (line !== "" && shownWidth((line + part).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += part;
  };
  for (const word of text.split(/(?<= )/)) {
    if (shownWidth(word.trimEnd()) <= width) put(word);
    else
      for (const part of word.split(joint)) {
        if (shownWidth(part.trimEnd()) <= width) put(part);
        else for (const character of part) put(character);
      }
  }
  return [...lines, line.trimEnd()];
}

export const padded = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - shownWidth(text)));

/** How many places of a terminal's line it takes: two for Chinese, Japanese, Korean and emoji, none for marks on a letter. */
export function shownWidth(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += mark.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

/** As nearly all texts are: each of these characters takes one place. */
const plain = /^[\u0020-\u007e\u00a0-\u02ff\u2500-\u257f]*$/;
const mark = /\p{Mn}|\p{Me}/u;
/** Unicode Standard Annex 11, those that are wide or full width. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
