// The bus doctor as a command of a line: watches it while everybody goes on polling, asks the units in between where that is
// wished for, and says how each does, what is likely wrong and what to do. It never writes, and never goes before anybody.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { createScope } from "#base/scope.ts";
import { QueueFull } from "#base/turns.ts";
import { type Command, queryWith } from "#contract/command.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Cell, integerCell, noCell, quantityCell, type Report, textCell } from "#contract/report.ts";
import { doctorPauseMs, doctorSecondsMax, lineBusyMs } from "#limits.ts";
import { askedOf, damagedOf, type Finding, findingsOf, isSomebody, type LineCase, labelOf } from "./doctor.ts";
import { fill, words } from "./doctor-words.ts";
import { between, type LineFigures, type LineHealth, roundTripsOf, type UnitFigures } from "./line-health.ts";
import { createOverhearing, type RequestAt } from "./overhearing.ts";
import type { LineUse, Tap } from "./tap.ts";

export interface DoctorLine extends Pick<LineCase, "bus" | "way"> {
  readonly tap: Pick<Tap, "listen" | "use">;
  readonly health: LineHealth;
  readonly requestAt: RequestAt;
  /** Octets with wrong parity or framing so far; undefined where the port does not tell. */
  readonly portErrors?: () => Promise<number | undefined>;
  /** Questions to one unit in one examination; undefined: as many as there is time for. */
  readonly asksMax?: number;
}

const settings = z.object({
  seconds: z
    .int()
    .min(1)
    .max(doctorSecondsMax)
    .default(20)
    .meta({ title: words.seconds, description: words.secondsHelp, page: words.page }),
  ask: z.boolean().default(true).meta({ title: words.ask, description: words.askHelp, page: words.page }),
});

export const doctorCommand = (line: DoctorLine, clock: Clock): Command =>
  queryWith({
    id: "Doctor",
    title: words.title,
    sort: { category: words.category, key: "1" },
    settings,
    async query(given, report, signal) {
      await report.title(words.heading);
      await tell(await watch(line, clock, given, report, signal), report);
    },
  });

interface Seen extends LineCase {
  readonly seconds: number;
  readonly use: LineUse;
  readonly unitsKnown: number;
}

async function watch(
  line: DoctorLine,
  clock: Clock,
  { seconds, ask }: z.output<typeof settings>,
  report: Report,
  signal: AbortSignal,
): Promise<Seen> {
  const { tap, health, bus, way } = line;
  const overhearing = createOverhearing(line.requestAt);
  const before = { figures: health.figures(), use: tap.use, errors: line.portErrors?.() };
  const figures = () => between(before.figures, health.figures());
  const work = createScope(signal);
  const listening = (async () => {
    for await (const item of tap.listen(work.signal)) overhearing.take(item);
  })();
  const asked = { ms: 0 };
  const asking = ask ? [askAll(line, clock, asked, work.signal)] : [];
  try {
    // The asking never ends by itself: only what it fails with comes first.
    await Promise.race([pass(seconds, () => figures().total.answers, report, clock, work.signal), ...asking]);
  } finally {
    work[Symbol.dispose]();
    await Promise.allSettled([listening, ...asking]);
  }
  const use = difference(tap.use, before.use);
  const taken = use.openMs === 0 ? 0 : Math.max(0, use.busyMs - asked.ms) / use.openMs;
  const judged = withThePast(figures(), health.figures());
  const parities = ((await line.portErrors?.()) ?? 0) - ((await before.errors) ?? 0);
  const total = { ...judged.total, parities: judged.total.parities + Math.max(0, parities) };
  return {
    bus,
    way,
    figures: { ...judged, total },
    masters: overhearing.requests,
    taken,
    seconds,
    use,
    unitsKnown: health.probes.size,
  };
}

async function pass(seconds: number, answers: () => number, report: Report, clock: Clock, signal: AbortSignal) {
  for (let second = 0; second < seconds; second++) {
    await report.status(fill(words.watching, second, seconds, answers()));
    await clock.sleep(1_000, signal);
  }
}

/** One after the other, again and again, until the time is up; a unit that was taken away meanwhile is left out. */
async function askAll(
  { health, asksMax = Number.POSITIVE_INFINITY }: DoctorLine,
  clock: Clock,
  asked: { ms: number },
  signal: AbortSignal,
): Promise<void> {
  const asks = new Map<string, number>();
  while (!signal.aborted) {
    const units = [...health.probes].filter(([unit]) => (asks.get(unit) ?? 0) < asksMax);
    for (const [unit, probe] of units) {
      asks.set(unit, (asks.get(unit) ?? 0) + 1);
      try {
        await probe(signal, ms => {
          asked.ms += ms;
        });
      } catch (error) {
        if (error instanceof QueueFull) await clock.sleep(lineBusyMs, signal);
        else if (!(error instanceof DeviceFault)) throw error;
      }
      await clock.sleep(doctorPauseMs, signal);
    }
    if (units.length === 0) await clock.sleep(1_000, signal);
  }
}

const difference = (after: LineUse, before: LineUse): LineUse => ({
  sentOctets: after.sentOctets - before.sentOctets,
  receivedOctets: after.receivedOctets - before.receivedOctets,
  busyMs: after.busyMs - before.busyMs,
  openMs: after.openMs - before.openMs,
});

/** A unit that was not asked during the watch is judged by what is known of it since the line was opened. */
function withThePast(now: LineFigures, ever: LineFigures): LineFigures {
  const past = new Map(ever.units.map(one => [one.unit, one]));
  const units = now.units.map(unit => (askedOf(unit) === 0 ? (past.get(unit.unit) ?? unit) : unit));
  return { ...now, units, total: now.units.some(unit => askedOf(unit) > 0) ? now.total : ever.total };
}

async function tell(seen: Seen, report: Report): Promise<void> {
  const units = seen.figures.units.filter(({ unit }) => isSomebody(unit));
  await lineTable(seen, report);
  await unitTable(units, report);
  await troubleTable(seen.figures.units, report);
  const findings = findingsOf(seen);
  for (const confidence of ["certain", "likely", "possible"] as const) {
    await section(
      words[confidence],
      findings.filter(one => one.confidence === confidence),
      report,
    );
  }
  await rests(units, report);
  const requests = units.reduce((sum, unit) => sum + askedOf(unit), 0);
  const answers = units.reduce((sum, unit) => sum + unit.answers, 0);
  if (requests > 0 && findings.length > 0) return;
  await report.beginSection(words.result);
  if (requests > 0) await report.message(fill(words.well, answers, requests));
  else await report.message(seen.unitsKnown === 0 ? words.nobody : words.nothing, "Warning");
  await report.endSection();
}

async function rests(units: readonly UnitFigures[], report: Report): Promise<void> {
  const tired = units.filter(({ restingMs }) => restingMs !== undefined);
  if (tired.length === 0) return;
  await report.beginSection(words.rests);
  for (const { unit, restingMs = 0 } of tired)
    await report.message(fill(words.resting, labelOf(unit), secondsOf(restingMs)));
  await report.endSection();
}

const secondsOf = (ms: number): string => `${Math.ceil(ms / 1_000)} s`;

async function section(header: string, findings: readonly Finding[], report: Report): Promise<void> {
  if (findings.length === 0) return;
  await report.beginSection(header);
  for (const { id, cause, evidence, advice } of findings) {
    await report.message(cause, id === "echo" ? "Information" : "Warning", "Medium");
    await report.message(evidence);
    await report.message(advice);
  }
  await report.endSection();
}

async function lineTable({ seconds, use, taken, masters, figures }: Seen, report: Report): Promise<void> {
  const { parities } = figures.total;
  const table = await report.table(words.line, [
    { columnId: "watched", header: words.watched, alignment: "Right" },
    { columnId: "utilisation", header: words.utilisation, alignment: "Right", decimals: 1 },
    { columnId: "sent", header: words.sent, alignment: "Right" },
    { columnId: "received", header: words.received, alignment: "Right" },
    { columnId: "masters", header: words.masters, alignment: "Right" },
    ...(parities > 0 ? [{ columnId: "parity", header: words.parity, alignment: "Right" as const }] : []),
  ]);
  await table.row(
    quantityCell(seconds, 0, "s"),
    quantityCell(100 * Math.min(1, taken), 1, "%"),
    integerCell(use.sentOctets),
    integerCell(use.receivedOctets),
    integerCell(masters),
    ...(parities > 0 ? [integerCell(parities)] : []),
  );
  await table.done();
}

const msCell = (ms: number | undefined): Cell => (ms === undefined ? noCell : quantityCell(ms, ms < 10 ? 1 : 0, "ms"));

async function unitTable(units: readonly UnitFigures[], report: Report): Promise<void> {
  const table = await report.table(words.units, [
    { columnId: "unit", header: words.unit },
    { columnId: "answers", header: words.answers, alignment: "Right" },
    { columnId: "shortest", header: words.shortest, alignment: "Right" },
    { columnId: "median", header: words.median, alignment: "Right" },
    { columnId: "p95", header: words.p95, alignment: "Right" },
    { columnId: "nextTry", header: words.nextTry, alignment: "Right" },
  ]);
  for (const { unit, answers, roundTripsMs, restingMs } of units) {
    const trips = roundTripsOf(roundTripsMs);
    await table.row(
      textCell(labelOf(unit)),
      integerCell(answers),
      msCell(trips?.minMs),
      msCell(trips?.medianMs),
      msCell(trips?.p95Ms),
      restingMs === undefined ? noCell : quantityCell(Math.ceil(restingMs / 1_000), 0, "s"),
    );
  }
  await table.done();
}

const troubles: readonly (readonly [keyof typeof words, (unit: UnitFigures) => number])[] = [
  ["silent", unit => unit.timeouts],
  ["damaged", unit => damagedOf(unit) - unit.parities - unit.collisions],
  ["parity", unit => unit.parities],
  ["collisions", unit => unit.collisions],
  ["late", unit => unit.late],
  ["foreign", unit => unit.foreign],
  ["noise", unit => unit.noiseOctets],
  ["echoes", unit => unit.echoes],
  ["retries", unit => unit.retries],
  ["refused", unit => unit.exceptions],
];

/** Only who has trouble, and only the kinds there are; what belongs to nobody stands last. */
async function troubleTable(all: readonly UnitFigures[], report: Report): Promise<void> {
  const hurt = all.filter(unit => unit.unit !== "scan" && troubles.some(([, of]) => of(unit) > 0));
  if (hurt.length === 0) return;
  const kinds = troubles.filter(([, of]) => hurt.some(unit => of(unit) > 0));
  const table = await report.table(words.trouble, [
    { columnId: "unit", header: words.unit },
    ...kinds.map(([id]) => ({ columnId: id, header: words[id], alignment: "Right" as const })),
  ]);
  for (const unit of hurt.toSorted((a, b) => Number(a.unit === "") - Number(b.unit === ""))) {
    await table.row(textCell(labelOf(unit.unit) || "–"), ...kinds.map(([, of]) => integerCell(of(unit))));
  }
  await table.done();
}
