// Questions and answers under a clock that is moved by hand: who may answer, how long, and how many at once.

import { describe, expect, it } from "vitest";
import { type Element, element } from "#xml/element.ts";
import { createLiveness } from "#xmpp/liveness.ts";
import { createRequests } from "#xmpp/requests.ts";
import { CountError, createManagement } from "#xmpp/resume.ts";
import { encodeError, StanzaError } from "#xmpp/stanza.ts";
import { manualClock } from "../support/manual-clock.ts";

const own = "edge@a.example";
const isServer = (from: string | undefined) => from === undefined || from === own || from === "a.example";
const setUp = (max?: number) => {
  const clock = manualClock();
  const forgeries: string[] = [];
  const requests = createRequests(clock, isServer, max, (from, asked) => forgeries.push(`${from} for ${asked}`));
  const ids: string[] = [];
  const ask = (to: string | undefined, timeoutMs = 10_000, signal?: AbortSignal) => {
    const asked = requests.ask({ to, what: to ?? "the broker", timeoutMs, signal }, id => ids.push(id));
    asked.catch(() => {});
    return asked;
  };
  const answer = (
    from: string | undefined,
    id = ids.at(-1),
    payload: Element[] = [element("r", "urn:t")],
    type = "result",
  ) => requests.settle(element("iq", "jabber:client", { type, id, from }, payload));
  return { clock, requests, ids, ask, answer, forgeries };
};

describe("requests", () => {
  it("PRES-REP-01: an answer needs id and sender", async () => {
    const { ask, answer, requests } = setUp();
    const asked = ask("peer@b.example/x");
    for (const from of [undefined, "peer@b.example", "peer@b.example/y", "b.example", own, "eve@b.example/x"]) {
      expect(answer(from)).toBe(false);
    }
    expect(answer("peer@b.example/x", "guess")).toBe(false);
    expect(requests.dropped).toBe(7);
    expect(answer("Peer@B.example/x")).toBe(true);
    expect((await asked)?.name).toBe("r");
    // The same again is late.
    expect(answer("peer@b.example/x")).toBe(false);
  });

  it("LOG-AUD-01: who has the right id and is somebody else is told of; a late answer and a guess are not", async () => {
    const { ask, answer, forgeries } = setUp();
    const asked = ask("peer@b.example/x");
    answer("eve@b.example/x");
    answer("peer@b.example/x", "guess");
    answer("peer@b.example/x");
    answer("peer@b.example/x");
    await asked;
    expect(forgeries).toEqual(["eve@b.example/x for peer@b.example/x"]);
  });

  it("PRES-REP-01: the broker answers for the account without a sender, with its own name, or with ours", async () => {
    for (const [to, from] of [
      [undefined, undefined],
      [undefined, own],
      [undefined, "a.example"],
      [own, undefined],
      ["a.example", undefined],
      ["a.example", "a.example"],
    ]) {
      const { ask, answer } = setUp();
      const asked = ask(to);
      expect(answer(from)).toBe(true);
      await asked;
    }
    const { ask, answer } = setUp();
    ask(undefined);
    expect(answer("peer@b.example/x")).toBe(false);
  });

  it("an error is thrown with what it says, an empty result is undefined", async () => {
    const { ask, answer } = setUp();
    const asked = ask("b.example");
    answer(
      "b.example",
      undefined,
      [encodeError(new StanzaError("cancel", "item-not-found", "no such node"), "jabber:client")],
      "error",
    );
    await expect(asked).rejects.toMatchObject({ condition: "item-not-found", text: "no such node" });
    const empty = ask("b.example");
    answer("b.example", undefined, []);
    expect(await empty).toBeUndefined();
  });

  it("each waits its own time, whatever the others do", async () => {
    const { clock, ask, answer, ids, requests } = setUp();
    const results: string[] = [];
    const note = (name: string, asked: Promise<unknown>) =>
      asked.then(
        () => results.push(`${name} answered`),
        error => results.push(`${name} ${error.message}`),
      );
    note("long", ask("b.example", 10_000));
    note("short", ask("b.example", 1_000));
    note("middle", ask("b.example", 5_000));
    await clock.advance(999);
    expect(results).toEqual([]);
    await clock.advance(1);
    expect(results).toEqual(["short b.example: no answer within 1 s"]);
    answer("b.example", ids[2]);
    await clock.advance(9_000);
    expect(results.slice(1)).toEqual(["middle answered", "long b.example: no answer within 10 s"]);
    expect(requests.pending).toBe(0);
    await clock.advance(60_000);
    expect(clock.sleepers).toBe(0);
  });

  it("abortable before and while waiting; bounded in number", async () => {
    const { ask, requests } = setUp(2);
    const leave = new AbortController();
    const asked = ask("b.example", 1_000, leave.signal);
    ask("b.example");
    await expect(ask("b.example")).rejects.toMatchObject({ kind: "busy" });
    leave.abort(new Error("left"));
    await expect(asked).rejects.toThrow("left");
    await expect(ask("b.example", 1_000, leave.signal)).rejects.toThrow("left");
    expect(requests.pending).toBe(1);
    const last = ask("b.example");
    requests.rejectAll(new Error("gone"));
    await expect(last).rejects.toThrow("gone");
    expect(requests.pending).toBe(0);
  });
});

describe("stream management", () => {
  it("XEP-0198: what is acknowledged leaves in order; what was never sent is an error", () => {
    const one = createManagement();
    one.sent({ text: "before" });
    expect(one.unacknowledged).toBe(0);
    one.enabled("id");
    for (const text of ["a", "b", "c"]) one.sent({ text });
    expect(one.acknowledge("2").map(({ text }) => text)).toEqual(["a", "b"]);
    expect(one.acknowledge("2")).toEqual([]);
    expect(one.unacknowledgedChars).toBe(1);
    for (const wrong of ["4", "1", "-1", "", "x", undefined, "4294967299"]) {
      expect(() => one.acknowledge(wrong)).toThrow(CountError);
    }
    expect(one.forget().map(({ text }) => text)).toEqual(["c"]);
    expect(one.previous).toBeUndefined();
  });
});

describe("liveness", () => {
  const watch = (outstanding = 0) => {
    const clock = manualClock();
    const stop = new AbortController();
    const seen: string[] = [];
    let heardAt = clock.monotonic();
    const liveness = createLiveness({
      clock,
      pingMs: 60_000,
      pingAnswerMs: 15_000,
      heardAt: () => heardAt,
      outstanding: () => outstanding,
      ping: () => void seen.push(`ping at ${clock.monotonic() / 1000}`),
      dead: reason => void seen.push(reason),
    });
    const running = liveness.run(stop.signal);
    return {
      clock,
      seen,
      liveness,
      hear: () => {
        heardAt = clock.monotonic();
      },
      async stop() {
        stop.abort();
        await running;
        expect(clock.sleepers).toBe(0);
      },
    };
  };

  it("peers B 47: a ping after silence, and the end when it is not answered", async () => {
    const { clock, seen, liveness, hear, stop } = watch();
    await clock.advance(30_000);
    hear();
    await clock.advance(59_999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["ping at 90"]);
    hear();
    liveness.answered();
    await clock.advance(120_000);
    expect(seen).toEqual(["ping at 90", "ping at 150", "the broker has not answered for 15 s"]);
    await stop();
  });

  it("an acknowledgement that was asked for is waited for, longer when much is on its way", async () => {
    const quick = watch();
    quick.liveness.asked();
    await quick.clock.advance(14_000);
    quick.liveness.answered();
    quick.liveness.asked();
    await quick.clock.advance(14_000);
    expect(quick.seen).toEqual([]);
    await quick.clock.advance(1_000);
    expect(quick.seen).toEqual(["the broker has not answered for 15 s"]);
    await quick.stop();
    const slow = watch(400_000);
    slow.liveness.asked();
    slow.hear();
    await slow.clock.advance(114_000);
    expect(slow.seen.filter(one => one.startsWith("the"))).toEqual([]);
    await slow.clock.advance(1_000);
    expect(slow.seen.at(-1)).toBe("the broker has not answered for 115 s");
    await slow.stop();
  });
});
