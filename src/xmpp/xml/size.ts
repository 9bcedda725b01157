// How long an element will be on the wire, without writing it: what is cut or refused by size is measured first.

import { type Element, escapeAttribute } from "./element.ts";

const simple = /^[ !#-%(-;=?-~]*$/;
const utf8 = new TextEncoder();

/** UTF-8 length of a text as written; attributes escape at least what text content escapes. */
const textBytes = (text: string): number =>
  simple.test(text) ? text.length : utf8.encode(escapeAttribute(text)).length;

/** Upper bound, in bytes of UTF-8, of an element as `format` writes it; close for what has few quotes in its text. */
export function formattedBytes(node: Element, outerNs = ""): number {
  let bytes = 2 * node.name.length + 5;
  if (node.ns !== outerNs) bytes += 9 + textBytes(node.ns);
  for (const name in node.attrs) bytes += name.length + 4 + textBytes(node.attrs[name] as string);
  for (const one of node.children) bytes += typeof one === "string" ? textBytes(one) : formattedBytes(one, node.ns);
  return bytes;
}
