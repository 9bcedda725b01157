// What an M-Bus line and its meters can be told to do: look for meters address by address (EN 13757-2: SND_NKE, then REQ_UD2 to
// who acknowledges), and say what a meter is. Between two addresses everybody else has the line.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { QueueFull } from "#base/turns.ts";
import { type Command, query, queryWith } from "#contract/command.ts";
import { type Cell, integerCell, noCell, type Report, textCell } from "#contract/report.ts";
import { lineBusyMs } from "#limits.ts";
import { factsTable, lastFramesCommand, resetCommand, statisticsCommand } from "../line-commands.ts";
import { faultWords } from "./fault-words.ts";
import { control, decodeFrame, directionOf, encodeReqUd2, encodeSndNke, type LongFrame } from "./frame.ts";
import {
  decodeFixed,
  decodeLongHeader,
  type FixedStructure,
  type LongHeader,
  mediumName,
  type ShortHeader,
} from "./header.ts";
import type { Bus, Line } from "./line.ts";
import type { Readout } from "./readout.ts";

const words = {
  category: "Search",
  scan: "Search for meters by primary address",
  from: "First address",
  to: "Last address",
  range: "Primary addresses are 0 to 250; meters that were never set up answer at 0.",
  order: "not less than the first address",
  page: "Search",
  found: "Meters found",
  address: "Address",
  id: "Identification",
  manufacturer: "Manufacturer",
  version: "Version",
  medium: "Medium",
  remark: "Remark",
  silent: "acknowledges, and does not answer when asked",
  unreadable: "answers in a way that cannot be read",
  collision: "the answer is garbled: noise, or two meters with this address",
  none: "No meter answered. Check the wiring and the baud rate, and whether the meters have primary addresses.",
  identify: "Ask the meter who it is",
  identity: "The meter",
  service: "Service",
  secondary: "Secondary address",
  accessNumber: "Access number",
  status: "Status octet",
  withheld: "Not readable",
  noHeader: "The meter answers without saying who it is.",
};

const address = (title: string, standard: number) =>
  z.int().min(0).max(250).default(standard).meta({ title, description: words.range, page: words.page });

const scanSettings = z
  .object({ from: address(words.from, 0), to: address(words.to, 250) })
  .refine(({ from, to }) => from <= to, { path: ["to"], message: words.order });

export const lineCommands = (line: Line, clock: Clock): readonly Command[] => [
  queryWith({
    id: "ScanPrimary",
    title: words.scan,
    sort: { category: words.category, key: "1" },
    settings: scanSettings,
    query: (values, report, signal) => scan(line, values, report, clock, signal),
  }),
  statisticsCommand(() => line.tap.use, line.describe, clock),
  resetCommand(() => line.close()),
];

/** `ask`: a readout of the meter, or the last where it may not be asked so often. */
export const meterCommands = (
  line: Line,
  who: string,
  ask: (signal: AbortSignal) => Promise<Readout>,
): readonly Command[] => [
  query({
    id: "Identify",
    title: words.identify,
    sort: { category: words.service, key: "1" },
    async query(report, signal) {
      await report.title(words.identity);
      const { header, fixed, withheld } = await ask(signal);
      const facts: [string, Cell][] = [
        ...(header === undefined ? [] : headerFacts(header)),
        ...(fixed === undefined ? [] : fixedFacts(fixed)),
        ...(withheld === undefined ? [] : ([[words.withheld, textCell(withheld)]] as [string, Cell][])),
      ];
      if (facts.length === 0) return report.message(words.noHeader, "Warning");
      await factsTable(report, words.identity, facts);
    },
  }),
  lastFramesCommand(line.tap, who, ({ bytes }) => explainFrame(bytes)),
];

/** Whose frames those of a scan are: no meter's. */
const scanning = "scan";

const isLong = (header: LongHeader | ShortHeader): header is LongHeader => "id" in header;

const headerFacts = (header: LongHeader | ShortHeader): [string, Cell][] => [
  ...(isLong(header)
    ? ([
        [words.id, textCell(header.id)],
        [words.manufacturer, textCell(header.manufacturer)],
        [words.version, integerCell(header.version)],
        [words.medium, textCell(mediumName(header.medium))],
        [words.secondary, textCell(header.secondaryAddress)],
      ] as [string, Cell][])
    : []),
  [words.accessNumber, integerCell(header.accessNumber)],
  [words.status, integerCell(header.status)],
];

const fixedFacts = (fixed: FixedStructure): [string, Cell][] => [
  [words.id, textCell(fixed.id)],
  [words.medium, textCell(fixed.mediumName)],
  [words.accessNumber, integerCell(fixed.accessNumber)],
  [words.status, integerCell(fixed.status)],
];

async function scan(
  line: Line,
  { from, to }: z.output<typeof scanSettings>,
  report: Report,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await report.title(words.scan);
  const table = await report.table(words.found, [
    { columnId: "address", header: words.address, alignment: "Right" },
    { columnId: "id", header: words.id },
    { columnId: "manufacturer", header: words.manufacturer },
    { columnId: "version", header: words.version, alignment: "Right" },
    { columnId: "medium", header: words.medium },
    { columnId: "remark", header: words.remark },
  ]);
  let found = 0;
  for (let at = from; at <= to; at++) {
    await report.status(`Address ${at} of ${to}: ${found} found so far.`);
    const row = await patiently(clock, signal, () =>
      line.take("scan", signal, bus => probe(bus, at, signal), scanning),
    );
    if (row === undefined) continue;
    found++;
    await table.row(integerCell(at), ...row);
  }
  line.tap.forget(scanning);
  line.health.forget(scanning);
  await table.done();
  await report.status(`${found} found at the addresses ${from} to ${to}.`);
  if (found === 0) await report.message(words.none, "Warning");
}

/** A scan goes behind everybody else: where even the queue is full it waits outside. */
async function patiently<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      await clock.sleep(lineBusyMs, signal);
    }
  }
}

/** The cells after the address, or undefined where nothing is. */
async function probe(bus: Bus, at: number, signal: AbortSignal): Promise<readonly Cell[] | undefined> {
  const unknown = (remark: string): Cell[] => [noCell, noCell, noCell, noCell, textCell(remark)];
  const hello = await bus.exchange(encodeSndNke(at), "ack", signal);
  if (hello.kind === "silence") return undefined;
  // Several acknowledgements at once may look like noise: who is there shows when it is asked.
  const asked = await bus.exchange(encodeReqUd2(at, true), frame => isAnswer(frame, at), signal);
  if (asked.kind === "garbled") return unknown(`${words.collision} (${faultWords(asked.reason)})`);
  if (asked.kind !== "answer") return hello.kind === "ack" ? unknown(words.silent) : unknown(words.collision);
  return identityOf(asked.frame) ?? unknown(words.unreadable);
}

const isAnswer = (frame: LongFrame, at: number): boolean =>
  directionOf(frame.c) === "slave" && (frame.c & 0x0f) === control.rspUd && frame.a === at;

function identityOf({ ci, data }: LongFrame): Cell[] | undefined {
  if (ci === 0x72 || ci === 0x76) {
    const header = decodeLongHeader(data, ci === 0x76);
    if (header === undefined) return undefined;
    const { id, manufacturer, version, medium } = header;
    return [textCell(id), textCell(manufacturer), integerCell(version), textCell(mediumName(medium))];
  }
  if (ci !== 0x73 && ci !== 0x77) return undefined;
  const fixed = decodeFixed(data, ci === 0x77);
  return typeof fixed === "object" ? [textCell(fixed.id), noCell, noCell, textCell(fixed.mediumName)] : undefined;
}

const functions: Readonly<Record<number, string>> = {
  64: "SND_NKE",
  83: "SND_UD",
  91: "REQ_UD2",
  90: "REQ_UD1",
};

/** "REQ_UD2 to 5", "RSP_UD from 5": for people; the names are those of the standard. */
export function explainFrame(bytes: Uint8Array): string {
  const seen = decodeFrame(bytes);
  if ("fault" in seen) return faultWords(seen.fault);
  const { frame } = seen;
  if (frame.type === "ack") return "E5";
  if (directionOf(frame.c) === "slave") return `RSP_UD from ${frame.a}`;
  return `${functions[frame.c & ~0x20] ?? functions[frame.c] ?? "?"} to ${frame.a}`;
}
