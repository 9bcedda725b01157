// What concerns all meters of a line at once: at which baud rates somebody answers, telling all of them another rate, and having
// all of them keep their values of this moment (EN 13757-3, 11.6 and 11.7).

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { type Command, queryWith, simple } from "#contract/command.ts";
import { integerCell, type Report, textCell } from "#contract/report.ts";
import { type BaudRate, baudRates, type Heard, likelyRates, setRateCode, whoIsThere } from "./baud.ts";
import type { Line } from "./line.ts";
import { patiently } from "./scan.ts";
import { tellAll } from "./session.ts";

const words = {
  search: "Search",
  page: "Service",
  detect: "Find out at which baud rates meters answer",
  rates: "Baud rates to try",
  ratesHelp: "Likely first: 2400, 300 and 9600; or every rate there is.",
  rate: "Baud rate",
  heard: "Heard",
  meter: "a meter answers",
  several: "several answer, or one that cannot be understood",
  nothing: "nothing",
  none: "Nobody answers at any rate. Check the wiring, the power of the level converter, and the parity.",
  freeze: "Have all meters keep their values of this moment",
  freezeConfirm: "Every meter on the line that knows the command stores its present values. Continue?",
  frozen: "All meters were told; none of them answers to that.",
  all: "Change the baud rate of all meters on the line",
  allConfirm: "Meters that do not know the rate are not heard at it; the line must be set to it by hand. Continue?",
  newRate: "New baud rate",
  newRateHelp: "Told to everybody at the line's present rate; nobody acknowledges.",
  sure: "I know that meters may be lost",
  sureHelp: "A meter that missed it, or that does not know the rate, stays where it is.",
  mustBeSure: "to be said on purpose",
  now: "Heard at the new rate",
  setLine: "Set the line to the new rate now: edit its node.",
  lost: "Nobody answers at the new rate. Meters that hear nothing fall back to their old one after a while.",
};

const heardWords: Readonly<Record<Heard, string>> = {
  meter: words.meter,
  several: words.several,
  nothing: words.nothing,
};

const scanning = "baud rate";

/** Empty where the rate is the converter's own. */
export const rateCommands = (line: Line, clock: Clock): readonly Command[] =>
  line.canSwitchRate ? [detectCommand(line, clock), switchAllCommand(line)] : [];

const detectSettings = z.object({
  rates: z
    .enum(["likely", "all"])
    .default("likely")
    .meta({ title: words.rates, description: words.ratesHelp, page: words.search }),
});

const detectCommand = (line: Line, clock: Clock): Command =>
  queryWith({
    id: "DetectBaudRate",
    title: words.detect,
    sort: { category: words.search, key: "5" },
    settings: detectSettings,
    query: ({ rates }, report, signal) =>
      detect(line, clock, rates === "all" ? likelyRates : likelyRates.slice(0, 3), report, signal),
  });

async function detect(
  line: Line,
  clock: Clock,
  rates: readonly BaudRate[],
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  await report.title(words.detect);
  const table = await report.table(words.detect, [
    { columnId: "rate", header: words.rate, alignment: "Right" },
    { columnId: "heard", header: words.heard },
  ]);
  let own = 0;
  const good: number[] = [];
  for (const rate of rates) {
    await report.status(`Trying ${rate} baud.`);
    const heard = await patiently(clock, signal, () =>
      line.take(
        "scan",
        signal,
        async bus => {
          own = bus.baudRate;
          return (await bus.atRate?.(rate, () => whoIsThere(bus, signal))) ?? "nothing";
        },
        scanning,
      ),
    );
    if (heard === "meter") good.push(rate);
    await table.row(integerCell(rate), textCell(heardWords[heard]));
  }
  line.tap.forget(scanning);
  line.health.forget(scanning);
  await table.done();
  if (good.length === 0) await report.message(words.none, "Warning");
  else if (!good.includes(own))
    await report.message(
      `Meters answer at ${good.join(", ")} baud, and the line is set to ${own}: edit its node.`,
      "Warning",
    );
}

const switchAllSettings = z.object({
  baudRate: z.literal([...baudRates]).meta({ title: words.newRate, description: words.newRateHelp, page: words.page }),
  sure: z
    .boolean()
    .default(false)
    .refine(given => given, words.mustBeSure)
    .meta({ title: words.sure, description: words.sureHelp, page: words.page }),
});

const switchAllCommand = (line: Line): Command =>
  queryWith({
    id: "SwitchBaudRateOfAll",
    title: words.all,
    sort: { category: words.page, key: "8" },
    confirmation: words.allConfirm,
    settings: switchAllSettings,
    async query({ baudRate }, report, signal) {
      await report.title(words.all);
      const heard = await line.take(
        "control",
        signal,
        async bus => {
          await tellAll(bus, setRateCode(baudRate as BaudRate), new Uint8Array(), signal);
          return (await bus.atRate?.(baudRate, () => whoIsThere(bus, signal))) ?? "nothing";
        },
        scanning,
      );
      line.tap.forget(scanning);
      line.health.forget(scanning);
      await report.message(`${words.now}: ${heardWords[heard]}`);
      await report.message(heard === "nothing" ? words.lost : words.setLine, "Warning");
    },
  });

const synchronise = 0x54;

export const freezeCommand = (line: Line): Command =>
  simple({
    id: "FreezeAll",
    title: words.freeze,
    sort: { category: words.page, key: "7" },
    confirmation: words.freezeConfirm,
    success: words.frozen,
    execute: signal =>
      line.take("control", signal, bus => tellAll(bus, synchronise, new Uint8Array(), signal), scanning),
  });
