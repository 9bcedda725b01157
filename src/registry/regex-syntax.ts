// Regular expressions as searches may have them (strRegEx): what of the usual language is regular. Whatever would need
// backtracking is refused in words, so that a pattern costs its length and the text's, and never more (DISCO-SEARCH-06).

import { Refusal } from "#contract/faults.ts";
import { regexCharsMax, regexRepeatMax } from "#limits.ts";

export type Syntax =
  | { readonly kind: "one"; readonly test: (character: string) => boolean; readonly literal?: string }
  | { readonly kind: "all"; readonly parts: readonly Syntax[] }
  | { readonly kind: "either"; readonly parts: readonly Syntax[] }
  /** `max` undefined: without end. */
  | { readonly kind: "repeat"; readonly part: Syntax; readonly min: number; readonly max: number | undefined }
  | { readonly kind: "begin" }
  | { readonly kind: "end" };

/** Throws `Refusal` bad-request with what is wrong, for the person who wrote the pattern. */
export function parseRegex(pattern: string): Syntax {
  const characters = [...pattern];
  if (characters.length > regexCharsMax) throw wrong(`it is longer than ${regexCharsMax} characters`);
  const ignoresCase = pattern.startsWith("(?i)");
  let at = ignoresCase ? 4 : 0;
  const folded = (test: (character: string) => boolean) => (ignoresCase ? foldedTest(test) : test);

  const either = (): Syntax => {
    const parts = [all()];
    while (characters[at] === "|") {
      at++;
      parts.push(all());
    }
    return parts.length === 1 ? (parts[0] as Syntax) : { kind: "either", parts };
  };
  const all = (): Syntax => {
    const parts: Syntax[] = [];
    while (at < characters.length && characters[at] !== "|" && characters[at] !== ")") parts.push(repeated(single()));
    return { kind: "all", parts };
  };
  const single = (): Syntax => {
    const one = characters[at++] as string;
    switch (one) {
      case "(":
        return group();
      case "[":
        return { kind: "one", test: set() };
      case ".":
        return { kind: "one", test: character => character !== "\n" };
      case "^":
        return { kind: "begin" };
      case "$":
        return { kind: "end" };
      case "\\": {
        const meant = escaped();
        return typeof meant === "string" ? literal(meant) : { kind: "one", test: folded(meant) };
      }
      case "*":
      case "+":
      case "?":
        throw wrong(`${one} has nothing before it to repeat`);
      default:
        return literal(one);
    }
  };
  const literal = (character: string): Syntax => ({
    kind: "one",
    test: folded(other => other === character),
    ...(!ignoresCase && { literal: character }),
  });
  const group = (): Syntax => {
    if (characters[at] === "?") {
      const [opening] = /^\?(?::|<[A-Za-z]\w*>|P<[A-Za-z]\w*>)/.exec(characters.slice(at).join("")) ?? [];
      if (opening === undefined) throw wrong("looking ahead or behind, and options inside, are not served");
      at += [...opening].length;
    }
    const inner = either();
    if (characters[at++] !== ")") throw wrong("a parenthesis is not closed");
    return inner;
  };
  const repeated = (part: Syntax): Syntax => {
    const [text, low, comma, high] = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(characters.slice(at).join("")) ?? [];
    if (text === undefined) return part;
    at += text.length;
    // Lazily or not, the same texts match as a whole; a possessive one would match fewer.
    if (characters[at] === "?") at++;
    else if (/^[*+]$/.test(characters[at] ?? "")) throw wrong("a repetition of a repetition");
    if (text === "*") return { kind: "repeat", part, min: 0, max: undefined };
    if (text === "+") return { kind: "repeat", part, min: 1, max: undefined };
    if (text === "?") return { kind: "repeat", part, min: 0, max: 1 };
    const min = Number(low);
    const max = comma === "" ? min : high === "" ? undefined : Number(high);
    if (min > regexRepeatMax || (max ?? 0) > regexRepeatMax) throw wrong(`more than ${regexRepeatMax} repetitions`);
    if (max !== undefined && max < min) throw wrong("a repetition that ends before it begins");
    return { kind: "repeat", part, min, max };
  };
  /** What follows a backslash: a character, or a kind of them. */
  const escaped = (): string | ((character: string) => boolean) => {
    const one = characters[at++];
    if (one === undefined) throw wrong("a backslash at the end");
    const kind = kinds[one];
    if (kind !== undefined) return kind;
    if (one === "p" || one === "P") return property(one === "P");
    if (one === "x") return hexadecimal(2);
    if (one === "u") return hexadecimal(4);
    const control = controls[one];
    if (control !== undefined) return control;
    if (/^[A-Za-z0-9]$/.test(one)) throw wrong(`\\${one} is not served`);
    return one;
  };
  const hexadecimal = (digits: number): string => {
    const text = characters.slice(at, at + digits).join("");
    if (!/^[0-9A-Fa-f]+$/.test(text) || text.length < digits) throw wrong("a code of a character that is none");
    at += digits;
    return String.fromCodePoint(Number.parseInt(text, 16));
  };
  const property = (isNot: boolean): ((character: string) => boolean) => {
    const [text, name] = /^\{([A-Za-z_=]{1,40})\}/.exec(characters.slice(at).join("")) ?? [];
    if (text === undefined) throw wrong("\\p is followed by a property in braces");
    at += text.length;
    try {
      const expression = new RegExp(`^\\p{${name}}$`, "u");
      return character => expression.test(character) !== isNot;
    } catch {
      throw wrong(`${text} is no property of characters`);
    }
  };
  const set = (): ((character: string) => boolean) => {
    const isNot = characters[at] === "^";
    if (isNot) at++;
    const tests: ((character: string) => boolean)[] = [];
    for (let first = true; first || characters[at] !== "]"; first = false) {
      const from = member();
      if (typeof from !== "string") tests.push(from);
      else if (characters[at] === "-" && characters[at + 1] !== "]" && characters[at + 1] !== undefined) {
        at++;
        const to = member();
        if (typeof to !== "string" || code(to) < code(from)) throw wrong("a range of characters that is none");
        tests.push(character => code(character) >= code(from) && code(character) <= code(to));
      } else tests.push(character => character === from);
    }
    at++;
    const isMember = folded(character => tests.some(test => test(character)));
    return character => isMember(character) !== isNot;
  };
  const member = (): string | ((character: string) => boolean) => {
    const one = characters[at++];
    if (one === undefined) throw wrong("a bracket is not closed");
    if (one === "[") throw wrong("a bracket inside brackets: write \\[");
    return one === "\\" ? escaped() : one;
  };

  const whole = either();
  if (at < characters.length) throw wrong("a parenthesis closes that was not opened");
  return whole;
}

const wrong = (why: string): Refusal => new Refusal("bad-request", `not a regular expression of ours: ${why}`);

const code = (character: string): number => character.codePointAt(0) ?? 0;

const isDigit = (character: string): boolean => character >= "0" && character <= "9";
const isWord = (character: string): boolean => /^\w$/.test(character);
const isSpace = (character: string): boolean => /^\s$/.test(character);
const kinds: Readonly<Record<string, (character: string) => boolean>> = {
  d: isDigit,
  D: character => !isDigit(character),
  w: isWord,
  W: character => !isWord(character),
  s: isSpace,
  S: character => !isSpace(character),
};
const controls: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v" };

const foldedTest =
  (test: (character: string) => boolean) =>
  (character: string): boolean =>
    test(character) || test(character.toLowerCase()) || test(character.toUpperCase());
