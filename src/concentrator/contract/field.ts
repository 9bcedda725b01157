// Fields: what a device says of itself at a moment. Categories and qualities are those of the sensor-data interface
// (SensorData.xsd); the wire letters are in xmpp/iot/sensor-data.wire.ts.

import type { NodeRef } from "./node.ts";

export const categoryNames = ["momentary", "peak", "status", "computed", "identity", "historical"] as const;
export type Category = (typeof categoryNames)[number];
export type Categories = Readonly<Record<Category, boolean>>;

export const noCategories: Categories = categories();
export const allCategories: Categories = categories(...categoryNames);

export function categories(...names: Category[]): Categories {
  const result: Record<Category, boolean> = {
    momentary: false,
    peak: false,
    status: false,
    computed: false,
    identity: false,
    historical: false,
  };
  for (const name of names) result[name] = true;
  return result;
}

export const isEmpty = (some: Categories): boolean => categoryNames.every(name => !some[name]);
export const meets = (a: Categories, b: Categories): boolean => categoryNames.some(name => a[name] && b[name]);
export const intersect = (a: Categories, b: Categories): Categories =>
  categories(...categoryNames.filter(name => a[name] && b[name]));
/** Every category of `inner` is in `outer`. */
export const covers = (outer: Categories, inner: Categories): boolean =>
  categoryNames.every(name => outer[name] || !inner[name]);
/** Bit n is `categoryNames[n]`: for keys and SQL columns. */
export const categoryMask = (some: Categories): number =>
  categoryNames.reduce((mask, name, bit) => (some[name] ? mask | (1 << bit) : mask), 0);
export const categoriesOfMask = (mask: number): Categories =>
  categories(...categoryNames.filter((_, bit) => (mask & (1 << bit)) !== 0));

/** Low to high, as the interfaces order them. */
export const qualityNames = [
  "missing",
  "inProgress",
  "automaticEstimate",
  "manualEstimate",
  "manualReadout",
  "automaticReadout",
  "timeOffset",
  "warning",
  "error",
  "signed",
  "invoiced",
  "endOfSeries",
  "powerFailure",
  "invoiceConfirmed",
] as const;
export type QualityFlag = (typeof qualityNames)[number];
/** Flags that hold; absent means not. */
export type Quality = Readonly<Partial<Record<QualityFlag, true>>>;

export type FieldValue =
  /** `value` is exact to `decimals` places, which are part of the claim: 12.30 and 12.3 differ. `unit` "" is dimensionless. */
  | { readonly kind: "quantity"; readonly value: number; readonly decimals: number; readonly unit: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "int32"; readonly value: number }
  | { readonly kind: "int64"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  /** yyyy-mm-dd */
  | { readonly kind: "date"; readonly value: string }
  /** hh:mm:ss[.fff] */
  | { readonly kind: "time"; readonly value: string }
  /** ISO 8601 duration */
  | { readonly kind: "duration"; readonly value: string }
  /** Milliseconds since 1970 UTC */
  | { readonly kind: "dateTime"; readonly value: number }
  /** `type` names the enumeration. */
  | { readonly kind: "enum"; readonly value: string; readonly type: string }
  /** No value was read, and why, in words for a person. Never 0, never an old value with a new time. */
  | { readonly kind: "missing"; readonly reason: string };

export interface Field {
  readonly name: string;
  readonly value: FieldValue;
  readonly categories: Categories;
  readonly quality: Quality;
  /** A control parameter of the same name exists. */
  readonly writable?: true;
}

/** What a device says: fields measured at `at` (milliseconds since 1970 UTC), the time of measurement. */
export interface Sample {
  readonly at: number;
  readonly fields: readonly Field[];
}

/** What we pass on. A failed device is an item, not an exception. */
export type Reading =
  | ({ readonly kind: "reading"; readonly node: NodeRef } & Sample)
  | { readonly kind: "fault"; readonly node: NodeRef; readonly at: number; readonly message: string };

/** What is asked of a device: `names` empty = all; times inclusive, infinities = unbounded. */
export interface Ask {
  readonly names: readonly string[];
  readonly categories: Categories;
  readonly from: number;
  readonly to: number;
  /** Who waits: a person or peer (read, the default) goes before the background (poll) on a shared line. */
  readonly order?: "read" | "poll";
}

export const askAll: Ask = {
  names: [],
  categories: allCategories,
  from: Number.NEGATIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
};

/** SD-REQ-03…05, SD-RESP-08: a field is asked for by name (or none given) and by at least one of its categories. */
export const isAsked = (field: Field, ask: Ask): boolean =>
  meets(field.categories, ask.categories) && (ask.names.length === 0 || ask.names.includes(field.name));

/** The sample as asked for: only what was asked, categories cut down to those asked. Undefined when nothing is left. */
export function asAsked(sample: Sample, ask: Ask): Sample | undefined {
  if (sample.at < ask.from || sample.at > ask.to) return undefined;
  const fields = sample.fields
    .filter(field => isAsked(field, ask))
    .map(field => ({ ...field, categories: intersect(field.categories, ask.categories) }));
  return fields.length === 0 ? undefined : { at: sample.at, fields };
}

/** "1843.70 kWh": for people. */
export function formatValue(value: FieldValue): string {
  switch (value.kind) {
    case "quantity":
      return `${value.value.toFixed(value.decimals)}${value.unit === "" ? "" : ` ${value.unit}`}`;
    case "dateTime":
      return new Date(value.value).toISOString();
    case "missing":
      return `no value (${value.reason})`;
    default:
      return String(value.value);
  }
}
