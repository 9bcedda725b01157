// The examples of M-Bus profiles, run: whole telegrams through the same code that reads a meter, against the fields they hold.

import { parseHex } from "#base/bytes.ts";
import { type FieldValue, formatValue } from "#contract/field.ts";
import type { ExampleResult, ProfileKind } from "../profile.ts";
import { faultWords } from "./fault-words.ts";
import type { WasRead } from "./fields.ts";
import { likeness, mbusProfile, type Product } from "./product.ts";
import { productSamples } from "./product-samples.ts";
import { decodeTelegram, isFaulty } from "./telegram.ts";

function runExamples(profile: Product): ExampleResult[] {
  return profile.examples.flatMap(({ telegram, fields }, n) => {
    const readout = readoutOf(telegram);
    const line = { example: n + 1, raw: shortened(telegram) };
    const wrong = typeof readout === "string" ? readout : misfit(profile, readout);
    if (typeof readout === "string" || wrong !== undefined) {
      return [{ ...line, field: "", expected: "a telegram of this meter", got: wrong ?? "", good: false }];
    }
    const told = new Map<string, FieldValue>();
    // Times of stored values are not what an example is about.
    for (const sample of productSamples(readout, "UTC", profile)) {
      for (const { name, value } of sample.fields) told.set(name, value);
    }
    return Object.entries(fields).map(([field, expected]) => {
      const value = told.get(field);
      const got = value === undefined ? "there is no such field" : formatValue(value);
      return {
        ...line,
        field,
        expected: expected === null ? "no value" : String(expected),
        got,
        good: isSame(value, expected),
      };
    });
  });
}

const isSame = (value: FieldValue | undefined, expected: string | number | boolean | null): boolean => {
  if (value === undefined) return false;
  if (expected === null) return value.kind === "missing";
  if (typeof expected === "string" && formatValue(value) === expected) return true;
  return "value" in value && (typeof value.value === "bigint" ? Number(value.value) : value.value) === expected;
};

const misfit = ({ match }: Product, { header }: WasRead): string | undefined => {
  if (match === undefined || header === undefined || !("manufacturer" in header) || likeness(match, header) > 0)
    return undefined;
  return `its header says ${header.manufacturer}, version ${header.version}, medium ${header.medium}: the profile does not match it`;
};

/** As read at a moment that no example depends on; or why not. */
function readoutOf(telegram: string): WasRead | string {
  const octets = parseHex(telegram.replace(/\s+/g, ""));
  if (octets === undefined) return "it is no hexadecimal";
  const seen = decodeTelegram(octets);
  if (isFaulty(seen)) return `the telegram cannot be read: ${faultWords(seen.fault)}`;
  const { body } = seen;
  if (body?.kind === "fixed") return { at: 0, items: [], fixed: body.fixed, cut: false };
  if (body?.kind !== "variable") return "the telegram holds no readings";
  return {
    at: 0,
    items: body.items,
    cut: false,
    ...(body.header ? { header: body.header } : {}),
    ...(body.withheld === undefined ? {} : { withheld: body.withheld }),
  };
}

const shortened = (telegram: string): string => {
  const text = telegram.trim().replace(/\s+/g, " ");
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
};

export const mbusProfiles: ProfileKind<Product> = { protocol: "mbus", schema: mbusProfile, runExamples };
