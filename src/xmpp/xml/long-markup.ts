// A tag or CDATA section that is longer than a whole element may be: nothing of it is kept, it is only looked through for its
// end, as it comes in pieces.

import { XmlError } from "./tags.ts";

export interface LongMarkup {
  readonly kind: "start" | "end" | "cdata";
  /** Local name of a tag, as far as its first characters say. */
  readonly name: string;
  /** The quote that is open, "" when none is. */
  quote: string;
  /** The character before, outside quotes: "/" makes an empty element. */
  last: string;
}

/** Enough to see what it is and what it is called. */
const headChars = 256;

/** `at`: its "<". */
export function longMarkup(text: string, at: number): LongMarkup {
  const head = text.slice(at, at + headChars);
  const kind = head.startsWith("</") ? "end" : head.startsWith("<!") ? "cdata" : "start";
  const [, name = ""] = /^<\/?(?:[^\s:/>]*:)?([^\s:/>]*)/.exec(head) ?? [];
  return { kind, name, quote: "", last: "" };
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
      at = text.indexOf(one.quote, at);
      if (at < 0) break;
      one.quote = "";
    } else if (char === '"' || char === "'") one.quote = char;
    else if (char === "<") throw new XmlError("not-well-formed", "'<' inside a tag");
    else if (char === ">") return { at: at + 1, ended: true };
    else one.last = char;
  }
  return { at: text.length, ended: false };
}
