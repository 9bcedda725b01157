// How the log leaves the program, on the standard error output: as text for a person; for systemd's journal, with the priority
// in front of each line (sd-daemon(3)), so that `journalctl -p warning` finds what matters; or as JSON, for other collectors.

import { fstatSync } from "node:fs";
import { formatFacts, formatLogEvent, type LogEvent, type LogLevel, shown } from "./log.ts";

export const logFormats = ["text", "journal", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

/** Of syslog(3), which is what journald counts in. */
const priorities: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

/** One line, with its end. `now` in milliseconds, for JSON alone: a journal knows the time, and so does a terminal's reader. */
export function logLine(format: LogFormat, event: LogEvent, now: number): string {
  if (format === "text") return `${formatLogEvent(event)}\n`;
  if (format === "journal") return `<${priorities[event.level]}>${formatFacts(event)}\n`;
  const facts = Object.entries(event.facts).map(([name, value]) => [name, plain(value)]);
  const head = { at: new Date(now).toISOString(), level: event.level, event: event.event };
  return `${JSON.stringify({ ...Object.fromEntries(facts), ...head }).replace(/[\u2028\u2029]/g, "")}\n`;
}

const plain = (value: unknown) => (typeof value === "number" || typeof value === "boolean" ? value : shown(value));

/** journal when systemd says in JOURNAL_STREAM that the standard error output is its journal (systemd.exec(5)); else text. */
export function foundFormat(environment: Readonly<Record<string, string | undefined>>): LogFormat {
  const said = environment.JOURNAL_STREAM;
  if (said === undefined) return "text";
  try {
    const { dev, ino } = fstatSync(2);
    // Inherited by a program whose output goes elsewhere, it is somebody else's.
    return said === `${dev}:${ino}` ? "journal" : "text";
  } catch {
    return "text";
  }
}
