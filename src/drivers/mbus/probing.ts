// One step of a search: a select and the question after it, and what came of both (EN 13757-3, 11.5). An E5 may be one meter's or
// several at the same instant; only the telegram tells. Whatever is not a sound answer and nothing else is several.

import { selectedAddress } from "./address.ts";
import { control, directionOf, encodeReqUd2, type LongFrame } from "./frame.ts";
import { decodeFixed, decodeLongHeader, type LongHeader } from "./header.ts";
import type { Bus, Outcome } from "./line.ts";
import type { Mask, Met, Probe } from "./search.ts";
import { deselect, selectRequest } from "./selection.ts";
import { decodeBody } from "./telegram.ts";

export async function probeMask(bus: Bus, mask: Mask, signal: AbortSignal): Promise<Probe> {
  // A select that does not fit lets go by itself: nobody need be told before.
  bus.nobodySelected = false;
  const selected = await bus.exchange(selectRequest(mask), "ack", signal);
  if (selected.kind === "silence") return { kind: "nobody" };
  if (selected.kind !== "ack")
    return { kind: "several", why: selected.kind === "garbled" ? reasonOf(selected) : "noise" };
  const asked = await askSelected(bus, signal);
  if (asked === undefined) return { kind: "several", why: "silent" };
  if (typeof asked === "string") return { kind: "several", why: asked };
  // A second telegram behind the first, from a slower meter: the first is a meter, and there is another.
  if ((await bus.trailing(signal)) > 0) return { kind: "several", why: "two answers" };
  await deselect(bus, signal);
  const address = faceOf(asked);
  if (address === undefined) return { kind: "several", why: "ci" };
  const meter = {
    address,
    primary: asked.a,
    ...(mask.fabrication === undefined ? {} : { fabrication: fabricationIn(asked) ?? mask.fabrication }),
  };
  return (await isReal(bus, mask, meter, signal)) ? { kind: "one", meter } : { kind: "several", why: phantom };
}

/** Why a mask was opened, for people. */
const phantom = "several answers at once that looked like one";

/**
 * Two answers bit upon bit may make a sound third one, of a meter that is not there: who was found must answer to his own number.
 * A mask without wildcards says it already.
 */
async function isReal(bus: Bus, mask: Mask, { address, fabrication }: Met, signal: AbortSignal): Promise<boolean> {
  if (!mask.digits.includes("F") || mask.digits === address) return true;
  const own = selectRequest({ digits: address, ...(fabrication === undefined ? {} : { fabrication }) });
  for (let tries = 0; tries < 2; tries++) {
    const { kind } = await bus.exchange(own, "ack", signal);
    bus.nobodySelected = false;
    if (kind !== "ack") continue;
    await deselect(bus, signal);
    return true;
  }
  return false;
}

/** A collision of meters is many octets; a bad contact or a faulty converter gives one or two, with nearly all bits set. */
const reasonOf = ({ reason, octets }: Extract<Outcome, { kind: "garbled" }>): string =>
  octets.length <= 2 && octets.every(octet => octet >= 0xf0 || octet === 0) ? "adapter" : reason;

/** The telegram, what is wrong with it, or undefined where whoever acknowledged says nothing even when asked twice. */
async function askSelected(bus: Bus, signal: AbortSignal): Promise<LongFrame | string | undefined> {
  for (let tries = 0; tries < 2; tries++) {
    const asked = await bus.exchange(encodeReqUd2(selectedAddress, true), isReadings, signal);
    if (asked.kind === "answer") return asked.frame;
    if (asked.kind === "garbled") return asked.reason;
  }
  return undefined;
}

export const isReadings = ({ c }: LongFrame): boolean => directionOf(c) === "slave" && (c & 0x0f) === control.rspUd;

/** As the meter says it itself, in a record 0C 78: better than as much of it as was needed to select it. */
function fabricationIn(frame: LongFrame): string | undefined {
  const body = decodeBody(frame);
  if (typeof body === "string" || body.kind !== "variable") return undefined;
  const found = body.items.find(({ kind, raw }) => kind === "record" && raw[0] === 0x0c && raw[1] === 0x78);
  const digits = found === undefined ? "" : Buffer.from(found.raw.subarray(2).toReversed()).toString("hex");
  return /^\d{8}$/.test(digits) ? digits : undefined;
}

/** Sixteen digits; those a meter does not say are F. Undefined for an answer without any identity. */
export function faceOf({ ci, data }: LongFrame): string | undefined {
  if (ci === 0x72 || ci === 0x76) return decodeLongHeader(data, ci === 0x76)?.secondaryAddress;
  if (ci !== 0x73 && ci !== 0x77) return undefined;
  const fixed = decodeFixed(data, ci === 0x77);
  return fixed === undefined ? undefined : fixed.id.padEnd(16, "F");
}

/** The parts of sixteen digits, for people. Undefined: the meter does not say. */
export function partsOfFace(
  face: string,
): { id: string } & Partial<Pick<LongHeader, "manufacturer" | "version" | "medium">> {
  const header = decodeLongHeader(Uint8Array.from([...octetsOf(face), 0, 0, 0, 0]), false);
  if (header === undefined || face.slice(8) === "FFFFFFFF") return { id: face.slice(0, 8) };
  return { id: face.slice(0, 8), manufacturer: header.manufacturer, version: header.version, medium: header.medium };
}

const octetsOf = (face: string): number[] => {
  const pairs = (face.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16));
  return [...pairs.slice(0, 4).reverse(), ...pairs.slice(4)];
};
