// Settings in a form, and back out of one: values become texts, texts become values again, and what is wrong is said on the
// field it is wrong on. The schema of the settings has the last word (DF-SUB-06).

import type * as z from "zod";
import { formErrorsMax } from "#limits.ts";
import { type FilledField, filledField, type Submission } from "./contract/filled-form.ts";
import type { FormField } from "./contract/form.ts";

export type Settings = Readonly<Record<string, unknown>>;
/** What is wrong, by name of the field; "" is what is wrong with none in particular. */
export type FormErrors = Map<string, string>;

/** A stored secret is taken away by this field beside it (DF-FORM-03). */
export const clearName = (name: string): string => `${name}.clear`;

/** The settings as fields. What has no meaning with these values is left out; what others depend on is posted back. */
export function fillSettings(fields: readonly FormField[], settings: Settings): FilledField[] {
  const deciding = new Set(fields.flatMap(({ when }) => Object.keys(when ?? {})));
  return fields
    .filter(field => applies(field, fields, settings))
    .flatMap(field => {
      const filled = fill(field, settings[field.name], deciding.has(field.name));
      return field.secret && hasSecret(settings[field.name]) ? [filled, clearing(field)] : [filled];
    });
}

function applies({ when }: FormField, fields: readonly FormField[], settings: Settings): boolean {
  return Object.entries(when ?? {}).every(([name, values]) => {
    const value = settings[name] ?? fields.find(one => one.name === name)?.standard;
    return values.some(one => one === value);
  });
}

const hasSecret = (value: unknown): boolean => value !== undefined && value !== "";

const datatypes = { boolean: "boolean", number: "double", text: "string", choice: "string" } as const;
/** JSON Schema says these of every integer. */
const safe = (bound: number | undefined): string | undefined =>
  bound === undefined || Math.abs(bound) >= Number.MAX_SAFE_INTEGER ? undefined : textOf(bound);

function fill(field: FormField, value: unknown, postBack: boolean): FilledField {
  const { name, kind, secret, page } = field;
  const small = Math.max(Math.abs(field.min ?? Number.NaN), Math.abs(field.max ?? Number.NaN)) < 2 ** 31;
  const shown = secret ? undefined : (value ?? field.standard ?? (kind === "boolean" ? false : undefined));
  const hint = secret ? "Leave empty to keep what is stored." : "";
  return filledField({
    name,
    label: field.title,
    description: [field.description, hint].filter(text => text !== "").join(" "),
    page,
    kind: secret ? "secret" : kind === "boolean" || kind === "choice" ? kind : "text",
    datatype: kind === "integer" ? (small ? "int" : "long") : datatypes[kind],
    values: shown === undefined || shown === "" ? [] : [textOf(shown)],
    options: (field.options ?? []).map(option => ({ value: textOf(option), label: textOf(option) })),
    min: kind === "integer" || kind === "number" ? safe(field.min) : undefined,
    max: kind === "integer" || kind === "number" ? safe(field.max) : undefined,
    pattern: kind === "text" && !secret ? (field.pattern ?? "") : "",
    required: field.required,
    postBack,
  });
}

const clearing = ({ name, title, page }: FormField): FilledField =>
  filledField({
    name: clearName(name),
    label: `Remove: ${title}`,
    description: "Takes away what is stored.",
    page,
    kind: "boolean",
    datatype: "boolean",
    values: ["false"],
  });

/** Numbers without exponent, as XML Schema's integers want them; doubles may have one. */
const textOf = (value: unknown): string => String(value);

export type Answers = ReadonlyMap<string, readonly string[]>;

/** The fields with what was answered, and each fault at its place; what belongs to no field is left over. */
export function withErrors(fields: readonly FilledField[], answers: Answers, errors: FormErrors) {
  const shown = new Set(fields.map(({ name }) => name));
  const strange = [...errors.keys()].filter(name => name !== "" && !shown.has(name) && answers.has(name));
  return {
    fields: [
      ...fields.map(field => {
        const error = errors.get(field.name) ?? "";
        const values = field.kind === "secret" ? undefined : answers.get(field.name)?.filter(text => text !== "");
        // What came back is certain now, whatever it was before (DF-DYN-04).
        return values === undefined || field.readOnly
          ? { ...field, error }
          : { ...field, values, error, notSame: false };
      }),
      ...strange
        .slice(0, formErrorsMax)
        .map(name =>
          filledField({ name, label: name, values: answers.get(name) ?? [], error: errors.get(name) ?? "" }),
        ),
    ],
    instructions: [...errors].filter(([name]) => !shown.has(name) && !answers.has(name)).map(([, message]) => message),
  };
}

/** Answers by name. A field that stands twice, or has several values where one belongs, is an error on it (DF-SUB-05). */
export function answersOf({ fields }: Submission, several: ReadonlySet<string>, errors: FormErrors): Answers {
  const answers = new Map<string, readonly string[]>();
  for (const { name, values } of fields) {
    if (answers.has(name)) errors.set(name, "Stands twice.");
    else if (values.length > 1 && !several.has(name)) errors.set(name, "One value is expected.");
    answers.set(name, values);
  }
  return answers;
}

/**
 * Settings with the answers put in: absent stays, empty is cleared, an empty secret stays (DF-SUB-03, DF-FORM-03). What has no
 * meaning beside the others is discarded, its faults too (DF-DYN-07).
 */
export function withAnswers(
  fields: readonly FormField[],
  settings: Settings,
  answers: Answers,
  errors: FormErrors,
): Settings {
  const next: Record<string, unknown> = { ...settings };
  for (const field of fields) {
    if (field.secret) clearSecret(field, next, answers, errors);
    const text = answers.get(field.name)?.[0] ?? "";
    if (answers.has(field.name) && !errors.has(field.name)) put(field, text, next, errors);
  }
  for (const field of fields) {
    if (field.when === undefined || applies(field, fields, next)) continue;
    delete next[field.name];
    errors.delete(field.name);
  }
  return next;
}

function put(field: FormField, text: string, into: Record<string, unknown>, errors: FormErrors): void {
  const { name } = field;
  if (text === "") {
    if (field.secret) return;
    if (field.required) errors.set(name, "This is needed.");
    else delete into[name];
    return;
  }
  const value = parse(field, text);
  if (value === undefined) errors.set(name, expectation(field));
  else into[name] = value;
}

function clearSecret({ name }: FormField, from: Record<string, unknown>, answers: Answers, errors: FormErrors): void {
  const text = answers.get(clearName(name))?.[0];
  if (text === undefined || text === "") return;
  const wanted = booleanOf(text);
  if (wanted === undefined) errors.set(clearName(name), "Yes or no is expected.");
  else if (wanted) delete from[name];
}

function parse({ kind, options }: FormField, text: string): unknown {
  switch (kind) {
    case "boolean":
      return booleanOf(text);
    case "integer":
      return /^\s*[+-]?\d{1,16}\s*$/.test(text) ? Number(text) : undefined;
    case "number": {
      const number = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*$/.test(text) ? Number(text) : Number.NaN;
      return Number.isFinite(number) ? number : undefined;
    }
    case "choice":
      return options?.find(option => textOf(option) === text);
    case "text":
      return text;
  }
}

const expectation = ({ kind }: FormField): string =>
  ({
    boolean: "Yes or no is expected.",
    integer: "A whole number is expected.",
    number: "A number is expected.",
    choice: "One of the choices is expected.",
    text: "A text is expected.",
  })[kind];

const truths: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map(word => [word, true] as const),
  ...["false", "0", "no", "off"].map(word => [word, false] as const),
]);
/** COM-LEX-01; undefined when it is neither. */
export const booleanOf = (text: string): boolean | undefined => truths.get(text.trim().toLowerCase());

/**
 * What the schema says of the settings. A rule over several settings is asked only when each of them alone is right, so what is
 * wrong is put back to what it was and the schema is asked again: then a person sees all of it at once (DF-ERR-02).
 */
export function checkSettings(schema: z.ZodObject, next: Settings, before: Settings, errors: FormErrors): void {
  const tried: Record<string, unknown> = { ...next };
  for (const name of errors.keys()) putBack(tried, name, before);
  for (let round = 0; round < 3; round++) {
    const parsed = schema.safeParse(tried);
    if (parsed.success) return;
    const names = new Set<string>();
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0] ?? "");
      if (!errors.has(name)) {
        errors.set(name, describeIssue(issue, tried[name]));
        names.add(name);
      }
    }
    if (names.size === 0) return;
    for (const name of names) putBack(tried, name, before);
  }
}

function putBack(settings: Record<string, unknown>, name: string, before: Settings): void {
  if (name in before) settings[name] = before[name];
  else delete settings[name];
}

/** For a person: what is expected, not what the schema calls it. */
function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined && issue.code !== "custom") return "This is needed.";
  if (issue.code === "too_small" && typeof issue.minimum === "number") {
    if (issue.origin !== "string") return `At least ${issue.minimum}.`;
    return issue.minimum === 1 ? "This is needed." : `At least ${issue.minimum} characters.`;
  }
  if (issue.code === "too_big" && typeof issue.maximum === "number") {
    return issue.origin === "string" ? `At most ${issue.maximum} characters.` : `At most ${issue.maximum}.`;
  }
  if (issue.code === "invalid_value") return "One of the choices is expected.";
  const { message } = issue;
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.!?]$/.test(message) ? "" : "."}`;
}
