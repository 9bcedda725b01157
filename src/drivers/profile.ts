// What all profiles have in common: a profile is what is known of a product, as a file a technician can read and write, with
// examples that are run as tests. docs/profiles.md says it in the words of who writes one; what is different from bus to bus is
// in modbus/profile.ts and mbus/profile.ts.

import * as z from "zod";
import { type Category, categoryNames } from "#contract/field.ts";

export const protocols = ["modbus", "mbus"] as const;
export type Protocol = (typeof protocols)[number];

/** Short and stable: it stands in the settings of nodes. */
const name = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+([.-][a-z0-9]+)*$/, "small letters, digits and hyphens: acme-heat-pump-7");

const label = z.string().min(1).max(64);

export const profileHead = {
  name,
  manufacturer: label,
  /** As on the product; several of one make that are read alike may stand in one text: WE-514, WE-515. */
  model: label,
  class: label.default("Meter"),
  /** Where the facts come from. */
  source: z.string().max(1_000).optional(),
  notes: z.string().max(4_000).optional(),
};

/** One or several. */
export const categoriesOf = z
  .union([z.enum(categoryNames), z.array(z.enum(categoryNames)).min(1)])
  .transform((one): readonly Category[] => (typeof one === "string" ? [one] : one));

export const fieldNameOf = z.string().min(1).max(128);
export const unitOf = z.string().max(32);

export interface ProfileHead {
  readonly protocol: Protocol;
  readonly name: string;
  readonly manufacturer: string;
  readonly model: string;
  /** What it is, for its label: ElectricityMeter, HeatMeter. */
  readonly class: string;
  readonly source?: string | undefined;
  readonly notes?: string | undefined;
}

/** One line of an example: what was given, what it should mean, what it means. */
export interface ExampleResult {
  /** Of which example, from 1. */
  readonly example: number;
  readonly field: string;
  readonly raw: string;
  readonly expected: string;
  readonly got: string;
  readonly good: boolean;
}

export interface ProfileKind<P extends ProfileHead = ProfileHead> {
  readonly protocol: Protocol;
  readonly schema: z.ZodType<P>;
  /** Runs the examples of the profile. Throws nothing: what cannot be read is a result. */
  runExamples(profile: P): readonly ExampleResult[];
}

/** What is known of a profile without reading its file. */
export interface ProfileEntry {
  readonly name: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly class: string;
}
