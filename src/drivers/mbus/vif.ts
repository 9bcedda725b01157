// Value information block (EN 13757-3, 6.4): one VIF, for some codes further octets of an extension table or a plain text
// unit, and up to ten VIFE, all of which count, in order, until the manufacturer's own begin.

import { extensionBit } from "./dif.ts";
import { combinableVifes, fbVifs, fdFdVifs, fdVifs, primaryVifs, secondVifes, type Vif } from "./vif-table.ts";

/** What the data of a record mean. */
export interface Vib extends Vif {
  readonly vif: number;
  /** Octets after the VIF without the text of a plain text unit, as hex. */
  readonly vife: string;
  readonly modifiers: readonly string[];
  /** Hex of what follows VIF or VIFE 7F. */
  readonly manufacturerVife: string;
  /** Unit in the meter's own words (VIF 7C). */
  readonly textUnit?: string;
  /** The quantity a date or duration is about, where a VIFE made it one. */
  readonly of?: string;
  /** The meter says why this record is no good; the data are still its octets. */
  readonly recordError?: string;
  /** To be added after scaling: powers of ten in the base unit of the VIF. */
  readonly addends: readonly number[];
  readonly computed: boolean;
  readonly octets: number;
}

export type VibFault = "end-in-vif" | "too-many-vife";

const vifesMax = 10;
const manufacturer: Vif = { quantity: "manufacturer-specific", unit: "", exponent: 0 };

export function decodeVib(bytes: Uint8Array, at: number, end: number): Vib | VibFault {
  if (at >= end) return "end-in-vif";
  const vif = bytes[at] as number;
  const single = singleVibs[vif];
  if (single !== undefined) return single;
  let next = at + 1;
  const code = vif & 0x7f;

  let textUnit: string | undefined;
  if (code === 0x7c) {
    // Length and text stand directly behind the VIF, last character first; VIFE follow the text.
    const length = bytes[next] as number;
    if (next >= end || next + 1 + length > end) return "end-in-vif";
    textUnit = latin1Reversed(bytes, next + 1, next + 1 + length);
    next += 1 + length;
  }
  const first = next;
  if ((vif & extensionBit) !== 0) {
    for (let n = 0; ; n++) {
      if (next >= end) return "end-in-vif";
      if (n === vifesMax) return "too-many-vife";
      if (((bytes[next++] as number) & extensionBit) === 0) break;
    }
  }
  const tail = bytes.subarray(first, next);
  const base = { vif, vife: hex(tail), octets: next - at, ...(textUnit === undefined ? {} : { textUnit }) };
  if (code === 0x7f) {
    return { ...base, ...manufacturer, modifiers: [], manufacturerVife: hex(tail), addends: [], computed: false };
  }
  const { meaning, used } = meaningOf(vif, tail, textUnit);
  return { ...base, ...combine(meaning, tail.subarray(used)) };
}

/** The quantity of a VIF, and how many octets of its tail name it rather than modify it. */
function meaningOf(vif: number, tail: Uint8Array, textUnit: string | undefined): { meaning: Vif; used: number } {
  if (textUnit !== undefined) {
    const identity = textUnit === "cust. ID" ? ({ category: "identity" } as const) : {};
    return { meaning: { quantity: "text-vif", unit: textUnit, exponent: 0, ...identity }, used: 0 };
  }
  const second = (tail[0] ?? 0) & 0x7f;
  if (vif === 0xfb) return { meaning: fbVifs[second] as Vif, used: 1 };
  if (vif === 0xfd && tail[0] === 0xfd) return { meaning: fdFdVifs[(tail[1] ?? 0) & 0x7f] as Vif, used: 2 };
  if (vif === 0xfd) return { meaning: fdVifs[second] as Vif, used: 1 };
  if (vif === 0xef) {
    const code = second.toString(16).padStart(2, "0");
    return { meaning: { quantity: `reserved-ef-${code}`, unit: "", exponent: 0 }, used: 1 };
  }
  return { meaning: primaryVifs[vif & 0x7f] as Vif, used: 0 };
}

type Combined = Vif & Pick<Vib, "modifiers" | "manufacturerVife" | "addends" | "computed" | "of" | "recordError">;

const none: readonly never[] = [];

/** Most records have one VIF octet and nothing behind it: made once, shared by all. */
const singleVibs: readonly (Vib | undefined)[] = primaryVifs.map((meaning, vif) =>
  vif === 0x7c || vif === 0x7f ? undefined : { vif, vife: "", octets: 1, ...combine(meaning, new Uint8Array()) },
);

function combine(meaning: Vif, vifes: Uint8Array): Combined {
  if (vifes.length === 0) {
    return { ...meaning, modifiers: none, manufacturerVife: "", addends: none, computed: false };
  }
  const modifiers: string[] = [];
  const addends: number[] = [];
  let { exponent } = meaning;
  let computed = false;
  let manufacturerVife = "";
  let recordError: string | undefined;
  let replaced: Vif | undefined;
  for (let at = 0; at < vifes.length; at++) {
    const code = (vifes[at] as number) & 0x7f;
    if (code === 0x7f) {
      // What follows is the manufacturer's and must not be read as factors.
      modifiers.push("manufacturer-vife");
      manufacturerVife = hex(vifes.subarray(at + 1));
      break;
    }
    if (code === 0x7c && at + 1 < vifes.length) {
      const second = (vifes[++at] as number) & 0x7f;
      modifiers.push(secondVifes[second] ?? `vife-7c-${second.toString(16).padStart(2, "0")}`);
      continue;
    }
    const vife = combinableVifes[code];
    if (vife === undefined || vife.kind === "none") continue;
    if (vife.kind === "error") recordError = vife.error;
    else if (vife.kind === "factor") exponent += vife.exponent;
    else if (vife.kind === "addend") addends.push(vife.exponent);
    else {
      modifiers.push(vife.name);
      if (vife.kind === "modifier") computed ||= vife.computed === true;
      else if (vife.kind === "date")
        replaced = { quantity: "date-time", unit: "", exponent: 0, data: "date-time", category: "status" };
      else {
        replaced = { quantity: "duration", unit: "s", exponent: 0, ...(vife.seconds ? { seconds: vife.seconds } : {}) };
        computed = true;
      }
    }
  }
  const unsigned = modifiers.includes("as-type-C") || modifiers.includes("as-type-D");
  return {
    ...(replaced ?? { ...meaning, exponent, ...(unsigned ? { data: "unsigned" as const } : {}) }),
    modifiers,
    manufacturerVife,
    addends: replaced ? none : addends,
    computed,
    ...(replaced ? { of: meaning.quantity } : {}),
    ...(recordError === undefined ? {} : { recordError }),
  };
}

/** ISO 8859-1, last character sent first. */
export function latin1Reversed(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = to - 1; at >= from; at--) text += String.fromCharCode(bytes[at] as number);
  return text;
}

/** Upper case, no blanks. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16).toUpperCase();
  return text;
}

/** Never turns octets round in place: a Buffer's slice is no copy, and the telegram belongs to somebody else. */
export const reversedIf = (turn: boolean, octets: Uint8Array): Uint8Array => (turn ? octets.toReversed() : octets);
