// What a log says of devices that flap, brokers that are away and senders that make names up.

import { beforeEach, describe, expect, it } from "vitest";
import { createLog, type Log, type LogEvent } from "#base/log.ts";
import { createQuietLog, type QuietLog } from "#base/quiet-log.ts";
import { type ManualClock, manualClock } from "../support/manual-clock.ts";

let clock: ManualClock;
let said: LogEvent[];
let quiet: QuietLog;
let log: Log;
beforeEach(() => {
  clock = manualClock();
  said = [];
  quiet = createQuietLog(
    createLog(event => said.push(event)),
    clock,
  );
  log = quiet.log;
});
const lines = () => said.map(({ event }) => event);

describe("a state is said once", () => {
  it("the same line again is counted, and said once an hour, however its counters run", async () => {
    for (let minute = 0; minute < 125; minute++) {
      log.warning("component-offline", { reason: "connection refused", nextMs: minute });
      await clock.advance(60_000);
    }
    expect(said.map(({ level, facts }) => [level, facts.repeated])).toEqual([
      ["warning", undefined],
      ["warning", 59],
      ["warning", 59],
    ]);
  });

  it("a change and the way back are two lines, for each device its own", () => {
    for (const device of ["a", "b"]) {
      log.info("push-unanswered", { device, answer: "silent" });
      log.info("push-unanswered", { device, answer: "silent" });
      log.info("push-answered", { device });
      log.info("push-unanswered", { device, answer: "silent" });
    }
    expect(lines()).toEqual(Array(2).fill(["push-unanswered", "push-answered", "push-unanswered"]).flat());
  });

  it("notices, which the operator has to find again, are all there", () => {
    for (let n = 0; n < 1_000; n++) log.notice("claimed", { thing: "a", owner: "b" });
    expect(said).toHaveLength(1_000);
  });
});

describe("an attack", () => {
  it("of another kind, or of another sender, is a line of its own; the same again is summed up in ten minutes", async () => {
    const stop = new AbortController();
    const running = quiet.run(stop.signal);
    for (const from of ["a@evil.example", "b@evil.example"])
      for (const element of ["claimed", "disowned", "clearCache"])
        for (let n = 0; n < 50; n++) log.warning("SpoofedStanza", { from, element });
    expect(said.map(({ facts }) => `${facts.from} ${facts.element}`)).toHaveLength(6);
    await clock.advance(620_000);
    expect(said.slice(6).map(({ facts }) => facts.repeated)).toEqual(Array(6).fill(49));
    await clock.advance(7_200_000);
    expect(said).toHaveLength(12);
    stop.abort();
    await running;
  });
});

describe("a flood is bounded", () => {
  it("who keeps changing is told of six times, then each ten minutes, with what was left out", async () => {
    for (let n = 0; n < 3_600; n++) {
      log.info(n % 2 === 0 ? "push-unanswered" : "push-answered", { device: "a" });
      await clock.advance(1_000);
    }
    expect(said.length).toBeGreaterThanOrEqual(11);
    expect(said.length).toBeLessThanOrEqual(12);
    expect(said.at(-1)?.facts.unsaid).toBeGreaterThan(500);
  });

  it("the last word on it is how it is now, even when nothing more comes", async () => {
    const stop = new AbortController();
    const running = quiet.run(stop.signal);
    for (let n = 0; n < 20; n++) log.info(n % 2 === 0 ? "push-answered" : "push-unanswered", { device: "a", n: n % 2 });
    expect(lines().at(-1)).toBe("push-unanswered");
    log.info("push-answered", { device: "a" });
    expect(lines()).toHaveLength(6);
    await clock.advance(700_000);
    expect(lines()).toHaveLength(7);
    expect(said.at(-1)).toMatchObject({ event: "push-answered", facts: { device: "a", unsaid: 14 } });
    await clock.advance(7_200_000);
    expect(lines()).toHaveLength(7);
    stop.abort();
    await running;
    expect(clock.sleepers).toBe(0);
  });

  it("made-up senders: sixty lines of one kind, then one in ten seconds that counts the others", async () => {
    for (let n = 0; n < 10_000; n++) log.warning("message-ignored", { from: `u${n}@evil.example` });
    expect(said).toHaveLength(60);
    log.warning("component-offline", { reason: "x" });
    expect(said).toHaveLength(61);
    await clock.advance(10_000);
    log.warning("message-ignored", { from: "v@evil.example" });
    expect(said.at(-1)?.facts).toEqual({ from: "v@evil.example", others: 9_940 });
  });

  it("what is remembered of them is bounded", async () => {
    for (let n = 0; n < 30_000; n++) log.warning("message-ignored", { from: `u${n}@evil.example` });
    await clock.advance(600_000);
    said.length = 0;
    // Forgotten, so said again; the newest are remembered.
    log.warning("message-ignored", { from: "u0@evil.example" });
    log.warning("message-ignored", { from: "u29999@evil.example" });
    expect(said.map(({ facts }) => facts.from)).toEqual(["u0@evil.example"]);
  });
});
