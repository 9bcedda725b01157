import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { backoff } from "#base/delays.ts";
import { type Supervision, supervise } from "#base/supervise.ts";
import { manualClock } from "../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

function bench(over: Partial<Supervision> = {}) {
  const clock = manualClock();
  const waits: number[] = [];
  const stop = new AbortController();
  const how: Supervision = {
    delays: () => backoff(1_000, 8_000, 0),
    healthyMs: 60_000,
    clock,
    failed: (_, nextMs) => waits.push(nextMs),
    ...over,
  };
  return { clock, waits, stop, how };
}

describe("supervise", () => {
  it("restarts what rejects, later and later", async () => {
    const { clock, waits, stop, how } = bench();
    let runs = 0;
    const supervised = supervise(
      async () => {
        runs++;
        throw new Error(`fault ${runs}`);
      },
      how,
      stop.signal,
    );
    await clock.advance(0);
    expect(runs).toBe(1);
    await clock.advance(999);
    expect(runs).toBe(1);
    await clock.advance(1);
    expect(runs).toBe(2);
    await clock.advance(2_000 + 4_000 + 8_000 + 8_000);
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
    stop.abort();
    await supervised;
    expect(clock.sleepers).toBe(0);
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  });

  it("begins again with the first delay after a run that lasted", async () => {
    const { clock, waits, stop, how } = bench();
    const lasts = [0, 0, 59_999, 60_000, 0];
    const supervised = supervise(
      async signal => {
        await clock.sleep(lasts.shift() ?? 0, signal);
        throw new Error("fault");
      },
      how,
      stop.signal,
    );
    await clock.advance(200_000);
    expect(waits.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 1_000, 2_000]);
    stop.abort();
    await supervised;
  });

  it("a task that throws before its first wait counts as one that rejects", async () => {
    const { clock, waits, stop, how } = bench();
    const supervised = supervise(
      () => {
        throw new Error("at once");
      },
      how,
      stop.signal,
    );
    await clock.advance(0);
    expect(waits).toEqual([1_000]);
    stop.abort();
    await supervised;
  });

  it("ends with the task, and not before the task has cleaned up", async () => {
    const { clock, stop, how } = bench();
    await supervise(async () => {}, how, stop.signal);
    const steps: string[] = [];
    const supervised = supervise(
      async signal => {
        await clock.sleep(1_000_000, signal).catch(() => {});
        await clock.sleep(500, new AbortController().signal);
        steps.push("cleaned up");
        throw signal.reason;
      },
      how,
      stop.signal,
    ).then(() => steps.push("ended"));
    stop.abort(new Error("stopping"));
    await clock.advance(499);
    expect(steps).toEqual([]);
    await clock.advance(1);
    await supervised;
    expect(steps).toEqual(["cleaned up", "ended"]);
  });

  it("does not begin when it is over already", async () => {
    const { how } = bench();
    let runs = 0;
    const task = async () => {
      runs++;
    };
    await supervise(task, how, AbortSignal.abort());
    expect(runs).toBe(0);
  });

  it("throws the last error when the delays are used up", async () => {
    let runs = 0;
    const { clock, stop, how } = bench({ delays: () => [10, 20].values() });
    const supervised = supervise(
      async () => {
        throw new Error(`fault ${++runs}`);
      },
      how,
      stop.signal,
    );
    supervised.catch(() => {});
    await clock.advance(30);
    await expect(supervised).rejects.toThrow("fault 3");
  });
});
