// One form for several nodes: the fields all of them have in the same sense, with the first node's value, marked where the
// others differ (CON-COMMON-01, DF-MERGE-01, -02).

import type { FilledField } from "./contract/filled-form.ts";

export function mergeFields(forms: readonly (readonly FilledField[])[]): FilledField[] {
  const [first = [], ...others] = forms;
  const byName = others.map(fields => new Map(fields.map(field => [field.name, field])));
  return first.flatMap(field => {
    const same = byName.map(fields => fields.get(field.name));
    return same.every(other => other !== undefined && meansTheSame(field, other))
      ? mergeField(field, same as FilledField[])
      : [];
  });
}

const meansTheSame = (a: FilledField, b: FilledField): boolean =>
  a.kind === b.kind &&
  a.label === b.label &&
  a.description === b.description &&
  a.required === b.required &&
  a.postBack === b.postBack &&
  a.datatype === b.datatype &&
  a.open === b.open &&
  a.min === b.min &&
  a.max === b.max &&
  a.pattern === b.pattern &&
  a.group === b.group;

function mergeField(field: FilledField, others: readonly FilledField[]): FilledField[] {
  if (others.length === 0) return [field];
  const options = field.options.filter(({ value }) =>
    others.every(other => other.options.some(one => one.value === value)),
  );
  if (field.options.length > 0 && options.length === 0) return [];
  // What is not shown cannot be said to be the same.
  const notSame = field.kind === "secret" || others.some(other => !sameValues(field, other));
  return [
    {
      ...field,
      options,
      readOnly: field.readOnly || others.some(other => other.readOnly),
      notSame: notSame || field.notSame || others.some(other => other.notSame),
      required: field.required && !notSame,
    },
  ];
}

const sameValues = (a: FilledField, b: FilledField): boolean =>
  a.values.length === b.values.length && a.values.every((value, at) => value === b.values[at]);
