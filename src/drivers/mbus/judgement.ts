// What a record is worth: the category and the quality its own octets give it (what the header's status adds is in
// fields.ts). A value "during error" is not a bad value: fault-hour counters live there.

import type { Category, QualityFlag } from "#contract/field.ts";
import type { DataRecord } from "./record.ts";

/** The main one first. */
export function categoriesOf({ dib, vib }: DataRecord): Category[] {
  if (vib.told !== undefined) return [vib.told];
  const historical: Category[] = dib.storage > 0 ? ["historical"] : [];
  if (dib.function === "error") return ["status", ...historical];
  const found: Category[] = [
    ...(vib.category === "identity" ? (["identity"] as const) : []),
    ...historical,
    ...(dib.function === "maximum" || dib.function === "minimum" ? (["peak"] as const) : []),
    ...(vib.computed ? (["computed"] as const) : []),
  ];
  if (found.length > 0) return found;
  return [vib.category === "status" ? "status" : "momentary"];
}

/** Units of what adds up over time: a counter or a duration under "value during error" is a good reading. */
const countedUnits = new Set([
  "",
  "Wh",
  "J",
  "cal",
  "varh",
  "VAh",
  "m3",
  "ft3",
  "gal",
  "kg",
  "HCA",
  "s",
  "month",
  "year",
]);

export function qualityOf({ dib, vib, data }: DataRecord): QualityFlag[] {
  const flags: QualityFlag[] = ["automaticReadout"];
  const missing = (data.value.kind === "none" && data.type !== "selection") || vib.recordError !== undefined;
  if (missing) flags.push("missing");
  if (data.value.kind === "none" && data.value.reason?.startsWith("partial")) flags.push("warning");
  if (!missing && dib.function === "error" && !countedUnits.has(vib.unit)) flags.push("error");
  return flags;
}
