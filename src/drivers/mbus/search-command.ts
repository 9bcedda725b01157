// The search for meters by their faces as a command of a line: tells how far it is and how long it may take, gives the line away
// between two selects, keeps what it has found, and goes on where it was given up.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { type Command, queryWith } from "#contract/command.ts";
import { integerCell, noCell, type Report, type ReportTable, textCell } from "#contract/report.ts";
import { mbusSearchKeepSelects } from "#limits.ts";
import { faultWords } from "./fault-words.ts";
import type { FoundMeters } from "./found.ts";
import { addressOf, isResident, toBeMoved } from "./found.ts";
import { mediumName, parseManufacturer } from "./header.ts";
import type { Line } from "./line.ts";
import { partsOfFace, probeMask } from "./probing.ts";
import { patiently } from "./scan.ts";
import { beginSearch, formatMask, type Mask, type Met, nextMask, type Search, selectsLeft, told } from "./search.ts";

const words = {
  category: "Search",
  page: "Search",
  search: "Search for meters by the number on their faces",
  numbers: "Numbers, or beginnings of numbers",
  numbersHelp:
    "As on the meters' faces, separated by blanks; a beginning finds all that begin so. Empty finds every meter.",
  notNumbers: "digits, at most eight of each number, separated by blanks",
  makers: "Manufacturers",
  makersHelp: "Three letters each, separated by blanks: tried first where meters have the same number.",
  notMakers: "three letters each, separated by blanks",
  goOn: "Go on with a search that was given up",
  goOnHelp: "With what it has found; otherwise it begins anew.",
  found: "Meters found",
  id: "Number",
  manufacturer: "Manufacturer",
  version: "Version",
  medium: "Medium",
  primary: "Primary address",
  address: "Secondary address",
  remark: "Remark",
  hasNode: "has a node",
  none: "No meter answered. Check the wiring, the baud rate and the parity; some meters know no secondary address: search by primary address.",
  shared:
    "Some meters share a primary address, or have none of their own: they are read by their numbers, and the command AssignAddresses gives them addresses.",
  add: "The command AddMeters makes nodes of what was found.",
};

const settings = z.object({
  numbers: z
    .string()
    .max(2_000)
    .regex(/^[\s,;]*(\d{1,8}([\s,;]+|$))*$/, words.notNumbers)
    .default("")
    .meta({ title: words.numbers, description: words.numbersHelp, page: words.page }),
  manufacturers: z
    .string()
    .max(400)
    .regex(/^[\s,;]*([A-Za-z]{3}([\s,;]+|$))*$/, words.notMakers)
    .default("")
    .meta({ title: words.makers, description: words.makersHelp, page: words.page }),
  goOn: z.boolean().default(true).meta({ title: words.goOn, description: words.goOnHelp, page: words.page }),
});

export const searchCommand = (line: Line, found: FoundMeters, clock: Clock, canAdd: boolean): Command =>
  queryWith({
    id: "SearchMeters",
    title: words.search,
    sort: { category: words.category, key: "2" },
    settings,
    query: (values, report, signal) => run({ line, found, clock, report, signal, canAdd }, values),
  });

interface Run {
  readonly line: Line;
  readonly found: FoundMeters;
  readonly clock: Clock;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly canAdd: boolean;
}

const wordsOf = (text: string): string[] => text.split(/[\s,;]+/).filter(word => word !== "");

/** Four digits as in a select: low octet first. */
const makerDigits = (letters: string): string => {
  const code = parseManufacturer(letters.toUpperCase()) ?? 0;
  return [code & 0xff, code >> 8].map(octet => octet.toString(16).toUpperCase().padStart(2, "0")).join("");
};

async function run(given: Run, { numbers, manufacturers, goOn }: z.output<typeof settings>): Promise<void> {
  const { line, found, report } = given;
  const starts: Mask[] = wordsOf(numbers).map(number => ({ digits: number.padEnd(16, "F") }));
  const makers = wordsOf(manufacturers).map(makerDigits);
  // Numbers that were asked for are another search than the one that was given up.
  const before = goOn && starts.length === 0 ? found.unfinished() : undefined;
  const search = before ?? beginSearch(starts, makers);
  await report.title(words.search);
  const table = await report.table(words.found, [
    { columnId: "id", header: words.id },
    { columnId: "manufacturer", header: words.manufacturer },
    { columnId: "version", header: words.version, alignment: "Right" },
    { columnId: "medium", header: words.medium },
    { columnId: "primary", header: words.primary, alignment: "Right" },
    { columnId: "address", header: words.address },
    { columnId: "remark", header: words.remark },
  ]);
  for (const meter of search.met) await tellMeter(table, meter, line, search);
  if (before !== undefined)
    await report.message(`The search goes on: ${search.selects} selects were made, ${search.met.length} meters found.`);
  try {
    await walk(given, search, table, starts.length === 0);
  } finally {
    line.tap.forget(searching);
    line.health.forget(searching);
  }
  await table.done();
  await conclude(given, search);
}

/** Whose frames those of a search are: no meter's. */
const searching = "search";

async function walk({ line, found, clock, report, signal }: Run, search: Search, table: ReportTable, keeps: boolean) {
  let spentMs = 0;
  let made = 0;
  // What nobody answers to costs the most, and most selects are such.
  let eachMs = line.timing.transferMs(17) + line.timing.answerMs;
  try {
    for (let mask = nextMask(search); mask !== undefined; mask = nextMask(search)) {
      await report.status(statusOf(search, mask, eachMs));
      const known = search.met.length;
      const wanted = mask;
      const probe = await patiently(clock, signal, () =>
        line.take(
          "scan",
          signal,
          async bus => {
            const began = clock.monotonic();
            const result = await probeMask(bus, wanted, signal);
            spentMs += clock.monotonic() - began;
            return result;
          },
          searching,
        ),
      );
      if (probe.kind === "several") line.health.collision(searching);
      told(search, probe);
      eachMs = spentMs / ++made;
      const meter = search.met.at(-1);
      if (search.met.length > known && meter !== undefined) {
        found.add(meter);
        await tellMeter(table, meter, line, search);
      }
      if (keeps && made % mbusSearchKeepSelects === 0) found.keep(search);
    }
  } catch (error) {
    if (keeps) found.keep(search);
    throw error;
  }
  if (keeps) found.keep(undefined);
}

/** "375…: 3 found in 41 selects; at least 27 more, about 48 s." */
function statusOf(search: Search, mask: Mask, eachMs: number): string {
  const left = selectsLeft(search);
  const seconds = Math.ceil((left * eachMs) / 1_000);
  const span = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return `${formatMask(mask)}: ${search.met.length} found in ${search.selects} selects; at least ${left} more, about ${span}.`;
}

async function tellMeter(table: ReportTable, meter: Met, line: Line, search: Search): Promise<void> {
  const { id, manufacturer, version, medium } = partsOfFace(meter.address);
  await table.row(
    textCell(id),
    textCell(manufacturer),
    version === undefined ? noCell : integerCell(version),
    medium === undefined ? noCell : textCell(mediumName(medium)),
    integerCell(meter.primary),
    textCell(addressOf(meter)),
    isResident(meter, line.residents, search.met) ? textCell(words.hasNode) : noCell,
  );
}

async function conclude({ report, canAdd }: Run, search: Search): Promise<void> {
  await report.status(`${search.met.length} meters found in ${search.selects} selects.`);
  for (const { mask, why } of search.unresolved) await report.message(unresolvedText(mask, why), "Warning");
  if (search.met.length === 0 && search.unresolved.length === 0) return report.message(words.none, "Warning");
  if (toBeMoved(search.met).length > 0) await report.message(words.shared);
  if (search.met.length > 0 && canAdd) await report.message(words.add);
}

function unresolvedText(mask: Mask, why: string): string {
  const where = formatMask(mask);
  if (why === "silent") {
    return `${where}: somebody acknowledges and gives no readings when asked: a meter that is not ready, or several.`;
  }
  if (why === "adapter")
    return `${where}: nothing but single odd octets came: noise on the line, a bad contact, or a faulty level converter.`;
  return `${where}: somebody answers, and nobody was found behind it (${faultWords(why)}): meters that are alike in everything, one that answers too late (raise the answer margin of the line), or noise.`;
}
