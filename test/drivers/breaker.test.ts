// A device at rest: what it costs, what is told of it, and who is let through.

import { describe, expect, it } from "vitest";
import type { TurnOrder } from "#base/turns.ts";
import { DeviceFault } from "#contract/faults.ts";
import { createBreaker } from "#drivers/breaker.ts";
import { manualClock } from "../support/manual-clock.ts";

function bench() {
  const clock = manualClock();
  const turned: boolean[] = [];
  const breaker = createBreaker({ failuresMax: 2, firstMs: 10_000, msMax: 160_000 }, clock, resting =>
    turned.push(resting),
  );
  let worked = 0;
  const fault = async (order: TurnOrder = "poll", kind: "timeout" | "garbled" | "refused" = "timeout") => {
    const outcome = await breaker
      .attempt(order, async () => {
        worked++;
        throw new DeviceFault(kind, "meter 5: no answer");
      })
      .catch((error: unknown) => error as DeviceFault);
    return outcome as DeviceFault;
  };
  const good = (order: TurnOrder = "poll") => breaker.attempt(order, async probing => probing);
  return { clock, breaker, turned, fault, good, worked: () => worked };
}

describe("a breaker", () => {
  it("0.7: after failures in a row it fails at once, with the finding of the last try in the same words each time", async () => {
    const { clock, breaker, fault, turned, worked } = bench();
    expect((await fault()).message).toBe("meter 5: no answer");
    expect(breaker.describe()).toBe("answering");
    const texts = new Set<string>();
    for (let n = 0; n < 40; n++) {
      texts.add((await fault()).message);
      await clock.advance(5_000);
    }
    // 0.6: one warning when it turns bad, not one for each poll: the words never change.
    expect([...texts]).toEqual(["meter 5: no answer (resting between tries)"]);
    expect(turned).toEqual([true]);
    expect(worked()).toBeLessThan(10);
  });

  it("says when the next try is due, in seconds, minutes or hours", async () => {
    const { clock, breaker, fault } = bench();
    await fault();
    await fault();
    expect(breaker.describe()).toMatch(/^resting, next try in \d+ s$/);
    for (let n = 0; n < 6; n++) {
      await clock.advance(250_000);
      await fault();
    }
    // The cap of 160 s, a quarter more or less.
    expect(breaker.describe()).toMatch(/^resting, next try in (1\d\d s|3 min|4 min)$/);
    await clock.advance(250_000);
    expect(breaker.describe()).toBe("resting, next try when asked");
  });

  it("a person is let through once the first rest is over; polls wait out the long one", async () => {
    const { clock, breaker, fault, worked } = bench();
    for (let n = 0; n < 6; n++) {
      await fault();
      await clock.advance(250_000);
    }
    await fault();
    const before = worked();
    await clock.advance(10_000);
    await fault("poll");
    await fault("scan");
    expect(worked()).toBe(before);
    await fault("read");
    expect(worked()).toBe(before + 1);
    // Each try begins the rest anew, whoever asked.
    await fault("read");
    await fault("control");
    expect(worked()).toBe(before + 1);
    await clock.advance(10_000);
    expect(await breaker.attempt("control", async () => "well")).toBe("well");
  });

  it("is half open: one try at a time, told that it is one; a good answer ends the rest", async () => {
    const { clock, breaker, fault, good, turned } = bench();
    await fault();
    await fault();
    await clock.advance(20_000);
    let finish = () => {};
    const probe = breaker.attempt("read", async probing => {
      await new Promise<void>(resolve => {
        finish = resolve;
      });
      return probing;
    });
    expect(breaker.describe()).toBe("being tried");
    await expect(good("read")).rejects.toMatchObject({ kind: "timeout" });
    finish();
    expect(await probe).toBe(true);
    expect([breaker.describe(), breaker.failures, breaker.resting]).toEqual(["answering", 0, false]);
    expect(turned).toEqual([true, false]);
    expect(await good()).toBe(false);
  });

  it("a refusal is an answer: the device lives; garbled answers count and stay garbled", async () => {
    const { breaker, fault } = bench();
    for (let n = 0; n < 5; n++) expect((await fault("poll", "refused")).kind).toBe("refused");
    expect(breaker.resting).toBe(false);
    await fault("poll", "garbled");
    await fault("poll", "garbled");
    expect(breaker.resting).toBe(true);
    expect(await fault("poll", "timeout")).toMatchObject({ kind: "garbled" });
  });

  it("a result may be a silence: a gateway that answers for a unit that did not", async () => {
    const { breaker } = bench();
    const ask = () =>
      breaker.attempt(
        "poll",
        async () => 11,
        code => (code === 11 ? "unit 3: gateway" : undefined),
      );
    expect([await ask(), await ask()]).toEqual([11, 11]);
    await expect(ask()).rejects.toMatchObject({ kind: "timeout", message: "unit 3: gateway (resting between tries)" });
  });
});
