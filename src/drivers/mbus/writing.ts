// What a meter can be told (EN 13757-3, 11): records written with SND_UD, and whether it did what it was told, as far as
// it can be asked. Octets are made here; who may cause them to be sent is decided where they are offered.

import { TimeoutError, within } from "#base/deadline.ts";
import type { WriteOutcome } from "#contract/control.ts";
import { DeviceFault } from "#contract/faults.ts";
import { mbusReadBackMs } from "#limits.ts";
import { type Address, formatAddress } from "./address.ts";
import { encodeSndNke } from "./frame.ts";
import type { Bus } from "./line.ts";
import { MeterBusy, type Readout, readMeter } from "./readout.ts";
import { type Contact, converse } from "./session.ts";

const dataSend = 0x51;

/** 01 7A nn: the primary address (EN 13757-3, VIF 7A). */
export const primaryRecord = (address: number): Uint8Array => Uint8Array.of(0x01, 0x7a, address);

/** 0C 79: the identification, eight digits. */
export const identificationRecord = (digits: string): Uint8Array =>
  Uint8Array.of(0x0c, 0x79, ...(digits.match(/../g) ?? []).map(pair => Number.parseInt(pair, 16)).reverse());

/** 04 6D, type F: the clock, to the minute, as the wall shows it: "2026-11-20T12:31". */
export function clockRecord(wall: string): Uint8Array {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = wall.split(/[-T:]/).map(Number);
  const hundreds = Math.min(3, Math.max(0, Math.floor(year / 100) - 19));
  return Uint8Array.of(0x04, 0x6d, minute, hour | (hundreds << 5), ...dayOctets(year, month, day));
}

/** 42 EC 7E, type G: the next set day: "2026-12-31". */
export function setDayRecord(date: string): Uint8Array {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  return Uint8Array.of(0x42, 0xec, 0x7e, ...dayOctets(year, month, day));
}

const dayOctets = (year: number, month: number, day: number): [number, number] => {
  const y = year % 100;
  return [day | ((y & 7) << 5), month | ((y & 0x78) << 1)];
};

/** What a readout says of what was written: as it was told, otherwise (in its own words), or nothing. */
export type Verdict = { readonly is: "as-told" } | { readonly is: "otherwise"; readonly says: string } | undefined;

export interface Write {
  readonly ci?: number;
  readonly data: Uint8Array;
  /** Where the meter is to be found afterwards, when the write moves it. */
  readonly afterwards?: Address;
  /** Left out where a readout cannot tell, or may not be asked for. */
  readonly verdict?: (readout: Readout) => Verdict;
}

/**
 * Written once, with the repetitions of the standard; then the meter is asked. A lost acknowledgement decides nothing: what the
 * meter says afterwards does. Throws `DeviceFault`: refused when it says something else, timeout when it is silent.
 */
export async function write(
  bus: Bus,
  contact: Contact,
  { ci = dataSend, data, afterwards = contact.address, verdict }: Write,
  signal: AbortSignal,
): Promise<WriteOutcome> {
  const lost = await converse(bus, contact, signal, session => session.tell(ci, data, signal)).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof DeviceFault && (error.kind === "timeout" || error.kind === "garbled")) return error;
      throw error;
    },
  );
  const readout = verdict === undefined ? undefined : await readBack(bus, { ...contact, address: afterwards }, signal);
  const found = readout === undefined ? undefined : verdict?.(readout);
  if (found?.is === "as-told") return "confirmed";
  if (lost !== undefined) throw lost;
  if (found?.is === "otherwise") {
    const who = formatAddress(contact.address);
    throw new DeviceFault("refused", `${who}: it acknowledged and did not do it: it says ${found.says}`);
  }
  return "unconfirmed";
}

/** Undefined where the meter does not answer in time: then nobody knows. A refusal of the meter is thrown. */
async function readBack(bus: Bus, contact: Contact, signal: AbortSignal): Promise<Readout | undefined> {
  try {
    return await within(bus.clock, mbusReadBackMs, formatAddress(contact.address), signal, inner =>
      readMeter(bus, contact, inner),
    );
  } catch (error) {
    if (signal.aborted || error instanceof MeterBusy) {
      if (signal.aborted) throw error;
      return undefined;
    }
    if (error instanceof TimeoutError) return undefined;
    if (error instanceof DeviceFault && error.kind !== "refused" && error.kind !== "unreachable") return undefined;
    throw error;
  }
}

/** A second meter at one address would spoil both: throws `DeviceFault` refused when somebody is there already. */
export async function requireFree(bus: Bus, address: number, signal: AbortSignal): Promise<void> {
  const outcome = await bus.exchange(encodeSndNke(address), "ack", signal);
  if (outcome.kind === "silence") return;
  throw new DeviceFault("refused", `primary address ${address}: a meter answers there already`);
}
