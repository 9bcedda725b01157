// One query from its start to its one end: what it writes waits here, bounded, for who reads it. However it ends, the reader
// hears `started` first and then exactly one of `done` and `aborted`, last (CON-QRY-04).

import type { Clock } from "#base/clock.ts";
import { type Log, stackOf } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import { queryAbortMs, queryMs, reportItemsMax } from "#limits.ts";
import { Refusal } from "./contract/faults.ts";
import type { Report, ReportItem } from "./contract/report.ts";
import { createReportWriter } from "./report-writer.ts";
import { describeFault } from "./status.ts";

export type QueryItem = ReportItem | { readonly kind: "started" | "done" | "aborted" };

export interface QueryRun {
  /** To be read once. Ends after `done` or `aborted`, or without either when it was silenced. */
  readonly items: AsyncIterable<QueryItem>;
  /** What was not read yet is dropped, and `aborted` is the last word (CON-QP-06). */
  abort(): void;
  /** Nothing more is to be said at all: nobody is there, or he may not hear it any more. */
  silence(): void;
  /** Resolves when the work itself is over, or was left behind. */
  readonly over: Promise<void>;
}

export interface QueryRunDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Of the program. */
  readonly signal: AbortSignal;
  /** Aborts, with the fault as its reason, when the device goes away. */
  readonly device: AbortSignal | undefined;
  readonly work: (report: Report, signal: AbortSignal) => Promise<void>;
  /** How the query is called in the log. */
  readonly name: string;
}

export function startQueryRun(deps: QueryRunDeps): QueryRun {
  const { clock, log, work, name } = deps;
  const queue: QueryItem[] = [{ kind: "started" }];
  const scope = createScope(deps.signal);
  let ended = false;
  let wakeReader = () => {};
  const waiting: (() => void)[] = [];

  const makeRoom = () => {
    while (queue.length < reportItemsMax && waiting.length > 0) waiting.shift()?.();
  };
  const put = (item: ReportItem): Promise<void> => {
    if (ended) throw scope.signal.aborted ? scope.signal.reason : new Error("the query has ended");
    if (waiting.length >= reportItemsMax) throw new Error("the query does not wait for its reader");
    queue.push(item);
    wakeReader();
    if (queue.length < reportItemsMax) return Promise.resolve();
    return new Promise(resolve => waiting.push(resolve));
  };
  const writer = createReportWriter(async item => put(item));

  /** The last words, and the end. Whoever waits for room goes on, and finds that there is nothing more to say. */
  const end = (...last: QueryItem[]) => {
    if (ended) return;
    ended = true;
    queue.push(...last);
    scope.abort(over);
    timer.abort(over);
    deps.device?.removeEventListener("abort", onLost);
    deps.signal.removeEventListener("abort", onStop);
    for (const go of waiting.splice(0)) go();
    wakeReader();
  };
  const fail = (text: string) => end(message("Error", text), { kind: "aborted" });

  const timer = new AbortController();
  const onLost = () => fail(describeFault(deps.device?.reason).text);
  const onStop = () => end({ kind: "aborted" });
  if (deps.signal.aborted) onStop();
  else deps.signal.addEventListener("abort", onStop, { once: true });
  if (deps.device?.aborted) onLost();
  else deps.device?.addEventListener("abort", onLost, { once: true });
  clock.sleep(queryMs, timer.signal).then(
    () => fail(`Aborted after ${Math.round(queryMs / 60_000)} minutes, the longest a query may take.`),
    () => {},
  );

  const working = (async () => {
    try {
      await work(writer.report, scope.signal);
      if (ended) return;
      writer.close();
      end({ kind: "done" });
    } catch (error) {
      if (ended) return;
      const { text, ours } = error instanceof Refusal ? { text: error.message, ours: false } : describeFault(error);
      if (ours) log.error("query-failed", { query: name, error, stack: stackOf(error) });
      fail(text);
    } finally {
      scope[Symbol.dispose]();
    }
  })();

  return {
    items: read(),
    abort() {
      if (ended) return;
      queue.length = queue[0]?.kind === "started" ? 1 : 0;
      end({ kind: "aborted" });
    },
    silence() {
      end();
      queue.length = 0;
    },
    over: leftBehind(working),
  };

  async function* read(): AsyncGenerator<QueryItem> {
    for (;;) {
      const item = queue.shift();
      if (item !== undefined) {
        makeRoom();
        yield item;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>(resolve => {
          wakeReader = resolve;
        });
      }
    }
  }

  /** A query that does not heed its abort is not waited for for ever. */
  async function leftBehind(done: Promise<void>): Promise<void> {
    const stop = new AbortController();
    const aborted = new Promise<void>(resolve => {
      if (scope.signal.aborted) resolve();
      else scope.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const late = aborted
      .then(() => clock.sleep(queryAbortMs, stop.signal))
      .then(() => log.warning("query-ignores-abort", { query: name }))
      .catch(() => {});
    await Promise.race([done, late]);
    stop.abort(over);
  }
}

const message = (type: "Error", text: string): ReportItem => ({ kind: "message", type, level: "Major", text });

/** One for all: making an exception gathers a stack. */
const over = new DOMException("the query is over", "AbortError");
