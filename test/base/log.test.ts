import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog, describe as describeValue, formatLogEvent, type LogEvent, silentLog, stackOf } from "#base/log.ts";
import { logValueCharsMax } from "#limits.ts";

function bench() {
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  return { log, events, text: () => events.map(formatLogEvent).join("\n") };
}

describe("the log", () => {
  it("passes on level, event and facts, with those of the log it was made of", () => {
    const { log, events } = bench();
    log.with({ node: "heat-3" }).with({ line: "attic" }).warning("silent", { tries: 3 });
    for (const level of ["debug", "info", "notice", "warning", "error"] as const) log[level]("event");
    expect(events[0]).toEqual({
      level: "warning",
      event: "silent",
      facts: { node: "heat-3", line: "attic", tries: 3 },
    });
    expect(events.slice(1).map(one => one.level)).toEqual(["debug", "info", "notice", "warning", "error"]);
    silentLog.error("nobody hears this");
  });

  it("what is a secret by its name is masked, however deep, and not in the caller's own object", () => {
    const { log, events, text } = bench();
    const settings = {
      host: "broker",
      password: "hunter2",
      list: [{ accessToken: "hunter2" }],
      deep: { key: "hunter2" },
    };
    log.with({ clientSecret: "hunter2" }).info("opened", { settings, KEY: "hunter2", credentials: ["hunter2"] });
    expect(text()).not.toContain("hunter2");
    expect(JSON.stringify(events)).not.toContain("hunter2");
    expect(text()).toContain("broker");
    expect(settings.password).toBe("hunter2");
  });

  it("an error gives its message, a bug's stack is there for the asking", () => {
    const { log, text } = bench();
    log.error("failed", { error: new TypeError("x is not a function"), inner: { error: new Error("deep") } });
    expect(text()).toBe(`error   failed error="x is not a function" inner=${JSON.stringify('{"error":"deep"}')}`);
    expect(describeValue(new RangeError())).toBe("RangeError");
    expect(stackOf(new TypeError("x"))).toContain("log.test.ts");
    expect(stackOf("thrown text")).toBe("thrown text");
  });

  it("values that could be taken for something else are quoted", () => {
    const line = formatLogEvent({ level: "info", event: "e", facts: { a: "b c", d: "", e: 'f"', g: "h=i", j: "k" } });
    expect(line).toBe('info    e a="b c" d="" e="f\\"" g="h=i" j=k');
  });

  it("is one line of harmless text, whatever comes from outside", () => {
    const nasty = [
      "a\nb",
      "\u001b[2J",
      "\u009b2J",
      "\u0085",
      "\u2028",
      "\u202eabc",
      "\u200b",
      "\u0000",
      "\ud800",
      "\u{e0001}",
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: "binary" }))), parts => {
        const line = formatLogEvent({ level: "info", event: "said", facts: { text: parts.join("") } });
        expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("never throws and never grows beyond its bound, whatever the value is", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const throwing = {
      get name(): string {
        throw new Error("no");
      },
    };
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const odd = [circular, 1n, { n: 1n }, Symbol("s"), undefined, null, Object.create(null), new Map(), Number.NaN];
    const { log, text } = bench();
    for (const value of odd) log.info("odd", { value });
    expect(text().split("\n")).toHaveLength(odd.length);
    for (const value of [throwing, revoked.proxy, { toJSON: () => circular }]) {
      expect(() => log.info("odd", { value })).not.toThrow();
    }
    expect(() => text()).not.toThrow();
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), value => {
        log.info("any", { value, nested: { value } });
        text();
      }),
      { numRuns: 200 },
    );
    const long = formatLogEvent({ level: "info", event: "said", facts: { text: "x".repeat(1_000_000) } });
    expect(long.length).toBeLessThan(logValueCharsMax + 100);
  });
});
