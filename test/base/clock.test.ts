import { getEventListeners } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Clock, systemClock } from "#base/clock.ts";
import { manualClock } from "../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();
afterEach(() => void vi.useRealTimers());

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

/** What both clocks promise, whoever makes time pass. */
function promises(name: string, make: () => { clock: Clock; pass: (ms: number) => Promise<unknown> }) {
  describe(name, () => {
    it("sleeps as long as told and takes its listener away", async () => {
      const { clock, pass } = make();
      const { signal } = new AbortController();
      let awake = false;
      const sleeping = clock.sleep(1_000, signal).then(() => {
        awake = true;
      });
      expect(listenersOf(signal)).toBe(1);
      await pass(999);
      expect(awake).toBe(false);
      await pass(1);
      await sleeping;
      expect(listenersOf(signal)).toBe(0);
    });

    it("rejects with the signal's reason, at once when it is aborted already", async () => {
      const { clock } = make();
      const stop = new AbortController();
      const sleeping = clock.sleep(1_000, stop.signal);
      stop.abort(new Error("left"));
      await expect(sleeping).rejects.toThrow("left");
      await expect(clock.sleep(1_000, stop.signal)).rejects.toThrow("left");
      await expect(clock.sleep(0, stop.signal)).rejects.toThrow("left");
    });

    it("takes no time for zero, less than zero", async () => {
      const { clock, pass } = make();
      const sleeping = Promise.all([0, -5].map(ms => clock.sleep(ms, new AbortController().signal)));
      await pass(1);
      await sleeping;
    });

    it("does not wake early from a sleep longer than a timer can be", async () => {
      const { clock, pass } = make();
      const stop = new AbortController();
      let awake = false;
      const years = 10 * 365 * 86_400_000;
      const sleeping = clock.sleep(years, stop.signal).then(
        () => {
          awake = true;
        },
        () => {},
      );
      const endless = clock.sleep(Number.POSITIVE_INFINITY, stop.signal);
      endless.catch(() => {});
      await pass(years - 1);
      expect(awake).toBe(false);
      await pass(1);
      await sleeping;
      expect(awake).toBe(true);
      expect(listenersOf(stop.signal)).toBe(1);
      stop.abort(new Error("enough"));
      await expect(endless).rejects.toThrow("enough");
    });
  });
}

promises("the system's clock", () => {
  vi.useFakeTimers();
  return { clock: systemClock, pass: ms => vi.advanceTimersByTimeAsync(ms) };
});

promises("the clock of the tests", () => {
  const clock = manualClock();
  return { clock, pass: clock.advance };
});

describe("the system's clock, for real", () => {
  it("an aborted sleep leaves no timer that keeps the process alive", async () => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === "Timeout").length;
    const before = timers();
    const stop = new AbortController();
    const sleeping = systemClock.sleep(60_000, stop.signal);
    expect(timers()).toBe(before + 1);
    stop.abort();
    await expect(sleeping).rejects.toThrow();
    expect(timers()).toBe(before);
  });

  it("tells milliseconds that pass", async () => {
    const [wall, steady] = [systemClock.now(), systemClock.monotonic()];
    await systemClock.sleep(20, new AbortController().signal);
    expect(systemClock.monotonic() - steady).toBeGreaterThan(15);
    expect(systemClock.now()).toBeGreaterThan(wall);
  });
});
