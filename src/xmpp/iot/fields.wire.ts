// Field elements of the sensor-data interface (SensorData.xsd: q s b d dt dr e i l t inside ts), to and from the words of
// contract/field.ts. What has no value goes out as an `err` with its reason, never as a number (SD-RESP-10).

import type { Categories, Field, FieldValue, Quality, QualityFlag } from "#contract/field.ts";
import { attr, attrOr, type Codec, flags, group, mapped, type Part, WireError } from "#xml/codec.ts";
import { type Element, element, isElement, noAttributes, textOf } from "#xml/element.ts";
import {
  boolean,
  date,
  dateTime,
  decimal,
  duration,
  identifier,
  int32,
  int64,
  type Scalar,
  text,
  time,
} from "#xml/scalars.ts";

/** m p s c i h: in requests what is asked, on fields what they are. */
export const categoryFlags: Part<Categories> = flags({
  momentary: "m",
  peak: "p",
  status: "s",
  computed: "c",
  identity: "i",
  historical: "h",
});

const qualityLetters: readonly (readonly [QualityFlag, string])[] = [
  ["missing", "ms"],
  ["inProgress", "pr"],
  ["automaticEstimate", "ae"],
  ["manualEstimate", "me"],
  ["manualReadout", "mr"],
  ["automaticReadout", "ar"],
  ["timeOffset", "of"],
  ["warning", "w"],
  ["error", "er"],
  ["signed", "so"],
  ["invoiced", "iv"],
  ["endOfSeries", "eos"],
  ["powerFailure", "pf"],
  ["invoiceConfirmed", "ic"],
];

const quality: Part<Quality> = {
  read(node, path) {
    const value: Partial<Record<QualityFlag, true>> = {};
    for (const [name, letters] of qualityLetters) {
      if (node.attrs[letters] !== undefined && attrOr(letters, boolean, false).read(node, path)) value[name] = true;
    }
    return value;
  },
  write(value, into) {
    for (const [name, letters] of qualityLetters) if (value[name]) into.attrs[letters] = "true";
  },
};

/** `ctr`: said only when it is so. */
const controllable: Part<true | undefined> = mapped(
  attrOr("ctr", boolean, false),
  value => value || undefined,
  value => value ?? false,
);

const head = group({
  name: attr("n", identifier),
  categories: categoryFlags,
  quality,
  writable: controllable,
});

type Valued = Exclude<FieldValue, { kind: "missing" }>;
type Kind = Valued["kind"];

const plain = <T>(kind: Kind, scalar: Scalar<T>): Part<Valued> =>
  mapped(
    attr("v", scalar),
    value => ({ kind, value }) as Valued,
    value => value.value as T,
  );

const fieldElement = (name: string, value: Part<Valued>): Codec<Field> => ({
  name,
  decode(node, path = name) {
    const { name, categories, quality, writable } = head.read(node, path);
    const field = { name, value: value.read(node, path), categories, quality };
    return writable ? { ...field, writable } : field;
  },
  encode(field, ns) {
    const draft = { attrs: noAttributes(), children: [] };
    head.write(field as Required<Field>, draft, ns);
    value.write(field.value as Valued, draft, ns);
    return { name, ns, attrs: draft.attrs, children: draft.children };
  },
});

const quantity = mapped(
  group({ number: attr("v", decimal), unit: attrOr("u", text, "") }),
  ({ number, unit }): Valued => ({ kind: "quantity", ...number, unit }),
  value => {
    const { value: number, decimals, unit } = value as Extract<FieldValue, { kind: "quantity" }>;
    return { number: { value: number, decimals }, unit };
  },
);

const enumeration = mapped(
  group({ value: attr("v", text), type: attr("t", text) }),
  (value): Valued => ({ kind: "enum", ...value }),
  value => value as Extract<FieldValue, { kind: "enum" }>,
);

const byKind: Readonly<Record<Kind, Codec<Field>>> = {
  quantity: fieldElement("q", quantity),
  string: fieldElement("s", plain("string", text)),
  boolean: fieldElement("b", plain("boolean", boolean)),
  date: fieldElement("d", plain("date", date)),
  dateTime: fieldElement("dt", plain("dateTime", dateTime)),
  duration: fieldElement("dr", plain("duration", duration)),
  enum: fieldElement("e", enumeration),
  int32: fieldElement("i", plain("int32", int32)),
  int64: fieldElement("l", plain("int64", int64)),
  time: fieldElement("t", plain("time", time)),
};
const byName: ReadonlyMap<string, Codec<Field>> = new Map(Object.values(byKind).map(codec => [codec.name, codec]));

export const encodeErr = (message: string, ns: string): Element => element("err", ns, {}, [message]);

/** One field as it goes into a `ts`: its element, or an `err` that names it when it has no value that can be said. */
export function encodeField(field: Field, ns: string): Element {
  const { value } = field;
  const why = value.kind === "missing" ? value.reason : unsayable(value);
  return why === undefined ? byKind[(value as Valued).kind].encode(field, ns) : encodeErr(`${field.name}: ${why}`, ns);
}

/** Years 1 to 9999 are the date-times every reader knows. */
const dateTimeMin = Date.parse("0001-01-01T00:00:00.000Z");
const dateTimeMax = Date.parse("9999-12-31T23:59:59.999Z");
const isDateTime = (at: number): boolean => at >= dateTimeMin && at <= dateTimeMax;

function unsayable(value: Valued): string | undefined {
  switch (value.kind) {
    case "quantity":
      if (!Number.isFinite(value.value)) return "not a finite number";
      return value.decimals >= 0 && value.decimals <= 100 ? undefined : "decimals out of range";
    case "int32":
      return (value.value | 0) === value.value ? undefined : "not a 32-bit integer";
    case "int64":
      return BigInt.asIntN(64, value.value) === value.value ? undefined : "not a 64-bit integer";
    case "dateTime":
      return isDateTime(value.value) ? undefined : "not a date and time";
    default:
      return undefined;
  }
}

/** What stands under one `ts`: fields measured at `at`, and errors, which are about the node as a whole or name a field. */
export interface SampleOnWire {
  readonly at: number;
  readonly fields: readonly Field[];
  readonly errors: readonly string[];
}

/** An empty `ts`, to be filled. A time no reader could take is sent as the nearest it can. */
export const encodeTimestamp = (at: number, ns: string, children: readonly Element[]): Element =>
  element("ts", ns, { v: dateTime.format(Math.min(Math.max(at, dateTimeMin), dateTimeMax)) }, children);

export const timestamp: Codec<SampleOnWire> = {
  name: "ts",
  decode(node, path = "ts") {
    const fields: Field[] = [];
    const errors: string[] = [];
    const at = attr("v", dateTime).read(node, path);
    for (const one of node.children) {
      if (!isElement(one) || one.ns !== node.ns) continue;
      const codec = byName.get(one.name);
      if (codec !== undefined) fields.push(codec.decode(one, `${path}/${one.name}[${fields.length + 1}]`));
      else if (one.name === "err") errors.push(textOf(one));
    }
    return { at, fields, errors };
  },
  encode({ at, fields, errors }, ns) {
    if (!isDateTime(at)) throw new WireError("ts@v", "not a date and time");
    return encodeTimestamp(at, ns, [
      ...fields.map(field => encodeField(field, ns)),
      ...errors.map(message => encodeErr(message, ns)),
    ]);
  },
};
