// The data records of a telegram (EN 13757-3, 6.2): a walk over DIB, VIB and data, each bounded by what is there. What is
// not understood is kept as octets; only a record that ends too early refuses the telegram.

import { type Dib, type DibFault, decodeDib } from "./dif.ts";
import { type Data, decodeData } from "./value.ts";
import { decodeVib, type Sender, type Vib, type VibFault } from "./vif.ts";

export interface DataRecord {
  readonly kind: "record";
  readonly dib: Dib;
  readonly vib: Vib;
  readonly data: Data;
  /** All octets, as sent. */
  readonly raw: Uint8Array;
}

/** DIF 0F and 1F: from here to the end the octets are the manufacturer's. */
export interface ManufacturerBlock {
  readonly kind: "manufacturer-block";
  readonly moreRecordsFollow: boolean;
  readonly raw: Uint8Array;
}

/** What cannot be read, to the end: a reserved DIF (3F … 6F), or what stands behind a length nobody knows. */
export interface OpaqueBlock {
  readonly kind: "opaque";
  readonly raw: Uint8Array;
}

/** DIF 7F: a master's request for all records. */
export interface ReadoutRequest {
  readonly kind: "readout-request";
  readonly raw: Uint8Array;
}

export type Item = DataRecord | ManufacturerBlock | OpaqueBlock | ReadoutRequest;

export interface Records {
  readonly items: readonly Item[];
  readonly moreRecordsFollow: boolean;
}

export type RecordFault = DibFault | VibFault | "end-in-data";

const filler = 0x2f;

/** `msb`: most significant octet first. `sender`: what VIFE mean depends on who says them. */
export function decodeRecords(bytes: Uint8Array, msb = false, sender: Sender = "slave"): Records | RecordFault {
  const items: Item[] = [];
  const end = bytes.length;
  let moreRecordsFollow = false;
  for (let at = 0; at < end; ) {
    const dif = bytes[at] as number;
    if (dif === filler) {
      at++;
      continue;
    }
    if ((dif & 0x0f) === 0x0f) {
      const item = special(bytes, at);
      items.push(item);
      if (item.kind === "manufacturer-block") moreRecordsFollow = item.moreRecordsFollow;
      at += item.raw.length;
      continue;
    }
    const record = decodeRecord(bytes, at, end, msb, sender);
    if (typeof record === "string") return record;
    items.push(record);
    at += record.raw.length;
    if (record.data.lengthUnknown && at < end) {
      items.push({ kind: "opaque", raw: bytes.subarray(at) });
      break;
    }
  }
  return { items, moreRecordsFollow };
}

function decodeRecord(
  bytes: Uint8Array,
  at: number,
  end: number,
  msb: boolean,
  sender: Sender,
): DataRecord | RecordFault {
  const dib = decodeDib(bytes, at, end);
  if (typeof dib === "string") return dib;
  const vib = decodeVib(bytes, at + dib.octets, end, sender);
  if (typeof vib === "string") return vib;
  const from = at + dib.octets + vib.octets;
  const data = decodeData(bytes, from, end, dib.dataField, vib, msb);
  if (data === undefined) return "end-in-data";
  return { kind: "record", dib, vib, data, raw: bytes.subarray(at, from + data.octets) };
}

function special(bytes: Uint8Array, at: number): ManufacturerBlock | OpaqueBlock | ReadoutRequest {
  const dif = bytes[at];
  if (dif === 0x0f || dif === 0x1f) {
    return { kind: "manufacturer-block", moreRecordsFollow: dif === 0x1f, raw: bytes.subarray(at) };
  }
  if (dif === 0x7f) return { kind: "readout-request", raw: bytes.subarray(at, at + 1) };
  return { kind: "opaque", raw: bytes.subarray(at) };
}

/** VIF 6C and 6D themselves, not a date a modifier made of something else. */
export const isDate = ({ vib }: DataRecord): boolean => vib.quantity === "date" || vib.quantity === "date-time";

/**
 * The text of the date that says when a stored value was valid: a date record of the same storage number, wherever it
 * stands; best of the same function and subunit. The date of a maximum is when it was reached, and no date of anything
 * else. "Future" dates are the next set day, so no modifier may stand on it.
 */
export function timestampOf(record: DataRecord, items: readonly Item[]): string | undefined {
  if (record.dib.storage === 0) return undefined;
  let best: { text: string; likeness: number } | undefined;
  for (const item of items) {
    if (item.kind !== "record" || item.dib.storage !== record.dib.storage || !isDate(item)) continue;
    if (item.dib.function !== record.dib.function && item.dib.function !== "instantaneous") continue;
    const { value } = item.data;
    if ((value.kind !== "date" && value.kind !== "date-time") || item.vib.modifiers.length > 0) continue;
    const likeness =
      (item.dib.function === record.dib.function ? 2 : 0) + (item.dib.subunit === record.dib.subunit ? 1 : 0);
    if (best === undefined || likeness > best.likeness) best = { text: value.text, likeness };
  }
  return best?.text;
}
