// The terms of an `iotdisco:` URI, out of text: backslashes first, then percent-decoding, in this order (URI-DEC-01). Also
// the older QR text `IoTDisco;NAME:value`, which is read and never written.

import { double, ScalarError } from "#xml/scalars.ts";
import { tagCharsMax } from "./discovery.wire.ts";

/** The text is no `iotdisco:` URI of ours, with the reason in words. */
export class IotdiscoError extends Error {
  override name = "IotdiscoError";
}

export const fail = (why: string): never => {
  throw new IotdiscoError(`not an iotdisco URI: ${why}`);
};

export type Relation = "=" | "<>" | "<" | "<=" | ">" | ">=" | "~";

export interface Term {
  readonly name: string;
  readonly relation: Relation;
  readonly numeric: boolean;
  readonly value: string;
  /** NaN unless numeric. */
  readonly number: number;
  /** "" unless the relation is `~`. */
  readonly wildcard: string;
  /** Before percent-decoding. */
  readonly rawName: string;
  readonly raw: string;
}

const uriCharsMax = 4096;
const termsMax = 64;

export function decodeTerms(uri: string): Term[] {
  if (uri.length > uriCharsMax) fail(`longer than ${uriCharsMax} characters`);
  if (!/^iotdisco:/i.test(uri)) fail("it does not begin with iotdisco:");
  const terms = split(uri.slice("iotdisco:".length)).map(decodeTerm);
  if (terms.length > termsMax) fail(`more than ${termsMax} terms`);
  return terms;
}

export function decodeLegacyTerms(text: string): Term[] {
  if (text.length > uriCharsMax) fail(`longer than ${uriCharsMax} characters`);
  const terms = text.split(";").slice(1);
  if (terms.length > termsMax) fail(`more than ${termsMax} terms`);
  return terms.map(term => {
    const [, sign, name, value] = /^(#?)([^:]*):(.*)$/s.exec(term) ?? fail("a term without a value");
    return finish(
      { numeric: sign === "#", rawName: name ?? "", raw: value ?? "", relation: "=", wildcard: "" },
      raw => raw,
    );
  });
}

/** One character of a term; escaped ones are never operators or separators. */
interface Mark {
  readonly text: string;
  readonly escaped: boolean;
}

function split(text: string): Mark[][] {
  const terms: Mark[][] = [[]];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    const one = characters[at] as string;
    if (one === "\\") {
      const next = characters[++at] ?? fail("a backslash at the end");
      terms.at(-1)?.push({ text: next, escaped: true });
    } else if (one === ";") {
      terms.push([]);
    } else {
      terms.at(-1)?.push({ text: one, escaped: false });
    }
  }
  return terms;
}

const is = (mark: Mark | undefined, text: string): boolean => mark !== undefined && !mark.escaped && mark.text === text;
const join = (marks: readonly Mark[]): string => marks.map(mark => mark.text).join("");

function decodeTerm(marks: readonly Mark[]): Term {
  if (marks.length === 0) fail("an empty term");
  const numeric = is(marks[0], "#");
  const from = numeric ? 1 : 0;
  const at = marks.findIndex(mark => !mark.escaped && /[=<>~]/.test(mark.text));
  if (at < 0) fail("a term without an operator");
  const rawName = join(marks.slice(from, at));
  const sign = marks[at]?.text ?? "";
  // A backslash after < or > is an escape, so an escaped second character belongs to the value (URI-DEC-05).
  const double = (sign === "<" && is(marks[at + 1], ">")) || (sign !== "=" && sign !== "~" && is(marks[at + 1], "="));
  const relation = (double ? sign + (marks[at + 1]?.text ?? "") : sign) as Relation;
  let next = at + relation.length;
  let wildcard = "";
  if (relation === "~") {
    if (numeric) fail("a pattern for a number");
    wildcard = marks[next]?.text ?? fail("a pattern without its wildcard");
    next++;
  }
  return finish({ numeric, rawName, raw: join(marks.slice(next)), relation, wildcard }, percentDecode);
}

/** Control characters, and those that make text read in another order than it is written. */
const deceptive = /[\p{Cc}\u202A-\u202E\u2066-\u2069]/u;

function finish(
  term: Pick<Term, "numeric" | "rawName" | "raw" | "relation" | "wildcard">,
  decode: (raw: string) => string,
): Term {
  const name = decode(term.rawName);
  const value = decode(term.raw);
  if (deceptive.test(name) || deceptive.test(value) || deceptive.test(term.wildcard)) fail("a control character");
  if (!/^[^=<>~;#:\\\s]{1,64}$/u.test(name)) fail("a bad name");
  const charsMax = /^(R|JID)$/i.test(name) ? 255 : tagCharsMax(name);
  if (value.length > charsMax) fail(`the value of ${name.toUpperCase()} is longer than ${charsMax} characters`);
  return { ...term, name, value, number: term.numeric ? numberOf(value, name) : Number.NaN };
}

function numberOf(value: string, name: string): number {
  try {
    return double.parse(value);
  } catch (error) {
    if (error instanceof ScalarError) return fail(`${name.toUpperCase()} is not a number`);
    throw error;
  }
}

/** Malformed sequences stay as they are. */
function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, run => {
    let decoded = "";
    for (let at = 0; at < run.length; ) {
      const lead = Number.parseInt(run.slice(at + 1, at + 3), 16);
      const octets = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      const whole = run.slice(at, at + octets * 3);
      const character = decodeOne(whole);
      decoded += character ?? run.slice(at, at + 3);
      at += character === undefined ? 3 : whole.length;
    }
    return decoded;
  });
}

function decodeOne(octets: string): string | undefined {
  try {
    return decodeURIComponent(octets);
  } catch {
    return undefined;
  }
}
