// What of our log goes to a log elsewhere, in which form, and how much of it: driven through the real sender, looked at as XML.

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog, type Log, type LogEvent } from "#base/log.ts";
import { createEventLog, type EventLog, type EventLogDeps, neverSent } from "#iot/event-log.ts";
import { eventLogNs, log as logCodec } from "#iot/event-log.wire.ts";
import { eventOf, toldFacts } from "#iot/event-of-line.ts";
import { child, type Element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { Disconnected } from "#xmpp/connection.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";

const own = "gw9@hub.example";
const to = "log.hub.example";
const node = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "line-1" };

let clock: ManualClock;
let sent: Element[];
let local: LogEvent[];
let stop: AbortController;
let running: Promise<void>;
let online: boolean;
let sending: (stanza: Element) => void;

function start(options: Partial<Pick<EventLogDeps, "destination" | "level" | "stored">> = {}): {
  events: EventLog;
  log: Log;
} {
  const events: EventLog = createEventLog({
    connection: {
      get jid() {
        if (!online) throw new Disconnected("not yet");
        return `${own}/8f2c-1`;
      },
      get online() {
        return online;
      },
      send: stanza => sending(stanza),
    },
    destination: () => to,
    level: "notice",
    stored: false,
    clock,
    log: createLog(line => log("again", line)),
    ...options,
  });
  // As in the program: what the sender itself says goes the same way as all other lines.
  const log = (_: string, line: LogEvent) => {
    local.push(line);
    events.take(line);
  };
  running = events.run(stop.signal);
  return { events, log: createLog(line => log("line", line)) };
}

beforeEach(() => {
  clock = manualClock(Date.UTC(2026, 0, 5, 8, 0, 0, 7));
  sent = [];
  local = [];
  stop = new AbortController();
  online = true;
  sending = stanza => void sent.push(parse(format(stanza)));
});
afterEach(async () => {
  stop.abort();
  await running;
});
const settle = () => clock.advance(0);
const logIn = (message: Element | undefined) =>
  logCodec.decode(child(message as Element, "log", eventLogNs) as Element);
const ids = () => sent.map(one => logIn(one).id);

describe("LOG-SND-01: nothing is sent unless told where to", () => {
  it("not a word without a destination, and nothing is kept for one that is named later", async () => {
    let destination: string | undefined;
    const { log, events } = start({ destination: () => destination });
    log.error("driver-failed", { node });
    await settle();
    expect(events.waiting).toBe(0);
    destination = to;
    events.wake();
    await settle();
    expect(sent).toEqual([]);
    log.error("driver-failed", { node });
    await settle();
    expect(sent.map(({ attrs }) => attrs.to)).toEqual([to]);
  });

  it("what waited for one destination is not told to the next", async () => {
    let destination = to;
    const { log, events } = start({ destination: () => destination });
    online = false;
    log.warning("SpoofedStanza", { from: "x@evil.example" });
    destination = "other.hub.example";
    online = true;
    events.wake();
    await settle();
    expect(sent).toEqual([]);
  });
});

describe("LOG-SND-02: exact times, stable names, who did what where", () => {
  it("as the document has it", async () => {
    const { log } = start();
    log.warning("SpoofedStanza", {
      element: "claimed",
      from: "x@evil.example/res",
      registry: "things.hub.example",
      node,
    });
    await settle();
    expect(format(sent[0] as Element, "jabber:client")).toBe(
      `<message to='${to}' type='normal' xml:lang='en'>` +
        "<log xmlns='urn:xmpp:eventlog' timestamp='2026-01-05T08:00:00.007Z' type='Warning' level='Major' id='SpoofedStanza' object='mbus-12' subject='x@evil.example' facility='gw9@hub.example' module='isthmus'>" +
        "<message>Spoofed stanza</message><tag name='element' value='claimed' type='xs:string'/><tag name='registry' value='things.hub.example' type='xs:string'/></log>" +
        "<no-store xmlns='urn:xmpp:hints'/></message>",
    );
  });

  it("levels of the log are types of the event; what weighs is Major", () => {
    const of = (level: LogEvent["level"], event: string) => {
      const { type, level: weight } = eventOf({ level, event, facts: {} }, 0, own);
      return `${type.is} ${weight.is}`;
    };
    expect([
      of("info", "CacheCleared"),
      of("notice", "ready"),
      of("warning", "device-lost"),
      of("error", "task-failed"),
    ]).toEqual(["Informational Minor", "Notice Minor", "Warning Medium", "Error Major"]);
    expect(of("warning", "LoginFailed")).toBe("Warning Major");
  });

  it("no resource of anybody's, whoever is meant, and none of our own in any text (PRES-ID-02)", () => {
    const line = {
      level: "warning" as const,
      event: "xmpp-offline",
      facts: {
        to: "ana@home.example/phone",
        reason: `${own}/8f2c-1 was replaced, said ${own}/8f2c-1.`,
        by: `${own}/8f2c-1`,
      },
    };
    const text = format(logCodec.encode(eventOf(line, 0, own), eventLogNs));
    expect(text).not.toMatch(/8f2c|phone/);
    expect(text).toContain(`${own} was replaced`);
  });

  it("noted before the first log-in, it is told afterwards, with the account and the time it happened", async () => {
    online = false;
    const { log, events } = start();
    log.warning("LoginFailed", { condition: "not-authorized" });
    await clock.advance(60_000);
    expect(sent).toEqual([]);
    online = true;
    events.wake();
    await settle();
    expect(logIn(sent[0])).toMatchObject({
      id: "LoginFailed",
      facility: own,
      timestamp: Date.UTC(2026, 0, 5, 8, 0, 0, 7),
    });
  });
});

it("LOG-SND-03: language, no body, and a receiver's broker keeps them only where that is wanted", async () => {
  const { log } = start({ stored: true });
  log.notice("ready", { nodes: 3 });
  await settle();
  const [message] = sent as [Element];
  expect(message.attrs["xml:lang"]).toBe("en");
  expect(message.children.map(one => (typeof one === "string" ? one : one.name))).toEqual(["log"]);
});

describe("LOG-SND-04: what is private stays", () => {
  it("a fact that is not in the list of what may leave does not leave", async () => {
    const { log } = start();
    log.warning("device-lost", {
      node,
      password: "hunter2",
      claimKey: "k",
      form: "12.3",
      whatever: "13.4",
      uri: "iotdisco:KEY=1",
    });
    await settle();
    expect(logIn(sent[0]).tags).toEqual([]);
    expect(format(sent[0] as Element)).not.toMatch(/hunter2|12\.3|13\.4|iotdisco/);
  });

  it("what was written to a device is not told, and not in the words of its refusal", async () => {
    const { log } = start({ level: "info" });
    const error = new Error("21.5 is more than the 20 it takes");
    log.notice("controlled", {
      by: "ana@home.example",
      nodes: [node],
      parameter: "Setpoint",
      was: "19",
      value: "21.5",
      outcome: "confirmed",
    });
    log.notice("not-controlled", {
      by: "ana@home.example",
      nodes: [node],
      parameter: "Setpoint",
      value: "21.5",
      error,
    });
    log.notice("control-refused", { from: "ana@home.example/x", nodes: [node], values: { Setpoint: "21.5" }, error });
    await settle();
    expect(sent).toHaveLength(3);
    for (const one of sent) expect(format(one)).not.toMatch(/21\.5|'19'/);
    expect(logIn(sent[0]).tags.map(({ name }) => name)).toEqual(["parameter", "outcome"]);
  });

  it("secrets inside texts are blacked out", async () => {
    const { log } = start();
    log.error("task-failed", { error: new Error("mqtt://ana:hunter2@broker:1883 refused KEY=abcdef") });
    await settle();
    expect(format(sent[0] as Element)).not.toMatch(/hunter2|abcdef/);
    expect(logIn(sent[0]).stackTrace).toContain("Error");
  });

  it("no fact that may leave is called like a secret or like a value", () => {
    expect(
      [...toldFacts].filter(name =>
        /pass|secret|token|key|cred|value|was|form|field|uri|code|param(?!eter$)/i.test(name),
      ),
    ).toEqual([]);
  });
});

describe("LOG-SND-05: bounded while nobody is there, at a bounded rate, alike ones as one", () => {
  it("a thousand wait, the oldest go, and how many were lost is told first", async () => {
    online = false;
    const { log, events } = start();
    for (let n = 0; n < 1_200; n++) log.warning("device-lost", { node: { ...node, nodeId: `n${n}` } });
    expect(events.waiting).toBe(1_000);
    online = true;
    events.wake();
    await clock.advance(200_000);
    expect(sent).toHaveLength(1_001);
    expect(logIn(sent[0])).toMatchObject({
      id: "EventsLost",
      tags: [{ name: "count", value: "200", type: "xs:long" }],
    });
    expect([logIn(sent[1]).object, logIn(sent.at(-1)).object]).toEqual(["n200", "n1199"]);
  });

  it("a hundred at once, then ten a second", async () => {
    const { log } = start();
    for (let n = 0; n < 500; n++) log.warning("device-lost", { node: { ...node, nodeId: `n${n}` } });
    await settle();
    expect(sent).toHaveLength(100);
    await clock.advance(10_000);
    expect(sent.length).toBeGreaterThanOrEqual(195);
    expect(sent.length).toBeLessThanOrEqual(201);
    await clock.advance(60_000);
    expect(sent).toHaveLength(500);
  });

  it("identical events that wait become one with their count", async () => {
    online = false;
    const { log, events } = start();
    for (let n = 0; n < 70; n++) {
      log.warning("SpoofedStanza", { from: "x@evil.example", element: "claimed" });
      await clock.advance(1_000);
    }
    log.warning("SpoofedStanza", { from: "y@evil.example", element: "claimed" });
    online = true;
    events.wake();
    await settle();
    expect(sent.map(one => [logIn(one).subject, logIn(one).tags.at(-1)?.value])).toEqual([
      ["x@evil.example", "70"],
      ["y@evil.example", "claimed"],
    ]);
  });

  it("a failing sink makes no event: neither when sending throws, nor of what it logs meanwhile", async () => {
    let failing = true;
    let noisy: Log | undefined;
    const { log, events } = start();
    noisy = log;
    sending = stanza => {
      noisy.error("request-failed", { error: "of the sending itself" });
      if (failing) throw new Error("the outbox is full");
      sent.push(stanza);
    };
    log.warning("device-lost", { node });
    await clock.advance(60_000);
    expect(sent).toEqual([]);
    expect(events.waiting).toBe(1);
    for (const event of neverSent) log.error(event, {});
    log.warning("RateLimited", { from: `${to}/x` });
    expect(events.waiting).toBe(1);
    failing = false;
    await clock.advance(60_000);
    expect(ids()).toEqual(["device-lost"]);
  });

  it("below the level that was asked for only what concerns security is told", async () => {
    const { log } = start({ level: "warning" });
    log.info("push-answered");
    log.notice("ready");
    log.info("CacheCleared", { node: "all", kept: 0 });
    log.debug("Whatever");
    log.warning("device-lost", { node });
    await settle();
    expect(ids()).toEqual(["CacheCleared", "device-lost"]);
  });
});

describe("LOG-SND-06: texts are bounded and valid", () => {
  it("line breaks stay, what XML cannot carry does not", async () => {
    const { log } = start();
    log.warning("node-failed", { node, why: "one\ntwo\u0000\u0008\ud800 three" });
    await settle();
    expect(logIn(sent[0]).message.text).toBe("Node failed: one\ntwo\ufffd\ufffd\ufffd three");
  });

  it("four kibibytes of text, eight of stack, thirty-two tags, cut between characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), unit => {
        const error = new Error(unit.repeat(3_000));
        error.stack = unit.repeat(9_000);
        const entry = eventOf({ level: "error", event: "x", facts: { error } }, 0, own);
        const bytes = (text = "") => new TextEncoder().encode(text).length;
        expect(bytes(entry.message.text)).toBeLessThanOrEqual(4_096);
        expect(bytes(entry.stackTrace)).toBeLessThanOrEqual(8_192);
        expect(entry.message.text.isWellFormed()).toBe(true);
      }),
      { numRuns: 30 },
    );
    const facts = Object.fromEntries([...toldFacts].map(name => [name, 1]));
    expect(Object.keys(facts).length).toBeGreaterThan(32);
    expect(eventOf({ level: "info", event: "x", facts }, 0, own).tags).toHaveLength(32);
  });
});

describe("LOG-SND-07: a destination that bounces rests, and there is no other", () => {
  it("ten minutes; meanwhile all wait, bounded; what came back is counted as lost", async () => {
    const { log, events } = start();
    log.warning("device-lost", { node });
    await settle();
    events.bounced("somebody@else.example");
    events.bounced(to);
    events.bounced(`${to}/x`);
    log.warning("LoginFailed", {});
    await clock.advance(599_000);
    expect(sent).toHaveLength(1);
    expect(local.filter(({ event }) => event === "event-log-refused")).toHaveLength(1);
    await clock.advance(2_000);
    expect(ids()).toEqual(["device-lost", "EventsLost", "LoginFailed"]);
    expect(sent.every(({ attrs }) => attrs.to === to)).toBe(true);
    expect(logIn(sent[1]).tags[0]?.value).toBe("2");
  });
});
