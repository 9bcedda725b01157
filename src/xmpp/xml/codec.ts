// A small set of combinators: one description of an element, read in both directions, from which the TypeScript type is
// inferred. A description knows local names only; the namespace is given when it is used, so one serves all generations.
// Strict about what is known, deaf to what is not: a missing or malformed known attribute is a `WireError` with its path,
// unknown attributes and elements are ignored, so that peers may be newer than us.

import { type Element, elements, isElement, element as make, noAttributes, textOf } from "./element.ts";
import { boolean, type Scalar, ScalarError } from "./scalars.ts";

/** The peer's XML breaks its schema. `path` names the fault: `req/nd[2]@id`. */
export class WireError extends Error {
  override name = "WireError";
  readonly path: string;
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
    this.path = path;
  }
}

/** One element name with its content. */
export interface Codec<T> {
  readonly name: string;
  /** Throws `WireError`. `ns` is the namespace its own children are expected in. */
  decode(node: Element, path?: string): T;
  encode(value: T, ns: string): Element;
}

export type Value<C> = C extends Codec<infer T> ? T : never;

interface Draft {
  attrs: Record<string, string>;
  children: (Element | string)[];
}

/** One property of the value: where it stands in the element. */
export interface Part<T> {
  read(node: Element, path: string): T;
  write(value: T, into: Draft, ns: string): void;
}

// biome-ignore lint/suspicious/noExplicitAny: a shape mixes parts of any type; the mapped type below gives each its own.
export type Shape = Record<string, Part<any>>;
export type ShapeValue<S extends Shape> = { [K in keyof S]: S[K] extends Part<infer T> ? T : never };

export function element<S extends Shape>(name: string, shape: S): Codec<ShapeValue<S>> {
  const parts = group(shape);
  return {
    name,
    decode: (node, path = name) => parts.read(node, path),
    encode(value, ns) {
      const draft: Draft = { attrs: noAttributes(), children: [] };
      parts.write(value, draft, ns);
      return { name, ns, attrs: draft.attrs, children: draft.children };
    },
  };
}

/** An element with a single property, as that property: a list, a text. */
export function content<T>(name: string, part: Part<T>): Codec<T> {
  return {
    name,
    decode: (node, path = name) => part.read(node, path),
    encode(value, ns) {
      const draft: Draft = { attrs: noAttributes(), children: [] };
      part.write(value, draft, ns);
      return { name, ns, attrs: draft.attrs, children: draft.children };
    },
  };
}

/** The same attributes and children in several elements: an attribute group of the schema. */
export function group<S extends Shape>(shape: S): Part<ShapeValue<S>> {
  const keys = Object.keys(shape) as (keyof S & string)[];
  return {
    read(node, path) {
      const value = {} as Record<string, unknown>;
      for (const key of keys) value[key] = (shape[key] as Part<unknown>).read(node, path);
      return value as ShapeValue<S>;
    },
    write(value, into, ns) {
      for (const key of keys) (shape[key] as Part<unknown>).write(value[key], into, ns);
    },
  };
}

const scalarAt = <T>(scalar: Scalar<T>, raw: string, path: string): T => {
  try {
    return scalar.parse(raw);
  } catch (error) {
    if (error instanceof ScalarError) throw new WireError(path, error.message);
    throw error;
  }
};

/** A required attribute. */
export const attr = <T>(name: string, scalar: Scalar<T>): Part<T> => ({
  read(node, path) {
    const raw = node.attrs[name];
    if (raw === undefined) throw new WireError(`${path}@${name}`, "missing");
    return scalarAt(scalar, raw, `${path}@${name}`);
  },
  write(value, into) {
    into.attrs[name] = scalar.format(value);
  },
});

/** An optional attribute: empty is absent (COM-LEX-08), and an absent one is `undefined`. */
export const optional = <T>(name: string, scalar: Scalar<T>): Part<T | undefined> => ({
  read(node, path) {
    const raw = node.attrs[name];
    return raw === undefined || raw === "" ? undefined : scalarAt(scalar, raw, `${path}@${name}`);
  },
  write(value, into) {
    if (value !== undefined) into.attrs[name] = scalar.format(value);
  },
});

/** An attribute with a default, which is not written. */
export const attrOr = <T>(name: string, scalar: Scalar<T>, standard: T): Part<T> => ({
  read(node, path) {
    const raw = node.attrs[name];
    return raw === undefined || raw === "" ? standard : scalarAt(scalar, raw, `${path}@${name}`);
  },
  write(value, into) {
    if (value !== standard) into.attrs[name] = scalar.format(value);
  },
});

/** Several boolean attributes, default false, as a record: `flags({ momentary: "m" })`. */
export const flags = <N extends string>(names: Readonly<Record<N, string>>): Part<Record<N, boolean>> => {
  const entries = Object.entries(names) as [N, string][];
  return {
    read(node, path) {
      const value = {} as Record<N, boolean>;
      for (const [name, attribute] of entries) {
        const raw = node.attrs[attribute];
        value[name] = raw === undefined || raw === "" ? false : scalarAt(boolean, raw, `${path}@${attribute}`);
      }
      return value;
    },
    write(value, into) {
      for (const [name, attribute] of entries) if (value[name]) into.attrs[attribute] = "true";
    },
  };
};

/** The element's own text. */
export const body = <T>(scalar: Scalar<T>): Part<T> => ({
  read: (node, path) => scalarAt(scalar, textOf(node), path),
  write(value, into) {
    const text = scalar.format(value);
    if (text !== "") into.children.push(text);
  },
});

/** Children of that name in the parent's namespace, in order. */
export const many = <T>(codec: Codec<T>): Part<readonly T[]> => ({
  read: (node, path) =>
    elements(node)
      .filter(one => one.name === codec.name && one.ns === node.ns)
      .map((one, index) => codec.decode(one, `${path}/${codec.name}[${index + 1}]`)),
  write(values, into, ns) {
    for (const value of values) into.children.push(codec.encode(value, ns));
  },
});

/** At most one child of that name; a second is an error. */
export const maybe = <T>(codec: Codec<T>): Part<T | undefined> => ({
  read(node, path) {
    const found = elements(node).filter(one => one.name === codec.name && one.ns === node.ns);
    if (found.length > 1) throw new WireError(`${path}/${codec.name}`, "more than one");
    return found[0] === undefined ? undefined : codec.decode(found[0], `${path}/${codec.name}`);
  },
  write(value, into, ns) {
    if (value !== undefined) into.children.push(codec.encode(value, ns));
  },
});

/** Exactly one child of that name. */
export const one = <T>(codec: Codec<T>): Part<T> => ({
  read(node, path) {
    const value = maybe(codec).read(node, path);
    if (value === undefined) throw new WireError(`${path}/${codec.name}`, "missing");
    return value;
  },
  write: (value, into, ns) => maybe(codec).write(value, into, ns),
});

/** A child without content, present or not. */
export const present = (name: string): Part<boolean> => ({
  read: node => elements(node).some(one => one.name === name && one.ns === node.ns),
  write(value, into, ns) {
    if (value) into.children.push(make(name, ns));
  },
});

// biome-ignore lint/suspicious/noExplicitAny: alternatives differ in type; `Tagged` gives each its own.
type Alternatives = Record<string, Codec<any>>;
export type Tagged<A extends Alternatives> = { [K in keyof A & string]: { kind: K } & Value<A[K]> }[keyof A & string];

/** Children of several names in document order; the key says which, as `kind`. */
export function mixed<A extends Alternatives>(alternatives: A): Part<readonly Tagged<A>[]> {
  const byName = new Map(Object.entries(alternatives).map(([kind, codec]) => [codec.name, { kind, codec }]));
  return {
    read(node, path) {
      const values: Tagged<A>[] = [];
      for (const one of node.children) {
        if (!isElement(one) || one.ns !== node.ns) continue;
        const found = byName.get(one.name);
        if (found)
          values.push({ kind: found.kind, ...found.codec.decode(one, `${path}/${one.name}[${values.length + 1}]`) });
      }
      return values;
    },
    write(values, into, ns) {
      for (const value of values) into.children.push((alternatives[value.kind] as Codec<unknown>).encode(value, ns));
    },
  };
}

/** A child taken as it is, of a namespace of its own (a data form in a command). */
export const foreign = (name: string, ns: string): Part<Element | undefined> => ({
  read(node, path) {
    const found = elements(node).filter(one => one.name === name && one.ns === ns);
    if (found.length > 1) throw new WireError(`${path}/${name}`, "more than one");
    return found[0];
  },
  write(value, into) {
    if (value !== undefined) into.children.push(value);
  },
});

/** A property that is fixed on reading and not written: for filling a type. */
export const constant = <T>(value: T): Part<T> => ({ read: () => value, write: () => {} });

/** Another view of a part: flags as a record with other names, several attributes as one value. */
export const mapped = <T, U>(part: Part<T>, into: (value: T) => U, from: (value: U) => T): Part<U> => ({
  read: (node, path) => into(part.read(node, path)),
  write: (value, draft, ns) => part.write(from(value), draft, ns),
});
