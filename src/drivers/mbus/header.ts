// The application headers of EN 13757-3: long (CI 72, 76) and short (CI 7A) of the variable structure, and the fixed
// structure with its two counters (CI 73, 77).

import { bcd, type Value } from "./value.ts";
import { hex, hexReversed, reversedIf } from "./vif.ts";

export interface ShortHeader {
  readonly accessNumber: number;
  readonly status: number;
  /** Configuration word, or a signature; never to be judged by itself whether the records are encrypted. */
  readonly config: number;
}

export interface LongHeader extends ShortHeader {
  /** Eight digits; bad meters send hex digits, so it stays text. */
  readonly id: string;
  /** Three letters; "@@@" for 0. */
  readonly manufacturer: string;
  readonly version: number;
  readonly medium: number;
  /** As a select would say it: ID digits, manufacturer (low octet first), version, medium, in hex. */
  readonly secondaryAddress: string;
}

export const longHeaderOctets = 12;
export const shortHeaderOctets = 4;

export function decodeLongHeader(data: Uint8Array, msb: boolean): LongHeader | undefined {
  if (data.length < longHeaderOctets) return undefined;
  const idOctets = data.subarray(0, 4);
  const id = msb ? hex(idOctets) : hexReversed(idOctets);
  const [low, high] = [data[msb ? 5 : 4] as number, data[msb ? 4 : 5] as number];
  const version = data[6] as number;
  const medium = data[7] as number;
  return {
    id,
    manufacturer: formatManufacturer((high << 8) | low),
    version,
    medium,
    secondaryAddress: id + hex(Uint8Array.of(low, high, version, medium)),
    ...shortHeaderAt(data, 8, msb),
  };
}

export const decodeShortHeader = (data: Uint8Array): ShortHeader | undefined =>
  data.length < shortHeaderOctets ? undefined : shortHeaderAt(data, 0, false);

const shortHeaderAt = (data: Uint8Array, at: number, msb: boolean): ShortHeader => {
  const [first, second] = [data[at + 2] as number, data[at + 3] as number];
  return {
    accessNumber: data[at] as number,
    status: data[at + 1] as number,
    config: msb ? (first << 8) | second : (second << 8) | first,
  };
};

/** Three letters of five bits, A = 1. */
export const formatManufacturer = (code: number): string =>
  String.fromCharCode(64 + ((code >> 10) & 31), 64 + ((code >> 5) & 31), 64 + (code & 31));

/** Undefined unless three letters A … Z (or "@@@"). */
export function parseManufacturer(text: string): number | undefined {
  if (!/^[@-Z]{3}$/.test(text)) return undefined;
  return [...text].reduce((code, letter) => (code << 5) | (letter.charCodeAt(0) - 64), 0);
}

const applicationStates = [undefined, "busy", "application-error", "abnormal-condition"] as const;

/** Bits 5 to 7 are the manufacturer's. */
export function statusFlags(status: number): string[] {
  const application = applicationStates[status & 3];
  return [
    ...((status & 4) !== 0 ? ["power-low"] : []),
    ...((status & 8) !== 0 ? ["permanent-error"] : []),
    ...((status & 16) !== 0 ? ["temporary-error"] : []),
    ...(application === undefined ? [] : [application]),
  ];
}

const media: Readonly<Record<number, string>> = {
  0: "other",
  1: "oil",
  2: "electricity",
  3: "gas",
  4: "heat-outlet",
  5: "steam",
  6: "warm-water",
  7: "water",
  8: "heat-cost-allocator",
  9: "compressed-air",
  10: "cooling-outlet",
  11: "cooling-inlet",
  12: "heat-inlet",
  13: "heat-cooling",
  14: "bus-system",
  15: "unknown",
  16: "irrigation",
  17: "water-logger",
  18: "gas-logger",
  19: "gas-converter",
  20: "calorific-value",
  21: "hot-water",
  22: "cold-water",
  23: "dual-water",
  24: "pressure",
  25: "ad-converter",
  26: "smoke",
  27: "room-sensor",
  28: "gas-detector",
  32: "breaker",
  33: "valve",
  37: "customer-display",
  40: "waste-water",
  41: "garbage",
  42: "carbon-dioxide",
  49: "communication-controller",
  50: "repeater-one-way",
  51: "repeater-two-way",
  54: "radio-converter-system",
  55: "radio-converter-meter",
  56: "wired-adapter",
};
export const mediumName = (medium: number): string => media[medium] ?? "reserved";
export const mediumCodes: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(media).map(([code, name]) => [name, Number(code)]),
);

export interface FixedStructure {
  readonly id: string;
  readonly accessNumber: number;
  readonly status: number;
  readonly medium: number;
  readonly mediumName: string;
  /** Counters hold the values of a fixed date. */
  readonly stored: boolean;
  readonly counters: readonly FixedCounter[];
}

export interface FixedCounter {
  readonly quantity: string;
  readonly unit: string;
  readonly exponent: number;
  readonly stored: boolean;
  /** As sent. */
  readonly raw: Uint8Array;
  readonly value: Value;
}

const fixedOctets = 16;
const fixedMedia = [
  "other",
  "oil",
  "electricity",
  "gas",
  "heat",
  "steam",
  "hot-water",
  "water",
  "heat-cost-allocator",
  "reserved",
  "gas-mode-2",
  "heat-mode-2",
  "hot-water-mode-2",
  "water-mode-2",
  "heat-cost-allocator-mode-2",
  "reserved",
] as const;

/** Undefined unless it is exactly as long as it must be. Status bit 0: binary counters, bit 1: stored at a fixed date. */
export function decodeFixed(data: Uint8Array, msb: boolean): FixedStructure | undefined {
  if (data.length !== fixedOctets) return undefined;
  const turn = (from: number, to: number) => reversedIf(msb, data.subarray(from, to));
  const status = data[5] as number;
  const units = [data[6] as number, data[7] as number] as const;
  const stored = (status & 2) !== 0;
  const medium = (units[1] >> 6) * 4 + (units[0] >> 6);
  const first = fixedUnit(units[0] & 0x3f);
  const asFirst = (units[1] & 0x3f) === 0x3e;
  const second = asFirst ? first : fixedUnit(units[1] & 0x3f);
  const counter = (from: number, unit: FixedUnit, historic: boolean): FixedCounter => ({
    ...unit,
    stored: historic,
    raw: data.subarray(from, from + 4),
    value: (status & 1) !== 0 ? binary(turn(from, from + 4)) : bcd(turn(from, from + 4)),
  });
  return {
    id: hexReversed(turn(0, 4)),
    accessNumber: data[4] as number,
    status,
    medium,
    mediumName: fixedMedia[medium] as string,
    stored,
    counters: [counter(8, first, stored), counter(12, second, stored || asFirst)],
  };
}

function binary(octets: Uint8Array): Value {
  const mantissa = new DataView(octets.buffer, octets.byteOffset, 4).getInt32(0, true);
  return mantissa === -0x8000_0000 ? { kind: "none", reason: "type-b-invalid" } : { kind: "number", mantissa };
}

type FixedUnit = Pick<FixedCounter, "quantity" | "unit" | "exponent">;

const fixedRanges: readonly (readonly [first: number, quantity: string, unit: string, exponent: number])[] = [
  [0x02, "energy", "Wh", 0],
  [0x0b, "energy", "J", 3],
  [0x14, "power", "W", 0],
  [0x1d, "power", "J/h", 3],
  [0x26, "volume", "m3", -6],
  [0x2f, "volume-flow", "m3/h", -6],
];
const fixedSingles: Readonly<Record<number, FixedUnit>> = {
  0: { quantity: "time-of-day", unit: "", exponent: 0 },
  1: { quantity: "date", unit: "", exponent: 0 },
  56: { quantity: "temperature", unit: "Cel", exponent: -3 },
  57: { quantity: "hca-units", unit: "HCA", exponent: 0 },
  63: { quantity: "dimensionless", unit: "", exponent: 0 },
};

/** Six ranges of nine powers of ten each, and a few of their own. */
function fixedUnit(code: number): FixedUnit {
  const range = fixedRanges.find(([first]) => code >= first && code < first + 9);
  if (range !== undefined) return { quantity: range[1], unit: range[2], exponent: range[3] + code - range[0] };
  return fixedSingles[code] ?? { quantity: `reserved-unit-${code.toString(16)}`, unit: "", exponent: 0 };
}
