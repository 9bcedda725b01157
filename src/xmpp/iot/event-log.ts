// The events of the appliance, sent to the one place its owner named (XEP-0337): bounded while nobody is there, at a bounded rate,
// alike ones as one. Whatever goes wrong in here makes no event that would be sent: that would never end (LOG-SND-01…07).

import type { Clock } from "#base/clock.ts";
import type { Log, LogEvent, LogLevel } from "#base/log.ts";
import { createRate } from "#base/rate.ts";
import { createScope } from "#base/scope.ts";
import { eventLogAtOnceMax, eventLogGapMs, eventLogRefusedMs, eventLogWaitingMax } from "#limits.ts";
import { element } from "#xml/element.ts";
import type { Connection } from "../connection.ts";
import { bareJid } from "../jid.ts";
import { clientNs } from "../stanza.ts";
import { type EventLogEntry, eventLogNs, log as logCodec } from "./event-log.wire.ts";
import { eventOf, isSecurity } from "./event-of-line.ts";

export interface EventLogDeps {
  readonly connection: Pick<Connection, "jid" | "online" | "send">;
  /** Bare JID; undefined for nowhere, which is how it begins (LOG-SND-01). */
  readonly destination: () => string | undefined;
  /** What concerns security is sent at any level. */
  readonly level: Exclude<LogLevel, "debug">;
  /** The broker may keep them for a receiver who is away. */
  readonly stored: boolean;
  readonly clock: Clock;
  /** For what concerns the sending itself; none of it is sent. */
  readonly log: Log;
}

export interface EventLog {
  /** A line of the log, after it was written. Does not throw. */
  take(line: LogEvent): void;
  /** An error came back from this JID. */
  bounced(from: string | undefined): void;
  /** The destination is another, or there is a connection again. */
  wake(): void;
  run(signal: AbortSignal): Promise<void>;
  readonly waiting: number;
}

/** What the way to the receiver itself says: sent, each would make the next. */
export const neverSent: ReadonlySet<string> = new Set([
  "event-log-refused",
  "inbound-failed",
  "message-dropped",
  "outbox-not-read",
  "outbox-not-stored",
  "reply-lost",
]);

const order: readonly LogLevel[] = ["debug", "info", "notice", "warning", "error"];

interface Waiting {
  readonly entry: EventLogEntry;
  count: number;
}

export function createEventLog(deps: EventLogDeps): EventLog {
  const { clock, connection } = deps;
  // By what makes it the same as another, the oldest first.
  const waiting = new Map<string, Waiting>();
  const rate = createRate(clock, eventLogAtOnceMax, eventLogGapMs, 1);
  let lost = 0;
  let badUntil = 0;
  let sending = false;
  let wake = () => {};
  let before: string | undefined;

  /** What waited for another is not for this one; nor is he the one who sent something back. */
  const destination = (): string | undefined => {
    const now = deps.destination();
    if (now === before) return now;
    before = now;
    waiting.clear();
    lost = badUntil = 0;
    return now;
  };

  const own = (): string | undefined => {
    try {
      return bareJid(connection.jid);
    } catch {
      return undefined;
    }
  };

  const isWanted = ({ event, level }: LogEvent): boolean =>
    level !== "debug" &&
    !neverSent.has(event) &&
    (isSecurity(event) || order.indexOf(level) >= order.indexOf(deps.level));

  const put = (entry: EventLogEntry) => {
    const { timestamp: _, facility: __, ...rest } = entry;
    const key = JSON.stringify(rest);
    const same = waiting.get(key);
    if (same !== undefined) {
      same.count++;
      return;
    }
    waiting.set(key, { entry, count: 1 });
    for (const oldest of waiting.keys()) {
      if (waiting.size <= eventLogWaitingMax) break;
      lost += waiting.get(oldest)?.count ?? 0;
      waiting.delete(oldest);
    }
  };

  const send = (to: string, entry: EventLogEntry, count: number) => {
    const counted = count === 1 ? [] : [{ name: "count", value: String(count), type: "xs:long" }];
    // What was noted before the first log-in was noted by this account too.
    const payload = logCodec.encode(
      { ...entry, facility: entry.facility ?? own(), tags: [...entry.tags, ...counted] },
      eventLogNs,
    );
    const hints = deps.stored ? [] : [element("no-store", "urn:xmpp:hints")];
    connection.send(element("message", clientNs, { to, type: "normal", "xml:lang": "en" }, [payload, ...hints]));
  };

  /** Sends the oldest; false when it could not be sent now. */
  const sendOne = (to: string): boolean => {
    sending = true;
    try {
      if (lost > 0) {
        send(to, lostEvent(lost, clock.now(), own()), 1);
        lost = 0;
      }
      const [first] = waiting;
      if (first === undefined) return true;
      const [key, { entry, count }] = first;
      send(to, entry, count);
      waiting.delete(key);
      return true;
    } catch {
      // A full outbox, or no log-in yet: it waits here, and nothing is said, for that would wait here too.
      return false;
    } finally {
      sending = false;
    }
  };

  /** Milliseconds until something can be sent; undefined: when woken. */
  const delay = (): number | undefined => {
    if (destination() === undefined || !connection.online || (waiting.size === 0 && lost === 0)) return undefined;
    const resting = badUntil - clock.monotonic();
    if (resting > 0) return resting;
    return rate.allows("") ? 0 : eventLogGapMs;
  };

  return {
    take(line) {
      if (sending || !isWanted(line)) return;
      const to = destination();
      if (to === undefined) return;
      const entry = eventOf(line, clock.now(), own());
      // What the receiver itself does here would be answered by telling him of it.
      if (entry.subject !== undefined && entry.subject === to) return;
      put(entry);
      wake();
    },
    bounced(from) {
      const to = destination();
      if (to === undefined || bareJid(from) !== to) return;
      lost++;
      if (clock.monotonic() < badUntil) return;
      badUntil = clock.monotonic() + eventLogRefusedMs;
      deps.log.warning("event-log-refused", { to, restMs: eventLogRefusedMs });
    },
    wake: () => wake(),
    async run(signal) {
      while (!signal.aborted) {
        using pause = createScope(signal);
        wake = () => pause.abort();
        const waitMs = delay();
        const to = destination();
        if (waitMs === 0 && to !== undefined) {
          if (sendOne(to)) {
            rate.spend("");
            continue;
          }
          await clock.sleep(eventLogGapMs * 10, signal).catch(() => {});
          continue;
        }
        await clock.sleep(waitMs ?? 86_400_000, pause.signal).catch(() => {});
      }
    },
    get waiting() {
      return waiting.size;
    },
  };
}

const lostEvent = (count: number, at: number, own: string | undefined): EventLogEntry =>
  eventOf({ level: "warning", event: "EventsLost", facts: { count } }, at, own);
