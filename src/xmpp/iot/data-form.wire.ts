// Data forms: XEP-0004 with validation (XEP-0122), pages (XEP-0141), colours (XEP-0331), dynamic flags and post-back
// (XEP-0336), and the parameter groups of Control.xsd. What others write is read leniently: order and prefixes vary (DF-VAL-02).

import {
  type Datatype,
  type FilledField,
  type FilledFieldKind,
  type Form,
  filledField,
  type Submission,
} from "#contract/filled-form.ts";
import { type Codec, element as codecOf, foreign, mapped, type Part, WireError } from "#xml/codec.ts";
import { type Element, element, elements, textOf } from "#xml/element.ts";

export const formNs = "jabber:x:data";
export const validationNs = "http://jabber.org/protocol/xdata-validate";
export const layoutNs = "http://jabber.org/protocol/xdata-layout";
export const dynamicNs = "urn:xmpp:xdata:dynamic";
const colorNs = "urn:xmpp:xdata:color";
/** The hidden field that names a form, with the space that it has. */
const sessionName = "xdd session";

/** What a form of ours may have in it, beside what is served. */
export const formFeatures: readonly string[] = [formNs, validationNs, layoutNs, colorNs];

const kindOfType: ReadonlyMap<string, FilledFieldKind> = new Map([
  ["boolean", "boolean"],
  ["text-single", "text"],
  ["text-multi", "lines"],
  ["jid-multi", "lines"],
  ["text-private", "secret"],
  ["list-single", "choice"],
  ["list-multi", "choices"],
  ["jid-single", "jid"],
  ["hidden", "hidden"],
  ["fixed", "fixed"],
]);
const typeOfKind = new Map([...kindOfType].reverse().map(([type, kind]) => [kind, type]));

/** A form to be filled in, on either side. Groups are named in the generation of `controlNs`. */
export const formIn = (controlNs: string): Codec<Form> => ({
  name: "x",
  decode: readForm,
  encode: ({ title, instructions, session, fields }) =>
    element("x", formNs, { type: "form" }, [
      ...(title === "" ? [] : [say("title", title)]),
      ...instructions.map(text => say("instructions", text)),
      ...writePages(fields),
      ...(session === "" ? [] : [writeField(hidden(sessionName, session), controlNs)]),
      ...fields.map(field => writeField(field, controlNs)),
    ]),
});
/** Of forms in which nothing is grouped. */
export const form = formIn("");

/** What came back, final or posted back. `session` is "" when the form has none. */
export interface SubmissionOnWire extends Submission {
  readonly type: "submit" | "cancel";
  readonly session: string;
}

export const submission: Codec<SubmissionOnWire> = {
  name: "x",
  decode(node, path = "x") {
    const { type } = node.attrs;
    if (type !== "submit" && type !== "cancel") throw new WireError(`${path}@type`, "a form comes back as submit");
    const fields = named(node, "field").flatMap(one => {
      const name = one.attrs.var ?? "";
      // Those without a name are text; what names the kind of form is no value (DF-SUB-04).
      return name === "" || name === "FORM_TYPE" || one.attrs.type === "fixed" ? [] : [{ name, values: valuesOf(one) }];
    });
    return {
      type,
      session: fields.find(({ name }) => name === sessionName)?.values[0] ?? "",
      fields: fields.filter(({ name }) => name !== sessionName),
    };
  },
  encode: ({ type, session, fields }) =>
    element("x", formNs, { type }, [
      ...(session === "" ? [] : [writeAnswer(sessionName, [session])]),
      ...fields.map(({ name, values }) => writeAnswer(name, values)),
    ]),
};

/** A submission in the request it answers. */
export const submitted: Part<SubmissionOnWire | undefined> = mapped(
  foreign("x", formNs),
  node => node && submission.decode(node),
  value => value && submission.encode(value, formNs),
);

// XEP-0336: the form is posted back before it is final; nothing is stored by that.
export const postBack = codecOf("submit", { submission: submitted });
export const giveUp = codecOf("cancel", { submission: submitted });

const say = (name: string, text: string, ns: string = formNs): Element =>
  element(name, ns, {}, text === "" ? [] : [text]);
const named = (node: Element, name: string): Element[] => elements(node).filter(one => one.name === name);
/** By local name: prefixes and namespaces of these flags vary between writers. */
const has = (node: Element, name: string): boolean => elements(node).some(one => one.name === name);
const textIn = (node: Element, name: string): string => {
  const found = elements(node).find(one => one.name === name);
  return found === undefined ? "" : textOf(found);
};
const valuesOf = (field: Element): string[] => named(field, "value").map(textOf);
const hidden = (name: string, value: string) => filledField({ name, label: "", kind: "hidden", values: [value] });

const writeAnswer = (name: string, values: readonly string[]): Element =>
  element(
    "field",
    formNs,
    { var: name },
    (values.length === 0 ? [""] : values).map(text => say("value", text)),
  );

function writeField(field: FilledField, controlNs: string): Element {
  const { name, kind, label, description, values, options, group } = field;
  const flag = (holds: boolean, flagName: string) => (holds ? [element(flagName, dynamicNs)] : []);
  // An empty value is a value: the client shows an empty box, and what it sends back unchanged is not "left out".
  const shown = values.length === 0 && kind !== "choices" && kind !== "choice" ? [""] : values;
  return element(
    "field",
    formNs,
    { var: name === "" ? undefined : name, type: typeOfKind.get(kind), label: label === "" ? undefined : label },
    [
      ...(description === "" ? [] : [say("desc", description)]),
      ...(field.required ? [element("required", formNs)] : []),
      ...(kind === "fixed" || kind === "hidden" ? [] : [writeValidation(field)]),
      ...flag(field.notSame, "notSame"),
      ...flag(field.readOnly, "readOnly"),
      ...(field.error === "" ? [] : [say("error", field.error, dynamicNs)]),
      ...shown.map(text => say("value", text)),
      ...options.map(option => element("option", formNs, { label: option.label }, [say("value", option.value)])),
      ...flag(field.postBack, "postBack"),
      // The schema says n, its prose name: both are written, either is read (DF-PG-01).
      ...(group === "" ? [] : [element("pGroup", controlNs, { n: group, name: group })]),
    ],
  );
}

/** Every visible field once; clients that draw pages draw nothing else (DF-FORM-04). A form of one page needs none. */
function writePages(fields: readonly FilledField[]): Element[] {
  const visible = fields.filter(({ kind, name }) => kind !== "hidden" && name !== "");
  const pages = Map.groupBy(visible, ({ page }) => page);
  if (pages.size < 2) return [];
  return [...pages].map(([label, on]) =>
    element(
      "page",
      layoutNs,
      { label },
      on.map(({ name }) => element("fieldref", layoutNs, { var: name })),
    ),
  );
}

function readForm(node: Element, path = "x"): Form {
  const { type } = node.attrs;
  // Some leave the type out (DF-FORM-01).
  if (type !== undefined && type !== "form" && type !== "result")
    throw new WireError(`${path}@type`, "no form to fill in");
  const pages = new Map<string, string>();
  for (const page of named(node, "page")) collectRefs(page, page.attrs.label ?? "", pages);
  const fields = named(node, "field").map(one => readField(one, pages));
  return {
    title: textIn(node, "title"),
    instructions: named(node, "instructions").map(textOf),
    session: fields.find(({ name }) => name === sessionName)?.values[0] ?? "",
    fields: fields.filter(({ name }) => name !== sessionName),
  };
}

function collectRefs(node: Element, page: string, pages: Map<string, string>): void {
  for (const one of elements(node)) {
    if (one.name === "section") collectRefs(one, page, pages);
    else if (one.name === "fieldref" && one.attrs.var !== undefined && !pages.has(one.attrs.var)) {
      pages.set(one.attrs.var, page);
    }
  }
}

function readField(node: Element, pages: ReadonlyMap<string, string>): FilledField {
  const name = node.attrs.var ?? "";
  const group = elements(node).find(one => one.name === "pGroup" || one.name === "parameterGroup")?.attrs;
  const kind = kindOfType.get(node.attrs.type ?? "") ?? "text";
  const values = valuesOf(node);
  return filledField({
    name,
    label: node.attrs.label ?? "",
    kind,
    description: textIn(node, "desc"),
    page: pages.get(name) ?? "",
    // One empty value is how an empty field looks.
    values: values.length === 1 && values[0] === "" ? [] : values,
    options: named(node, "option").map(option => ({
      value: textIn(option, "value"),
      label: option.attrs.label ?? textIn(option, "value"),
    })),
    ...readValidation(node, kind),
    required: has(node, "required"),
    readOnly: has(node, "readOnly"),
    notSame: has(node, "notSame"),
    postBack: has(node, "postBack"),
    error: textIn(node, "error"),
    group: group?.n ?? group?.name ?? "",
  });
}

const datatypeNames: Readonly<Record<Datatype, string>> = {
  string: "xs:string",
  boolean: "xs:boolean",
  byte: "xs:byte",
  short: "xs:short",
  int: "xs:int",
  long: "xs:long",
  integer: "xs:integer",
  double: "xs:double",
  decimal: "xs:decimal",
  date: "xs:date",
  dateTime: "xs:dateTime",
  time: "xs:time",
  duration: "xs:duration",
  uri: "xs:anyURI",
  language: "xs:language",
  color: "xdc:Color",
  colorAlpha: "xdc:ColorAlpha",
};
const datatypeByName = new Map(
  Object.entries(datatypeNames).map(([datatype, name]) => [name.toLowerCase(), datatype as Datatype]),
);

/** For clients that do not know the colour types: they check the digits. */
const fallback: Partial<Record<Datatype, string>> = { color: "^[0-9a-fA-F]{6}$", colorAlpha: "^[0-9a-fA-F]{8}$" };

type Accepted = Pick<FilledField, "datatype" | "open" | "min" | "max" | "pattern">;

function writeValidation({ datatype, open, min, max, pattern }: Accepted): Element {
  const regex = pattern === "" ? fallback[datatype] : pattern;
  const ranged = min !== undefined || max !== undefined;
  const rule = ranged
    ? element("range", validationNs, { min, max })
    : regex !== undefined
      ? element("regex", validationNs, {}, [regex])
      : element(open ? "open" : "basic", validationNs);
  // The prefix stands in a value, where only a declaration of its own gives it a meaning.
  const declared = datatype === "color" || datatype === "colorAlpha" ? { "xmlns:xdc": colorNs } : {};
  return element("validate", validationNs, { ...declared, datatype: datatypeNames[datatype] }, [rule]);
}

function readValidation(field: Element, kind: FilledFieldKind): Accepted {
  const standard: Datatype = kind === "boolean" ? "boolean" : "string";
  const validate = elements(field).find(one => one.name === "validate");
  const rules = validate === undefined ? [] : elements(validate);
  const rule = (name: string) => rules.find(one => one.name === name);
  const datatype = datatypeByName.get(validate?.attrs.datatype?.toLowerCase() ?? "") ?? standard;
  const regex = rule("regex");
  const pattern = regex === undefined ? "" : textOf(regex);
  return {
    datatype,
    open: rule("open") !== undefined,
    min: rule("range")?.attrs.min,
    max: rule("range")?.attrs.max,
    pattern: pattern === fallback[datatype] ? "" : pattern,
  };
}
