// Criteria as SQL: intervals as comparisons, masks as GLOB. Texts compare by their UTF-8 bytes there, as the interface says.

import type { Bound, Criterion } from "../store.ts";

export type Interval = Extract<Criterion, { type: "str" | "num" }>;

/** The interval itself, whether the criterion means what is in it or what is outside. */
export function bounds(column: "str" | "num", { min, max }: Interval): { sql: string; values: (string | number)[] } {
  const one = (bound: Bound<string | number> | undefined, sign: string) =>
    bound === undefined ? [] : [{ sql: `${column} ${sign}${bound.included ? "=" : ""} ?`, value: bound.value }];
  const tests = [...one(min, ">"), ...one(max, "<")];
  return { sql: tests.map(({ sql }) => sql).join(" AND "), values: tests.map(({ value }) => value) };
}

/** One value alone. */
export const isPoint = ({ min, max }: Interval): boolean =>
  min !== undefined && max !== undefined && min.value === max.value && min.included && max.included;

/** SQLite's GLOB, in which everything but the wildcard stands for itself. */
export const globOf = (mask: string, wildcard: string): string =>
  mask
    .split(wildcard)
    .map(part => part.replace(/[*?[]/g, "[$&]"))
    .join("*");

/** The first text after all that begin so; undefined when there is none such. */
export function successor(prefix: string): string | undefined {
  const letters = [...prefix];
  const last = letters.pop()?.codePointAt(0);
  if (last === undefined || last >= 0xd7ff) return undefined;
  return letters.join("") + String.fromCodePoint(last + 1);
}
