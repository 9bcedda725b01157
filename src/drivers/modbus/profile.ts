// Profiles of Modbus products: the registers by name, what the product bears, and examples that are run as tests. A field is as
// short as a row of the manual; docs/profiles.md explains each word.

import * as z from "zod";
import { categories } from "#contract/field.ts";
import { categoriesOf, fieldNameOf, profileHead, unitOf } from "../profile.ts";
import { type Point, type Table, tables } from "./point.ts";
import { checkProfile } from "./profile-check.ts";
import { addressIn } from "./profile-numbering.ts";
import { registerTypes, wordOrders, wordsOf } from "./registers.ts";

/** Raw registers in hexadecimal, with blanks or not. */
const hexWords = z
  .string()
  .max(512)
  .regex(/^\s*(?:[0-9a-fA-F]{4}\s*)+$/, 'registers in hexadecimal, four digits each: "4366 3A1B"')
  .transform(text => text.replace(/\s+/g, "").toLowerCase());

const bounds = z.strictObject({
  min: z.number().optional(),
  max: z.number().optional(),
  step: z.number().positive().optional(),
  /** The function, where the unit takes only this one. */
  by: z.union([z.literal(5), z.literal(6), z.literal(15), z.literal(16), z.literal(23)]).optional(),
});

/** What fields share unless they say otherwise. */
const shared = {
  table: z.enum(tables).optional(),
  type: z.enum(registerTypes).optional(),
  order: z.enum(wordOrders).optional(),
  scale: z
    .number()
    .refine(scale => scale !== 0, "a scale of 0 makes everything 0")
    .optional(),
  noValue: z.union([hexWords.transform(one => [one]), z.array(hexWords)]).optional(),
  category: categoriesOf.optional(),
};

const field = z.strictObject({
  field: fieldNameOf,
  /** As `numbering` says, or in a notation that says itself what it is: 0x0011, 4x0018. */
  address: z.union([z.int().min(0).max(465_536), z.string().max(12)]),
  unit: unitOf.default(""),
  offset: z.number().optional(),
  decimals: z.int().min(0).max(9).optional(),
  /** Registers of a text. */
  words: z.int().min(1).max(125).optional(),
  mask: z.int().min(1).max(65_535).optional(),
  shift: z.int().min(0).max(15).optional(),
  names: z
    .record(z.string().regex(/^\d{1,5}$/, "a code: a whole number"), z.string().min(1).max(128))
    .transform(names => new Map(Object.entries(names).map(([code, name]) => [Number(code), name])))
    .optional(),
  writable: z.union([z.boolean(), bounds]).optional(),
  ...shared,
});

const example = z.strictObject({
  field: fieldNameOf,
  registers: hexWords,
  /** null: no value. A text with its unit is compared with its decimals: "21.50 Cel". */
  value: z.union([z.number(), z.string(), z.boolean(), z.null()]),
});

export const modbusProfile = z
  .strictObject({
    protocol: z.literal("modbus"),
    ...profileHead,
    limits: z
      .strictObject({
        /** Least silence before a request, milliseconds. */
        gapMs: z.int().min(0).max(5_000).optional(),
        /** Registers in one read. */
        wordsMax: z.int().min(1).max(125).optional(),
        /** Unwanted registers that may be read along. */
        gapMax: z.int().min(0).max(16).optional(),
      })
      .default({}),
    /** How the manual counts: from 0 as on the wire, from 1, or 40001 and 30001. */
    numbering: z.enum(["wire", "from1", "modicon"]).default("wire"),
    defaults: z.strictObject(shared).default({}),
    /** A value that shows that it is this product: L1 has 80 to 300 V wherever a meter hangs. */
    probe: z.strictObject({ field: fieldNameOf, min: z.number(), max: z.number() }).optional(),
    fields: z.array(field).min(1).max(1_000),
    examples: z.array(example).max(2_000).default([]),
  })
  .superRefine(checkProfile);

export type Profile = z.output<typeof modbusProfile>;
export type ProfileField = Profile["fields"][number];

const standardType = "uint16";
const standardTable: Table = "holding";

export const tableOf = (profile: Pick<Profile, "defaults" | "numbering">, one: ProfileField): Table =>
  addressIn(profile.numbering, one.address)?.table ?? one.table ?? profile.defaults.table ?? standardTable;

export function pointOf(profile: Pick<Profile, "defaults" | "numbering">, one: ProfileField): Point {
  const { field: name, unit, category, writable, names, address, table: _, ...own } = one;
  const { category: usual, table: __, ...defaults } = profile.defaults;
  const table = tableOf(profile, one);
  const layout = { ...withoutAbsent(defaults), ...withoutAbsent(own), type: own.type ?? defaults.type ?? standardType };
  const limits = typeof writable === "object" ? withoutAbsent(writable) : {};
  return {
    ...layout,
    field: name,
    table,
    // What no address can be made of has been refused by then.
    address: addressIn(profile.numbering, address)?.address ?? 0,
    words: table === "coil" || table === "discrete" ? 1 : wordsOf(layout),
    unit,
    categories: categories(...(category ?? usual ?? ["momentary"])),
    ...(names !== undefined && { names }),
    ...(writable !== undefined && writable !== false && { writable: limits }),
  };
}

const made = new WeakMap<Profile, readonly Point[]>();

/** The same for all units of the profile. */
export function pointsOf(profile: Profile): readonly Point[] {
  const points = made.get(profile) ?? profile.fields.map(one => pointOf(profile, one));
  made.set(profile, points);
  return points;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const withoutAbsent = <T extends object>(values: T): Present<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>;
