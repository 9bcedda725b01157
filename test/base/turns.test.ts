import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTurns, QueueFull, type TurnOrder, turnOrder } from "#base/turns.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

const never = new AbortController().signal;

function gate() {
  let open = () => {};
  const wait = new Promise<void>(resolve => {
    open = resolve;
  });
  return { wait, open };
}

describe("turns", () => {
  it("one at a time: control before reading, reading before polls, polls before scans, else first come first served", async () => {
    const turns = createTurns(64);
    const first = gate();
    const order: string[] = [];
    const all = [turns.take("scan", never, () => first.wait)];
    const asked = ["scan 1", "poll 1", "read 1", "scan 2", "control 1", "read 2", "poll 2", "control 2"];
    for (const name of asked) {
      const work = async () => void order.push(name);
      all.push(turns.take(name.split(" ")[0] as TurnOrder, never, work));
    }
    expect(turns.waiting).toBe(8);
    first.open();
    await Promise.all(all);
    expect(order).toEqual(["control 1", "control 2", "read 1", "read 2", "poll 1", "poll 2", "scan 1", "scan 2"]);
    expect(turns.waiting).toBe(0);
  });

  it("a full queue refuses, and takes again when there is room", async () => {
    const turns = createTurns(2);
    const first = gate();
    const all = [1, 2, 3].map(() => turns.take("read", never, () => first.wait));
    await expect(turns.take("control", never, async () => {})).rejects.toBeInstanceOf(QueueFull);
    first.open();
    await Promise.all(all);
    expect(await turns.take("read", never, async () => "again")).toBe("again");
  });

  it("who leaves while waiting is out at once, with his reason, and the others move up", async () => {
    const turns = createTurns(2);
    const first = gate();
    const working = turns.take("read", never, () => first.wait);
    const stop = new AbortController();
    let ran = false;
    const leaving = turns.take("read", stop.signal, async () => {
      ran = true;
    });
    const staying = turns.take("read", never, async () => "served");
    stop.abort(new Error("left"));
    await expect(leaving).rejects.toThrow("left");
    expect(turns.waiting).toBe(1);
    first.open();
    await working;
    expect(await staying).toBe("served");
    expect(ran).toBe(false);
  });

  it("who left before asking, or just when his turn came, does not work, and the turn is passed on", async () => {
    const turns = createTurns(8);
    let ran = 0;
    const work = async () => void ran++;
    await expect(turns.take("read", AbortSignal.abort(new Error("left")), work)).rejects.toThrow("left");
    const stop = new AbortController();
    // The turn passes to the second when the first is done; he leaves in that same moment.
    const first = turns.take("read", never, async () => void queueMicrotask(() => stop.abort(new Error("left"))));
    const second = turns.take("read", stop.signal, work);
    const third = turns.take("read", never, async () => "served");
    await first;
    await expect(second).rejects.toThrow("left");
    expect(await third).toBe("served");
    expect(ran).toBe(0);
  });

  it("work that fails, at once or later, passes the turn on", async () => {
    const turns = createTurns(8);
    const later = turns.take("read", never, async () => {
      throw new Error("timeout");
    });
    const atOnce = turns.take("read", never, () => {
      throw new Error("wrong");
    });
    const third = turns.take("read", never, async () => "served");
    await expect(later).rejects.toThrow("timeout");
    await expect(atOnce).rejects.toThrow("wrong");
    expect(await third).toBe("served");
  });

  it("leaves no listener on the signal of who was served", async () => {
    const turns = createTurns(64);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 50 }, () => turns.take("poll", signal, async () => {})));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("whatever is asked, left and failed: never two at once, everybody ends, nobody is served out of order", async () => {
    const request = fc.record({
      order: fc.constantFrom(...(Object.keys(turnOrder) as TurnOrder[])),
      fate: fc.constantFrom("works", "fails", "leaves"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 40 }), async requests => {
        const turns = createTurns(20);
        const first = gate();
        const served: { order: TurnOrder; at: number }[] = [];
        let working = 0;
        const opening = turns.take("control", never, () => first.wait);
        const all = requests.map(async ({ order, fate }, at) => {
          const stop = new AbortController();
          if (fate === "leaves") setImmediate(() => stop.abort());
          return turns.take(order, stop.signal, async () => {
            expect(++working).toBe(1);
            served.push({ order, at });
            await new Promise(resolve => setImmediate(resolve));
            working--;
            if (fate === "fails") throw new Error("failed");
          });
        });
        setImmediate(() => setImmediate(first.open));
        const outcomes = await Promise.allSettled(all);
        await opening;
        expect(turns.waiting).toBe(0);
        expect(outcomes.filter((one, at) => at < 20 && one.status === "fulfilled").length).toBe(
          requests.slice(0, 20).filter(one => one.fate === "works").length,
        );
        const inOrder = [...served].sort((a, b) => turnOrder[a.order] - turnOrder[b.order] || a.at - b.at);
        expect(served).toEqual(inOrder);
      }),
      { numRuns: 50 },
    );
  });
});
