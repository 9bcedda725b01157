// One tag of XML taken apart: names, attributes, namespaces, references. XML 1.0 (fifth edition) and Namespaces in XML 1.0,
// as strict as they are, because what another parser would read differently is how things are smuggled.

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

/** An element that is being read. */
export interface Open {
  readonly node: { name: string; ns: string; attrs: Record<string, string>; children: (Element | string)[] };
  readonly qname: string;
  readonly scope: Scope;
  /** It had more attributes than allowed; the first ones were kept. */
  readonly overfull: boolean;
}

/** Prefixes in force; objects without prototype, each inheriting from the element around it. */
type Scope = Readonly<Record<string, string>>;

const xmlNs = "http://www.w3.org/XML/1998/namespace";
const xmlnsNs = "http://www.w3.org/2000/xmlns/";
export const rootScope: Scope = Object.assign(Object.create(null), { xml: xmlNs, "": "" });

const nameStart =
  "A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}\\u{200D}\\u{2070}-\\u{218F}" +
  "\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
const ncName = `[${nameStart}][${nameStart}.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}-]*`;
const qualifiedName = new RegExp(`^(?:(${ncName}):)?(${ncName})$`, "u");
const attribute = /[ \t\r\n]+([^ \t\r\n=<>"'/]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')/uy;
const forbidden = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

export const malformed = (message: string): XmlError => new XmlError("not-well-formed", message);

/** Where the tag that starts at `from` ends: the first ">" outside quotes, or -1 when that is not there yet. */
export function tagEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const one = text[at];
    if (one === ">") return at;
    if (one === '"' || one === "'") {
      at = text.indexOf(one, at + 1);
      if (at < 0) return -1;
    } else if (one === "<") throw malformed("'<' inside a tag");
  }
  return -1;
}

/** A start tag without its brackets and without the "/" of an empty element. */
export function openTag(raw: string, outer: Scope, attributesMax: number): Open {
  const qname = /^[^ \t\r\n=<>"'/]+/.exec(raw)?.[0] ?? "";
  const { found, scope, overfull } = readAttributes(raw, qname.length, outer, attributesMax);
  const [, prefix = "", name = ""] = qualifiedName.exec(qname) ?? [];
  if (name === "" || prefix === "xmlns") throw malformed("a bad element name");
  // The declaration may be among the attributes that were not read; such an element is thrown away in any case.
  const ns = scope[prefix] ?? (overfull ? "" : undefined);
  if (ns === undefined) throw malformed(`undeclared prefix ${prefix}`);
  const attrs = overfull ? found : unqualified(found, scope);
  return { node: { name, ns, attrs, children: [] }, qname, scope, overfull };
}

function readAttributes(raw: string, from: number, outer: Scope, attributesMax: number) {
  const found: Record<string, string> = Object.create(null);
  let scope = outer;
  let count = 0;
  let at = from;
  attribute.lastIndex = from;
  for (let one = attribute.exec(raw); one !== null; one = attribute.exec(raw)) {
    at = attribute.lastIndex;
    if (++count > attributesMax) continue;
    const name = one[1] as string;
    const value = attributeValue(one[2] ?? one[3] ?? "");
    if (name === "xmlns" || name.startsWith("xmlns:")) {
      const prefix = declared(name, value);
      if (scope === outer) scope = Object.create(outer) as Scope;
      else if (Object.hasOwn(scope, prefix)) throw malformed("a namespace declared twice");
      (scope as Record<string, string>)[prefix] = value;
    } else {
      if (!qualifiedName.test(name)) throw malformed("a bad attribute name");
      if (name in found) throw malformed(`the attribute ${name} twice`);
      found[name] = value;
    }
  }
  if (/[^ \t\r\n]/.test(raw.slice(at))) throw malformed("a malformed tag");
  return { found, scope, overfull: count > attributesMax };
}

/** Of what stands between the quotes. */
export function attributeValue(raw: string): string {
  if (forbidden.test(raw)) throw malformed("a control character");
  return decode(raw.replace(/\r\n|[\t\n\r]/g, " "));
}

/** The prefix that is declared, "" for the default namespace. */
function declared(name: string, value: string): string {
  const prefix = name.slice("xmlns:".length);
  if (name !== "xmlns" && (!qualifiedName.test(prefix) || prefix.includes(":"))) throw malformed("a bad prefix");
  const reserved = prefix === "xmlns" || value === xmlnsNs || (prefix === "xml") !== (value === xmlNs);
  if (reserved || (prefix !== "" && value === "")) throw malformed(`a namespace that may not be declared as ${name}`);
  return prefix;
}

/**
 * Attributes in namespaces of their own are checked and left out: these interfaces have none (COM-STZ-06), and a prefix means
 * nothing once the element is plain data. `xml:lang` and the like stay, since their prefix is fixed.
 */
function unqualified(found: Record<string, string>, scope: Scope): Record<string, string> {
  let qualified: Set<string> | undefined;
  for (const name in found) {
    const colon = name.indexOf(":");
    if (colon < 0) continue;
    const ns = scope[name.slice(0, colon)];
    if (ns === undefined) throw malformed(`undeclared prefix ${name.slice(0, colon)}`);
    const expanded = `${ns} ${name.slice(colon + 1)}`;
    if (qualified?.has(expanded)) throw malformed(`the attribute ${name} twice`);
    qualified = (qualified ?? new Set()).add(expanded);
    if (ns !== xmlNs) delete found[name];
  }
  return found;
}

/** Text between tags, with references resolved. */
export function characters(raw: string): string {
  if (forbidden.test(raw)) throw malformed("a control character");
  if (raw.includes("]]>")) throw malformed("']]>' in text");
  return decode(raw.replace(/\r\n?/g, "\n"));
}

/** The inside of a CDATA section. */
export function literal(raw: string): string {
  if (forbidden.test(raw)) throw malformed("a control character");
  return raw.replace(/\r\n?/g, "\n");
}

function decode(raw: string): string {
  if (!raw.includes("&")) return raw;
  return raw.replace(/&([^;&]{0,10});?|&/g, (whole, name: string | undefined) => {
    if (name === undefined || !whole.endsWith(";")) throw malformed("a bare '&'");
    const known = Object.hasOwn(entities, name) ? entities[name] : undefined;
    if (known !== undefined) return known;
    const digits = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
    const code = digits ? Number.parseInt(digits[1] ?? digits[2] ?? "", digits[1] ? 16 : 10) : -1;
    const one =
      code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000) ? String.fromCodePoint(code) : "\u0000";
    if (forbidden.test(one)) throw malformed(`the reference &${name};`);
    return one;
  });
}
