// The settings of single registers, coils and inputs that hang below a unit as nodes of their own.

import * as z from "zod";
import { categoryNames } from "#contract/field.ts";
import { fieldName, flag, pollSeconds, unit } from "#contract/settings.ts";
import { addressOf } from "./address.ts";
import type { Table } from "./point.ts";
import { type Numbering, numberings } from "./profile-numbering.ts";
import { registerTypes, wordOrders } from "./registers.ts";

/** A number from a site file is taken as it is typed. */
const address = z.coerce.string().min(1).max(12).meta({
  title: "Address",
  description: "17 or 0x0011 as the numbering says; 4x0018 and 400018 name the table and count from 1.",
  page: "Register",
});
const numbering = z.enum(numberings).default("wire").meta({
  title: "Numbering",
  description: "How the manual counts: from 0 as on the wire, from 1, or 40001 for the first holding register.",
  page: "Register",
});
const category = z
  .enum(categoryNames)
  .default("momentary")
  .meta({ title: "Category", description: "What kind of value it is.", page: "Field" });
const writable = flag("Writable", "May be set, by those who are allowed to control it.", false, "Writing");
const number = (title: string, description: string, page: string) => z.number().meta({ title, description, page });
const bound = (title: string) =>
  z
    .number()
    .meta({ title, description: "What may be set; empty for no bound.", page: "Writing", when: { writable: [true] } })
    .optional();

const registerFields = z.object({
  fieldName,
  table: z
    .enum(["holding", "input"])
    .default("holding")
    .meta({ title: "Table", description: "Holding registers (function 3) or input registers (4).", page: "Register" }),
  address,
  numbering,
  type: z
    .enum(registerTypes)
    .default("uint16")
    .meta({ title: "Type", description: "How the registers are to be read.", page: "Register" }),
  wordOrder: z
    .enum(wordOrders)
    .default("ABCD")
    .meta({ title: "Word order", description: "ABCD is usual; CDAB has the low word first.", page: "Register" }),
  words: z
    .int()
    .min(1)
    .max(125)
    .default(1)
    .meta({
      title: "Length of a text",
      description: "Registers of a text; other types know theirs.",
      page: "Register",
      when: { type: ["string"] },
    }),
  noValue: z
    .string()
    .max(128)
    .regex(/^([0-9a-fA-F]{4}([0-9a-fA-F]{4})*([ ,]+|$))*$/, "raw registers in hexadecimal: ffff or 7fff 8000")
    .default("")
    .meta({ title: "No value", description: "Raw patterns that mean no value: ffff.", page: "Register" }),
  mask: z
    .int()
    .min(1)
    .max(65_535)
    .default(65_535)
    .meta({ title: "Mask", description: "Bits of a bit field.", page: "Register", when: { type: ["bitfield"] } }),
  shift: z
    .int()
    .min(0)
    .max(15)
    .default(0)
    .meta({
      title: "Shift",
      description: "Places by which a bit field is moved right.",
      page: "Register",
      when: { type: ["bitfield"] },
    }),
  names: z
    .string()
    .max(2_000)
    .regex(/^(\s*\d{1,5}\s*=[^;=]+(;|$))*\s*$/, "codes and names: 0=Off; 1=On")
    .default("")
    .meta({
      title: "Names",
      description: "Of codes or bits: 0=Off; 1=On.",
      page: "Register",
      when: { type: ["bits", "enum"] },
    }),
  scale: number("Scale", "Value = register x scale + offset.", "Field")
    .refine(scale => scale !== 0, "not 0")
    .default(1),
  offset: number("Offset", "Value = register x scale + offset.", "Field").default(0),
  unit,
  category,
  writable,
  min: bound("Least value"),
  max: bound("Greatest value"),
  step: z
    .number()
    .positive()
    .optional()
    .meta({
      title: "Step",
      description: "Values may be set this far apart; empty for no step.",
      page: "Writing",
      when: { writable: [true] },
    }),
  writeBy: z
    .enum(["any", "6", "16", "23"])
    .default("any")
    .meta({
      title: "Function for writing",
      description: "Only where the unit takes no other: 6 one register, 16 several, 23 with reading back.",
      page: "Writing",
      when: { writable: [true] },
    }),
  pollSeconds: pollSeconds(0),
});

/** The address is looked at where its table and its numbering are known. */
function checkAddress(
  { address, numbering }: { address: string; numbering: Numbering },
  table: Table,
  context: z.RefinementCtx,
): void {
  const found = addressOf(address, numbering, table);
  if (typeof found === "string") context.addIssue({ code: "custom", path: ["address"], message: found });
}

export const registerSettings = registerFields
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    path: ["max"],
    message: "not less than the least value",
  })
  .refine(({ writable, type }) => !writable || type !== "bits", {
    path: ["writable"],
    message: "bits are set one by one: make each a bit field",
  })
  .superRefine((settings, context) => checkAddress(settings, settings.table, context));

const bit = { fieldName, address, numbering, category };
export const coilSettings = z
  .object({
    ...bit,
    writable,
    writeBy: z
      .enum(["any", "5", "15"])
      .default("any")
      .meta({
        title: "Function for writing",
        description: "Only where the unit takes no other: 5 one coil, 15 several.",
        page: "Writing",
        when: { writable: [true] },
      }),
    pollSeconds: pollSeconds(0),
  })
  .superRefine((settings, context) => checkAddress(settings, "coil", context));
export const inputSettings = z
  .object({ ...bit, pollSeconds: pollSeconds(0) })
  .superRefine((settings, context) => checkAddress(settings, "discrete", context));
