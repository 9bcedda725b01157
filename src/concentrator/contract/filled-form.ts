// A form with values in it, as it is shown, sent back and corrected: neutral between the data forms of XMPP, the pages of the
// app and the questions of the command line. Values are texts in their XML Schema form (COM-LEX), since that is how they come.

import { Refusal } from "./faults.ts";

/** secret: written, never shown · lines: one value a line · choice, choices: of options · fixed: only text. */
export type FilledFieldKind =
  | "boolean"
  | "text"
  | "lines"
  | "secret"
  | "choice"
  | "choices"
  | "jid"
  | "hidden"
  | "fixed";

/** What a value has to look like; `color` has 6 hexadecimal digits, `colorAlpha` 8. */
export type Datatype =
  | "string"
  | "boolean"
  | "byte"
  | "short"
  | "int"
  | "long"
  | "integer"
  | "double"
  | "decimal"
  | "date"
  | "dateTime"
  | "time"
  | "duration"
  | "uri"
  | "language"
  | "color"
  | "colorAlpha";

export interface FilledField {
  /** Stable and unlocalised; "" only for fixed text. */
  readonly name: string;
  readonly kind: FilledFieldKind;
  readonly datatype: Datatype;
  readonly label: string;
  /** "" for none. */
  readonly description: string;
  /** Heading of the page it stands on, "" for none. */
  readonly page: string;
  /** Empty: no value. One, unless the kind is lines or choices. */
  readonly values: readonly string[];
  readonly options: readonly { readonly value: string; readonly label: string }[];
  /** Values besides the options are taken too. */
  readonly open: boolean;
  /** Bounds, inclusive, in the form of the datatype; undefined: none. */
  readonly min: string | undefined;
  readonly max: string | undefined;
  /** Regular expression the whole value matches; "" for none. */
  readonly pattern: string;
  readonly required: boolean;
  readonly readOnly: boolean;
  /** The value is uncertain, or differs between the nodes of the form: what comes back empty-handed stays as it is. */
  readonly notSame: boolean;
  /** Other fields depend on it: the form is to be asked for anew when it was changed. */
  readonly postBack: boolean;
  /** What is wrong with the value, in words for a person; "" when nothing is. */
  readonly error: string;
  /** Fields of one group are set together; "" for none. */
  readonly group: string;
}

export interface Form {
  readonly title: string;
  readonly instructions: readonly string[];
  /** Names the form when it is posted back before it is final; "" when it is not. */
  readonly session: string;
  readonly fields: readonly FilledField[];
}

/** What came back. A field that is not in it stays as it is; one without a value, or with an empty one, is to be cleared. */
export interface Submission {
  readonly fields: readonly { readonly name: string; readonly values: readonly string[] }[];
}

/** A field with what is usual left out. */
export const filledField = (
  field: Pick<FilledField, "name" | "label"> & Partial<Omit<FilledField, "name" | "label">>,
): FilledField => ({
  kind: "text",
  datatype: "string",
  description: "",
  page: "",
  values: [],
  options: [],
  open: false,
  min: undefined,
  max: undefined,
  pattern: "",
  required: false,
  readOnly: false,
  notSame: false,
  postBack: false,
  error: "",
  group: "",
  ...field,
});

/** A submission was not taken, and nothing was changed. The form has what was submitted, and an error on each faulty field. */
export class FormRejected extends Refusal {
  override name = "FormRejected";
  readonly form: Form;
  constructor(form: Form) {
    const wrong = form.fields.filter(({ error }) => error !== "").map(({ name, error }) => ({ name, message: error }));
    const words = [...form.instructions, ...wrong.map(({ name, message }) => `${name}: ${message}`)];
    super("not-acceptable", words.join(" "), wrong);
    this.form = form;
  }
}

/** The form as this person reads it: names, values and bounds stay as they are (DF-FORM-05). */
export const inWords = (form: Form, say: (text: string) => string): Form => ({
  ...form,
  title: say(form.title),
  instructions: form.instructions.map(say),
  fields: form.fields.map(field => ({
    ...field,
    label: say(field.label),
    description: say(field.description),
    page: say(field.page),
    error: say(field.error),
    options: field.options.map(({ value, label }) => ({ value, label: say(label) })),
    values: field.kind === "fixed" ? field.values.map(say) : field.values,
  })),
});
