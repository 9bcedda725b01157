// What the fuzzer asks of a decoder: any octets give a value or a typed refusal; nothing is thrown; and what comes out is not
// more than went in, times a constant.

import type { Random } from "./octets.ts";

export interface Decoder {
  readonly name: string;
  /** Octets that mean something to it, to be damaged. */
  corpus(): readonly Uint8Array[];
  /**
   * Decodes, and throws where a property does not hold. Returns how much came out (frames, records, characters …), which must
   * not exceed `perOctet` for each octet that went in, and a few.
   */
  run(octets: Uint8Array, random: Random): number;
  readonly perOctet: number;
}

/** What small inputs may give besides: heads, names, punctuation. */
const fixedYield = 2_000;

export function check(decoder: Decoder, octets: Uint8Array, random: Random): void {
  const before = Buffer.from(octets);
  const yielded = decoder.run(octets, random);
  const most = fixedYield + decoder.perOctet * octets.length;
  require(yielded <= most, `${yielded} came out of ${octets.length} octets`);
  require(before.equals(octets), "the octets were changed");
}

export function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

/** How much there is in a value, and that every number in it is one. */
export function sizeOf(value: unknown, depth = 0): number {
  require(depth < 70, "nested too deep");
  switch (typeof value) {
    case "string":
      return value.length + 1;
    case "bigint":
      return 8;
    case "number":
      require(Number.isFinite(value), `${value} is no value`);
      return 1;
    case "object":
      break;
    default:
      return 1;
  }
  if (value === null) return 1;
  if (value instanceof Uint8Array) return value.length + 1;
  const parts = value instanceof Map ? [...value.entries()] : Object.values(value);
  return parts.reduce((sum: number, part) => sum + sizeOf(part, depth + 1), 1);
}
