// How a line and each unit on it are doing, in figures: its session tells each exchange as it goes, the bus doctor
// (doctor.ts) reads. Cheap enough to be told always: a few additions an exchange, bounded memory for each unit.

import type { Clock } from "#base/clock.ts";
import { healthIdentitiesMax, healthRoundTripsMax, healthUnitsMax } from "#limits.ts";

/**
 * Told by sessions. `unit` is the name people know it by ("unit 5", "5", "12345678"); "" is nobody in particular: a scan, or
 * octets that belong to no exchange. An exchange that fails is told once by its cause: timeout, checksum, parity, collision
 * or exception; the others are remarks beside it.
 */
export interface LineHealth {
  /** A sound answer, `ms` after the end of writing the request. `first`: the request before was to another unit. */
  answered(unit: string, ms: number, first?: boolean): void;
  /** A request is repeated. */
  retried(unit: string): void;
  /** Nothing came, or nothing of this unit. */
  timeout(unit: string, first?: boolean): void;
  /** The answer's checksum or frame is wrong, or only half of it came. */
  checksum(unit: string): void;
  /** The port told of octets with wrong parity or framing. */
  parity(unit: string): void;
  /** An answer that came after its deadline, or when nobody waited; `ms` after the end of writing the request, where known. */
  late(unit: string, ms?: number): void;
  /** A sound frame from or for somebody else: another unit, another master. */
  foreign(unit: string): void;
  /** The request came back first, and was taken off. */
  echo(unit: string): void;
  /** Several spoke at once. */
  collision(unit: string): void;
  /** Octets thrown away that were part of no frame. */
  noise(unit: string, octets: number): void;
  /** The unit, or the gateway for it, said no. Modbus codes; 0x100 and above are a driver's own. */
  exception(unit: string, code: number): void;
  /** Until when it rests (`clock.monotonic`); undefined: it does not. */
  resting(unit: string, untilMs: number | undefined): void;
  /** Who says it is there. Two by turns are two at one address; one after the other, it was exchanged. */
  identity(unit: string, who: string): void;
  /** A unit that hangs on the line, and how it is asked for the doctor's sake. */
  known(unit: string, probe: Probe): void;
  /** A unit that was taken away. */
  forget(unit: string): void;
  figures(): LineFigures;
  readonly probes: ReadonlyMap<string, Probe>;
}

/**
 * Asks a unit once, behind everybody else, past its breaker, without writing anything and without using up what a battery meter
 * may answer. `took` is told how long the line was taken, milliseconds. Throws `DeviceFault`, `QueueFull` or the abort reason.
 */
export type Probe = (signal: AbortSignal, took: (ms: number) => void) => Promise<void>;

export interface Counts {
  readonly answers: number;
  /** Of them, to the first request after one to another unit; the same of timeouts. */
  readonly firstAnswers: number;
  readonly firstTimeouts: number;
  readonly retries: number;
  readonly timeouts: number;
  readonly checksums: number;
  readonly parities: number;
  readonly late: number;
  readonly foreign: number;
  readonly echoes: number;
  readonly collisions: number;
  readonly noiseOctets: number;
  readonly exceptions: number;
}

export type CountName = keyof Counts;

export interface UnitFigures extends Counts {
  readonly unit: string;
  /** The last ones, oldest first, milliseconds. */
  readonly roundTripsMs: readonly number[];
  readonly shortestMs: number | undefined;
  /** The latest of the late answers. */
  readonly latestMs: number | undefined;
  /** Exceptions by code. */
  readonly codes: Readonly<Record<number, number>>;
  readonly restingMs: number | undefined;
  readonly identities: readonly string[];
}

export interface LineFigures {
  /** `clock.monotonic` */
  readonly at: number;
  /** In the order in which they were first heard of; "" where something belonged to nobody. */
  readonly units: readonly UnitFigures[];
  /** All units together, those past the bound too. */
  readonly total: Counts;
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

interface Kept extends Mutable<Counts> {
  roundTrips: number[];
  shortestMs: number | undefined;
  latestMs: number | undefined;
  codes: Record<number, number> | undefined;
  restingUntil: number | undefined;
  identities: string[] | undefined;
  byTurns: boolean;
}

export const noCounts: Counts = {
  answers: 0,
  firstAnswers: 0,
  firstTimeouts: 0,
  retries: 0,
  timeouts: 0,
  checksums: 0,
  parities: 0,
  late: 0,
  foreign: 0,
  echoes: 0,
  collisions: 0,
  noiseOctets: 0,
  exceptions: 0,
};

const fresh = (): Kept => ({
  ...noCounts,
  roundTrips: [],
  shortestMs: undefined,
  latestMs: undefined,
  codes: undefined,
  restingUntil: undefined,
  identities: undefined,
  byTurns: false,
});

export function createLineHealth(clock: Clock): LineHealth {
  const units = new Map<string, Kept>();
  const probes = new Map<string, Probe>();
  const total: Mutable<Counts> = { ...noCounts };

  const of = (unit: string): Kept | undefined => {
    const known = units.get(unit);
    if (known !== undefined || units.size >= healthUnitsMax) return known;
    const kept = fresh();
    units.set(unit, kept);
    return kept;
  };
  const count = (unit: string, what: CountName, by = 1): Kept | undefined => {
    total[what] += by;
    const kept = of(unit);
    if (kept !== undefined) kept[what] += by;
    return kept;
  };

  return {
    answered(unit, ms, first = false) {
      const kept = count(unit, "answers");
      if (first) count(unit, "firstAnswers");
      if (kept === undefined) return;
      kept.restingUntil = undefined;
      kept.shortestMs = Math.min(kept.shortestMs ?? ms, ms);
      kept.roundTrips.push(ms);
      if (kept.roundTrips.length > healthRoundTripsMax) kept.roundTrips.shift();
    },
    retried: unit => void count(unit, "retries"),
    timeout(unit, first = false) {
      count(unit, "timeouts");
      if (first) count(unit, "firstTimeouts");
    },
    checksum: unit => void count(unit, "checksums"),
    parity: unit => void count(unit, "parities"),
    late(unit, ms) {
      const kept = count(unit, "late");
      if (kept !== undefined && ms !== undefined) kept.latestMs = Math.max(kept.latestMs ?? ms, ms);
    },
    foreign: unit => void count(unit, "foreign"),
    echo: unit => void count(unit, "echoes"),
    collision: unit => void count(unit, "collisions"),
    noise(unit, octets) {
      if (octets > 0) count(unit, "noiseOctets", octets);
    },
    exception(unit, code) {
      const kept = count(unit, "exceptions");
      if (kept === undefined) return;
      kept.codes ??= {};
      kept.codes[code] = (kept.codes[code] ?? 0) + 1;
    },
    resting(unit, untilMs) {
      const kept = of(unit);
      if (kept !== undefined) kept.restingUntil = untilMs;
    },
    identity(unit, who) {
      const kept = of(unit);
      if (kept === undefined) return;
      const all = (kept.identities ??= []);
      if (all.at(-1) === who) return;
      // Who came back was there all the time, beside the others.
      kept.byTurns ||= all.includes(who);
      kept.identities = [...all.filter(one => one !== who), who].slice(-healthIdentitiesMax);
    },
    known(unit, probe) {
      of(unit);
      if (probes.size < healthUnitsMax || probes.has(unit)) probes.set(unit, probe);
    },
    forget(unit) {
      units.delete(unit);
      probes.delete(unit);
    },
    probes,
    figures() {
      const now = clock.monotonic();
      return { at: now, units: [...units].map(([unit, kept]) => figuresOf(unit, kept, now)), total: { ...total } };
    },
  };
}

function figuresOf(unit: string, kept: Kept, now: number): UnitFigures {
  const { roundTrips, restingUntil, codes, identities = [], byTurns, ...rest } = kept;
  return {
    ...rest,
    unit,
    roundTripsMs: [...roundTrips],
    codes: { ...codes },
    restingMs: restingUntil === undefined ? undefined : Math.max(0, restingUntil - now),
    identities: byTurns ? [...identities] : identities.slice(-1),
  };
}

/** What happened between two looks at a line; rests and identities are those of the second. */
export function between(before: LineFigures, after: LineFigures): LineFigures {
  const earlier = new Map(before.units.map(one => [one.unit, one]));
  return {
    at: after.at,
    total: less(after.total, before.total),
    units: after.units.map(unit => {
      const old = earlier.get(unit.unit);
      // A unit that was forgotten meanwhile has begun anew.
      if (old === undefined || unit.answers < old.answers) return unit;
      const counts = less(unit, old);
      return {
        ...unit,
        ...counts,
        roundTripsMs: counts.answers === 0 ? [] : unit.roundTripsMs.slice(-counts.answers),
        codes: Object.fromEntries(
          Object.entries(unit.codes)
            .map(([code, times]) => [code, times - (old.codes[Number(code)] ?? 0)] as const)
            .filter(([, times]) => times > 0),
        ),
      };
    }),
  };
}

const less = (after: Counts, before: Counts): Counts =>
  Object.fromEntries(
    (Object.keys(noCounts) as CountName[]).map(name => [name, Math.max(0, after[name] - before[name])]),
  ) as unknown as Counts;

export interface RoundTrips {
  readonly minMs: number;
  readonly medianMs: number;
  readonly p95Ms: number;
}

/** Undefined where nothing was answered. */
export function roundTripsOf(all: readonly number[]): RoundTrips | undefined {
  if (all.length === 0) return undefined;
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { minMs: sorted[0] ?? 0, medianMs: at(0.5), p95Ms: at(0.95) };
}
