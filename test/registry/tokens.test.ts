// Tokens at the service, through its stanzas: how one is had, who may know what it stands for, what it counts for in a
// decision, and how it ends. Keys and certificates are real.

import { constants, generateKeyPairSync, type KeyObject, privateDecrypt, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { selfSign } from "#base/self-signed.ts";
import { type Element, element, textOf } from "#xml/element.ts";
import type { OriginKind } from "../../src/registry/store.ts";
import type { TokenOptions } from "../../src/registry/token-trust.ts";
import {
  ana,
  anaFull,
  bob,
  claimedMeter,
  gatewayFull,
  lastQuestion,
  meter,
  openPipe,
  outcome,
  owning,
  type Pipe,
  payloadOf,
  payloadText,
  provisioning,
  service,
} from "./pipe.ts";

const ns = "urn:nf:iot:prov:t:1.0";
const hub = "carla@hub.example/laptop";
const day = 86_400_000;
const keyOf = (bits = 2048) => generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
const [key, otherKey] = [keyOf(), keyOf()];
const base64 = (octets: Uint8Array) => Buffer.from(octets).toString("base64");
const decrypt = (data: string, by: KeyObject) =>
  privateDecrypt({ key: by, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }, Buffer.from(data, "base64"));

let pipe: Pipe;
const options: TokenOptions = { authorities: [], pinned: new Map(), pinFirst: true, revoked: [] };
const open = async (more: Partial<TokenOptions> = {}, rest: Parameters<typeof openPipe>[0] = {}) => {
  await pipe?.[Symbol.asyncDispose]();
  pipe = await openPipe({ ...rest, tokens: { ...options, ...more } });
};
beforeEach(async () => {
  pipe = undefined as unknown as Pipe;
  await open();
});
afterEach(() => pipe[Symbol.asyncDispose]());

const certificate = (by = key, name = "Carla", days = 365) =>
  selfSign(by, { name, from: pipe.clock.now() - 1000, to: pipe.clock.now() + days * day });

const getToken = (der: Uint8Array, from = hub, space = ns) =>
  pipe.iq("get", from, `<getToken xmlns='${space}'>${base64(der)}</getToken>`);
const respond = (seqnr: string, plain: Uint8Array, from = hub, space = ns) =>
  pipe.iq(
    "get",
    from,
    `<getTokenChallengeResponse xmlns='${space}' seqnr='${seqnr}'>${base64(plain)}</getTokenChallengeResponse>`,
  );
async function token(der = certificate(), by = key, from = hub, space = ns): Promise<string> {
  const challenge = payloadOf(await getToken(der, from, space)) as Element;
  const reply = await respond(challenge.attrs.seqnr ?? "", decrypt(textOf(challenge), by), from, space);
  return payloadOf(reply)?.attrs.token ?? outcome(reply);
}
const lookUp = (how: string, from = bob, space = ns) =>
  pipe.iq("get", `${from}/x`, `<getCertificate xmlns='${space}' ${how}`);

describe("how a token is had", () => {
  for (const generation of ["nfi", "nf", "ieee"]) {
    const space = `urn:${generation}:iot:prov:t:1.0`;
    it(`TOK-GET-01, TOK-FMT-01: for a certificate whose key reads the challenge, in ${generation}`, async () => {
      const had = await token(certificate(), key, hub, space);
      expect(had).toMatch(new RegExp(`^${service.replaceAll(".", "\\.")}:[\\w-]{32}$`));
      // 32 letters of 64 are 192 bits.
      const [, random = ""] = had.split(":");
      expect(Buffer.from(random, "base64url")).toHaveLength(24);
      expect(payloadOf(await getToken(certificate(), hub, space))?.ns).toBe(space);
    });
  }

  it("TOK-GET-01: the challenge is 32 random octets in OAEP with SHA-1, each time others", async () => {
    const [first, second] = [await getToken(certificate()), await getToken(certificate())].map(payloadOf);
    const plain = [first, second].map(one => decrypt(textOf(one as Element), key));
    expect(plain.map(one => one.length)).toEqual([32, 32]);
    expect(plain[0]).not.toEqual(plain[1]);
  });

  it("TOK-GET-01: refused are octets that are no certificate, and certificates expired, weak, too early or not of RSA", async () => {
    expect(outcome(await getToken(Uint8Array.of(1, 2, 3)))).toBe("bad-request");
    expect(outcome(await pipe.iq("get", hub, `<getToken xmlns='${ns}'>not base64!</getToken>`))).toBe("bad-request");
    expect(outcome(await pipe.iq("get", hub, `<getToken xmlns='${ns}'/>`))).toBe("bad-request");
    expect(outcome(await getToken(certificate(keyOf(1024))))).toBe("not-acceptable");
    expect(outcome(await getToken(certificate(key, "x", 0)))).toBe("not-acceptable");
    const early = selfSign(key, { name: "x", from: pipe.clock.now() + day, to: pipe.clock.now() + 2 * day });
    expect(outcome(await getToken(early))).toBe("not-acceptable");
  });

  it("TOK-GET-01: one that vouches for itself counts for a local account, the first key it shows, and no other", async () => {
    expect(outcome(await getToken(certificate(), "eve@elsewhere.example/x"))).toBe("not-acceptable");
    const had = await token();
    expect(outcome(await getToken(certificate(otherKey)))).toBe("not-acceptable");
    // The certificate is renewed, the key is known.
    expect(await token(certificate(key, "Carla, renewed"))).not.toBe(had);
    await open({ pinFirst: false });
    expect(outcome(await getToken(certificate()))).toBe("not-acceptable");
  });

  it("TOK-GET-01: pinned by the operator for an account, it counts for that account alone", async () => {
    const pin = new X509Certificate(certificate(otherKey));
    await open({ pinFirst: false, pinned: new Map([["carla@hub.example", [pin]]]) });
    expect(await token(certificate(otherKey), otherKey)).toContain(`${service}:`);
    expect(outcome(await getToken(certificate()))).toBe("not-acceptable");
    expect(outcome(await getToken(certificate(otherKey), "dan@hub.example/x"))).toBe("not-acceptable");
  });

  it("TOK-GET-02: the number belongs to who asked, counts once, and is forgotten after two minutes", async () => {
    const challenge = payloadOf(await getToken(certificate())) as Element;
    const seqnr = challenge.attrs.seqnr ?? "";
    const plain = decrypt(textOf(challenge), key);
    expect(Number(seqnr)).toBeGreaterThan(0);
    expect(outcome(await respond(seqnr, plain, "carla@hub.example/phone"))).toBe("item-not-found");
    expect(outcome(await respond("4", plain))).toBe("item-not-found");
    expect(outcome(await respond(seqnr, plain))).toBe("result");
    expect(outcome(await respond(seqnr, plain))).toBe("item-not-found");
    const wrong = payloadOf(await getToken(certificate())) as Element;
    expect(outcome(await respond(wrong.attrs.seqnr ?? "", plain))).toBe("bad-request");
    expect(outcome(await respond(wrong.attrs.seqnr ?? "", decrypt(textOf(wrong), key)))).toBe("item-not-found");
    const late = payloadOf(await getToken(certificate())) as Element;
    await pipe.clock.advance(61_000);
    const kept = payloadOf(await getToken(certificate())) as Element;
    await pipe.clock.advance(60_000);
    expect(outcome(await respond(late.attrs.seqnr ?? "", decrypt(textOf(late), key)))).toBe("item-not-found");
    expect(outcome(await respond(kept.attrs.seqnr ?? "", decrypt(textOf(kept), key)))).toBe("result");
  });

  it("TOK-GET-02: five are open for one JID, whatever its resources", async () => {
    for (let at = 0; at < 5; at++)
      expect(outcome(await getToken(certificate(), `carla@hub.example/${at}`))).toBe("result");
    expect(outcome(await getToken(certificate()))).toBe("resource-constraint");
    expect(outcome(await getToken(certificate(otherKey), "dan@hub.example/x"))).toBe("result");
  });

  it("TOK-GET-03: the same certificate of the same account is the same token, over a restart too", async () => {
    const der = certificate();
    const had = await token(der);
    expect(await token(der)).toBe(had);
    await pipe.restart();
    expect(await token(der)).toBe(had);
    expect(await token(der, key, "dan@hub.example/x")).not.toBe(had);
  });

  it("the elements of XEP-0324 give a token where that dialect is served, and nothing where it is not", async () => {
    const old = "urn:xmpp:iot:provisioning";
    expect(await token(certificate(), key, hub, old).catch(() => "none")).toBe("none");
    await open({}, { oldDialect: { exposeOwner: false } });
    expect(await token(certificate(), key, hub, old)).toContain(`${service}:`);
    expect(outcome(await pipe.iq("get", hub, `<getCertificate xmlns='${old}' token='x'/>`))).toBe(
      "feature-not-implemented",
    );
  });

  it("without the setting nothing of it is served, nor announced", async () => {
    await pipe[Symbol.asyncDispose]();
    pipe = await openPipe();
    expect(outcome(await getToken(certificate()))).toBe("service-unavailable");
    const info = payloadText(await pipe.iq("get", hub, "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
    expect(info).not.toContain("iot:prov:t");
  });
});

describe("what a token stands for", () => {
  it("TOK-CERT-01: anybody may know, by attribute or text, with the issuer or without", async () => {
    const der = certificate();
    const had = await token(der);
    const bare = had.slice(had.indexOf(":") + 1);
    for (const how of [
      `token='${had}'/>`,
      `token='${bare}'/>`,
      `>${had}</getCertificate>`,
      `>${bare}</getCertificate>`,
    ]) {
      const reply = payloadOf(await lookUp(how)) as Element;
      expect([reply.name, Buffer.from(textOf(reply), "base64").equals(der)]).toEqual(["certificate", true]);
    }
    for (const space of ["urn:nfi:iot:prov:t:1.0", "urn:ieee:iot:prov:t:1.0"]) {
      const reply = payloadOf(await lookUp(`token='${had}'/>`, bob, space)) as Element;
      expect([reply.ns, reply.name, Buffer.from(textOf(reply), "base64").equals(der)]).toEqual([
        space,
        "certificate",
        true,
      ]);
    }
    expect(outcome(await lookUp(`token='other.example:${bare}'/>`))).toBe("item-not-found");
    expect(outcome(await lookUp("token='nothing'/>"))).toBe("item-not-found");
    expect(outcome(await lookUp("/>"))).toBe("bad-request");
  });

  it("TOK-CERT-01: thirty times a minute", async () => {
    for (let at = 0; at < 30; at++) expect(outcome(await lookUp("token='nothing'/>"))).toBe("item-not-found");
    expect(outcome(await lookUp("token='nothing'/>"))).toBe("resource-constraint");
    expect(outcome(await lookUp("token='nothing'/>", ana))).toBe("item-not-found");
    await pipe.clock.advance(2_100);
    expect(outcome(await lookUp("token='nothing'/>"))).toBe("item-not-found");
  });
});

/** The gateway passes challenges on to whoever holds that key, as often as they come. */
function gatewayHolds(by: KeyObject | undefined, seen: Element[] = []): Element[] {
  pipe.replies(gatewayFull, payload => {
    if (payload.name !== "tokenChallenge") return "ok";
    seen.push(payload);
    return by === undefined
      ? "forbidden"
      : element("tokenChallengeResponse", payload.ns, {}, [base64(decrypt(textOf(payload), by))]);
  });
  return seen;
}
const read = async (shown: string, caller = bob, from = gatewayFull) => {
  const reply = await pipe.iq(
    "get",
    from,
    `<canRead xmlns='${provisioning}' jid='${caller}' m='true' ${shown}><nd ${meter}/></canRead>`,
  );
  return payloadText(reply).includes("result='true'");
};
/** Ana answers the last question for everybody with that token. */
async function allow(origin: string, had: string, result = true): Promise<string> {
  const { key: question, element: asked } = lastQuestion(pipe);
  const { jid, remoteJid } = asked.attrs;
  return outcome(
    await pipe.iq(
      "set",
      anaFull,
      `<canReadRule xmlns='${owning}' jid='${jid}' remoteJid='${remoteJid}' key='${question}' result='${result}'><${origin} token='${had}'/></canReadRule>`,
    ),
  );
}

describe("what a token counts for", () => {
  it("TOK-FWD-02: its holder is allowed what the owner allowed to all with it, whatever JID he comes under", async () => {
    await claimedMeter(pipe);
    const had = await token();
    const seen = gatewayHolds(key);
    expect(await read(`ut='${had}'`)).toBe(false);
    expect(await allow("fromUser", had)).toBe("result");
    expect(await read(`ut='${had}'`)).toBe(true);
    expect(await read(`ut='${had}'`, "dan@city.example")).toBe(true);
    expect(await read("", "dan@city.example")).toBe(false);
    // Another kind of evidence is another rule.
    expect(await read(`dt='${had}'`, "dan@city.example")).toBe(false);
    // Once for each caller, and not again within the day.
    expect(seen).toHaveLength(2);
    expect(seen[0]?.attrs.token).toBe(had);
    await pipe.clock.advance(25 * 3_600_000);
    expect(await read(`ut='${had}'`)).toBe(true);
    expect(seen).toHaveLength(3);
  });

  it("TOK-FWD-02, TOK-THR-01: shown without its key it opens nothing, and the owner is not asked to trust it", async () => {
    await claimedMeter(pipe);
    const had = await token();
    gatewayHolds(key);
    await read(`ut='${had}'`);
    await allow("fromUser", had);
    gatewayHolds(undefined);
    expect(await read(`ut='${had}'`, "eve@city.example")).toBe(false);
    expect(lastQuestion(pipe).element.attrs).toMatchObject({ remoteJid: "eve@city.example" });
    expect(lastQuestion(pipe).element.attrs.ut).toBeUndefined();
    expect(await allow("fromUser", had)).toBe("bad-request");
    // The one whose key reads something else.
    gatewayHolds(undefined);
    pipe.replies(gatewayFull, payload => element("tokenChallengeResponse", payload.ns, {}, [base64(Buffer.alloc(32))]));
    await pipe.clock.advance(61_000);
    expect(await read(`ut='${had}'`, "eve@city.example")).toBe(false);
    expect(pipe.log.filter(one => one.event === "TokenUnproven").length).toBeGreaterThan(0);
  });

  it("TOK-FWD-02: issued to the very caller it needs no challenge", async () => {
    await claimedMeter(pipe);
    const had = await token();
    const seen = gatewayHolds(undefined);
    await read(`ut='${had}'`, "carla@hub.example");
    expect(lastQuestion(pipe).element.attrs.ut).toBe(had);
    expect(await allow("fromUser", had)).toBe("result");
    expect(await read(`ut='${had}'`, "carla@hub.example")).toBe(true);
    expect(seen).toEqual([]);
  });

  it("TOK-FWD-02: of several on one level the most permissive counts, one challenge each; the caller's own rule comes first", async () => {
    await claimedMeter(pipe);
    const [one, two] = [await token(), await token(certificate(key, "the other"))];
    const seen = gatewayHolds(key);
    await read(`ut='${one} ${two} ${one}'`);
    expect(seen.map(challenge => challenge.attrs.token)).toEqual([one, two]);
    await allow("fromUser", one, false);
    expect(await read(`ut='${one}'`, "dan@city.example")).toBe(false);
    await read(`ut='${two}'`, "fay@city.example");
    await allow("fromUser", two);
    expect(await read(`ut='${one} ${two}'`, "dan@city.example")).toBe(true);
  });

  it("PROV-EVAL-04: before domain and all come the tokens, of a user before a device's before a service's; before them the caller", async () => {
    await claimedMeter(pipe);
    const had = await token();
    const carla = "carla@hub.example";
    const put = (kind: OriginKind, value: string, allow: boolean) =>
      pipe.store.change(records =>
        records.putRule(1, "read", { origin: { kind, value }, allow, categories: 63, names: undefined }, kind, 0),
      );
    const said: boolean[] = [];
    for (const [kind, value, allow] of [
      ["all", "", false],
      ["domain", "hub.example", true],
      ["service", had, false],
      ["device", had, true],
      ["user", had, false],
      ["caller", carla, true],
    ] as const) {
      await put(kind, value, allow);
      said.push(await read(`st='${had}' dt='${had}' ut='${had}'`, carla));
    }
    expect(said).toEqual([false, true, false, true, false, true]);
    // The same under another kind is no rule for it.
    expect(await read(`st='${had}'`, "dan@city.example")).toBe(false);
  });

  it("a proof that comes late counts at the next question, which the device is told to ask", async () => {
    await claimedMeter(pipe);
    const had = await token();
    gatewayHolds(key);
    await read(`ut='${had}'`);
    await allow("fromUser", had);
    const answer = Promise.withResolvers<Element>();
    let asked: Element | undefined;
    pipe.replies(gatewayFull, payload => {
      if (payload.name !== "tokenChallenge") return "ok";
      asked = payload;
      return answer.promise;
    });
    const before = pipe.pushedTo(gatewayFull).length;
    const waiting = pipe.start(
      "get",
      gatewayFull,
      `<canRead xmlns='${provisioning}' jid='dan@city.example' m='true' ut='${had}'><nd ${meter}/></canRead>`,
    );
    await pipe.clock.advance(3_100);
    expect(payloadText(await waiting)).toContain("result='false'");
    const plain = decrypt(textOf(asked as Element), key);
    answer.resolve(element("tokenChallengeResponse", ns, {}, [base64(plain)]));
    await pipe.clock.advance(3_000);
    expect(pipe.pushedTo(gatewayFull).slice(before).join("")).toContain("<clearCache");
    expect(await read(`ut='${had}'`, "dan@city.example")).toBe(true);
  });

  it("TOK-FWD-02: with the setting off a rule on a token is refused, and tokens decide nothing", async () => {
    await pipe[Symbol.asyncDispose]();
    pipe = await openPipe();
    await claimedMeter(pipe);
    await read("ut='reg.hub.example:abc'");
    expect(await allow("fromUser", "reg.hub.example:abc")).toBe("bad-request");
  });
});

describe("how a token ends", () => {
  it("TOK-GET-03: with its certificate; devices with a rule on it forget what they were told", async () => {
    await claimedMeter(pipe);
    const had = await token(certificate(key, "Carla", 2));
    gatewayHolds(key);
    await read(`ut='${had}'`);
    await allow("fromUser", had);
    await pipe.clock.advance(day);
    expect(await read(`ut='${had}'`)).toBe(true);
    const before = pipe.pushedTo(gatewayFull).length;
    await pipe.clock.advance(day + 3_600_000);
    expect(pipe.pushedTo(gatewayFull).slice(before).join("")).toContain(`<clearCache xmlns='${provisioning}' ${meter}`);
    expect(await read(`ut='${had}'`)).toBe(false);
    expect(outcome(await lookUp(`token='${had}'/>`))).toBe("item-not-found");
    expect(pipe.log.find(one => one.event === "TokenRevoked")?.facts).toMatchObject({ account: "carla@hub.example" });
  });

  it("TOK-GET-03: when the operator takes it back; its key gets no other", async () => {
    await claimedMeter(pipe);
    const der = certificate();
    const had = await token(der);
    gatewayHolds(key);
    await read(`ut='${had}'`);
    await allow("fromUser", had);
    const before = pipe.pushedTo(gatewayFull).length;
    await pipe.restart({ tokens: { ...options, revoked: [had] } });
    gatewayHolds(key);
    await pipe.presence(gatewayFull);
    expect(pipe.pushedTo(gatewayFull).slice(before).join("")).toContain("<clearCache");
    expect(await read(`ut='${had}'`)).toBe(false);
    expect(outcome(await getToken(der))).toBe("not-acceptable");
    expect(outcome(await getToken(certificate(key, "renewed")))).toBe("not-acceptable");
    expect(await token(certificate(otherKey), otherKey)).toContain(`${service}:`);
  });

  it("TOK-GET-03: when nobody vouches for its certificate any more", async () => {
    const had = await token();
    await pipe.restart({ tokens: { ...options, pinFirst: false } });
    expect(outcome(await lookUp(`token='${had}'/>`))).toBe("item-not-found");
  });
});

describe("attacks", () => {
  it("TOK-FMT-01: markup, quotes, spaces and length in the text of a token are refused unread", async () => {
    await claimedMeter(pipe);
    for (const bad of ["a&lt;b", "a&quot;b", "a&apos;b", "a&amp;b", "x".repeat(257)]) {
      expect(outcome(await lookUp(`token='${bad}'/>`))).toBe("bad-request");
      expect(
        outcome(
          await pipe.iq(
            "get",
            gatewayFull,
            `<canRead xmlns='${provisioning}' jid='${bob}' m='true' ut='${bad}'><nd ${meter}/></canRead>`,
          ),
        ),
      ).toBe("bad-request");
    }
  });

  it("a certificate of somebody else gives no token: the key decides, not the certificate", async () => {
    const challenge = payloadOf(await getToken(certificate(otherKey))) as Element;
    const guess = await respond(challenge.attrs.seqnr ?? "", Buffer.alloc(32));
    expect(outcome(guess)).toBe("bad-request");
    const echo = payloadOf(await getToken(certificate(otherKey))) as Element;
    expect(outcome(await respond(echo.attrs.seqnr ?? "", Buffer.from(textOf(echo), "base64")))).toBe("bad-request");
    expect(pipe.log.filter(one => one.event === "TokenRefused").length).toBeGreaterThan(0);
    expect(await pipe.store.tokensOf("carla@hub.example")).toEqual([]);
  });

  it("TOK-THR-01: proven through one gateway, it is not proven through another", async () => {
    await claimedMeter(pipe);
    const had = await token();
    gatewayHolds(key);
    await read(`ut='${had}'`);
    await allow("fromUser", had);
    expect(await read(`ut='${had}'`)).toBe(true);
    const other = "gw7@hub.example/edge";
    let asked = 0;
    pipe.replies(other, () => {
      asked++;
      return "forbidden";
    });
    expect(await read(`ut='${had}'`, bob, other)).toBe(false);
    expect(asked).toBe(1);
  });
});
