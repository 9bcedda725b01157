import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createAgenda } from "#concentrator/agenda.ts";
import { DeviceFault } from "#contract/faults.ts";
import { manualClock } from "../support/manual-clock.ts";
import { callerOf, momentary, owner, quantity, refOf, scene, summary } from "./scene.ts";

const minute = 60_000;

describe("polling", () => {
  it("asks at its period, into history; a device with period 0 is left alone", async () => {
    const one = scene();
    one.add("sim.meter", "polled", { pollSeconds: 60, fields: 1 });
    one.add("sim.meter", "quiet", { pollSeconds: 0, fields: 1 });
    await one.start();
    await one.clock.advance(10 * minute);
    const count = (id: string) => [...one.history.readings.between(refOf(id), 0, one.clock.now())].length;
    expect(count("polled")).toBe(10);
    expect(count("quiet")).toBe(0);
    await one.stop();
  });

  it("begins spread over the period: a hundred devices do not ask in the same second", async () => {
    const one = scene();
    const bySecond = new Map<number, number>();
    one.plans.set("counted", async ({ clock }) => ({
      async *read() {
        const second = Math.floor(clock.monotonic() / 1_000);
        bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
        yield { at: clock.now(), fields: [quantity("Energy", 1)] };
      },
    }));
    for (let index = 0; index < 100; index++)
      one.add("test.device", `d-${index}`, { plan: "counted", pollSeconds: 60 });
    await one.start();
    await one.clock.advance(minute);
    expect([...bySecond.values()].reduce((sum, count) => sum + count)).toBe(100);
    expect(Math.max(...bySecond.values())).toBeLessThan(10);
    await one.stop();
  });

  it("a silent device is asked less and less, down to a sixteenth; one good answer restores the period", async () => {
    const one = scene();
    const asked: number[] = [];
    let silent = true;
    one.plans.set("silent", async ({ clock }) => ({
      async *read() {
        asked.push(clock.monotonic());
        if (silent) throw new DeviceFault("timeout", "No answer.");
        yield { at: clock.now(), fields: [quantity("Energy", 1)] };
      },
    }));
    one.add("test.device", "silent", { plan: "silent", pollSeconds: 60 });
    await one.start();
    await one.clock.advance(120 * minute);
    // Each is spread by a tenth either way.
    const waits = asked.slice(1).map((time, index) => (time - (asked[index] as number)) / minute);
    for (const [index, expected] of [2, 4, 8, 16].entries()) {
      expect(Math.abs((waits[index] as number) - expected)).toBeLessThanOrEqual(expected / 10);
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(17.7);
    expect(Math.min(...waits.slice(4))).toBeGreaterThanOrEqual(14.3);
    silent = false;
    await one.clock.advance(20 * minute);
    const before = asked.length;
    await one.clock.advance(10 * minute);
    expect(asked.length - before).toBe(10);
    expect((await one.concentrator.node(callerOf(owner), refOf("silent"))).state).toBe("Information");
    await one.stop();
  });

  it("polls of one line go one after the other, and a dead unit does not keep the others from theirs", async () => {
    const one = scene();
    let now = 0;
    let most = 0;
    const answered = new Map<string, number>();
    const unit = (name: string) => {
      one.plans.set(name, async ({ clock }) => ({
        async *read(_ask, signal) {
          most = Math.max(most, ++now);
          try {
            await clock.sleep(name === "dead" ? 6_000 : 100, signal);
          } finally {
            now--;
          }
          if (name === "dead") throw new DeviceFault("timeout", "No answer.");
          answered.set(name, (answered.get(name) ?? 0) + 1);
          yield { at: clock.now(), fields: [quantity("Energy", 1)] };
        },
      }));
      one.add("test.device", name, { plan: name, pollSeconds: 60 }, "attic");
    };
    one.add("test.line", "attic", { plan: "line" });
    one.plans.set("line", async () => ({}));
    for (const name of ["dead", "a", "b", "c"]) unit(name);
    await one.start();
    await one.clock.advance(30 * minute);
    expect(most).toBe(1);
    expect([...answered.values()]).toEqual([30, 30, 30]);
    await one.stop();
  });

  it("after a line was lost and came back there is one poll a period, not two, and none while it is gone", async () => {
    const one = scene();
    let lose = (_fault: DeviceFault) => {};
    let asked = 0;
    one.plans.set("line", async () => ({ closed: new Promise<DeviceFault>(resolve => (lose = resolve)) }));
    one.plans.set("unit", async ({ clock }) => ({
      async *read() {
        asked++;
        yield { at: clock.now(), fields: [quantity("Energy", 1)] };
      },
    }));
    one.add("test.line", "attic", { plan: "line" });
    one.add("test.device", "unit", { plan: "unit", pollSeconds: 60 }, "attic");
    await one.start();
    for (let turn = 0; turn < 5; turn++) {
      await one.clock.advance(10 * minute);
      lose(new DeviceFault("unreachable", "cut"));
      await one.clock.advance(2 * minute);
    }
    asked = 0;
    await one.clock.advance(10 * minute);
    expect(asked).toBe(10);
    await one.stop();
    asked = 0;
    await one.clock.advance(10 * minute);
    expect(asked).toBe(0);
  });

  it("who asks while the poll is under way takes part in it", async () => {
    const one = scene();
    let asked = 0;
    one.plans.set("slow", async ({ clock }) => ({
      async *read(_ask, signal) {
        asked++;
        await clock.sleep(minute, signal);
        yield { at: clock.now(), fields: [quantity("Energy", 7)] };
      },
    }));
    one.add("test.device", "slow", { plan: "slow", pollSeconds: 600 });
    await one.start();
    while (asked === 0) await one.clock.advance(1_000);
    const reading = one.read(["slow"], momentary);
    await one.clock.advance(minute);
    expect(summary(await reading)).toEqual(["slow Energy 7"]);
    expect(asked).toBe(1);
    await one.stop();
  });
});

describe("listening", () => {
  it("a watch that fails or ends is begun again by backoff; its node says so and recovers with the next word", async () => {
    const one = scene();
    let begun = 0;
    one.plans.set("flaky", async ({ clock }) => ({
      async *watch(signal) {
        begun++;
        if (begun === 1) throw new DeviceFault("unreachable", "The broker refused.");
        if (begun === 2) return;
        yield { at: clock.now(), fields: [quantity("Temperature", 21)] };
        await clock.sleep(1e9, signal);
      },
    }));
    one.add("test.device", "room", { plan: "flaky" });
    await one.start();
    const messages = async () =>
      (await one.concentrator.node(callerOf(owner), refOf("room"))).messages.map(({ text }) => text);
    expect(await messages()).toEqual(["The broker refused."]);
    await one.clock.advance(1_300);
    expect(await messages()).toEqual(["The device stopped speaking."]);
    await one.clock.advance(3_000);
    expect(await messages()).toEqual(["Works again."]);
    expect(begun).toBe(3);
    await one.stop();
  });
});

describe("the agenda", () => {
  it("runs what is due in order, on one timer, survives what throws, and forgets what was called off", async () => {
    const clock = manualClock();
    const agenda = createAgenda(clock, silentLog);
    const stop = new AbortController();
    const running = agenda.run(stop.signal);
    const ran: number[] = [];
    const times = Array.from({ length: 500 }, (_, index) => (index * 7919) % 1_000);
    for (const time of times) agenda.after(time, () => ran.push(time));
    agenda.after(10, () => {
      throw new Error("bug");
    });
    const off = agenda.after(500, () => ran.push(-1));
    off[Symbol.dispose]();
    await clock.advance(0);
    expect(clock.sleepers).toBe(1);
    await clock.advance(1_000);
    expect(ran).toEqual([...times].sort((a, b) => a - b));
    expect(agenda.size).toBe(0);
    stop.abort();
    await running;
    expect(clock.sleepers).toBe(0);
  });

  it("what is called off before its time is not kept until then", async () => {
    const clock = manualClock();
    const agenda = createAgenda(clock, silentLog);
    const stop = new AbortController();
    const running = agenda.run(stop.signal);
    const ran: number[] = [];
    const year = 365 * 86_400_000;
    for (let count = 0; count < 10; count++) agenda.after(10 * count, () => ran.push(count));
    for (let count = 0; count < 100_000; count++) {
      const one = agenda.after(year + count, () => ran.push(-1));
      one[Symbol.dispose]();
      one[Symbol.dispose]();
    }
    expect(agenda.size).toBeLessThan(2_100);
    await clock.advance(200);
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await clock.advance(2 * year);
    expect([agenda.size, ran.length]).toEqual([0, 10]);
    stop.abort();
    await running;
  });
});
