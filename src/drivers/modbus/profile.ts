// What is known about a product: its registers by name, its limits, and examples that are run as tests. A flat and short
// form, so that a row reads like a row of the manual.

import { type Category, categories } from "#contract/field.ts";
import type { Point, Table } from "./point.ts";
import { type RegisterType, type WordOrder, wordsOf } from "./registers.ts";

export interface ProfilePoint {
  /** By the policy of docs/field-names.md. */
  readonly field: string;
  readonly table: Table;
  /** On the wire, from 0. */
  readonly address: number;
  readonly type: RegisterType;
  readonly order?: WordOrder;
  /** Of the value after scaling; left out for a number without one. */
  readonly unit?: string;
  readonly scale?: number;
  readonly offset?: number;
  readonly noValue?: readonly string[];
  readonly words?: number;
  /** Default momentary. */
  readonly category?: Category;
  readonly writable?: { readonly min?: number; readonly max?: number };
}

export interface Profile {
  /** Stable, public API: it stands in the settings of nodes. */
  readonly name: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly gapMs?: number;
  readonly wordsMax?: number;
  readonly gapMax?: number;
  readonly points: readonly ProfilePoint[];
  readonly examples: readonly { readonly field: string; readonly registers: string; readonly value: number | null }[];
}

export const pointsOf = (profile: Profile): readonly Point[] =>
  profile.points.map(({ category = "momentary", unit = "", ...rest }) => ({
    ...rest,
    words: wordsOf(rest),
    unit,
    categories: categories(category),
  }));
