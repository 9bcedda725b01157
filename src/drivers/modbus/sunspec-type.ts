// The node type of SunSpec devices: inverters, batteries, meters and trackers that say themselves what they are.

import * as z from "zod";
import type { Device, NodeType } from "#contract/driver.ts";
import { pollSeconds, unitAddress } from "#contract/settings.ts";
import { identitySettings, identityTags } from "../identity.ts";
import type { ModbusLine } from "./line.ts";
import { createSunspec } from "./sunspec.ts";
import type { ReadModels } from "./sunspec-models.ts";

export const sunspecSettings = z.object({
  address: unitAddress(0, 255).default(1),
  models: z
    .string()
    .max(256)
    .regex(/^(all|[0-9 ,]*)$/, "numbers of models, or all; empty for the usual ones")
    .default("")
    .meta({
      title: "Models",
      description: "Empty for all that measures or controls; all for curves too; or numbers: 103, 160.",
      page: "Connection",
    }),
  base: z
    .int()
    .min(0)
    .max(65_535)
    .meta({
      title: "Base register",
      description: "Where the map begins, where that is not 40000, 50000 or 0; empty to look there.",
      page: "Connection",
    })
    .optional(),
  pollSeconds: pollSeconds(60),
  gapMs: z.int().min(0).max(5_000).default(0).meta({
    title: "Pause (ms)",
    description: "Least silence before each request.",
    page: "Timing",
  }),
  wordsMax: z.int().min(20).max(125).default(125).meta({
    title: "Registers in one read",
    description: "Lower it for units that refuse long reads.",
    page: "Timing",
  }),
  ...identitySettings,
});

export const sunspecType = (lines: readonly string[]): NodeType<typeof sunspecSettings, ModbusLine, Device> => ({
  name: "modbus.sunspec",
  title: "SunSpec device",
  parents: lines,
  settings: sunspecSettings,
  thing: true,
  inherits: ["Device"],
  tags: settings => identityTags(settings, { class: "Device" }),
  async open(settings, { parent: line }) {
    return createSunspec(line, line.unit(settings.address, settings.gapMs), {
      models: modelsOf(settings.models),
      wordsMax: settings.wordsMax,
      ...(settings.base !== undefined && { base: settings.base }),
    });
  },
});

function modelsOf(text: string): ReadModels {
  if (text === "all") return "all";
  const ids = text.split(/[ ,]+/).filter(one => one !== "");
  return ids.length === 0 ? "usual" : new Set(ids.map(Number));
}
