import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBroadcast } from "#base/broadcast.ts";
import { failOnUnhandledRejections } from "../support/unhandled.ts";

failOnUnhandledRejections();

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("a broadcast", () => {
  it("tells each reader everything sent since he listens, in order", async () => {
    const broadcast = createBroadcast<number>(10);
    const stop = new AbortController();
    broadcast.send(0);
    const first = broadcast.listen(stop.signal);
    broadcast.send(1);
    const second = broadcast.listen(stop.signal);
    broadcast.send(2);
    expect(broadcast.listeners).toBe(2);
    stop.abort();
    expect(await collect(first)).toEqual([1, 2]);
    expect(await collect(second)).toEqual([2]);
    expect(broadcast.listeners).toBe(0);
    broadcast.send(3);
  });

  it("wakes a reader who waits, several times asked too", async () => {
    const broadcast = createBroadcast<number>(10);
    const items = broadcast.listen(new AbortController().signal);
    const asked = [items.next(), items.next(), items.next()];
    broadcast.send(1);
    broadcast.send(2);
    await new Promise(resolve => setImmediate(resolve));
    broadcast.send(3);
    expect((await Promise.all(asked)).map(one => one.value)).toEqual([1, 2, 3]);
    await items.return?.();
  });

  it("a slow reader loses the oldest and is told how many; the others lose nothing and nobody waits", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 0, max: 20 })),
        async (max, bursts) => {
          const broadcast = createBroadcast<number>(max);
          const stop = new AbortController();
          let lost = 0;
          const slow = broadcast.listen(stop.signal, count => {
            lost += count;
          });
          let sent = 0;
          const taken: number[] = [];
          for (const burst of bursts) {
            for (let at = 0; at < burst; at++) broadcast.send(sent++);
            if (burst > 0) taken.push((await slow.next()).value);
          }
          stop.abort();
          for await (const item of slow) taken.push(item);
          expect(taken.length + lost).toBe(sent);
          expect(taken).toEqual([...taken].sort((a, b) => a - b));
          if (sent > 0) expect(taken.at(-1)).toBe(sent - 1);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("a reader who leaves, has left before the first item, or leaves while waiting is gone at once", async () => {
    const broadcast = createBroadcast<number>(10);
    const { signal } = new AbortController();

    const unread = broadcast.listen(signal);
    await unread.return?.();
    expect(await unread.next()).toEqual({ done: true, value: undefined });

    const waiting = broadcast.listen(signal);
    const next = waiting.next();
    await waiting.return?.();
    expect(await next).toEqual({ done: true, value: undefined });

    const reading = broadcast.listen(signal);
    broadcast.send(1);
    broadcast.send(2);
    for await (const item of reading) {
      expect(item).toBe(1);
      break;
    }
    expect(await reading.next()).toEqual({ done: true, value: undefined });

    expect(broadcast.listeners).toBe(0);
    expect(listenersOf(signal)).toBe(0);
  });

  it("leaves no listener on a signal that lives for years", async () => {
    const broadcast = createBroadcast<number>(10);
    const { signal } = new AbortController();
    for (let at = 0; at < 1_000; at++) {
      const items = broadcast.listen(signal);
      broadcast.send(at);
      await items.next();
      await items.return?.();
    }
    expect(listenersOf(signal)).toBe(0);
    expect(broadcast.listeners).toBe(0);
  });

  it("who listens after the end hears nothing", async () => {
    const broadcast = createBroadcast<number>(10);
    const signal = AbortSignal.abort();
    const items = broadcast.listen(signal);
    broadcast.send(1);
    expect(await collect(items)).toEqual([]);
    expect(listenersOf(signal)).toBe(0);
  });

  it("one reader's abort is not another's", async () => {
    const broadcast = createBroadcast<number>(10);
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = broadcast.listen(first.signal);
    const staying = broadcast.listen(second.signal);
    first.abort();
    broadcast.send(1);
    expect(await collect(leaving)).toEqual([]);
    expect((await staying.next()).value).toBe(1);
    second.abort();
  });
});
