import { describe, expect, it } from "vitest";
import type { Rule } from "#concentrator/admission.ts";
import { DeviceFault } from "#contract/faults.ts";
import { type Ask, askAll, categories, type Reading } from "#contract/field.ts";
import {
  callerOf,
  collect,
  deaf,
  momentary,
  never,
  owner,
  quantity,
  refOf,
  type Scene,
  scene,
  stranger,
  summary,
  telling,
} from "./scene.ts";

const energyOnly: Rule = {
  name: "energy only",
  ask: async question =>
    question.nodes.map(node => ({ node, grant: { categories: categories("momentary"), names: ["Energy"] } })),
};

const start = async (one: Scene, ...plans: (keyof typeof behaviours)[]): Promise<Scene> => {
  for (const plan of plans) {
    one.plans.set(plan, behaviours[plan]);
    one.add("test.device", plan, { plan });
  }
  await one.start();
  return one;
};

const behaviours = {
  works: telling(quantity("Energy", 5), quantity("Flow", 0.5), quantity("Peak", 9, "peak")),
  silent: async () => ({
    // biome-ignore lint/correctness/useYield: a device that fails yields nothing.
    async *read() {
      throw new DeviceFault("timeout", "No answer within 2 s.");
    },
  }),
  hangs: async () => ({ read: deaf }),
  speaks: async () => ({ watch: deaf }),
} satisfies Record<string, Parameters<Scene["plans"]["set"]>[1]>;

describe("readout", () => {
  it("SD-REQ-08: a device that fails is an item, the others are not touched by it; one message on its node", async () => {
    const one = await start(scene(), "silent", "works");
    const readings = await one.read(["silent", "works"]);
    expect(summary(readings).sort()).toEqual(["silent ! No answer within 2 s.", "works Energy 5", "works Flow 0.5"]);
    await one.read(["silent"]);
    const info = await one.concentrator.node(callerOf(owner), refOf("silent"));
    expect(info.messages).toHaveLength(1);
    expect(info).toMatchObject({ state: "ErrorUnsigned", messages: [{ eventId: "timeout" }] });
    await one.stop();
  });

  it("a device that answers again clears its error, with one Information", async () => {
    const one = await start(scene(), "silent");
    await one.read(["silent"]);
    one.plans.set("silent", behaviours.works);
    await one.stop();
    await one.start();
    expect((await one.concentrator.node(callerOf(owner), refOf("silent"))).state).toBe("ErrorUnsigned");
    await one.read(["silent"]);
    const { messages } = await one.concentrator.node(callerOf(owner), refOf("silent"));
    expect(messages.map(({ type, eventId }) => [type, eventId])).toEqual([["Information", "recovered"]]);
    await one.stop();
  });

  it("SD-REQ-04, SD-RESP-08: only what was granted comes out: names, categories cut down", async () => {
    const one = await start(scene({ rules: [energyOnly] }), "works");
    expect(summary(await one.read(["works"], askAll, stranger))).toEqual(["works Energy 5"]);
    expect(summary(await one.read(["works"], { ...askAll, categories: categories("peak", "status") }))).toEqual([
      "works Peak 9",
    ]);
    expect(summary(await one.read(["works"], { ...momentary, names: ["energy", "Flow"] }))).toEqual(["works Flow 0.5"]);
    await one.stop();
  });

  it("a driver that hangs and ignores its signal costs one fault after its bound, and the rest nothing", async () => {
    const one = await start(scene(), "hangs", "works");
    const admitted = await one.concentrator.admitRead(
      callerOf(owner),
      [refOf("hangs"), refOf("works")],
      momentary,
      never,
    );
    const readings: Reading[] = [];
    const reading = (async () => {
      for await (const item of one.concentrator.readout(admitted, never)) readings.push(item);
    })();
    await one.clock.advance(1);
    expect(summary(readings)).toEqual(["works Energy 5", "works Flow 0.5"]);
    await one.clock.advance(120_000);
    await reading;
    expect(summary(readings).at(-1)).toBe("hangs ! hangs: no answer within 120 s");
    await one.clock.advance(5_000);
    expect(one.events.map(({ event }) => event)).toContain("driver-ignores-abort");
    await one.stop();
  });

  it("a whole readout ends by itself, with a fault for each node that is still silent", async () => {
    const one = scene();
    one.plans.set("hangs", behaviours.hangs);
    const ids = Array.from({ length: 60 }, (_, index) => `hangs-${index}`);
    for (const id of ids) one.add("test.device", id, { plan: "hangs" });
    await one.start();
    const reading = one.read(ids);
    await one.clock.advance(300_000);
    const faults = await reading;
    expect(new Set(faults.map(fault => fault.node.nodeId)).size).toBe(60);
    expect(faults.every(fault => fault.kind === "fault")).toBe(true);
    expect(summary(faults).filter(text => text.includes("readout: no answer within 300 s")).length).toBeGreaterThan(0);
    await one.stop();
  });

  it("SD-CAN-02: aborting ends it at once even when the driver ignores its signal, and says nothing of the node", async () => {
    const one = await start(scene(), "hangs");
    const stop = new AbortController();
    const reading = one.read(["hangs"], momentary, owner, stop.signal);
    reading.catch(() => {});
    await one.clock.advance(1);
    stop.abort(new Error("left"));
    const late = one.clock.advance(5_000);
    await expect(reading).rejects.toThrow("left");
    await late;
    expect((await one.concentrator.node(callerOf(owner), refOf("hangs"))).messages).toEqual([]);
    await one.stop();
  });

  it("SD-REQ-14: who asks for what is being read takes part in it; each gets only what he may", async () => {
    const one = scene({ rules: [energyOnly] });
    let reads = 0;
    one.plans.set("slow", async ({ clock }) => ({
      async *read(_ask, signal) {
        reads++;
        yield { at: clock.now(), fields: [quantity("Energy", 5)] };
        await clock.sleep(1_000, signal);
        yield { at: clock.now(), fields: [quantity("Flow", 1)] };
      },
    }));
    one.add("test.device", "slow", { plan: "slow" });
    await one.start();
    const first = one.read(["slow"]);
    await one.clock.advance(500);
    const second = one.read(["slow"], momentary, stranger);
    const third = one.read(["slow"], { ...askAll, categories: categories("peak") });
    await one.clock.advance(1_500);
    expect(summary(await first)).toEqual(["slow Energy 5", "slow Flow 1"]);
    expect(summary(await second)).toEqual(["slow Energy 5"]);
    expect(await third).toEqual([]);
    // The third asked for what the running read had not asked the device for.
    expect(reads).toBe(2);
    await one.stop();
  });

  it("the first to leave a shared read does not end it; the last does, and the driver is told", async () => {
    const one = scene();
    let aborted = false;
    one.plans.set("slow", async ({ clock }) => ({
      async *read(_ask, signal) {
        signal.addEventListener("abort", () => {
          aborted = true;
        });
        await clock.sleep(10_000, signal);
        yield { at: clock.now(), fields: [quantity("Energy", 5)] };
      },
    }));
    one.add("test.device", "slow", { plan: "slow" });
    await one.start();
    const stops = [new AbortController(), new AbortController(), new AbortController()];
    const reads = stops.map(stop => one.read(["slow"], momentary, owner, stop.signal));
    for (const read of reads) read.catch(() => {});
    await one.clock.advance(1);
    stops[0]?.abort();
    await one.clock.advance(1);
    await expect(reads[0]).rejects.toThrow("aborted");
    expect(aborted).toBe(false);
    await one.clock.advance(10_000);
    expect(summary((await reads[1]) ?? [])).toEqual(["slow Energy 5"]);
    const last = one.read(["slow"], momentary, owner, stops[2]?.signal);
    last.catch(() => {});
    await one.clock.advance(1);
    stops[2]?.abort();
    await expect(last).rejects.toThrow("aborted");
    expect(aborted).toBe(true);
    await one.stop();
  });

  it("late values of a read that was left behind are dropped", async () => {
    const one = scene();
    let speak = () => {};
    one.plans.set("late", async ({ clock }) => ({
      async *read() {
        await new Promise<void>(resolve => (speak = resolve));
        yield { at: clock.now(), fields: [quantity("Energy", 666)] };
      },
    }));
    one.add("test.device", "late", { plan: "late" });
    await one.start();
    const stop = new AbortController();
    const reading = one.read(["late"], momentary, owner, stop.signal);
    reading.catch(() => {});
    await one.clock.advance(1);
    stop.abort();
    await expect(reading).rejects.toThrow("aborted");
    speak();
    await one.clock.advance(1);
    expect(one.history.readings.latest(refOf("late"))).toEqual([]);
    await one.stop();
  });

  it("a line cut during a readout: a fault for its node, values for the others, and back by itself", async () => {
    const one = scene();
    let cut = (_fault: DeviceFault) => {};
    one.plans.set("line", async () => ({ closed: new Promise<DeviceFault>(resolve => (cut = resolve)) }));
    one.plans.set("slow", async ({ clock }) => ({
      async *read(_ask, signal) {
        await clock.sleep(1_000, signal);
        yield { at: clock.now(), fields: [quantity("Energy", 5)] };
      },
    }));
    one.add("test.line", "attic", { plan: "line" });
    one.add("test.device", "heat-1", { plan: "slow" }, "attic");
    one.add("test.device", "main", { plan: "slow" });
    await one.start();
    const reading = one.read(["heat-1", "main"]);
    await one.clock.advance(500);
    cut(new DeviceFault("unreachable", "The converter closed the connection."));
    await one.clock.advance(500);
    expect(summary(await reading)).toEqual(["heat-1 ! The converter closed the connection.", "main Energy 5"]);
    const info = await one.concentrator.node(callerOf(owner), refOf("heat-1"));
    expect(info).toMatchObject({ state: "ErrorUnsigned", messages: [{ eventId: "line-lost" }] });
    await one.clock.advance(2_000);
    const again = one.read(["heat-1"]);
    await one.clock.advance(1_000);
    expect(summary(await again)).toEqual(["heat-1 Energy 5"]);
    await one.stop();
  });

  it("a node whose device is not open answers with the fault it has", async () => {
    const one = scene();
    one.plans.set("dead", async () => {
      throw new DeviceFault("unreachable", "10.0.0.9:502 refuses the connection.");
    });
    one.add("test.device", "dead", { plan: "dead" });
    const before = await one.read(["dead"]);
    await one.start();
    expect(summary([...before, ...(await one.read(["dead"]))])).toEqual([
      "dead ! The device is not open yet.",
      "dead ! 10.0.0.9:502 refuses the connection.",
    ]);
    await one.stop();
  });

  it("SD-REQ-14: a device that only speaks answers from the store, each value with its own time; nothing heard is a fault", async () => {
    const one = scene();
    const said: ((name: string, value: number) => void)[] = [];
    one.plans.set("speaks", async ({ clock }) => ({
      async *watch(signal) {
        while (!signal.aborted) {
          yield await new Promise<{ at: number; fields: ReturnType<typeof quantity>[] }>(resolve =>
            said.push((name, value) => resolve({ at: clock.now(), fields: [quantity(name, value)] })),
          );
        }
      },
    }));
    one.add("test.device", "room", { plan: "speaks" });
    await one.start();
    expect(summary(await one.read(["room"]))).toEqual(["room ! No value received yet."]);
    const began = one.clock.now();
    said.shift()?.("Temperature", 21);
    await one.clock.advance(60_000);
    said.shift()?.("Battery", 3);
    await one.clock.advance(60_000);
    const readings = await one.read(["room"]);
    expect(summary(readings)).toEqual(["room Temperature 21", "room Battery 3"]);
    expect(readings.map(one => (one.kind === "reading" ? one.at - began : -1))).toEqual([0, 60_000]);
    await one.stop();
    // After a restart it has not spoken yet, and what it said before is still what it said, with the time it said it.
    const second = one.restart();
    second.plans.set("speaks", behaviours.speaks);
    await second.start();
    expect(summary(await second.read(["room"]))).toEqual(["room Temperature 21", "room Battery 3"]);
    await second.stop();
  });

  it("SD-REQ-05: recorded values only when a time is given, as historical values and nothing else", async () => {
    const one = await start(scene(), "works");
    const at = one.clock.now();
    for (const minutes of [1, 2, 3]) {
      one.history.readings.record(refOf("works"), { at: at - minutes * 60_000, fields: [quantity("Energy", minutes)] });
    }
    const historical: Ask = { ...askAll, categories: categories("historical") };
    expect(await one.read(["works"], historical)).toEqual([]);
    const some = await one.read(["works"], { ...historical, from: at - 120_000, to: at });
    expect(summary(some)).toEqual(["works Energy 2", "works Energy 1"]);
    for (const item of some) {
      if (item.kind === "reading") expect(item.fields[0]?.categories).toEqual(categories("historical"));
    }
    const live = await one.read(["works"], { ...askAll, categories: categories("momentary"), from: at - 120_000 });
    expect(summary(live)).toEqual(["works Energy 5", "works Flow 0.5"]);
    await one.stop();
  });

  it("nothing is written on a read", async () => {
    const one = await start(scene(), "works");
    await one.clock.advance(5_000);
    const changes = () => [one.edge, one.historyFile].map(file => file.prepare("SELECT total_changes()").pluck().get());
    const before = changes();
    for (let turn = 0; turn < 20; turn++) await one.read(["works"], askAll);
    await one.clock.advance(5_000);
    expect(changes()).toEqual(before);
    await one.stop();
  });

  it("SD-RESP-10, -11, -12: what can be set is marked, no number is no value, and an untrusted clock says so", async () => {
    const one = scene({ synchronised: () => false });
    one.plans.set("odd", async ({ clock }) => ({
      parameters: [{ name: "Energy", kind: "double", label: "Energy", set: async () => "confirmed" }],
      async *read() {
        yield { at: clock.now(), fields: [quantity("Energy", 1), quantity("Flow", Number.NaN)] };
      },
    }));
    one.add("test.device", "odd", { plan: "odd" });
    await one.start();
    const [reading] = await one.read(["odd"]);
    expect(reading).toMatchObject({
      fields: [
        { name: "Energy", writable: true, quality: { timeOffset: true, automaticReadout: true } },
        { name: "Flow", value: { kind: "missing" } },
      ],
    });
    await one.stop();
  });

  it("SD-REQ-03, -06: no nodes and no categories give nothing and touch nothing", async () => {
    const one = await start(scene(), "silent");
    expect(await one.read([])).toEqual([]);
    expect(await one.read(["silent"], { ...askAll, categories: categories() })).toEqual([]);
    expect((await one.concentrator.node(callerOf(owner), refOf("silent"))).messages).toEqual([]);
    await one.stop();
  });

  it("a node destroyed between admission and reading is a fault, not a crash", async () => {
    const one = await start(scene(), "works");
    const admitted = await one.concentrator.admitRead(callerOf(owner), [refOf("works")], momentary, never);
    await one.tree.destroy(refOf("works"));
    expect(summary(await collect(one.concentrator.readout(admitted, never)))).toEqual([
      "works ! The node was removed.",
    ]);
    await one.stop();
  });
});
