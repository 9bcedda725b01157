// What a profile makes of a meter's records: each is put into the standard's own words before fields are made of it, so that
// names, units, categories and times come about as everywhere. Pure.

import { decimalOf, multiplyDecimal } from "#base/decimal.ts";
import type { Product, RecordRule } from "./product.ts";
import type { DataRecord, Item } from "./record.ts";
import type { Value } from "./value.ts";
import type { Vib } from "./vif.ts";

export function asProfiled(items: readonly Item[], { records }: Product): readonly Item[] {
  if (records.length === 0) return items;
  return items.flatMap((item): readonly Item[] => (item.kind === "record" ? rewritten(item, records) : [item]));
}

/** The first rule that fits decides. */
function rewritten(record: DataRecord, rules: readonly RecordRule[]): readonly DataRecord[] {
  const rule = rules.find(one => fits(record, one.when));
  if (rule === undefined) return [record];
  return rule.hide ? [] : [applied(record, rule)];
}

function fits({ dib, vib }: DataRecord, when: RecordRule["when"]): boolean {
  const isVendors = vib.manufacturerVife !== "" || vib.modifiers.includes(vendorModifier) || vib.quantity === vendors;
  return (
    (when.quantity === undefined || when.quantity === vib.quantity) &&
    (when.vendor === undefined || (isVendors && when.vendor === vib.manufacturerVife)) &&
    (when.text === undefined || when.text === vib.textUnit) &&
    (when.function === undefined || when.function === dib.function) &&
    (when.storage === undefined || when.storage === dib.storage) &&
    (when.tariff === undefined || when.tariff === dib.tariff) &&
    (when.subunit === undefined || when.subunit === dib.subunit)
  );
}

const vendorModifier = "manufacturer-vife";
const vendors = "manufacturer-specific";

const phaseModifiers: Readonly<Record<NonNullable<RecordRule["phase"]>, string>> = {
  L1: "phase-L1",
  L2: "phase-L2",
  L3: "phase-L3",
  N: "neutral",
  "L1-L2": "phases-L1-L2",
  "L2-L3": "phases-L2-L3",
  "L3-L1": "phases-L3-L1",
};

/** What the rule was told by is said by its name now: subunit 1 is reactive power, vendor 01 is L1. */
function applied({ dib, vib, data, ...rest }: DataRecord, rule: RecordRule): DataRecord {
  const { when, phase, unit, field, category } = rule;
  const kept = vib.modifiers.filter(name => when.vendor === undefined || name !== vendorModifier);
  const own = {
    ...vib,
    modifiers: phase === undefined ? kept : [...kept, phaseModifiers[phase]],
    manufacturerVife: when.vendor === undefined ? vib.manufacturerVife : "",
    ...(field === undefined ? {} : { term: field }),
    ...(unit === undefined ? {} : { unit }),
    ...(category === undefined ? {} : { told: category }),
  };
  const scaled = rule.scale === undefined ? { vib: own, value: data.value } : scaledBy(rule.scale, own, data.value);
  const value = rule.names === undefined ? scaled.value : named(rule.names, data.value);
  return {
    ...rest,
    dib: {
      ...dib,
      subunit: when.subunit === undefined ? dib.subunit : 0,
      tariff: when.tariff === undefined ? dib.tariff : 0,
      storage: rule.now ? 0 : dib.storage,
    },
    vib: scaled.vib,
    data: { ...data, value },
  };
}

function scaledBy(scale: number, vib: Vib, value: Value): { vib: Vib; value: Value } {
  if (value.kind === "real") return { vib, value: { ...value, value: value.value * scale } };
  if (value.kind !== "number") return { vib, value };
  const product = multiplyDecimal({ mantissa: value.mantissa, exponent: vib.exponent }, decimalOf(scale));
  return { vib: { ...vib, exponent: product.exponent }, value: { kind: "number", mantissa: product.mantissa } };
}

function named(names: Readonly<Record<string, string>>, value: Value): Value {
  if (value.kind !== "number") return value;
  const name = names[String(value.mantissa)];
  return name === undefined
    ? { kind: "none", reason: `code ${value.mantissa} is not in the list` }
    : { kind: "text", text: name };
}
