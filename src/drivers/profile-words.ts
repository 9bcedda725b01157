// What is wrong with a value of a profile, in words for who wrote it: what is expected there, and what he may have meant.

import type * as z from "zod";

export interface Said {
  readonly what: string;
  readonly advice?: string;
}

type Issue = z.core.$ZodIssue & { readonly input?: unknown };

/** `source`: the value as it is written. */
export function sayIssue(issue: Issue, source?: string): Said {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined
        ? { what: `it is missing; expected: ${typeWords[issue.expected] ?? issue.expected}` }
        : wrongType(issue.expected, issue.input, source);
    case "invalid_value": {
      const options = issue.values.map(String);
      const meant = nearest(String(issue.input ?? ""), options);
      const said = issue.input === undefined ? "it is missing" : `${show(issue.input)} is not known here`;
      return withAdvice(`${said}; expected: ${options.join(", ")}`, meant && `did you mean ${meant}?`);
    }
    case "too_small":
      return { what: `${show(issue.input)} is too small; the least is ${issue.minimum}` };
    case "too_big":
      return { what: `${show(issue.input)} is too large; the greatest is ${issue.maximum}` };
    case "invalid_format":
      return { what: `${show(issue.input)} does not look right; expected: ${issue.message}` };
    case "invalid_union":
      return unionWords(issue, source);
    default:
      return { what: issue.message };
  }
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list, each item behind a hyphen",
  object: "lines of the form name: value, indented below it",
  record: "lines of the form code: name, indented below it",
};

function wrongType(expected: string, input: unknown, source = String(input)): Said {
  const what = `${show(input)} is no ${(typeWords[expected] ?? expected).replace(/^a /, "")}`;
  if (expected === "string" && typeof input === "number") {
    return { what, advice: `put it in quotes, so that zeros in front are kept: "${source}"` };
  }
  if (expected === "string" && typeof input === "boolean") {
    return { what, advice: `put it in quotes, or it is taken for yes or no: "${source}"` };
  }
  if (expected === "number" && typeof input === "string") {
    return /^-?\d+,\d+$/.test(input)
      ? { what, advice: `decimals stand behind a point: ${input.replace(",", ".")}` }
      : { what, advice: "leave the quotes and the unit away" };
  }
  return { what };
}

/** The alternative that comes closest is the one that was meant. */
function unionWords(issue: z.core.$ZodIssueInvalidUnion & { readonly input?: unknown }, source?: string): Said {
  const said = issue.errors.map(errors => errors[0]).filter(one => one !== undefined);
  const meant = said.find(one => one.code !== "invalid_type") ?? said[0];
  if (meant === undefined) return { what: issue.message };
  return sayIssue({ ...meant, input: issue.input } as Issue, source);
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const withAdvice = (what: string, advice: string | undefined): Said =>
  advice === undefined ? { what } : { what, advice };

/** Words that people use for the keys of a profile. */
const keys: Readonly<Record<string, string>> = {
  register: "address",
  offset_: "offset",
  unit_id: "the address of the unit is set at its node, not in the profile",
  factor: "scale",
  multiplier: "scale",
  divisor: "scale (a divisor of 100 is a scale of 0.01)",
  endian: "order",
  byteOrder: "order",
  wordOrder: "order",
  registerType: "table",
  function: "table (holding is function 3, input is function 4, coil is 1, discrete is 2)",
  length: "words",
  count: "words",
  format: "type",
  dataType: "type",
  name: "field",
  title: "field",
  units: "unit",
  writeable: "writable",
  points: "fields",
  registers: "fields",
  enum: "names",
  values: "names",
  options: "names",
};

/** All words a profile may hold: what a word that is none of them may have been meant for. */
const known = [
  "protocol",
  "name",
  "manufacturer",
  "model",
  "class",
  "source",
  "notes",
  "limits",
  "gapMs",
  "wordsMax",
  "gapMax",
  "defaults",
  "probe",
  "fields",
  "examples",
  "field",
  "table",
  "address",
  "type",
  "order",
  "unit",
  "scale",
  "offset",
  "decimals",
  "noValue",
  "words",
  "mask",
  "shift",
  "names",
  "category",
  "writable",
  "min",
  "max",
  "step",
  "numbering",
  "value",
  "match",
  "version",
  "medium",
  "records",
  "vib",
  "storage",
  "tariff",
  "subunit",
  "function",
  "hide",
  "telegram",
];

/** What a word that no profile has may have been meant for. */
export function adviceForKey(key: string): string | undefined {
  const own = keys[key];
  if (own !== undefined) return own.includes(" ") && !own.includes("(") ? own : `did you mean ${own}?`;
  const meant = nearest(key, known);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** The option that is at most two letters away, or begins alike; letters' case does not count. */
export function nearest(word: string, options: readonly string[]): string | undefined {
  const small = word.toLowerCase();
  if (small === "") return undefined;
  let best: { option: string; far: number } | undefined;
  for (const option of options) {
    const far = distance(small, option.toLowerCase());
    if (far <= Math.max(1, Math.min(2, small.length - 2)) && (best === undefined || far < best.far))
      best = { option, far };
  }
  return best?.option;
}

/** Letters to change, add or leave out, and neighbours to swap (Damerau). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2 || a.length > 40) return 9;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      next.push(cost);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 9;
}
