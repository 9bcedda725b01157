// Reading one meter (EN 13757-3, 11.5): ask, and follow the telegrams that say more is to come. What they hold is one readout
// with one time.

import { DeviceFault } from "#contract/faults.ts";
import { mbusTelegramsMax } from "#limits.ts";
import { type Address, formatAddress } from "./address.ts";
import { faultWords } from "./fault-words.ts";
import type { LongFrame } from "./frame.ts";
import { type FixedStructure, type LongHeader, longHeaderOctets, type ShortHeader } from "./header.ts";
import type { Bus } from "./line.ts";
import type { Item } from "./record.ts";
import { type Contact, converse, type Session } from "./session.ts";
import { type Body, decodeBody } from "./telegram.ts";

/** All telegrams of one readout: they share one time and are published as one. */
export interface Readout {
  /** Receipt of the first telegram, milliseconds since 1970. */
  readonly at: number;
  /** The address the meter answers from: its primary address, however it was called. */
  readonly primary: number;
  readonly header?: LongHeader | ShortHeader;
  readonly items: readonly Item[];
  readonly fixed?: FixedStructure;
  /** The records are encrypted and cannot be read, and why. */
  readonly withheld?: string;
  readonly telegrams: number;
  /** The meter had more to say than the limit allows. */
  readonly cut: boolean;
}

export interface How extends Contact {
  /** 16 octets, where the meter encrypts. */
  readonly key?: Uint8Array;
  /** Sub-code of an application reset sent before: which of its telegrams the meter is to give (EN 13757-3, table 4). */
  readonly applicationSelect?: number;
}

/** The meter asks for patience: not a failure, but a question to be put again later. */
export class MeterBusy extends DeviceFault {
  override name = "MeterBusy";
}

const applicationReset = 0x50;

/** Throws `DeviceFault`: timeout, garbled, refused (the meter says no), `MeterBusy`, unreachable (the line is lost). */
export const readMeter = (bus: Bus, how: How, signal: AbortSignal): Promise<Readout> =>
  converse(bus, how, signal, async session => {
    if (how.applicationSelect !== undefined)
      await session.tell(applicationReset, Uint8Array.of(how.applicationSelect), signal);
    return readTelegrams(bus, session, how, signal);
  });

export async function readTelegrams(bus: Bus, session: Session, how: How, signal: AbortSignal): Promise<Readout> {
  let readout: Readout | undefined;
  let before: LongFrame | undefined;
  for (let telegrams = 1; ; telegrams++) {
    const frame = await session.ask(signal);
    // The meter has come round, or never moves on, though it may count its answers.
    if (readout !== undefined && before !== undefined && sameRecords(before, frame)) return readout;
    before = frame;
    const body = bodyOf(frame, how);
    const more = body.kind === "variable" && body.moreRecordsFollow;
    const cut = more && telegrams >= mbusTelegramsMax;
    const first = { at: bus.clock.now(), primary: frame.a, items: [], telegrams: 0, cut: false };
    readout = join(readout ?? first, body, cut);
    if (!more || cut) return readout;
  }
}

/** Alike but for the access number and status, which a meter may count and change in telegrams that say the same. */
function sameRecords(a: LongFrame, b: LongFrame): boolean {
  if (a.ci !== b.ci || a.data.length !== b.data.length) return false;
  const counted = a.ci === 0x72 || a.ci === 0x76 ? longHeaderOctets - 4 : a.data.length;
  return a.data.every((octet, at) => octet === b.data[at] || at === counted || at === counted + 1);
}

/** Later telegrams add records; the header is that of the first. */
function join(readout: Readout, body: Body, cut: boolean): Readout {
  const next = { ...readout, telegrams: readout.telegrams + 1, cut };
  if (body.kind === "fixed") return { ...next, fixed: body.fixed };
  if (body.kind !== "variable") return next;
  const header = readout.header ?? body.header ?? undefined;
  return {
    ...next,
    items: [...readout.items, ...body.items],
    ...(header === undefined ? {} : { header }),
    ...(body.withheld === undefined ? {} : { withheld: body.withheld }),
  };
}

/** CI 70, EN 13757-3. */
const applicationErrors: Readonly<Record<number, string>> = {
  1: "it does not know what it was told",
  2: "its buffer is too small",
  3: "too many records",
  4: "a record ended too early",
  5: "too many extensions (DIFE)",
  6: "too many extensions (VIFE)",
  8: "it is busy, try again later",
  9: "it was read too often, try again later",
};
const busyCode = 8;
/** For the figures of a line, which know a driver's own codes from 0x100 on. */
export const busyException = 0x100 + busyCode;

/** What the telegram holds, or why it holds no readings. */
export function bodyOf(
  frame: LongFrame,
  { address, key }: { readonly address: Address; readonly key?: Uint8Array },
): Body {
  const who = formatAddress(address);
  const body = decodeBody(frame, key);
  if (body === "decrypt-check") throw new DeviceFault("garbled", `${who}: the decryption key is wrong`);
  if (typeof body === "string")
    throw new DeviceFault("garbled", `${who}: the telegram cannot be read: ${faultWords(body)}`);
  if (body.kind === "application-error") {
    const why = applicationErrors[body.code ?? 0] ?? "no reason given";
    if (body.code === busyCode) throw new MeterBusy("refused", `${who}: the meter reports an error: ${why}`);
    throw new DeviceFault("refused", `${who}: the meter reports an error: ${why}`);
  }
  if (body.kind !== "variable" && body.kind !== "fixed") {
    throw new DeviceFault("garbled", `${who}: the answer holds no readings`);
  }
  return body;
}
