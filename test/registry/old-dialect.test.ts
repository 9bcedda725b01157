// Things that speak XEP-0347, through a registry that serves them: by their own stanzas, never mixed with another dialect.

import { afterEach, beforeEach, expect, it } from "vitest";
import { elements } from "#xml/element.ts";
import {
  ana,
  anaFull,
  claimKey,
  disco,
  gateway,
  gatewayFull,
  mine,
  openPipe,
  outcome,
  type Pipe,
  payloadOf,
  payloadText,
} from "./pipe.ts";

const old = "urn:xmpp:iot:discovery";
const tags = `<str name='CLASS' value='HeatMeter'/><num name='V' value='2.1'/><str name='KEY' value='${claimKey}'/>`;

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe({ oldDialect: { exposeOwner: false } });
});
afterEach(() => pipe[Symbol.asyncDispose]());

const registerOld = (of = pipe) =>
  of.iq("set", gatewayFull, `<register xmlns='${old}' nodeId='n1' sourceId='S' cacheType='P'>${tags}</register>`);
const searchOld = (inner: string, of = pipe) =>
  of.iq("get", "q@city.example/q", `<search xmlns='${old}' maxCount='9'>${inner}</search>`);
const byClass = "<strEq name='CLASS' value='HeatMeter'/>";

it("DISCO-NS-04: a thing of the old dialect registers, is claimed in a new one, and is told in its own", async () => {
  pipe.answers(gatewayFull, () => "ok");
  expect(outcome(await registerOld())).toBe("result");
  expect(await pipe.store.thing(gateway, { nodeId: "n1", sourceId: "S", partition: "P" })).toBeDefined();
  await pipe.comesOnline(gatewayFull);
  expect(payloadText(await mine(pipe, tags))).toBe(
    `<claimed xmlns='${disco}' jid='${gateway}' id='n1' src='S' pt='P' public='true'/>`,
  );
  expect(pipe.pushedTo(gateway)).toEqual([
    `<claimed xmlns='${old}' jid='${ana}' nodeId='n1' sourceId='S' cacheType='P' public='true'/>`,
    "<clearCache xmlns='urn:xmpp:iot:provisioning'/>",
  ]);
  expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  const again = await registerOld();
  expect(payloadText(again)).toBe(
    `<claimed xmlns='${old}' jid='${ana}' nodeId='n1' sourceId='S' cacheType='P' public='true'/>`,
  );
});

it("DISCO-NS-04: searched in either dialect, answered in that one alone, without the owner", async () => {
  await registerOld();
  await mine(pipe, tags);
  const found = `<thing jid='${gateway}' nodeId='n1' sourceId='S' cacheType='P'><str name='CLASS' value='HeatMeter'/><num name='V' value='2.1'/></thing>`;
  expect(payloadText(await searchOld(byClass))).toBe(`<found xmlns='${old}' more='false'>${found}</found>`);
  const now = await pipe.iq("get", "q@city.example/q", `<search xmlns='${disco}'>${byClass}</search>`);
  expect(payloadText(now)).toBe(
    `<found xmlns='${disco}' more='false'>${found.replace("nodeId", "id").replace("sourceId", "src").replace("cacheType", "pt")}</found>`,
  );
});

it("DISCO-NS-04: the owner is told with what is found only where the operator wishes so", async () => {
  await using open = await openPipe({ oldDialect: { exposeOwner: true } });
  await registerOld(open);
  await mine(open, tags);
  const answer = payloadOf(await searchOld(byClass, open));
  expect(answer && elements(answer)[0]?.attrs.owner).toBe(ana);
  const now = await open.iq("get", "q@city.example/q", `<search xmlns='${disco}'>${byClass}</search>`);
  expect(payloadText(now)).not.toContain("owner");
});

it.each([
  ["a child of another dialect", `<search xmlns='${old}'><strEq xmlns='${disco}' name='CLASS' value='x'/></search>`],
  ["a regular expression", `<search xmlns='${old}'><strRegEx name='CLASS' value='x'/></search>`],
  ["a wildcard in a name", `<search xmlns='${old}'><strEq name='C*' nameWildcard='*' value='x'/></search>`],
  ["a name of 33 characters", `<search xmlns='${old}'><strEq name='${"a".repeat(33)}' value='x'/></search>`],
])("DISCO-NS-04: %s is a bad request there", async (why, payload) => {
  const isName = why.startsWith("a name");
  const reply = isName
    ? await pipe.iq("set", gatewayFull, `<register xmlns='${old}'><str name='${"a".repeat(33)}' value='x'/></register>`)
    : await pipe.iq("get", "q@city.example/q", payload);
  expect(outcome(reply)).toBe("bad-request");
});

it("DISCO-NS-04: old names in a stanza of today are no addresses, and old children no tags", async () => {
  const mixed = `<register xmlns='${disco}' nodeId='n1'><str xmlns='${old}' name='CLASS' value='x'/></register>`;
  expect(outcome(await pipe.iq("set", gatewayFull, mixed))).toBe("result");
  const thing = await pipe.store.thing(gateway, { nodeId: "", sourceId: "", partition: "" });
  expect((await pipe.store.tagsOf([thing?.id ?? 0])).size).toBe(0);
});

it("DISCO-NS-01, DISCO-NS-04: it is announced where it is served, and nowhere else", async () => {
  const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
  expect(payloadText(await pipe.iq("get", anaFull, info))).toContain(`<feature var='${old}'/>`);
  await using plain = await openPipe();
  expect(payloadText(await plain.iq("get", anaFull, info))).not.toContain(old);
  expect(outcome(await registerOld(plain))).toBe("service-unavailable");
});

it("DISCO-NS-02: a device that stopped speaking today's dialects is told in the old one at last", async () => {
  pipe.answers(gatewayFull, payload => (payload.ns.startsWith("urn:xmpp") ? "ok" : "feature-not-implemented"));
  await pipe.iq("set", gatewayFull, `<register xmlns='urn:nfi:iot:disco:1.0'>${tags}</register>`);
  await pipe.comesOnline(gatewayFull);
  await mine(pipe, tags);
  const told = pipe.pushedTo(gateway).filter(one => one.startsWith("<claimed"));
  expect(told.map(one => /xmlns='urn:(\w+):/.exec(one)?.[1])).toEqual(["nfi", "nf", "ieee", "xmpp"]);
  expect((await pipe.store.peer(gateway))?.generation).toBe("xsf");
  expect(await pipe.store.pendingOf(gateway)).toEqual([]);
});
