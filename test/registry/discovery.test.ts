// Thing Registry through its stanzas: addresses, tags, KEY, claiming, pushes, updates, search, generations, limits.

import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogEvent } from "#base/log.ts";
import { eventOf } from "#iot/event-of-line.ts";
import { elements, format } from "#xml/element.ts";
import {
  ana,
  anaFull,
  bob,
  canRead,
  claimedMeter,
  claimKey,
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
  payloadOf,
  payloadText,
  register,
  service,
} from "./pipe.ts";

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const refOf = { nodeId: "mbus-12", sourceId: "MeteringTopology", partition: "" };
const thing = () => pipe.store.thing(gateway, refOf);
const tags = async () => {
  const id = (await thing())?.id ?? 0;
  return (await pipe.store.tagsOf([id])).get(id) ?? [];
};
const search = (operators: string, attrs = "", from = bob) =>
  pipe.iq("get", `${from}/q`, `<search xmlns='${disco}' ${attrs}>${operators}</search>`);
const hits = async (operators: string, attrs = "") => {
  const reply = await search(operators, attrs);
  expect(outcome(reply)).toBe("result");
  return elements(payloadOf(reply) as never).map(one => one.attrs.id ?? "");
};

describe("namespaces and disco", () => {
  it("DISCO-NS-01, DISCO-NS-05: says who it is and lists three generations of each interface", async () => {
    const info = payloadText(await pipe.iq("get", anaFull, "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
    expect(info).toContain("<identity category='component' type='generic' name='Thing Registry'/>");
    for (const generation of ["nfi", "nf", "ieee"])
      for (const family of ["disco", "prov:d", "prov:o"])
        expect(info).toContain(`<feature var='urn:${generation}:iot:${family}:1.0'/>`);
    expect(info).toContain("<feature var='http://jabber.org/protocol/disco#info'/>");
    expect(info).toContain("<feature var='urn:xmpp:ping'/>");
    const items = await pipe.iq("get", anaFull, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    expect(payloadText(items)).toBe("<query xmlns='http://jabber.org/protocol/disco#items'/>");
    expect(outcome(await pipe.iq("get", anaFull, "<ping xmlns='urn:xmpp:ping'/>"))).toBe("result");
  });

  for (const generation of ["nfi", "nf", "ieee"])
    it(`DISCO-NS-02: answers and pushes in ${generation}, as asked`, async () => {
      const ns = `urn:${generation}:iot:disco:1.0`;
      pipe.answers(gatewayFull, () => "ok");
      await pipe.iq("set", gatewayFull, `<register xmlns='${ns}' ${meter}>${meterTags()}</register>`);
      await pipe.comesOnline(gatewayFull);
      const reply = await pipe.iq("set", anaFull, `<mine xmlns='${ns}'>${meterTags()}</mine>`);
      expect(payloadOf(reply)?.ns).toBe(ns);
      const pushed = pipe.pushedTo(gateway);
      expect(pushed[0]).toContain(`<claimed xmlns='${ns}'`);
      expect(pushed[1]).toContain(`<clearCache xmlns='urn:${generation}:iot:prov:d:1.0'`);
    });

  for (const generation of ["nfi", "nf", "ieee"])
    it(`DISCO-NS-02: every other element of the interface in ${generation} too`, async () => {
      const ns = `urn:${generation}:iot:disco:1.0`;
      const say = async (type: "get" | "set", from: string, payload: string) =>
        payloadText(await pipe.iq(type, from, payload.replace("/>", ` xmlns='${ns}'/>`))).replaceAll("'", "");
      const first = `<register xmlns='${ns}' ${meter}>${meterTags()}</register>`;
      pipe.answers(gatewayFull, () => "ok");
      await pipe.iq("set", gatewayFull, first);
      await pipe.comesOnline(gatewayFull);
      expect(await say("set", gatewayFull, `<update ${meter}/>`)).toBe(`<disowned xmlns=${ns}/>`);
      await pipe.iq("set", anaFull, `<mine xmlns='${ns}'>${meterTags()}</mine>`);
      expect(payloadText(await pipe.iq("set", gatewayFull, first))).toMatch(new RegExp(`^<claimed xmlns='${ns}' `));
      const search = `<search xmlns='${ns}'><strEq name='CLASS' value='HeatMeter'/></search>`;
      expect(payloadText(await pipe.iq("get", anaFull, search))).toMatch(new RegExp(`^<found xmlns='${ns}' .*<thing `));
      expect(await say("set", anaFull, `<remove jid='${gateway}' ${meter}/>`)).toBe("");
      expect(pipe.pushedTo(gateway).at(-1)).toContain(`<removed xmlns='${ns}'`);
      const before = pipe.pushedTo(gateway).length;
      expect(await say("set", anaFull, `<disown jid='${gateway}' ${meter}/>`)).toBe("");
      expect(pipe.pushedTo(gateway)[before]).toContain(`<disowned xmlns='${ns}'`);
      expect(await say("set", gatewayFull, `<unregister ${meter}/>`)).toBe("");
      expect(await thing()).toBeUndefined();
    });

  it("DISCO-NS-02: a device that does not serve its last generation is told in nf, then ieee, and that is remembered", async () => {
    const ns = "urn:nfi:iot:disco:1.0";
    pipe.answers(gatewayFull, payload => (payload.ns.startsWith("urn:ieee") ? "ok" : "feature-not-implemented"));
    await pipe.iq("set", gatewayFull, `<register xmlns='${ns}' ${meter}>${meterTags()}</register>`);
    await pipe.comesOnline(gatewayFull);
    await mine(pipe);
    const claimed = pipe.pushedTo(gateway).filter(one => one.startsWith("<claimed"));
    expect(claimed.map(one => /urn:(\w+):/.exec(one)?.[1])).toEqual(["nfi", "nf", "ieee"]);
    expect((await pipe.store.peer(gateway))?.generation).toBe("ieee");
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });
});

describe("addresses, tags, KEY", () => {
  it("DISCO-ADDR-01: JIDs without case, addresses with case, empty is absent", async () => {
    await register(pipe, "id='A'", meterTags(), "GW9@Hub.Example/x");
    expect(await pipe.store.thing(gateway, { nodeId: "A", sourceId: "", partition: "" })).toBeDefined();
    expect(await pipe.store.thing(gateway, { nodeId: "a", sourceId: "", partition: "" })).toBeUndefined();
    await register(pipe, "id='' src='' pt=''");
    expect(await pipe.store.thing(gateway, { nodeId: "", sourceId: "", partition: "" })).toBeDefined();
  });

  it("DISCO-ADDR-02: the resource of a JID in a payload does not matter, and none is ever sent", async () => {
    await claimedMeter(pipe);
    const told = (name: string, inner = "") =>
      pipe.iq("set", anaFull, `<${name} xmlns='${disco}' jid='GW9@hub.example/plcs' ${meter}>${inner}</${name}>`);
    for (const [name, inner] of [["update", "<str name='ROOM' value='K'/>"], ["remove"], ["disown"]] as const)
      expect([name, outcome(await told(name, inner))]).toEqual([name, "result"]);
    expect(pipe.sent.filter(text => / jid='[^']*\//.test(text))).toEqual([]);
  });

  it("DISCO-ADDR-03: a device speaks for itself alone: another's thing is neither updated nor removed", async () => {
    await claimedMeter(pipe);
    const other = "gw7@hub.example/edge";
    const update = `<update xmlns='${disco}' jid='${gateway}' ${meter}><str name='ROOM' value='X'/></update>`;
    expect(outcome(await pipe.iq("set", other, update))).toBe("item-not-found");
    expect(outcome(await pipe.iq("set", other, `<unregister xmlns='${disco}' jid='${gateway}' ${meter}/>`))).toBe(
      "result",
    );
    expect((await thing())?.state).toBe("public");
    expect((await tags()).map(tag => tag.name)).not.toContain("ROOM");
  });

  it("DISCO-TAG-01: names keep the case first seen; the same name twice is refused whatever its case", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe, meter, `<str name='Room' value='1'/>${meterTags()}`);
    await mine(pipe, `<str name='ROOM' value='1'/>${meterTags()}`);
    await pipe.iq("set", gatewayFull, `<update xmlns='${disco}' ${meter}><str name='room' value='2'/></update>`);
    expect(await tags()).toContainEqual({ name: "Room", value: "2" });
    const twice = await register(pipe, "id='x'", "<str name='ROOM' value='1'/><num name='room' value='1'/>");
    expect(outcome(twice)).toBe("bad-request");
  });

  for (const [why, tag] of Object.entries({
    "a colon": "<str name='a:b' value='1'/>",
    "white space": "<str name='a b' value='1'/>",
    "65 characters": `<str name='${"a".repeat(65)}' value='1'/>`,
    "a value of 129": `<str name='A' value='${"a".repeat(129)}'/>`,
    "no number": "<num name='A' value='many'/>",
    infinity: "<num name='A' value='INF'/>",
  }))
    it(`DISCO-TAG-02: ${why} is a bad request and registers nothing`, async () => {
      expect(outcome(await register(pipe, meter, tag))).toBe("bad-request");
      expect(await thing()).toBeUndefined();
    });

  it("DISCO-TAG-03: 64 tags and 8 KiB are the limit, also by way of updates", async () => {
    const many = (n: number, size = 1) =>
      Array.from({ length: n }, (_, i) => `<str name='T${i}' value='${"v".repeat(size)}'/>`).join("");
    expect(outcome(await register(pipe, meter, many(64)))).toBe("result");
    expect(outcome(await register(pipe, "id='b'", many(65)))).toBe("resource-constraint");
    expect(outcome(await register(pipe, "id='c'", many(64, 128)))).toBe("resource-constraint");
    await pipe.iq("set", gatewayFull, `<register xmlns='${disco}' selfOwned='true' ${meter}>${many(64)}</register>`);
    const grow = await pipe.iq(
      "set",
      gatewayFull,
      `<update xmlns='${disco}' ${meter}><str name='U' value='1'/></update>`,
    );
    expect(outcome(grow)).toBe("resource-constraint");
    expect(await tags()).toHaveLength(64);
  });

  it("DISCO-TAG-04: R is ignored in any case, in registrations and in claims", async () => {
    await register(pipe, meter, `<str name='r' value='evil.example'/>${meterTags()}`);
    expect(outcome(await mine(pipe, `<str name='R' value='reg.hub.example'/>${meterTags()}`))).toBe("result");
    expect((await tags()).map(tag => tag.name.toUpperCase())).not.toContain("R");
  });

  it("DISCO-TAG-05: operators may name an interface with its colons", async () => {
    await claimedMeter(pipe);
    const update = `<update xmlns='${disco}' ${meter}><num name='urn_nfi_iot_hi_clock' value='1'/></update>`;
    await pipe.iq("set", gatewayFull, update);
    expect(await hits("<numGtEq name='urn:nfi:iot:hi:clock' value='1'/>")).toEqual(["mbus-12"]);
  });

  it("DISCO-KEY-02, DISCO-KEY-03: the KEY is in no file, stanza or log line, not even before it is claimed", async () => {
    await register(pipe);
    const file = await pipe.store.thing(gateway, refOf).then(() => readAll(pipe));
    expect(file.includes(claimKey)).toBe(false);
    await claimedMeter(pipe);
    await search(`<strEq name='CLASS' value='HeatMeter'/>`);
    await pipe.iq("get", anaFull, "<getDevices xmlns='urn:nf:iot:prov:o:1.0'/>");
    expect(pipe.sent.join("")).not.toContain(claimKey);
    expect(JSON.stringify(pipe.log)).not.toContain(claimKey);
    expect(readAll(pipe).includes(claimKey)).toBe(false);
  });

  it("DISCO-KEY-02: nor is a KEY that is refused, in whatever wrong way it was said", async () => {
    const wrong = [
      `<num name='KEY' value='${claimKey}'/>`,
      `<str name='KEY' value='${claimKey}'/><str name='key' value='${claimKey}'/>`,
      `<str name='KEY' value='${claimKey.repeat(5)}'/>`,
      `<str name='KEY:' value='${claimKey}'/>`,
      `<str name='${claimKey}:' value='KEY'/>`,
    ];
    for (const tags of wrong)
      for (const element of ["register", "mine", "update"]) {
        const payload = `<${element} xmlns='${disco}' ${meter}>${tags}</${element}>`;
        expect(outcome(await pipe.iq("set", gatewayFull, payload))).toBe("bad-request");
      }
    expect(pipe.sent.join("")).not.toContain(claimKey);
    expect(JSON.stringify(pipe.log)).not.toContain(claimKey);
  });

  it("DISCO-KEY-02: an operator on KEY finds nothing at all, and wildcards never reach it", async () => {
    await claimedMeter(pipe);
    const byClass = "<strEq name='CLASS' value='HeatMeter'/>";
    expect(await hits(byClass)).toEqual(["mbus-12"]);
    expect(await hits(`${byClass}<strNEq name='key' value='x'/>`)).toEqual([]);
    expect(await hits("<strMask name='K*' nameWildcard='*' value='*' wildcard='*'/>")).toEqual([]);
  });

  it("DISCO-KEY-03: the claim matches whatever the order, the case of names and the way of writing a number", async () => {
    await register(pipe);
    const otherwise = `<str name='key' value='${claimKey}'/><num name='v' value='2.10'/><str name='Class' value='HeatMeter'/><str name='EMPTY' value=''/><str name='MNR' value='66120'/>`;
    expect(outcome(await mine(pipe, otherwise))).toBe("result");
  });

  for (const [why, wrong] of Object.entries({
    "a tag missing": meterTags().replace("<num name='V' value='2.1'/>", ""),
    "a tag more": `${meterTags()}<str name='ROOM' value='1'/>`,
    "another value": meterTags().replace("66120", "66121"),
    "a number as text": meterTags().replace("<num name='V'", "<str name='V'"),
    "another KEY": meterTags("f".repeat(32)),
    "the KEY in other letters": meterTags(claimKey.toUpperCase()),
    "no KEY": meterTags().replace(/<str name='KEY'[^>]*>/, ""),
  }))
    it(`DISCO-MINE-01, DISCO-MINE-04: ${why} is not found`, async () => {
      await register(pipe);
      expect(outcome(await mine(pipe, wrong))).toBe("item-not-found");
      expect((await thing())?.state).toBe("unclaimed");
    });

  it("DISCO-KEY-04: without KEY, or with one of 15 characters, a thing is registered but nobody's for ever", async () => {
    const weak = meterTags("123456789012345");
    expect(outcome(await register(pipe, meter, weak))).toBe("result");
    expect(outcome(await mine(pipe, weak))).toBe("item-not-found");
    await using open = await openPipe({ allowWeakKey: true });
    await register(open, meter, weak);
    expect(outcome(await mine(open, weak))).toBe("result");
  });
});

describe("claims", () => {
  it("DISCO-MINE-03: one step in the store, then the owner's result, then claimed, then clearCache", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe);
    await pipe.comesOnline(gatewayFull);
    const before = pipe.sent.length;
    const reply = await mine(pipe, meterTags(), "public='false'");
    expect(payloadText(reply)).toBe(
      `<claimed xmlns='${disco}' jid='${gateway}' id='mbus-12' src='MeteringTopology' public='false'/>`,
    );
    const after = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(after[0]).toContain("type='result'");
    expect(after[1]).toContain(
      `<claimed xmlns='${disco}' jid='${ana}' id='mbus-12' src='MeteringTopology' public='false'/>`,
    );
    expect(after[2]).toContain("<clearCache xmlns='urn:nf:iot:prov:d:1.0' id='mbus-12' src='MeteringTopology'/>");
    expect((await thing())?.owner).toBe(ana);
    expect(await pipe.store.claimable(new Uint8Array(32), undefined)).toEqual([]);
  });

  it("DISCO-MINE-01: an address narrows the match", async () => {
    await register(pipe);
    expect(outcome(await mine(pipe, meterTags(), "id='other'"))).toBe("item-not-found");
    expect(outcome(await mine(pipe, meterTags(), meter))).toBe("result");
  });

  it("DISCO-MINE-01: each part of an address narrows by itself, and an empty one does not", async () => {
    await register(pipe);
    await register(pipe, "id='clone' src='MeteringTopology' pt='attic'");
    const claim = async (attrs: string) => payloadText(await mine(pipe, meterTags(), attrs)) || "none";
    const several = ["src='MeteringTopology'", "id='' src='' pt=''"];
    const none = ["pt='cellar'", "id='mbus-12' pt='attic'", "id='MBUS-12'"];
    for (const attrs of [...several, ...none]) expect(await claim(attrs), attrs).toContain("item-not-found");
    await pipe.clock.advance(60_000);
    expect(await claim("pt='attic'")).toContain("id='clone'");
    expect(await claim("id='mbus-12'")).toContain("id='mbus-12'");
  });

  it("DISCO-MINE-02: two unclaimed things with one KEY belong to nobody, and the operator is told", async () => {
    await register(pipe);
    await register(pipe, "id='clone'");
    expect(outcome(await mine(pipe))).toBe("item-not-found");
    const told = pipe.log.find(({ event }) => event === "KeyCloned") as LogEvent;
    expect(eventOf(told, 0, undefined).type.is).toBe("Alert");
  });

  it("DISCO-MINE-04: unknown, wrong and taken are answered byte for byte alike", async () => {
    await claimedMeter(pipe);
    const errorOf = async (inner: string) => payloadText(await mine(pipe, inner));
    const unknown = await errorOf(meterTags("z".repeat(32)));
    const taken = await errorOf(meterTags());
    expect(taken).toBe(unknown);
  });

  it("DISCO-MINE-05: a claim succeeds while the thing is offline; it learns on its next presence", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe);
    expect(outcome(await mine(pipe))).toBe("result");
    expect(pipe.pushedTo(gateway)).toEqual([]);
    await pipe.restart();
    await pipe.comesOnline(gatewayFull);
    expect(pipe.pushedTo(gateway).map(one => one.slice(1, 8))).toEqual(["claimed", "clearCa"]);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("DISCO-MINE-05: …or on its first stanza, before that is answered", async () => {
    pipe.answers(gatewayFull, () => "ok");
    await register(pipe);
    await mine(pipe);
    const before = pipe.sent.length;
    await register(pipe, "id='another'");
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order[0]).toContain("<claimed");
    expect(order[1]).toContain("<clearCache");
    expect(order[2]).toContain("type='result'");
  });

  it("DISCO-CLAIMED-03: a thing that answers conflict is asked again, on schedule", async () => {
    let answer = "conflict";
    pipe.answers(gatewayFull, payload => (payload.name === "claimed" ? answer : "ok"));
    await register(pipe);
    await pipe.comesOnline(gatewayFull);
    await mine(pipe);
    const count = () => pipe.pushedTo(gateway).filter(one => one.startsWith("<claimed")).length;
    expect(count()).toBe(1);
    await pipe.clock.advance(9_000);
    expect(count()).toBe(1);
    await pipe.clock.advance(1_500);
    expect(count()).toBe(2);
    await pipe.clock.advance(61_000);
    expect(count()).toBe(3);
    answer = "ok";
    await pipe.clock.advance(601_000);
    expect(count()).toBe(4);
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("DISCO-REG-02: a claimed thing that registers again changes nothing and learns its owner", async () => {
    await claimedMeter(pipe);
    const reply = await register(pipe, meter, "<str name='EVIL' value='1'/>");
    expect(payloadText(reply)).toBe(
      `<claimed xmlns='${disco}' jid='${ana}' id='mbus-12' src='MeteringTopology' public='true'/>`,
    );
    expect((await tags()).map(tag => tag.name)).toEqual(["CLASS", "MNR", "V"]);
  });

  it("DISCO-REG-03: a thing that owns itself is found and belongs to its own JID", async () => {
    await pipe.iq("set", gatewayFull, `<register xmlns='${disco}' selfOwned='true' ${meter}>${meterTags()}</register>`);
    expect((await thing())?.owner).toBe(gateway);
    expect(await hits("<strEq name='CLASS' value='HeatMeter'/>")).toEqual(["mbus-12"]);
    expect(outcome(await mine(pipe))).toBe("item-not-found");
  });

  it("DISCO-REG-05: of a thing that owns itself nobody else is asked, and nothing is granted from here", async () => {
    await pipe.iq("set", gatewayFull, `<register xmlns='${disco}' selfOwned='true' ${meter}>${meterTags()}</register>`);
    const asked = "urn:nf:iot:prov:d:1.0";
    const questions = [
      `<canRead xmlns='${asked}' jid='${bob}' m='true'><nd ${meter}/></canRead>`,
      `<canControl xmlns='${asked}' jid='${bob}'><nd ${meter}/></canControl>`,
      `<isFriend xmlns='${asked}' jid='${bob}'/>`,
      // Not even itself.
      `<canRead xmlns='${asked}' jid='${gateway}' m='true'><nd ${meter}/></canRead>`,
    ];
    for (const question of questions) {
      const answer = payloadOf(await pipe.iq("get", gatewayFull, question));
      expect(answer?.attrs.result).toBe("false");
    }
    expect(pipe.sent.filter(text => text.startsWith("<message"))).toEqual([]);
    expect(outcome(await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`))).toBe(
      "item-not-found",
    );
  });

  it("DISCO-THR-04: the key of a label is worth nothing once the thing was claimed, nor after it was disowned", async () => {
    await claimedMeter(pipe);
    expect(outcome(await mine(pipe, meterTags(), "", `${bob}/x`))).toBe("item-not-found");
    await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    expect(outcome(await mine(pipe, meterTags(), "", `${bob}/x`))).toBe("item-not-found");
    await register(pipe, meter, meterTags("n".repeat(32)));
    expect(outcome(await mine(pipe, meterTags(), "", `${bob}/x`))).toBe("item-not-found");
    expect((await thing())?.owner).toBeUndefined();
    expect(outcome(await mine(pipe, meterTags("n".repeat(32)), "", `${bob}/x`))).toBe("result");
  });

  it("DISCO-REG-04: things register at home; owners come from anywhere", async () => {
    for (const element of ["register", "update", "unregister"]) {
      const reply = await pipe.iq("set", "gw@foreign.example/e", `<${element} xmlns='${disco}' ${meter}/>`);
      expect(outcome(reply)).toBe("not-allowed");
    }
    await register(pipe);
    expect(outcome(await mine(pipe, meterTags(), "", "owner@far.example/x"))).toBe("result");
  });
});

describe("remove, update, unregister, disown", () => {
  it("DISCO-RM-01: tags go, the owner stays, and the thing is told after the owner", async () => {
    await claimedMeter(pipe);
    const before = pipe.sent.length;
    await pipe.iq("set", anaFull, `<remove xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    expect(await tags()).toEqual([]);
    expect((await thing())?.owner).toBe(ana);
    const [first, second] = pipe.sent.slice(before);
    expect(first).toMatch(new RegExp(`^<iq type='result' .*to='${anaFull}'`));
    expect(second).toContain(`<removed xmlns='${disco}' id='mbus-12' src='MeteringTopology'/>`);
  });

  it("DISCO-UPD-01: only what is named changes; an empty text deletes, also a number; KEY changes nothing", async () => {
    await claimedMeter(pipe);
    const update = `<update xmlns='${disco}' ${meter}><str name='MNR' value=''/><str name='V' value=''/><num name='LAT' value='59.5'/><str name='KEY' value='${claimKey}'/></update>`;
    expect(outcome(await pipe.iq("set", gatewayFull, update))).toBe("result");
    expect(await tags()).toEqual([
      { name: "CLASS", value: "HeatMeter" },
      { name: "LAT", value: 59.5 },
    ]);
    expect(await hits("<numRange name='LAT' min='59' max='60'/>")).toEqual(["mbus-12"]);
  });

  it("DISCO-UPD-03: another's thing cannot be updated, one's own JID is the thing's way", async () => {
    await claimedMeter(pipe);
    const update = (jid: string) =>
      `<update xmlns='${disco}' jid='${jid}' ${meter}><str name='ROOM' value='K'/></update>`;
    expect(outcome(await pipe.iq("set", `${bob}/x`, update(gateway)))).toBe("item-not-found");
    expect(outcome(await pipe.iq("set", gatewayFull, update(gateway)))).toBe("result");
    expect(outcome(await pipe.iq("set", anaFull, update(gateway)))).toBe("result");
  });

  it("DISCO-UNREG-01: one node goes with its rules and pushes, its neighbours stay; nothing there is fine too", async () => {
    pipe.answers(gatewayFull, payload => (payload.name === "claimed" ? "conflict" : "ok"));
    await register(pipe);
    await register(pipe, "id='neighbour'", meterTags("n".repeat(32)));
    await mine(pipe);
    await pipe.iq("set", gatewayFull, `<unregister xmlns='${disco}' ${meter}/>`);
    expect(await thing()).toBeUndefined();
    expect(await pipe.store.thing(gateway, { nodeId: "neighbour", sourceId: "", partition: "" })).toBeDefined();
    expect((await pipe.store.pendingOf(gateway)).filter(one => one.what === "claimed")).toEqual([]);
    expect(outcome(await pipe.iq("set", gatewayFull, `<unregister xmlns='${disco}' id='never'/>`))).toBe("result");
  });

  it("DISCO-DISOWN-01, DISCO-DISOWN-04: the thing agrees first, then everything of the owner goes, then clearCache", async () => {
    await claimedMeter(pipe);
    const before = pipe.sent.length;
    expect(outcome(await disown())).toBe("result");
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order[0]).toContain(`<disowned xmlns='${disco}' id='mbus-12' src='MeteringTopology'/>`);
    expect(order[1]).toContain("type='result'");
    // The claim has cleared the cache less than 2 s ago (PROV-CLEAR-06).
    await pipe.clock.advance(2_100);
    expect(pipe.pushedTo(gateway).at(-1)).toContain("<clearCache");
    expect(await thing()).toMatchObject({ state: "orphaned", owner: undefined });
    expect(await tags()).toEqual([]);
  });

  for (const [id, end] of [
    ["DISCO-UNREG-01", () => pipe.iq("set", gatewayFull, `<unregister xmlns='${disco}' ${meter}/>`)],
    ["DISCO-DISOWN-01", () => disown()],
  ] as const)
    it(`${id}: the rules and the questions of that thing go, and those of its neighbour stay`, async () => {
      await claimedMeter(pipe);
      const [next, eve] = ["id='next'", "eve@city.example"];
      const answer = (at: string, caller: string, key: string) =>
        `<canReadRule xmlns='${owning}' jid='${gateway}' ${at} remoteJid='${caller}' key='${key}' result='true'><fromJid/></canReadRule>`;
      await register(pipe, next, meterTags("n".repeat(32)));
      await mine(pipe, meterTags("n".repeat(32)));
      const decided = async (at: string, ref: typeof refOf) => {
        await canRead(pipe, `<nd ${at}/>`, bob);
        await canRead(pipe, `<nd ${at}/>`, eve);
        const said = answer(at, eve, lastQuestion(pipe).key);
        expect(outcome(await pipe.iq("set", anaFull, said))).toBe("result");
        const { id = 0 } = (await pipe.store.thing(gateway, ref)) ?? {};
        expect(await pipe.store.countRules(id)).toBe(1);
        return { id, key: (await pipe.store.openQuestionsOf(id, "read"))[0]?.key ?? "" };
      };
      const gone = await decided(meter, refOf);
      const stays = await decided(next, { nodeId: "next", sourceId: "", partition: "" });
      expect(outcome(await end())).toBe("result");
      expect(await pipe.store.countRules(gone.id)).toBe(0);
      expect(await pipe.store.question(gone.key)).toBeUndefined();
      expect(outcome(await pipe.iq("set", anaFull, answer(meter, bob, gone.key)))).toBe("item-not-found");
      expect(await pipe.store.countRules(stays.id)).toBe(1);
      expect((await pipe.store.question(stays.key))?.open).toBe(true);
    });

  it("DISCO-DISOWN-01: offline, it is not allowed and nothing changes", async () => {
    await claimedMeter(pipe);
    await pipe.presence(gatewayFull, "unavailable");
    expect(outcome(await disown())).toBe("not-allowed");
    expect((await thing())?.state).toBe("public");
  });

  it("DISCO-DISOWN-01: refused by the thing, it is not allowed and nothing changes", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "forbidden");
    expect(outcome(await disown())).toBe("not-allowed");
    expect((await thing())?.state).toBe("public");
    expect(await tags()).toHaveLength(3);
  });

  it("DISCO-DISOWN-01: a thing that does not answer within 10 s keeps its owner", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "silent");
    const reply = pipe.start("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await pipe.clock.advance(9_900);
    expect((await thing())?.state).toBe("disowning");
    await pipe.clock.advance(200);
    expect(outcome(await reply)).toBe("not-allowed");
    expect((await thing())?.state).toBe("public");
  });

  it("DISCO-DISOWN-01: cut short by a restart, the state is as before", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, () => "silent");
    void pipe.start("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await pipe.settle();
    await pipe.restart();
    expect(await thing()).toMatchObject({ state: "public", owner: ana });
  });

  it("DISCO-DISOWN-02: a thing that registers before it acknowledges is not bound to its old owner again", async () => {
    await claimedMeter(pipe);
    pipe.answers(gatewayFull, payload => (payload.name === "disowned" ? "silent" : "ok"));
    const reply = pipe.start("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await pipe.settle();
    expect(payloadText(await register(pipe, meter, meterTags("new".repeat(10))))).toBe("");
    expect(outcome(await reply)).toBe("result");
    expect(await thing()).toMatchObject({ state: "unclaimed", owner: undefined });
    expect(outcome(await mine(pipe, meterTags("new".repeat(10)), "", `${bob}/x`))).toBe("result");
  });

  for (const element of ["remove", "disown"])
    it(`DISCO section 4: ${element} by somebody who is not the owner is not found, as if it were not there`, async () => {
      await claimedMeter(pipe);
      const ask = (id: string) => pipe.iq("set", `${bob}/x`, `<${element} xmlns='${disco}' jid='${gateway}' ${id}/>`);
      expect(payloadText(await ask(meter))).toBe(payloadText(await ask("id='none'")));
      expect(outcome(await ask(meter))).toBe("item-not-found");
      expect((await thing())?.owner).toBe(ana);
    });

  const disown = () => pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
});

describe("search", () => {
  const shown = async (id: string, inner: string) => {
    await pipe.iq("set", gatewayFull, `<register xmlns='${disco}' selfOwned='true' id='${id}'>${inner}</register>`);
  };

  it("DISCO-SEARCH-01: only public and self-owned things; who lacks the tag fails every operator", async () => {
    await shown("self", "<str name='CLASS' value='Pump'/>");
    await register(pipe, "id='unclaimed'", meterTags("u".repeat(32)).replace("HeatMeter", "Pump"));
    await register(pipe, "id='hidden'", meterTags("h".repeat(32)).replace("HeatMeter", "Pump"));
    await mine(pipe, meterTags("h".repeat(32)).replace("HeatMeter", "Pump"), "public='false'");
    expect(await hits("<strEq name='CLASS' value='Pump'/>")).toEqual(["self"]);
    expect(await hits("<strNEq name='ROOM' value='x'/>")).toEqual([]);
    expect(await hits("<numNRange name='LAT' min='0' max='1'/>")).toEqual([]);
  });

  it("DISCO section 5: every operator, on texts by bytes and on numbers by value", async () => {
    for (const [id, text, number] of [
      ["a", "Alpha", 1],
      ["b", "Beta", 2],
      ["c", "beta", 10],
      ["d", "Ärger", -3],
    ] as const)
      await shown(id, `<str name='T' value='${text}'/><num name='N' value='${number}'/>`);
    const cases: [string, string[]][] = [
      ["<strEq name='t' value='Beta'/>", ["b"]],
      ["<strNEq name='T' value='Beta'/>", ["a", "c", "d"]],
      ["<strGt name='T' value='Beta'/>", ["c", "d"]],
      ["<strGtEq name='T' value='Beta'/>", ["b", "c", "d"]],
      ["<strLt name='T' value='Beta'/>", ["a"]],
      ["<strLtEq name='T' value='Beta'/>", ["a", "b"]],
      ["<strRange name='T' min='Alpha' minIncluded='false' max='beta'/>", ["b", "c"]],
      ["<strNRange name='T' min='Alpha' minIncluded='false' max='beta'/>", ["a", "d"]],
      ["<strMask name='T' value='*eta' wildcard='*'/>", ["b", "c"]],
      ["<strMask name='T' value='B%%a' wildcard='%%'/>", ["b"]],
      ["<strMask name='T' value='?eta' wildcard='*'/>", []],
      ["<numEq name='N' value='10.0'/>", ["c"]],
      ["<numNEq name='N' value='10'/>", ["a", "b", "d"]],
      ["<numGt name='N' value='2'/>", ["c"]],
      ["<numGtEq name='N' value='2'/>", ["b", "c"]],
      ["<numLt name='N' value='1'/>", ["d"]],
      ["<numLtEq name='N' value='1'/>", ["a", "d"]],
      ["<numRange name='N' min='1' max='2'/>", ["a", "b"]],
      ["<numRange name='N' min='1' minIncluded='false' max='10' maxIncluded='false'/>", ["b"]],
      ["<numNRange name='N' min='1' max='2'/>", ["c", "d"]],
      ["<numNRange name='N' min='1' max='2' maxIncluded='false'/>", ["b", "c", "d"]],
      ["<strEq name='N' value='1'/>", []],
      ["<numEq name='T' value='1'/>", []],
      ["<strGtEq name='T' value='B'/><numLt name='N' value='10'/>", ["b", "d"]],
    ];
    for (const [operators, expected] of cases) expect(await hits(operators), operators).toEqual(expected);
  });

  it("DISCO-SEARCH-06: a regular expression holds for whole values, and a hostile one costs no more than another", async () => {
    await shown("a", "<str name='T' value='HeatMeter-17'/><num name='N' value='17'/>");
    await shown("b", `<str name='T' value='${"a".repeat(120)}!'/>`);
    expect(await hits("<strRegEx name='t' value='Heat\\w+-[0-9]{2}'/>")).toEqual(["a"]);
    expect(await hits("<strRegEx name='T' value='Heat'/>")).toEqual([]);
    expect(await hits("<strRegEx name='T' value='(?i)heatMETER-\\d\\d|x'/>")).toEqual(["a"]);
    expect(await hits("<strRegEx name='N' value='.*'/>")).toEqual([]);
    expect(await hits("<strRegEx name='*' nameWildcard='*' value='(a+)+!'/>")).toEqual(["b"]);
    expect(await hits("<strRegEx name='T' value='(a|a?)+b'/>")).toEqual([]);
  });

  it("DISCO-SEARCH-02: a wildcard in the name holds when any of the tags satisfies the operator", async () => {
    await shown("two", "<num name='HI_A' value='1'/><num name='HI_B' value='7'/>");
    expect(await hits("<numGt name='hi_%' nameWildcard='%' value='5'/>")).toEqual(["two"]);
    expect(await hits("<numGt name='hi_%' nameWildcard='%' value='8'/>")).toEqual([]);
    expect(await hits("<numRange name='*' nameWildcard='*' min='7' max='7'/>")).toEqual(["two"]);
  });

  it("DISCO-SEARCH-03: stable order, pages of 20, at most 100, and more tells that there are more", async () => {
    for (let n = 0; n < 120; n++) await shown(`n${n}`, "<str name='CLASS' value='Pump'/>");
    const pump = "<strEq name='CLASS' value='Pump'/>";
    const standard = await search(pump);
    expect(elements(payloadOf(standard) as never)).toHaveLength(20);
    expect(payloadOf(standard)?.attrs.more).toBe("true");
    expect(await hits(pump, "maxCount='1000'")).toHaveLength(100);
    const rest = await search(pump, "maxCount='50' offset='100'");
    expect(elements(payloadOf(rest) as never).map(one => one.attrs.id)).toEqual(
      Array.from({ length: 20 }, (_, n) => `n${n + 100}`),
    );
    expect(payloadOf(rest)?.attrs.more).toBe("false");
  });

  for (const [why, inner, attrs] of [
    ["no operator", "", ""],
    ["an unknown operator", "<strLike name='A' value='b'/>", ""],
    ["a number that is none", "<numEq name='A' value='x'/>", ""],
    ["maxCount 0", "<strEq name='A' value='b'/>", "maxCount='0'"],
    ["a regular expression with a reference back", "<strRegEx name='A' value='(a+)\\1'/>", ""],
    ["a regular expression that is none", "<strRegEx name='A' value='(a'/>", ""],
    ["a regular expression of 129 characters", `<strRegEx name='A' value='${"a".repeat(129)}'/>`, ""],
    ["a regular expression of too many states", "<strRegEx name='A' value='((a{99}){99}){99}'/>", ""],
  ] as const)
    it(`DISCO-SEARCH-04, DISCO-SEARCH-06: ${why} is a bad request`, async () => {
      expect(outcome(await search(inner, attrs))).toBe("bad-request");
    });

  it("DISCO-SEARCH-07: public things are found by where they are, across the date line and by height too", async () => {
    const places: [string, number, number, number][] = [
      ["stockholm", 59.33, 18.07, 28],
      ["uppsala", 59.86, 17.64, 15],
      ["kiruna", 67.86, 20.23, 530],
      ["fiji-east", -17.7, -179.9, 3],
      ["fiji-west", -17.8, 178.0, 1],
    ];
    for (const [id, lat, lon, alt] of places)
      await shown(
        id,
        `<num name='LAT' value='${lat}'/><num name='LON' value='${lon}'/><num name='ALT' value='${alt}'/>`,
      );
    await shown("nowhere", "<str name='LAT' value='59.5'/>");
    await register(pipe, "id='unclaimed'", "<num name='LAT' value='59.4'/><num name='LON' value='18'/>");
    const within = (south: number, north: number, west: number, east: number) =>
      `<numRange name='LAT' min='${south}' max='${north}'/><numRange name='LON' min='${west}' max='${east}'/>`;
    expect(await hits(within(59, 60, 17, 19))).toEqual(["stockholm", "uppsala"]);
    expect(await hits(`${within(55, 70, 10, 30)}<numGt name='ALT' value='100'/>`)).toEqual(["kiruna"]);
    // From 170° east to 170° west: outside of what lies between.
    const dateLine = "<numNRange name='LON' min='-170' max='170'/><numLt name='LAT' value='0'/>";
    expect(await hits(dateLine)).toEqual(["fiji-east", "fiji-west"]);
  });

  it("DISCO-SEARCH-05: no white space between things, and no owner (DISCO section 1)", async () => {
    await claimedMeter(pipe);
    const reply = await search("<strEq name='CLASS' value='HeatMeter'/>");
    expect(payloadText(reply)).toBe(
      `<found xmlns='${disco}' more='false'><thing jid='${gateway}' id='mbus-12' src='MeteringTopology'><str name='CLASS' value='HeatMeter'/><str name='MNR' value='66120'/><num name='V' value='2.1'/></thing></found>`,
    );
  });

  it("DISCO-DEBBY-01: distributed is ignored", async () => {
    await claimedMeter(pipe);
    expect(await hits("<strEq name='CLASS' value='HeatMeter'/>", "distributed='true'")).toEqual(["mbus-12"]);
  });

  it("the search looks at values only: quotes and wildcards of SQL are ordinary characters", async () => {
    await shown("q", "<str name='T' value=\"x' OR '1'='1 %_*[a]\"/>");
    expect(await hits("<strEq name='T' value=\"x' OR '1'='1 %_*[a]\"/>")).toEqual(["q"]);
    expect(await hits("<strMask name='T' value='$[a]' wildcard='$'/>")).toEqual(["q"]);
    expect(await hits("<strMask name='T' value='x*a]' wildcard='$'/>")).toEqual([]);
  });
});

describe("limits", () => {
  it("DISCO-THR-03: after five wrong claims in a minute the right one is refused too, later; a minute on it succeeds", async () => {
    await register(pipe);
    for (let n = 0; n < 5; n++) expect(outcome(await mine(pipe, meterTags(`${n}`.repeat(32))))).toBe("item-not-found");
    const reply = pipe.start("set", anaFull, `<mine xmlns='${disco}'>${meterTags()}</mine>`);
    let answered = false;
    void reply.then(() => (answered = true));
    await pipe.clock.advance(1_900);
    expect(answered).toBe(false);
    await pipe.clock.advance(200);
    expect(outcome(await reply)).toBe("item-not-found");
    await pipe.clock.advance(60_000);
    expect(outcome(await mine(pipe))).toBe("result");
  });

  it("DISCO-THR-03: a foreign domain shares 60 wrong claims an hour among all its JIDs", async () => {
    await register(pipe);
    for (let n = 0; n < 60; n++) await mine(pipe, meterTags("w".repeat(32)), "", `u${n}@evil.example/x`);
    const reply = pipe.start("set", "u99@evil.example/x", `<mine xmlns='${disco}'>${meterTags()}</mine>`);
    await pipe.clock.advance(2_100);
    expect(outcome(await reply)).toBe("item-not-found");
    expect(outcome(await mine(pipe))).toBe("result");
  });

  it("DISCO-THR-03: guesses sent at once count like guesses one after the other", async () => {
    await register(pipe);
    for (let n = 0; n < 20; n++)
      void pipe.start("set", anaFull, `<mine xmlns='${disco}'>${meterTags(`${n}`.repeat(16))}</mine>`);
    const right = pipe.start("set", anaFull, `<mine xmlns='${disco}'>${meterTags()}</mine>`);
    await pipe.clock.advance(2_100);
    expect(outcome(await right)).toBe("item-not-found");
    expect((await thing())?.state).toBe("unclaimed");
  });

  it("DISCO-THR-03: thirty wrong claims a day, however slowly; then one each 48 minutes", async () => {
    await register(pipe);
    for (let n = 0; n < 30; n++) {
      expect(outcome(await mine(pipe, meterTags(`${n}`.padEnd(32, "k"))))).toBe("item-not-found");
      await pipe.clock.advance(13_000);
    }
    const late = async (tags: string) => {
      const sentAt = pipe.clock.monotonic();
      const reply = pipe.start("set", anaFull, `<mine xmlns='${disco}'>${tags}</mine>`);
      let at = 0;
      void reply.then(() => {
        at = pipe.clock.monotonic() - sentAt;
      });
      await pipe.clock.advance(2_100);
      return [outcome(await reply), at];
    };
    expect(await late(meterTags())).toEqual(["item-not-found", 2_000]);
    await pipe.clock.advance(48 * 60_000);
    expect(await late(meterTags("x".repeat(32)))).toEqual(["item-not-found", 0]);
    expect(await late(meterTags())).toEqual(["item-not-found", 2_000]);
    // Others are not in his account, and he is not for ever.
    await pipe.clock.advance(48 * 60_000);
    expect(await late(meterTags())).toEqual(["result", 0]);
  });

  it("DISCO-THR-03: two hundred answers are held back at once; more come at once and say the same", async () => {
    await register(pipe);
    for (let n = 0; n < 60; n++) await mine(pipe, meterTags("w".repeat(32)), "", `u${n}@evil.example/x`);
    const replies = Array.from({ length: 201 }, (_, n) =>
      pipe.start("set", `v${n}@evil.example/x`, `<mine xmlns='${disco}'>${meterTags()}</mine>`),
    );
    let answered = 0;
    for (const one of replies) void one.then(() => answered++);
    await pipe.settle();
    expect(answered).toBe(1);
    await pipe.clock.advance(2_100);
    expect(new Set((await Promise.all(replies)).map(payloadText)).size).toBe(1);
    expect((await thing())?.state).toBe("unclaimed");
  });

  it("DISCO-THR-05: ten thousand things a JID; those it has it may change and leave", async () => {
    await pipe.store.change(async records => {
      for (let n = 0; n < 10_000; n++) {
        const ref = { nodeId: `n${n}`, sourceId: "", partition: "" };
        await records.insertThing(gateway, ref, "unclaimed", undefined, undefined, 0);
      }
    });
    expect(outcome(await register(pipe, "id='over'"))).toBe("resource-constraint");
    expect(outcome(await register(pipe, "id='n9999'"))).toBe("result");
    expect(outcome(await register(pipe, "id='x'", meterTags(), "gw8@hub.example/e"))).toBe("result");
    expect(outcome(await pipe.iq("set", gatewayFull, `<unregister xmlns='${disco}' id='n0'/>`))).toBe("result");
    expect(outcome(await register(pipe, "id='over'"))).toBe("result");
    expect(outcome(await register(pipe, "id='over2'"))).toBe("resource-constraint");
  });

  /** Requests of devices that have not acknowledged something are held for two seconds. */
  const held = async (device: string, count: number) => {
    const tags = meterTags(device.padEnd(32, "k"));
    await register(pipe, meter, tags, device);
    await mine(pipe, tags);
    return Array.from({ length: count }, () =>
      pipe.start("get", device, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}'/>`),
    );
  };

  it("DISCO-THR: sixty-four requests of one sender at once, from whichever of its sessions", async () => {
    const replies = await held(gatewayFull, 64);
    const ask = "<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='a@b.example'/>";
    await pipe.settle();
    expect(outcome(await pipe.iq("get", gatewayFull, ask))).toBe("resource-constraint");
    expect(outcome(await pipe.iq("get", `${gateway}/other`, ask))).toBe("resource-constraint");
    expect(outcome(await pipe.iq("get", "gw8@hub.example/e", ask))).toBe("result");
    await pipe.clock.advance(2_100);
    expect(new Set((await Promise.all(replies)).map(outcome))).toEqual(new Set(["result"]));
    const after = pipe.start("get", gatewayFull, ask);
    await pipe.clock.advance(2_100);
    expect(outcome(await after)).toBe("result");
  });

  it("DISCO-THR: five hundred and twelve requests of all senders at once", async () => {
    const replies: Promise<unknown>[] = [];
    for (let n = 0; n < 8; n++) replies.push(...(await held(`gw${n}@hub.example/e`, 64)));
    await pipe.settle();
    expect(outcome(await search("<strEq name='A' value='b'/>"))).toBe("resource-constraint");
    await pipe.clock.advance(2_100);
    await Promise.all(replies);
    expect(outcome(await search("<strEq name='A' value='b'/>"))).toBe("result");
  });

  it("DISCO-THR-05: 500 registrations at once, then five a second", async () => {
    for (let n = 0; n < 500; n++) expect(outcome(await register(pipe, `id='n${n}'`))).toBe("result");
    expect(outcome(await register(pipe, "id='over'"))).toBe("resource-constraint");
    await pipe.clock.advance(1_000);
    for (let n = 0; n < 5; n++) expect(outcome(await register(pipe, `id='later${n}'`))).toBe("result");
    expect(outcome(await register(pipe, "id='over'"))).toBe("resource-constraint");
    expect(outcome(await register(pipe, "id='x'", meterTags(), "gw8@hub.example/e"))).toBe("result");
  });

  it("DISCO-THR-06: thirty searches a minute, whatever the generation", async () => {
    await claimedMeter(pipe);
    const meters = "<strEq name='CLASS' value='HeatMeter'/>";
    for (let n = 0; n < 30; n++) expect(outcome(await search(meters))).toBe("result");
    const other = `<search xmlns='urn:nfi:iot:disco:1.0'>${meters}</search>`;
    expect(outcome(await pipe.iq("get", `${bob}/other`, other))).toBe("resource-constraint");
    await pipe.clock.advance(2_100);
    expect(outcome(await search(meters))).toBe("result");
  });

  for (const [why, operators] of Object.entries({
    "finds nothing": "<strEq name='CLASS' value='none'/>",
    "wants everything": "<strMask name='*' nameWildcard='*' value='**' wildcard='*'/>",
    "wants everything, by a pattern": "<strRegEx name='CLASS' value='.*'/>",
  }))
    it(`DISCO-THR-06: who ${why} again and again is slowed down sooner, and others are not`, async () => {
      await claimedMeter(pipe);
      for (let n = 0; n < 20; n++) {
        expect(outcome(await search(operators))).toBe("result");
        await pipe.clock.advance(10);
      }
      expect(outcome(await search(operators))).toBe("resource-constraint");
      expect(outcome(await search("<strEq name='CLASS' value='HeatMeter'/>"))).toBe("resource-constraint");
      expect(outcome(await search(operators, "", "else@city.example"))).toBe("result");
      await pipe.clock.advance(10_100);
      expect(outcome(await search("<strEq name='CLASS' value='HeatMeter'/>"))).toBe("result");
    });
});

describe("malformed and misdirected", () => {
  for (const [why, type, payload, expected] of [
    ["register as get", "get", `<register xmlns='${disco}'/>`, "feature-not-implemented"],
    [
      "search as set",
      "set",
      `<search xmlns='${disco}'><strEq name='a' value='b'/></search>`,
      "feature-not-implemented",
    ],
    ["an unknown element", "set", `<takeOver xmlns='${disco}'/>`, "feature-not-implemented"],
    ["an unknown namespace", "set", "<register xmlns='urn:xmpp:iot:discovery'/>", "service-unavailable"],
    ["remove without jid", "set", `<remove xmlns='${disco}'/>`, "bad-request"],
    ["a JID that is none", "set", `<disown xmlns='${disco}' jid='a b'/>`, "bad-request"],
    ["public that is no boolean", "set", `<mine xmlns='${disco}' public='perhaps'/>`, "bad-request"],
    ["an id of 1025 characters", "set", `<register xmlns='${disco}' id='${"i".repeat(1025)}'/>`, "bad-request"],
    ["no payload", "set", "", "bad-request"],
  ] as const)
    it(`COM-STZ, COM-LEX-08: ${why} is ${expected}`, async () => {
      expect(outcome(await pipe.iq(type, gatewayFull, payload))).toBe(expected);
    });

  it("PRES-CMP-03: another local part or resource of the component is not found; every other stanza is from the bare JID", async () => {
    for (const to of [`someone@${service}`, `${service}/res`]) {
      const reply = await pipe.iq("get", anaFull, "<ping xmlns='urn:xmpp:ping'/>", { to });
      expect(outcome(reply)).toBe("item-not-found");
      expect(reply.attrs.from).toBe(to);
    }
    await pipe.presence(anaFull, "subscribe", `someone@${service}`);
    const before = pipe.sent.length;
    await claimedMeter(pipe);
    for (const text of pipe.sent.slice(before)) expect(text).toContain(` from='${service}'`);
  });

  it("FED-02: encrypted from end to end it cannot be asked, and says so", async () => {
    for (const name of ["aes", "cha", "acp", "synchE2e"])
      for (const type of ["get", "set"] as const) {
        const payload = `<${name} xmlns='urn:nf:iot:e2e:1.0' r='x25519' c='5'>AAAA</${name}>`;
        expect(outcome(await pipe.iq(type, anaFull, payload))).toBe("service-unavailable");
      }
  });

  it("COM-STZ-12: a repeated set gets the stored reply, not a second execution", async () => {
    await register(pipe);
    const first = await pipe.iq("set", anaFull, `<mine xmlns='${disco}'>${meterTags()}</mine>`, { id: "same" });
    const again = await pipe.iq("set", anaFull, `<mine xmlns='${disco}'>${meterTags()}</mine>`, { id: "same" });
    expect(format(again)).toBe(format(first));
    expect(outcome(again)).toBe("result");
  });
});

const readAll = ({ databaseFiles }: Pipe): Buffer => Buffer.concat(databaseFiles().map(file => readFileSync(file)));
