// The name of a field: the quantity's own term first, then what qualifies it, after commas, always in one order. It depends
// on what the record says of itself, never on where it stands (docs/field-names.md).

import type { DataRecord } from "./record.ts";

/** Where the standard's word is not the field's. */
const terms: Readonly<Record<string, string>> = {
  "volume-flow": "Flow",
  "flow-temperature": "Supply Temperature",
  "hca-units": "Heat Cost Allocation",
  "phase-u-u": "Phase Angle U-U",
  "phase-u-i": "Phase Angle U-I",
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

/** "positive-only" to "Positive Only", "phase-L1" to "Phase L1". */
export const titled = (word: string): string =>
  word.replace(/(^|-)(\w)/g, (_, dash: string, letter: string) => (dash ? " " : "") + letter.toUpperCase());

const termOf = (quantity: string): string => terms[quantity] ?? titled(quantity);

/** "Energy", "Power, Max", "Energy, Tariff 1, Storage 1". */
export function nameOf({ dib, vib }: DataRecord): string {
  const base =
    vib.textUnit === undefined
      ? termOf(vib.of ?? vib.quantity)
      : (textTerms[vib.textUnit] ?? `Value (${vib.textUnit})`);
  const modifiers = vib.modifiers.filter(name => name !== "manufacturer-vife").map(titled);
  const vendor = vib.manufacturerVife !== "" || vib.modifiers.includes("manufacturer-vife");
  return [
    base,
    ...modifiers,
    ...(vendor ? [`Vendor ${vib.manufacturerVife}`.trimEnd()] : []),
    ...(dib.subunit === 0 ? [] : [`Subunit ${dib.subunit}`]),
    ...(dib.tariff === 0 ? [] : [`Tariff ${dib.tariff}`]),
    ...(dib.function === "instantaneous" ? [] : [functionTerms[dib.function]]),
    ...(dib.storage === 0 ? [] : [`Storage ${dib.storage}`]),
  ].join(", ");
}

export const counterName = (quantity: string, unit: string): string =>
  quantity === "temperature" || unit !== "" ? termOf(quantity) : `${termOf(quantity)} Counter`;
