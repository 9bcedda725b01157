// Telling the time, and judging our own by another's: real router and XML; time is advanced.

import { describe, expect, it } from "vitest";
import { createClockFace } from "#iot/clock.ts";
import { createClockFollowing } from "#iot/clock-following.ts";
import { infoNs } from "#iot/disco.wire.ts";
import { namespaces } from "#iot/generations.ts";
import type { Element } from "#xml/element.ts";
import { format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { createBench } from "./face-bench.ts";

describe("telling the time", () => {
  for (const ns of namespaces("synchronization")) {
    it(`CLK-RESP-01, -02, -03, -06: UTC with seven digits and a counter, in ${ns}`, async () => {
      const bench = createBench();
      const ask = bench.serve(createClockFace(bench).routes);
      await bench.clock.advance(1_234);
      expect(await ask("get", `<req xmlns='${ns}'/>`)).toBe(
        `<resp xmlns='${ns}' hf='1234000000' freq='1000000000'>2031-03-02T05:00:01.2340000Z</resp>`,
      );
      expect(await ask("set", `<req xmlns='${ns}'/>`)).toContain("feature-not-implemented");
    });

    it(`CLK-SRC-01, -02: names whom we follow, bare, or that there is nobody, in ${ns}`, async () => {
      const bench = createBench();
      const nobody = bench.serve(createClockFace(bench).routes);
      expect(await nobody("get", `<sourceReq xmlns='${ns}'/>`)).toContain("item-not-found");
      const followed = bench.serve(createClockFace({ ...bench, source: () => "clock.plant.example" }).routes);
      expect(await followed("get", `<sourceReq xmlns='${ns}'/>`)).toBe(
        `<sourceResp xmlns='${ns}'>clock.plant.example</sourceResp>`,
      );
    });
  }

  it("CLK-RESP-04: the counter never goes back, and both are read together", async () => {
    const bench = createBench();
    const ask = bench.serve(createClockFace(bench).routes);
    let before = -1n;
    for (let at = 0; at < 5; at++) {
      await bench.clock.advance(0.3);
      const hf = /hf='(\d+)'/.exec(await ask("get", "<req xmlns='urn:nf:iot:synchronization:1.0'/>"))?.[1] ?? "";
      expect(BigInt(hf)).toBeGreaterThan(before);
      before = BigInt(hf);
    }
  });

  it("CLK-RESP-05: ten a second of each, and no rights asked; the next second is a new one", async () => {
    const bench = createBench();
    const ask = bench.serve(createClockFace(bench).routes);
    const once = (from?: string) => ask("get", "<req xmlns='urn:nf:iot:synchronization:1.0'/>", from);
    for (let at = 0; at < 10; at++) expect(await once()).toContain("<resp");
    expect(await once()).toContain("resource-constraint");
    expect(await once("bob@city.example/other")).toContain("resource-constraint");
    expect(await once("eve@city.example/phone")).toContain("<resp");
    await bench.clock.advance(1_000);
    expect(await once()).toContain("<resp");
  });

  it("CLK-SRC-03: every generation is announced, with both requests", () => {
    const { routes } = createClockFace(createBench());
    for (const ns of namespaces("synchronization")) {
      expect(routes.filter(one => one.ns === ns).map(one => one.name)).toEqual(["req", "sourceReq"]);
    }
  });
});

/** Another clock, so far ahead of ours, that takes so long to answer. */
function follow(options: { aheadMs: number; tookMs?: (at: number) => number; features?: string }) {
  const bench = createBench();
  const judged: [boolean, number][] = [];
  const asked: string[] = [];
  const stop = new AbortController();
  let count = 0;
  const other = { now: options.aheadMs };
  const following = createClockFollowing({
    connection: {
      online: true,
      async request(_type, _to, payload: Element) {
        asked.push(format(payload));
        if (payload.ns === infoNs) {
          const ns = options.features ?? "urn:nf:iot:synchronization:1.0";
          return parse(`<query xmlns='${infoNs}'><feature var='${ns}'/></query>`);
        }
        const took = options.tookMs?.(count++) ?? 20;
        await bench.clock.sleep(took / 2, stop.signal);
        const there = new Date(bench.clock.now() + other.now).toISOString().replace("Z", "0000Z");
        await bench.clock.sleep(took / 2, stop.signal);
        return parse(`<resp xmlns='${payload.ns}'>${there}</resp>`);
      },
    },
    source: "Clock.Plant.example",
    judged: (off, offset) => judged.push([off, offset]),
    clock: bench.clock,
    log: bench.log,
  });
  const running = following.run(stop.signal);
  return {
    bench,
    judged,
    asked,
    following,
    other,
    async stop() {
      stop.abort();
      await bench.clock.advance(0);
      await running;
    },
  };
}

describe("following a clock", () => {
  it("CLK-MEAS-01: the offset is what is left when the way there and back is taken off", async () => {
    const { bench, judged, asked, following, stop } = follow({ aheadMs: 700, tookMs: () => 300 });
    await bench.clock.advance(1_000);
    expect(judged).toEqual([[false, 700]]);
    expect(following.isOff).toBe(false);
    expect(following.source).toBe("clock.plant.example");
    expect(asked.at(-1)).toBe("<req xmlns='urn:nf:iot:synchronization:1.0'/>");
    await stop();
  });

  it("CLK-MEAS-02: an answer that took too long does not count, a spike does not move the mean", async () => {
    const late = follow({ aheadMs: 0, tookMs: at => (at === 0 ? 1_500 : 10) });
    await late.bench.clock.advance(2_000);
    expect(late.judged).toEqual([]);
    await late.stop();
    const { bench, judged, other, stop } = follow({ aheadMs: 100 });
    await bench.clock.advance(5 * 60_000);
    other.now = 90_000;
    await bench.clock.advance(60_000);
    other.now = 100;
    await bench.clock.advance(60_000);
    expect(judged.every(([off, offset]) => !off && Math.abs(offset - 100) <= 2)).toBe(true);
    await stop();
  });

  it("CLK-MEAS-03: more than two seconds off is said, and taken back when it is over", async () => {
    const { bench, judged, following, other, stop } = follow({ aheadMs: 5_000 });
    await bench.clock.advance(1_000);
    expect(judged).toEqual([[true, 5_000]]);
    expect(following.isOff).toBe(true);
    other.now = 0;
    await bench.clock.advance(30 * 60_000);
    expect(following.isOff).toBe(false);
    await stop();
  });

  it("who does not tell the time is asked again later, and nothing is made of it", async () => {
    const { bench, judged, asked, stop } = follow({ aheadMs: 0, features: "urn:other" });
    await bench.clock.advance(61_000);
    expect(judged).toEqual([]);
    expect(asked.filter(one => one.includes("disco#info"))).toHaveLength(2);
    await stop();
  });
});
