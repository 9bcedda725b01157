// The component's roster and its pushes: who is online, what was not acknowledged, and when it is tried again.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ana,
  anaFull,
  canRead,
  claimedMeter,
  gateway,
  gatewayFull,
  lastQuestion,
  meter,
  meterTags,
  mine,
  openPipe,
  outcome,
  owning,
  type Pipe,
  register,
  service,
} from "./pipe.ts";

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const presences = (to: string) =>
  pipe.sent
    .filter(text => text.startsWith("<presence") && text.includes(` to='${to}'`))
    .map(text => /type='(\w+)'/.exec(text)?.[1] ?? "available");
const clears = (to = gateway) => pipe.pushedTo(to).filter(one => one.startsWith("<clearCache"));
const clear = (attrs = `jid='${gateway}' ${meter}`) =>
  pipe.iq("set", anaFull, `<clearCache xmlns='${owning}' ${attrs}/>`);

describe("roster", () => {
  it("PRES-CMP-02: asks a device for its presence at first contact, an owner at his first claim, once", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe);
    expect(presences(gateway)).toEqual(["subscribe"]);
    await register(pipe);
    expect(presences(gateway)).toEqual(["subscribe"]);
    expect(presences(ana)).toEqual([]);
    await mine(pipe);
    expect(presences(ana)).toEqual(["subscribe"]);
    // Nobody answered: at the next contact it asks again, though not at each.
    await pipe.clock.advance(600_001);
    await register(pipe, "id='n2'");
    expect(presences(gateway)).toEqual(["subscribe", "subscribe"]);
    await pipe.presence(gateway, "subscribed");
    await pipe.clock.advance(600_001);
    await register(pipe, "id='n3'");
    expect(presences(gateway)).toEqual(["subscribe", "subscribe"]);
  });

  it("PRES-CMP-02: accepts subscriptions of devices and owners, says that it is there, answers probes", async () => {
    await pipe.presence("gw1@hub.example", "subscribe");
    expect(presences("gw1@hub.example")).toEqual(["subscribed", "available"]);
    await pipe.presence("gw1@hub.example/edge", "probe");
    expect(presences("gw1@hub.example/edge")).toEqual(["available"]);
    await register(pipe);
    await mine(pipe);
    await pipe.presence(ana, "subscribe");
    expect(presences(ana).slice(1)).toEqual(["subscribed", "available"]);
    await pipe.presence("eve@evil.example", "subscribe");
    expect(presences("eve@evil.example")).toEqual(["unsubscribed"]);
    await pipe.presence("eve@evil.example/x", "probe");
    expect(presences("eve@evil.example")).toEqual(["unsubscribed", "unsubscribed"]);
  });

  it("PRES-CMP-02: an end of the subscription is answered and remembered", async () => {
    await pipe.presence("gw1@hub.example", "subscribe");
    await pipe.presence("gw1@hub.example", "unsubscribe");
    expect(presences("gw1@hub.example").slice(2)).toEqual(["unsubscribed", "unavailable"]);
    await pipe.presence("gw1@hub.example/edge", "probe");
    expect(presences("gw1@hub.example/edge")).toEqual([]);
  });

  it("PRES-CMP-02: who withdraws, or bounces, is offline", async () => {
    for (const type of ["unsubscribed", "error", "unavailable"]) {
      await using one = await openPipe();
      await claimedMeter(one);
      await one.presence(type === "unsubscribed" ? gateway : gatewayFull, type);
      const disown = await one.iq("set", anaFull, `<disown xmlns='urn:nf:iot:disco:1.0' jid='${gateway}' ${meter}/>`);
      expect(outcome(disown)).toBe("not-allowed");
    }
  });

  it("PRES-THR: presence of JIDs that were never asked, or have not agreed, is not believed", async () => {
    await register(pipe);
    await pipe.presence("gw7@hub.example", "subscribed");
    await pipe.presence("gw7@hub.example/x");
    expect(await pipe.store.peer("gw7@hub.example")).toBeUndefined();
    await pipe.presence(gatewayFull);
    await mine(pipe);
    expect(pipe.pushedTo(gateway)).toEqual([]);
  });

  it("PRES-CMP-02: after a restart everybody is asked again, 20 a second", async () => {
    for (let n = 0; n < 45; n++) {
      await register(pipe, meter, meterTags(`${n}`.padEnd(32, "k")), `gw${n}@hub.example/e`);
      await pipe.presence(`gw${n}@hub.example`, "subscribed");
    }
    const probes = () => pipe.sent.filter(text => text.includes("type='probe'")).length;
    await pipe.restart();
    await pipe.clock.advance(1_000);
    expect(probes()).toBeGreaterThanOrEqual(20);
    expect(probes()).toBeLessThanOrEqual(22);
    await pipe.clock.advance(2_000);
    expect(probes()).toBe(45);
  });
});

describe("pushes", () => {
  it("PROV-CLEAR-01, PROV-CLEAR-04: to each full JID that is online, never to the bare one", async () => {
    await claimedMeter(pipe);
    pipe.answers("gw9@hub.example/second", () => "ok");
    await pipe.presence("gw9@hub.example/second");
    await pipe.clock.advance(2_100);
    const before = pipe.sent.length;
    await clear();
    const to = pipe.sent
      .slice(before)
      .filter(text => text.includes("<clearCache"))
      .map(text => / to='([^']*)'/.exec(text)?.[1]);
    expect(to.sort()).toEqual([gatewayFull, "gw9@hub.example/second"]);
    expect(pipe.sent.filter(text => text.startsWith("<iq type='set'") && text.includes(` to='${gateway}'`))).toEqual(
      [],
    );
  });

  it("PROV-CLEAR-02: unanswered, it is tried after 10 s, 1 min and 10 min, then at the next presence", async () => {
    await claimedMeter(pipe);
    await pipe.clock.advance(2_100);
    pipe.answers(gatewayFull, () => "silent");
    const before = clears().length;
    await clear();
    const tried = () => clears().length - before;
    expect(tried()).toBe(1);
    await pipe.clock.advance(20_100);
    expect(tried()).toBe(2);
    await pipe.clock.advance(70_100);
    expect(tried()).toBe(3);
    await pipe.clock.advance(610_100);
    expect(tried()).toBe(4);
    await pipe.clock.advance(86_400_000);
    expect(tried()).toBe(4);
    pipe.answers(gatewayFull, () => "ok");
    await pipe.presence(gatewayFull);
    expect(tried()).toBe(5);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("PROV-CLEAR-02: a stanza of the device is answered after what was pending has reached it", async () => {
    await claimedMeter(pipe);
    await pipe.presence(gatewayFull, "unavailable");
    await clear();
    const before = pipe.sent.length;
    await canRead(pipe);
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order[0]).toContain("<clearCache");
    expect(order[1]).toContain("<canReadResponse");
  });

  it("PROV-CLEAR-02: a device that never acknowledges still gets its answer, two seconds later", async () => {
    await claimedMeter(pipe);
    await pipe.presence(gatewayFull, "unavailable");
    await clear();
    pipe.answers(gatewayFull, () => "silent");
    const reply = pipe.start("get", gatewayFull, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${ana}'/>`);
    let answered = false;
    void reply.then(() => (answered = true));
    await pipe.clock.advance(1_900);
    expect(answered).toBe(false);
    await pipe.clock.advance(200);
    expect(outcome(await reply)).toBe("result");
    expect(await pipe.store.pendingOf(gateway)).toHaveLength(1);
  });

  it("PROV-CLEAR-02: a flag raised while its push is on the way is not lowered by the old acknowledgement", async () => {
    await claimedMeter(pipe);
    await pipe.clock.advance(2_100);
    let raise: Promise<unknown> | undefined;
    pipe.answers(gatewayFull, () => {
      raise ??= clear();
      return "ok";
    });
    const before = clears().length;
    await clear();
    await raise;
    await pipe.clock.advance(5_000);
    expect(clears().length - before).toBe(2);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("PROV-CLEAR-05: after a restart every nf and ieee device with an owner gets one clear, others none", async () => {
    await claimedMeter(pipe);
    const nfi = "gw3@hub.example/e";
    const ns = "urn:nfi:iot:disco:1.0";
    pipe.answers(nfi, () => "ok");
    await pipe.iq("set", nfi, `<register xmlns='${ns}'>${meterTags("nfi".repeat(12))}</register>`);
    await pipe.comesOnline(nfi);
    await mine(pipe, meterTags("nfi".repeat(12)));
    await register(pipe, meter, meterTags("un".repeat(16)), "gw4@hub.example/e");
    const before = { nf: clears().length, nfi: clears("gw3@hub.example").length };
    await pipe.restart();
    await pipe.presence(gatewayFull);
    await pipe.presence(nfi);
    expect(clears()).toHaveLength(before.nf + 1);
    expect(clears().at(-1)).toBe("<clearCache xmlns='urn:nf:iot:prov:d:1.0'/>");
    expect(clears("gw3@hub.example")).toHaveLength(before.nfi);
    expect(await pipe.store.pendingOf("gw4@hub.example")).toEqual([]);
  });

  it("PROV-CLEAR-05: so after more than 10 s without a broker, not after a short gap", async () => {
    await claimedMeter(pipe);
    const gap = async (ms: number) => {
      pipe.registry.inbound.offline("test");
      await pipe.clock.advance(ms);
      pipe.registry.inbound.online(service, false);
      await pipe.settle();
      await pipe.presence(gatewayFull);
      await pipe.clock.advance(5_000);
    };
    const before = clears().length;
    await gap(9_000);
    expect(clears()).toHaveLength(before);
    await gap(11_000);
    expect(clears()).toHaveLength(before + 1);
  });

  it("PROV-CLEAR-05: however many they are, 20 a second are woken and told", async () => {
    const device = (n: number) => `gw${n}@hub.example`;
    const root = { nodeId: "", sourceId: "", partition: "" };
    await pipe.store.change(async records => {
      for (let n = 0; n < 60; n++) {
        await records.insertThing(device(n), root, "private", ana, undefined, 0);
        await records.putPeer({ jid: device(n), generation: "nf", to: "both", from: false });
      }
    });
    for (let n = 0; n < 60; n++) pipe.answers(`${device(n)}/e`, () => "ok");
    await pipe.restart();
    const there = new Set<number>();
    const told = async (ms: number) => {
      for (let past = 0; past < ms; past += 50) {
        await pipe.clock.advance(50);
        // Each probe is answered by the presence of who is there, as brokers do.
        for (let n = 0; n < 60; n++)
          if (!there.has(n) && pipe.sent.some(one => one.includes("type='probe'") && one.includes(`'${device(n)}'`))) {
            there.add(n);
            await pipe.presence(`${device(n)}/e`);
          }
      }
      return Array.from({ length: 60 }, (_, n) => clears(device(n)).length).filter(count => count === 1).length;
    };
    const first = await told(1_000);
    expect(first).toBeGreaterThanOrEqual(19);
    expect(first).toBeLessThanOrEqual(22);
    expect(await told(2_500)).toBe(60);
  });

  it("PROV-CLEAR-06: at most one clear in two seconds, and several nodes become one clear of everything", async () => {
    await claimedMeter(pipe);
    await register(pipe, "id='n2'", meterTags("n2".repeat(16)));
    await mine(pipe, meterTags("n2".repeat(16)));
    await pipe.clock.advance(5_000);
    const before = clears().length;
    await clear();
    await clear();
    await clear(`jid='${gateway}' id='n2'`);
    expect(clears()).toHaveLength(before + 1);
    await pipe.clock.advance(2_100);
    expect(clears()).toHaveLength(before + 2);
    expect(clears().at(-1)).toBe("<clearCache xmlns='urn:nf:iot:prov:d:1.0'/>");
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("PROV-CLEAR-03: everything comes from the bare JID of the component", async () => {
    await claimedMeter(pipe);
    await canRead(pipe);
    lastQuestion(pipe);
    for (const text of pipe.sent) expect(text).toMatch(new RegExp(` from='${service}'[ />]`));
  });

  it("a resource that is gone does not hold up those that are there", async () => {
    await claimedMeter(pipe);
    pipe.answers("gw9@hub.example/ghost", () => "recipient-unavailable");
    await pipe.presence("gw9@hub.example/ghost");
    await pipe.clock.advance(2_100);
    await clear();
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });
});

describe("two sessions of one device, one of them a zombie", () => {
  const zombie = "gw9@hub.example/before";
  const live = "gw9@hub.example/after";
  const said = (to: string) => pipe.pushedTo(to).filter(one => one.startsWith("<clearCache"));
  const disown = () =>
    pipe.start("set", anaFull, `<disown xmlns='urn:nf:iot:disco:1.0' jid='${gateway}' ${meter}/>`).then(outcome);
  const watched = (reply: Promise<string>) => {
    const seen: { outcome?: string } = {};
    void reply.then(one => {
      seen.outcome = one;
    });
    return seen;
  };

  /** Claimed; then the device was killed and logged in anew, and the broker still shows the session it had. */
  const killed = async () => {
    await claimedMeter(pipe);
    await pipe.presence(gatewayFull, "unavailable");
    await pipe.presence(zombie);
    await pipe.presence(live);
    pipe.answers(live, () => "ok");
    await pipe.clock.advance(2_100);
  };

  it("PROV-CLEAR-01: is told at once where it answers; the push is done and never tried again", async () => {
    await killed();
    await clear();
    expect([said(zombie).length, said(live).length]).toEqual([1, 1]);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
    await pipe.clock.advance(86_400_000);
    expect([said(zombie).length, said(live).length]).toEqual([1, 1]);
    expect(pipe.log.filter(({ event }) => event.startsWith("push-"))).toEqual([]);
  });

  it("DISCO-MINE-03: claimed and clearCache reach a device that logs in while its zombie is waited for", async () => {
    await claimedMeter(pipe);
    await register(pipe, "id='n2'", meterTags("n2".repeat(16)));
    pipe.answers(gatewayFull, () => "silent");
    await pipe.clock.advance(2_100);
    await mine(pipe, meterTags("n2".repeat(16)));
    await pipe.clock.advance(1_000);
    pipe.answers(live, () => "ok");
    await pipe.presence(live);
    expect(pipe.pushedTo(live).map(one => /^<(\w+)/.exec(one)?.[1])).toEqual(["claimed", "clearCache"]);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("DISCO-MINE-03: also when the zombie's silence has already cost a try", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "silent");
    await pipe.clock.advance(2_100);
    await clear();
    await pipe.clock.advance(10_001);
    expect(await pipe.store.pendingOf(gateway)).toMatchObject([{ tries: 1 }]);
    pipe.answers(live, () => "ok");
    await pipe.presence(live);
    expect(said(live)).toHaveLength(1);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("PROV-CLEAR-02: a request of the live session is answered as soon as it has acknowledged what was pending", async () => {
    await killed();
    await pipe.presence(zombie, "unavailable");
    await pipe.presence(live, "unavailable");
    await clear();
    await pipe.presence(zombie);
    const before = pipe.sent.length;
    const reply = await pipe.iq("get", live, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${ana}'/>`);
    expect(outcome(reply)).toBe("result");
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order.at(-2)).toMatch(new RegExp(` to='${live}'.*<clearCache`));
    expect(order.at(-1)).toContain("<isFriendResponse");
  });

  it("DISCO-DISOWN-01: the owner is answered when one session has agreed", async () => {
    await killed();
    const seen = watched(disown());
    await pipe.settle();
    expect(seen).toEqual({ outcome: "result" });
    expect(pipe.pushedTo(zombie).at(0)).toContain("<disowned");
  });

  it("DISCO-DISOWN-01: also when the device logs in while it is waited for", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "silent");
    const seen = watched(disown());
    await pipe.clock.advance(3_000);
    expect(seen).toEqual({});
    pipe.answers(live, () => "ok");
    await pipe.presence(live);
    expect(seen).toEqual({ outcome: "result" });
  });

  it("DISCO-DISOWN-01: a refusal is the answer, and a zombie is waited for only a little", async () => {
    await killed();
    pipe.answers(live, () => "forbidden");
    const seen = watched(disown());
    await pipe.clock.advance(2_100);
    expect(seen).toEqual({ outcome: "not-allowed" });
  });

  for (const condition of ["forbidden", "conflict"])
    it(`PROV-CLEAR-02: ${condition} from the live session keeps the flag up`, async () => {
      await killed();
      pipe.answers(live, () => condition);
      await clear();
      await pipe.clock.advance(2_100);
      expect(await pipe.store.pendingOf(gateway)).toMatchObject([{ what: "clearCache", tries: 1 }]);
    });

  it("PROV-CLEAR-02: item-not-found from the live session ends it, for there is nothing to tell", async () => {
    await killed();
    pipe.answers(live, () => "item-not-found");
    await clear();
    await pipe.clock.advance(2_100);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("an acknowledgement counts more than a refusal, whichever comes first", async () => {
    await killed();
    for (const [one, other] of [
      [live, zombie],
      [zombie, live],
    ] as const) {
      pipe.answers(one, () => "forbidden");
      pipe.answers(other, async () => {
        await pipe.clock.sleep(500, new AbortController().signal);
        return "ok";
      });
      await clear();
      await pipe.clock.advance(5_000);
      expect(await pipe.store.pendingOf(gateway)).toEqual([]);
    }
  });

  it("who was silent while another answered is suspect: a refusal does not wait for it any more", async () => {
    await killed();
    await clear();
    await pipe.clock.advance(10_001);
    pipe.answers(live, () => "forbidden");
    const seen = watched(disown());
    await pipe.settle();
    expect(seen).toEqual({ outcome: "not-allowed" });
    // It is asked all the same: suspicion can be wrong.
    expect(pipe.pushedTo(zombie).at(-1)).toContain("<disowned");
  });

  it("PROV-THR-06: a suspect that speaks again may have missed a revocation, and is told to forget before it is answered", async () => {
    await killed();
    await clear();
    await pipe.clock.advance(10_001);
    pipe.answers(zombie, () => "ok");
    const before = pipe.sent.length;
    await pipe.iq("get", zombie, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${ana}'/>`);
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order[0]).toMatch(new RegExp(` to='${zombie}'.*<clearCache xmlns='urn:nf:iot:prov:d:1.0'/>`));
    expect(order.at(-1)).toContain("<isFriendResponse");
    const count = said(zombie).length;
    await pipe.clock.advance(10_001);
    await pipe.iq("get", zombie, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${ana}'/>`);
    expect(said(zombie)).toHaveLength(count);
  });

  it("PRES-CMP-02: unavailable and bounces forget that full JID alone", async () => {
    for (const type of ["unavailable", "error"]) {
      await using one = await openPipe();
      await claimedMeter(one);
      one.answers(live, () => "ok");
      await one.presence(live);
      await one.presence(gatewayFull, type);
      await one.clock.advance(2_100);
      const before = one.pushedTo(gatewayFull).length;
      await one.iq("set", anaFull, `<clearCache xmlns='${owning}' jid='${gateway}' ${meter}/>`);
      expect(one.pushedTo(gatewayFull)).toHaveLength(before);
      expect(one.pushedTo(live).at(-1)).toContain("<clearCache");
    }
  });

  it("PRES-CMP-02: the seventeenth session of a device that keeps falling takes the place of the oldest", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "silent");
    for (let n = 0; n < 17; n++) await pipe.presence(`gw9@hub.example/r${n}`);
    pipe.answers("gw9@hub.example/r16", () => "ok");
    await pipe.clock.advance(2_100);
    await clear();
    expect(said("gw9@hub.example/r16")).toHaveLength(1);
    expect(said("gw9@hub.example/r0")).toHaveLength(0);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });
});

describe("the log", () => {
  const lines = () => pipe.log.filter(({ event }) => event.startsWith("push-")).map(({ event }) => event);

  it("a device that does not answer is in it once, and once more when it does, also over a restart of the broker", async () => {
    await claimedMeter(pipe);
    await pipe.clock.advance(2_100);
    pipe.answers(gatewayFull, () => "silent");
    await clear();
    await pipe.clock.advance(3_600_000);
    for (let n = 0; n < 5; n++) {
      await pipe.presence(gatewayFull);
      await pipe.clock.advance(60_000);
    }
    expect(lines()).toEqual(["push-unanswered"]);
    pipe.registry.inbound.offline("test");
    await pipe.clock.advance(60_000);
    pipe.registry.inbound.online(service, false);
    await pipe.presence(gatewayFull);
    await pipe.clock.advance(60_000);
    expect(lines()).toEqual(["push-unanswered"]);
    pipe.answers(gatewayFull, () => "ok");
    await pipe.presence(gatewayFull);
    expect(lines()).toEqual(["push-unanswered", "push-answered"]);
    await clear();
    await pipe.clock.advance(60_000);
    expect(lines()).toEqual(["push-unanswered", "push-answered"]);
  });

  it("a device that flaps for hours is in it a few times an hour", async () => {
    await claimedMeter(pipe);
    for (let n = 0; n < 300; n++) {
      pipe.answers(gatewayFull, () => (n % 2 === 0 ? "forbidden" : "ok"));
      await clear();
      await pipe.presence(gatewayFull);
      await pipe.clock.advance(60_000);
    }
    expect(lines().length).toBeGreaterThan(6);
    expect(lines().length).toBeLessThanOrEqual(6 + 5 * 6);
  });

  it("a caller who guesses KEYs, or asks too much, is in it once", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe);
    for (let n = 0; n < 50; n++) void mine(pipe, meterTags(`${n}`.padEnd(32, "k")));
    await pipe.clock.advance(5_000);
    expect(pipe.log.filter(({ event, facts }) => event === "RateLimited" && facts.element === "mine")).toHaveLength(1);
    await mine(pipe, meterTags(), "", "carol@home.example/x");
    for (let n = 0; n < 30; n++) await canRead(pipe, `<nd ${meter}/>`, `u${n}@d${n}.example`);
    expect(pipe.log.filter(({ event, facts }) => event === "RateLimited" && facts.thing !== undefined)).toHaveLength(1);
  });
});
