// The settings of the Modbus node types, flat, in the shared vocabulary where it has the word.

import * as z from "zod";
import {
  baudRate,
  flag,
  host,
  parity,
  pollSeconds,
  serialDevice,
  stopBits,
  tcpPort,
  timeoutMs,
  unitAddress,
} from "#contract/settings.ts";
import { identitySettings } from "../identity.ts";

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
