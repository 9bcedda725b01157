// The router's rules: one reply an iq, who is let in, what an unknown or broken request gets, and what a bug gives away.

import { describe, expect, it } from "vitest";
import { createLog, type LogEvent } from "#base/log.ts";
import { Refusal, type RefusalKind } from "#contract/faults.ts";
import { createLanguages } from "#contract/language.ts";
import { attr, element as codec, WireError } from "#xml/codec.ts";
import { type Element, element, elements, format } from "#xml/element.ts";
import { int32, oneOf } from "#xml/scalars.ts";
import { createRouter, type IqRequest, type MessageRoute, type Route, type RouterDeps, route } from "#xmpp/router.ts";
import { clientNs, decodeError, StanzaError } from "#xmpp/stanza.ts";
import { manualClock } from "../support/manual-clock.ts";

const ns = "urn:test";
const friend = "friend@a.example/phone";

function setUp(routes: readonly Route[], more: Partial<RouterDeps> & { messages?: readonly MessageRoute[] } = {}) {
  const replies: Element[] = [];
  const logged: LogEvent[] = [];
  const clock = manualClock();
  const router = createRouter({
    routes,
    messages: [],
    gate: bare => bare === "friend@a.example",
    reply: stanza => void replies.push(stanza),
    clock,
    log: createLog(event => void logged.push(event)),
    signal: new AbortController().signal,
    concurrentMax: 2,
    replayMs: 60_000,
    replaysMax: 3,
    ...more,
  });
  const ask = async (attrs: Record<string, string | undefined>, ...children: Element[]) => {
    const before = replies.length;
    await router.iq(
      element("iq", clientNs, { type: "get", id: "1", from: friend, to: "edge@a.example/r", ...attrs }, children),
    );
    expect(replies.length - before).toBeLessThanOrEqual(1);
    return replies[before];
  };
  return { router, replies, logged, clock, ask };
}

const conditionOf = (reply: Element | undefined): string =>
  reply === undefined ? "no reply" : reply.attrs.type === "error" ? decodeError(reply).condition : "result";

const simple = (handle: Route["handle"] = async () => undefined, more: Partial<Route> = {}): Route => ({
  types: ["get"],
  ns,
  name: "q",
  handle,
  ...more,
});
const q = element("q", ns);

describe("requests", () => {
  it("COM-STZ-04: one reply, to the asker, with the id, from the address that was asked", async () => {
    const { ask } = setUp([simple(async () => element("r", ns))]);
    expect(await ask({ id: "x7" }, q)).toEqual(
      element("iq", clientNs, { type: "result", id: "x7", to: friend, from: "edge@a.example/r" }, [element("r", ns)]),
    );
  });

  it("COM-STZ-01, COM-STZ-02: unknown element, unknown namespace, wrong type", async () => {
    const { ask, router } = setUp([simple()]);
    expect(conditionOf(await ask({}, element("other", ns)))).toBe("feature-not-implemented");
    expect(conditionOf(await ask({}, element("q", "urn:elsewhere")))).toBe("service-unavailable");
    expect(conditionOf(await ask({ type: "set" }, q))).toBe("feature-not-implemented");
    expect(conditionOf(await ask({ type: "put" }, q))).toBe("bad-request");
    expect(conditionOf(await ask({ type: undefined }, q))).toBe("bad-request");
    expect(conditionOf(await ask({}))).toBe("bad-request");
    expect(router.features).toEqual([ns]);
  });

  it("COM-STZ-05: the payload of a result is its first child, and its only one", async () => {
    const { ask } = setUp([simple(async () => element("r", ns, {}, [element("inner", ns)]))]);
    expect((await ask({}, q))?.children).toEqual([element("r", ns, {}, [element("inner", ns)])]);
    // What stands before it in a request is white space; what stands behind it is not looked at.
    expect(conditionOf(await ask({}, q, element("other", ns)))).toBe("result");
    expect(conditionOf(await ask({}, element("other", ns), q))).toBe("feature-not-implemented");
  });

  it("COM-STZ-07: names are letter by letter, the order of attributes is nothing", async () => {
    const seen: unknown[] = [];
    const asked = codec("q", { first: attr("first", int32), second: attr("second", oneOf("Left", "Right")) });
    const { ask } = setUp([route(["get"], ns, asked, async value => void seen.push(value))]);
    for (const attrs of [
      { first: "1", second: "Left" },
      { second: "Left", first: "1" },
    ]) {
      expect(conditionOf(await ask({}, element("q", ns, attrs)))).toBe("result");
    }
    expect(seen).toEqual([
      { first: 1, second: "Left" },
      { first: 1, second: "Left" },
    ]);
    expect(conditionOf(await ask({}, element("q", ns, { First: "1", second: "Left" })))).toBe("bad-request");
    expect(conditionOf(await ask({}, element("q", ns, { first: "1", second: "left" })))).toBe("bad-request");
    expect(conditionOf(await ask({}, element("Q", ns, { first: "1", second: "Left" })))).toBe(
      "feature-not-implemented",
    );
  });

  it("COM-LANG-01: the element's language goes before the stanza's, and an empty one is none", async () => {
    const languages = createLanguages({ sv: {}, de: {} }, "de");
    const asked: string[] = [];
    const { ask } = setUp([simple(async ({ language }) => void asked.push(language))], { languages });
    const inLanguage = (tag: string) => element("q", ns, { "xml:lang": tag });
    await ask({ "xml:lang": "en" }, inLanguage("sv-FI"));
    await ask({ "xml:lang": "sv" }, inLanguage(""));
    await ask({ "xml:lang": "sv" }, q);
    await ask({}, q);
    expect(asked).toEqual(["sv", "sv", "sv", "de"]);
  });

  it("COM-LANG-04: the words of an error are in the asker's language where they can be, and say which they are in", async () => {
    const languages = createLanguages({ sv: { "There is no such node.": "Det finns ingen sådan nod." } });
    const refusing = (text: string) =>
      simple(async () => {
        throw new Refusal("not-found", text);
      });
    const textOfRefusal = async (text: string, tag: string) => {
      const reply = await setUp([refusing(text)], { languages }).ask({ "xml:lang": tag }, q);
      const said = elements(elements(reply as Element)[0] as Element).find(one => one.name === "text");
      return [said?.attrs["xml:lang"], ...(said?.children ?? [])];
    };
    expect(await textOfRefusal("There is no such node.", "sv-SE")).toEqual(["sv", "Det finns ingen sådan nod."]);
    expect(await textOfRefusal("Not translated.", "sv")).toEqual(["en", "Not translated."]);
    expect(await textOfRefusal("There is no such node.", "")).toEqual(["en", "There is no such node."]);
  });

  it("results and errors are never answered, nor what has no id", async () => {
    const { ask } = setUp([simple()]);
    for (const attrs of [{ type: "result" }, { type: "error" }, { id: undefined }]) {
      expect(await ask(attrs, q)).toBeUndefined();
    }
  });

  it("PRES-IQ-01, COM-STZ-11: strangers and those without an address get forbidden, unread", async () => {
    let handled = 0;
    const codecs = codec("n", { value: attr("value", int32) });
    const { ask } = setUp([
      simple(async () => void handled++),
      route(["get"], ns, codecs, async () => void handled++),
      simple(async () => element("open", ns), { name: "open", access: "anyone" }),
    ]);
    const stranger = { from: "eve@b.example/x" };
    expect(conditionOf(await ask(stranger, q))).toBe("forbidden");
    // Not even whether it exists, is well-formed or of the right type is told.
    expect(conditionOf(await ask(stranger, element("n", ns)))).toBe("forbidden");
    expect(conditionOf(await ask(stranger, element("none", "urn:none")))).toBe("forbidden");
    expect(conditionOf(await ask({ ...stranger, type: "set" }, q))).toBe("forbidden");
    expect(conditionOf(await ask(stranger, element("open", ns)))).toBe("result");
    for (const from of [undefined, "", "@", "a b@c"]) expect(conditionOf(await ask({ from }, q))).toBe("forbidden");
    expect(handled).toBe(0);
  });

  it("the sender is normalised before it is judged and handed on", async () => {
    let seen: IqRequest | undefined;
    const { ask } = setUp([
      simple(async request => {
        seen = request;
        return undefined;
      }),
    ]);
    expect(conditionOf(await ask({ from: "Friend@A.EXAMPLE/Phone", "xml:lang": "sv" }, q))).toBe("result");
    expect(seen).toMatchObject({ from: "friend@a.example/Phone", fromBare: "friend@a.example", language: "sv" });
  });

  it("COM-ERR-01: each refusal is its stanza error, with its words", async () => {
    const kinds: Record<RefusalKind, string> = {
      "bad-request": "bad-request",
      "not-found": "item-not-found",
      denied: "forbidden",
      unsupported: "feature-not-implemented",
      busy: "resource-constraint",
      conflict: "conflict",
      "not-acceptable": "not-acceptable",
      "not-allowed": "not-allowed",
    };
    for (const [kind, condition] of Object.entries(kinds)) {
      const { ask } = setUp([
        simple(async () => {
          throw new Refusal(kind as RefusalKind, "the reason");
        }),
      ]);
      const reply = await ask({}, q);
      expect(conditionOf(reply)).toBe(condition);
      expect(decodeError(reply as Element).text).toBe("the reason");
    }
  });

  it("COM-LEX-07: bad XML is refused once, with the path of the fault", async () => {
    const codecs = codec("n", { value: attr("value", int32) });
    const { ask } = setUp([route(["get"], ns, codecs, async ({ value }) => element("r", ns, { v: String(value) }))]);
    const reply = (await ask({}, element("n", ns, { value: "one" }))) as Element;
    expect(conditionOf(reply)).toBe("bad-request");
    expect(decodeError(reply).text).toContain("n@value");
    expect(conditionOf(await ask({}, element("n", ns, { value: "1" })))).toBe("result");
  });

  it("a bug is internal-server-error without a word about it outside, and whole in the log", async () => {
    const { ask, logged } = setUp([
      simple(async () => {
        throw new Error("secret path /var/lib");
      }),
      simple(
        () => {
          throw new TypeError("at once");
        },
        { name: "sync" },
      ),
    ]);
    const reply = (await ask({}, q)) as Element;
    expect(conditionOf(reply)).toBe("internal-server-error");
    expect(format(reply)).not.toContain("secret");
    expect(logged.find(one => one.event === "request-failed")?.facts.error).toMatchObject({
      message: "secret path /var/lib",
    });
    expect(conditionOf(await ask({}, element("sync", ns)))).toBe("internal-server-error");
  });

  it("more at once than bounded are refused, and room is made again", async () => {
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const { ask, router, replies } = setUp([
      simple(async () => void (await held)),
      simple(undefined, { name: "fast" }),
    ]);
    const iq = (id: string) => element("iq", clientNs, { type: "get", id, from: friend }, [q]);
    const slow = [router.iq(iq("a")), router.iq(iq("b"))];
    expect(conditionOf(await ask({ id: "c" }, element("fast", ns)))).toBe("resource-constraint");
    release();
    await Promise.all(slow);
    expect(conditionOf(await ask({ id: "d" }, element("fast", ns)))).toBe("result");
    expect(replies).toHaveLength(4);
  });

  it("of one JID, with however many resources, so many: another one is answered", async () => {
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const { router, ask, replies } = setUp(
      [
        simple(async () => {
          await held;
          return undefined;
        }),
        simple(async () => undefined, { name: "fast" }),
      ],
      { concurrentMax: 10, concurrentPerCallerMax: 3, gate: () => true },
    );
    const slow = [1, 2, 3].map(at =>
      router.iq(element("iq", clientNs, { type: "get", id: `${at}`, from: `friend@a.example/${at}` }, [q])),
    );
    expect(conditionOf(await ask({ id: "c" }, element("fast", ns)))).toBe("resource-constraint");
    expect(conditionOf(await ask({ id: "d", from: "other@a.example/1" }, element("fast", ns)))).toBe("result");
    release();
    await Promise.all(slow);
    expect(conditionOf(await ask({ id: "e" }, element("fast", ns)))).toBe("result");
    expect(replies).toHaveLength(6);
  });

  it("a reply that cannot be sent is a line in the log", async () => {
    const { ask, logged } = setUp([simple()], {
      reply: () => {
        throw new Refusal("busy", "full");
      },
    });
    await ask({}, q);
    expect(logged.map(one => one.event)).toEqual(["reply-lost"]);
  });

  it("two routes for the same element are a mistake of ours", () => {
    expect(() => setUp([simple(), simple()])).toThrow(/two routes/);
  });
});

describe("COM-STZ-12, PRES-REP-01: a repeated set", () => {
  const counting = () => {
    let runs = 0;
    const set = setUp([simple(async () => element("r", ns, { run: String(++runs) }), { types: ["set"] })]);
    const run = async (attrs: Record<string, string> = {}, payload = q) =>
      (await set.ask({ type: "set", ...attrs }, payload))?.children[0] as Element;
    return { ...set, run };
  };

  it("gets the stored reply: same sender, id and content within the time", async () => {
    const { run, clock } = counting();
    expect((await run()).attrs.run).toBe("1");
    expect((await run()).attrs.run).toBe("1");
    expect((await run({ id: "2" })).attrs.run).toBe("2");
    expect((await run({ from: "friend@a.example/tablet" })).attrs.run).toBe("3");
    expect((await run({}, element("q", ns, { x: "1" }))).attrs.run).toBe("4");
    await clock.advance(60_001);
    expect((await run()).attrs.run).toBe("5");
  });

  it("is remembered up to a bound of bytes, the oldest forgotten first", async () => {
    let runs = 0;
    const { ask } = setUp(
      [simple(async () => element("r", ns, { run: String(++runs) }, ["x".repeat(1_000)]), { types: ["set"] })],
      { replaysMax: 100, replayBytesMax: 2_500 },
    );
    const run = async (id: string) =>
      ((await ask({ type: "set", id }, q))?.children[0] as Element | undefined)?.attrs.run;
    expect([await run("1"), await run("2"), await run("1"), await run("2")]).toEqual(["1", "2", "1", "2"]);
    expect([await run("3"), await run("2"), await run("3")]).toEqual(["3", "2", "3"]);
    expect(await run("1")).toBe("4");
  });

  it("a get is read again, unless its route changes something", async () => {
    const runs = { read: 0, change: 0 };
    const change = element("change", ns);
    const { ask } = setUp([
      simple(async () => element("r", ns, { run: String(++runs.read) })),
      { ...simple(async () => element("r", ns, { run: String(++runs.change) })), name: "change", changes: true },
    ]);
    const run = async (payload: Element) => {
      const reply = await ask({ type: "get" }, payload);
      return (reply?.children[0] as Element | undefined)?.attrs.run;
    };
    expect([await run(q), await run(q)]).toEqual(["1", "2"]);
    expect([await run(change), await run(change)]).toEqual(["1", "1"]);
  });

  it("while the first is still running waits for it", async () => {
    let runs = 0;
    let release = () => {};
    const held = new Promise<void>(resolve => {
      release = resolve;
    });
    const { router, replies } = setUp([
      simple(
        async () => {
          runs++;
          await held;
          return undefined;
        },
        { types: ["set"] },
      ),
    ]);
    const iq = element("iq", clientNs, { type: "set", id: "1", from: friend }, [q]);
    const both = [router.iq(iq), router.iq(iq)];
    release();
    await Promise.all(both);
    expect(runs).toBe(1);
    expect(replies).toHaveLength(2);
  });

  it("is remembered a bounded number of times", async () => {
    const { run } = counting();
    for (const id of ["1", "2", "3", "4", "5", "6"]) await run({ id });
    expect((await run({ id: "6" })).attrs.run).toBe("6");
    expect((await run({ id: "1" })).attrs.run).toBe("7");
  });
});

describe("messages", () => {
  const listen = (handle: MessageRoute["handle"], access?: "anyone"): MessageRoute => ({
    ns,
    name: "m",
    handle,
    ...(access && { access }),
  });
  const message = (from: string | undefined, ...children: Element[]) =>
    element("message", clientNs, { from }, children);

  it("PRES-IQ-03: go to their route from contacts only; strangers, errors and unknown payloads are dropped in silence", async () => {
    const seen: string[] = [];
    const { router, replies } = setUp([], {
      messages: [listen(({ fromBare, payload }) => void seen.push(`${fromBare} ${payload.attrs.n}`))],
    });
    const m = (n: string) => element("m", ns, { n });
    await router.message(message(friend, element("x", "urn:x"), m("1"), m("2")));
    await router.message(message("eve@b.example/x", m("3")));
    await router.message(message(undefined, m("4")));
    await router.message({ ...message(friend, m("5")), attrs: { from: friend, type: "error" } });
    expect(seen).toEqual(["friend@a.example 1", "friend@a.example 2"]);
    expect(replies).toEqual([]);
  });

  it("a handler that throws costs that payload only", async () => {
    const seen: string[] = [];
    const { router, logged } = setUp([], {
      messages: [
        listen(({ payload }) => {
          if (payload.attrs.n === "1") throw new WireError("m@n", "bad");
          seen.push(payload.attrs.n ?? "");
        }),
      ],
    });
    await router.message(message(friend, element("m", ns, { n: "1" }), element("m", ns, { n: "2" })));
    expect(seen).toEqual(["2"]);
    expect(logged.map(one => one.event)).toEqual(["message-ignored"]);
  });

  it("a handler may say precisely what is wrong", async () => {
    const { ask } = setUp([
      simple(async () => {
        throw new StanzaError("wait", "remote-server-timeout", "later", [element("hint", "urn:hint")]);
      }),
    ]);
    const error = decodeError((await ask({}, q)) as Element);
    expect(error).toMatchObject({ type: "wait", condition: "remote-server-timeout", text: "later" });
    expect(error.details).toEqual([element("hint", "urn:hint")]);
  });
});
