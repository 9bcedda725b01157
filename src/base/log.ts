// The log: one structured line an event, to whatever sink the composition root gives. Secrets never get this far; what
// looks like one, by the name of its fact or inside a text (redaction.ts), is masked all the same.

import { logValueCharsMax } from "#limits.ts";
import { redact } from "./redaction.ts";

export type LogLevel = "debug" | "info" | "notice" | "warning" | "error";
export type LogFacts = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, facts?: LogFacts): void;
  info(event: string, facts?: LogFacts): void;
  notice(event: string, facts?: LogFacts): void;
  warning(event: string, facts?: LogFacts): void;
  error(event: string, facts?: LogFacts): void;
  /** A log that adds these facts to each line. */
  with(facts: LogFacts): Log;
}

export interface LogEvent {
  level: LogLevel;
  event: string;
  facts: LogFacts;
}

const secretName = /pass(word)?|secret|token|^key$|claimkey|credential/i;

export function createLog(sink: (event: LogEvent) => void, base: LogFacts = {}): Log {
  const at =
    (level: LogLevel) =>
    (event: string, facts: LogFacts = {}) =>
      sink({ level, event, facts: mask({ ...base, ...facts }) });
  return {
    debug: at("debug"),
    info: at("info"),
    notice: at("notice"),
    warning: at("warning"),
    error: at("error"),
    with: facts => createLog(sink, { ...base, ...facts }),
  };
}

/** A log that writes to another, and tells `also` of each line that it has written. */
export const teeLog = (log: Log, also: (line: LogEvent) => void): Log =>
  createLog(line => {
    log[line.level](line.event, line.facts);
    also(line);
  });

export const silentLog: Log = createLog(() => {});

/** Key=value text of one event, always one line: see `describe` and `quoted`. */
export const formatLogEvent = (event: LogEvent): string => `${event.level.padEnd(7)} ${formatFacts(event)}`;

/** The same without its level. */
export const formatFacts = ({ event, facts }: LogEvent): string =>
  [event, ...Object.entries(facts).map(([name, value]) => `${name}=${quoted(shown(value))}`)].join(" ");

/** Text of a fact as it may leave the program: of bounded length, and without secrets. */
export const shown = (value: unknown): string => redact(shorten(describe(value)));

/** Text of any value; an error gives its message. Never throws: a log that fails in the middle of a failure helps nobody. */
export function describe(value: unknown): string {
  try {
    if (value instanceof Error) return value.message || value.name;
    if (typeof value !== "object" || value === null) return String(value);
    return JSON.stringify(value, (_, one) =>
      typeof one === "bigint" ? one.toString() : one instanceof Error ? describe(one) : one,
    );
  } catch {
    return "[cannot be shown]";
  }
}

/** Where a bug came from, for the log alone. */
export const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

/**
 * What peers and devices say is quoted as soon as it could be taken for something else, and moves no terminal's cursor. Always one
 * line.
 */
export const quoted = (text: string): string =>
  text === "" || /[\s"=]/u.test(text) || text.search(hidden) >= 0
    ? JSON.stringify(text).replace(hidden, one => `\\u{${one.codePointAt(0)?.toString(16)}}`)
    : text;

/** Controls, directions, and what is not seen at all. */
const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const shorten = (text: string): string =>
  text.length <= logValueCharsMax ? text : `${text.slice(0, logValueCharsMax)}…`;

/** Depth to which facts are searched for secrets; what lies deeper is not shown. */
const maskDepthMax = 6;

function mask(facts: LogFacts): LogFacts {
  try {
    return maskIn(facts, maskDepthMax) as LogFacts;
  } catch {
    return { facts: "[cannot be shown]" };
  }
}

function maskIn(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return depth === 0 ? "…" : value.map(one => maskIn(one, depth - 1));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  if (depth === 0) return "…";
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, secretName.test(name) ? "***" : maskIn(one, depth - 1)]),
  );
}
