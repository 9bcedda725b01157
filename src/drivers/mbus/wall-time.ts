// Wall time in a named zone to milliseconds since 1970: M-Bus dates are the meter's local time and carry no zone.

const formatters = new Map<string, Intl.DateTimeFormat>();

const formatterOf = (zone: string): Intl.DateTimeFormat => {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  formatters.set(zone, made);
  return made;
};

/** "yyyy-mm-dd" (its first moment) or "yyyy-mm-ddThh:mm[:ss]". In the hour that comes twice the first is meant. */
export function wallTime(text: string, zone: string): number {
  const asUtc = Date.parse(text.length === 10 ? `${text}T00:00Z` : `${text}Z`);
  // A change of the clock lies at most between a day before and a day after: either offset may be the one that held.
  const [before, after] = [offsetAt(asUtc - dayMs, zone), offsetAt(asUtc + dayMs, zone)];
  const candidates = [asUtc - before, asUtc - after].filter(at => at + offsetAt(at, zone) === asUtc);
  // A wall time that was skipped is read by the clock that had not been changed.
  return candidates.length > 0 ? Math.min(...candidates) : asUtc - before;
}

const dayMs = 86_400_000;

/** Milliseconds the zone is ahead of UTC. */
function offsetAt(at: number, zone: string): number {
  const parts = Object.fromEntries(
    formatterOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
}

/**
 * A date or time in the meter's words moved by so many units. Days and months are those of the calendar: of a date at the end
 * of its month every month's end is meant. Smaller units pass alike whatever the clock shows.
 */
export function wallTimeAfter(text: string, count: number, unit: TimeUnit, zone: string): number {
  if (unit !== "day" && unit !== "month") return wallTime(text, zone) + count * unitMs[unit];
  const [date = "", time] = text.split("T");
  const [year = 0, month = 1, day = 1] = date.split("-").map(Number);
  const moved =
    unit === "day"
      ? Date.UTC(year, month - 1, day + count)
      : Date.UTC(year, month - 1 + count, sameDay(year, month, day, count));
  const then = new Date(moved).toISOString().slice(0, 10);
  return wallTime(time === undefined ? then : `${then}T${time}`, zone);
}

export type TimeUnit = "second" | "minute" | "hour" | "day" | "month";
const unitMs = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;

const lastDay = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

function sameDay(year: number, month: number, day: number, months: number): number {
  const last = lastDay(year, month + months);
  return day === lastDay(year, month) ? last : Math.min(day, last);
}

/** "yyyy-mm-ddThh:mm", as a clock on the wall of that zone shows it. */
export const wallText = (at: number, zone: string): string =>
  new Date(at + offsetAt(at, zone)).toISOString().slice(0, 16);
