// How a meter is addressed (EN 13757-2, -3): by its primary address 0 … 250, or by the secondary address printed on its face
// (ID, manufacturer, version, medium) through a select.

import type { LongHeader } from "./header.ts";

export type Address =
  | { readonly kind: "primary"; readonly address: number }
  /** 16 hex digits as a select says them; F stands for any in each ID digit, FFFF or FF for the rest as a whole. */
  | { readonly kind: "secondary"; readonly digits: string };

/** The address that answers for whichever meter is selected. */
export const selectedAddress = 253;
/** Every meter on the line answers: point to point only. */
export const everyAddress = 254;
const primaryMax = 250;

/** What a person may write: "5", or 8, 12, 14 or 16 digits of a secondary address. */
export const addressPattern = /^(\d{1,3}|[0-9Ff]{8}([0-9A-Fa-f]{4}([0-9A-Fa-f]{2}([0-9A-Fa-f]{2})?)?)?)$/;

export function parseAddress(text: string): Address | undefined {
  if (!addressPattern.test(text)) return undefined;
  if (text.length >= 8) return { kind: "secondary", digits: text.toUpperCase().padEnd(16, "F") };
  const address = Number(text);
  return address <= primaryMax || address === everyAddress ? { kind: "primary", address } : undefined;
}

/** "primary address 5", "secondary address 30100608": for people; wildcards at the end are left out. */
export const formatAddress = (address: Address): string =>
  address.kind === "primary"
    ? `primary address ${address.address}`
    : `secondary address ${address.digits.replace(/(?<=^.{8})(FF)+$/, "")}`;

/** The eight octets of a select: ID low digits first, then manufacturer, version, medium as they stand. */
export function selectOctets(digits: string): Uint8Array {
  const octets = Uint8Array.from(digits.match(/../g) ?? [], pair => Number.parseInt(pair, 16));
  return Uint8Array.of(...octets.subarray(0, 4).toReversed(), ...octets.subarray(4));
}

/** Is the meter with this header one that was meant? */
export function isSelected(digits: string, { secondaryAddress }: LongHeader): boolean {
  for (let at = 0; at < 8; at++) if (digits[at] !== "F" && digits[at] !== secondaryAddress[at]) return false;
  return [8, 12, 14].every((from, n) => {
    const part = digits.slice(from, from + (n === 0 ? 4 : 2));
    return /^F+$/.test(part) || part === secondaryAddress.slice(from, from + part.length);
  });
}
