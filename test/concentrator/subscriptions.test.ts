// Subscriptions in the concentrator: who is told of which change, and when, over real admission, readouts, polls and devices.

import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createAdmission, type Rule } from "#concentrator/admission.ts";
import type { Interest } from "#concentrator/subscription.ts";
import { createSubscriptions, type Subscription } from "#concentrator/subscriptions.ts";
import { DeviceFault } from "#contract/faults.ts";
import { askAll, categories, type Field, type Sample } from "#contract/field.ts";
import { callerOf, never, owner, quantity, refOf, type Scene, scene, stranger, summary } from "./scene.ts";

const second = 1_000;
const minute = 60 * second;

/** Devices whose values a test changes, and who count how often they were read. */
async function createHouse(ids: readonly string[], options: Parameters<typeof scene>[0] = {}, pollSeconds = 10) {
  const it = scene(options);
  const fields = new Map<string, Field[]>(ids.map(id => [id, [quantity("Energy", 1)]]));
  const reads = new Map<string, number>(ids.map(id => [id, 0]));
  const failing = new Set<string>();
  for (const id of ids) {
    it.plans.set(id, async ({ clock }) => ({
      async *read(): AsyncGenerator<Sample> {
        reads.set(id, (reads.get(id) ?? 0) + 1);
        if (failing.has(id)) throw new DeviceFault("timeout", "No answer.");
        yield { at: clock.now(), fields: fields.get(id) ?? [] };
      },
    }));
    it.add("test.device", id, { plan: id, pollSeconds });
  }
  await it.start();
  return { ...it, fields, reads, failing };
}

interface Heard {
  readonly events: string[][];
  readonly times: number[];
  ended: number;
  subscription: Subscription;
}

async function subscribe(
  it: Scene,
  ids: readonly string[],
  wishes: Partial<Interest> = {},
  who = owner,
): Promise<Heard> {
  const events: string[][] = [];
  const times: number[] = [];
  const began = it.clock.monotonic();
  const heard = { events, times, ended: 0 } as unknown as Heard;
  const interest: Interest = {
    caller: callerOf(who),
    nodes: ids.map(id => refOf(id)),
    ask: { ...askAll, categories: categories("momentary"), names: [...(wishes.limits?.keys() ?? [])] },
    limits: new Map(),
    minIntervalMs: undefined,
    maxIntervalMs: undefined,
    historyMs: undefined,
    ...wishes,
  };
  heard.subscription = await it.concentrator.subscribe(
    interest,
    {
      async event(readings) {
        times.push(it.clock.monotonic() - began);
        const all = [];
        for await (const reading of readings) all.push(reading);
        events.push(summary(all));
      },
      ended: () => heard.ended++,
    },
    never,
  );
  return heard;
}

const by = (name: string, limits: object) => new Map([[name, limits]]);

describe("triggers", () => {
  it("EV-TRG-01, -02, -03, EV-EVT-01: a listed field that changes by its threshold brings all listed fields", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"], {
      limits: new Map([
        ["Energy", { by: 0.5 }],
        ["Flow", {}],
      ]),
    });
    it.fields.set("a", [quantity("Energy", 1.4), quantity("Flow", 7), quantity("Other", 3)]);
    await it.clock.advance(11 * second);
    // Flow was not known before, which is a change; Energy by 0.4 alone is none.
    expect(heard.events).toEqual([["a Energy 1.4", "a Flow 7"]]);
    it.fields.set("a", [quantity("Energy", 1.5), quantity("Flow", 7)]);
    await it.clock.advance(11 * second);
    expect(heard.events).toHaveLength(2);
    it.fields.set("a", [quantity("Energy", 1.9), quantity("Flow", 7)]);
    await it.clock.advance(20 * second);
    expect(heard.events, "the reference is the value of the last trigger").toHaveLength(2);
    it.fields.set("a", [quantity("Energy", 2), quantity("Flow", 7)]);
    await it.clock.advance(11 * second);
    expect(heard.events.at(-1)).toEqual(["a Energy 2", "a Flow 7"]);
    await it.stop();
  });

  it("EV-TRG-02: what the subscriber says he knows is what the first value is compared with", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"], { limits: by("Energy", { value: 0.6, by: 0.5 }) });
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([]);
    it.fields.set("a", [quantity("Energy", 1.1)]);
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([["a Energy 1.1"]]);
    await it.stop();
  });

  it("EV-TRG-06: without a list any change of a momentary value counts, and a subscription without nodes never", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"]);
    const nothing = await subscribe(it, [], { maxIntervalMs: undefined });
    it.fields.set("a", [quantity("Energy", 1), quantity("Total", 5, "peak")]);
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([]);
    it.fields.set("a", [quantity("Energy", 1.1)]);
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([["a Energy 1.1"]]);
    expect(nothing.events).toEqual([]);
    await it.stop();
  });

  it("EV-TRG-07: changes within the least interval are held and told once, as the values then are", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"], { minIntervalMs: 45 * second });
    for (let value = 2; value <= 6; value++) {
      it.fields.set("a", [quantity("Energy", value)]);
      await it.clock.advance(10 * second);
    }
    expect(heard.events).toEqual([["a Energy 6"]]);
    expect(heard.times[0]).toBeGreaterThanOrEqual(45 * second);
    await it.stop();
  });

  it("EV-TRG-01, EV-TRG-09: silence ends after the greatest interval, without reading the line again", async () => {
    const it = await createHouse(["a"], {}, 60);
    await it.clock.advance(2 * minute);
    const heard = await subscribe(it, ["a"], { maxIntervalMs: 50 * second });
    await it.clock.advance(minute);
    const before = it.reads.get("a") as number;
    await it.clock.advance(10 * minute);
    expect(heard.events.length).toBeGreaterThanOrEqual(12);
    expect(new Set(heard.events.flat())).toEqual(new Set(["a Energy 1"]));
    // Polled every 50 s for the subscriber; the events themselves read nothing.
    expect((it.reads.get("a") as number) - before).toBeLessThanOrEqual(13);
    await it.stop();
  });

  it("EV-TRG-08: what anybody reads triggers, and who read it himself hears it once", async () => {
    const it = await createHouse(["a"], { owners: new Map([["a", stranger]]) }, 0);
    await it.clock.advance(minute);
    await it.read(["a"], undefined, stranger);
    const his = await subscribe(it, ["a"], {}, stranger);
    const sleeper = await subscribe(it, ["a"], { caller: { ...callerOf(stranger), fullJid: `${stranger}/other` } });
    it.fields.set("a", [quantity("Energy", 9)]);
    await it.read(["a"], undefined, stranger);
    await it.clock.advance(2 * second);
    expect(his.events, "it was his own readout").toEqual([]);
    expect(sleeper.events).toEqual([["a Energy 9"]]);
    await it.stop();
  });

  it("EV-TRG-08: a device that speaks unasked triggers by itself, with the time of its value", async () => {
    const it = scene();
    const said: ((sample: Sample) => void)[] = [];
    it.plans.set("speaker", async () => ({
      async *watch(signal) {
        while (!signal.aborted) yield await new Promise<Sample>(resolve => said.push(resolve));
      },
    }));
    it.add("test.device", "speaker", { plan: "speaker" });
    await it.start();
    const heard = await subscribe(it, ["speaker"], { maxIntervalMs: 20 * second });
    said.shift()?.({ at: it.clock.now() - 5_000, fields: [quantity("Energy", 3)] });
    await it.clock.advance(second + 200);
    expect(heard.events).toEqual([["speaker Energy 3"]]);
    await it.clock.advance(25 * second);
    expect(heard.events.at(-1), "EV-TRG-09: the last value, not a new one").toEqual(["speaker Energy 3"]);
    await it.stop();
  });

  it("EV-TRG-09: a node is polled as often as the most eager subscriber wishes, within bounds, and only as long", async () => {
    const it = await createHouse(["a"], {}, 0);
    await it.clock.advance(5 * minute);
    expect(it.reads.get("a"), "nobody asked for polls").toBe(0);
    const eager = await subscribe(it, ["a"], { minIntervalMs: second });
    const patient = await subscribe(it, ["a"], { maxIntervalMs: 30 * second, minIntervalMs: 30 * second });
    const start = it.reads.get("a") as number;
    await it.clock.advance(5 * minute);
    const fast = (it.reads.get("a") as number) - start;
    expect(fast).toBeGreaterThanOrEqual(29);
    expect(fast).toBeLessThanOrEqual(32);
    eager.subscription[Symbol.dispose]();
    await it.clock.advance(minute);
    const middle = it.reads.get("a") as number;
    await it.clock.advance(5 * minute);
    expect((it.reads.get("a") as number) - middle).toBeLessThanOrEqual(11);
    patient.subscription[Symbol.dispose]();
    await it.clock.advance(minute);
    const after = it.reads.get("a");
    await it.clock.advance(10 * minute);
    expect(it.reads.get("a")).toBe(after);
    expect([...it.history.readings.between(refOf("a"), 0, it.clock.now())], "no history was asked for").toEqual([]);
    await it.stop();
  });

  it("EV-TRG-09: polls made for subscribers are not written down more often than the node's settings say", async () => {
    const it = await createHouse(["a"], {}, 60);
    await it.clock.advance(2 * minute);
    const from = it.clock.now();
    await subscribe(it, ["a"], { minIntervalMs: 10 * second });
    await it.clock.advance(10 * minute);
    const samples = [...it.history.readings.between(refOf("a"), from, it.clock.now())];
    expect(it.reads.get("a")).toBeGreaterThan(55);
    expect(samples.length).toBeGreaterThanOrEqual(10);
    expect(samples.length).toBeLessThanOrEqual(11);
    await it.stop();
  });

  it("EV-TRG-01: subscriptions of the same node have nothing to do with each other", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const all = await subscribe(it, ["a"]);
    const coarse = await subscribe(it, ["a"], { limits: by("Energy", { up: 5 }) });
    it.fields.set("a", [quantity("Energy", 2)]);
    await it.clock.advance(15 * second);
    it.fields.set("a", [quantity("Energy", 7)]);
    await it.clock.advance(15 * second);
    it.fields.set("a", [quantity("Energy", 1)]);
    await it.clock.advance(15 * second);
    expect(all.events).toHaveLength(3);
    expect(coarse.events).toEqual([["a Energy 7"]]);
    await it.stop();
  });
});

describe("events", () => {
  it("EV-EVT-01: recorded values come with an event no further back than was asked", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(5 * minute);
    const ask = { ...askAll, categories: categories("momentary", "historical") };
    const heard = await subscribe(it, ["a"], { ask, historyMs: 30 * second });
    it.fields.set("a", [quantity("Energy", 2)]);
    await it.clock.advance(12 * second);
    expect(heard.events).toHaveLength(1);
    const [event = []] = heard.events;
    expect(event[0]).toBe("a Energy 2");
    expect(event.length).toBeGreaterThanOrEqual(3);
    expect(event.length).toBeLessThanOrEqual(5);
    await it.stop();
  });

  it("EV-EVT-02: one event at a time; what changes meanwhile comes after it", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const order: string[] = [];
    let release = () => {};
    const ended = () => {};
    const event = async (readings: AsyncIterable<unknown>) => {
      order.push("begin");
      for await (const _ of readings);
      await new Promise<void>(resolve => (release = resolve));
      order.push("end");
    };
    const caller = callerOf(owner);
    const interest = { caller, nodes: [refOf("a")], ask: { ...askAll }, limits: new Map(), historyMs: undefined };
    const wishes = { minIntervalMs: undefined, maxIntervalMs: undefined };
    await it.concentrator.subscribe({ ...interest, ...wishes }, { event, ended }, never);
    for (const value of [2, 3, 4]) {
      it.fields.set("a", [quantity("Energy", value)]);
      await it.clock.advance(11 * second);
    }
    expect(order).toEqual(["begin"]);
    release();
    await it.clock.advance(2 * second);
    expect(order).toEqual(["begin", "end", "begin"]);
    release();
    await it.stop();
  });

  it("EV-EVT-03: a failed device is told of once in the greatest interval, and costs the line nothing more", async () => {
    const it = await createHouse(["a", "b"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a", "b"], { maxIntervalMs: 2 * minute });
    it.failing.add("a");
    await it.clock.advance(15 * second);
    expect(heard.events.at(-1)).toEqual([expect.stringContaining("a ! "), "b Energy 1"]);
    const before = heard.events.length;
    for (let value = 2; value < 6; value++) {
      it.fields.set("b", [quantity("Energy", value)]);
      await it.clock.advance(15 * second);
    }
    expect(heard.events.slice(before)).toEqual([2, 3, 4, 5].map(value => [`b Energy ${value}`]));
    await it.clock.advance(3 * minute);
    expect(heard.events.flat().filter(text => text.startsWith("a !")).length).toBeLessThanOrEqual(3);
    await it.stop();
  });

  it("EV-SUB-04: denied, nothing is subscribed; narrowed, only what was granted is told of", async () => {
    const narrow: Rule = {
      name: "energy only",
      ask: ({ right, nodes, categories: asked }) =>
        right === "read" ? nodes.map(node => ({ node, grant: { categories: asked, names: ["Energy"] } })) : [],
    };
    const it = await createHouse(["a"], { rules: [narrow] });
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"], {}, stranger);
    it.fields.set("a", [quantity("Energy", 1), quantity("Secret", 4)]);
    await it.clock.advance(15 * second);
    it.fields.set("a", [quantity("Energy", 2), quantity("Secret", 5)]);
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([["a Energy 2"]]);
    const refusing = await createHouse(["a"]);
    await expect(subscribe(refusing, ["a"], {}, stranger)).rejects.toMatchObject({ kind: "denied" });
    await expect(subscribe(refusing, ["zz"])).rejects.toMatchObject({ kind: "not-found" });
    await expect(subscribe(refusing, ["a"], {}, "eve@example.org")).rejects.toMatchObject({ kind: "not-found" });
    await it.stop();
    await refusing.stop();
  });

  it("COM-AUTH-09, EV-END-01: rights are decided anew at each event, and who lost his hears nothing more", async () => {
    let allowed = true;
    let asked = 0;
    const rule: Rule = {
      name: "for now",
      ask({ right, nodes, categories: all, names }) {
        if (right !== "read") return [];
        asked++;
        return nodes.map(node => (allowed ? { node, grant: { categories: all, names } } : { node, deny: "not now" }));
      },
    };
    const it = await createHouse(["a"], { rules: [rule] });
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a"], {}, stranger);
    expect(asked).toBe(1);
    it.fields.set("a", [quantity("Energy", 2)]);
    await it.clock.advance(15 * second);
    expect([asked, heard.events.length]).toEqual([2, 1]);
    allowed = false;
    it.fields.set("a", [quantity("Energy", 3)]);
    await it.clock.advance(15 * second);
    expect([heard.events.length, heard.ended]).toEqual([1, 1]);
    await it.stop();
  });

  it("PROV-CACHE-07: when rights change, running subscriptions are decided at once, alike ones by one question", async () => {
    let allowed = true;
    const questions: number[] = [];
    const rule: Rule = {
      name: "asks",
      ask({ right, nodes, categories: all, names }) {
        if (right !== "read") return [];
        questions.push(nodes.length);
        return nodes.map(node => (allowed ? { node, grant: { categories: all, names } } : { node, deny: "no" }));
      },
    };
    const ids = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const it = await createHouse(ids, { rules: [rule] });
    const all = [];
    for (const id of ids) all.push(await subscribe(it, [id], {}, stranger));
    questions.length = 0;
    it.concentrator.rightsChanged();
    await it.clock.advance(0);
    expect(questions[0], "the first question is about all of them").toBe(20);
    expect(all.every(one => one.ended === 0)).toBe(true);
    allowed = false;
    it.concentrator.rightsChanged();
    await it.clock.advance(0);
    expect(all.every(one => one.ended === 1)).toBe(true);
    await it.stop();
  });

  it("EV-END-01: a node that is destroyed leaves the others; the last one ends it", async () => {
    const it = await createHouse(["a", "b"]);
    await it.clock.advance(minute);
    const heard = await subscribe(it, ["a", "b"]);
    await Promise.all([it.tree.destroy(refOf("a")), it.clock.advance(0)]);
    expect(heard.ended).toBe(0);
    it.fields.set("b", [quantity("Energy", 2)]);
    await it.clock.advance(15 * second);
    expect(heard.events).toEqual([["b Energy 2"]]);
    await Promise.all([it.tree.destroy(refOf("b")), it.clock.advance(0)]);
    expect(heard.ended).toBe(1);
    await it.stop();
  });

  it("EV-SUB-08: nothing is left of it in any file", async () => {
    const it = await createHouse(["a"]);
    const heard = await subscribe(it, ["a"]);
    await it.stop();
    const after = it.restart();
    await after.start();
    await after.clock.advance(5 * minute);
    expect(heard.events).toEqual([]);
    await after.stop();
  });
});

describe("many", () => {
  it("EV-TRG-09: a thousand subscriptions on a thousand nodes have no timers of their own, and a value costs those of its node", async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
    const it = await createHouse(ids, {}, 0);
    const all: Heard[] = [await subscribe(it, ["n0"], { maxIntervalMs: 3_600_000 })];
    const sleepers = it.clock.sleepers;
    for (const id of ids.slice(1)) all.push(await subscribe(it, [id], { maxIntervalMs: 3_600_000 }));
    expect(it.clock.sleepers).toBe(sleepers);
    it.fields.set("n7", [quantity("Energy", 2)]);
    for (const id of ["n7", "n8"]) await it.read([id]);
    await it.clock.advance(2 * second);
    expect([all[7]?.events, all[8]?.events], "his own readouts").toEqual([[], []]);
    await it.clock.advance(61 * second);
    // Each was polled once or twice, and each had one first value nobody knew before.
    const reads = [...it.reads.values()].reduce((sum, one) => sum + one, 0);
    expect(reads).toBeLessThan(2_100);
    expect(all.filter(one => one.events.length === 1).length).toBeGreaterThanOrEqual(998);
    await it.stop();
  });

  it("EV-TRG-09: a value is compared for the subscriptions of its node, and for no others", async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
    const it = await createHouse(ids, {}, 0);
    const { tree, clock, history } = it;
    const grant: Rule = {
      name: "all",
      ask: ({ nodes, categories: all, names }) => nodes.map(node => ({ node, grant: { categories: all, names } })),
    };
    const subscriptions = createSubscriptions({
      find: tree.find,
      after: tree.after,
      admission: createAdmission({ rules: [grant], find: ref => tree.find(ref)?.ref, clock, log: silentLog }),
      readout: async function* () {},
      readings: history.readings,
      hurry() {},
      clock,
      log: silentLog,
    });
    for (const id of ids) {
      const nodes = [refOf(id)];
      const wishes = { limits: new Map(), minIntervalMs: undefined, maxIntervalMs: undefined, historyMs: undefined };
      const interest = { caller: callerOf(owner), nodes, ask: askAll, ...wishes };
      await subscriptions.subscribe(interest, { event: async () => {}, ended() {} }, never);
    }
    expect(subscriptions.counts).toEqual({ subscriptions: 1_000, nodes: 1_000, compared: 0 });
    const node = tree.find(refOf("n500"));
    const sample: Sample = { at: clock.now(), fields: [quantity("Energy", 5)] };
    if (node !== undefined) subscriptions.heard(node, sample);
    if (node !== undefined) subscriptions.heard(node, sample);
    expect(subscriptions.counts.compared).toBe(1);
    await it.stop();
  });

  it("EV-SUB-01: a thousand subscriptions on one node are each told once, a few at a time", async () => {
    const it = await createHouse(["a"]);
    await it.clock.advance(minute);
    const all: Heard[] = [];
    for (let index = 0; index < 1_000; index++) all.push(await subscribe(it, ["a"]));
    const before = it.reads.get("a") as number;
    it.fields.set("a", [quantity("Energy", 2)]);
    await it.clock.advance(12 * second);
    expect(all.every(one => one.events.length === 1)).toBe(true);
    expect((it.reads.get("a") as number) - before, "what the poll read is enough for all").toBeLessThanOrEqual(2);
    for (const one of all) one.subscription[Symbol.dispose]();
    it.fields.set("a", [quantity("Energy", 3)]);
    await it.clock.advance(30 * second);
    expect(all.every(one => one.events.length === 1)).toBe(true);
    await it.stop();
  });
});
