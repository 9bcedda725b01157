// A strict streaming parser for the XML that XMPP allows (RFC 6120 section 11.1): no comments, processing instructions or
// document types. Depth, size and number of elements are bounded while reading, before anything is built on them.

import type { Element } from "./element.ts";
import { type LongMarkup, longMarkup, passLong } from "./long-markup.ts";
import { characters, literal, type Open, openTag, rootScope, tagEnd, XmlError } from "./tags.ts";

export interface XmlLimits {
  /** Characters of one element of depth `emitDepth` with all its content. */
  charsMax: number;
  depthMax: number;
  elementsMax: number;
  attributesMax: number;
}

export interface XmlHandler {
  /** A start tag above the emit depth: the stream header. */
  opened?(root: Element): void;
  /** A complete element at the emit depth. */
  element(node: Element): void;
  /**
   * An element at the emit depth that was larger than a limit: itself, without content, after it was read to its end and
   * thrown away. Without this, and always beyond `skippedFactor` times `charsMax`, that is an `XmlError`.
   */
  tooLarge?(node: Element, why: string): void;
  /** The end tag of the root. */
  closed?(): void;
}

export interface XmlParser {
  /** Feeds text in pieces of any size. Throws `XmlError`; a parser that has thrown is not to be used again. */
  write(text: string): void;
  /** An element has begun and its end has not come yet. */
  readonly midway: boolean;
}

/** What is left of an element that is being thrown away. */
interface Skipped {
  readonly node: Element;
  readonly why: string;
  /** Elements of it that are open. */
  depth: number;
}

/**
 * What is thrown away costs no memory, and ending the stream over it would let whoever finds a generous broker throw us off at
 * will. But what never ends is no stanza.
 */
const skippedFactor = 256;
/** Below this it is not worth knowing whether new text can complete what waits. */
const shortRest = 4_096;
const cdata = "<![CDATA[";

/** `emitDepth` 0 parses one whole document, 1 a stream whose root stays open. */
export function createParser(handler: XmlHandler, limits: XmlLimits, emitDepth: 0 | 1): XmlParser {
  const stack: Open[] = [];
  const tooLong = `an element of more than ${limits.charsMax} characters`;
  let skipped: Skipped | undefined;
  /** In the middle of it. */
  let long: LongMarkup | undefined;
  let rest = "";
  /** The character without which what waits in `rest` cannot be completed. */
  let missing = "";
  let chars = 0;
  let count = 0;
  let ended = false;
  let began = false;

  const inside = () => skipped !== undefined || stack.length > emitDepth;

  /** The element at the emit depth is larger than allowed: from here on it is only looked through for its end. */
  const exceed = (why: string) => {
    const top = stack[emitDepth];
    if (handler.tooLarge === undefined || top === undefined) throw new XmlError("limit", why);
    skipped = { node: { ...top.node, children: [] }, why, depth: stack.length - emitDepth };
    stack.length = emitDepth;
  };

  /** `length` more characters belong to the element being read. */
  const spend = (length: number) => {
    chars += length;
    if (chars > skippedFactor * limits.charsMax) throw new XmlError("limit", tooLong);
    if (skipped === undefined && chars > limits.charsMax) exceed(tooLong);
  };

  const isLong = (length: number) => length > limits.charsMax;

  /** One tag or CDATA section that is longer than all that is allowed: the element it is in, or begins, is thrown away. */
  const startLong = (at: number): number => {
    const one = longMarkup(rest, at);
    const begins = one.kind === "start" && emitDepth > 0 && stack.length === emitDepth;
    if ((!inside() && !begins) || handler.tooLarge === undefined) throw new XmlError("limit", tooLong);
    if (skipped === undefined && stack.length > emitDepth) exceed(tooLong);
    // Of a stanza that is too large in its very first tag it is known what it is called, and by its end who is to be told.
    skipped ??= { node: { name: one.name, ns: "", attrs: one.attrs, children: [] }, why: tooLong, depth: 0 };
    long = one;
    return goOnLong(one, at + (one.kind === "cdata" ? cdata.length : 1));
  };
  const goOnLong = (one: LongMarkup, from: number): number => {
    const { at, ended } = passLong(one, rest, from);
    spend(at - from);
    if (!ended) return at;
    long = undefined;
    if (one.kind === "start" && skipped !== undefined) skipped.depth++;
    if (one.kind === "end" || (one.kind === "start" && one.last === "/")) finishSkipped();
    return at;
  };

  const append = (parent: Open, text: string) => {
    const { children } = parent.node;
    const last = children.at(-1);
    if (typeof last === "string") children[children.length - 1] = last + text;
    else if (text !== "") children.push(text);
  };

  const text = (raw: string) => {
    if (!inside()) {
      if (/[^ \t\r\n]/.test(raw)) throw new XmlError("not-well-formed", "text outside an element");
      began = true;
      return;
    }
    spend(raw.length);
    // What is thrown away may come in pieces and is not looked at.
    const open = skipped === undefined ? stack.at(-1) : undefined;
    if (open !== undefined) append(open, characters(raw));
  };

  const begin = () => {
    chars = 0;
    count = 0;
  };

  const finish = (open: Open) => {
    stack.pop();
    if (stack.length === emitDepth) {
      begin();
      handler.element(open.node);
    } else if (stack.length > emitDepth) {
      stack.at(-1)?.node.children.push(open.node);
    }
    if (stack.length === 0) {
      ended = true;
      handler.closed?.();
    }
  };

  const finishSkipped = () => {
    if (skipped === undefined || --skipped.depth > 0) return;
    const { node, why } = skipped;
    skipped = undefined;
    begin();
    handler.tooLarge?.(node, why);
    if (emitDepth === 0) ended = true;
  };

  const startTag = (raw: string) => {
    if (ended) throw new XmlError("not-well-formed", "an element after the end");
    began = true;
    const selfClosing = raw.endsWith("/");
    if (skipped === undefined && stack.length >= limits.depthMax) {
      exceed(`elements nested more than ${limits.depthMax} deep`);
    }
    if (skipped === undefined && ++count > limits.elementsMax)
      exceed(`more than ${limits.elementsMax} elements in one`);
    if (skipped !== undefined) {
      skipped.depth++;
      if (selfClosing) finishSkipped();
      return;
    }
    const scope = stack.at(-1)?.scope ?? rootScope;
    const open = openTag(selfClosing ? raw.slice(0, -1) : raw, scope, limits.attributesMax);
    stack.push(open);
    if (stack.length <= emitDepth) {
      if (open.overfull) exceed(`more than ${limits.attributesMax} attributes`);
      begin();
      handler.opened?.(open.node);
    } else if (open.overfull) exceed(`more than ${limits.attributesMax} attributes`);
    if (!selfClosing) return;
    if (skipped === undefined) finish(open);
    else finishSkipped();
  };

  const endTag = (raw: string) => {
    if (skipped !== undefined) return finishSkipped();
    const open = stack.at(-1);
    if (open === undefined || raw.replace(/[ \t\r\n]+$/, "") !== open.qname) {
      throw new XmlError("not-well-formed", "an end tag that does not match");
    }
    finish(open);
  };

  const cdataSection = (at: number): number => {
    const seen = rest.slice(at, at + cdata.length);
    if (!cdata.startsWith(seen)) throw new XmlError("restricted-xml", "a comment or document type");
    const end = rest.indexOf("]]>", at + cdata.length);
    if (seen.length < cdata.length || end < 0) return -1;
    if (!inside()) throw new XmlError("not-well-formed", "text outside an element");
    if (isLong(end + 3 - at)) return startLong(at);
    spend(end + 3 - at);
    const open = skipped === undefined ? stack.at(-1) : undefined;
    if (open !== undefined) append(open, literal(rest.slice(at + cdata.length, end)));
    return end + 3;
  };

  /** Handles one markup from `at` (its "<"); returns where it ends, or -1 when it is not complete yet. */
  const markup = (at: number): number => {
    const next = rest[at + 1];
    if (next === undefined) return -1;
    if (next === "!") return cdataSection(at);
    const end = tagEnd(rest, at + 1);
    if (end < 0) return -1;
    if (isLong(end + 1 - at)) return startLong(at);
    spend(end + 1 - at);
    const raw = rest.slice(at + 1, end);
    if (next === "?") {
      if (began || !/^\?xml[ \t\r\n].*\?$/s.test(raw)) throw new XmlError("restricted-xml", "a processing instruction");
      began = true;
    } else if (next === "/") endTag(raw.slice(1));
    else startTag(raw);
    return end + 1;
  };

  return {
    write(chunk) {
      rest += chunk;
      if (rest.length > shortRest && missing !== "" && rest.length <= limits.charsMax && !chunk.includes(missing))
        return;
      let at = 0;
      missing = "";
      while (at < rest.length) {
        if (long !== undefined) {
          at = goOnLong(long, at);
          if (long === undefined) continue;
          break;
        }
        const open = rest.indexOf("<", at);
        // Text inside is kept until its end is seen, so that a reference is never cut in two.
        if (open < 0 && inside() && skipped === undefined && chars + rest.length - at <= limits.charsMax) {
          missing = "<";
          break;
        }
        if (open !== at) text(rest.slice(at, open < 0 ? rest.length : open));
        if (open < 0) {
          at = rest.length;
          break;
        }
        const after = markup(open);
        at = after < 0 ? open : after;
        if (after >= 0) continue;
        if (isLong(rest.length - open)) at = startLong(open);
        else missing = ">";
        break;
      }
      rest = rest.slice(at);
    },
    get midway() {
      return inside() || long !== undefined || rest !== "";
    },
  };
}

const generous: XmlLimits = { charsMax: 64 * 1_048_576, depthMax: 64, elementsMax: 1_000_000, attributesMax: 64 };

/** Parses one whole document, for files, tests and the local link. Throws `XmlError`. */
export function parse(text: string, limits: XmlLimits = generous): Element {
  let result: Element | undefined;
  const parser = createParser({ element: node => (result = node) }, limits, 0);
  parser.write(text);
  if (result === undefined) throw new XmlError("not-well-formed", "the text ends before its element does");
  return result;
}
