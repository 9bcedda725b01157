// Which harmonized interfaces a device offers, judged by what it really delivers: names, kinds and categories to the letter
// (HI-GET-05, HI-AGG, HI-TYPE). Pure.

import type { ControlKind, ControlParameter } from "./contract/control.ts";
import type { FieldValue } from "./contract/field.ts";
import { accumulated, evidence, harmonized, statistics } from "./harmonized-table.ts";

/** What a field was ever told to be. */
export interface FieldShape {
  readonly kind: FieldValue["kind"];
  /** `categoryMask` of contract/field.ts. */
  readonly categories: number;
}

export interface Offering {
  readonly fields: ReadonlyMap<string, FieldShape>;
  readonly parameters: readonly Pick<ControlParameter, "name" | "kind" | "min" | "max" | "options">[];
  /** Ids of commands that need no parameters. */
  readonly commands: readonly string[];
  /** What it is said to be: class, medium. */
  readonly kinds: readonly string[];
  /** Momentary values are kept and can be asked for as historical ones. */
  readonly recorded: boolean;
}

const prefix = "urn:nfi:iot:hi:";
const version = "1.0";

/** URIs, sorted, each once. */
export function interfacesOf(offering: Offering): string[] {
  const found: string[] = [];
  for (const [id, parts] of definitions) {
    if (!isOfKind(id, offering) || !delivers(parts, offering)) continue;
    found.push(`${prefix}${id}:${version}`);
    for (const name of aggregatesOf(parts, offering)) found.push(`${prefix}${id}:statistics:${name}:${version}`);
  }
  return found.sort();
}

/** DISCO-TAG-05: a name without colons, and the version as its number. */
export const interfaceTag = (uri: string): { name: string; value: number } => {
  const at = uri.lastIndexOf(":");
  return { name: uri.slice(0, at).replaceAll(":", "_"), value: Number(uri.slice(at + 1)) };
};

export const isIdentity = (uri: string): boolean => uri.startsWith(`${prefix}identity:`);

interface FieldPart {
  readonly what: "field";
  readonly name: string;
  readonly optional: boolean;
  readonly kind: string;
  /** As a mask. */
  readonly categories: number;
}
type Part =
  | FieldPart
  | {
      readonly what: "parameter";
      readonly name: string;
      readonly optional: boolean;
      readonly kind: string;
      /** "" none · "list" options · "from..to", either of them perhaps empty. */
      readonly range: string;
    }
  | { readonly what: "command"; readonly name: string; readonly optional: boolean };

const letters = { m: 1, p: 2, s: 4, c: 8, i: 16, h: 32 } as const;
const maskOf = (text: string): number =>
  [...text].reduce((mask, one) => mask | letters[one as keyof typeof letters], 0);

const definitions = new Map(Object.entries(harmonized).map(([id, lines]) => [id, lines.map(parsePart)]));

function parsePart(line: string): Part {
  const [, sign, name = "", optional, kind = "", range = ""] =
    /^([>!] )?([^:?]+)(\?)?(?:: (\S+)(?: (\S+))?)?$/.exec(line) ?? [];
  const common = { name, optional: optional !== undefined };
  if (sign === "! ") return { what: "command", ...common };
  if (sign === "> ") return { what: "parameter", ...common, kind, range };
  const [fieldKind = "", categories = ""] = kind.split("/");
  return { what: "field", ...common, kind: fieldKind, categories: maskOf(categories) };
}

/** Wire letters and the families the definitions use, as our kinds. */
const fieldKinds: Readonly<Record<string, readonly FieldValue["kind"][]>> = {
  q: ["quantity"],
  i: ["int32"],
  l: ["int64"],
  b: ["boolean"],
  s: ["string"],
  d: ["date"],
  dt: ["dateTime"],
  dr: ["duration"],
  t: ["time"],
  e: ["enum"],
  numeric: ["quantity", "int32", "int64"],
  integer: ["int32", "int64"],
};
const parameterKinds: Readonly<Record<string, readonly ControlKind[]>> = {
  i: ["int32"],
  l: ["int64"],
  db: ["double"],
  b: ["boolean"],
  s: ["string"],
  dt: ["dateTime"],
  numeric: ["int32", "int64", "double"],
  integer: ["int32", "int64"],
};

type Found = "present" | "absent" | "wrong";

/** `number` stands for %1%. */
function find(part: Part, offering: Offering, number = ""): Found {
  const name = part.name.replace("%1%", number);
  if (part.what === "command") return offering.commands.includes(name) ? "present" : "absent";
  if (part.what === "field") {
    const field = offering.fields.get(name);
    if (field === undefined) return "absent";
    const isRight =
      fieldKinds[part.kind]?.includes(field.kind) && (field.categories & part.categories) === part.categories;
    return isRight ? "present" : "wrong";
  }
  const parameter = offering.parameters.find(one => one.name === name);
  if (parameter === undefined) return "absent";
  return parameterKinds[part.kind]?.includes(parameter.kind) && isInRange(parameter, part.range) ? "present" : "wrong";
}

/** The parameter has a range, or options, where one is asked for, and goes nowhere the definition does not. */
function isInRange({ min, max, options }: Offering["parameters"][number], range: string): boolean {
  if (range === "") return true;
  if (range === "list") return options !== undefined && options.length > 0;
  const [from = "", to = ""] = range.split("..");
  if (min === undefined || max === undefined) return false;
  return (from === "" || min >= Number(from)) && (to === "" || max <= Number(to));
}

/** All that must be there is, nothing that is there is of another kind, and of what may all be missing something is there. */
function delivers(parts: readonly Part[], offering: Offering): boolean {
  const numbered = parts.filter(part => part.name.includes("%1%"));
  const single = parts.filter(part => !part.name.includes("%1%"));
  const numbers = numbersIn(numbered, offering);
  const found = [
    ...single.map(part => ({ part, found: find(part, offering) })),
    ...numbers.flatMap(number => numbered.map(part => ({ part, found: find(part, offering, number) }))),
  ];
  if (numbers.length === 0 && numbered.some(part => !part.optional)) return false;
  return (
    found.some(one => one.found === "present") &&
    found.every(one => one.found === "present" || (one.found === "absent" && one.part.optional))
  );
}

/** Every number that stands in the place of %1% in some name offered. */
function numbersIn(parts: readonly Part[], { fields, parameters }: Offering): string[] {
  const names = parts.length === 0 ? [] : [...fields.keys(), ...parameters.map(one => one.name)];
  const numbers = new Set<string>();
  for (const part of parts) {
    const [before = "", after = ""] = part.name.split("%1%");
    for (const name of names) {
      if (!name.startsWith(before) || !name.endsWith(after)) continue;
      const between = name.slice(before.length, name.length - after.length);
      if (/^\d{1,4}$/.test(between)) numbers.add(between);
    }
  }
  return [...numbers];
}

function isOfKind(id: string, { kinds }: Offering): boolean {
  const wanted = evidence[id];
  return wanted === undefined || kinds.some(kind => wanted.test(kind));
}

/** Of each base field its statistics, as required or optional as it is itself; the kind is that of the base field. */
function aggregatesOf(parts: readonly Part[], offering: Offering): string[] {
  const base = parts.filter((part): part is FieldPart => part.what === "field" && !part.name.includes("%1%"));
  const momentary = base.filter(part => (part.categories & letters.m) !== 0);
  const names: string[] = [];
  for (const [name, { suffix, category, of }] of Object.entries(statistics)) {
    const aggregated = momentary.filter(part => isAggregated(part, base, of));
    const found = aggregated.map(part => {
      const field = offering.fields.get(`${part.name}, ${suffix}`);
      if (field === undefined) return part.optional ? "absent" : "missing";
      const isRight =
        field.kind === offering.fields.get(part.name)?.kind && (field.categories & maskOf(category)) !== 0;
      return isRight ? "present" : "wrong";
    });
    if (found.includes("present") && !found.includes("missing") && !found.includes("wrong")) names.push(name);
  }
  const isKept = momentary.length > 0 && momentary.some(part => offering.fields.has(part.name));
  if (offering.recorded && isKept) names.push("history");
  return names;
}

/** Where one field is the sum of another over time, statistics are made of one of the two. */
function isAggregated({ name }: FieldPart, base: readonly FieldPart[], of: "momentary" | "accumulated"): boolean {
  const isPaired = (part: string, other: string | undefined) =>
    base.some(one => one.name === part) && base.some(one => one.name === other);
  const isSum = isPaired(name, accumulated[name]);
  const isRate = Object.entries(accumulated).some(([sum, rate]) => rate === name && isPaired(sum, rate));
  return of === "accumulated" ? !isRate : !isSum;
}
