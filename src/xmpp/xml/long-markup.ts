// A tag or CDATA section that is longer than a whole element may be: it is looked through for its end, as it comes in pieces, and
// nothing of it is kept but who is to be told.

import { attributeValue, malformed } from "./tags.ts";

export interface LongMarkup {
  readonly kind: "start" | "end" | "cdata";
  /** Local name of a tag, as far as its first characters say. */
  readonly name: string;
  /** Of a start tag those that an answer needs, where they are not too long themselves. */
  readonly attrs: Record<string, string>;
  /** The quote that is open, "" when none is. */
  quote: string;
  /** The character before, outside quotes: "/" makes an empty element. */
  last: string;
  /** What stands before a value, as far as it can be a name that matters. */
  word: string;
  /** White space came after it. */
  gap: boolean;
  /** The value that is being read; undefined when it is nobody's, or too long. */
  value: string | undefined;
}

/** Enough to see what it is and what it is called. */
const headChars = 256;
/** An address has 3,071 octets at most (RFC 7622 section 3.1), and some of them may be written as references. */
const valueChars = 4_096;
const wanted = ["id", "type", "from", "to"];
const wordChars = 8;

/** `at`: its "<". */
export function longMarkup(text: string, at: number): LongMarkup {
  const head = text.slice(at, at + headChars);
  const kind = head.startsWith("</") ? "end" : head.startsWith("<!") ? "cdata" : "start";
  const [, name = ""] = /^<\/?(?:[^\s:/>]*:)?([^\s:/>]*)/.exec(head) ?? [];
  return { kind, name, attrs: Object.create(null), quote: "", last: "", word: "", gap: false, value: undefined };
}

/** Goes on at `from`. Where it ends, and whether it has; what is left over before that is to be given again with more. */
export function passLong(one: LongMarkup, text: string, from: number): { at: number; ended: boolean } {
  if (one.kind === "cdata") {
    const end = text.indexOf("]]>", from);
    return end < 0 ? { at: Math.max(from, text.length - 2), ended: false } : { at: end + 3, ended: true };
  }
  for (let at = from; at < text.length; at++) {
    const char = text[at] as string;
    if (one.quote !== "") {
      const end = text.indexOf(one.quote, at);
      read(one, text, at, end < 0 ? text.length : end);
      if (end < 0) break;
      at = end;
      close(one);
    } else if (char === '"' || char === "'") open(one, char);
    else if (char === "<") throw malformed("'<' inside a tag");
    else if (char === ">") return { at: at + 1, ended: true };
    else step(one, char);
  }
  return { at: text.length, ended: false };
}

function step(one: LongMarkup, char: string): void {
  one.last = char;
  if (char === " " || char === "\n" || char === "\t" || char === "\r") {
    one.gap = true;
    return;
  }
  if (one.gap && char !== "=") one.word = "";
  one.gap = false;
  if (one.word.length < wordChars) one.word += char;
}

function open(one: LongMarkup, quote: string): void {
  const name = one.word.slice(0, -1);
  const isWanted = one.kind === "start" && one.word.endsWith("=") && wanted.includes(name);
  if (isWanted && name in one.attrs) throw malformed(`the attribute ${name} twice`);
  one.quote = quote;
  one.value = isWanted ? "" : undefined;
}

function read(one: LongMarkup, text: string, from: number, to: number): void {
  if (one.value === undefined) return;
  one.value = one.value.length + to - from > valueChars ? undefined : one.value + text.slice(from, to);
}

function close(one: LongMarkup): void {
  if (one.value !== undefined) one.attrs[one.word.slice(0, -1)] = attributeValue(one.value);
  one.quote = "";
  one.word = "";
  one.value = undefined;
}
