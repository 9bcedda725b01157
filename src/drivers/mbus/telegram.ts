// A whole telegram: link frame, application header, records (EN 13757-2 and -3). Any octets end in a telegram or a typed
// fault; nothing throws.

import { decodeFrame, directionOf, type Frame, type FrameFault, type LongFrame } from "./frame.ts";
import {
  decodeFixed,
  decodeLongHeader,
  decodeShortHeader,
  type FixedStructure,
  type LongHeader,
  longHeaderOctets,
  type ShortHeader,
  shortHeaderOctets,
} from "./header.ts";
import { decryptMode5, keyOctets, protectionOf } from "./mode5.ts";
import { decodeRecords, type Item, type RecordFault } from "./record.ts";
import type { Sender } from "./vif.ts";

export type Body =
  | {
      readonly kind: "variable";
      /** Null for CI 78, which has none; undefined for a master's data without one (CI 51, 55). */
      readonly header: LongHeader | ShortHeader | null | undefined;
      readonly items: readonly Item[];
      readonly moreRecordsFollow: boolean;
      /** Records are withheld, and why. */
      readonly withheld?: string;
    }
  | { readonly kind: "fixed"; readonly fixed: FixedStructure }
  /** CI 70; `code` undefined when no octet follows. */
  | { readonly kind: "application-error"; readonly code: number | undefined }
  /** CI 71 */
  | { readonly kind: "alarm"; readonly data: Uint8Array }
  /** Resets, selects, baud rates: what only a master sends. */
  | { readonly kind: "command"; readonly data: Uint8Array };

export type TelegramFault = FrameFault | RecordFault | "ci" | "short-header" | "fixed-length" | "decrypt-check";

export interface Telegram {
  readonly frame: Frame;
  /** Absent for an acknowledgement and for short frames. */
  readonly body?: Body;
}

export interface Faulty {
  readonly fault: TelegramFault;
  /** There where the link frame was sound: unknown CI codes keep their octets. */
  readonly frame?: Frame;
}

export const isFaulty = (telegram: Telegram | Faulty): telegram is Faulty => "fault" in telegram;

/** `key`: 16 octets for encryption mode 5. */
export function decodeTelegram(bytes: Uint8Array, key?: Uint8Array): Telegram | Faulty {
  const seen = decodeFrame(bytes);
  if ("fault" in seen) return seen;
  const { frame } = seen;
  if (frame.type !== "long" && frame.type !== "control") return { frame };
  const body = decodeBody(frame, key);
  return typeof body === "string" ? { fault: body, frame } : { frame, body };
}

/** Bit 2 set: most significant octet first. */
const msbCodes = new Set([0x76, 0x77, 0x55, 0x56]);

export function decodeBody({ c, ci, data }: LongFrame, key?: Uint8Array): Body | TelegramFault {
  const fromMaster = directionOf(c) === "master";
  const msb = msbCodes.has(ci);
  if (slaveCodes.has(ci)) {
    if (fromMaster) return "direction";
    return decodeAnswer(ci, data, msb, key);
  }
  if (!isMasterCode(ci)) return "ci";
  if (!fromMaster) return "direction";
  switch (ci) {
    case 0x51:
    case 0x55:
      return variable(undefined, data, msb, "master");
    case 0x5a:
      return underShortHeader(data, "master");
    case 0x5b:
      return underLongHeader(data, msb, "master", key);
    default:
      return { kind: "command", data };
  }
}

const slaveCodes = new Set([0x70, 0x71, 0x72, 0x73, 0x76, 0x77, 0x78, 0x7a]);
const masterCodes = new Set([0x50, 0x51, 0x52, 0x54, 0x55, 0x56, 0x5a, 0x5b]);
const isMasterCode = (ci: number): boolean => masterCodes.has(ci) || (ci >= 0xb8 && ci <= 0xbf);

function decodeAnswer(ci: number, data: Uint8Array, msb: boolean, key?: Uint8Array): Body | TelegramFault {
  switch (ci) {
    case 0x70:
      return { kind: "application-error", code: data[0] };
    case 0x71:
      return { kind: "alarm", data };
    case 0x73:
    case 0x77: {
      const fixed = decodeFixed(data, msb);
      return fixed === undefined ? "fixed-length" : { kind: "fixed", fixed };
    }
    case 0x78:
      return variable(null, data, false, "slave");
    case 0x7a:
      return underShortHeader(data, "slave");
    default:
      return underLongHeader(data, msb, "slave", key);
  }
}

function underShortHeader(data: Uint8Array, sender: Sender): Body | TelegramFault {
  const header = decodeShortHeader(data);
  if (header === undefined) return "short-header";
  const records = data.subarray(shortHeaderOctets);
  const protection = protectionOf(header, records.length);
  if (protection.kind === "plain") return variable(header, records, false, sender);
  // The vector needs the address, which a short header does not carry.
  return withhold(header, protection.kind === "mode5" ? "encrypted (mode 5 behind a short header)" : protection.reason);
}

function underLongHeader(data: Uint8Array, msb: boolean, sender: Sender, key?: Uint8Array): Body | TelegramFault {
  const header = decodeLongHeader(data, msb);
  if (header === undefined) return "short-header";
  const records = data.subarray(longHeaderOctets);
  const protection = protectionOf(header, records.length);
  if (protection.kind === "plain") return variable(header, records, msb, sender);
  if (protection.kind === "unreadable") return withhold(header, protection.reason);
  if (key?.length !== keyOctets) return withhold(header, "encrypted");
  const address = Uint8Array.of(...data.subarray(4, 6), ...data.subarray(0, 4), ...data.subarray(6, 8));
  const plain = decryptMode5(records, protection.octets, key, address, header.accessNumber);
  return plain === undefined ? "decrypt-check" : variable(header, plain, msb, sender);
}

const withhold = (header: LongHeader | ShortHeader, withheld: string): Body => ({
  kind: "variable",
  header,
  items: [],
  moreRecordsFollow: false,
  withheld,
});

function variable(
  header: LongHeader | ShortHeader | null | undefined,
  data: Uint8Array,
  msb: boolean,
  sender: Sender,
): Body | TelegramFault {
  const records = decodeRecords(data, msb, sender);
  if (typeof records === "string") return records;
  const { items, moreRecordsFollow } = records;
  return { kind: "variable", header, items, moreRecordsFollow };
}
