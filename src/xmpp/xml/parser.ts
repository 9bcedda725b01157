// A strict streaming parser for the XML that XMPP allows (RFC 6120 section 11.1): no comments, processing instructions or
// document types, the five named entities and character references, every prefix declared, no attribute twice. Depth,
// size and number of elements are bounded while reading, before anything is built on them.

import type { Element } from "./element.ts";

/** The text is not the XML we accept. For a stream this is the end of the stream (`not-well-formed`, `policy-violation`). */
export class XmlError extends Error {
  override name = "XmlError";
  /** limit: well-formed so far but larger than allowed. */
  readonly kind: "not-well-formed" | "restricted-xml" | "limit";
  constructor(kind: "not-well-formed" | "restricted-xml" | "limit", message: string) {
    super(message);
    this.kind = kind;
  }
}

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
  /** The end tag of the root. */
  closed?(): void;
}

export interface XmlParser {
  /** Feeds text in pieces of any size. Throws `XmlError`; a parser that has thrown is not to be used again. */
  write(text: string): void;
}

interface Open {
  node: { name: string; ns: string; attrs: Record<string, string>; children: (Element | string)[] };
  qname: string;
  scope: Readonly<Record<string, string>>;
}

const xmlNs = "http://www.w3.org/XML/1998/namespace";
const rootScope: Readonly<Record<string, string>> = Object.assign(Object.create(null), { xml: xmlNs, "": "" });
const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const qualifiedName = /^(?:([\p{L}_][\p{L}\p{N}._-]*):)?([\p{L}_][\p{L}\p{N}._-]*)$/u;
const forbidden = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
const attribute = /\s+([^\s=<>"'/]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/uy;

/** `emitDepth` 0 parses one whole document, 1 a stream whose root stays open. */
export function createParser(handler: XmlHandler, limits: XmlLimits, emitDepth: 0 | 1): XmlParser {
  const stack: Open[] = [];
  let rest = "";
  let chars = 0;
  let count = 0;
  let ended = false;
  let began = false;

  /** `length` more characters belong to the element being read. */
  const spend = (length: number) => {
    chars += length;
    if (chars > limits.charsMax) throw new XmlError("limit", `an element of more than ${limits.charsMax} characters`);
  };

  const text = (raw: string) => {
    if (raw === "") return;
    if (forbidden.test(raw)) throw new XmlError("not-well-formed", "a control character");
    const open = stack.at(-1);
    if (open === undefined || stack.length <= emitDepth) {
      if (/[^\s\uFEFF]/.test(raw)) throw new XmlError("not-well-formed", "text outside an element");
      return;
    }
    const children = open.node.children;
    const decoded = decode(raw.replace(/\r\n?/g, "\n"));
    const last = children.at(-1);
    if (typeof last === "string") children[children.length - 1] = last + decoded;
    else children.push(decoded);
  };

  const finish = (open: Open) => {
    stack.pop();
    if (stack.length === emitDepth) {
      chars = 0;
      count = 0;
      handler.element(open.node);
    } else if (stack.length > emitDepth) {
      stack.at(-1)?.node.children.push(open.node);
    }
    if (stack.length === 0) {
      ended = true;
      handler.closed?.();
    }
  };

  const startTag = (raw: string) => {
    if (ended) throw new XmlError("not-well-formed", "an element after the end");
    if (stack.length >= limits.depthMax)
      throw new XmlError("limit", `elements nested more than ${limits.depthMax} deep`);
    if (++count > limits.elementsMax) throw new XmlError("limit", `more than ${limits.elementsMax} elements in one`);
    const selfClosing = raw.endsWith("/");
    const open = openTag(selfClosing ? raw.slice(0, -1) : raw, stack.at(-1)?.scope ?? rootScope, limits);
    stack.push(open);
    began = true;
    if (stack.length <= emitDepth) {
      count = 0;
      handler.opened?.(open.node);
    }
    if (selfClosing) finish(open);
  };

  const endTag = (raw: string) => {
    const open = stack.at(-1);
    if (open === undefined || raw.trimEnd() !== open.qname)
      throw new XmlError("not-well-formed", "an end tag that does not match");
    finish(open);
  };

  /** Handles one markup from `at` (its "<"); returns where it ends, or -1 when it is not complete yet. */
  const markup = (at: number): number => {
    const next = rest[at + 1];
    if (next === undefined) return -1;
    if (next === "!") {
      const start = "<![CDATA[";
      const seen = rest.slice(at, at + start.length);
      if (!start.startsWith(seen)) throw new XmlError("restricted-xml", "a comment or document type");
      const end = rest.indexOf("]]>", at + start.length);
      if (seen.length < start.length || end < 0) return -1;
      if (stack.length <= emitDepth) throw new XmlError("not-well-formed", "text outside an element");
      const literal = rest.slice(at + start.length, end);
      if (forbidden.test(literal)) throw new XmlError("not-well-formed", "a control character");
      stack.at(-1)?.node.children.push(literal);
      return end + 3;
    }
    const end = tagEnd(rest, at + 1);
    if (end < 0) return -1;
    const raw = rest.slice(at + 1, end);
    if (next === "?") {
      if (began || !/^\?xml\s/.test(raw)) throw new XmlError("restricted-xml", "a processing instruction");
    } else if (next === "/") endTag(raw.slice(1));
    else startTag(raw);
    return end + 1;
  };

  return {
    write(chunk) {
      rest += chunk;
      let at = 0;
      for (;;) {
        const open = rest.indexOf("<", at);
        if (open < 0) {
          // Text inside is kept until its end is seen, so that a reference is never cut in two; white space between
          // stanzas (a keep-alive) is not.
          if (stack.length <= emitDepth) {
            text(rest.slice(at));
            at = rest.length;
          }
          break;
        }
        if (open > at) text(rest.slice(at, open));
        const after = markup(open);
        if (stack.length > emitDepth) spend((after < 0 ? open : after) - at);
        if (after < 0) {
          at = open;
          break;
        }
        at = after;
      }
      rest = rest.slice(at);
      if (chars + rest.length > limits.charsMax) spend(rest.length);
    },
  };
}

/** Parses one whole document, for files, tests and the local link. Throws `XmlError`. */
export function parse(text: string, limits: XmlLimits = generous): Element {
  let result: Element | undefined;
  const parser = createParser({ element: node => (result = node) }, limits, 0);
  parser.write(text);
  parser.write(" ");
  if (result === undefined) throw new XmlError("not-well-formed", "the text ends before its element does");
  return result;
}

const generous: XmlLimits = { charsMax: 64 * 1_048_576, depthMax: 64, elementsMax: 1_000_000, attributesMax: 64 };

/** Where the tag that starts at `from` ends: the first ">" outside quotes, or -1. */
function tagEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const one = text[at];
    if (one === ">") return at;
    if (one === '"' || one === "'") {
      at = text.indexOf(one, at + 1);
      if (at < 0) return -1;
    } else if (one === "<") throw new XmlError("not-well-formed", "'<' inside a tag");
  }
  return -1;
}

function openTag(raw: string, outer: Readonly<Record<string, string>>, limits: XmlLimits): Open {
  const qname = /^[^\s=<>"'/]+/.exec(raw)?.[0] ?? "";
  const attrs: Record<string, string> = Object.create(null);
  let scope = outer;
  let count = 0;
  attribute.lastIndex = qname.length;
  let at = qname.length;
  for (let found = attribute.exec(raw); found !== null; found = attribute.exec(raw)) {
    at = attribute.lastIndex;
    if (++count > limits.attributesMax) throw new XmlError("limit", `more than ${limits.attributesMax} attributes`);
    const name = found[1] as string;
    const rawValue = found[2] ?? found[3] ?? "";
    if (forbidden.test(rawValue)) throw new XmlError("not-well-formed", "a control character");
    const value = decode(rawValue.replace(/[\t\n\r]/g, " "));
    if (name === "xmlns" || name.startsWith("xmlns:")) {
      const prefix = name.slice(6);
      if (scope !== outer && Object.hasOwn(scope, prefix))
        throw new XmlError("not-well-formed", "a namespace declared twice");
      if (scope === outer) scope = Object.create(outer);
      (scope as Record<string, string>)[prefix] = value;
    } else {
      if (!qualifiedName.test(name)) throw new XmlError("not-well-formed", "a bad attribute name");
      if (name in attrs) throw new XmlError("not-well-formed", `the attribute ${name} twice`);
      attrs[name] = value;
    }
  }
  if (raw.slice(at).trim() !== "") throw new XmlError("not-well-formed", "a malformed tag");
  for (const name in attrs) {
    const prefix = name.includes(":") ? name.slice(0, name.indexOf(":")) : undefined;
    if (prefix !== undefined && !(prefix in scope))
      throw new XmlError("not-well-formed", `undeclared prefix ${prefix}`);
  }
  const parts = qualifiedName.exec(qname);
  if (parts === null) throw new XmlError("not-well-formed", "a bad element name");
  const ns = scope[parts[1] ?? ""];
  if (ns === undefined) throw new XmlError("not-well-formed", `undeclared prefix ${parts[1]}`);
  return { node: { name: parts[2] as string, ns, attrs, children: [] }, qname, scope };
}

function decode(raw: string): string {
  if (!raw.includes("&")) return raw;
  return raw.replace(/&([^;&]{0,10});?|&/g, (whole, name: string | undefined) => {
    if (name === undefined || !whole.endsWith(";")) throw new XmlError("not-well-formed", "a bare '&'");
    const known = Object.hasOwn(entities, name) ? entities[name] : undefined;
    if (known !== undefined) return known;
    const digits = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    const code = digits ? Number.parseInt(digits[1] ?? digits[2] ?? "", digits[1] ? 16 : 10) : -1;
    const one =
      code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : "\u0000";
    if (forbidden.test(one)) throw new XmlError("not-well-formed", `the reference &${name};`);
    return one;
  });
}
