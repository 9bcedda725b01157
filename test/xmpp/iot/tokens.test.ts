// Tokens at the appliance, between callers, its service and the rule that asks it: real keys, real routes and codecs; what
// callers and the service say is scripted.

import { constants, generateKeyPairSync, type KeyObject, privateDecrypt } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { selfSign } from "#base/self-signed.ts";
import type { Question, Rule } from "#concentrator/admission.ts";
import type { Tokens } from "#contract/caller.ts";
import { noTokens } from "#contract/caller.ts";
import { allCategories } from "#contract/field.ts";
import { generationNames } from "#iot/generations.ts";
import { createTokenDesk, type TokenDesk } from "#iot/tokens.ts";
import { element, textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { clientNs, StanzaError } from "#xmpp/stanza.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { createServiceLink, edgeJid, type Sent, type ServiceLink } from "./discovery-service-link.ts";

const service = "prov.hub.example";
const bob = "bob@city.example";
const bobFull = `${bob}/phone`;
const one = `${service}:one`;
const two = `${service}:two`;
const [key, otherKey] = [0, 1].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey) as [
  KeyObject,
  KeyObject,
];
const hour = 3_600_000;

let clock: ManualClock;
let link: ServiceLink;
let desk: TokenDesk;
let guarded: Rule;
/** Tokens of the questions that came through. */
let through: Tokens[];
/** Which key each full JID answers challenges with; "silent", or an error condition. */
let keys: Map<string, KeyObject | string>;

const decrypt = (data: string, by: KeyObject) =>
  privateDecrypt(
    { key: by, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" },
    Buffer.from(data, "base64"),
  ).toString("base64");

const answering = (sent: Sent): string | Promise<string> => {
  const { payload, to } = sent;
  if (payload.name === "getCertificate") {
    if (to !== service || ![one, two].includes(payload.attrs.token ?? ""))
      throw new StanzaError("cancel", "item-not-found");
    const der = selfSign(key, { name: "Bob", from: clock.now() - 1000, to: clock.now() + 90 * 24 * hour });
    return `<certificate xmlns='${payload.ns}'>${Buffer.from(der).toString("base64")}</certificate>`;
  }
  if (payload.name !== "tokenChallenge") return "";
  const by = keys.get(to) ?? "service-unavailable";
  if (by === "silent") return new Promise(() => {});
  if (typeof by === "string") throw new StanzaError("cancel", by as StanzaError["condition"]);
  return `<tokenChallengeResponse xmlns='${payload.ns}'>${decrypt(textOf(payload), by)}</tokenChallengeResponse>`;
};

function start(isOn = true) {
  link = createServiceLink(clock);
  link.script = answering;
  desk = createTokenDesk(isOn, {
    connection: link.connection,
    service: () => ({ jid: service, generation: "nf" }),
    isContact: jid => jid !== "stranger@far.example",
    clock,
    log: link.log,
    signal: new AbortController().signal,
  });
  link.serve(desk.routes);
  through = [];
  guarded = desk.guard({
    name: "provisioning",
    ask({ caller }) {
      through.push(caller.tokens);
      return [];
    },
  });
}
beforeEach(() => {
  clock = manualClock();
  keys = new Map([[bobFull, key]]);
  start();
});

const questionOf = (tokens: Partial<Tokens>, full = bobFull, right: Question["right"] = "read"): Question => ({
  right,
  caller: { bareJid: full.split("/")[0] ?? "", fullJid: full, tokens: { ...noTokens, ...tokens }, language: "en" },
  nodes: [],
  categories: allCategories,
  names: [],
});
/** The request comes in, as it does before anything is asked of it. */
function comes(tokens: Partial<Tokens>, full = bobFull, generation = "nf") {
  const attrs = { st: tokens.service?.join(" "), dt: tokens.device?.join(" "), ut: tokens.user?.join(" ") };
  desk.seen(
    element("iq", clientNs, { type: "get", id: "i", from: full }, [
      element("req", `urn:${generation}:iot:sd:1.0`, { id: "r", ...attrs }),
    ]),
  );
}
async function shows(tokens: Partial<Tokens>, full = bobFull, generation = "nf"): Promise<Tokens | undefined> {
  comes(tokens, full, generation);
  const asked = Promise.resolve(guarded.ask(questionOf(tokens, full), new AbortController().signal));
  await clock.advance(0);
  await asked;
  return through.at(-1);
}
const challenges = () => link.sent.filter(({ payload }) => payload.name === "tokenChallenge");

describe("who shows a token is asked for its proof", () => {
  it("TOK-CHAL-01: at first sight of it from this JID, then after a day; the certificate is its issuer's word", async () => {
    expect(await shows({ user: [one] })).toEqual({ service: [], device: [], user: [one] });
    expect(challenges()).toHaveLength(1);
    expect(challenges()[0]).toMatchObject({ to: bobFull, type: "get" });
    expect(challenges()[0]?.payload.attrs).toEqual(Object.assign(Object.create(null), { token: one }));
    const asked = link.sent.find(({ payload }) => payload.name === "getCertificate");
    expect([asked?.to, asked?.payload.attrs.token, textOf(asked?.payload as never)]).toEqual([service, one, "one"]);
    await clock.advance(11 * hour);
    await shows({ user: [one] });
    expect(challenges()).toHaveLength(1);
    // Another JID with the same token is another sight.
    keys.set("dan@city.example/x", key);
    expect((await shows({ user: [one] }, "dan@city.example/x"))?.user).toEqual([one]);
    expect(challenges()).toHaveLength(2);
    await clock.advance(25 * hour);
    expect((await shows({ user: [one] }))?.user).toEqual([one]);
    expect(challenges()).toHaveLength(3);
  });

  for (const generation of generationNames)
    it(`TOK-CHAL-01: in the generation he speaks, ${generation}`, async () => {
      await shows({ user: [one] }, bobFull, generation);
      expect(challenges()[0]?.payload.ns).toBe(`urn:${generation}:iot:prov:t:1.0`);
    });

  it("TOK-CHAL-01: the proof is renewed while it still counts, so that what runs on it goes on", async () => {
    await shows({ user: [one] });
    await clock.advance(13 * hour);
    expect((await shows({ user: [one] }))?.user).toEqual([one]);
    await clock.advance(1);
    expect(challenges()).toHaveLength(2);
    await clock.advance(13 * hour);
    // A delivery, for which nothing was sent just now: decided by the renewed proof, and nobody is bothered.
    await guarded.ask(questionOf({ user: [one] }), new AbortController().signal);
    expect(through.at(-1)?.user).toEqual([one]);
    expect(challenges()).toHaveLength(2);
    await clock.advance(25 * hour);
    await guarded.ask(questionOf({ user: [one] }), new AbortController().signal);
    expect(through.at(-1)?.user).toEqual([]);
    expect(challenges()).toHaveLength(2);
  });

  it("TOK-CHAL-01: who cannot answer is judged by his JID: the token is dropped, the request goes on", async () => {
    for (const wrong of [otherKey, "forbidden", "service-unavailable"]) {
      start();
      keys.set(bobFull, wrong);
      if (typeof wrong !== "string") {
        // Decrypts something else than it should.
        link.script = sent =>
          sent.payload.name === "tokenChallenge"
            ? `<tokenChallengeResponse xmlns='${sent.payload.ns}'>${Buffer.alloc(32).toString("base64")}</tokenChallengeResponse>`
            : answering(sent);
      }
      expect(await shows({ user: [one], device: [one] })).toEqual(noTokens);
      expect(link.events.map(({ event }) => event)).toContain("TokenUnproven");
      // Not asked again within the minute.
      await shows({ user: [one] });
      expect(challenges()).toHaveLength(1);
    }
  });

  it("TOK-CHAL-01: who does not answer is waited for four seconds; what he proves within thirty counts the next time", async () => {
    const answer = Promise.withResolvers<string>();
    link.script = sent => (sent.payload.name === "tokenChallenge" ? answer.promise : answering(sent));
    comes({ user: [one] });
    const waiting = Promise.resolve(guarded.ask(questionOf({ user: [one] }), new AbortController().signal));
    await clock.advance(3_900);
    expect(through).toEqual([]);
    await clock.advance(200);
    await waiting;
    expect(through).toEqual([noTokens]);
    const { payload } = challenges()[0] as Sent;
    answer.resolve(
      `<tokenChallengeResponse xmlns='${payload.ns}'>${decrypt(textOf(payload), key)}</tokenChallengeResponse>`,
    );
    await clock.advance(0);
    link.script = answering;
    expect((await shows({ user: [one] }))?.user).toEqual([one]);
    expect(challenges()).toHaveLength(1);
  });

  it("TOK-CHAL-01: no answer in thirty seconds is none", async () => {
    keys.set(bobFull, "silent");
    comes({ user: [one] });
    const waiting = Promise.resolve(guarded.ask(questionOf({ user: [one] }), new AbortController().signal));
    await clock.advance(30_100);
    await waiting;
    expect(link.events.map(({ event }) => event)).toContain("TokenUnproven");
    expect((await shows({ user: [one] }))?.user).toEqual([]);
    expect(challenges()).toHaveLength(1);
  });

  it("TOK-FWD-01, PROV-TOKEN-01: those that are proven go on unchanged, each once, in their order and kind; others do not", async () => {
    const bad = `${service}:unknown`;
    const shown = { service: [two, one, two], device: [bad, one], user: [two] };
    expect(await shows(shown)).toEqual({ service: [two, one], device: [one], user: [two] });
    // One challenge for each token, however often it was shown.
    expect(challenges().map(({ payload }) => payload.attrs.token)).toEqual([two, one]);
  });

  it("TOK-FMT-01, TOK-THR-01: tokens of other issuers and malformed ones count for nothing, and nobody is asked about them", async () => {
    const shown = { user: ["evil.example:one", "one", "", "a b:c", `${service}`, "<x/>", "'", "&"] };
    expect((await shows(shown))?.user).toEqual([]);
    expect(link.sent).toEqual([]);
  });

  it("only reading and control rest on tokens: for seeing nobody is asked", async () => {
    comes({ user: [one] });
    for (const right of ["view", "edit", "execute", "sniff"] as const) {
      await guarded.ask(questionOf({ user: [one] }, bobFull, right), new AbortController().signal);
      expect(through.at(-1)).toEqual(noTokens);
    }
    expect(link.sent).toEqual([]);
  });

  it("an explanation says what is known, and asks nobody", async () => {
    comes({ user: [one] });
    await guarded.ask(questionOf({ user: [one] }), new AbortController().signal, true);
    expect(through.at(-1)).toEqual(noTokens);
    expect(link.sent).toEqual([]);
    await shows({ user: [one] });
    await guarded.ask(questionOf({ user: [one] }), new AbortController().signal, true);
    expect(through.at(-1)?.user).toEqual([one]);
  });

  it("off, as it is unless said: tokens go no further, nobody is challenged, nothing is served", async () => {
    start(false);
    expect(await shows({ user: [one] })).toEqual(noTokens);
    expect(link.sent).toEqual([]);
    expect(desk.routes).toEqual([]);
  });
});

/** What the service is told of a challenge it sends. */
const passOn = async (data: string, attrs = `token='${one}'`, from = service, ns = "urn:nf:iot:prov:t:1.0") => {
  const reply = await link.ask(from, `<tokenChallenge xmlns='${ns}' ${attrs}>${data}</tokenChallenge>`);
  return reply.attrs.type === "error" ? "forbidden" : reply;
};
const forwards = (to = service) =>
  desk.connection.request(
    "get",
    to,
    parse(`<canRead xmlns='urn:nf:iot:prov:d:1.0' jid='${bob}' m='true' ut='${one}'/>`),
  );

describe("challenges are passed on", () => {
  it("TOK-CHAL-03: to who showed the token to us, and his answer comes back; the hops are counted", async () => {
    await shows({ user: [one] });
    await forwards();
    link.script = ({ payload }) => `<tokenChallengeResponse xmlns='${payload.ns}'>AQID</tokenChallengeResponse>`;
    const reply = await passOn("qL0B");
    expect(JSON.stringify(reply)).toContain("AQID");
    expect(challenges().at(-1)).toMatchObject({ to: bobFull });
    expect(challenges().at(-1)?.payload.attrs).toMatchObject({ token: one, hops: "1" });
    expect(textOf(challenges().at(-1)?.payload as never)).toBe("qL0B");
    // An error is passed on too.
    link.script = () => {
      throw new StanzaError("cancel", "forbidden");
    };
    expect(await passOn("qL0C")).toBe("forbidden");
  });

  for (const generation of generationNames)
    it(`TOK-CHAL-03: asked in ${generation} it answers in that, and asks on in what the holder speaks`, async () => {
      await shows({ user: [one] }, bobFull, "ieee");
      await forwards();
      link.script = ({ payload }) => `<tokenChallengeResponse xmlns='${payload.ns}'>AQID</tokenChallengeResponse>`;
      const ns = `urn:${generation}:iot:prov:t:1.0`;
      expect(JSON.stringify(await passOn("qL0B", `token='${one}'`, service, ns))).toContain(`"${ns}"`);
      expect(challenges().at(-1)?.payload.ns).toBe("urn:ieee:iot:prov:t:1.0");
    });

  it("TOK-CHAL-03: four times at most, never round in a circle, and waiting less than who waits for us", async () => {
    await shows({ user: [one] });
    await forwards();
    const timeouts: (number | undefined)[] = [];
    const before = challenges().length;
    link.script = () => new Promise(() => {});
    link.waits = ms => timeouts.push(ms);
    void passOn("qL0B", `token='${one}' hops='3'`);
    void passOn("qL0C");
    await clock.advance(0);
    expect(challenges().length - before).toBe(2);
    // 30 s is what the first waits.
    expect(timeouts.slice(-2)).toEqual([10_000, 25_000]);
    expect(await passOn("qL0D", `token='${one}' hops='4'`)).toBe("forbidden");
    // The same one again is the same one come round.
    expect(await passOn("qL0B")).toBe("forbidden");
    expect(challenges().length - before).toBe(2);
  });

  it("TOK-CHAL-02, TOK-CHAL-03: only for whom the token was forwarded to, in the minute after", async () => {
    await shows({ user: [one] });
    link.script = ({ payload }) => `<tokenChallengeResponse xmlns='${payload.ns}'>AQID</tokenChallengeResponse>`;
    expect(await passOn("qL0B")).toBe("forbidden");
    await forwards();
    expect(await passOn("qL0B", `token='${two}'`)).toBe("forbidden");
    for (const from of ["eve@city.example/x", bobFull, "other.hub.example"])
      expect(await passOn("qL0B", `token='${one}'`, from)).toBe("forbidden");
    expect(await passOn("qL0B")).not.toBe("forbidden");
    await clock.advance(60_001);
    expect(await passOn("qL0B")).toBe("forbidden");
  });

  it("TOK-THR-01: who only knows the text does not catch the challenge meant for its holder", async () => {
    await shows({ user: [one] });
    await forwards();
    keys.set("eve@city.example/x", "forbidden");
    expect((await shows({ user: [one] }, "eve@city.example/x"))?.user).toEqual([]);
    link.script = ({ payload }) => `<tokenChallengeResponse xmlns='${payload.ns}'>AQID</tokenChallengeResponse>`;
    await passOn("qL0B");
    expect(challenges().at(-1)?.to).toBe(bobFull);
  });
});

describe("attacks", () => {
  it("TOK-THR-01: a stolen text opens nothing, in whatever place it is shown", async () => {
    await shows({ user: [one] });
    for (const condition of ["forbidden", "silent"]) {
      const eve = `eve@city.example/${condition}`;
      keys.set(eve, condition);
      for (const kind of ["user", "device", "service"] as const) {
        comes({ [kind]: [one] }, eve);
        const asked = Promise.resolve(guarded.ask(questionOf({ [kind]: [one] }, eve), new AbortController().signal));
        await clock.advance(4_100);
        await asked;
        expect(through.at(-1)).toEqual(noTokens);
      }
    }
  });

  it("TOK-THR-01: the proof of one caller is none of another's, nor of his next resource's neighbour", async () => {
    await shows({ user: [one] });
    expect((await shows({ user: [one] }, `${bob}/other`))?.user).toEqual([one]);
    expect((await shows({ user: [one] }, "bob@city.example.evil.example/phone"))?.user).toEqual([]);
  });

  it("a flood of tokens costs two dozen challenges a minute, and pushes out nobody else's", async () => {
    const eve = "eve@city.example/x";
    keys.set(eve, "forbidden");
    for (let at = 0; at < 60; at++) await shows({ user: [`${service}:${at}`] }, eve);
    expect(link.sent.length).toBeLessThanOrEqual(24);
    for (let at = 0; at < 60; at++) comes({ user: [`${service}:s${at}`] }, "stranger@far.example/x");
    expect((await shows({ user: [one] }))?.user).toEqual([one]);
  });

  it("the appliance is no decryption oracle: it has no key, and passes nothing to who did not show that token", async () => {
    expect(await passOn("qL0B", `token='${one}'`, "eve@city.example/x")).toBe("forbidden");
    expect(link.sent).toEqual([]);
    expect(edgeJid).toContain("gw9");
  });
});
