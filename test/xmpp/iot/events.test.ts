// The subscription face on the wire, over the real concentrator: what is answered, what is told under which id, and what ends it.

import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { categories } from "#contract/field.ts";
import { createEvents } from "#iot/events.ts";
import { generationNames, namespace } from "#iot/generations.ts";
import * as sensor from "#iot/sensor-data.wire.ts";
import { parse } from "#xml/parser.ts";
import { owner, quantity, type Scene, scene, stranger } from "../../concentrator/scene.ts";
import { createBench } from "./face-bench.ts";

const ns = namespace("events", "nf");
const sd = namespace("sensorData", "nf");
const phone = `${owner}/phone`;
const second = 1_000;

async function createFace(limits: Parameters<typeof createEvents>[0]["limits"] = {}) {
  const bench = createBench();
  const it: Scene = scene({ clock: bench.clock });
  const values = new Map([["a", 1]]);
  const device = (id: string) => ({
    async *read() {
      const fields = [quantity("Energy", values.get(id) ?? 1), quantity("Flow", 7, "status")];
      yield { at: bench.clock.now(), fields };
    },
  });
  for (const id of ["a", "b"]) {
    it.plans.set(id, async () => device(id));
    it.add("test.device", id, { plan: id, pollSeconds: 10 });
  }
  it.plans.set("mute", async () => ({}));
  it.add("test.device", "mute", { plan: "mute" });
  await it.start();
  const events = createEvents({
    concentrator: it.concentrator,
    send: bench.send,
    clock: bench.clock,
    log: silentLog,
    signal: bench.stop.signal,
    limits,
  });
  const ask = bench.serve(events.routes);
  const change = async (id: string, value: number) => {
    values.set(id, value);
    await bench.clock.advance(12 * second);
  };
  await bench.clock.advance(60 * second);
  return { bench, it, events, ask, change };
}

const subscribe = (id: string, attrs = "m='true'", children = "<nd id='a'/>", space = ns) =>
  `<subscribe xmlns='${space}' id='${id}' ${attrs}>${children}</subscribe>`;
const unsubscribe = (id: string) => `<unsubscribe xmlns='${ns}' id='${id}'/>`;

describe("subscribing", () => {
  for (const generation of generationNames) {
    it(`EV-EVT-01, EV-DISCO-01, COM-NS-03, -04: accepted and told in the sensor data of ${generation}`, async () => {
      const face = await createFace();
      const space = namespace("events", generation);
      const data = namespace("sensorData", generation);
      expect(
        await face.ask(
          "set",
          subscribe("s1", "m='true' minInt='PT5S'", "<nd id='a'/><f n='Energy' by='0.5'/>", space),
          phone,
        ),
      ).toBe(`<accepted xmlns='${data}' id='s1'/>`);
      await face.change("a", 1.25);
      expect(face.bench.sent).toEqual([]);
      await face.change("a", 2);
      expect(face.bench.sent.map(one => one.to)).toEqual([phone]);
      const told = sensor.response.decode(parse(face.bench.sent[0]?.payload ?? ""));
      expect(face.bench.sent[0]?.payload).toContain(`<resp xmlns='${data}' id='s1'><nd id='a' src='MeteringTopology'`);
      expect(told.more).toBe(false);
      expect(told.nodes[0]?.samples[0]?.fields).toMatchObject([
        { name: "Energy", value: { value: 2 }, categories: categories("momentary") },
      ]);
    });
  }

  it("EV-SUB-01: id and full JID are the key; the same id replaces, others stay", async () => {
    const face = await createFace();
    await face.ask("set", subscribe("s1", "m='true'", "<nd id='a'/>"), phone);
    await face.ask("set", subscribe("s2", "m='true'", "<nd id='a'/>"), phone);
    await face.ask("set", subscribe("s1", "m='true'", "<nd id='a'/>"), `${owner}/desk`);
    expect(face.events.active).toBe(3);
    await face.ask("get", subscribe("s1", "m='true'", "<nd id='b'/>"), phone);
    expect(face.events.active).toBe(3);
    await face.change("a", 5);
    expect(face.bench.sent.map(one => `${one.to} ${parse(one.payload).attrs.id}`).toSorted()).toEqual([
      `${owner}/desk s1`,
      `${phone} s2`,
    ]);
    // A replacement that is refused replaces nothing.
    expect(await face.ask("set", subscribe("s2", "m='true'", "<nd id='zz'/>"), phone)).toContain("item-not-found");
    await face.change("a", 9);
    expect(face.bench.sent).toHaveLength(4);
  });

  it("EV-SUB-02, -05, -06: what is malformed is refused, and nothing is kept of it", async () => {
    const face = await createFace();
    const refused = async (attrs: string, children = "<nd id='a'/>", id = "s1") => {
      const reply = parse(await face.ask("set", subscribe(id, attrs, children), phone));
      expect(reply.name).toBe("error");
      return (reply.children[0] as { name: string }).name;
    };
    expect(await refused("m='1'", "<nd id='a'/>", "")).toBe("bad-request");
    for (const attribute of ["minInt", "maxInt", "maxAge"]) {
      for (const value of ["-PT5S", "5", "PT", "2031-01-01T00:00:00Z"]) {
        expect(await refused(`m='1' ${attribute}='${value}'`), `${attribute} ${value}`).toBe("bad-request");
      }
    }
    for (const attribute of ["by", "up", "dn"]) {
      for (const value of ["0", "-1", "NaN", "much"]) {
        expect(await refused("m='1'", `<nd id='a'/><f n='Energy' ${attribute}='${value}'/>`)).toBe("bad-request");
      }
    }
    expect(await refused("m='1' minInt='PT2M' maxInt='PT1M'")).toBe("not-acceptable");
    expect(await refused("m='1'", "<nd/>")).toBe("bad-request");
    expect(await refused("m='1'", "<nd id='a'/><f/>")).toBe("bad-request");
    expect(face.events.active).toBe(0);
  });

  it("EV-SUB-05: intervals below the floor are raised without a word", async () => {
    const face = await createFace();
    expect(await face.ask("set", subscribe("s1", "m='true' minInt='PT0S' maxInt='PT1S'"), phone)).toContain("accepted");
    await face.bench.clock.advance(60 * second);
    expect(face.bench.sent.length).toBeGreaterThanOrEqual(5);
    expect(face.bench.sent.length).toBeLessThanOrEqual(6);
  });

  it("EV-SUB-03, -04: unknown and invisible alike are not found, unreadable by right is forbidden, by nature an err", async () => {
    const face = await createFace();
    expect(await face.ask("set", subscribe("s1", "m='1'", "<nd id='zz'/>"), phone)).toContain("item-not-found");
    expect(await face.ask("set", subscribe("s1"), "eve@example.org/x")).toContain("item-not-found");
    expect(await face.ask("set", subscribe("s1"), `${stranger}/x`)).toContain("forbidden");
    // Asking for no category needs no right, but eyes.
    expect(await face.ask("set", subscribe("s1", ""), `${stranger}/x`)).toContain("accepted");
    expect(await face.ask("set", subscribe("s1", ""), "eve@example.org/x")).toContain("item-not-found");
    expect(await face.ask("set", subscribe("s9", "m='1' maxInt='PT20S'", "<nd id='mute'/>"), phone)).toContain(
      "accepted",
    );
    await face.bench.clock.advance(21 * second);
    expect(face.bench.sent.at(-1)?.payload).toContain("<err>");
  });

  it("EV-SUB-02, -07: a first event at once under the same id, after the answer; of no nodes it is empty", async () => {
    const face = await createFace();
    await face.ask("set", subscribe("s1", "m='true' req='true'"), phone);
    await face.ask("set", subscribe("s0", "m='true' req='1'", ""), phone);
    await face.ask("set", subscribe("s2", "m='true'", ""), phone);
    await face.bench.clock.advance(second);
    expect(face.bench.left.map(text => text.replace(/ v='[^']*'/g, ""))).toEqual([
      `<accepted xmlns='${sd}' id='s1'/>`,
      `<accepted xmlns='${sd}' id='s0'/>`,
      `<accepted xmlns='${sd}' id='s2'/>`,
      expect.stringContaining("n='Energy'"),
      `<resp xmlns='${sd}' id='s0'/>`,
    ]);
    await face.bench.clock.advance(3_600 * second);
    expect(face.bench.sent.filter(one => !one.payload.includes("id='s1'"))).toHaveLength(1);
  });

  it("EV-SUB-08: a caller has so many and no more, whatever his resources; another one is not hindered", async () => {
    const face = await createFace({ subscriptionsPerCallerMax: 3, subscribedNodesPerCallerMax: 4 });
    for (const id of ["1", "2"]) await face.ask("set", subscribe(id), phone);
    expect(await face.ask("set", subscribe("3", "m='1'", "<nd id='a'/><nd id='b'/><nd id='mute'/>"), phone)).toContain(
      "resource-constraint",
    );
    expect(await face.ask("set", subscribe("3"), `${owner}/desk`)).toContain("accepted");
    for (let id = 4; id < 50; id++) {
      expect(await face.ask("set", subscribe(`${id}`), phone)).toContain("resource-constraint");
    }
    expect(await face.ask("set", subscribe("2", "m='1'", "<nd id='b'/>"), phone), "replacing needs no room").toContain(
      "accepted",
    );
    expect(await face.ask("set", subscribe("x", ""), `${stranger}/x`)).toContain("accepted");
    expect(face.events.active).toBe(4);
  });
});

describe("the end", () => {
  it("EV-END-02: unsubscribed, nothing more is said; unknown ids are not found", async () => {
    const face = await createFace();
    await face.ask("set", subscribe("s1", "m='true' req='true'"), phone);
    expect(await face.ask("set", unsubscribe("s1"), phone)).toBe("");
    expect(await face.ask("set", unsubscribe("s1"), phone)).toMatch(/type='cancel'.*item-not-found/);
    expect(await face.ask("get", unsubscribe("s1"), phone)).toContain("item-not-found");
    await face.ask("set", subscribe("s1"), phone);
    expect(await face.ask("set", unsubscribe("s1"), `${owner}/desk`), "another's").toContain("item-not-found");
    expect(await face.ask("get", unsubscribe("s1"), phone), "COM-STZ-03").toBe("");
    await face.change("a", 8);
    expect(face.bench.sent).toEqual([]);
  });

  it("EV-END-01: presence, bounce, consent and right each end what they should and nothing else", async () => {
    const face = await createFace();
    const all = async () => {
      for (const from of [phone, `${owner}/desk`]) await face.ask("set", subscribe("s1"), from);
      return face.events.active;
    };
    expect(await all()).toBe(2);
    face.events.gone(phone.toUpperCase().replace("PHONE", "phone"));
    expect(face.events.active).toBe(1);
    expect(await all()).toBe(2);
    face.events.withdrawn(owner);
    expect(face.events.active).toBe(0);
    await face.change("a", 8);
    expect(face.bench.sent).toEqual([]);
  });

  it("EV-END-01: who leaves while he is being decided on, or replaces it, is not subscribed", async () => {
    const face = await createFace();
    const first = face.ask("set", subscribe("s1"), phone);
    face.events.gone(phone);
    expect(await first).toContain("not-allowed");
    const older = face.ask("set", subscribe("s1", "m='true'", "<nd id='a'/>"), phone);
    const newer = face.ask("set", subscribe("s1", "m='true'", "<nd id='b'/>"), phone);
    expect(await older).toContain("not-allowed");
    expect(await newer).toContain("accepted");
    expect(face.events.active).toBe(1);
    await face.change("a", 8);
    expect(face.bench.sent).toEqual([]);
    await face.change("b", 8);
    expect(face.bench.sent).toHaveLength(1);
  });

  it("EV-END-03, EV-SUB-01: subscribing again with the same id after a silence leaves one subscription", async () => {
    const face = await createFace();
    for (let count = 0; count < 3; count++) {
      expect(await face.ask("set", subscribe("s1", "m='true' maxInt='PT10S'"), phone)).toContain("accepted");
    }
    await face.bench.clock.advance(10_500);
    expect(face.bench.sent).toHaveLength(1);
  });
});
