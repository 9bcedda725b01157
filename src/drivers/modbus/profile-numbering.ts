// Register numbers as manuals write them, to addresses on the wire: from 0, from 1, or with the table as the first digit (40001
// is holding register 0). Taken for one another they join the halves of two values. Pure.

import { addressOf } from "./address.ts";
import { type Table, tables } from "./point.ts";

export const numberings = ["wire", "from1", "modicon"] as const;
export type Numbering = (typeof numberings)[number];

const tableOfDigit: Readonly<Record<number, Table>> = { 0: "coil", 1: "discrete", 3: "input", 4: "holding" };

/** Undefined where no such register can be. */
export function wireAddress(numbering: Numbering, number: number): { address: number; table?: Table } | undefined {
  if (numbering === "wire") return inRange(number);
  if (numbering === "from1") return inRange(number - 1);
  // 40001 to 49999, or with six digits 400001 to 465536.
  const size = number > 99_999 ? 100_000 : 10_000;
  const table = tableOfDigit[Math.floor(number / size)];
  const found = inRange((number % size) - 1);
  return table === undefined || found === undefined ? undefined : { ...found, table };
}

/** The same of a number, or of a text that says itself how it counts: 4x0018. */
export function addressIn(numbering: Numbering, written: number | string): ReturnType<typeof wireAddress> {
  if (typeof written === "number") return wireAddress(numbering, written);
  for (const table of tables) {
    const found = addressOf(written, numbering, table);
    if (typeof found !== "string") return found;
  }
  return undefined;
}

const inRange = (address: number): { address: number } | undefined =>
  address >= 0 && address <= 0xffff ? { address } : undefined;
