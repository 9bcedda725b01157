// The combinable extensions (VIFE) of EN 13757-3 that stand behind a true VIF: what each does to the record, in an answer and,
// where it differs, in what a master sends.

import { spans, type Vif } from "./vif-table.ts";

/** A series of values in one record: going back in time, with storage numbers of their own, or neither. */
export type ProfileKind = "inverse" | "registers" | "plain";

/** What a VIFE behind a true VIF does. Several stand behind one VIF, and all of them count. */
export type Vife =
  | { readonly kind: "error"; readonly error: string }
  | {
      readonly kind: "modifier";
      readonly name: string;
      readonly computed?: true;
      readonly profile?: ProfileKind;
    }
  /** The data are a date-time instead of the VIF's quantity. */
  | { readonly kind: "date"; readonly name: string }
  /** The data are a duration instead of the VIF's quantity. */
  | { readonly kind: "duration"; readonly name: string; readonly seconds?: Vif["seconds"] }
  | { readonly kind: "factor"; readonly exponent: number }
  | { readonly kind: "addend"; readonly exponent: number }
  | { readonly kind: "none" };

const vifes: Vife[] = Array.from({ length: 128 }, (_, code) => ({
  kind: "modifier",
  name: `vife-${code.toString(16).padStart(2, "0")}`,
}));

const fill = (first: number, ...rows: Vife[]) => {
  for (const [n, row] of rows.entries()) vifes[first + n] = row;
};
const errors = (first: number, ...names: string[]) =>
  fill(first, ...names.map(error => ({ kind: "error", error }) as const));
const modifiers = (first: number, ...names: string[]) =>
  fill(first, ...names.map(name => ({ kind: "modifier", name }) as const));
const computed = (first: number, ...names: string[]) =>
  fill(first, ...names.map(name => ({ kind: "modifier", name, computed: true }) as const));
const dates = (first: number, ...names: string[]) =>
  fill(first, ...names.map(name => ({ kind: "date", name }) as const));
const durations = (first: number, name: string) =>
  fill(
    first,
    ...spans.map(
      ({ seconds }: Pick<Vif, "seconds">): Vife =>
        seconds === undefined ? { kind: "duration", name } : { kind: "duration", name, seconds },
    ),
  );

fill(0x00, { kind: "none" });
errors(0x01, "too-many-difes", "storage-not-implemented", "subunit-not-implemented", "tariff-not-implemented");
errors(0x05, "function-not-implemented", "data-class-not-implemented", "data-size-not-implemented");
errors(0x0b, "too-many-vifes", "illegal-vif-group", "illegal-vif-exponent", "vif-dif-mismatch");
errors(0x0f, "unimplemented-action");
computed(0x12, "average");
fill(0x13, { kind: "modifier", name: "inverse-compact-profile", profile: "inverse" });
modifiers(0x14, "relative-deviation");
errors(0x15, "no-data", "overflow", "underflow", "data-error");
errors(0x1c, "premature-end");
modifiers(0x1d, "standard-data-content");
fill(0x1e, { kind: "modifier", name: "compact-profile-with-registers", profile: "registers" });
fill(0x1f, { kind: "modifier", name: "compact-profile", profile: "plain" });
computed(0x20, "per-second", "per-minute", "per-hour", "per-day", "per-week", "per-month", "per-year");
computed(0x27, "per-revolution", "per-input-pulse-0", "per-input-pulse-1", "per-output-pulse-0", "per-output-pulse-1");
computed(
  0x2c,
  "per-litre",
  "per-m3",
  "per-kg",
  "per-K",
  "per-kWh",
  "per-GJ",
  "per-kW",
  "per-K-litre",
  "per-V",
  "per-A",
);
modifiers(0x36, "times-s", "times-s-per-V", "times-s-per-A");
modifiers(0x39, "start-date-of", "uncorrected", "positive-only", "negative-only", "non-metric", "base-conditions");
modifiers(0x3f, "obis-declaration");
modifiers(0x40, "lower-limit");
computed(0x41, "lower-limit-exceed-count");
dates(0x42, "date-begin-first-lower-exceed", "date-end-first-lower-exceed");
dates(0x46, "date-begin-last-lower-exceed", "date-end-last-lower-exceed");
modifiers(0x48, "upper-limit");
computed(0x49, "upper-limit-exceed-count");
dates(0x4a, "date-begin-first-upper-exceed", "date-end-first-upper-exceed");
dates(0x4e, "date-begin-last-upper-exceed", "date-end-last-upper-exceed");
durations(0x50, "duration-first-lower-exceed");
durations(0x54, "duration-last-lower-exceed");
durations(0x58, "duration-first-upper-exceed");
durations(0x5c, "duration-last-upper-exceed");
durations(0x60, "duration-first");
durations(0x64, "duration-last");
modifiers(0x68, "value-during-lower-exceed", "leakage");
dates(0x6a, "date-begin-first", "date-end-first");
modifiers(0x6c, "value-during-upper-exceed", "overflow-value");
dates(0x6e, "date-begin-last", "date-end-last");
fill(0x70, ...Array.from({ length: 8 }, (_, n): Vife => ({ kind: "factor", exponent: n - 6 })));
fill(0x78, ...Array.from({ length: 4 }, (_, n): Vife => ({ kind: "addend", exponent: n - 3 })));
fill(0x7d, { kind: "factor", exponent: 3 });
modifiers(0x7e, "future-value");

/** By code; 7C (a second octet follows) and 7F (the manufacturer's own from here) are handled before it is asked. */
export const combinableVifes: readonly Vife[] = vifes;

/** The octet after VIFE 7C. */
export const secondVifes: Readonly<Record<number, string>> = {
  1: "phase-L1",
  2: "phase-L2",
  3: "phase-L3",
  4: "neutral",
  5: "phases-L1-L2",
  6: "phases-L2-L3",
  7: "phases-L3-L1",
  8: "quadrant-1",
  9: "quadrant-2",
  10: "quadrant-3",
  11: "quadrant-4",
  12: "import-export-delta",
  16: "accumulated-absolute",
  17: "as-type-C",
  18: "as-type-D",
  19: "to-meter",
  20: "from-meter",
};

/** VIFE 00 to 0D behind the VIF of a record that a master sends: what the meter shall do with the value. */
export const actionVifes = [
  "write",
  "add",
  "subtract",
  "or",
  "and",
  "xor",
  "and-not",
  "clear",
  "add-entry",
  "delete-entry",
  "delayed",
  "freeze",
  "add-to-readout",
  "remove-from-readout",
] as const;
