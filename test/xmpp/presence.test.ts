// Roster and consent on the wire: who may see us, what a push may do, what ends when consent ends.

import { describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Consent, createGate, createPresence } from "#xmpp/presence.ts";
import { createRoster } from "#xmpp/roster.ts";
import { createRouter } from "#xmpp/router.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { manualClock } from "../support/manual-clock.ts";

const own = "gw@hub.example/x1";
const bob = "bob@city.example";

function createScene(items = "") {
  const clock = manualClock();
  const stop = new AbortController();
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  /** Everything that left, in order. */
  const left: string[] = [];
  const replies: string[] = [];
  const gone: string[] = [];
  const withdrawn: string[] = [];
  const asked: string[] = [];
  const former = new Set<string>();
  let server = items;
  let rule: (jid: string, signal: AbortSignal) => Promise<Consent> = async () => "decline";

  const connection = {
    jid: own,
    send: (stanza: Element) => void left.push(format(stanza, "jabber:client")),
    async request(type: "get" | "set", to: string | undefined, payload: Element) {
      left.push(`${type} ${to ?? "-"} ${format(payload)}`);
      if (type === "set") {
        if (payload.children.length > 0 && format(payload).includes("nobody@"))
          throw new StanzaError("cancel", "item-not-found");
        return undefined;
      }
      return parse(`<query xmlns='jabber:iq:roster'>${server}</query>`);
    },
  };
  const roster = createRoster({ connection, log });
  const presence = createPresence({
    connection,
    roster,
    decide(jid, signal) {
      asked.push(jid);
      return rule(jid, signal);
    },
    caps: () => element("c", "http://jabber.org/protocol/caps", { ver: "v" }),
    gone: jid => void gone.push(jid),
    withdrawn: jid => void withdrawn.push(jid),
    isFormer: jid => former.delete(jid),
    clock,
    log,
    signal: stop.signal,
  });
  const services = new Set(["things.hub.example"]);
  const gate = createGate({ connection, roster, services: () => services });
  const router = createRouter({
    routes: roster.routes,
    messages: [],
    gate,
    reply: stanza => void replies.push(format(stanza, "jabber:client")),
    clock,
    log: silentLog,
    signal: stop.signal,
    concurrentMax: 10,
    replayMs: 1000,
    replaysMax: 10,
  });
  let ids = 0;
  return {
    clock,
    events,
    left,
    replies,
    gone,
    withdrawn,
    asked,
    former,
    roster,
    presence,
    gate,
    stop,
    serverSays: (items: string) => (server = items),
    decideBy: (by: typeof rule) => (rule = by),
    comes: async (type: string, from: string) => {
      presence.receive(
        parse(
          `<presence xmlns='jabber:client' from='${from}' to='gw@hub.example'${type === "" ? "" : ` type='${type}'`}/>`,
        ),
      );
      await clock.advance(0);
    },
    push: (item: string, from = "gw@hub.example") =>
      router.iq(
        parse(
          `<iq xmlns='jabber:client' type='set' id='p${++ids}' from='${from}'><query xmlns='jabber:iq:roster'>${item}</query></iq>`,
        ),
      ),
  };
}

const item = (jid: string, subscription: string) => `<item jid='${jid}' subscription='${subscription}'/>`;
const presenceTo = (jid: string, type: string) => `<presence to='${jid}' type='${type}'/>`;

describe("roster", () => {
  it("PRES-OUT-01: is fetched before we show ourselves, with caps", async () => {
    const { presence, left, roster } = createScene(item(bob, "both"));
    await presence.announce(new AbortController().signal);
    expect(left).toEqual([
      "get - <query xmlns='jabber:iq:roster'/>",
      "<presence><c xmlns='http://jabber.org/protocol/caps' ver='v'/></presence>",
    ]);
    expect(roster.contact(bob)).toEqual({ jid: bob, subscription: "both", asked: false });
  });

  it("EV-END-01, SD-RESP-17: who left while we were away is gone a while after we are back, who is still there is not", async () => {
    const { presence, comes, gone, clock } = createScene(item(bob, "both"));
    await presence.announce(new AbortController().signal);
    for (const resource of ["phone", "desk"]) await comes("", `${bob}/${resource}`);
    await clock.advance(120_000);
    expect(gone).toEqual([]);
    const lost = new AbortController();
    await presence.announce(lost.signal);
    // And lost again before anything was heard.
    lost.abort();
    await presence.announce(new AbortController().signal);
    await comes("", `${bob}/desk`);
    await clock.advance(59_000);
    expect(gone).toEqual([]);
    await clock.advance(2_000);
    expect(gone).toEqual([`${bob}/phone`]);
    await clock.advance(120_000);
    expect(gone).toHaveLength(1);
  });

  it("PRES-IQ-04: pushes from our own server are taken and acknowledged", async () => {
    const { push, roster, replies } = createScene();
    await push(item("Bob@City.Example", "from"));
    expect(roster.consented(bob)).toBe(true);
    await push(item(bob, "remove"));
    expect(roster.contact(bob)).toBeUndefined();
    expect(replies).toEqual([expect.stringContaining("type='result'"), expect.stringContaining("type='result'")]);
  });

  it("PRES-IQ-04: a push from anybody else changes nothing, whatever he is to us", async () => {
    for (const from of [bob, `${bob}/phone`, "hub.example", "things.hub.example", own, "gw@hub.example.evil"]) {
      const { push, roster, replies } = createScene(item(bob, "both"));
      await roster.fetch(new AbortController().signal);
      await push(item("eve@city.example", "both"), from);
      expect(roster.contact("eve@city.example"), from).toBeUndefined();
      expect(replies[0], from).toMatch(/type='error'/);
    }
  });

  it("PRES-SUB-03: consent that ends by a push or while we were away is told", async () => {
    const { push, roster, withdrawn, serverSays } = createScene(item(bob, "both") + item("ann@city.example", "from"));
    await roster.fetch(new AbortController().signal);
    await push(item(bob, "to"));
    expect(withdrawn).toEqual([bob]);
    serverSays("");
    await roster.fetch(new AbortController().signal);
    expect(withdrawn).toEqual([bob, "ann@city.example"]);
  });
});

describe("requests to see us", () => {
  it("PRES-SUB-02: accept, accept and subscribe back, decline, ignore, pending", async () => {
    const said: Record<Consent, string[]> = {
      accept: [presenceTo(bob, "subscribed")],
      "accept-and-subscribe": [presenceTo(bob, "subscribed"), presenceTo(bob, "subscribe")],
      decline: [presenceTo(bob, "unsubscribed")],
      "decline-for-now": [presenceTo(bob, "unsubscribed")],
      ignore: [],
      pending: [],
    };
    for (const consent of Object.keys(said) as Consent[]) {
      const { comes, decideBy, left, presence } = createScene();
      decideBy(async () => consent);
      await comes("subscribe", `${bob}/phone`);
      expect(left, consent).toEqual(said[consent]);
      expect(presence.pending).toEqual(consent === "pending" ? [bob] : []);
    }
  });

  it("PRES-SUB-02: we do not ask to see whom we see already", async () => {
    const { comes, decideBy, left, roster } = createScene(item(bob, "to"));
    await roster.fetch(new AbortController().signal);
    decideBy(async () => "accept-and-subscribe");
    await comes("subscribe", bob);
    expect(left.slice(1)).toEqual([presenceTo(bob, "subscribed")]);
  });

  it("PRES-SUB-01: our own JID is nobody to decide on", async () => {
    const { comes, asked, left } = createScene();
    await comes("subscribe", own);
    await comes("subscribe", "gw@hub.example");
    expect(asked).toEqual([]);
    expect(left).toEqual([]);
  });

  it("PROV-ISFRIEND-02: who was declined because nobody could be asked is decided anew at once", async () => {
    const { comes, decideBy, left, asked } = createScene();
    decideBy(async () => "decline-for-now");
    await comes("subscribe", bob);
    decideBy(async () => "accept");
    await comes("subscribe", bob);
    expect(asked).toEqual([bob, bob]);
    expect(left).toEqual([presenceTo(bob, "unsubscribed"), presenceTo(bob, "subscribed")]);
  });

  it("PRES-SUB-06: the same JID within the hour gets the answer it had, then the rules are asked again", async () => {
    const { comes, clock, asked, left } = createScene();
    await comes("subscribe", bob);
    await comes("subscribe", bob);
    expect(asked).toEqual([bob]);
    expect(left).toEqual([presenceTo(bob, "unsubscribed"), presenceTo(bob, "unsubscribed")]);
    await clock.advance(3_600_000);
    await comes("subscribe", bob);
    expect(asked).toEqual([bob, bob]);
  });

  it("PRES-SUB-06: at most ten a minute of one domain; others are not held up", async () => {
    const { comes, clock, asked, events } = createScene();
    for (let index = 0; index < 15; index++) await comes("subscribe", `u${index}@flood.example`);
    expect(asked).toHaveLength(10);
    expect(events.filter(one => one.event === "RateLimited")).toHaveLength(5);
    await comes("subscribe", bob);
    expect(asked).toHaveLength(11);
    await clock.advance(60_000);
    await comes("subscribe", "u14@flood.example");
    expect(asked).toHaveLength(12);
  });

  it("PRES-SUB-06: what waits for the operator is bounded and its overflow does not keep others from a decision", async () => {
    const { comes, decideBy, presence, left } = createScene();
    decideBy(async jid => (jid === bob ? "accept" : "pending"));
    for (let index = 0; index < 120; index++) await comes("subscribe", `u@d${index}.example`);
    expect(presence.pending).toHaveLength(100);
    await comes("subscribe", bob);
    expect(left).toEqual([presenceTo(bob, "subscribed")]);
  });

  it("COM-AUTH-05: rules that fail or hang decide nothing, and are asked again at the next request", async () => {
    const { comes, clock, decideBy, left, presence, asked } = createScene();
    decideBy(() => new Promise(() => {}));
    await comes("subscribe", bob);
    await comes("subscribe", bob);
    expect(asked).toEqual([bob]);
    await clock.advance(12_000);
    expect(left).toEqual([]);
    expect(presence.pending).toEqual([bob]);
    decideBy(async () => Promise.reject(new Error("no service")));
    await comes("subscribe", bob);
    expect(left).toEqual([]);
    decideBy(async () => "accept");
    await comes("subscribe", bob);
    expect(left).toEqual([presenceTo(bob, "subscribed")]);
    expect(presence.pending).toEqual([]);
  });

  it("PRES-SUB-01: the operator's answer is given and kept; new rules reopen what is pending", async () => {
    const { comes, clock, decideBy, left, presence, asked } = createScene();
    decideBy(async () => "pending");
    await comes("subscribe", bob);
    await comes("subscribe", "ann@city.example");
    presence.answer(bob, "decline");
    expect(left).toEqual([presenceTo(bob, "unsubscribed")]);
    decideBy(async () => "accept");
    presence.reconsider();
    await clock.advance(0);
    expect(left.slice(1)).toEqual([presenceTo("ann@city.example", "subscribed")]);
    await comes("subscribe", bob);
    expect(asked.filter(jid => jid === bob)).toHaveLength(2);
  });
});

describe("the end of consent", () => {
  it("PRES-SUB-03: unsubscribe is answered, stops what runs, and forgets the answer given before", async () => {
    const { comes, decideBy, left, withdrawn, asked } = createScene();
    decideBy(async () => "accept");
    await comes("subscribe", bob);
    await comes("unsubscribe", `${bob}/phone`);
    expect(left.at(-1)).toBe(presenceTo(bob, "unsubscribed"));
    expect(withdrawn).toEqual([bob]);
    await comes("subscribe", bob);
    expect(asked).toEqual([bob, bob]);
  });

  it("PRES-SUB-04: revoke and unfriend take it back and take him off the roster; friend asks", async () => {
    const { presence, left, withdrawn } = createScene();
    presence.friend(bob);
    await presence.revoke(bob);
    await presence.unfriend("nobody@city.example");
    const remove = (jid: string) =>
      `set - <query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='remove'/></query>`;
    expect(left).toEqual([
      presenceTo(bob, "subscribe"),
      presenceTo(bob, "unsubscribed"),
      remove(bob),
      presenceTo("nobody@city.example", "unsubscribed"),
      presenceTo("nobody@city.example", "unsubscribe"),
      remove("nobody@city.example"),
    ]);
    expect(withdrawn).toEqual([bob, "nobody@city.example"]);
  });
});

describe("who is there", () => {
  it("SD-RESP-17: contacts come and go by resource; strangers are not kept", async () => {
    const { comes, presence, roster, gone } = createScene(item(bob, "both"));
    await roster.fetch(new AbortController().signal);
    await comes("", `${bob}/phone`);
    await comes("", `${bob}/tablet`);
    await comes("", "eve@city.example/x");
    expect(presence.resourcesOf(bob)).toEqual([`${bob}/phone`, `${bob}/tablet`]);
    expect(presence.isOnline(`${bob}/phone`)).toBe(true);
    expect(presence.isOnline("eve@city.example/x")).toBe(false);
    await comes("unavailable", `${bob}/phone`);
    expect(gone).toEqual([`${bob}/phone`]);
    expect(presence.isOnline(`${bob}/phone`)).toBe(false);
    await comes("unavailable", bob);
    expect(gone).toEqual([`${bob}/phone`, `${bob}/tablet`]);
    await comes("unavailable", "eve@city.example/x");
    expect(gone.at(-1)).toBe("eve@city.example/x");
  });

  it("a contact with more resources than anybody has does not fill the table", async () => {
    const { comes, presence, roster } = createScene(item(bob, "both"));
    await roster.fetch(new AbortController().signal);
    for (let index = 0; index < 200; index++) await comes("", `${bob}/${index}`);
    expect(presence.resourcesOf(bob)).toHaveLength(64);
  });

  it("PRES-ID-03: a second session of our own account is told, our own is not", async () => {
    const { comes, events } = createScene();
    await comes("", own);
    expect(events).toEqual([]);
    await comes("", "gw@hub.example/thief");
    expect(events).toMatchObject([
      { level: "warning", event: "SecondResource", facts: { jid: "gw@hub.example/thief" } },
    ]);
  });

  it("PRES-ID-03: a session of ours that a power cut left behind is no alarm", async () => {
    const { comes, events, former } = createScene();
    former.add("gw@hub.example/before-the-cut");
    await comes("", "gw@hub.example/before-the-cut");
    expect(events).toEqual([]);
    await comes("", "gw@hub.example/before-the-cut");
    expect(events).toMatchObject([{ level: "warning", event: "SecondResource" }]);
  });

  it("malformed presence is passed over", async () => {
    const { presence, left } = createScene();
    presence.receive(parse("<presence xmlns='jabber:client' type='subscribe'/>"));
    presence.receive(parse("<presence xmlns='jabber:client' type='subscribe' from='@@'/>"));
    presence.receive(parse(`<presence xmlns='jabber:client' type='zz' from='${bob}'/>`));
    expect(left).toEqual([]);
  });
});

describe("gate", () => {
  it("PRES-IQ-01, -02: ourselves, our server, found services, and whom we let see us; nobody else", async () => {
    const contacts =
      item(bob, "from") +
      item("both@city.example", "both") +
      item("to@city.example", "to") +
      item("none@city.example", "none");
    const { gate, roster } = createScene(contacts);
    await roster.fetch(new AbortController().signal);
    for (const jid of ["gw@hub.example", "hub.example", "things.hub.example", bob, "both@city.example"]) {
      expect(gate(jid), jid).toBe(true);
    }
    for (const jid of [
      "to@city.example",
      "none@city.example",
      "eve@city.example",
      "evil.example",
      "other.hub.example",
      "city.example",
      "",
    ]) {
      expect(gate(jid), jid).toBe(false);
    }
  });
});
