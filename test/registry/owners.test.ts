// Provisioning for owners through its stanzas: who may answer what, what an answer does, clearing, deleting, listing.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
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
  register,
} from "./pipe.ts";

let pipe: Pipe;
beforeEach(async () => {
  pipe = await openPipe();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const nd = `<nd ${meter}/>`;
const granted = async (inner = nd, caller = bob) =>
  payloadText(await canRead(pipe, inner, caller)).includes("result='true'");
const clears = () => pipe.pushedTo(gateway).filter(one => one.startsWith("<clearCache"));

interface Said {
  jid?: string;
  remote?: string;
  key?: string;
  result?: string;
  from?: string;
  inner?: string;
  kind?: string;
  ns?: string;
}
const rule = ({
  jid = gateway,
  remote = bob,
  key,
  result = "true",
  inner = "<fromJid/>",
  kind = "canRead",
  ns = owning,
}: Said) =>
  `<${kind}Rule xmlns='${ns}' jid='${jid}' remoteJid='${remote}' key='${key ?? lastQuestion(pipe).key}' result='${result}'>${inner}</${kind}Rule>`;
const say = async (said: Said = {}) => outcome(await pipe.iq("set", said.from ?? anaFull, rule(said)));
const manage = async (element: string, attrs: string, from = anaFull) =>
  outcome(await pipe.iq("set", from, `<${element} xmlns='${owning}' ${attrs}/>`));

/** Bob has asked to read the meter; two seconds later, so that clears are not held back. */
async function asked(): Promise<void> {
  await claimedMeter(pipe);
  await canRead(pipe);
  await pipe.clock.advance(2_100);
}

describe("who may answer", () => {
  it("PROVO-RULE-02: stranger, other device, other caller, unknown key: all not found, alike, and nothing is learned", async () => {
    await asked();
    const replies = [
      await pipe.iq("set", `${bob}/x`, rule({})),
      await pipe.iq("set", anaFull, rule({ jid: "gw7@hub.example" })),
      await pipe.iq("set", anaFull, rule({ remote: "eve@city.example" })),
      await pipe.iq("set", anaFull, rule({ key: "A".repeat(24) })),
      await pipe.iq("set", anaFull, rule({ kind: "canControl" })),
    ];
    expect(replies.map(outcome)).toEqual(replies.map(() => "item-not-found"));
    expect(new Set(replies.map(payloadText)).size).toBe(1);
    expect(await granted()).toBe(false);
    expect(await say({ jid: "GW9@HUB.example", remote: "Bob@City.Example" })).toBe("result");
  });

  it("PROVO-RULE-02, PROVO-THR-02: a key dies with the ownership", async () => {
    await asked();
    const { key } = lastQuestion(pipe);
    await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    expect(await say({ key })).toBe("item-not-found");
    await register(pipe, meter, meterTags("second".repeat(6)));
    await mine(pipe, meterTags("second".repeat(6)), "", "carol@home.example/x");
    expect(await say({ key })).toBe("item-not-found");
    expect(await say({ key, from: "carol@home.example/x" })).toBe("item-not-found");
    expect(await granted()).toBe(false);
  });

  it("PROVO-THR-04: a new owner inherits no rule, and devices are told to forget", async () => {
    await asked();
    await say();
    expect(await granted()).toBe(true);
    await pipe.iq("set", anaFull, `<disown xmlns='${disco}' jid='${gateway}' ${meter}/>`);
    await register(pipe, meter, meterTags("second".repeat(6)));
    const before = clears().length;
    await pipe.clock.advance(2_100);
    await mine(pipe, meterTags("second".repeat(6)), "", "carol@home.example/x");
    await pipe.clock.advance(2_100);
    expect(clears().length).toBeGreaterThan(before);
    expect(await granted()).toBe(false);
  });

  it("PROVO-THR-05: twenty unknown keys an hour, then policy-violation, also for a right one", async () => {
    await asked();
    for (let n = 0; n < 20; n++) expect(await say({ key: `guess-${n}` })).toBe("item-not-found");
    expect(await say()).toBe("policy-violation");
    expect(pipe.log.filter(({ event }) => event === "RateLimited").map(({ facts }) => facts)).toEqual([
      { sender: ana, element: "rule" },
    ]);
    await pipe.clock.advance(3_600_000);
    expect(await say()).toBe("result");
  });

  it("PROVO-THR-05: guesses sent at once count like guesses one after the other", async () => {
    await asked();
    const { key } = lastQuestion(pipe);
    const replies = Array.from({ length: 30 }, (_, n) => pipe.start("set", anaFull, rule({ key: `guess-${n}` })));
    const right = pipe.start("set", anaFull, rule({ key }));
    await pipe.settle();
    const outcomes = (await Promise.all(replies)).map(outcome);
    expect(outcomes.filter(one => one === "policy-violation")).toHaveLength(10);
    expect(outcome(await right)).toBe("policy-violation");
  });

  it("PROVO-RULE-01: an answer may come as a message, and then gets no answer", async () => {
    await asked();
    const before = pipe.sent.filter(text => text.includes(`to='${anaFull}'`)).length;
    // Under the names of an older text it is none.
    await pipe.message(anaFull, rule({}).replaceAll("canReadRule", "canReadResponse"));
    expect(await granted()).toBe(false);
    await pipe.message(anaFull, rule({}));
    expect(await granted()).toBe(true);
    expect(pipe.sent.filter(text => text.includes(`to='${anaFull}'`))).toHaveLength(before);
    await pipe.message(`${bob}/x`, rule({ result: "false" }));
    expect(await granted()).toBe(true);
  });

  for (const generation of ["nfi", "nf", "ieee"])
    it(`PROVO section 2: understood in ${generation}`, async () => {
      await asked();
      expect(await say({ ns: `urn:${generation}:iot:prov:o:1.0` })).toBe("result");
      expect(await granted()).toBe(true);
    });
});

describe("what is answered", () => {
  it("PROVO-RULE-03: the node is the question's: left out it stays, another is a bad request", async () => {
    await asked();
    expect(await say({ inner: "<nd id='other'/><fromJid/>" })).toBe("bad-request");
    expect(await say({ result: "false" })).toBe("result");
    const rules = await pipe.store.rulesOf(1, "read", [{ kind: "caller", value: bob }]);
    expect(rules).toMatchObject([{ allow: false }]);
    // The rest of the concentrator is as it was.
    await register(pipe, "id='n2'", meterTags("n2".repeat(16)));
    await mine(pipe, meterTags("n2".repeat(16)));
    await canRead(pipe, "<nd id='n2'/>");
    expect(await say()).toBe("result");
    expect(await granted("<nd id='n2'/>")).toBe(true);
  });

  it("PROVO-RULE-04: yes without limits is everything of that kind on that node", async () => {
    await asked();
    await say();
    const reply = payloadText(await canRead(pipe, `${nd}<f n='Any'/>`, bob, "all='true'"));
    expect(reply).toContain("m='true' p='true' s='true' c='true' i='true' h='true'");
    expect(reply).toContain("<f n='Any'/>");
  });

  for (const [why, inner] of [
    ["an empty partial", "<partial/><fromJid/>"],
    ["no origin", ""],
    ["two origins", "<fromJid/><all/>"],
    ["a token that was not in the question", "<fromUser token='reg:abc'/>"],
    ["a token without text", "<fromUser/>"],
  ] as const)
    it(`PROVO-RULE-05, PROVO-RULE-06: ${why} is a bad request, and the question stays open`, async () => {
      await asked();
      expect(await say({ inner })).toBe("bad-request");
      expect(await pipe.store.countOpen({ owner: ana })).toBe(1);
      expect(await granted()).toBe(false);
    });

  it("PROVO-RULE-06: an unverified token of the question is no ground for a rule either", async () => {
    await claimedMeter(pipe);
    await canRead(pipe, nd, bob, "m='true' ut='reg:abc'");
    expect(await say({ inner: "<fromUser token='reg:abc'/>" })).toBe("bad-request");
  });

  it("PROVO-RULE-05: categories alone mean all names, names alone all categories; field and parameter are read too", async () => {
    await asked();
    await say({ inner: "<partial m='true'/><fromJid/>" });
    expect(payloadText(await canRead(pipe))).toContain(`result='true' m='true'>${nd}</canReadResponse>`);
    await say({ inner: "<partial><field name='A'/></partial><fromJid/>" });
    expect(payloadText(await canRead(pipe))).toContain(`m='true' h='true'>${nd}<f n='A'/></canReadResponse>`);
  });

  it("PROVO-RULE-06: isFriend is for Caller unless it says Domain or All; anything else is a bad request", async () => {
    await claimedMeter(pipe);
    const friend = async (jid: string) =>
      payloadText(await pipe.iq("get", gatewayFull, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${jid}'/>`)).includes(
        "'true'",
      );
    const tell = async (range: string) =>
      outcome(
        await pipe.iq(
          "set",
          anaFull,
          `<isFriendRule xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${lastQuestion(pipe).key}' result='true' ${range}/>`,
        ),
      );
    expect(await friend(bob)).toBe(false);
    expect(await tell("range='Everyone'")).toBe("bad-request");
    expect(await tell("")).toBe("result");
    expect(await friend(bob)).toBe(true);
    expect(await friend("eve@city.example")).toBe(false);
    expect(await tell("range='Domain'")).toBe("item-not-found");
  });

  it("PROVO-RULE-07: the same answer twice is one rule; another replaces it while the owner owns", async () => {
    await asked();
    const { key } = lastQuestion(pipe);
    expect(await say({ key })).toBe("result");
    expect(await say({ key })).toBe("result");
    expect(await pipe.store.countRules(1)).toBe(1);
    expect(await say({ key, result: "false" })).toBe("result");
    expect(await granted()).toBe(false);
    await pipe.clock.advance(90 * 86_400_000);
    expect(await say({ key })).toBe("item-not-found");
  });

  it("PROVO-RULE-07: answered anew for others, the former answer to that question is gone, and those to other questions stand", async () => {
    await asked();
    const { key } = lastQuestion(pipe);
    await canRead(pipe, nd, "dave@town.example");
    const daves = lastQuestion(pipe).key;
    expect(await say({ key: daves, remote: "dave@town.example" })).toBe("result");
    // To everybody, by mistake; then to him alone.
    expect(await say({ key, inner: "<all/>" })).toBe("result");
    expect(await granted(nd, "eve@evil.example")).toBe(true);
    expect(await say({ key })).toBe("result");
    expect(await granted(nd, "eve@evil.example")).toBe(false);
    expect([await granted(), await granted(nd, "dave@town.example")]).toEqual([true, true]);
    expect(await say({ key, result: "false", inner: "<fromDomain/>" })).toBe("result");
    expect([await granted(), await granted(nd, "dave@town.example")]).toEqual([false, true]);
    expect(await pipe.store.countRules(1)).toBe(2);
  });

  it("PROVO-RULE-08: the owner has his answer before the device is told, and does not wait for it", async () => {
    await asked();
    pipe.answers(gatewayFull, () => "silent");
    const before = pipe.sent.length;
    expect(await say()).toBe("result");
    const order = pipe.sent.slice(before).filter(text => text.startsWith("<iq"));
    expect(order[0]).toContain(`to='${anaFull}'`);
    expect(order[1]).toContain("<clearCache xmlns='urn:nf:iot:prov:d:1.0' id='mbus-12' src='MeteringTopology'/>");
    expect(await pipe.store.pendingOf(gateway)).toHaveLength(1);
  });

  it("PROVO-RULE-08: rule, question and flag are one: after a power cut in between the device is still told", async () => {
    await asked();
    await pipe.presence(gatewayFull, "unavailable");
    await say();
    await pipe.restart();
    const before = clears().length;
    await pipe.comesOnline(gatewayFull);
    expect(clears()).toHaveLength(before + 1);
  });

  it("PROVO-RULE-09: a refused friend is dropped, an accepted one befriended only where that is wanted", async () => {
    for (const friendOnAccept of [false, true]) {
      await using one = await openPipe({ friendOnAccept });
      await claimedMeter(one);
      const tell = async (result: string) =>
        one.iq(
          "set",
          anaFull,
          `<isFriendRule xmlns='${owning}' jid='${gateway}' remoteJid='${bob}' key='${lastQuestion(one).key}' result='${result}'/>`,
        );
      await one.iq("get", gatewayFull, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}'/>`);
      await tell("true");
      const told = () => one.sent.filter(text => text.startsWith("<message") && text.includes(`to='${gateway}'`));
      expect(told().map(text => text.includes(`<friend xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}'/>`))).toEqual(
        friendOnAccept ? [true] : [],
      );
      await tell("false");
      expect(told().at(-1)).toContain(`<unfriend xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}'/>`);
    }
  });

  it("PROVO-RULE-09: refused with his whole domain he is dropped too, but not where a rule of his own lets him in", async () => {
    await claimedMeter(pipe);
    const asks = (jid: string) =>
      pipe.iq("get", gatewayFull, `<isFriend xmlns='urn:nf:iot:prov:d:1.0' jid='${jid}'/>`).then(payloadText);
    const tell = async (remote: string, how: string) => {
      const question = (await pipe.store.openQuestionsOf(1, "friend")).find(one => one.remote === remote);
      const rule = `<isFriendRule xmlns='${owning}' jid='${gateway}' remoteJid='${remote}' key='${question?.key}' ${how}/>`;
      return outcome(await pipe.iq("set", anaFull, rule));
    };
    const dropped = () =>
      pipe.sent.flatMap(text => /<unfriend [^>]*jid='([^']*)'/.exec(text)?.[1] ?? []).filter(one => one !== undefined);
    for (const jid of [bob, "eve@city.example", "max@town.example"]) await asks(jid);
    expect(await tell(bob, "result='true'")).toBe("result");
    expect(await tell("eve@city.example", "result='false' range='Domain'")).toBe("result");
    expect(await asks(bob)).toContain("'true'");
    expect(dropped()).toEqual(["eve@city.example"]);
    expect(await tell("max@town.example", "result='false' range='All'")).toBe("result");
    expect(dropped()).toEqual(["eve@city.example", "max@town.example"]);
  });

  it("PROVO-RULE-10: an answer for a domain or all answers the other questions it covers, and devices are told once", async () => {
    await asked();
    await canRead(pipe, nd, "carol@city.example");
    await canRead(pipe, nd, "dave@town.example");
    const { key } = lastQuestion(pipe);
    await pipe.clock.advance(2_100);
    const before = clears().length;
    const first = (await pipe.store.openQuestionsOf(1, "read")).find(one => one.remote === bob);
    expect(await say({ key: first?.key ?? "", inner: "<fromDomain/>" })).toBe("result");
    expect((await pipe.store.openQuestionsOf(1, "read")).map(one => one.remote)).toEqual(["dave@town.example"]);
    expect(clears()).toHaveLength(before + 1);
    expect(await say({ key, remote: "dave@town.example", inner: "<all/>" })).toBe("result");
    expect(await pipe.store.countOpen({ owner: ana })).toBe(0);
  });

  it("PROVO-LIM-05: a thousand rules a thing", async () => {
    await asked();
    await pipe.store.change(async records => {
      for (let n = 0; n < 1_000; n++) {
        const origin = { kind: "caller" as const, value: `u${n}@x.example` };
        await records.putRule(1, "control", { origin, allow: true, categories: 0, names: undefined }, "k", 0);
      }
    });
    expect(await say()).toBe("resource-constraint");
    expect(await granted()).toBe(false);
  });
});

describe("management", () => {
  it("PROVO-MGMT-01, PROVO-MGMT-03: clearing one node, one device, everything; the answer does not wait for delivery", async () => {
    await asked();
    pipe.answers(gatewayFull, () => "silent");
    expect(await manage("clearCache", `jid='${gateway}' ${meter}`)).toBe("result");
    expect(clears().at(-1)).toContain("id='mbus-12'");
    expect(await manage("clearCache", `jid='${gateway}' id='' src='' pt=''`)).toBe("result");
    expect(await manage("clearCache", "")).toBe("result");
    expect(await pipe.store.pendingOf(gateway)).toHaveLength(1);
  });

  it("PROVO-MGMT-01: not one's own is not found", async () => {
    await asked();
    for (const element of ["clearCache", "deleteRules"]) {
      expect(await manage(element, `jid='${gateway}' ${meter}`, `${bob}/x`)).toBe("item-not-found");
      expect(await manage(element, `jid='${gateway}'`, `${bob}/x`)).toBe("item-not-found");
      expect(await manage(element, `jid='${gateway}' id='none'`)).toBe("item-not-found");
      expect(await manage(element, "", `${bob}/x`)).toBe("result");
    }
    expect(await pipe.store.pendingOf(gateway)).toEqual([]);
  });

  it("PROVO-MGMT-01: a whole device means the sender's nodes on it, not a neighbour's", async () => {
    await asked();
    await say();
    await register(pipe, "id='carols'", meterTags("carol".repeat(6)));
    await mine(pipe, meterTags("carol".repeat(6)), "", "carol@home.example/x");
    expect(await manage("deleteRules", `jid='${gateway}'`, "carol@home.example/x")).toBe("result");
    expect(await granted()).toBe(true);
    expect(await manage("deleteRules", `jid='${gateway}'`)).toBe("result");
    expect(await granted()).toBe(false);
  });

  it("PROVO-MGMT-02: rules and questions go, then the device is told; the old key is dead", async () => {
    await asked();
    const { key } = lastQuestion(pipe);
    await say();
    await pipe.clock.advance(2_100);
    const before = clears().length;
    expect(await manage("deleteRules", `jid='${gateway}' ${meter}`)).toBe("result");
    expect(await pipe.store.countRules(1)).toBe(0);
    expect(clears()).toHaveLength(before + 1);
    expect(await say({ key })).toBe("item-not-found");
    expect(await granted()).toBe(false);
    expect(lastQuestion(pipe).key).not.toBe(key);
  });

  it("PROVO-MGMT-04: getDevices lists public, private and removed things of the sender, without KEY, in pages", async () => {
    await claimedMeter(pipe);
    for (const id of ["hidden", "gone"]) {
      await register(pipe, `id='${id}'`, meterTags(id.repeat(8)));
      await mine(pipe, meterTags(id.repeat(8)), "public='false'");
    }
    await pipe.iq("set", anaFull, `<remove xmlns='${disco}' jid='${gateway}' id='gone'/>`);
    await register(pipe, "id='unclaimed'", meterTags("u".repeat(32)));
    const tags = "<str name='CLASS' value='HeatMeter'/><str name='MNR' value='66120'/><num name='V' value='2.1'/>";
    const list = async (attrs: string, from = anaFull) =>
      payloadText(await pipe.iq("get", from, `<getDevices xmlns='${owning}' ${attrs}/>`));
    expect(await list("")).toBe(
      `<found xmlns='${disco}' more='false'><thing jid='${gateway}' id='mbus-12' src='MeteringTopology'>${tags}</thing><thing jid='${gateway}' id='hidden'>${tags}</thing><thing jid='${gateway}' id='gone'/></found>`,
    );
    const page = await list("offset='1' maxCount='1'");
    expect(page).toContain("more='true'");
    expect(page.match(/<thing/g)).toHaveLength(1);
    expect(page).toContain("id='hidden'");
    expect(await list("", `${bob}/x`)).toBe(`<found xmlns='${disco}' more='false'/>`);
    expect(await list("maxCount='0'").catch(String)).toContain("bad-request");
  });

  it("PROVO-MGMT-04: the answer is of the discovery interface, in the generation of the question", async () => {
    await claimedMeter(pipe);
    const reply = await pipe.iq("get", anaFull, "<getDevices xmlns='urn:ieee:iot:prov:o:1.0'/>");
    expect(payloadText(reply)).toContain("<found xmlns='urn:ieee:iot:disco:1.0'");
  });
});
