// People of other domains (FED): as everybody unless the operator says otherwise; and what happens when there is no way to them.

import { afterEach, describe, expect, it } from "vitest";
import { elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { readSettings } from "../../src/registry/config.ts";
import { createDomainPolicy, type DomainPolicyOptions, everybody } from "../../src/registry/domain-policy.ts";
import {
  ana,
  anaFull,
  bob,
  canRead,
  claimedMeter,
  disco,
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
  payloadText,
  provisioning,
  register,
} from "./pipe.ts";

let pipe: Pipe;
afterEach(() => pipe?.[Symbol.asyncDispose]());
const open = async (policy: Partial<DomainPolicyOptions> = {}, claimed = true): Promise<Pipe> => {
  pipe = await openPipe({ policy: { ...everybody, ...policy } });
  if (claimed) await claimedMeter(pipe);
  return pipe;
};
const city = `${bob}/phone`;
const search = `<search xmlns='${disco}'><strEq name='CLASS' value='HeatMeter'/></search>`;
const isFriend = (caller: string) =>
  pipe.iq("get", gatewayFull, `<isFriend xmlns='${provisioning}' jid='${caller}'/>`).then(payloadText);
const rule = (key: string, remote = bob, from = anaFull) =>
  pipe.iq(
    "set",
    from,
    `<canReadRule xmlns='${owning}' jid='${gateway}' remoteJid='${remote}' key='${key}' result='true'><fromJid/></canReadRule>`,
  );
const events = (name: string) => pipe.log.filter(one => one.event === name).map(one => one.facts);

describe("FED-03: which domains may do what", () => {
  it("FED-03: claims, searches and questions from anywhere are normal traffic unless something is said", async () => {
    await open();
    expect(outcome(await pipe.iq("get", city, search))).toBe("result");
    expect(payloadText(await canRead(pipe))).toContain("result='false'");
    expect(lastQuestion(pipe).element.attrs.remoteJid).toBe(bob);
    expect(outcome(await rule(lastQuestion(pipe).key))).toBe("result");
    expect(payloadText(await canRead(pipe))).toContain("result='true'");
  });

  it("FED-03: from a denied domain nothing is heard, and the log says who it was", async () => {
    await open({ denied: ["city.example"] });
    const before = pipe.sent.length;
    expect(outcome(await pipe.iq("get", city, search))).toBe("forbidden");
    expect(outcome(await pipe.iq("get", city, "<ping xmlns='urn:xmpp:ping'/>"))).toBe("forbidden");
    expect(outcome(await mine(pipe, meterTags(), "", city))).toBe("forbidden");
    await pipe.presence(bob, "subscribe");
    await pipe.presence(city);
    await pipe.message(city, `<clearCache xmlns='${owning}'/>`);
    expect(pipe.sent.length - before).toBe(3);
    const heard = events("DomainRefused").map(facts => facts.element);
    expect([...new Set(heard)]).toEqual(["search", "ping", "mine", "presence", "message"]);
    expect(events("DomainRefused")[0]).toMatchObject({ from: bob, domain: "city.example", standing: "deny" });
  });

  it("FED-03: no caller from a denied domain is let in, not by an old rule either, and no owner is asked", async () => {
    await open();
    await canRead(pipe);
    await rule(lastQuestion(pipe).key);
    expect(payloadText(await canRead(pipe))).toContain("result='true'");
    const asked = pipe.messagesTo(ana).length;
    await pipe.restart({ policy: { ...everybody, denied: ["city.example"] } });
    for (const generation of ["ieee", "nf", "nfi"]) {
      const ns = `urn:${generation}:iot:prov:d:1.0`;
      const read = await canRead(pipe, undefined, bob, undefined, ns);
      expect(payloadText(read)).toContain(`<canReadResponse xmlns='${ns}' jid='${bob}' result='false'`);
      const control = `<canControl xmlns='${ns}' jid='${bob}'><nd ${meter}/></canControl>`;
      expect(payloadText(await pipe.iq("get", gatewayFull, control))).toMatch(/canControlResponse.*result='false'/);
    }
    expect(await isFriend(bob)).toContain("result='false'");
    expect(pipe.messagesTo(ana)).toHaveLength(asked);
    expect(events("DecisionDenied")[0]).toMatchObject({ thing: gateway, caller: bob });
  });

  it("FED-03: a limited domain keeps what was agreed and begins nothing new", async () => {
    await open();
    await canRead(pipe);
    await rule(lastQuestion(pipe).key);
    await pipe.restart({ policy: { ...everybody, limited: ["city.example", "home.example"] } });
    expect(payloadText(await canRead(pipe))).toContain("result='true'");
    expect(outcome(await pipe.iq("get", anaFull, `<getDevices xmlns='${owning}'/>`))).toBe("result");
    expect(outcome(await pipe.iq("set", anaFull, `<deleteRules xmlns='${owning}' jid='${gateway}'/>`))).toBe("result");
    expect(outcome(await pipe.iq("get", city, search))).toBe("forbidden");
    await register(pipe, "id='other'", meterTags("z".repeat(32)));
    expect(outcome(await mine(pipe, meterTags("z".repeat(32)), "", city))).toBe("forbidden");
    const asked = pipe.messagesTo(ana).length;
    expect(payloadText(await canRead(pipe))).toContain("result='false'");
    expect(pipe.messagesTo(ana)).toHaveLength(asked);
    expect(events("DecisionDenied").at(-1)).toMatchObject({ thing: gateway, caller: bob });
  });

  it("FED-03: a domain stands for those below it, the longest name counts, and one's own are never strangers", () => {
    const policy = createDomainPolicy(
      {
        allowed: ["good.evil.example"],
        limited: ["limited.example"],
        denied: ["evil.example", "example"],
        others: "limited",
      },
      ["hub.example"],
    );
    expect(policy.standing("a@evil.example/r")).toBe("deny");
    expect(policy.standing("x.y.evil.example")).toBe("deny");
    expect(policy.standing("a@notevil.example")).toBe("deny");
    expect(policy.standing("a@good.evil.example")).toBe("allow");
    expect(policy.standing("a@hub.example")).toBe("allow");
    expect(policy.standing("things.hub.example")).toBe("allow");
    expect(policy.standing("a@limited.example")).toBe("limited");
    expect(policy.standing("a@somewhere.else")).toBe("limited");
    expect(policy.standing("a@EVIL.example")).toBe("deny");
    expect(policy.standing("a@[::1]")).toBe("limited");
  });

  it("FED-03: settings that contradict each other are refused with a sentence", () => {
    const settings = (more: object) => readSettings({ jid: "things.hub.example", ...more }, {}, {});
    expect(() => settings({ deniedDomains: ["a.example"], limitedDomains: ["a.example"] })).toThrow(
      "deniedDomains: a.example is in limitedDomains too",
    );
    expect(() => settings({ deniedDomains: ["hub.example"] })).toThrow(
      "deniedDomains: hub.example is one of localDomains, whose things are served here",
    );
    expect(() => settings({ otherDomains: "maybe" })).toThrow("otherDomains: is allow, limited or deny");
    const said = readSettings(
      { jid: "things.hub.example" },
      { ISTHMUS_REGISTRY_DENIED_DOMAINS: "a.example b.example" },
      {},
    );
    expect(said.deniedDomains).toEqual(["a.example", "b.example"]);
  });
});

describe("FED-05: no way to a domain", () => {
  /** With its payload, as ejabberd gives it back. */
  const bounce = async (condition: string, from = ana) => {
    const { element } = lastQuestion(pipe);
    await pipe.message(
      from,
      `<canRead xmlns='${owning}' key='${element.attrs.key}'/><error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`,
      "error",
    );
  };
  const questions = () => pipe.messagesTo(ana).filter(one => elements(one).some(inner => inner.ns === owning)).length;
  const pings = () => pipe.sent.filter(one => one.includes("urn:xmpp:ping") && one.includes("home.example"));

  it("FED-05: the question is refused meanwhile, kept, and sent once the domain answers a ping again", async () => {
    await open();
    pipe.answers("home.example", () => "remote-server-timeout");
    expect(payloadText(await canRead(pipe))).toContain("result='false'");
    await bounce("remote-server-timeout");
    expect(events("domain-away")).toEqual([expect.objectContaining({ domain: "home.example" })]);
    expect(questions()).toBe(1);
    for (let n = 0; n < 5; n++) expect(payloadText(await canRead(pipe))).toContain("result='false'");
    await pipe.clock.advance(59_000);
    expect([questions(), pings().length]).toEqual([1, 0]);
    await pipe.clock.advance(2_000);
    expect([questions(), pings().length]).toEqual([1, 1]);
    await pipe.clock.advance(290_000);
    expect(pings()).toHaveLength(1);
    pipe.answers("home.example", () => "service-unavailable");
    await pipe.clock.advance(20_000);
    expect([questions(), pings().length]).toEqual([2, 2]);
    expect(events("domain-back")).toEqual([expect.objectContaining({ domain: "home.example" })]);
    expect(outcome(await rule(lastQuestion(pipe).key))).toBe("result");
  });

  it("FED-05: a question that comes back without what was in it, as Prosody gives it, is known by its id", async () => {
    await open();
    await canRead(pipe);
    const sent = pipe.messagesTo(ana).at(-1);
    const id = sent?.attrs.id ?? "";
    expect(id).toBe(lastQuestion(pipe).key);
    pipe.registry.inbound.message(
      parse(
        `<message xmlns='jabber:component:accept' type='error' from='${ana}' to='reg.hub.example' id='${id}'><error type='cancel'><remote-server-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
      ),
    );
    await pipe.presence("somebody@home.example/x");
    await pipe.clock.advance(61_000);
    expect(questions()).toBe(2);
  });

  it("FED-05: its first word is enough, and other domains were never held up", async () => {
    await open();
    await canRead(pipe);
    await bounce("remote-server-not-found");
    await register(pipe, "id='far'", meterTags("f".repeat(32)));
    expect(outcome(await mine(pipe, meterTags("f".repeat(32)), "", "eva@far.example/phone"))).toBe("result");
    await canRead(pipe, "<nd id='far'/>");
    expect(lastQuestion(pipe, "eva@far.example").element.attrs.remoteJid).toBe(bob);
    expect(questions()).toBe(1);
    await pipe.presence("somebody@home.example/x");
    await pipe.clock.advance(61_000);
    expect(questions()).toBe(2);
  });

  it("FED-05: a restart in between loses nothing", async () => {
    await open();
    await canRead(pipe);
    await bounce("remote-server-timeout");
    await pipe.restart();
    await pipe.clock.advance(10_000);
    expect(questions()).toBe(2);
  });

  it("FED-05: a stranger cannot make a domain look away, nor a question look unsent", async () => {
    await open();
    await canRead(pipe);
    await bounce("remote-server-timeout", "mallory@evil.example");
    await bounce("service-unavailable", "mallory@evil.example");
    expect(events("domain-away")).toEqual([expect.objectContaining({ domain: "evil.example" })]);
    await pipe.clock.advance(10_000);
    expect(questions()).toBe(1);
  });

  it("FED-05: a thousand questions wait for one domain, and no more", async () => {
    await open({}, false);
    const owners = 1_020;
    const each = async (type: "get" | "set", from: (n: number) => string, payload: (n: number) => string) => {
      for (let first = 0; first < owners; first += 60) {
        const some = Array.from({ length: 60 }, (_, at) => pipe.start(type, from(first + at), payload(first + at)));
        await pipe.settle();
        await Promise.all(some);
      }
    };
    const device = (n: number) => `gw${n}@hub.example/edge`;
    const tags = (n: number) => meterTags(`${n}`.padStart(32, "k"));
    await each("set", device, n => `<register xmlns='${disco}'>${tags(n)}</register>`);
    await each(
      "set",
      n => `o${n}@home.example/phone`,
      n => `<mine xmlns='${disco}'>${tags(n)}</mine>`,
    );
    pipe.answers("home.example", () => "remote-server-timeout");
    await pipe.message(
      "o0@home.example",
      "<body/><error type='cancel'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
      "error",
    );
    for (let n = 0; n < owners; n++) pipe.answers(device(n), () => "ok");
    const caller = (n: number) => `bob@city${n % 20}.example`;
    await each("get", device, n => `<canRead xmlns='${provisioning}' jid='${caller(n)}' m='true'/>`);
    const waiting = async () => {
      let count = 0;
      for (let n = 0; n < owners; n++) count += await pipe.store.countOpen({ owner: `o${n}@home.example` });
      return count;
    };
    expect(await waiting()).toBe(1_000);
    expect(pipe.sent.filter(one => one.startsWith("<message") && one.includes("@home.example"))).toEqual([]);
  });
});
