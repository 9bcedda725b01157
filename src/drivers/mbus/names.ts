// The name of a field: the quantity's own term first, then what qualifies it, after commas, always in one order. It depends
// on what the record says of itself, never on where it stands (docs/field-names.md).

import type { DataRecord } from "./record.ts";

/** Where the standard's word is not the field's. */
const terms: Readonly<Record<string, string>> = {
  "volume-flow": "Flow",
  "flow-temperature": "Supply Temperature",
  "hca-units": "Heat Cost Allocation",
  "phase-u-u": "Phase Angle, Voltage",
  "phase-u-i": "Phase Angle",
  "date-time": "Date and Time",
  "rf-level": "RF Level",
  any: "Value",
  dimensionless: "Value",
};

const textTerms: Readonly<Record<string, string>> = {
  "cust. ID": "Customer Identification",
  "bat. time": "Battery Time",
  "%RH": "Relative Humidity",
};

const functionTerms = { instantaneous: "", maximum: "Max", minimum: "Min", error: "During Error" } as const;

/** Phases as everybody writes them; they stand behind what says direction or kind. */
const phases: Readonly<Record<string, string>> = {
  "phase-L1": "L1",
  "phase-L2": "L2",
  "phase-L3": "L3",
  neutral: "N",
  "phases-L1-L2": "L1-L2",
  "phases-L2-L3": "L2-L3",
  "phases-L3-L1": "L3-L1",
};

/** "positive-only" to "Positive Only". */
export const titled = (word: string): string =>
  word.replace(/(^|-)(\w)/g, (_, dash: string, letter: string) => (dash ? " " : "") + letter.toUpperCase());

const termOf = (quantity: string): string => terms[quantity] ?? titled(quantity);

/** "Energy", "Power, Max", "Energy, Tariff 1, Storage 1". */
export function nameOf({ dib, vib }: DataRecord): string {
  const base =
    vib.term ??
    (vib.textUnit === undefined
      ? termOf(vib.of ?? vib.quantity)
      : (textTerms[vib.textUnit] ?? `Value (${vib.textUnit})`));
  const vendor = vib.manufacturerVife !== "" || vib.modifiers.includes("manufacturer-vife");
  const kinds = vib.modifiers.filter(name => !(name in phases) && name !== "average" && name !== "manufacturer-vife");
  return [
    base,
    ...kinds.map(titled),
    ...(vendor ? [`Vendor ${vib.manufacturerVife}`.trimEnd()] : []),
    ...vib.modifiers.flatMap(name => phases[name] ?? []),
    ...(dib.tariff === 0 ? [] : [`Tariff ${dib.tariff}`]),
    ...(dib.subunit === 0 ? [] : [`Subunit ${dib.subunit}`]),
    ...(dib.storage === 0 ? [] : [`Storage ${dib.storage}`]),
    ...(dib.function === "instantaneous" ? [] : [functionTerms[dib.function]]),
    ...(vib.modifiers.includes("average") ? ["Average"] : []),
  ].join(", ");
}

/** Of the fixed structure, whose counters may count anything. */
export const counterName = (quantity: string, unit: string): string => {
  if (quantity === "dimensionless") return "Counter";
  return unit === "" ? `${termOf(quantity)} Counter` : termOf(quantity);
};
