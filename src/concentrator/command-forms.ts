// The forms of commands: what they ask for, and what comes back of it checked. Each execution gets values of its own (CON-EXEC-04).

import * as z from "zod";
import { formErrorsMax } from "#limits.ts";
import type { Command } from "./contract/command.ts";
import { Refusal } from "./contract/faults.ts";
import { type FilledField, type Form, FormRejected, type Submission } from "./contract/filled-form.ts";
import { type FormField, formOf } from "./contract/form.ts";
import { type Answers, answersOf, checkSettings, type FormErrors, fillSettings, withAnswers } from "./form-values.ts";

const nothing = z.object({});
const settingsOf = (command: Command): z.ZodObject =>
  command.kind === "simple" ? nothing : (command.settings ?? nothing);

/** Of a simple command: an empty one (CON-CMD-05). */
export const commandForm = (command: Command): Form => ({
  title: command.title,
  instructions: [],
  session: "",
  fields: inLines(formOf(settingsOf(command)), fillSettings(formOf(settingsOf(command)), {})),
});

/** Those that have several lines, a value each. */
function inLines(fields: readonly FormField[], filled: readonly FilledField[]): FilledField[] {
  const several = linesIn(fields);
  return filled.map(field =>
    several.has(field.name)
      ? { ...field, kind: "lines" as const, pattern: "", values: field.values.flatMap(text => text.split("\n")) }
      : field,
  );
}

const linesIn = (fields: readonly FormField[]): ReadonlySet<string> =>
  new Set(fields.filter(({ lines }) => lines).map(({ name }) => name));

/**
 * The values of the submission, with what was left out as the form had it. Throws `Refusal` bad-request when there ought to be
 * a form, or ought to be none (CON-EXEC-01, CON-QRY-03), and `FormRejected` with every fault on its field.
 */
export function commandValues(command: Command, submission: Submission | undefined): unknown {
  const schema = settingsOf(command);
  if (command.kind === "simple") {
    if (submission !== undefined && submission.fields.length > 0)
      throw new Refusal("bad-request", "This command takes no parameters.");
    return {};
  }
  if (submission === undefined) {
    const parsed = command.kind === "query" ? schema.safeParse({}) : undefined;
    if (parsed?.success) return parsed.data;
    throw new Refusal("bad-request", "This command needs its parameters: ask for its form first.");
  }
  const fields = formOf(schema);
  const errors: FormErrors = new Map();
  const several = linesIn(fields);
  const answers = answersOf(submission, several, errors);
  for (const name of answers.keys()) {
    if (!fields.some(field => field.name === name)) errors.set(name, "There is no such parameter.");
  }
  const joined = new Map(
    [...answers].map(([name, values]) => [name, several.has(name) ? [values.join("\n")] : values]),
  );
  const given = withAnswers(fields, {}, joined, errors);
  checkSettings(schema, given, {}, errors);
  if (errors.size > 0) throw rejected(command, answers, errors);
  return schema.parse(given);
}

/** A command itself found fault with its parameters: the same form comes back. */
export function rejectedBy(command: Command, submission: Submission, refusal: Refusal): FormRejected {
  const errors: FormErrors = new Map(refusal.parameters.map(({ name, message }) => [name, message]));
  const answers = new Map(submission.fields.map(({ name, values }) => [name, values]));
  return rejected(command, answers, errors);
}

function rejected(command: Command, answers: Answers, errors: FormErrors): FormRejected {
  const form = commandForm(command);
  const known = new Set(form.fields.map(({ name }) => name));
  const fields = form.fields.map(field => ({
    ...field,
    ...submitted(field, answers),
    error: errors.get(field.name) ?? "",
  }));
  const others = [...errors].filter(([name]) => !known.has(name));
  const instructions = others.slice(0, formErrorsMax).map(([name, text]) => (name === "" ? text : `${name}: ${text}`));
  return new FormRejected({ ...form, instructions: [...form.instructions, ...instructions], fields });
}

/** As the person wrote it; a secret is not repeated. */
const submitted = (field: FilledField, answers: Answers): Pick<FilledField, "values"> => ({
  values: field.kind === "secret" ? [] : (answers.get(field.name) ?? field.values),
});
