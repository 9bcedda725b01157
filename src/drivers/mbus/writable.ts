// What of a meter can be set, as control parameters: its addresses, its clock, its set day. Offered only where the meter's node
// says that writing is allowed: who moves a meter on the bus may push another one off it.

import type { Clock } from "#base/clock.ts";
import type { ControlParameter, WriteOutcome } from "#contract/control.ts";
import { DeviceFault } from "#contract/faults.ts";
import { mbusClockSetMs } from "#limits.ts";
import { type Address, primaryMax } from "./address.ts";
import type { Attempt } from "./meter.ts";
import type { Readout } from "./readout.ts";
import { wallText, wallTime } from "./wall-time.ts";
import {
  clockRecord,
  identificationRecord,
  primaryRecord,
  requireFree,
  setDayRecord,
  type Verdict,
  type Write,
  write,
} from "./writing.ts";

/** off: nothing · settings: what is named here · expert: any record as octets too. */
export type Writing = "off" | "settings" | "expert";

export interface Writer {
  readonly plan: {
    readonly address: Address;
    readonly minIntervalMs: number;
    readonly writing: Writing;
    readonly timeZone: string;
  };
  readonly attempt: Attempt;
  readonly clock: Clock;
}

const words = {
  page: "Meter",
  primary: "Primary address of the meter on its line. A node that calls the meter by it must be told the new one.",
  identification: "The number by which the meter is selected, eight digits.",
  clock: "The meter's own clock, in the time zone of the appliance; set to the minute.",
  setDay: "The next day on which the meter stores its values.",
  digits: "eight digits expected",
  date: "a date between 2000 and 2080 expected",
};

/** Sends one write in a turn of its own. A rationed meter is not read back: it would cost its next readout. */
export const carryOut = (
  { plan, attempt }: Writer,
  { verdict, ...one }: Write,
  signal: AbortSignal,
): Promise<WriteOutcome> =>
  attempt("control", signal, (bus, contact) =>
    write(bus, contact, plan.minIntervalMs > 0 || verdict === undefined ? one : { ...one, verdict }, signal),
  );

export function writableParameters(writer: Writer): ControlParameter[] {
  if (writer.plan.writing === "off") return [];
  return [primaryParameter(writer), identificationParameter(writer), clockParameter(writer), setDayParameter(writer)];
}

function primaryParameter(writer: Writer): ControlParameter {
  const { plan, attempt } = writer;
  return {
    name: "Primary Address",
    label: "Primary Address",
    kind: "int32",
    min: 0,
    max: primaryMax,
    description: words.primary,
    page: words.page,
    async set({ value }, signal) {
      const next = Number(value);
      const isCalledByIt = plan.address.kind === "primary" && plan.address.address === next;
      if (!isCalledByIt) await attempt("control", signal, bus => requireFree(bus, next, signal));
      const afterwards: Address = plan.address.kind === "primary" ? { kind: "primary", address: next } : plan.address;
      const verdict = ({ primary }: Readout): Verdict =>
        primary === next ? { is: "as-told" } : { is: "otherwise", says: String(primary) };
      return carryOut(writer, { data: primaryRecord(next), afterwards, verdict }, signal);
    },
  };
}

function identificationParameter(writer: Writer): ControlParameter {
  const { address } = writer.plan;
  return {
    name: "Identification",
    label: "Identification",
    kind: "string",
    description: words.identification,
    page: words.page,
    async set({ value }, signal) {
      const digits = String(value);
      if (!/^\d{8}$/.test(digits)) throw new DeviceFault("refused", words.digits);
      const afterwards: Address =
        address.kind === "primary" ? address : { ...address, digits: digits + address.digits.slice(8) };
      const verdict = ({ header, fixed }: Readout): Verdict => {
        const id = header !== undefined && "id" in header ? header.id : fixed?.id;
        if (id === undefined) return undefined;
        return id === digits ? { is: "as-told" } : { is: "otherwise", says: id };
      };
      return carryOut(writer, { data: identificationRecord(digits), afterwards, verdict }, signal);
    },
  };
}

function clockParameter(writer: Writer): ControlParameter {
  return {
    name: "Date and Time",
    label: "Date and Time",
    kind: "dateTime",
    description: words.clock,
    page: words.page,
    set: ({ value }, signal) => setClock(writer, Number(value), signal),
  };
}

/** `at`: milliseconds since 1970. */
export function setClock(writer: Writer, at: number, signal: AbortSignal): Promise<WriteOutcome> {
  const { timeZone } = writer.plan;
  const wall = wallText(at, timeZone);
  if (!inRange(wall)) throw new DeviceFault("refused", words.date);
  const verdict = ({ items }: Readout): Verdict => {
    for (const item of items) {
      if (item.kind !== "record" || item.vib.quantity !== "date-time" || item.dib.storage !== 0) continue;
      const { value } = item.data;
      if (item.vib.modifiers.length > 0 || value.kind !== "date-time") continue;
      const off = Math.abs(wallTime(value.text, timeZone) - at);
      return off <= mbusClockSetMs ? { is: "as-told" } : { is: "otherwise", says: value.text };
    }
    return undefined;
  };
  return carryOut(writer, { data: clockRecord(wall), verdict }, signal);
}

function setDayParameter(writer: Writer): ControlParameter {
  return {
    name: "Set Day",
    label: "Set Day",
    kind: "date",
    description: words.setDay,
    page: words.page,
    async set({ value }, signal) {
      const date = String(value).slice(0, 10);
      if (!inRange(date)) throw new DeviceFault("refused", words.date);
      const data = setDayRecord(date);
      return carryOut(writer, { data, verdict: recordVerdict(data, 3) }, signal);
    },
  };
}

/** Two digits of the year, and up to 80 they mean this century. */
const inRange = (text: string): boolean => /^20([0-7]\d|80)-\d\d-\d\d/.test(text);

/** Compares with the record of the same DIB and VIB, `keyOctets` long, where the readout has one. */
export const recordVerdict =
  (record: Uint8Array, keyOctets: number) =>
  ({ items }: Readout): Verdict => {
    const same = (raw: Uint8Array, to: number) => record.subarray(0, to).every((octet, at) => raw[at] === octet);
    const found = items.find(item => item.kind === "record" && same(item.raw, keyOctets));
    if (found === undefined) return undefined;
    if (found.raw.length === record.length && same(found.raw, record.length)) return { is: "as-told" };
    return { is: "otherwise", says: Buffer.from(found.raw).toString("hex").toUpperCase() };
  };
