// Compact profiles (EN 13757-3, annex on VIFE 13, 1E and 1F; OMS volume 2, annex G): one record of variable length that holds
// a series of values at equal distances, counted on from a base value that stands in a record of its own. Without a base and a
// distance the series is octets and nothing else.
//
//   spacing control   increment mode (2) | spacing unit (2) | data field (4)
//   spacing value     1 to 250 units; 254 with the unit day: a month
//   values …          in time's direction; of an inverse profile against it

import { type DataRecord, type Item, timestampOf } from "./record.ts";
import { decodeData, type Value } from "./value.ts";
import type { TimeUnit } from "./wall-time.ts";

export interface Profile {
  readonly base: DataRecord;
  /** The base's own date, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss]. */
  readonly baseTime: string;
  readonly unit: TimeUnit;
  /** In the order they are sent. What follows a value that is none cannot be known, and is left out. */
  readonly points: readonly ProfilePoint[];
}

export interface ProfilePoint {
  /** Units after the base time; negative before it. */
  readonly distance: number;
  readonly storage: number;
  readonly value: Value;
}

const headOctets = 2;
const spacingMax = 250;
const month = 254;
const units = ["second", "minute", "hour", "day"] as const;
/** Octets of a value by data field; what is not here cannot stand in a profile. */
const valueOctets: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  6: 6,
  7: 8,
  9: 1,
  10: 2,
  11: 3,
  12: 4,
  14: 6,
};

/** Undefined where the record is no profile, or one that cannot be placed in time. */
export function expandProfile(record: DataRecord, items: readonly Item[]): Profile | undefined {
  const { vib, data, raw, dib } = record;
  if (vib.profile === undefined || data.value.kind !== "octets") return undefined;
  const octets = raw.subarray(dib.octets + vib.octets + 1);
  const [control = 0, spacing = 0] = octets;
  const dataField = control & 0x0f;
  const size = valueOctets[dataField];
  if (size === undefined || (octets.length - headOctets) % size !== 0) return undefined;
  const unit = units[(control >> 4) & 3] as (typeof units)[number];
  const monthly = spacing === month && unit === "day";
  if (!monthly && (spacing === 0 || spacing > spacingMax)) return undefined;
  const base = baseOf(record, items);
  const baseTime = base && timestampOf(base, items);
  if (base === undefined || baseTime === undefined || base.data.value.kind !== "number") return undefined;

  const points: ProfilePoint[] = [];
  const mode = modes[control >> 6] as Mode;
  const backwards = vib.profile === "inverse";
  let before = BigInt(base.data.value.mantissa);
  for (let at = headOctets, n = 1; at < octets.length; at += size, n++) {
    const step = stepAt(octets, at, size, dataField, mode);
    if (step === undefined) break;
    const change = mode === "fall" ? -step : step;
    before = mode === "absolute" ? step : backwards ? before - change : before + change;
    const distance = (backwards ? -n : n) * (monthly ? 1 : spacing);
    const storage = dib.storage + (vib.profile === "registers" ? n : 0);
    points.push({ distance, storage, value: { kind: "number", mantissa: before } });
  }
  return { base, baseTime, unit: monthly ? "month" : unit, points };
}

type Mode = "absolute" | "rise" | "fall" | "difference";
const modes: readonly Mode[] = ["absolute", "rise", "fall", "difference"];

/** One value of the series; rises and falls have no sign. Undefined where it is the pattern that stands for none. */
function stepAt(octets: Uint8Array, at: number, size: number, dataField: number, mode: Mode): bigint | undefined {
  const signless = mode === "rise" || mode === "fall";
  if (signless && octets.subarray(at, at + size).every(octet => octet === 0xff)) return undefined;
  const data = decodeData(octets, at, octets.length, dataField, signless ? { data: "unsigned" } : {}, false);
  return data?.value.kind === "number" ? BigInt(data.value.mantissa) : undefined;
}

/** The record the series goes on from: the same in everything but that it is one value. */
function baseOf({ dib, vib }: DataRecord, items: readonly Item[]): DataRecord | undefined {
  const own = vib.modifiers.filter(name => !profileNames.has(name)).join();
  return items.find(
    (item): item is DataRecord =>
      item.kind === "record" &&
      item.vib.profile === undefined &&
      item.vib.recordError === undefined &&
      item.dib.storage === dib.storage &&
      item.dib.function === dib.function &&
      item.dib.tariff === dib.tariff &&
      item.dib.subunit === dib.subunit &&
      (item.vib.vif & 0x7f) === (vib.vif & 0x7f) &&
      item.vib.quantity === vib.quantity &&
      item.vib.exponent === vib.exponent &&
      item.vib.seconds === vib.seconds &&
      item.vib.textUnit === vib.textUnit &&
      item.vib.manufacturerVife === vib.manufacturerVife &&
      item.vib.modifiers.join() === own,
  );
}

const profileNames = new Set(["compact-profile", "compact-profile-with-registers", "inverse-compact-profile"]);
