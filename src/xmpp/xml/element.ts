// XML as plain data. Namespaces are resolved: `name` is the local name, `ns` the namespace it is in, and prefixes are gone
// both ways. Attributes are unqualified, as everywhere in these interfaces (COM-STZ-06); `xml:lang` is the one exception.

export interface Element {
  readonly name: string;
  readonly ns: string;
  readonly attrs: Readonly<Record<string, string>>;
  readonly children: readonly (Element | string)[];
}

export const element = (
  name: string,
  ns: string,
  attrs: Readonly<Record<string, string | undefined>> = {},
  children: readonly (Element | string)[] = [],
): Element => ({ name, ns, attrs: present(attrs), children });

/** Inherits nothing, as `Object.create(null)` does; but made of that, each would be a hash table of its own, ten times as large. */
const nothing: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
/** For attributes whose names are ours to choose. */
export const noAttributes = (): Record<string, string> => Object.create(nothing);

const present = (attrs: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const result = noAttributes();
  for (const name in attrs) {
    const value = attrs[name];
    if (value !== undefined) result[name] = value;
  }
  return result;
};

export const isElement = (node: Element | string): node is Element => typeof node !== "string";
export const elements = (parent: Element): Element[] => parent.children.filter(isElement);
export const firstElement = (parent: Element): Element | undefined => parent.children.find(isElement);
/** The first child of that name, in the given namespace or else in the parent's. */
export const child = (parent: Element, name: string, ns: string = parent.ns): Element | undefined =>
  elements(parent).find(one => one.name === name && one.ns === ns);
/** Text directly inside, without that of children. */
export const textOf = (parent: Element): string => parent.children.filter(one => typeof one === "string").join("");

/** Characters that XML 1.0 cannot carry at all; they are replaced on the way out rather than ending the stream. */
const unsendable =
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const special = /[&<>"'\t\n\r]/g;
const escapes: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};
const needsEscape = /[&<>"'\t\n\r\u0000-\u001F\uFFFE\uFFFF\uD800-\uDFFF]/;

export const escapeAttribute = (text: string): string =>
  needsEscape.test(text) ? text.replace(unsendable, "\uFFFD").replace(special, one => escapes[one] ?? one) : text;
export const escapeText = (text: string): string =>
  needsEscape.test(text) ? text.replace(unsendable, "\uFFFD").replace(/[&<>\r]/g, one => escapes[one] ?? one) : text;

/** XML text. `outerNs` is the namespace in force around it: `xmlns` is written only where it changes. */
export function format(node: Element, outerNs = ""): string {
  // Joined element by element: text that is added to text stays a tree of pieces until it is sent, six times its size.
  const parts = ["<", node.name];
  if (node.ns !== outerNs) parts.push(" xmlns='", escapeAttribute(node.ns), "'");
  for (const name in node.attrs) parts.push(" ", name, "='", escapeAttribute(node.attrs[name] as string), "'");
  if (node.children.length === 0) {
    parts.push("/>");
    return parts.join("");
  }
  parts.push(">");
  for (const one of node.children) parts.push(typeof one === "string" ? escapeText(one) : format(one, node.ns));
  parts.push("</", node.name, ">");
  return parts.join("");
}
