// Value information block (EN 13757-3, 6.4): one VIF, for some codes further octets of an extension table or a plain text
// unit, and up to ten VIFE, all of which count, in order, until the manufacturer's own begin.

import type { Category } from "#contract/field.ts";
import { mbusVibsKnownMax } from "#limits.ts";
import { extensionBit } from "./dif.ts";
import { fbVifs, fdFdVifs, fdVifs, primaryVifs, type Vif } from "./vif-table.ts";
import { actionVifes, combinableVifes, type ProfileKind, secondVifes } from "./vife-table.ts";

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
  /** Name and category a profile of the product gives it, in place of those of the quantity. */
  readonly term?: string;
  readonly told?: Category;
  /** The quantity a date or duration is about, where a VIFE made it one. */
  readonly of?: string;
  /** The meter says why this record is no good; the data are still its octets. */
  readonly recordError?: string;
  /** The data are a series of values (VIFE 13, 1E, 1F): see profile.ts. */
  readonly profile?: ProfileKind;
  /** To be added after scaling: powers of ten in the base unit of the VIF. */
  readonly addends: readonly number[];
  readonly computed: boolean;
  readonly octets: number;
}

export type VibFault = "end-in-vif" | "too-many-vife";
export type Sender = "slave" | "master";

const vifesMax = 10;
const manufacturer: Vif = { quantity: "manufacturer-specific", unit: "", exponent: 0 };
const none: readonly never[] = [];

/** In what a master sends, VIFE 00 to 0D say what to do instead of what went wrong. */
export function decodeVib(bytes: Uint8Array, at: number, end: number, sender: Sender = "slave"): Vib | VibFault {
  if (at >= end) return "end-in-vif";
  const vif = bytes[at] as number;
  const single = singleVibs[vif];
  if (single !== undefined) return single;
  if ((vif & 0x7f) === 0x7c) return textVib(bytes, at, end, sender);
  const tail = tailEnd(bytes, at + 1, end);
  if (typeof tail === "string") return tail;
  return knownVib(bytes, at, tail, sender);
}

/** Where the VIFE end, of which the last has no extension bit. */
function tailEnd(bytes: Uint8Array, first: number, end: number): number | VibFault {
  for (let next = first, n = 0; ; n++) {
    if (next >= end) return "end-in-vif";
    if (n === vifesMax) return "too-many-vife";
    if (((bytes[next++] as number) & extensionBit) === 0) return next;
  }
}

/** Meters say the same few blocks again and again: each is worked out once, by its octets as a number. */
const known: Readonly<Record<Sender, Map<number, Vib>>> = { slave: new Map(), master: new Map() };
const knownOctetsMax = 6;

function knownVib(bytes: Uint8Array, at: number, end: number, sender: Sender): Vib {
  if (end - at > knownOctetsMax) return plainVib(bytes.slice(at, end), sender);
  let key = 0;
  for (let n = at; n < end; n++) key = key * 256 + (bytes[n] as number);
  const vibs = known[sender];
  const found = vibs.get(key);
  if (found !== undefined) return found;
  const made = plainVib(bytes.slice(at, end), sender);
  if (vibs.size < mbusVibsKnownMax) vibs.set(key, made);
  return made;
}

/** `block`: VIF and all VIFE. */
function plainVib(block: Uint8Array, sender: Sender): Vib {
  const vif = block[0] as number;
  const tail = block.subarray(1);
  const base = { vif, vife: hex(tail), octets: block.length };
  if ((vif & 0x7f) === 0x7f) {
    return { ...base, ...manufacturer, modifiers: none, manufacturerVife: hex(tail), addends: none, computed: false };
  }
  const { meaning, used } = meaningOf(vif, tail);
  return { ...base, ...combine(meaning, tail.subarray(used), sender) };
}

/** Length and text stand directly behind the VIF, last character first; VIFE follow the text. */
function textVib(bytes: Uint8Array, at: number, end: number, sender: Sender): Vib | VibFault {
  const vif = bytes[at] as number;
  const length = bytes[at + 1] as number;
  const first = at + 2 + length;
  if (at + 1 >= end || first > end) return "end-in-vif";
  const textUnit = latin1Reversed(bytes, at + 2, first);
  const last = (vif & extensionBit) === 0 ? first : tailEnd(bytes, first, end);
  if (typeof last === "string") return last;
  const tail = bytes.subarray(first, last);
  const identity = textUnit === "cust. ID" ? ({ category: "identity" } as const) : {};
  const meaning: Vif = { quantity: "text-vif", unit: textUnit, exponent: 0, ...identity };
  return { vif, vife: hex(tail), octets: last - at, textUnit, ...combine(meaning, tail, sender) };
}

/** The quantity of a VIF, and how many octets of its tail name it rather than modify it. */
function meaningOf(vif: number, tail: Uint8Array): { meaning: Vif; used: number } {
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

type Combined = Omit<Vib, "vif" | "vife" | "octets" | "textUnit">;

/** Most records have one VIF octet and nothing behind it: made once, shared by all. */
const singleVibs: readonly (Vib | undefined)[] = primaryVifs.map((meaning, vif) => {
  if (vif === 0x7c) return undefined;
  return { vif, vife: "", octets: 1, ...combine(vif === 0x7f ? manufacturer : meaning, new Uint8Array(), "slave") };
});

/** What the VIFE make of a quantity; later ones have the last word where two contradict each other. */
interface Effects {
  modifiers: string[];
  addends: number[];
  exponent: number;
  computed: boolean;
  manufacturerVife: string;
  recordError?: string;
  profile?: ProfileKind;
  replaced?: Vif;
}

function combine(meaning: Vif, vifes: Uint8Array, sender: Sender): Combined {
  if (vifes.length === 0) {
    return { ...meaning, modifiers: none, manufacturerVife: "", addends: none, computed: false };
  }
  const { exponent, replaced, ...effects } = effectsOf(meaning, vifes, sender);
  if (replaced !== undefined) return { ...replaced, ...effects, addends: none, of: meaning.quantity };
  const unsigned = effects.modifiers.includes("as-type-C") || effects.modifiers.includes("as-type-D");
  return { ...meaning, exponent, ...(unsigned ? { data: "unsigned" as const } : {}), ...effects };
}

function effectsOf(meaning: Vif, vifes: Uint8Array, sender: Sender): Effects {
  const effects: Effects = {
    modifiers: [],
    addends: [],
    exponent: meaning.exponent,
    computed: false,
    manufacturerVife: "",
  };
  for (let at = 0; at < vifes.length; at++) {
    const code = (vifes[at] as number) & 0x7f;
    if (code === 0x7f) {
      // What follows is the manufacturer's and must not be read as factors.
      effects.modifiers.push("manufacturer-vife");
      effects.manufacturerVife = hex(vifes.subarray(at + 1));
      break;
    }
    if (code === 0x7c && at + 1 < vifes.length) {
      const second = (vifes[++at] as number) & 0x7f;
      effects.modifiers.push(secondVifes[second] ?? `vife-7c-${second.toString(16).padStart(2, "0")}`);
      continue;
    }
    const action = sender === "master" ? actionVifes[code] : undefined;
    if (action !== undefined) effects.modifiers.push(action);
    else apply(code, effects);
  }
  return effects;
}

const clock: Vif = { quantity: "date-time", unit: "", exponent: 0, data: "date-time", category: "status" };

function apply(code: number, effects: Effects): void {
  const vife = combinableVifes[code];
  switch (vife?.kind) {
    case undefined:
    case "none":
      return;
    case "error":
      effects.recordError = vife.error;
      return;
    case "factor":
      effects.exponent += vife.exponent;
      return;
    case "addend":
      effects.addends.push(vife.exponent);
      return;
    case "modifier":
      effects.modifiers.push(vife.name);
      effects.computed ||= vife.computed === true;
      if (vife.profile !== undefined) effects.profile = vife.profile;
      return;
    case "date":
      effects.modifiers.push(vife.name);
      effects.replaced = clock;
      return;
    case "duration":
      effects.modifiers.push(vife.name);
      effects.replaced = {
        quantity: "duration",
        unit: "s",
        exponent: 0,
        ...(vife.seconds ? { seconds: vife.seconds } : {}),
      };
      effects.computed = true;
  }
}

/** ISO 8859-1, last character sent first. */
export function latin1Reversed(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = to - 1; at >= from; at--) text += String.fromCharCode(bytes[at] as number);
  return text;
}

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, "0"));

/** Upper case, no blanks. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) text += pairs[bytes[at] as number];
  return text;
}

/** From the last octet to the first. */
export function hexReversed(bytes: Uint8Array): string {
  let text = "";
  for (let at = bytes.length - 1; at >= 0; at--) text += pairs[bytes[at] as number];
  return text;
}

/** Never turns octets round in place: a Buffer's slice is no copy, and the telegram belongs to somebody else. */
export const reversedIf = (turn: boolean, octets: Uint8Array): Uint8Array => (turn ? octets.toReversed() : octets);
