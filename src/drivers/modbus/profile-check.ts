// What the fields of a Modbus profile must be together: checked after each is right by itself, each fault with its place.

import type * as z from "zod";
import type { Profile, ProfileField } from "./profile.ts";
import { addressIn } from "./profile-numbering.ts";
import { wordsOf } from "./registers.ts";

type Report = (path: readonly PropertyKey[], message: string) => void;

export function checkProfile(profile: Profile, context: z.core.$RefinementCtx<Profile>): void {
  const report: Report = (path, message) => context.addIssue({ code: "custom", path: [...path], message });
  const seen = new Map<string, number>();
  for (const [n, field] of profile.fields.entries()) {
    const before = seen.get(field.field);
    if (before !== undefined)
      report(["fields", n, "field"], `${field.field} is there already, as number ${before + 1}`);
    seen.set(field.field, n);
    checkField(profile, field, (path, message) => report(["fields", n, ...path], message));
  }
  for (const [n, { field, registers }] of profile.examples.entries()) {
    const index = seen.get(field);
    const meant = index === undefined ? undefined : profile.fields[index];
    if (meant === undefined) report(["examples", n, "field"], `there is no field ${field} in this profile`);
    else if (registers.length !== 4 * wordsIn(profile, meant)) {
      const message = `${field} has ${counted(wordsIn(profile, meant))}, and these are ${registers.length / 4}`;
      report(["examples", n, "registers"], message);
    }
  }
  if (profile.probe !== undefined) {
    if (!seen.has(profile.probe.field))
      report(["probe", "field"], `there is no field ${profile.probe.field} in this profile`);
    if (profile.probe.min > profile.probe.max) report(["probe", "max"], "it is less than min");
  }
}

const counted = (words: number): string => (words === 1 ? "1 register" : `${words} registers`);

const typeIn = ({ defaults }: Profile, { type }: ProfileField) => type ?? defaults.type ?? "uint16";
const isBits = (table: string | undefined): boolean => table === "coil" || table === "discrete";

function wordsIn(profile: Profile, field: ProfileField): number {
  const table = addressIn(profile.numbering, field.address)?.table ?? field.table ?? profile.defaults.table;
  if (isBits(table)) return 1;
  return wordsOf({ type: typeIn(profile, field), ...(field.words !== undefined && { words: field.words }) });
}

function checkField(profile: Profile, field: ProfileField, report: Report): void {
  const type = typeIn(profile, field);
  const words = wordsIn(profile, field);
  const wire = addressIn(profile.numbering, field.address);
  if (wire === undefined) {
    if (typeof field.address === "string") {
      report(["address"], `${field.address} is no address; expected: 17, 0x0011 or 4x0018`);
      return;
    }
    const other = profile.numbering === "wire" ? "; 40001 and the like need numbering: modicon" : "";
    report(["address"], `there is no register ${field.address} when the numbering is "${profile.numbering}"${other}`);
  } else {
    if (wire.address + words > 0x10000) report(["address"], `its ${words} registers end behind the last one, 65535`);
    if (wire.table !== undefined && field.table !== undefined && wire.table !== field.table) {
      report(["table"], `${field.address} is a number of the ${wire.table} table`);
    }
  }
  if (type === "string" && field.words === undefined) {
    report(["type"], "a text needs words: how many registers it has");
  }
  if (type === "enum" && field.names === undefined) report(["type"], "an enum needs names: 0: Off, 1: On");
  const noValue = field.noValue ?? [];
  if (noValue.some(pattern => pattern.length !== 4 * words)) {
    report(["noValue"], `it is compared with all ${counted(words)}: ${4 * words} hexadecimal digits`);
  }
  const { wordsMax } = profile.limits;
  if (wordsMax !== undefined && words > wordsMax) {
    report(["address"], `its ${words} registers do not fit into one read of ${wordsMax}`);
  }
  checkWriting(wire?.table ?? field.table ?? profile.defaults.table ?? "holding", type, field, report);
}

function checkWriting(table: string, type: string, { writable }: ProfileField, report: Report): void {
  if (writable === undefined || writable === false) return;
  if (table !== "holding" && table !== "coil") report(["writable"], `the ${table} table can only be read`);
  if (type === "bits") report(["writable"], "bits are set one by one: make each a bitfield with its mask");
  if (typeof writable === "object" && (writable.min ?? 0) > (writable.max ?? Number.POSITIVE_INFINITY)) {
    report(["writable", "max"], "it is less than min");
  }
}
