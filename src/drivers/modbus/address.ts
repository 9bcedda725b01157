// An address as people have it before them, in whatever notation, to the one on the wire: 17, 0x0011, 4x0018, 400018, or 40018
// where the manual counts like that. What could be two things is never guessed: a plain number is what the numbering says. Pure.

import type { Table } from "./point.ts";
import { type Numbering, wireAddress } from "./profile-numbering.ts";

export interface WireAddress {
  /** On the wire, from 0. */
  readonly address: number;
  /** Where the notation names it. */
  readonly table?: Table;
}

const tables: Readonly<Record<string, Table>> = { 0: "coil", 1: "discrete", 3: "input", 4: "holding" };
const tableWords: Readonly<Record<Table, string>> = {
  coil: "a coil",
  discrete: "a discrete input",
  input: "an input register",
  holding: "a holding register",
};

/** Or what is wrong with it, for the person who typed it. */
export function addressOf(text: string, numbering: Numbering, table: Table): WireAddress | string {
  const found = parse(text.trim(), numbering);
  if (found === undefined) return "an address such as 17, 0x0011, 4x0018 or 400018 is expected";
  if (found.table !== undefined && found.table !== table) return `that is ${tableWords[found.table]}`;
  return found;
}

function parse(text: string, numbering: Numbering): WireAddress | undefined {
  // Four digits behind 0x are hexadecimal; with five, or another digit before the x, it is a table and a number from 1.
  const hex = /^0x([0-9a-f]{1,4})$/i.exec(text);
  if (hex) return inRange(Number.parseInt(hex[1] ?? "", 16) - (numbering === "from1" ? 1 : 0));
  const named = /^([0134])x(\d{1,6})$/i.exec(text) ?? /^([0134])(\d{5})$/.exec(text);
  if (named) return inRange(Number(named[2]) - 1, tables[named[1] ?? ""]);
  if (!/^\d{1,5}$/.test(text)) return undefined;
  return wireAddress(numbering, Number(text));
}

const inRange = (address: number, table?: Table): WireAddress | undefined =>
  address >= 0 && address <= 0xffff ? { address, ...(table && { table }) } : undefined;

/** For people: "holding register 17 (0x0011), written 40018". */
export function describeAddress(table: Table, { address }: WireAddress, written: string): string {
  const digit = Object.keys(tables).find(one => tables[one] === table);
  const classic = `${digit}${String(address + 1).padStart(address < 9_999 ? 4 : 5, "0")}`;
  const hex = address.toString(16).toUpperCase().padStart(4, "0");
  return `${address} (0x${hex}, ${classic} where counting begins at 1); written ${written}`;
}
