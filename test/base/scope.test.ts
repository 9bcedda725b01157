import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { createScope } from "#base/scope.ts";

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("a scope", () => {
  it("ends with its parent, for the parent's reason", () => {
    const parent = new AbortController();
    using scope = createScope(parent.signal);
    expect(scope.signal.aborted).toBe(false);
    parent.abort(new Error("stopping"));
    expect(scope.signal.reason).toEqual(new Error("stopping"));
  });

  it("of a parent that ended before has ended too, and leaves no listener", () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    using scope = createScope(signal);
    expect(scope.signal.reason).toEqual(new Error("stopped"));
    expect(listenersOf(signal)).toBe(0);
  });

  it("ends by itself without touching its parent, once", () => {
    const parent = new AbortController();
    using scope = createScope(parent.signal);
    scope.abort(new Error("enough"));
    scope.abort(new Error("twice"));
    parent.abort(new Error("stopping"));
    expect(scope.signal.reason).toEqual(new Error("enough"));
  });

  it("ten thousand scopes leave no listener on a parent that lives for years", () => {
    const { signal } = new AbortController();
    const ended: AbortSignal[] = [];
    for (let at = 0; at < 10_000; at++) {
      using scope = createScope(signal);
      ended.push(scope.signal);
    }
    expect(listenersOf(signal)).toBe(0);
    expect(ended.every(one => one.aborted)).toBe(true);
    expect(signal.aborted).toBe(false);
  });
});
