// A client that follows values and sources, against the real faces: silence, lost connections and restarts are its to notice.

import { describe, expect, it } from "vitest";
import { silentLog } from "#base/log.ts";
import { createInbox } from "#client/inbox.ts";
import { createSourceEvents as createClientSources, type SourceNews } from "#client/source-events.ts";
import { createSubscriptions } from "#client/subscriptions.ts";
import type { Reading } from "#contract/field.ts";
import { createEvents } from "#iot/events.ts";
import { createSourceEvents } from "#iot/source-events.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { decodeError } from "#xmpp/stanza.ts";
import { owner, quantity, refOf, scene, summary } from "../concentrator/scene.ts";
import { createBench } from "../xmpp/iot/face-bench.ts";

const phone = `${owner}/phone`;
const appliance = "gw@hub.example/x";
const second = 1_000;

/** Client and faces with a wire between them that a test can cut. */
async function createWire() {
  const bench = createBench();
  const it = scene({ clock: bench.clock });
  const values = { energy: 1 };
  it.plans.set("a", async () => ({
    async *read() {
      yield { at: bench.clock.now(), fields: [quantity("Energy", values.energy)] };
    },
  }));
  it.add("test.device", "a", { plan: "a", pollSeconds: 10 });
  await it.start();
  const wire = { cut: false, asked: [] as string[] };
  const inbox = createInbox();
  const send = (to: string, payload: Element) => {
    if (wire.cut) return;
    inbox.message(element("message", "jabber:client", { from: appliance, to }, [parse(format(payload))]));
  };
  const makeFaces = () => {
    const deps = { concentrator: it.concentrator, send, clock: bench.clock, log: silentLog, signal: bench.stop.signal };
    return { values: createEvents(deps), sources: createSourceEvents(deps) };
  };
  let faces = makeFaces();
  let ask = bench.serve([...faces.values.routes, ...faces.sources.routes]);
  const connection: Pick<Connection, "request"> = {
    async request(type, _to, payload) {
      wire.asked.push(payload.name);
      const reply = await ask(type, format(payload), phone);
      if (reply === "") return undefined;
      const answer = parse(reply);
      if (answer.name !== "error") return answer;
      throw decodeError(element("iq", "jabber:client", {}, [{ ...answer, ns: "jabber:client" }]));
    },
  };
  const presence = (type?: string) => inbox.presence(element("presence", "jabber:client", { from: appliance, type }));
  const deps = { connection, inbox, sleep: bench.clock.sleep };
  return {
    bench,
    it,
    wire,
    values,
    inbox,
    presence,
    deps,
    where: async () => appliance,
    get faces() {
      return faces;
    },
    /** As after a restart: nobody remembers any subscription. */
    forget() {
      for (const face of [faces.values, faces.sources]) face.withdrawn(owner);
      faces = makeFaces();
      ask = bench.serve([...faces.values.routes, ...faces.sources.routes]);
    },
    pass: (ms: number) => bench.clock.advance(ms),
  };
}

function collect<T>(items: AsyncIterable<T>): { readonly all: T[]; error: unknown; ended: Promise<void> } {
  const result = { all: [] as T[], error: undefined as unknown, ended: Promise.resolve() };
  result.ended = (async () => {
    try {
      for await (const item of items) result.all.push(item);
    } catch (error) {
      result.error = error;
    }
  })();
  return result;
}

const energy = (readings: readonly Reading[]) => summary(readings);

describe("values", () => {
  it("EV-SUB-07, EV-END-02: readings until the reader leaves, and then the subscription is gone over there too", async () => {
    const it = await createWire();
    const stop = new AbortController();
    const wish = { nodes: [refOf("a")], fields: [{ name: "Energy", by: 0.5 }], now: true };
    const heard = collect(createSubscriptions(it.deps).subscribe(it.where, wish, stop.signal));
    await it.pass(second);
    it.values.energy = 2;
    await it.pass(12 * second);
    expect(energy(heard.all)).toEqual(["a Energy 1", "a Energy 2"]);
    expect(it.faces.values.active).toBe(1);
    stop.abort();
    await it.pass(0);
    await heard.ended;
    expect(it.faces.values.active).toBe(0);
    expect(it.wire.asked).toEqual(["subscribe", "unsubscribe"]);
    await it.it.stop();
  });

  it("EV-END-03: silence beyond the greatest interval is noticed, and the subscription made anew under its id", async () => {
    const it = await createWire();
    const stop = new AbortController();
    const wish = { nodes: [refOf("a")], maxIntervalMs: 30 * second };
    const heard = collect(createSubscriptions(it.deps).subscribe(it.where, wish, stop.signal));
    await it.pass(65 * second);
    expect(heard.all.length).toBeGreaterThanOrEqual(2);
    it.forget();
    it.values.energy = 5;
    await it.pass(14 * second);
    expect(it.wire.asked).toEqual(["subscribe"]);
    await it.pass(32 * second);
    expect(it.wire.asked).toEqual(["subscribe", "subscribe"]);
    expect(energy(heard.all).at(-1), "the values of now come first").toBe("a Energy 5");
    expect(it.faces.values.active).toBe(1);
    stop.abort();
    await it.pass(0);
    await it.it.stop();
  });

  it("EV-END-03: when the appliance was away, or our own stream is a new one, it is made anew at once", async () => {
    const it = await createWire();
    const stop = new AbortController();
    const heard = collect(createSubscriptions(it.deps).subscribe(it.where, { nodes: [refOf("a")] }, stop.signal));
    await it.pass(second);
    it.forget();
    it.presence("unavailable");
    await it.pass(second);
    it.inbox.online?.(phone, true);
    await it.pass(second);
    it.inbox.online?.(phone, false);
    await it.pass(second);
    expect(it.wire.asked).toEqual(["subscribe", "subscribe", "subscribe"]);
    expect(it.faces.values.active).toBe(1);
    expect(energy(heard.all)).toEqual(["a Energy 1", "a Energy 1"]);
    stop.abort();
    await it.pass(0);
    await it.it.stop();
  });

  it("EV-SUB-03: what is refused is told to who asked", async () => {
    const it = await createWire();
    const heard = collect(
      createSubscriptions(it.deps).subscribe(it.where, { nodes: [refOf("zz")] }, new AbortController().signal),
    );
    await it.pass(second);
    expect(heard.error).toMatchObject({ condition: "item-not-found" });
    await it.it.stop();
  });
});

describe("sources", () => {
  const ids = (news: readonly SourceNews[]) =>
    news.map(one =>
      one.kind === "fetch" ? "fetch" : `${one.kind} ${"info" in one ? one.info.ref.nodeId : one.ref.nodeId}`,
    );

  it("CON-SUB-05: fetched once, then followed without a gap over a lost connection", async () => {
    const it = await createWire();
    const stop = new AbortController();
    const heard = collect(createClientSources(it.deps).follow(it.where, {}, stop.signal));
    await it.pass(second);
    it.it.add("test.device", "b");
    await it.pass(second);
    it.wire.cut = true;
    for (const id of ["c", "d"]) it.it.add("test.device", id);
    await it.pass(second);
    it.wire.cut = false;
    it.forget();
    it.inbox.online?.(phone, false);
    await it.pass(second);
    it.it.add("test.device", "e");
    await it.pass(second);
    expect(ids(heard.all)).toEqual(["fetch", "nodeAdded b", "nodeAdded c", "nodeAdded d", "nodeAdded e"]);
    stop.abort();
    await it.pass(0);
    expect(it.faces.sources.active).toBe(0);
    await it.it.stop();
  });

  it("CON-SUB-02, -06: renewed while it lasts; where the past is lost, everything is fetched again", async () => {
    const it = await createWire();
    const stop = new AbortController();
    const heard = collect(createClientSources(it.deps).follow(it.where, {}, stop.signal));
    await it.pass(1_300 * second);
    expect(it.wire.asked.filter(name => name === "subscribe")).toHaveLength(5);
    expect(it.faces.sources.active).toBe(1);
    it.it.add("test.device", "b");
    await it.pass(second);
    it.it.history.events.beginAt("MeteringTopology", it.bench.clock.now() + 5);
    it.inbox.online?.(phone, false);
    await it.pass(second);
    it.it.add("test.device", "c");
    await it.pass(second);
    expect(ids(heard.all)).toEqual(["fetch", "nodeAdded b", "fetch", "nodeAdded c"]);
    stop.abort();
    await it.pass(0);
    await it.it.stop();
  });
});
