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
