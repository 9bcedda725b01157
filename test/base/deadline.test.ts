import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { TimeoutError, within } from "#base/deadline.ts";
import { manualClock } from "../support/manual-clock.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;
const never = () => new Promise<never>(() => {});

describe("within", () => {
  it("gives the work's value and leaves neither timer nor listener", async () => {
    const clock = manualClock();
    const { signal } = new AbortController();
    let inner: AbortSignal | undefined;
    const value = await within(clock, 1_000, "meter", signal, async given => {
      inner = given;
      return 7;
    });
    expect(value).toBe(7);
    expect(inner?.aborted).toBe(false);
    expect(clock.sleepers).toBe(0);
    expect(listenersOf(signal)).toBe(0);
    await clock.advance(10_000);
  });

  it("passes on the work's error, thrown at once or later, and leaves neither timer nor listener", async () => {
    const clock = manualClock();
    const { signal } = new AbortController();
    const later = within(clock, 1_000, "meter", signal, async () => {
      throw new Error("garbled");
    });
    await expect(later).rejects.toThrow("garbled");
    const atOnce = within(clock, 1_000, "meter", signal, () => {
      throw new Error("wrong argument");
    });
    await expect(atOnce).rejects.toThrow("wrong argument");
    expect(clock.sleepers).toBe(0);
    expect(listenersOf(signal)).toBe(0);
    await clock.advance(10_000);
  });

  it("ends in time although the work ignores its signal, and says how long it waited for whom", async () => {
    const clock = manualClock();
    const { signal } = new AbortController();
    let inner: AbortSignal | undefined;
    const waiting = within(clock, 3_000, "heat-3", signal, given => {
      inner = given;
      return never();
    });
    waiting.catch(() => {});
    await clock.advance(2_999);
    expect(inner?.aborted).toBe(false);
    await clock.advance(1);
    await expect(waiting).rejects.toThrow(new TimeoutError("heat-3", 3_000));
    await expect(waiting).rejects.toThrow("heat-3: no answer within 3 s");
    expect(inner?.reason).toBeInstanceOf(TimeoutError);
    expect(listenersOf(signal)).toBe(0);
    expect(new TimeoutError("heat-3", 250).message).toContain("250 ms");
  });

  it("ends at once when the caller leaves, with his reason, although the work ignores its signal", async () => {
    const clock = manualClock();
    const stop = new AbortController();
    let inner: AbortSignal | undefined;
    const waiting = within(clock, 3_000, "meter", stop.signal, given => {
      inner = given;
      return never();
    });
    stop.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    expect(inner?.reason).toEqual(new Error("left"));
    expect(clock.sleepers).toBe(0);
  });

  it("does not begin when the caller has left already", async () => {
    let began = false;
    const work = async () => {
      began = true;
    };
    const waiting = within(manualClock(), 3_000, "meter", AbortSignal.abort(new Error("left")), work);
    await expect(waiting).rejects.toThrow("left");
    expect(began).toBe(false);
  });

  it("work that fails after its time is up fails unheard", async () => {
    const clock = manualClock();
    const waiting = within(clock, 1_000, "meter", new AbortController().signal, async inner => {
      await new Promise(resolve => inner.addEventListener("abort", resolve));
      throw new Error("too late");
    });
    waiting.catch(() => {});
    await clock.advance(1_000);
    await expect(waiting).rejects.toBeInstanceOf(TimeoutError);
  });

  it("nested bounds: the inner one speaks first", async () => {
    const clock = manualClock();
    const waiting = within(clock, 5_000, "outer", new AbortController().signal, signal =>
      within(clock, 1_000, "inner", signal, never),
    );
    waiting.catch(() => {});
    await clock.advance(1_000);
    await expect(waiting).rejects.toThrow("inner: no answer");
    expect(clock.sleepers).toBe(0);
  });
});
