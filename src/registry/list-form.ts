// Lists of an owner as a table for people and programs: a data form (XEP-0004) with one item a row, cut by number and by size so
// that one stanza holds it. The client reads the fields by their names.

import { ruleListBytesMax, ruleListMax } from "#limits.ts";
import { type Element, element, format } from "#xml/element.ts";

const formNs = "jabber:x:data";

/** Name on the wire, kind of field, label. */
export type ListColumns<C extends string> = readonly (readonly [name: C, type: string, label: string])[];

export interface ListForm {
  readonly form: Element;
  readonly count: number;
  /** There are more that are not shown. */
  readonly isCut: boolean;
}

/** One more than this is to be given, so that it is known whether there are more. */
export const listMax = ruleListMax;

export function listForm<C extends string>(
  title: string,
  columns: ListColumns<C>,
  rows: readonly Readonly<Record<C, string>>[],
): ListForm {
  const items: Element[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, listMax)) {
    const field = ([name]: ListColumns<C>[number]) =>
      element("field", formNs, { var: name }, [element("value", formNs, {}, [row[name]])]);
    const item = element("item", formNs, {}, columns.map(field));
    bytes += Buffer.byteLength(format(item, formNs));
    if (bytes > ruleListBytesMax) break;
    items.push(item);
  }
  const reported = columns.map(([name, type, label]) => element("field", formNs, { var: name, type, label }));
  const form = element("x", formNs, { type: "result" }, [
    element("title", formNs, {}, [title]),
    element("reported", formNs, {}, reported),
    ...items,
  ]);
  return { form, count: items.length, isCut: items.length < rows.length };
}
