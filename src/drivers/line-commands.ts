// Commands that lines and devices of several drivers have in common: how busy a line is, closing and opening it anew, and the
// last frames of a device.

import * as z from "zod";
import { formatHex } from "#base/bytes.ts";
import type { Clock } from "#base/clock.ts";
import { type Command, query, queryWith, simple } from "#contract/command.ts";
import type { DisplayParameter } from "#contract/node.ts";
import { type Cell, integerCell, quantityCell, type Report, textCell, timeCell } from "#contract/report.ts";
import type { Frame, LineUse, Tap } from "./tap.ts";
import { formatTraceFrame, traceHeader } from "./trace.ts";

const words = {
  service: "Service",
  statistics: "Show how busy the line is",
  watched: "Seconds",
  watchedHelp: "How long the line is watched for the present load.",
  watching: "Watching the line.",
  load: "Load of the line",
  span: "Time",
  now: "Now",
  sinceOpened: "Since it was opened",
  seconds: "Length",
  sent: "Octets sent",
  received: "Octets received",
  utilisation: "Line taken",
  counters: "Counters since it was opened",
  counter: "Counter",
  value: "Value",
  reset: "Close the line and open it again",
  resetConfirm: "Readouts that are under way on this line are cut off. Continue?",
  resetDone: "The line is being opened again.",
  resetFailed: "The line could not be closed.",
  frames: "Show the last frames",
  noFrames: "No frame was exchanged with this device since its line was opened.",
  time: "Time",
  direction: "Direction",
  tx: "to the device",
  rx: "from the device",
  octets: "Octets",
};

const category = (key: string) => ({ category: words.service, key });

const watchSettings = z.object({
  seconds: z.int().min(1).max(60).default(5).meta({ title: words.watched, description: words.watchedHelp }),
});

/** `describe`: the counters the line shows on its node. */
export const statisticsCommand = (
  use: () => LineUse,
  describe: () => readonly DisplayParameter[],
  clock: Clock,
): Command =>
  queryWith({
    id: "LineStatistics",
    title: words.statistics,
    sort: category("2"),
    settings: watchSettings,
    async query({ seconds }, report, signal) {
      await report.title(words.load);
      const before = use();
      await report.status(words.watching);
      await clock.sleep(seconds * 1000, signal);
      const after = use();
      const table = await report.table(words.load, [
        { columnId: "span", header: words.span },
        { columnId: "seconds", header: words.seconds, alignment: "Right" },
        { columnId: "sent", header: words.sent, alignment: "Right" },
        { columnId: "received", header: words.received, alignment: "Right" },
        { columnId: "utilisation", header: words.utilisation, alignment: "Right", decimals: 1 },
      ]);
      await table.row(textCell(words.now), ...loadCells(difference(after, before)));
      await table.row(textCell(words.sinceOpened), ...loadCells(after));
      await table.done();
      await countersOf(report, describe());
    },
  });

const difference = (after: LineUse, before: LineUse): LineUse => ({
  sentOctets: after.sentOctets - before.sentOctets,
  receivedOctets: after.receivedOctets - before.receivedOctets,
  busyMs: after.busyMs - before.busyMs,
  openMs: after.openMs - before.openMs,
});

const loadCells = ({ sentOctets, receivedOctets, busyMs, openMs }: LineUse): Cell[] => [
  quantityCell(openMs / 1000, 0, "s"),
  integerCell(sentOctets),
  integerCell(receivedOctets),
  quantityCell(openMs > 0 ? Math.min(100, (100 * busyMs) / openMs) : 0, 1, "%"),
];

async function countersOf(report: Report, facts: readonly DisplayParameter[]): Promise<void> {
  if (facts.length === 0) return;
  const table = await report.table(words.counters, [
    { columnId: "counter", header: words.counter },
    { columnId: "value", header: words.value, alignment: "Right" },
  ]);
  for (const { name, value } of facts) await table.row(textCell(name), value);
  await table.done();
}

/** The tree finds the line closed, and opens it and its devices anew. */
export const resetCommand = (close: () => Promise<void>): Command =>
  simple({
    id: "ResetLine",
    title: words.reset,
    sort: category("9"),
    confirmation: words.resetConfirm,
    success: words.resetDone,
    failure: words.resetFailed,
    execute: close,
  });

export const lastFramesCommand = (tap: Tap, who: string, explain: (frame: Frame) => string = () => ""): Command =>
  query({
    id: "LastFrames",
    title: words.frames,
    sort: category("5"),
    async query(report) {
      await report.title(words.frames);
      const frames = tap.last(who);
      if (frames.length === 0) return report.message(words.noFrames);
      const table = await report.table(words.frames, [
        { columnId: "time", header: words.time },
        { columnId: "direction", header: words.direction },
        { columnId: "octets", header: words.octets },
        { columnId: "meaning" },
      ]);
      for (const frame of frames) {
        await table.row(
          timeCell(frame.at),
          textCell(words[frame.direction]),
          textCell(formatHex(frame.bytes)),
          textCell(explain(frame)),
        );
      }
      await table.done();
      // The same as a file, for who wants to keep or decode it.
      const trace = [traceHeader(who, frames[0]?.at ?? 0), ...frames.flatMap(formatTraceFrame)];
      await report.object(traceType, new TextEncoder().encode(`${trace.join("\n")}\n`));
    },
  });

/** No text/plain: the frames were shown already. */
const traceType = "application/vnd.isthmus.trace";

/** Fact by fact, of what a device says it is. */
export async function factsTable(
  report: Report,
  title: string,
  facts: readonly (readonly [string, Cell])[],
): Promise<void> {
  const table = await report.table(title, [
    { columnId: "name", header: words.counter },
    { columnId: "value", header: words.value },
  ]);
  for (const [name, value] of facts) await table.row(textCell(name), value);
  await table.done();
}
