import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { merge, type Source } from "#base/merge.ts";
import { leftBehindMs } from "#limits.ts";
import { manualClock } from "../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

const never = new AbortController().signal;
const turn = () => new Promise<void>(resolve => setImmediate(resolve));
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>(resolve => signal.addEventListener("abort", () => resolve(), { once: true }));

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A source that tells its items, one a turn of the event loop, and notes what happens to it. */
function counting(name: string, count: number, events: string[] = []): Source<string> {
  return async function* (signal) {
    events.push(`${name} begins`);
    try {
      for (let at = 0; at < count; at++) {
        await turn();
        signal.throwIfAborted();
        yield `${name}${at}`;
      }
    } finally {
      events.push(`${name} ends`);
    }
  };
}

/** A source that says nothing. */
const mute = (work: (signal: AbortSignal) => Promise<void>): Source<string> =>
  async function* (signal) {
    await work(signal);
    yield* [];
  };

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("merge", () => {
  it("tells all items of all sources, those of one source in their order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (counts, openMax) => {
          const sources = counts.map((count, at) => counting(`${at}-`, count));
          const items = await collect(merge(sources, openMax, never, manualClock()));
          const expected = counts.map((count, at) => Array.from({ length: count }, (_, item) => `${at}-${item}`));
          expect(counts.map((_, at) => items.filter(item => item.startsWith(`${at}-`)))).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("holds at most openMax sources open, and as many as that", async () => {
    let open = 0;
    let most = 0;
    const sources = Array.from({ length: 20 }, (): Source<number> => {
      return async function* () {
        most = Math.max(most, ++open);
        for (let at = 0; at < 3; at++) {
          await turn();
          yield at;
        }
        open--;
      };
    });
    expect(await collect(merge(sources, 4, never, manualClock()))).toHaveLength(60);
    expect(most).toBe(4);
    expect(open).toBe(0);
  });

  it("takes from an endless list only what it opens, and closes the list", async () => {
    let made = 0;
    let closed = false;
    function* endless() {
      try {
        for (;;) yield counting(`${made++}-`, 1);
      } finally {
        closed = true;
      }
    }
    const items: string[] = [];
    for await (const item of merge(endless(), 3, never, manualClock())) {
      items.push(item);
      if (items.length === 5) break;
    }
    expect(made).toBeLessThan(12);
    expect(closed).toBe(true);
  });

  it("a talkative source does not starve the others", async () => {
    const chatter: Source<string> = async function* () {
      for (;;) yield "chatter";
    };
    const seen: string[] = [];
    for await (const item of merge([chatter, counting("a", 3), chatter], 3, never, manualClock())) {
      seen.push(item);
      if (item === "a2" || seen.length > 10_000) break;
      if (seen.length % 100 === 0) await turn();
    }
    expect(seen).toContain("a2");
  });

  it("a reader who leaves: every source is aborted first, then waited for, and nothing new is opened", async () => {
    const events: string[] = [];
    const slow = mute(async signal => {
      events.push("slow begins");
      await untilAborted(signal);
      events.push("slow aborted");
      for (let at = 0; at < 5; at++) await turn();
      events.push("slow ends");
    });
    for await (const item of merge(
      [slow, counting("a", 9, events), counting("b", 9, events)],
      2,
      never,
      manualClock(),
    )) {
      expect(item).toBe("a0");
      events.push("leaving");
      break;
    }
    expect(events).toEqual(["slow begins", "a begins", "leaving", "slow aborted", "a ends", "slow ends"]);
  });

  it("a reader who leaves while he waits is out as soon as the sources are", async () => {
    const silent = mute(untilAborted);
    const items = merge([silent, silent], 2, never, manualClock());
    const waiting = items.next();
    await turn();
    await items.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it("an abort ends it with the reason, whatever the sources make of it, and opens nothing more", async () => {
    const events: string[] = [];
    const quiet: Source<string> = async function* (signal) {
      yield "quiet";
      await untilAborted(signal);
    };
    const stop = new AbortController();
    const items = merge([quiet, quiet, counting("late", 1, events)], 2, stop.signal, manualClock());
    expect((await items.next()).value).toBe("quiet");
    expect((await items.next()).value).toBe("quiet");
    const waiting = items.next();
    stop.abort(new Error("stopping"));
    await expect(waiting).rejects.toThrow("stopping");
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(events).toEqual([]);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  it("aborted before it began, it opens nothing", async () => {
    const events: string[] = [];
    const stop = AbortSignal.abort(new Error("stopped"));
    await expect(collect(merge([counting("a", 3, events)], 2, stop, manualClock()))).rejects.toThrow("stopped");
    expect(events.filter(event => event !== "a begins" && event !== "a ends")).toEqual([]);
  });

  it("a source that fails ends the whole, and the others are aborted and waited for", async () => {
    const events: string[] = [];
    const failing: Source<string> = async function* () {
      await turn();
      yield "before";
      throw new Error("broken");
    };
    const other = mute(async signal => {
      await untilAborted(signal);
      await turn();
      events.push("other ended");
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const item of merge([other, failing, other], 3, never, manualClock())) seen.push(item);
    })();
    await expect(reading).rejects.toThrow("broken");
    expect(seen).toEqual(["before"]);
    expect(events).toEqual(["other ended", "other ended"]);
  });

  it("a source that cannot even be opened ends the whole like one that fails", async () => {
    const impossible: Source<string> = () => {
      throw new Error("impossible");
    };
    const events: string[] = [];
    await expect(collect(merge([counting("a", 3, events), impossible], 2, never, manualClock()))).rejects.toThrow(
      "impossible",
    );
    expect(events).toEqual(["a begins", "a ends"]);
  });

  it("sources that all fail at once, or while being left, leave no rejection behind", async () => {
    const failing: Source<string> = async function* (signal) {
      yield "one";
      await untilAborted(signal);
      throw new Error("on the way out");
    };
    const broken = mute(async () => {
      throw new Error("broken");
    });
    for await (const item of merge([failing, failing], 2, never, manualClock())) if (item === "one") break;
    await expect(collect(merge([broken, broken, broken], 3, never, manualClock()))).rejects.toThrow("broken");
  });

  it("a source that ignores its signal is waited for until the bound, then left behind", async () => {
    const clock = manualClock();
    let release = () => {};
    const deaf: Source<string> = async function* () {
      yield "deaf";
      await new Promise<void>(resolve => {
        release = resolve;
      });
      throw new Error("much too late");
    };
    const items = merge([deaf], 1, never, clock);
    expect((await items.next()).value).toBe("deaf");
    let left = false;
    const leaving = items.return?.().then(() => {
      left = true;
    });
    await clock.advance(leftBehindMs - 1);
    expect(left).toBe(false);
    await clock.advance(1);
    await leaving;
    expect(clock.sleepers).toBe(0);
    release();
    await turn();
  });

  it("an abort is heard although the source ignores it", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    const deaf = mute(() => new Promise(() => {}));
    const waiting = merge([deaf, deaf], 2, stop.signal, clock).next();
    waiting.catch(() => {});
    await clock.advance(0);
    stop.abort(new Error("stopping"));
    await clock.advance(leftBehindMs);
    await expect(waiting).rejects.toThrow("stopping");
  });

  it("leaves no listener on a signal that lives for years, read to the end, left, failed or never read", async () => {
    const { signal } = new AbortController();
    for (let at = 0; at < 50; at++) {
      await collect(merge([counting("a", 2), counting("b", 2)], 2, signal, manualClock()));
      for await (const _ of merge([counting("a", 2), counting("b", 2)], 2, signal, manualClock())) break;
      const failing = mute(async () => {
        throw new Error("broken");
      });
      await collect(merge([failing], 2, signal, manualClock())).catch(() => {});
      merge([counting("a", 2)], 2, signal, manualClock());
      await merge([counting("a", 2)], 2, signal, manualClock()).return?.();
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("no room for any source is a mistake, not an empty stream", () => {
    expect(() => merge([counting("a", 1)], 0, never, manualClock())).toThrow(RangeError);
  });

  it("a silent source beside a talkative one costs no memory an item", async () => {
    const chatter: Source<number> = async function* () {
      for (let at = 0; ; at++) yield at;
    };
    const silent = mute(untilAborted) as unknown as Source<number>;
    let before = 0;
    for await (const at of merge([silent, chatter], 2, never, manualClock())) {
      if (at === 10_000) {
        collectGarbage();
        before = process.memoryUsage().heapUsed;
      }
      if (at === 210_000) {
        // Measured while the silent one still waits: what hangs on it goes when it ends.
        collectGarbage();
        expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
        break;
      }
    }
    expect(before).toBeGreaterThan(0);
  });
});
