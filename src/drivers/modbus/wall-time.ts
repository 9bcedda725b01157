// The packed dates of registers, and back: the unit's wall time, which carries no zone and is meant in that of the appliance.
// datetime48: year - 2000, month, day, hour, minute, second, an octet each. datetime96: the same, a word each, the year whole.
// datetime64: year, month, day (with weekday), hour, minute, milliseconds (IEC 60870-5-4, as in Schneider's meters). Pure.

import type { RegisterValue } from "./registers.ts";

export type WallTimeType = "datetime48" | "datetime64" | "datetime96";

/** A unit that has no time says so with noughts or ones. */
export function wallTimeOf(type: WallTimeType, bytes: Uint8Array): RegisterValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const at = (octet: number) => bytes[octet] ?? 0;
  if (type === "datetime48") return timeOf(2000 + at(0), at(1), at(2), at(3), at(4), at(5), 0);
  if (type === "datetime96") {
    const [year = 0, ...rest] = [0, 2, 4, 6, 8, 10].map(offset => view.getUint16(offset));
    return timeOf(year < 100 ? 2000 + year : year, ...(rest as Rest), 0);
  }
  const ms = view.getUint16(6);
  // The top bit of the minutes says that the time is not to be believed.
  if (at(5) & 0x80) return none("the unit does not trust its clock");
  return timeOf(2000 + (at(1) & 0x7f), at(2) & 0x0f, at(3) & 0x1f, at(4) & 0x1f, at(5) & 0x3f, 0, ms);
}

const none = (reason: string): RegisterValue => ({ kind: "none", reason });

type Rest = [month: number, day: number, hour: number, minute: number, second: number];

function timeOf(year: number, ...rest: [...Rest, ms: number]): RegisterValue {
  const [month, day, hour, minute, second, ms] = rest;
  const date = new Date(year, month - 1, day, hour, minute, second, ms);
  // What JavaScript would move on to another day was no date; in the hour that is skipped only the hour moves.
  const isDate = month >= 1 && date.getMonth() === month - 1 && date.getDate() === day && hour < 24 && minute < 60;
  const inRange = second < 60 && ms < 60_000;
  return isDate && inRange ? { kind: "time", at: date.getTime() } : none("not a date");
}

/** `at`: milliseconds since 1970. Undefined: a year the type cannot hold. */
export function wallTimeBytes(type: WallTimeType, at: number): Uint8Array | undefined {
  const date = new Date(at);
  const year = date.getFullYear();
  const parts = [date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  if (year < 2000 || year > (type === "datetime96" ? 65_535 : type === "datetime64" ? 2127 : 2255)) return undefined;
  if (type === "datetime48") return Uint8Array.of(year - 2000, ...parts);
  if (type === "datetime96") return Uint8Array.from([year, ...parts].flatMap(word => [word >> 8, word & 0xff]));
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
  const ms = second * 1000 + date.getMilliseconds();
  return Uint8Array.of(0, year - 2000, month, day, hour, minute, ms >> 8, ms & 0xff);
}
