// The reasoning of the bus doctor: from the figures of a line to likely causes, each with what it is concluded from and what to
// do about it. A pure function: what it knows of a fault is what that fault leaves in the figures.

import { fill } from "./doctor-words.ts";
import { words } from "./finding-words.ts";
import { type CountName, type LineFigures, noCounts, type UnitFigures } from "./line-health.ts";

export type FindingId = keyof typeof words;
export type Confidence = "certain" | "likely" | "possible";

export interface Finding {
  readonly id: FindingId;
  readonly confidence: Confidence;
  /** As they are called in the figures. */
  readonly units: readonly string[];
  readonly cause: string;
  readonly evidence: string;
  readonly advice: string;
}

export interface LineCase {
  readonly bus: "mbus" | "modbus";
  /** port: our own serial port · converter: a serial line behind a network · network: no serial line we know of. */
  readonly way: "port" | "converter" | "network";
  readonly figures: LineFigures;
  /** Requests overheard that are not ours. */
  readonly masters: number;
  /** Share of the time the line was taken by others than the doctor, 0 to 1. */
  readonly taken: number;
}

/** Fewer exchanges say nothing about a share. */
const enough = 3;
const fullShare = 0.8;
/** Two units that answer at once damage nearly every answer; a bad cable rather some. */
const duplicateShare = 0.4;
const othersShareMax = 0.05;
/** Damage below this is everyday life on a long line. */
const noiseShareMin = 0.02;
const gapShare = 0.8;
const gatewayCodes = [10, 11];
const failingCodes = [4, 5, 6, 8];

/** Sure ones first. Empty where all is well, or where nothing was asked. */
export function findingsOf(one: LineCase): readonly Finding[] {
  const units = one.figures.units.filter(({ unit }) => isSomebody(unit));
  const dead = deadLine(one, units);
  const all = [
    ...masters(one, dead !== undefined),
    ...(dead === undefined ? [] : [dead]),
    ...units.flatMap(faces),
    ...(dead === undefined ? [...duplicates(one, units), ...silent(units), ...gaps(one, units)] : []),
    ...lateness(one, units),
    ...(dead === undefined ? noise(one, units) : []),
    ...units.flatMap(refusals),
    ...remarks(one, dead),
  ];
  return order.flatMap(confidence => all.filter(finding => finding.confidence === confidence));
}

const order: readonly Confidence[] = ["certain", "likely", "possible"];

/** A scan is nobody, and what belongs to no exchange neither. */
export const isSomebody = (unit: string): boolean => unit !== "" && unit !== "scan";

/** "5" of "unit 5": what is printed on it. */
export const labelOf = (unit: string): string => unit.split(" ").at(-1) ?? unit;

export const damagedOf = (one: Pick<UnitFigures, "checksums" | "parities" | "collisions">): number =>
  one.checksums + one.parities + one.collisions;
export const askedOf = (one: Omit<UnitFigures, "unit">): number => one.answers + one.timeouts + damagedOf(one);

const sum = (units: readonly UnitFigures[]): Omit<UnitFigures, "unit"> => {
  const total: Record<CountName, number> = { ...noCounts };
  for (const unit of units) for (const name of Object.keys(total) as CountName[]) total[name] += unit[name];
  const latest = units.flatMap(({ latestMs }) => (latestMs === undefined ? [] : [latestMs]));
  return {
    ...total,
    roundTripsMs: [],
    shortestMs: undefined,
    latestMs: latest.length === 0 ? undefined : Math.max(...latest),
    codes: {},
    restingMs: undefined,
    identities: [],
  };
};

type Values = readonly (string | number)[];

const finding = (
  id: FindingId,
  confidence: Confidence,
  units: readonly UnitFigures[],
  values: { readonly cause?: Values; readonly evidence: Values; readonly advice?: Values },
): Finding => ({
  id,
  confidence,
  units: units.map(({ unit }) => unit),
  cause: fill(words[id].cause, ...(values.cause ?? units.map(({ unit }) => labelOf(unit)))),
  evidence: fill(words[id].evidence, ...values.evidence),
  advice: fill(words[id].advice, ...(values.advice ?? [])),
});

function masters({ masters: count, figures, way }: LineCase, dead: boolean): Finding[] {
  if (count > 0) return [finding("twoMasters", "certain", [], { evidence: [count] })];
  const { foreign } = figures.total;
  if (foreign < enough || dead) return [];
  return [finding("strangeAnswers", way === "network" ? "possible" : "likely", [], { evidence: [foreign] })];
}

/** Nobody answers at all: then it is the line, and nothing is said of single units. */
function deadLine({ way, figures }: LineCase, units: readonly UnitFigures[]): Finding | undefined {
  const asked = units.filter(unit => askedOf(unit) > 0);
  const all = sum(asked);
  const requests = askedOf(all);
  // Who answers too late is there.
  if (all.answers + all.exceptions + all.late > 0 || requests < enough) return undefined;
  const { parities } = figures.total;
  if (parities >= enough) return finding("parity", "certain", asked, { cause: [], evidence: [parities] });
  const damaged = damagedOf(all);
  // One unit may be two at one address; the rate of a line shows when it has several.
  if (damaged > 0 || figures.total.noiseOctets > requests) {
    const confidence = asked.length > 1 || damaged === 0 ? "likely" : "possible";
    return finding("wrongRate", confidence, asked, { cause: [], evidence: [requests, damaged] });
  }
  if (all.echoes >= requests) return finding("onlyEcho", "certain", asked, { cause: [], evidence: [all.echoes] });
  // A single unit may as well be dead itself.
  const confidence = asked.length > 1 ? "likely" : "possible";
  return finding(way === "port" ? "deadLine" : "deadBehind", confidence, asked, {
    cause: [],
    evidence: [requests, asked.length],
  });
}

const faces = (unit: UnitFigures): Finding[] =>
  unit.identities.length < 2 ? [] : [finding("faces", "certain", [unit], { evidence: [unit.identities.join(", ")] })];

function isDuplicate(unit: UnitFigures, units: readonly UnitFigures[]): boolean {
  const others = sum(units.filter(one => one !== unit));
  const damaged = damagedOf(unit);
  if (damaged < enough || damaged < duplicateShare * askedOf(unit)) return false;
  return damagedOf(others) <= othersShareMax * askedOf(others);
}

function duplicates({ way }: LineCase, units: readonly UnitFigures[]): Finding[] {
  if (way === "network") return [];
  return units
    .filter(unit => isDuplicate(unit, units) && unit.identities.length < 2)
    .map(unit => {
      const others = sum(units.filter(one => one !== unit));
      const evidence = [damagedOf(unit), askedOf(unit), damagedOf(others), askedOf(others)];
      // Alone on its line, it may as well be the line.
      return finding("duplicate", others.answers > 0 ? "likely" : "possible", [unit], { evidence });
    });
}

const isAwayBehindGateway = ({ codes }: UnitFigures): boolean => gatewayCodes.some(code => (codes[code] ?? 0) > 0);

function silent(units: readonly UnitFigures[]): Finding[] {
  const dumb = units.filter(unit => unit.answers === 0 && unit.timeouts > 1 && damagedOf(unit) + unit.late === 0);
  const [first] = dumb;
  if (first === undefined || dumb.length === units.length) return [];
  const requests = sum(dumb).timeouts;
  return dumb.length === 1
    ? [finding("silent", "certain", dumb, { evidence: [requests] })]
    : [finding("silentSeveral", "certain", dumb, { cause: [listOf(dumb)], evidence: [requests] })];
}

const namedMax = 12;
const listOf = (units: readonly UnitFigures[]): string =>
  [...units.slice(0, namedMax).map(({ unit }) => labelOf(unit)), ...(units.length > namedMax ? ["…"] : [])].join(", ");

/** A unit that still hears its neighbour's answer misses what follows at once, and hears the repetition. */
function gaps({ bus, way }: LineCase, units: readonly UnitFigures[]): Finding[] {
  if (bus !== "modbus" || way === "network") return [];
  const deaf = units.filter(
    unit =>
      unit.firstTimeouts >= enough &&
      unit.firstTimeouts >= gapShare * unit.timeouts &&
      unit.answers - unit.firstAnswers >= enough &&
      unit.late === 0,
  );
  if (deaf.length === 0) return [];
  const { timeouts, firstTimeouts } = sum(deaf);
  return [finding("gap", "likely", deaf, { cause: [], evidence: [timeouts, firstTimeouts] })];
}

/** Half as much again as the slowest answer seen, in round figures. */
const patienceFor = (ms: number): number => Math.ceil((1.5 * ms) / 100) * 100;

function lateness({ way }: LineCase, units: readonly UnitFigures[]): Finding[] {
  const slow = units.filter(({ late }) => late > 0);
  const { late, latestMs } = sum(slow);
  if (late === 0) return [];
  const latest = Math.round(latestMs ?? 0);
  const confidence = latestMs === undefined || late < enough ? "possible" : "likely";
  const advice = [patienceFor(latest)];
  if (way !== "port" && slow.length > 1)
    return [finding("overloaded", confidence, slow, { cause: [], evidence: [slow.length, late, latest], advice })];
  return [finding("late", confidence, slow, { cause: [listOf(slow)], evidence: [late, latest], advice })];
}

function noise({ bus, way, figures }: LineCase, units: readonly UnitFigures[]): Finding[] {
  const isExplained = (unit: UnitFigures) => units.length > 1 && way !== "network" && isDuplicate(unit, units);
  const suspects = units.filter(unit => !isExplained(unit));
  const hurt = suspects.filter(unit => damagedOf(unit) > 0);
  const all = sum(suspects);
  const damaged = damagedOf(all);
  const stray = figures.total.noiseOctets;
  if (damaged === 0)
    return stray > askedOf(all) && stray > enough ? [finding("stray", "possible", [], { evidence: [stray] })] : [];
  const share = Math.max(...hurt.map(unit => damagedOf(unit) / askedOf(unit)));
  if (share < noiseShareMin) return [];
  const worst = hurt.toSorted((a, b) => damagedOf(b) / askedOf(b) - damagedOf(a) / askedOf(a));
  const confidence = damaged >= enough ? "likely" : "possible";
  const id = way === "network" ? "noiseNetwork" : bus === "mbus" ? "noiseMbus" : "noiseRs485";
  return [finding(id, confidence, worst, { cause: [], evidence: [damaged, askedOf(all), stray, listOf(worst)] })];
}

function refusals(unit: UnitFigures): Finding[] {
  const { codes, exceptions } = unit;
  if (isAwayBehindGateway(unit)) {
    const times = gatewayCodes.reduce((total, code) => total + (codes[code] ?? 0), 0);
    return [finding("gatewayAway", "certain", [unit], { evidence: [times] })];
  }
  if (exceptions === 0) return [];
  const list = Object.entries(codes).map(([code, times]) => `${code}: ${times}`);
  const failing = failingCodes.some(code => (codes[code] ?? 0) > 0);
  return [finding(failing ? "failing" : "refuses", "certain", [unit], { evidence: [exceptions, list.join(", ")] })];
}

function remarks({ figures, taken }: LineCase, dead: Finding | undefined): Finding[] {
  const { echoes } = figures.total;
  const isFull = taken >= fullShare;
  return [
    ...(isFull ? [finding("full", "certain", [], { evidence: [Math.round(100 * Math.min(1, taken))] })] : []),
    ...(echoes >= enough && dead?.id !== "onlyEcho" ? [finding("echo", "certain", [], { evidence: [echoes] })] : []),
  ];
}
