// Security mode 5 of EN 13757-3 / OMS: AES-128 in CBC mode over whole blocks, the vector made of the address and the access
// number. Pure in effect: octets in, octets out.

import { createDecipheriv } from "node:crypto";
import type { ShortHeader } from "./header.ts";

const blockOctets = 16;
export const keyOctets = 16;

/** What the configuration word says of the records, given how many octets there are. */
export type Protection =
  | { readonly kind: "plain" }
  | { readonly kind: "mode5"; readonly octets: number }
  /** Encrypted in a way that is not read here, or claims more blocks than there are. */
  | { readonly kind: "unreadable"; readonly reason: string };

/**
 * Meters without encryption use the word as a signature or leave junk in it: only modes 5, 7 and 13 count, and mode 7 only
 * where its blocks fit the telegram.
 */
export function protectionOf({ config }: ShortHeader, dataOctets: number): Protection {
  const mode = (config >> 8) & 0x1f;
  const octets = ((config >> 4) & 0x0f) * blockOctets;
  if (mode === 5 && octets > 0) {
    return octets <= dataOctets
      ? { kind: "mode5", octets }
      : { kind: "unreadable", reason: "encrypted: more blocks announced than sent" };
  }
  if (mode === 7 && octets > 0 && octets <= dataOctets) return { kind: "unreadable", reason: "encrypted (mode 7)" };
  if (mode === 13) return { kind: "unreadable", reason: "encrypted (mode 13)" };
  return { kind: "plain" };
}

/**
 * `address`: manufacturer, ID, version, medium as sent (8 octets). Octets behind the blocks are plain and stay as they are.
 * Undefined when the text does not begin with 2F 2F: the key is wrong.
 */
export function decryptMode5(
  data: Uint8Array,
  octets: number,
  key: Uint8Array,
  address: Uint8Array,
  accessNumber: number,
): Uint8Array | undefined {
  const vector = new Uint8Array(blockOctets).fill(accessNumber);
  vector.set(address);
  const decipher = createDecipheriv("aes-128-cbc", key, vector).setAutoPadding(false);
  const plain = new Uint8Array(data);
  plain.set(decipher.update(data.subarray(0, octets)));
  return plain[0] === 0x2f && plain[1] === 0x2f ? plain : undefined;
}
