// The log: one structured line an event, to whatever sink the composition root gives. Secrets never get this far; what
// looks like one by its name is masked all the same.

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

export const silentLog: Log = createLog(() => {});

/** Key=value text of one event; values with blanks are quoted, errors give their message, control characters are escaped. */
export function formatLogEvent({ level, event, facts }: LogEvent): string {
  const parts = Object.entries(facts).map(([name, value]) => `${name}=${quote(describe(value))}`);
  return [level.padEnd(7), event, ...parts].join(" ");
}

export function describe(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}

/** Where a bug came from, for the log alone. */
export const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

const quote = (text: string): string => (/[\s"=\p{Cc}]/u.test(text) ? JSON.stringify(text) : text);

const mask = (facts: LogFacts): LogFacts =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, secretName.test(name) ? "***" : value]));
