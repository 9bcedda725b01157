// Dates and times of EN 13757-3 (types F, G, I, J): wall time of the meter, without a zone. What is no date says which
// parts it has: "every year" and "day 0" are common on meters and are no moments.

export interface DateValue {
  readonly kind: "date" | "date-time" | "time";
  /** yyyy-mm-dd, yyyy-mm-ddThh:mm[:ss] or hh:mm:ss */
  readonly text: string;
  /** Types F and I carry the bit; whether the time already contains the hour is not uniform among meters. */
  readonly summerTime?: boolean;
}

export interface NoDate {
  readonly kind: "none";
  /** "invalid", or "partial:y=127,m=7,d=1". */
  readonly reason: string;
  readonly summerTime?: boolean;
}

export type DateType = "G" | "J" | "F" | "I";

/** By the octets of the data. */
export const dateTypes: Readonly<Record<number, DateType>> = { 2: "G", 3: "J", 4: "F", 6: "I" };

/** `octets` least significant first, of the type's own length. */
export function decodeDate(type: DateType, octets: Uint8Array): DateValue | NoDate {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0] = octets;
  switch (type) {
    case "G":
      return b0 === 0xff && b1 === 0xff ? invalid : assemble(dayOf(b0, b1, 0), []);
    case "J":
      return timeOfDay(b0, b1, b2);
    case "F": {
      const summerTime = (b1 & 0x80) !== 0;
      if ((b0 & 0x80) !== 0) return { ...invalid, summerTime };
      return { ...assemble(dayOf(b2, b3, (b1 >> 5) & 3), [b1 & 0x1f, b0 & 0x3f]), summerTime };
    }
    case "I": {
      const summerTime = (b0 & 0x40) !== 0;
      if ((b1 & 0x80) !== 0) return { ...invalid, summerTime };
      return { ...assemble(dayOf(b3, b4, 0), [b2 & 0x1f, b1 & 0x3f, b0 & 0x3f]), summerTime };
    }
  }
}

const invalid: NoDate = { kind: "none", reason: "invalid" };

interface Day {
  readonly raw: { readonly y: number; readonly m: number; readonly d: number };
  readonly year: number;
}

/** Type G in two octets; `century` is that of type F, 0 where there is none. */
function dayOf(low: number, high: number, century: number): Day {
  const y = (low >> 5) | ((high & 0xf0) >> 1);
  const year = century === 0 && y <= 80 ? 2000 + y : 1900 + 100 * century + y;
  return { raw: { y, m: high & 0x0f, d: low & 0x1f }, year };
}

const timeNames = ["h", "min", "s"] as const;
const timeMaxima = [23, 59, 59] as const;

function assemble({ raw, year }: Day, time: readonly number[]): DateValue | NoDate {
  const real = raw.y !== 127 && raw.y <= 99 && raw.m >= 1 && raw.m <= 12 && raw.d >= 1 && raw.d <= daysIn(year, raw.m);
  if (!real || time.some((part, n) => part > (timeMaxima[n] as number))) {
    const parts = [`y=${raw.y}`, `m=${raw.m}`, `d=${raw.d}`, ...time.map((part, n) => `${timeNames[n]}=${part}`)];
    return { kind: "none", reason: `partial:${parts.join(",")}` };
  }
  const day = `${year}-${two(raw.m)}-${two(raw.d)}`;
  return time.length === 0
    ? { kind: "date", text: day }
    : { kind: "date-time", text: `${day}T${time.map(two).join(":")}` };
}

function timeOfDay(s: number, min: number, h: number): DateValue | NoDate {
  const parts = [h & 0x1f, min & 0x3f, s & 0x3f];
  if (h === 0xff || parts.some((part, n) => part > (timeMaxima[n] as number))) return invalid;
  return { kind: "time", text: parts.map(two).join(":") };
}

const two = (part: number): string => String(part).padStart(2, "0");

const daysIn = (year: number, month: number): number => {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
};
