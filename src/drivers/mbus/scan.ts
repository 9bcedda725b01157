// The search for meters by primary address (EN 13757-2: SND_NKE, then REQ_UD2 to who acknowledges), address by address. Between
// two addresses everybody else has the line.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { QueueFull } from "#base/turns.ts";
import { type Command, queryWith } from "#contract/command.ts";
import { type Cell, integerCell, noCell, type Report, textCell } from "#contract/report.ts";
import { lineBusyMs } from "#limits.ts";
import { faultWords } from "./fault-words.ts";
import { encodeReqUd2, encodeSndNke, type LongFrame } from "./frame.ts";
import { decodeFixed, decodeLongHeader, mediumName } from "./header.ts";
import type { Bus, Line } from "./line.ts";
import { faceOf, isReadings } from "./probing.ts";
import type { Met } from "./search.ts";

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
  apart:
    "Two meters with one address are told apart by their numbers: search by secondary address, then give them addresses of their own.",
  add: "The command AddMeters makes nodes of what was found.",
};

const address = (title: string, standard: number) =>
  z.int().min(0).max(250).default(standard).meta({ title, description: words.range, page: words.page });

const settings = z
  .object({ from: address(words.from, 0), to: address(words.to, 250) })
  .refine(({ from, to }) => from <= to, { path: ["to"], message: words.order });

/** `met`: told of each meter that says who it is. `canAdd`: there is a command that makes nodes of them. */
export const scanCommand = (line: Line, clock: Clock, met: (meter: Met) => void, canAdd: boolean): Command =>
  queryWith({
    id: "ScanPrimary",
    title: words.scan,
    sort: { category: words.category, key: "1" },
    settings,
    query: (values, report, signal) => scan(line, values, report, clock, met, canAdd, signal),
  });

/** Whose frames those of a scan are: no meter's. */
const scanning = "scan";

async function scan(
  line: Line,
  { from, to }: z.output<typeof settings>,
  report: Report,
  clock: Clock,
  met: (meter: Met) => void,
  canAdd: boolean,
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
  let collisions = 0;
  let named = 0;
  for (let at = from; at <= to; at++) {
    await report.status(`Address ${at} of ${to}: ${found} found so far.`);
    const seen = await patiently(clock, signal, () =>
      line.take("scan", signal, bus => probe(bus, at, signal), scanning),
    );
    if (seen === undefined) continue;
    found++;
    if (seen.isCollision) {
      collisions++;
      line.health.collision(scanning);
    }
    if (seen.face !== undefined) {
      named++;
      met({ address: seen.face, primary: at });
    }
    await table.row(integerCell(at), ...seen.cells);
  }
  line.tap.forget(scanning);
  line.health.forget(scanning);
  await table.done();
  await report.status(`${found} found at the addresses ${from} to ${to}.`);
  if (found === 0) await report.message(words.none, "Warning");
  if (collisions > 0) await report.message(words.apart, "Warning");
  if (named > 0 && canAdd) await report.message(words.add);
}

/** A scan goes behind everybody else: where even the queue is full it waits outside. */
export async function patiently<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      await clock.sleep(lineBusyMs, signal);
    }
  }
}

interface Seen {
  /** What stands behind the address. */
  readonly cells: readonly Cell[];
  readonly face?: string;
  readonly isCollision: boolean;
}

/** Undefined where nobody is. */
async function probe(bus: Bus, at: number, signal: AbortSignal): Promise<Seen | undefined> {
  const unknown = (remark: string, isCollision = false): Seen => ({
    cells: [noCell, noCell, noCell, noCell, textCell(remark)],
    isCollision,
  });
  const hello = await bus.exchange(encodeSndNke(at), "ack", signal);
  if (hello.kind === "silence") return undefined;
  // Several acknowledgements at once may look like noise: who is there shows when it is asked.
  const asked = await bus.exchange(encodeReqUd2(at, true), frame => isReadings(frame) && frame.a === at, signal);
  if (asked.kind === "garbled") return unknown(`${words.collision} (${faultWords(asked.reason)})`, true);
  if (asked.kind !== "answer") return hello.kind === "ack" ? unknown(words.silent) : unknown(words.collision, true);
  const cells = identityOf(asked.frame);
  const face = faceOf(asked.frame);
  if (cells === undefined) return unknown(words.unreadable);
  return { cells, isCollision: false, ...(face === undefined ? {} : { face }) };
}

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
