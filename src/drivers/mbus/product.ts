// Profiles of M-Bus meters. A telegram says itself what it holds; a profile says what it leaves to the manual: what the
// manufacturer's own codes mean, how often the meter may be asked, and what the meter is called. docs/profiles.md explains each word.

import * as z from "zod";
import { categoryNames } from "#contract/field.ts";
import { fieldNameOf, profileHead, unitOf } from "../profile.ts";
import { mediumCodes } from "./header.ts";

const storage = z
  .number()
  .int()
  .min(0)
  .max(2 ** 41);

/** Which records: all that is given must be so. */
const when = z
  .strictObject({
    /** As `isthmus decode mbus` calls it: energy, power, manufacturer-specific. */
    quantity: z.string().min(1).max(64).optional(),
    /** Octets of the manufacturer behind VIF or VIFE 7F, in hexadecimal; empty for a bare 7F. */
    vendor: z
      .string()
      .regex(/^([0-9a-fA-F]{2})*$/, "octets in hexadecimal: 01")
      .transform(hex => hex.toUpperCase())
      .optional(),
    /** The unit in the meter's own words. */
    text: z.string().max(64).optional(),
    function: z.enum(["instantaneous", "maximum", "minimum", "error"]).optional(),
    storage: storage.optional(),
    tariff: storage.optional(),
    subunit: storage.optional(),
  })
  .refine(given => Object.values(given).some(one => one !== undefined), "say at least one thing that the record has");

const record = z.strictObject({
  when,
  /** Replaces the quantity's own name; what else the record says of itself (Tariff 1, Max) stands behind it. */
  field: fieldNameOf.optional(),
  phase: z.enum(["L1", "L2", "L3", "N", "L1-L2", "L2-L3", "L3-L1"]).optional(),
  unit: unitOf.optional(),
  /** A value is multiplied by it. */
  scale: z
    .number()
    .refine(scale => scale !== 0, "a scale of 0 makes everything 0")
    .optional(),
  category: z.enum(categoryNames).optional(),
  /** A register beside the main one and not a value of the past, although it has a storage number. */
  now: z.literal(true).optional(),
  /** Names of codes: 0: Ok. */
  names: z.record(z.string().regex(/^\d{1,10}$/, "a code: a whole number"), z.string().min(1).max(128)).optional(),
  /** It says nothing to anybody. */
  hide: z.literal(true).optional(),
});

const media = Object.keys(mediumCodes) as [string, ...string[]];
const medium = z.union([z.enum(media).transform(name => mediumCodes[name] as number), z.int().min(0).max(255)]);
const oneOrMore = <T extends z.ZodType>(one: T) =>
  z.union([one.transform(only => [only] as z.output<T>[]), z.array(one).min(1)]);

const example = z.strictObject({
  /** In hexadecimal, from 68 to 16. */
  telegram: z
    .string()
    .max(2_000)
    .regex(/^\s*([0-9a-fA-F]{2}\s*)+$/, "a telegram in hexadecimal, from 68 to 16"),
  /** Some or all fields, each as it is shown: 1843.7 kWh. null: no value. */
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

export const mbusProfile = z
  .strictObject({
    protocol: z.literal("mbus"),
    ...profileHead,
    /** Meters that use the profile by themselves: by what stands in their header. Without it, it is chosen at the node. */
    match: z
      .strictObject({
        manufacturer: z.string().regex(/^[A-Z@]{3}$/, "three capital letters, as the meter calls its manufacturer"),
        version: oneOrMore(z.int().min(0).max(255)).optional(),
        medium: oneOrMore(medium).optional(),
      })
      .optional(),
    limits: z
      .strictObject({
        /** The meter may not be asked more often: within this time its last readout is the answer. */
        minIntervalSeconds: z
          .int()
          .min(0)
          .max(86_400 * 31)
          .optional(),
      })
      .default({}),
    readout: z
      .strictObject({
        /** Sub-code of an application reset before each readout. */
        applicationSelect: z
          .string()
          .regex(/^[0-9a-fA-F]{2}$/, "two hexadecimal digits")
          .optional(),
      })
      .default({}),
    records: z.array(record).max(500).default([]),
    examples: z.array(example).max(100).default([]),
  })
  .superRefine((profile, context) => {
    for (const [n, one] of profile.records.entries()) {
      const says = Object.entries(one).filter(([key, value]) => key !== "when" && value !== undefined);
      if (says.length > 0) continue;
      context.addIssue({
        code: "custom",
        path: ["records", n],
        message: "it says which record, but not what to make of it",
      });
    }
  });

export type Product = z.output<typeof mbusProfile>;
export type RecordRule = Product["records"][number];
export type ProductMatch = NonNullable<Product["match"]>;

export interface Header {
  readonly manufacturer: string;
  readonly version: number;
  readonly medium: number;
}

/** How closely a profile fits a header; 0: not at all. */
export function likeness(match: ProductMatch | undefined, header: Header): number {
  if (match === undefined || match.manufacturer !== header.manufacturer) return 0;
  if (match.version !== undefined && !match.version.includes(header.version)) return 0;
  if (match.medium !== undefined && !match.medium.includes(header.medium)) return 0;
  return 1 + (match.version === undefined ? 0 : 1) + (match.medium === undefined ? 0 : 1);
}
