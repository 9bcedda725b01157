// A log for a program that runs for years before devices that come and go: what stays as it is, is said once; what keeps
// changing, every now and then; and nobody fills a disk by making up names. What was held back is counted.

import {
  logEventGapMs,
  logEventsAtOnceMax,
  logFlapsMax,
  logRepeatMs,
  logSecurityRepeatMs,
  logSubjectsMax,
} from "#limits.ts";
import type { Clock } from "./clock.ts";
import { describe, type Log, type LogFacts, type LogLevel } from "./log.ts";
import { createRate } from "./rate.ts";

export interface QuietLog {
  readonly log: Log;
  /** Until aborted: says in the end how it is with those that changed too often, and how often the same came again. */
  run(signal: AbortSignal): Promise<void>;
}

/** The state of one subject, as its last line told it. */
interface State {
  readonly event: string;
  /** What makes it the same as another. */
  readonly text: string;
  at: number;
  readonly say: (more: LogFacts) => void;
  /** The same again since it was said. */
  repeated: number;
  /** Changes that were not said. */
  unsaid: number;
}

/** Facts that tell whom, or which thing, a line is about. */
const subjects = [
  ...["device", "sender", "thing", "owner", "domain", "from", "to", "what"],
  ...["node", "caller", "meter", "unit", "element", "right", "service", "driver", "source", "file", "role"],
];
/** Facts that change while the state is the same. */
const counters = new Set(["nextMs", "tries"]);

/** What concerns security is called LikeThis (docs/events.md): who is under attack is told sooner how often. */
const repeatMs = (event: string): number => (/^[A-Z]/.test(event) ? logSecurityRepeatMs : logRepeatMs);

/** Notices are what the operator has to find again (claims, disowned things): they are never held back. */
export function createQuietLog(plain: Log, clock: Clock): QuietLog {
  // By subject, the one that changed last at the end.
  const states = new Map<string, State>();
  const waiting = new Set<string>();
  /** Those that came again since they were said. */
  const repeating = new Set<string>();
  const missed = new Map<string, number>();
  const changes = createRate(clock, logFlapsMax, logRepeatMs / logFlapsMax, logSubjectsMax);
  const lines = createRate(clock, logEventsAtOnceMax, logEventGapMs, logSubjectsMax);

  const keep = (subject: string, state: State) => {
    states.delete(subject);
    states.set(subject, state);
    const [oldest = ""] = states.keys();
    if (states.size <= logSubjectsMax) return;
    states.delete(oldest);
    waiting.delete(oldest);
    repeating.delete(oldest);
  };
  const say = (subject: string, state: State) => {
    if (!changes.take(subject)) {
      waiting.add(subject);
      return;
    }
    waiting.delete(subject);
    const { event, repeated, unsaid } = state;
    const others = missed.get(event) ?? 0;
    if (!lines.take(event)) {
      missed.set(event, others + 1);
      return;
    }
    missed.delete(event);
    state.say({ ...(repeated > 0 && { repeated }), ...(unsaid > 0 && { unsaid }), ...(others > 0 && { others }) });
    state.repeated = state.unsaid = 0;
    repeating.delete(subject);
  };
  const put = (level: Exclude<LogLevel, "notice" | "debug">, log: Log) => {
    const tell = log[level];
    return (event: string, facts: LogFacts = {}) => {
      const subject = subjectOf(event, facts);
      const text = textOf(event, facts);
      const now = clock.monotonic();
      const before = states.get(subject);
      const isSame = before?.text === text;
      if (isSame && (now - before.at < repeatMs(event) || waiting.has(subject))) {
        before.repeated++;
        repeating.add(subject);
        return;
      }
      const unsaid = before !== undefined && waiting.has(subject) ? before.unsaid + 1 : 0;
      const repeated = isSame ? before.repeated : 0;
      const state = {
        event,
        text,
        at: now,
        say: (more: LogFacts) => tell(event, { ...facts, ...more }),
        repeated,
        unsaid,
      };
      keep(subject, state);
      say(subject, state);
    };
  };
  const over = (log: Log): Log => ({
    ...log,
    info: put("info", log),
    warning: put("warning", log),
    error: put("error", log),
    with: facts => over(log.with(facts)),
  });

  return {
    log: over(plain),
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(logEventGapMs, signal).catch(() => {});
        for (const subject of waiting) {
          const state = states.get(subject);
          if (state !== undefined && !signal.aborted) say(subject, state);
        }
        for (const subject of repeating) {
          const state = states.get(subject);
          if (state === undefined) repeating.delete(subject);
          else if (clock.monotonic() - state.at >= repeatMs(state.event) && !signal.aborted) {
            state.at = clock.monotonic();
            say(subject, state);
          }
        }
      }
    },
  };
}

/** "push-unanswered" and "push-answered" of one device are states of one subject. */
const subjectOf = (event: string, facts: LogFacts): string =>
  [event.split("-")[0], ...subjects.flatMap(name => (facts[name] === undefined ? [] : [describe(facts[name])]))]
    .join(" ")
    .slice(0, 512);

const textOf = (event: string, facts: LogFacts): string =>
  [event, ...Object.entries(facts).map(([name, value]) => (counters.has(name) ? "" : `${name}=${describe(value)}`))]
    .join(" ")
    .slice(0, 2_048);
