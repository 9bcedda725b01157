// How a meter is addressed (EN 13757-2, -3): by its primary address 0 … 250, or by the secondary address printed on its face
// (ID, manufacturer, version, medium) through a select, with its fabrication number where two meters have all that in common.

import type { LongHeader } from "./header.ts";

export interface SecondaryAddress {
  readonly kind: "secondary";
  /** 16 hex digits as a select says them; F stands for any in each ID digit, FFFF or FF for the rest as a whole. */
  readonly digits: string;
  /** Eight digits, F for any: sent with the select (enhanced selection), for meters that are alike in the sixteen. */
  readonly fabrication?: string;
}

export type Address = { readonly kind: "primary"; readonly address: number } | SecondaryAddress;

/** The address that answers for whichever meter is selected. */
export const selectedAddress = 253;
/** Every meter on the line answers: point to point only. */
export const everyAddress = 254;
/** Every meter obeys, none answers. */
export const broadcastAddress = 255;
export const primaryMax = 250;

/** What a person may write: "5", or 8, 12, 14 or 16 digits of a secondary address, "/" and a fabrication number behind it. */
export const addressPattern =
  /^(\d{1,3}|[0-9A-Fa-f]{8}([0-9A-Fa-f]{4}([0-9A-Fa-f]{2}([0-9A-Fa-f]{2})?)?)?(\/[0-9Ff]{8})?)$/;

export function parseAddress(text: string): Address | undefined {
  if (!addressPattern.test(text)) return undefined;
  const [digits = "", fabrication] = text.toUpperCase().split("/");
  if (digits.length >= 8) {
    return {
      kind: "secondary",
      digits: digits.padEnd(16, "F"),
      ...(fabrication === undefined ? {} : { fabrication }),
    };
  }
  const address = Number(digits);
  return address <= primaryMax || address === everyAddress ? { kind: "primary", address } : undefined;
}

/** "primary address 5", "secondary address 30100608": for people; wildcards at the end are left out. */
export const formatAddress = (address: Address): string =>
  address.kind === "primary" ? `primary address ${address.address}` : `secondary address ${shortAddress(address)}`;

/** As `parseAddress` reads it. */
export const shortAddress = ({ digits, fabrication }: SecondaryAddress): string =>
  digits.replace(/(?<=^.{8})(FF)+$/, "") + (fabrication === undefined ? "" : `/${fabrication}`);

/**
 * The eight octets of a select: ID low digits first, then manufacturer, version, medium as they stand; behind them a record
 * 0C 78 with the fabrication number.
 */
export function selectOctets({ digits, fabrication }: Omit<SecondaryAddress, "kind">): Uint8Array {
  const octets = pairsOf(digits);
  const plain = [...octets.slice(0, 4).reverse(), ...octets.slice(4)];
  if (fabrication === undefined) return Uint8Array.from(plain);
  return Uint8Array.of(...plain, 0x0c, 0x78, ...pairsOf(fabrication).reverse());
}

const pairsOf = (digits: string): number[] => (digits.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16));

/** Is the meter with this header one that was meant? */
export function isSelected(digits: string, { secondaryAddress }: Pick<LongHeader, "secondaryAddress">): boolean {
  for (let at = 0; at < 8; at++) if (digits[at] !== "F" && digits[at] !== secondaryAddress[at]) return false;
  return [8, 12, 14].every((from, n) => {
    const part = digits.slice(from, from + (n === 0 ? 4 : 2));
    return /^F+$/.test(part) || part === secondaryAddress.slice(from, from + part.length);
  });
}
