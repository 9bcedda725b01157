// What is done with meters that were found: nodes are made of them, and those that share a primary address, or were never given
// one, get one each, called by their numbers (select, then SND_UD 01 7A nn).

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { type Command, parameterized, queryWith } from "#contract/command.ts";
import type { Added, ChildNode } from "#contract/driver.ts";
import { DeviceFault, Refusal } from "#contract/faults.ts";
import { integerCell, noCell, type Report, textCell } from "#contract/report.ts";
import { parseAddress, type SecondaryAddress } from "./address.ts";
import { addressOf, childOf, type FoundMeters, freeAddress, isResident, toBeMoved } from "./found.ts";
import type { Bus, Line } from "./line.ts";
import { patiently } from "./scan.ts";
import type { Met } from "./search.ts";
import type { Contact } from "./session.ts";
import { primaryRecord, requireFree, write } from "./writing.ts";

const words = {
  category: "Search",
  page: "Search",
  add: "Make nodes of the meters found",
  added: "The meters that were found have nodes below the line.",
  which: "Meters",
  whichHelp:
    "Secondary addresses as the search tells them, separated by blanks; empty: those found that have no node yet.",
  nothing: "Nothing was found yet: search first, or name the meters.",
  assign: "Give meters primary addresses of their own",
  assignConfirm: "Meters that are read by their primary address must be called by the new one afterwards. Continue?",
  assignWhich: "Meters to be moved",
  assignHelp:
    "Secondary addresses, separated by blanks, each perhaps with =address; empty: those found that share an address or have 0.",
  from: "First address",
  fromHelp: "Free addresses are given from here on.",
  assigned: "Addresses given",
  address: "Secondary address",
  before: "Before",
  after: "After",
  outcome: "Outcome",
  confirmed: "confirmed",
  unconfirmed: "acknowledged, not confirmed",
  noneLeft: "no address is free",
  noneToMove: "Every meter that was found has an address of its own.",
};

const listPattern = /^[\s,;]*([0-9A-Fa-f/]{8,25}(=\d{1,3})?([\s,;]+|$))*$/;
const meters = (title: string, description: string) =>
  z
    .string()
    .max(12_000)
    .regex(listPattern, "secondary addresses, separated by blanks")
    .default("")
    .meta({ title, description, page: words.page });

const addSettings = z.object({ meters: meters(words.which, words.whichHelp) });

export const addCommand = (
  line: Line,
  found: FoundMeters,
  addBelow: (children: readonly ChildNode[]) => Added,
): Command =>
  parameterized({
    id: "AddMeters",
    title: words.add,
    sort: { category: words.category, key: "3" },
    success: words.added,
    settings: addSettings,
    async execute({ meters: text }) {
      const named = listOf(text, found);
      const isNew = (meter: Met) => !isResident(meter, line.residents, found.all);
      const all = named.length > 0 ? named.map(({ meter }) => meter) : found.all.filter(isNew);
      if (named.length === 0 && found.all.length === 0) throw new Refusal("not-allowed", words.nothing);
      addBelow(all.map(meter => childOf(meter, [...found.all, ...all.filter(one => !found.all.includes(one))])));
    },
  });

interface Named {
  readonly meter: Met;
  readonly wanted: number | undefined;
}

/** Those that a person named; what is known of them comes from the search. Throws `Refusal`. */
function listOf(text: string, { all }: FoundMeters): Named[] {
  return text
    .split(/[\s,;]+/)
    .filter(word => word !== "")
    .map(word => {
      const [name = "", number] = word.split("=");
      const address = parseAddress(name);
      const wanted = number === undefined ? undefined : Number(number);
      if (address?.kind !== "secondary" || (wanted !== undefined && (wanted < 1 || wanted > 250)))
        throw new Refusal("bad-request", `${word} is no secondary address, or no primary one stands behind it.`);
      const known = all.filter(one => addressOf(one).startsWith(name.toUpperCase()));
      const { digits, fabrication } = address;
      const named = { address: digits, primary: 0, ...(fabrication === undefined ? {} : { fabrication }) };
      return { meter: known.length === 1 && known[0] ? known[0] : named, wanted };
    });
}

const assignSettings = z.object({
  meters: meters(words.assignWhich, words.assignHelp),
  from: z.int().min(1).max(250).default(1).meta({ title: words.from, description: words.fromHelp, page: words.page }),
});

export const assignCommand = (line: Line, found: FoundMeters, clock: Clock): Command =>
  queryWith({
    id: "AssignAddresses",
    title: words.assign,
    sort: { category: words.category, key: "4" },
    confirmation: words.assignConfirm,
    settings: assignSettings,
    async query({ meters: text, from }, report, signal) {
      const named = listOf(text, found);
      if (named.length === 0 && found.all.length === 0) throw new Refusal("not-allowed", words.nothing);
      const moves = named.length > 0 ? named : toBeMoved(found.all).map(meter => ({ meter, wanted: undefined }));
      await report.title(words.assign);
      if (moves.length === 0) return report.message(words.noneToMove);
      await assign(line, found, clock, moves, from, report, signal);
    },
  });

const assigning = "assignment";

async function assign(
  line: Line,
  found: FoundMeters,
  clock: Clock,
  moves: readonly Named[],
  from: number,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const table = await report.table(words.assigned, [
    { columnId: "address", header: words.address },
    { columnId: "before", header: words.before, alignment: "Right" },
    { columnId: "after", header: words.after, alignment: "Right" },
    { columnId: "outcome", header: words.outcome },
  ]);
  const taken = new Set(found.all.map(({ primary }) => primary));
  for (const { meter, wanted } of moves) {
    const turn = (work: (bus: Bus) => Promise<string>) =>
      patiently(clock, signal, () => line.take("control", signal, work, assigning));
    let after: number | undefined;
    for (;;) {
      after = wanted ?? freeAddress(taken, from);
      if (after === undefined) break;
      taken.add(after);
      const next = after;
      const outcome = await turn(bus => moveTo(bus, meter, next, signal));
      // Somebody answers there who was not found: the next one may be free.
      if (outcome === occupied && wanted === undefined) continue;
      const moved = outcome === words.confirmed || outcome === words.unconfirmed;
      if (moved) found.add({ ...meter, primary: next });
      await table.row(
        textCell(addressOf(meter)),
        integerCell(meter.primary),
        moved ? integerCell(next) : noCell,
        textCell(outcome === occupied ? `primary address ${next}: a meter answers there already` : outcome),
      );
      break;
    }
    if (after === undefined) await table.row(textCell(addressOf(meter)), noCell, noCell, textCell(words.noneLeft));
  }
  line.tap.forget(assigning);
  line.health.forget(assigning);
  await table.done();
}

const occupied = "occupied";

/** What became of it, in words. */
async function moveTo(bus: Bus, meter: Met, next: number, signal: AbortSignal): Promise<string> {
  try {
    await requireFree(bus, next, signal);
  } catch (error) {
    if (error instanceof DeviceFault && error.kind === "refused") return occupied;
    throw error;
  }
  const address: SecondaryAddress = {
    kind: "secondary",
    digits: meter.address,
    ...(meter.fabrication === undefined ? {} : { fabrication: meter.fabrication }),
  };
  const contact: Contact = { address, probing: false, retried: () => {} };
  try {
    const outcome = await write(
      bus,
      contact,
      {
        data: primaryRecord(next),
        verdict: ({ primary }) => (primary === next ? { is: "as-told" } : { is: "otherwise", says: String(primary) }),
      },
      signal,
    );
    return words[outcome];
  } catch (error) {
    if (error instanceof DeviceFault && error.kind !== "unreachable") return error.message;
    throw error;
  }
}
