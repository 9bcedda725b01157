// What one meter can be told to do: say who it is, be read though it is rationed, and where writing is allowed, have its clock
// set, its application reset, its baud rate changed or a record written.

import * as z from "zod";
import { formatHex, parseHex } from "#base/bytes.ts";
import type { Clock } from "#base/clock.ts";
import { type Command, parameterized, query, queryWith, simple } from "#contract/command.ts";
import { type Cell, integerCell, textCell } from "#contract/report.ts";
import { factsTable, lastFramesCommand } from "../line-commands.ts";
import { type BaudRate, baudRates, switchBaud } from "./baud.ts";
import { explainFrame } from "./explain.ts";
import { type FixedStructure, type LongHeader, mediumName, type ShortHeader } from "./header.ts";
import type { Line } from "./line.ts";
import type { Readout } from "./readout.ts";
import { carryOut, recordVerdict, setClock, type Writer } from "./writable.ts";

const words = {
  service: "Service",
  page: "Writing",
  identify: "Ask the meter who it is",
  identity: "The meter",
  id: "Identification",
  manufacturer: "Manufacturer",
  version: "Version",
  medium: "Medium",
  secondary: "Secondary address",
  primary: "Primary address",
  accessNumber: "Access number",
  status: "Status octet",
  withheld: "Not readable",
  noHeader: "The meter answers without saying who it is.",
  insist: "Read the meter now, whatever its ration",
  insistConfirm: "A battery meter may stay silent for a while afterwards, and its battery ages. Continue?",
  insisted: "The meter was read.",
  clock: "Set the meter's clock to the time of the appliance",
  clockDone: "The meter's clock is set.",
  reset: "Reset the application of the meter, or choose what it sends",
  resetDone: "The meter has acknowledged.",
  subcode: "Sub-code",
  subcodeHelp:
    "Two hexadecimal digits: 00 all, 10 user data, 20 and 30 billing, 50 instantaneous values; empty for a plain reset.",
  twoDigits: "two hexadecimal digits, or empty",
  baud: "Change the meter's baud rate",
  baudConfirm: "A meter whose rate is not that of its line is not heard there any more. Continue?",
  rate: "Baud rate",
  rateHelp: "The rate the meter talks at from then on.",
  record: "Write a record as octets",
  recordConfirm: "The meter does what the record says, also what makes it useless. Continue?",
  octets: "Record",
  octetsHelp: "DIF, VIF and data in hexadecimal, as they go on the line; several records may follow one another.",
  wholeOctets: "hexadecimal octets, 3 to 240 of them",
  written: "Written",
  confirmed: "The meter acknowledged, and says the same when it is read.",
  unconfirmed: "The meter acknowledged; it cannot be seen whether it did it.",
};

export interface MeterControls extends Writer {
  readonly line: Line;
  /** The meter's name on the tap of its line. */
  readonly who: string;
  /** A readout of the meter, or the last where it may not be asked so often. */
  readonly ask: (signal: AbortSignal) => Promise<Readout>;
  /** The next question is put though the ration is used up. */
  readonly insist: () => void;
  readonly clock: Clock;
}

export function meterCommands(controls: MeterControls): readonly Command[] {
  const { line, who, ask, insist, plan } = controls;
  const identify = query({
    id: "Identify",
    title: words.identify,
    sort: { category: words.service, key: "1" },
    async query(report, signal) {
      await report.title(words.identity);
      const { header, fixed, withheld, primary } = await ask(signal);
      const facts: [string, Cell][] = [
        ...(header === undefined ? [] : headerFacts(header)),
        ...(fixed === undefined ? [] : fixedFacts(fixed)),
        ...(withheld === undefined ? [] : ([[words.withheld, textCell(withheld)]] as [string, Cell][])),
      ];
      if (facts.length === 0) return report.message(words.noHeader, "Warning");
      await factsTable(report, words.identity, [...facts, [words.primary, integerCell(primary)]]);
    },
  });
  const readNow = simple({
    id: "ReadNow",
    title: words.insist,
    sort: { category: words.service, key: "2" },
    confirmation: words.insistConfirm,
    success: words.insisted,
    async execute(signal) {
      insist();
      await ask(signal);
    },
  });
  return [
    identify,
    ...(plan.minIntervalMs > 0 ? [readNow] : []),
    lastFramesCommand(line.tap, who, ({ bytes }) => explainFrame(bytes)),
    ...(plan.writing === "off" ? [] : [clockCommand(controls), resetCommand(controls)]),
    ...(plan.writing === "off" || !line.canSwitchRate ? [] : [baudCommand(controls)]),
    ...(plan.writing === "expert" ? [recordCommand(controls)] : []),
  ];
}

const clockCommand = (controls: MeterControls): Command =>
  simple({
    id: "SynchroniseClock",
    title: words.clock,
    sort: { category: words.page, key: "1" },
    success: words.clockDone,
    async execute(signal) {
      await setClock(controls, controls.clock.now(), signal);
    },
  });

const resetSettings = z.object({
  subCode: z
    .string()
    .regex(/^([0-9A-Fa-f]{2})?$/, words.twoDigits)
    .default("")
    .meta({ title: words.subcode, description: words.subcodeHelp, page: words.page }),
});

const applicationReset = 0x50;

const resetCommand = (controls: MeterControls): Command =>
  parameterized({
    id: "ResetApplication",
    title: words.reset,
    sort: { category: words.page, key: "2" },
    success: words.resetDone,
    settings: resetSettings,
    async execute({ subCode }, signal) {
      const data = parseHex(subCode) ?? new Uint8Array();
      await carryOut(controls, { ci: applicationReset, data }, signal);
    },
  });

const baudSettings = z.object({
  baudRate: z.literal([...baudRates]).meta({ title: words.rate, description: words.rateHelp, page: words.page }),
});

const baudCommand = (controls: MeterControls): Command =>
  queryWith({
    id: "SwitchBaudRate",
    title: words.baud,
    sort: { category: words.page, key: "3" },
    confirmation: words.baudConfirm,
    settings: baudSettings,
    async query({ baudRate }, report, signal) {
      await report.title(words.baud);
      const { attempt } = controls;
      const found = await attempt("control", signal, (bus, contact) =>
        switchBaud(bus, contact, baudRate as BaudRate, signal),
      );
      await report.message(found.text, found.rate === baudRate ? "Information" : "Warning");
    },
  });

const recordSettings = z.object({
  record: z
    .string()
    .refine(text => {
      const octets = parseHex(text);
      return octets !== undefined && octets.length >= 3 && octets.length <= 240;
    }, words.wholeOctets)
    .meta({ title: words.octets, description: words.octetsHelp, page: words.page }),
});

const recordCommand = (controls: MeterControls): Command =>
  queryWith({
    id: "WriteRecord",
    title: words.record,
    sort: { category: words.page, key: "9" },
    confirmation: words.recordConfirm,
    settings: recordSettings,
    async query({ record }, report, signal) {
      const data = parseHex(record) ?? new Uint8Array();
      await report.title(words.record);
      const outcome = await carryOut(controls, { data, verdict: recordVerdict(data, headOctets(data)) }, signal);
      await factsTable(report, words.record, [[words.written, textCell(formatHex(data))]]);
      await report.message(outcome === "confirmed" ? words.confirmed : words.unconfirmed);
    },
  });

/** DIF, DIFE, VIF, VIFE: each says by its top bit whether another follows. */
function headOctets(data: Uint8Array): number {
  let at = 0;
  for (let part = 0; part < 2 && at < data.length; part++, at++) while (((data[at] ?? 0) & 0x80) !== 0) at++;
  return Math.min(at, data.length);
}

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
