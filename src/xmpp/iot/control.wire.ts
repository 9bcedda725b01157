// Control: Control.xsd, elements set, resp, getForm, paramError. Values are read strictly, and each that cannot be read is
// kept with its reason, so that one answer can name all faulty parameters (CTR-SET-05, CTR-ERR-03).

import type { ControlKind, ControlValue } from "#contract/control.ts";
import type { NodeRef } from "#contract/node.ts";
import {
  attr,
  body,
  type Codec,
  content,
  element,
  foreign,
  group,
  many,
  mapped,
  type Part,
  type Value,
  WireError,
} from "#xml/codec.ts";
import { type Element, elements, noAttributes } from "#xml/element.ts";
import {
  boolean,
  color,
  date,
  dateTime,
  double,
  duration,
  identifier,
  int32,
  int64,
  type Scalar,
  text,
  time,
} from "#xml/scalars.ts";
import { nodeElement, tokens } from "./address.wire.ts";
import { formNs } from "./data-form.wire.ts";

export interface ControlItem {
  readonly name: string;
  readonly value: ControlValue;
}

/** What is wrong with one parameter, in words for a person. */
export interface ParameterFault {
  readonly name: string;
  readonly message: string;
}

const plain = <T>(kind: ControlKind, scalar: Scalar<T>): Part<ControlValue> =>
  mapped(
    attr("v", scalar),
    value => ({ kind, value }) as ControlValue,
    value => value.value as T,
  );

const enumeration: Part<ControlValue> = mapped(
  group({ value: attr("v", text), type: attr("t", text) }),
  value => ({ kind: "enum", ...value }),
  value => value as Extract<ControlValue, { kind: "enum" }>,
);

/** Element name and value of each kind. */
const kinds: Readonly<Record<ControlKind, readonly [string, Part<ControlValue>]>> = {
  boolean: ["b", plain("boolean", boolean)],
  color: ["cl", plain("color", color)],
  date: ["d", plain("date", date)],
  dateTime: ["dt", plain("dateTime", dateTime)],
  double: ["db", plain("double", double)],
  duration: ["dr", plain("duration", duration)],
  enum: ["e", enumeration],
  int32: ["i", plain("int32", int32)],
  int64: ["l", plain("int64", int64)],
  string: ["s", plain("string", text)],
  time: ["t", plain("time", time)],
};
const valueByElement = new Map(Object.values(kinds));
const parameterName = attr("n", identifier);

interface Values {
  /** In document order. */
  readonly parameters: readonly ControlItem[];
  /** Reading only: parameters whose value is not of the kind of its element. */
  readonly faults: readonly ParameterFault[];
}

/** Parameters in document order; a child of the interface that is neither node nor parameter is an error (CTR-SET-04). */
const values: Part<Values> = {
  read(node, path) {
    const parameters: ControlItem[] = [];
    const faults: ParameterFault[] = [];
    for (const one of elements(node)) {
      if (one.ns !== node.ns || one.name === nodeElement.name) continue;
      const value = valueByElement.get(one.name);
      if (value === undefined) throw new WireError(`${path}/${one.name}`, "no control parameter is of this kind");
      const name = parameterName.read(one, `${path}/${one.name}`);
      try {
        parameters.push({ name, value: value.read(one, one.name) });
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        faults.push({ name, message: error.message.slice(error.path.length + 2) });
      }
    }
    return { parameters, faults };
  },
  write({ parameters }, into, ns) {
    for (const { name, value } of parameters) {
      const [elementName, part] = kinds[value.kind];
      const draft = { attrs: noAttributes(), children: [] };
      parameterName.write(name, draft, ns);
      part.write(value, draft, ns);
      into.children.push({ name: elementName, ns, attrs: draft.attrs, children: draft.children });
    }
  },
};

export const set = element("set", {
  tokens,
  nodes: many(nodeElement),
  values,
  /** A submitted data form, instead of simple parameters or beside them. */
  form: foreign("x", formNs),
});
export type Set = Value<typeof set>;

export const getForm = element("getForm", { tokens, nodes: many(nodeElement) });

const operated = content("p", attr("n", identifier));

/** What was operated on. */
export const response: Codec<{ nodes: readonly NodeRef[]; parameters: readonly string[] }> = element("resp", {
  nodes: many(nodeElement),
  parameters: many(operated),
});
export type Response = Value<typeof response>;

/** Inside an iq error. The schema says `var`, others read `n`: both are written, either is read (CTR-ERR-02). */
const faultName: Part<string> = {
  read: (node, path) => attr(node.attrs.var === undefined ? "n" : "var", identifier).read(node, path),
  write(value, into) {
    into.attrs.var = value;
    into.attrs.n = value;
  },
};
export const parameterError: Codec<ParameterFault> = element("paramError", { name: faultName, message: body(text) });

/** The faulty parameters named in the details of an error. */
export const parameterFaults = (details: readonly Element[]): ParameterFault[] =>
  details.filter(one => one.name === parameterError.name).map(one => parameterError.decode(one));
