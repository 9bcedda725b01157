// DER, the encoding of certificates (ITU-T X.690), as far as one is written here: a few types, each as its octets.

import { Buffer } from "node:buffer";

/** Tag, length in as few octets as it takes, content. */
function tagged(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Uint8Array.of(tag, content.length), content]);
  const digits: number[] = [];
  for (let rest = content.length; rest > 0; rest >>>= 8) digits.unshift(rest & 0xff);
  return Buffer.concat([Uint8Array.of(tag, 0x80 | digits.length, ...digits), content]);
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => tagged(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Uint8Array => tagged(0x31, ...parts);
/** `[number]`, explicit: around another value. */
export const context = (number: number, value: Uint8Array): Uint8Array => tagged(0xa0 | number, value);
export const octetString = (octets: Uint8Array): Uint8Array => tagged(0x04, octets);
export const utf8String = (text: string): Uint8Array => tagged(0x0c, Buffer.from(text, "utf8"));
export const boolean = (value: boolean): Uint8Array => tagged(0x01, Uint8Array.of(value ? 0xff : 0));
export const nothing = (): Uint8Array => tagged(0x05);

/** Not negative, highest octet first; neither too short to be read as negative nor longer than that. */
export function integer(octets: Uint8Array): Uint8Array {
  let at = 0;
  while (at < octets.length - 1 && octets[at] === 0) at++;
  const rest = octets.subarray(at);
  return tagged(
    0x02,
    (rest[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(),
    rest.length ? rest : Uint8Array.of(0),
  );
}

/** `unused`: bits of the last octet that do not count. */
export const bitString = (octets: Uint8Array, unused = 0): Uint8Array => tagged(0x03, Uint8Array.of(unused), octets);

/** "1.2.840.113549.1.1.11" */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const base128 = (arc: number): number[] => {
    const digits = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift(0x80 | (left & 0x7f));
    return digits;
  };
  return tagged(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** As X.509 has it: two digits of the year up to 2049, four after (RFC 5280 section 4.1.2.5). Milliseconds since 1970. */
export function time(at: number): Uint8Array {
  const digits = `${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  const isShort = new Date(at).getUTCFullYear() < 2050;
  return tagged(isShort ? 0x17 : 0x18, Buffer.from(isShort ? digits.slice(2) : digits, "ascii"));
}
