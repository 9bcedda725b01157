// Data forms at the command line: shown field by field with what each takes, filled in by `--set NAME=VALUE`, by files for what
// is long or secret, by questions at a terminal for what is missing; what was rejected is printed beside its field.

import { readFileSync } from "node:fs";
import { type FilledIn, rejectedForm } from "#client/editing.ts";
import type { FilledField, Form } from "#contract/filled-form.ts";
import { ask, isAsking } from "./ask.ts";
import { CommandError, type Invocation, type Option, UsageError } from "./command.ts";
import type { Output } from "./output.ts";

export const formOptions: Readonly<Record<string, Option>> = {
  set: { type: "string", value: "NAME=VALUE", multiple: true, help: "Fill in a field; may be given again." },
  "set-file": {
    type: "string",
    value: "NAME=FILE",
    multiple: true,
    help: "Fill in a field from a file, or from standard input (-): for secrets and long texts.",
  },
  form: { type: "boolean", help: "Show the form with what each field takes, and change nothing." },
};

/** By the names of fields, as they were given. */
export type Answers = ReadonlyMap<string, readonly string[]>;

export interface Filling {
  readonly answers: Answers;
  /** Show the form, and change nothing. */
  readonly show: boolean;
  readonly out: Output;
  readonly signal: AbortSignal;
}

export interface FormSteps<T> {
  /** As things are. */
  fetch(): Promise<Form>;
  /** As it looks with these values: fields that depend on them come and go. */
  postBack(given: FilledIn): Promise<Form>;
  submit(given: FilledIn): Promise<T>;
}

/**
 * Resolves with what was answered, or undefined when the form was only to be shown. Throws `UsageError` for a name the form
 * does not have, and `CommandError` after the faults were printed when the form was rejected.
 */
export async function fillForm<T>(filling: Filling, steps: FormSteps<T>): Promise<T | undefined> {
  const { answers, out } = filling;
  let form = await steps.fetch();
  // A field may depend on one that is only now filled in: the form is asked for again while that brings new ones.
  for (let missing = unknownIn(form, answers); missing.length > 0; ) {
    const before = missing.length;
    if (form.session !== "") form = await steps.postBack(filledIn(form, answers));
    missing = unknownIn(form, answers);
    if (missing.length >= before) throw new UsageError(unknownName(missing[0] as string, form));
  }
  if (filling.show) {
    if (answers.size > 0 && form.session !== "") form = await steps.postBack(filledIn(form, answers));
    printForm(form, out);
    return undefined;
  }
  const complete = await askForMissing(form, filling);
  try {
    return await steps.submit(filledIn(form, complete));
  } catch (error) {
    const rejected = rejectedForm(error);
    if (rejected === undefined) throw error;
    throw printRejected(rejected, out);
  }
}

/** With what `formOptions` say. */
export const throughForm = <T>(call: Invocation, steps: FormSteps<T>): Promise<T | undefined> =>
  fillForm({ answers: answersOf(call), show: call.flag("form"), out: call.out, signal: call.signal }, steps);

function answersOf(call: Invocation): Answers {
  const answers = new Map<string, string[]>();
  const add = (option: string, word: string, read: (value: string) => string) => {
    const at = word.indexOf("=");
    if (at < 1) throw new UsageError(`--${option} takes NAME=${option === "set" ? "VALUE" : "FILE"}, not "${word}"`);
    const name = word.slice(0, at);
    answers.set(name, [...(answers.get(name) ?? []), read(word.slice(at + 1))]);
  };
  for (const word of call.texts("set")) add("set", word, value => value);
  for (const word of call.texts("set-file")) add("set-file", word, readText);
  return answers;
}

function readText(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8").replace(/\r?\n$/, "");
  } catch {
    throw new CommandError(`${file} cannot be read.`);
  }
}

const fieldOf = (form: Form, name: string): FilledField | undefined =>
  form.fields.find(field => field.name === name) ??
  form.fields.find(field => field.name.toLowerCase() === name.toLowerCase());

const unknownIn = (form: Form, answers: Answers): string[] =>
  [...answers.keys()].filter(name => fieldOf(form, name) === undefined);

const unknownName = (name: string, form: Form): string => {
  const names = form.fields.filter(({ kind }) => kind !== "fixed" && kind !== "hidden").map(field => field.name);
  return `There is no field "${name}" here; there are ${names.join(", ")}. --form says what each takes.`;
};

/** What nothing was said of is left out: it keeps its value. */
function filledIn(form: Form, answers: Answers): FilledIn {
  const fields = [...answers].flatMap(([name, values]) => {
    const field = fieldOf(form, name);
    if (field === undefined) return [];
    const lines = field.kind === "lines" ? values.flatMap(value => value.split(/\r?\n/)) : values;
    return [{ name: field.name, values: lines }];
  });
  return { session: form.session, fields };
}

/** At a terminal only: a program that left something out is told by the appliance. */
async function askForMissing(form: Form, { answers, out, signal }: Filling): Promise<Answers> {
  const given = new Set([...answers.keys()].map(name => fieldOf(form, name)?.name));
  const missing = form.fields.filter(
    ({ name, required, values, readOnly, kind }) =>
      required && !readOnly && values.length === 0 && kind !== "hidden" && !given.has(name),
  );
  if (missing.length === 0 || !isAsking({ out })) return answers;
  const complete = new Map(answers);
  for (const field of missing) {
    out.line(`${field.label || field.name} (${takes(field)})${field.description ? `: ${field.description}` : ""}`);
    const given = await ask(`${field.name} = `, signal);
    if (given === undefined) throw new CommandError("Nothing was changed.");
    complete.set(field.name, [given]);
  }
  return complete;
}

export function printForm(form: Form, out: Output): void {
  out.value(form);
  if (form.title !== "") out.line(form.title);
  for (const line of form.instructions) out.line(line);
  const shown = form.fields.filter(({ kind }) => kind !== "hidden");
  if (shown.length === 0) out.line("There is nothing to fill in.");
  for (const [page, fields] of Map.groupBy(shown, field => field.page)) {
    out.line();
    if (page !== "") out.line(page);
    out.table(
      ["Field", "Value", "Takes", "Meaning"],
      fields.map(field => [field.name, valueText(field), takes(field), meaningOf(field)]),
    );
  }
}

const valueText = ({ values, kind, notSame }: FilledField): string =>
  notSame ? "(differs)" : kind === "secret" ? "(not shown)" : values.join(", ");

const meaningOf = ({ label, description, error }: FilledField): string =>
  [error === "" ? "" : `! ${error}`, [label, description].filter(one => one !== "").join(": ")]
    .filter(one => one !== "")
    .join(" ");

/** What may be put in, in few words. */
function takes({ kind, datatype, options, min, max, required, readOnly, open }: FilledField): string {
  const range = min === undefined && max === undefined ? "" : ` ${min ?? "…"} to ${max ?? "…"}`;
  const what =
    options.length > 0
      ? options.map(({ value }) => value).join(" | ") + (open ? " | …" : "")
      : kind === "boolean"
        ? "true | false"
        : kind === "secret" || kind === "lines" || kind === "fixed"
          ? kind
          : `${datatype === "string" ? "text" : datatype}${range}`;
  return `${what}${readOnly ? ", fixed" : required ? ", required" : ""}`;
}

/** The faults beside their fields, and the error to end with. */
function printRejected(form: Form, out: Output): CommandError {
  const wrong = form.fields.filter(({ error }) => error !== "");
  out.value({ rejected: wrong.map(({ name, values, error }) => ({ name, values, error })), text: form.instructions });
  for (const line of form.instructions) out.line(line);
  if (wrong.length > 0)
    out.table(
      ["Field", "Value", "Takes", "What is wrong"],
      wrong.map(field => [field.name, valueText(field), takes(field), field.error]),
    );
  return new CommandError("Nothing was changed.");
}
