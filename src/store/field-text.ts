// Fields as compact text for a row of history, and back without loss: 64-bit integers and decimals exactly as they were.

import type { LatestField } from "#concentrator/records.ts";
import {
  categoriesOfMask,
  categoryMask,
  type Field,
  type FieldValue,
  type Quality,
  type QualityFlag,
  qualityNames,
} from "#contract/field.ts";

/** kind letter, value, and what else the kind has */
type ValueText =
  | ["q", number, number, string]
  | ["b", boolean]
  | ["i" | "dt", number]
  /** 64 bits do not fit a JSON number. */
  | ["l", string]
  | ["s" | "d" | "t" | "dr" | "ms", string]
  | ["e", string, string];

/** name, value, category mask, quality mask, writable */
type FieldText = [string, ValueText, number, number, 0 | 1];

export const formatFields = (fields: readonly Field[]): string => JSON.stringify(fields.map(asText));
export const parseFields = (text: string): Field[] => (JSON.parse(text) as FieldText[]).map(asField);

export const formatLatest = (latest: Iterable<LatestField>): string =>
  JSON.stringify(Array.from(latest, ({ at, field }) => [at, asText(field)]));
export const parseLatest = (text: string): LatestField[] =>
  (JSON.parse(text) as [number, FieldText][]).map(([at, field]) => ({ at, field: asField(field) }));

const asText = (field: Field): FieldText => [
  field.name,
  valueText(field.value),
  categoryMask(field.categories),
  qualityMask(field.quality),
  field.writable ? 1 : 0,
];

const asField = ([name, value, categories, quality, writable]: FieldText): Field => ({
  name,
  value: fieldValue(value),
  categories: categoriesOfMask(categories),
  quality: qualityOfMask(quality),
  ...(writable === 1 ? { writable: true as const } : {}),
});

function valueText(value: FieldValue): ValueText {
  switch (value.kind) {
    case "quantity":
      return ["q", value.value, value.decimals, value.unit];
    case "boolean":
      return ["b", value.value];
    case "int32":
      return ["i", value.value];
    case "int64":
      return ["l", value.value.toString()];
    case "dateTime":
      return ["dt", value.value];
    case "enum":
      return ["e", value.value, value.type];
    case "string":
      return ["s", value.value];
    case "date":
      return ["d", value.value];
    case "time":
      return ["t", value.value];
    case "duration":
      return ["dr", value.value];
    case "missing":
      return ["ms", value.reason];
  }
}

function fieldValue(text: ValueText): FieldValue {
  switch (text[0]) {
    case "q":
      return { kind: "quantity", value: text[1], decimals: text[2], unit: text[3] };
    case "b":
      return { kind: "boolean", value: text[1] };
    case "i":
      return { kind: "int32", value: text[1] };
    case "l":
      return { kind: "int64", value: BigInt(text[1]) };
    case "dt":
      return { kind: "dateTime", value: text[1] };
    case "e":
      return { kind: "enum", value: text[1], type: text[2] };
    case "s":
      return { kind: "string", value: text[1] };
    case "d":
      return { kind: "date", value: text[1] };
    case "t":
      return { kind: "time", value: text[1] };
    case "dr":
      return { kind: "duration", value: text[1] };
    case "ms":
      return { kind: "missing", reason: text[1] };
  }
}

const qualityMask = (quality: Quality): number =>
  qualityNames.reduce((mask, name, bit) => (quality[name] ? mask | (1 << bit) : mask), 0);

const qualityOfMask = (mask: number): Quality => {
  const quality: Partial<Record<QualityFlag, true>> = {};
  qualityNames.forEach((name, bit) => {
    if ((mask & (1 << bit)) !== 0) quality[name] = true;
  });
  return quality;
};
