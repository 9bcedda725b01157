// Control parameters as a data form, and a submitted form as values for them (control interface, CTR-FORM-01…06, DF-PG-02).

import { type ControlKind, type ControlParameter, type ControlValue, takesOnly } from "#contract/control.ts";
import { Refusal } from "#contract/faults.ts";
import { type Datatype, type FilledField, type Form, filledField, type Submission } from "#contract/filled-form.ts";
import * as scalars from "#xml/scalars.ts";
import { ScalarError } from "#xml/scalars.ts";
import type { ControlItem, ParameterFault } from "./control.wire.ts";

/** How values of a kind are written and read. */
const texts: Readonly<Record<Exclude<ControlKind, "enum">, scalars.Scalar<never>>> = {
  boolean: scalars.boolean as scalars.Scalar<never>,
  color: scalars.color as scalars.Scalar<never>,
  int32: scalars.int32 as scalars.Scalar<never>,
  int64: scalars.int64 as scalars.Scalar<never>,
  double: scalars.double as scalars.Scalar<never>,
  string: scalars.text as scalars.Scalar<never>,
  date: scalars.date as scalars.Scalar<never>,
  time: scalars.time as scalars.Scalar<never>,
  duration: scalars.duration as scalars.Scalar<never>,
  dateTime: scalars.dateTime as scalars.Scalar<never>,
};

const datatypes: Readonly<Record<ControlKind, Datatype>> = {
  boolean: "boolean",
  color: "color",
  int32: "int",
  int64: "long",
  double: "double",
  string: "string",
  enum: "string",
  date: "date",
  time: "time",
  duration: "duration",
  dateTime: "dateTime",
};

/** Every field may have changed since it was read, so all are marked, and only what was edited comes back (CTR-FORM-01). */
export const controlForm = (
  title: string,
  parameters: readonly ControlParameter[],
  current: ReadonlyMap<string, ControlValue>,
): Form => ({
  title,
  instructions: [],
  session: "",
  fields: parameters.map(parameter => fieldOf(parameter, current.get(parameter.name))),
});

function fieldOf(parameter: ControlParameter, value: ControlValue | undefined): FilledField {
  const { name, kind, label, unit = "", min, max, options = [] } = parameter;
  const choice = options.length > 0;
  const shown = value === undefined ? "" : textOf(value);
  return filledField({
    name,
    label: unit === "" ? label : `${label} (${unit})`,
    description: parameter.description ?? "",
    page: parameter.page ?? "",
    kind: choice ? "choice" : kind === "boolean" ? "boolean" : "text",
    datatype: kind === "color" && shown.length === 8 ? "colorAlpha" : datatypes[kind],
    values: shown === "" ? [] : [shown],
    options: options.map(option => ({ value: option, label: option })),
    min: min === undefined ? undefined : scalars.plainDecimal(min),
    max: max === undefined ? undefined : scalars.plainDecimal(max),
    notSame: true,
    group: parameter.group ?? "",
  });
}

const textOf = (value: ControlValue): string =>
  value.kind === "enum" ? value.value : texts[value.kind].format(value.value as never);

export interface FormValues {
  readonly values: readonly ControlItem[];
  /** Not in the form's own kind. */
  readonly faults: readonly ParameterFault[];
  /** No such parameter. */
  readonly unknown: readonly string[];
}

/** By the kind of the parameter, whatever the field says of itself (DF-SUB-01); never a default for what cannot be read. */
export function valuesOf({ fields }: Submission, parameters: readonly ControlParameter[]): FormValues {
  const byName = new Map(parameters.map(parameter => [parameter.name, parameter]));
  const result = { values: [] as ControlItem[], faults: [] as ParameterFault[], unknown: [] as string[] };
  for (const { name, values } of fields) {
    const parameter = byName.get(name);
    if (parameter === undefined) result.unknown.push(name);
    else if (values.length > 1) result.faults.push({ name, message: "It takes one value." });
    else {
      const value = read(parameter, values[0] ?? "");
      if (typeof value === "string") result.faults.push({ name, message: value });
      else result.values.push({ name, value });
    }
  }
  return result;
}

/** The value, or what is wrong with the text. */
function read({ kind, options }: ControlParameter, text: string): ControlValue | string {
  if (kind === "enum")
    return options === undefined || options.includes(text)
      ? { kind, value: text, type: "" }
      : `It takes one of ${options.join(", ")}.`;
  if (text === "" && kind !== "string") return takesOnly(kind);
  try {
    return { kind, value: texts[kind].parse(text) } as ControlValue;
  } catch (error) {
    if (error instanceof ScalarError) return takesOnly(kind);
    throw error;
  }
}

/**
 * What belongs together is set together: companions that were not said are added as they are; who may not set one of them, or
 * where it is not known what it is, is told so (DF-PG-02).
 */
export function withCompanions(
  values: readonly ControlItem[],
  companions: readonly string[],
  offered: readonly ControlParameter[],
  current: ReadonlyMap<string, ControlValue>,
): readonly ControlItem[] {
  const refuse = (kind: "denied" | "bad-request", names: readonly string[], message: string) =>
    new Refusal(
      kind,
      "What belongs together is set together.",
      names.map(name => ({ name, message })),
    );
  const withheld = companions.filter(name => !offered.some(one => one.name === name));
  if (withheld.length > 0) throw refuse("denied", withheld, "It is set together with others, and you may not set it.");
  const unknown = companions.filter(name => !current.has(name));
  if (unknown.length > 0) throw refuse("bad-request", unknown, "It is set together with others, and is not known now.");
  return [...values, ...companions.map(name => ({ name, value: current.get(name) as ControlValue }))];
}
