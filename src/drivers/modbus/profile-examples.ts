// The examples of Modbus profiles, run: raw registers through the same code that reads a unit, against the value they should be.

import { type FieldValue, formatValue } from "#contract/field.ts";
import type { ExampleResult, ProfileKind } from "../profile.ts";
import { fieldValue, type Point } from "./point.ts";
import { modbusProfile, type Profile, pointsOf } from "./profile.ts";
import { decodeRegisters } from "./registers.ts";

function runExamples(profile: Profile): ExampleResult[] {
  const points = new Map(pointsOf(profile).map(point => [point.field, point]));
  return profile.examples.map(({ field, registers, value }, n) => {
    const point = points.get(field);
    const got = point === undefined ? noField : valueIn(point, registers);
    return {
      example: n + 1,
      field,
      raw: registers.replace(/(.{4})(?=.)/g, "$1 "),
      expected: expectedText(value, point),
      got: formatValue(got),
      good: point !== undefined && isSame(got, value, point),
    };
  });
}

const noField: FieldValue = { kind: "missing", reason: "there is no such field" };

function valueIn(point: Point, hex: string): FieldValue {
  const words = (hex.match(/.{4}/g) ?? []).map(word => Number.parseInt(word, 16));
  if (point.table === "coil" || point.table === "discrete") return { kind: "boolean", value: words[0] !== 0 };
  return fieldValue(point, decodeRegisters(point, words));
}

type Expected = Profile["examples"][number]["value"];

function expectedText(value: Expected, point: Point | undefined): string {
  if (value === null) return "no value";
  return typeof value === "number" && point?.unit ? `${value} ${point.unit}` : String(value);
}

function isSame(got: FieldValue, value: Expected, { type }: Point): boolean {
  if (value === null) return got.kind === "missing";
  if (typeof value === "string" && formatValue(got) === value) return true;
  switch (got.kind) {
    case "quantity":
      // A float32 may be written with all the digits of its binary form.
      return typeof value === "number" && (got.value === value || (type === "float32" && nearly(got.value, value)));
    case "int32":
    case "int64":
      return typeof value === "number" && Number.isInteger(value) && BigInt(value) === BigInt(got.value);
    case "dateTime":
      return typeof value === "string" && Date.parse(value) === got.value;
    default:
      return "value" in got && got.value === value;
  }
}

const nearly = (a: number, b: number): boolean => Math.abs(a - b) <= Math.abs(b) * 2 ** -23;

export const modbusProfiles: ProfileKind<Profile> = { protocol: "modbus", schema: modbusProfile, runExamples };
