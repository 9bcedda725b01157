// The settings of the Modbus node types, flat, in the shared vocabulary where it has the word.

import * as z from "zod";
import { categoryNames } from "#contract/field.ts";
import {
  baudRate,
  fieldName,
  flag,
  host,
  parity,
  pollSeconds,
  serialDevice,
  stopBits,
  tcpPort,
  timeoutMs,
  unit,
  unitAddress,
} from "#contract/settings.ts";
import { identitySettings } from "../identity.ts";
import { registerTypes, wordOrders } from "./registers.ts";

const gap = (title: string, description: string, standard: number) =>
  z.int().min(0).max(5_000).default(standard).meta({ title, description, page: "Timing" });

const gapMs = gap("Pause (ms)", "Least silence before each request.", 0);
const unitChangeGapMs = (standard: number) =>
  gap("Pause between units (ms)", "Least silence when another unit is asked than before; 10 to 100 help.", standard);

const timeoutMinMs = (standard: number) =>
  z.int().min(20).max(60_000).default(standard).meta({
    title: "Shortest timeout (ms)",
    description: "Units that answer fast are waited for less long once they are known, but never less than this.",
    page: "Timing",
  });

export const tcpLineSettings = z.object({
  host,
  port: tcpPort(502),
  timeoutMs: timeoutMs(3_000),
  timeoutMinMs: timeoutMinMs(500),
  gapMs,
  unitChangeGapMs: unitChangeGapMs(0),
  anyTransaction: flag(
    "Accept any transaction",
    "For gateways that answer with transaction numbers of their own.",
    false,
    "Timing",
  ),
  anyUnit: flag("Accept any unit", "For servers that answer with another unit address than asked.", false, "Timing"),
  requestsAtOnce: z.int().min(1).max(16).default(1).meta({
    title: "Requests at once",
    description: "More than 1 only for servers known to take several without waiting for an answer; most do not.",
    page: "Timing",
  }),
});

const framing = z
  .enum(["rtu", "ascii"])
  .default("rtu")
  .meta({ title: "Framing", description: "RTU, unless the devices are set to ASCII.", page: "Connection" });

export const rtuLineSettings = z.object({
  serialDevice,
  baudRate: baudRate(9600),
  parity: parity("none"),
  stopBits,
  framing,
  timeoutMs: timeoutMs(1_000),
  timeoutMinMs: timeoutMinMs(200),
  gapMs,
  unitChangeGapMs: unitChangeGapMs(20),
});

export const rtuTcpLineSettings = z.object({
  host,
  port: tcpPort(4001),
  framing,
  timeoutMs: timeoutMs(1_500),
  timeoutMinMs: timeoutMinMs(400),
  gapMs,
  unitChangeGapMs: unitChangeGapMs(50),
});

export const udpLineSettings = z.object({
  host,
  port: z.int().min(1).max(65_535).default(502).meta({
    title: "UDP port",
    description: "As set on the converter.",
    page: "Connection",
  }),
  framing: z.enum(["rtu", "ascii", "tcp"]).default("rtu").meta({
    title: "Framing",
    description: "RTU or ASCII as on the line behind the converter; tcp where it wants the header of Modbus TCP.",
    page: "Connection",
  }),
  timeoutMs: timeoutMs(1_500),
  timeoutMinMs: timeoutMinMs(400),
  gapMs,
  unitChangeGapMs: unitChangeGapMs(50),
});

/** `profiles`: their names. */
export const unitSettings = (profiles: readonly string[]) =>
  z.object({
    address: unitAddress(0, 255).default(1),
    profile: z
      .enum(["none", ...profiles], "no such profile: its file is missing or wrong, and the log says why")
      .default("none")
      .meta({
        title: "Profile",
        description: "The product, if it is in the list; its fields come with it.",
        page: "Connection",
      }),
    pollSeconds: pollSeconds(60),
    gapMs: gap("Pause (ms)", "Least silence before a request to this unit; the profile may ask for more.", 0),
    wordsMax: z.int().min(1).max(125).default(125).meta({
      title: "Registers in one read",
      description: "Lower it for units that refuse long reads.",
      page: "Timing",
    }),
    gapMax: z.int().min(0).max(16).default(0).meta({
      title: "Registers read along",
      description: "Unwanted registers that may be read between two wanted ones; 0 for strict units.",
      page: "Timing",
    }),
    strict: flag("Strict", "Never read a register that nobody asked for, whatever the profile says.", false, "Timing"),
    align: z.int().min(0).max(125).default(0).meta({
      title: "Reads begin at multiples of",
      description: "For adapters that take only blocks of a fixed size, such as 40; 0 for all others.",
      page: "Timing",
    }),
    ...identitySettings,
  });
export type UnitSettings = ReturnType<typeof unitSettings>;

const address = z.int().min(0).max(65_535).meta({
  title: "Address",
  description: "As on the wire, from 0: what a manual calls 40001 or 30001 is 0.",
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
  pollSeconds: pollSeconds(0),
});

export const registerSettings = registerFields.refine(
  ({ min, max }) => min === undefined || max === undefined || min <= max,
  { path: ["max"], message: "not less than the least value" },
);

export const coilSettings = z.object({ fieldName, address, category, writable, pollSeconds: pollSeconds(0) });
export const inputSettings = z.object({ fieldName, address, category, pollSeconds: pollSeconds(0) });
