// Searches over several registries: peers, the one above, those below; bounded, merged, and with the origin of each part.

import { afterEach, describe, expect, it } from "vitest";
import { type Element, element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import {
  bob,
  claimedMeter,
  claimKey,
  disco,
  gateway,
  gatewayFull,
  openPipe,
  outcome,
  type Pipe,
  type PipeOptions,
  payloadOf,
  payloadText,
} from "./pipe.ts";

const asked = "urn:isthmus:registry:asked:1";
const byClass = "<strEq name='CLASS' value='HeatMeter'/>";
const peer = "things.peer.example";
const second = "things.second.example";
const parent = "things.above.example";
const child = "things.below.example";

let pipe: Pipe;
afterEach(() => pipe[Symbol.asyncDispose]());

const thing = (jid: string, id: string, more = "") =>
  `<thing jid='${jid}' id='${id}'${more}><str name='CLASS' value='HeatMeter'/></thing>`;
const found = (things: string, more = false) => parse(`<found xmlns='${disco}' more='${more}'>${things}</found>`);
const search = (attrs = "distributed='true'", from = `${bob}/q`, operators = byClass) =>
  pipe.iq("get", from, `<search xmlns='${disco}' ${attrs}>${operators}</search>`);
/** Opens a registry whose neighbours answer so, and notes what they were asked. */
const open = async (
  services: PipeOptions["services"],
  federation: Partial<PipeOptions["federation"]> = { peers: [peer] },
) => {
  const questions: [string, Element][] = [];
  const noted = Object.entries(services ?? {}).map(([jid, answer]) => [
    jid,
    (payload: Element) => {
      questions.push([jid, payload]);
      return answer(payload);
    },
  ]);
  pipe = await openPipe({
    services: Object.fromEntries(noted),
    federation: { peers: [], parent: undefined, children: [], ...federation },
  });
  return questions;
};
const parts = (reply: Element) => {
  const answer = payloadOf(reply);
  return (answer === undefined ? [] : elements(answer)).map(one => (one.name === "thing" ? one.attrs.id : one));
};

describe("peers", () => {
  it("DISCO-DEBBY-01: searching everywhere asks the peers the same, and says what came from whom", async () => {
    const questions = await open(
      {
        [peer]: () => found(thing("gw1@peer.example", "p1") + thing("gw1@peer.example", "p2")),
        [second]: () => found(thing("gw2@second.example", "s1", " owner='who@x.example'")),
      },
      { peers: [peer, second] },
    );
    await claimedMeter(pipe);
    const reply = payloadText(await search());
    expect(reply).toContain(
      `<asked xmlns='${asked}'><registry jid='${peer}' things='2'/><registry jid='${second}' things='1'/></asked></found>`,
    );
    expect([...reply.matchAll(/<thing jid='(\S+)'/g)].map(([, jid]) => jid)).toEqual([
      gateway,
      "gw1@peer.example",
      "gw1@peer.example",
      "gw2@second.example",
    ]);
    expect(reply).not.toContain("owner");
    expect(questions.map(([jid]) => jid)).toEqual([peer, second]);
    // One step, and in no circle.
    for (const [, question] of questions) {
      expect([question.name, question.ns, question.attrs.distributed ?? "false"]).toEqual(["search", disco, "false"]);
      expect(elements(question).map(({ name, attrs }) => [name, attrs.value])).toEqual([["strEq", "HeatMeter"]]);
    }
  });

  it("DISCO-DEBBY-01: without the wish, or on later pages, nobody else is asked", async () => {
    const questions = await open({ [peer]: () => found(thing("gw1@peer.example", "p1")) });
    await claimedMeter(pipe);
    expect(payloadText(await search(""))).not.toContain("asked");
    expect(parts(await search("distributed='true' offset='1'"))).toEqual([]);
    expect(questions).toEqual([]);
  });

  it("DISCO-KEY-02: a search for a KEY is passed on to nobody, and finds nothing anywhere", async () => {
    const answer = () => found(thing("gw1@peer.example", "p1"));
    const questions = await open({ [peer]: answer, [parent]: answer }, { peers: [peer], parent, children: [child] });
    await claimedMeter(pipe);
    const byKey = `${byClass}<strEq name='Key' value='${claimKey}'/>`;
    expect(payloadText(await search("distributed='true'", undefined, byKey))).toBe(
      `<found xmlns='${disco}' more='false'/>`,
    );
    const below = await pipe.iq("get", child, `<query xmlns='${disco}' qid='q1'><search>${byKey}</search></query>`);
    expect(payloadText(below)).toBe(`<result xmlns='${disco}' qid='q1'/>`);
    expect(questions).toEqual([]);
  });

  it("one page: what does not fit is said to be more, and never more of one than was asked for", async () => {
    const many = Array.from({ length: 9 }, (_, n) => thing("gw1@peer.example", `p${n}`)).join("");
    await open({ [peer]: () => found(many) });
    await claimedMeter(pipe);
    const reply = await search("distributed='true' maxCount='3'");
    expect(parts(reply).slice(0, 3)).toEqual(["mbus-12", "p0", "p1"]);
    expect(payloadOf(reply)?.attrs.more).toBe("true");
    expect(payloadText(reply)).toContain(`<registry jid='${peer}' things='2'/>`);
  });

  it("a peer that is silent, refuses or talks nonsense costs five seconds at most, and is named with its fault", async () => {
    await open(
      {
        [peer]: () => new Promise<undefined>(() => {}),
        [second]: () => {
          throw new StanzaError("auth", "forbidden");
        },
        [parent]: () => element("nonsense", "urn:x"),
      },
      { peers: [peer, second, parent] },
    );
    await claimedMeter(pipe);
    const reply = pipe.start("get", `${bob}/q`, `<search xmlns='${disco}' distributed='true'>${byClass}</search>`);
    await pipe.clock.advance(5_100);
    const text = payloadText(await reply);
    expect(text).toContain(`<registry jid='${peer}' fault='remote-server-timeout'/>`);
    expect(text).toContain(`<registry jid='${second}' fault='forbidden'/>`);
    expect(text).toContain(`<registry jid='${parent}' fault='undefined-condition'/>`);
    expect(parts(await reply)[0]).toBe("mbus-12");
  });

  it("a peer cannot speak for things of our own domains", async () => {
    await open({ [peer]: () => found(thing(gatewayFull, "forged") + thing("gw1@peer.example", "p1")) });
    expect(parts(await search()).slice(0, 1)).toEqual(["p1"]);
    expect(payloadText(await search())).not.toContain("forged");
  });

  it("DISCO-THR-06: searching everywhere counts five times", async () => {
    await open({ [peer]: () => found(thing("gw1@peer.example", "p1")) });
    await claimedMeter(pipe);
    for (let n = 0; n < 6; n++) expect(outcome(await search())).toBe("result");
    expect(outcome(await search())).toBe("resource-constraint");
    expect(outcome(await search("", "else@city.example/q"))).toBe("result");
  });
});

describe("above and below", () => {
  const result = (qid: string, things = "") =>
    parse(
      `<result xmlns='${disco}' qid='${qid}'>${things === "" ? "" : `<found xmlns='${disco}' more='false'>${things}</found>`}</result>`,
    );
  const query = (qid: string, from = child, more = "") =>
    pipe.iq(
      "get",
      from,
      `<query xmlns='${disco}' qid='${qid}' created='2031-01-01T00:00:00Z' source='${gateway}'><search ${more}>${byClass}</search></query>`,
    );

  it("DISCO-DEBBY-02: where nothing is found the registry above is asked, by a query of our own", async () => {
    const questions = await open(
      { [parent]: payload => result(payload.attrs.qid ?? "", thing("gw1@far.example", "f1")) },
      { parent },
    );
    const reply = await search();
    expect(parts(reply)[0]).toBe("f1");
    expect(payloadText(reply)).toContain(`<registry jid='${parent}' things='1'/>`);
    const [, question] = questions[0] ?? [];
    expect(question?.name).toBe("query");
    expect(question?.attrs.qid).toMatch(/^[\w-]{22}$/);
    expect([question?.attrs.source, question?.attrs.created]).toEqual(["reg.hub.example", "2031-03-02T05:00:00.000Z"]);
    await claimedMeter(pipe);
    expect(parts(await search()).slice(0, 1)).toEqual(["mbus-12"]);
    expect(questions).toHaveLength(1);
  });

  it("DISCO-DEBBY-02: a registry below is answered, from here or from above; a question that was here before, with nothing", async () => {
    const questions = await open(
      { [parent]: payload => result(payload.attrs.qid ?? "", thing("gw1@far.example", "f1")) },
      { parent, children: [child] },
    );
    expect(payloadText(await query("q1"))).toBe(
      `<result xmlns='${disco}' qid='q1'><found more='false'>${thing("gw1@far.example", "f1")}</found></result>`,
    );
    expect(questions.map(([, one]) => one.attrs.qid)).toEqual(["q1"]);
    expect(payloadText(await query("q1"))).toBe(`<result xmlns='${disco}' qid='q1'/>`);
    await claimedMeter(pipe);
    expect(payloadText(await query("q2", child, "distributed='true'"))).toContain("id='mbus-12'");
    expect(questions).toHaveLength(1);
  });

  it("DISCO-DEBBY-02: queries of anybody else are forbidden, whatever source they name; so are results", async () => {
    await open({}, { parent, children: [child] });
    await claimedMeter(pipe);
    for (const from of [`${bob}/q`, peer, parent, `someone@${child}`, `x.${child}`])
      expect(outcome(await query("q1", from))).toBe("forbidden");
    const late = (from: string) =>
      pipe.iq(
        "set",
        from,
        `<result xmlns='${disco}' qid='q1'><found>${thing("gw@evil.example", "e")}</found></result>`,
      );
    for (const from of [`${bob}/q`, peer, child]) expect(outcome(await late(from))).toBe("forbidden");
    expect(payloadText(await late(parent))).toBe("");
  });

  it("DISCO-DEBBY-03: nobody is promised what cannot be delivered: no debby, and late results go nowhere", async () => {
    await open({ [parent]: () => new Promise<undefined>(() => {}) }, { parent });
    const reply = pipe.start("get", `${bob}/q`, `<search xmlns='${disco}' distributed='true'>${byClass}</search>`);
    await pipe.clock.advance(5_100);
    expect(payloadOf(await reply)?.name).toBe("found");
    const before = pipe.sent.length;
    await pipe.iq(
      "set",
      parent,
      `<result xmlns='${disco}' qid='any'><found>${thing("gw@far.example", "e")}</found></result>`,
    );
    expect(pipe.sent.slice(before).filter(text => text.includes(bob))).toEqual([]);
    expect(pipe.sent.join("")).not.toContain("<debby");
  });
});
