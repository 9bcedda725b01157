// Contacts as their owner decides them, with the real store, roster and presence on a pipe of stanzas: who waits, who is kept out,
// what the broker's list has to do with it, and codes.

import { describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { type Caller, noTokens } from "#contract/caller.ts";
import { createContacts } from "#edge/contacts.ts";
import { blockedMax, pairingsMax } from "#limits.ts";
import { createContactStore } from "#store/contacts.ts";
import { type Database, openDatabase } from "#store/database.ts";
import { edgeMigrations } from "#store/migrations.ts";
import { type Element, element, format } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { type Consent, createPresence } from "#xmpp/presence.ts";
import { createRoster } from "#xmpp/roster.ts";
import { createRouter } from "#xmpp/router.ts";
import { decodeError, StanzaError } from "#xmpp/stanza.ts";
import { manualClock } from "../support/manual-clock.ts";

const own = "gw@hub.example";
const ana: Caller = { bareJid: "ana@home.example", fullJid: "ana@home.example/x", tokens: noTokens, language: "en" };
const bob = "bob@city.example";
const service = "things.hub.example";

/** A broker that keeps a contact list and, where it offers that, a list of who is blocked. */
function scene(options: { blocking?: boolean; database?: Database; there?: string[] } = {}) {
  const clock = manualClock();
  const stop = new AbortController();
  const database = options.database ?? openDatabase(":memory:", edgeMigrations, silentLog);
  const events: LogEvent[] = [];
  const log = createLog(line => void events.push(line));
  const left: string[] = [];
  const broker = new Set(options.there ?? []);
  let failing = false;
  let renewed = 0;
  let consent: Consent = "pending";
  const asked: string[] = [];
  const replies: Element[] = [];

  const connection = {
    jid: `${own}/r1`,
    send: (stanza: Element) => void left.push(format(stanza, "jabber:client")),
    async request(type: "get" | "set", to: string | undefined, payload: Element) {
      if (failing) throw new StanzaError("wait", "remote-server-timeout");
      const jids = payload.children.flatMap(one => (typeof one === "string" ? [] : [one.attrs.jid as string]));
      left.push(`${type} ${to ?? "-"} ${payload.name}${jids.length > 0 ? ` ${jids.join(" ")}` : ""}`);
      if (payload.ns === "http://jabber.org/protocol/disco#info")
        return parse(
          `<query xmlns='${payload.ns}'>${options.blocking === false ? "" : "<feature var='urn:xmpp:blocking'/>"}</query>`,
        );
      if (payload.name === "blocklist")
        return parse(
          `<blocklist xmlns='${payload.ns}'>${[...broker].map(jid => `<item jid='${jid}'/>`).join("")}</blocklist>`,
        );
      if (payload.name === "block") for (const jid of jids) broker.add(jid);
      if (payload.name === "unblock") for (const jid of jids) broker.delete(jid);
      return undefined;
    },
  };
  const roster = createRoster({ connection, log });
  const presence = createPresence({
    connection,
    roster,
    paired: (jid, code) => contacts.paired(jid, code),
    async decide(jid) {
      asked.push(jid);
      return contacts.isBlocked(jid) ? "ignore" : consent;
    },
    caps: () => element("c", "http://jabber.org/protocol/caps"),
    gone: () => {},
    withdrawn: () => {},
    clock,
    log,
    signal: stop.signal,
  });
  const contacts = createContacts({
    store: createContactStore(database),
    connection,
    roster,
    presence: () => presence,
    isNeeded: jid => jid === ana.bareJid || jid === service,
    renew: () => void renewed++,
    clock,
    log,
    signal: stop.signal,
  });
  const router = createRouter({
    routes: [...contacts.routes, ...roster.routes],
    messages: [],
    gate: () => true,
    reply: stanza => void replies.push(stanza),
    clock,
    log,
    signal: stop.signal,
    concurrentMax: 10,
    replayMs: 1,
    replaysMax: 10,
  });
  let ids = 0;
  return {
    clock,
    contacts,
    events,
    left,
    broker,
    asked,
    replies,
    database,
    renewed: () => renewed,
    fails: (now: boolean) => {
      failing = now;
    },
    decides: (now: Consent) => {
      consent = now;
    },
    async subscribes(from: string, code?: string) {
      const inside = code === undefined ? "" : `<preauth xmlns='urn:xmpp:pars:0' token='${code}'/>`;
      presence.receive(parse(`<presence xmlns='jabber:client' type='subscribe' from='${from}'>${inside}</presence>`));
      await clock.advance(0);
    },
    async isContact(jid: string) {
      await router.iq(
        parse(
          `<iq xmlns='jabber:client' type='set' id='r${++ids}' from='${own}'><query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='from'/></query></iq>`,
        ),
      );
    },
    pushes: (inside: string, from = own) =>
      router.iq(parse(`<iq xmlns='jabber:client' type='set' id='b${++ids}' from='${from}'>${inside}</iq>`)),
  };
}

const kind = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return "done";
  } catch (error) {
    return (error as { kind?: string }).kind ?? String(error);
  }
};

describe("PRES-SUB-01: who waits for the owner's word", () => {
  it("is listed, and let in or turned away; who has not asked cannot be answered", async () => {
    const { contacts, subscribes, left } = scene();
    await subscribes(bob);
    await subscribes("eve@city.example");
    expect(contacts.list()).toEqual([
      { jid: bob, state: "asks" },
      { jid: "eve@city.example", state: "asks" },
    ]);
    contacts.answer(ana, bob, true);
    contacts.answer(ana, "eve@city.example", false);
    expect(left.filter(one => one.startsWith("<presence"))).toEqual([
      `<presence to='${bob}' type='subscribed'/>`,
      `<presence to='${bob}' type='subscribe'/>`,
      "<presence to='eve@city.example' type='unsubscribed'/>",
    ]);
    expect(contacts.list()).toEqual([]);
    expect(await kind(() => contacts.answer(ana, bob, true))).toBe("not-found");
    expect(await kind(() => contacts.answer(ana, "no address", true))).toBe("bad-request");
  });

  it("blocked goes before all that would let him in: he is ignored, without a word", async () => {
    const { contacts, subscribes, left, decides } = scene();
    decides("accept-and-subscribe");
    await contacts.block(ana, bob);
    left.length = 0;
    await subscribes(bob);
    const { uri } = contacts.pair(ana, 3_600_000);
    await subscribes(bob, uri.split("preauth=")[1]);
    expect(left).toEqual([]);
    expect(await kind(() => contacts.answer(ana, bob, true))).toBe("conflict");
  });
});

describe("PRES-BLK-01: blocked here and at the broker", () => {
  it("is told that it is over, taken off the list, and then kept out by the broker; the session moves", async () => {
    const { contacts, isContact, left, broker, renewed, clock } = scene();
    await isContact(bob);
    await contacts.block(ana, `${bob}/phone`);
    expect(left).toEqual([
      `<presence to='${bob}' type='unsubscribed'/>`,
      `set - query ${bob}`,
      "get hub.example query",
      `set - block ${bob}`,
    ]);
    expect([...broker]).toEqual([bob]);
    expect(renewed()).toBe(0);
    await clock.advance(1_000);
    expect(renewed()).toBe(1);
  });

  it("PRES-SUB-04: who could not see us gives no reason to move", async () => {
    const { contacts, renewed, clock } = scene();
    await contacts.block(ana, bob);
    await clock.advance(5_000);
    expect(renewed()).toBe(0);
  });

  it("a domain stands for everybody in it, but for owners and services, who cannot be blocked", async () => {
    const { contacts, isContact, left } = scene();
    for (const jid of ["eve@home.example", ana.bareJid]) await isContact(jid);
    await contacts.block(ana, "home.example");
    expect(left[0]).toBe("<presence to='eve@home.example' type='unsubscribed'/>");
    expect(left.join("\n")).not.toContain(`to='${ana.bareJid}'`);
    expect([contacts.isBlocked("someone@home.example"), contacts.isBlocked(ana.bareJid)]).toEqual([true, false]);
    for (const jid of [ana.bareJid, service, own])
      expect(await kind(() => contacts.block(ana, jid))).toBe("not-allowed");
  });

  it("a broker that has no such list, or does not answer: it holds here all the same, and after a restart", async () => {
    const first = scene({ blocking: false });
    await first.contacts.block(ana, bob);
    expect(first.broker.size).toBe(0);
    first.fails(true);
    await first.contacts.block(ana, "eve@city.example").catch(() => {});
    const second = scene({ database: first.database });
    expect(second.contacts.isBlocked(bob)).toBe(true);
    expect(second.contacts.isBlocked("eve@city.example")).toBe(true);
  });

  it("at log-in both lists become one", async () => {
    const { contacts, broker, clock } = scene({ there: ["old@city.example"] });
    await contacts.block(ana, bob);
    broker.delete(bob);
    contacts.online();
    await clock.advance(0);
    expect([...broker].sort()).toEqual([bob, "old@city.example"]);
    expect(contacts.isBlocked("old@city.example")).toBe(true);
  });

  it("what another client of the account blocks is heard of, from the own server alone", async () => {
    const { contacts, pushes, isContact, left, replies } = scene();
    await isContact(bob);
    await pushes(`<block xmlns='urn:xmpp:blocking'><item jid='${bob}'/></block>`, "eve@city.example");
    expect(contacts.isBlocked(bob)).toBe(false);
    expect(decodeError(replies.at(-1) as Element).condition).toBe("service-unavailable");
    await pushes(`<block xmlns='urn:xmpp:blocking'><item jid='${bob}'/></block>`);
    expect(contacts.isBlocked(bob)).toBe(true);
    expect(left).toContain(`<presence to='${bob}' type='unsubscribed'/>`);
    await pushes("<unblock xmlns='urn:xmpp:blocking'/>");
    expect(contacts.isBlocked(bob)).toBe(false);
  });

  it("unblocked, he is not let in by that, and may ask again at once", async () => {
    const { contacts, subscribes, asked } = scene();
    await contacts.block(ana, bob);
    await subscribes(bob);
    await contacts.unblock(ana, bob);
    expect(await kind(() => contacts.unblock(ana, bob))).toBe("not-found");
    await subscribes(bob);
    expect(asked).toEqual([bob, bob]);
    expect(contacts.list()).toEqual([{ jid: bob, state: "asks" }]);
  });

  it("is bounded", async () => {
    const { contacts } = scene({ blocking: false });
    for (let n = 0; n < blockedMax; n++) await contacts.block(ana, `u${n}@city.example`);
    expect(await kind(() => contacts.block(ana, "one@more.example"))).toBe("busy");
    expect(await kind(() => contacts.block(ana, "u7@city.example"))).toBe("done");
  });
});

describe("PRES-SUB-05: codes that let in once", () => {
  const codeOf = ({ uri }: { uri: string }) =>
    /^xmpp:gw@hub\.example\?roster;preauth=([\w-]{24})$/.exec(uri)?.[1] as string;

  it("whoever shows it first is in, over an answer given before, and nobody after him", async () => {
    const { contacts, subscribes, left, asked, decides, database } = scene();
    decides("decline");
    await subscribes(bob);
    const code = codeOf(contacts.pair(ana, 3_600_000));
    expect(JSON.stringify(database.prepare("SELECT * FROM pairings").all())).not.toContain(code);
    await subscribes(bob, code);
    expect(left.slice(-2)).toEqual([
      `<presence to='${bob}' type='subscribed'/>`,
      `<presence to='${bob}' type='subscribe'/>`,
    ]);
    await subscribes("eve@city.example", code);
    expect(left.at(-1)).toBe("<presence to='eve@city.example' type='unsubscribed'/>");
    expect(asked).toEqual([bob, "eve@city.example"]);
  });

  it("it ends, at the latest in a week, and so many wait at once", async () => {
    const { contacts, clock } = scene();
    const short = codeOf(contacts.pair(ana, 3_600_000));
    const long = contacts.pair(ana, 1e12);
    expect(long.until - clock.now()).toBe(604_800_000);
    await clock.advance(3_600_000);
    expect(contacts.paired(bob, short)).toBe(false);
    expect(contacts.paired(bob, codeOf(long))).toBe(true);
    for (let n = 0; n < pairingsMax; n++) contacts.pair(ana, 1_000);
    expect(await kind(() => contacts.pair(ana, 1_000))).toBe("busy");
    await clock.advance(1_000);
    expect(await kind(() => contacts.pair(ana, 1_000))).toBe("done");
  });

  it("a code is in no line of the log", async () => {
    const { contacts, events } = scene();
    const code = codeOf(contacts.pair(ana, 1_000));
    contacts.paired(bob, code);
    expect(JSON.stringify(events)).not.toContain(code);
    expect(events.map(({ event }) => event)).toEqual(["pairing-code-made"]);
  });
});

describe("PRES-THR-01: a flood of requests", () => {
  it("thousands of invented callers cost ten decisions a minute for a domain, and no memory without bound", async () => {
    const { contacts, subscribes, asked, events } = scene();
    for (let n = 0; n < 2_000; n++) await subscribes(`u${n}@flood.example`);
    expect(asked).toHaveLength(10);
    expect(contacts.list()).toHaveLength(10);
    expect(events.filter(({ event }) => event === "RateLimited").length).toBe(1_990);
    await subscribes(bob);
    expect(asked.at(-1)).toBe(bob);
  });
});

describe("PRES-THR-04: presence gives away as little as it can", () => {
  it("it is sent to nobody by name but who asked, holds no status, and asks back only whom we need to see", async () => {
    const { subscribes, left, decides } = scene();
    decides("accept");
    await subscribes(bob);
    decides("accept-and-subscribe");
    await subscribes("eve@city.example");
    expect(left).toEqual([
      `<presence to='${bob}' type='subscribed'/>`,
      "<presence to='eve@city.example' type='subscribed'/>",
      "<presence to='eve@city.example' type='subscribe'/>",
    ]);
    expect(left.join("")).not.toMatch(/<status|<show|priority/);
  });
});
