// A token on the side of its holder: real keys, real parser; the service and whoever challenges are written out.

import { constants, generateKeyPairSync, type KeyObject, publicEncrypt, randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createInbox, type Inbox } from "#client/inbox.ts";
import { decryptWith, getToken, type HeldToken, withTokens } from "#client/tokens.ts";
import { type Element, element, elements, textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import type { Connection } from "#xmpp/connection.ts";
import { clientNs, decodeError } from "#xmpp/stanza.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pkcs8 = (key: KeyObject) => new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
const encrypt = (plain: Uint8Array, oaepHash = "sha1") =>
  publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plain).toString("base64");
const ns = "urn:nf:iot:prov:t:1.0";
const thing = "gw9@hub.example/e";
const held = "prov.hub.example:abc";
const never = new AbortController().signal;

let now = 0;
let inbox: Inbox;
let sent: Element[];
let asked: { to: string | undefined; payload: Element }[];
let answer: (payload: Element) => Element | undefined;
let plain: Connection;
let connection: Connection;

beforeEach(async () => {
  now = 1_000;
  sent = [];
  asked = [];
  answer = () => undefined;
  inbox = createInbox();
  plain = {
    jid: "bob@city.example/x",
    online: true,
    send: stanza => void sent.push(stanza),
    async request(_type, to, payload) {
      asked.push({ to, payload });
      return answer(payload);
    },
  };
  inbox.attach(plain);
  const decrypt = await decryptWith(pkcs8(privateKey));
  const tokens: HeldToken[] = [
    { token: held, kind: "user", decrypt },
    { token: "prov.hub.example:two", kind: "user", decrypt },
    { token: "prov.hub.example:three", kind: "service", decrypt },
  ];
  connection = withTokens(plain, inbox, tokens, () => now);
});

/** "forbidden", or what came back. */
async function challenge(data: string, token = held, from = thing): Promise<string> {
  sent.length = 0;
  const payload = parse(`<tokenChallenge xmlns='${ns}' token='${token}'>${data}</tokenChallenge>`);
  inbox.iq(element("iq", clientNs, { type: "get", id: "c1", from, to: plain.jid }, [payload]));
  while (sent.length === 0) await new Promise(resolve => setImmediate(resolve));
  const [reply] = sent as [Element];
  expect(reply.attrs).toMatchObject({ id: "c1", to: from });
  return reply.attrs.type === "error" ? decodeError(reply).condition : textOf(elements(reply)[0] as Element);
}
const show = (to = thing, space = "urn:nf:iot:sd:1.0") =>
  connection.request("get", to, element("req", space, { id: "r" }));
const secret = randomBytes(32);

describe("showing tokens", () => {
  it("puts them into requests to things by their kind, and into nothing else", async () => {
    await show();
    expect(asked[0]?.payload.attrs).toMatchObject({ ut: `${held} prov.hub.example:two`, st: "prov.hub.example:three" });
    await show("prov.hub.example", "urn:nf:iot:prov:o:1.0");
    await show("hub.example", "jabber:iq:roster");
    expect(asked.slice(1).map(one => Object.keys(one.payload.attrs))).toEqual([["id"], ["id"]]);
  });
});

describe("answering challenges", () => {
  it("TOK-CHAL-02: with what was encrypted, OAEP with SHA-1 or SHA-256, in the minute after the token was sent", async () => {
    await show();
    expect(await challenge(encrypt(secret))).toBe(secret.toString("base64"));
    expect(await challenge(encrypt(secret, "sha256"))).toBe(secret.toString("base64"));
    now += 59_999;
    expect(await challenge(encrypt(secret))).toBe(secret.toString("base64"));
    now += 1;
    expect(await challenge(encrypt(secret))).toBe("forbidden");
    await show();
    expect(await challenge(encrypt(secret))).toBe(secret.toString("base64"));
  });

  it("TOK-CHAL-02: to nobody else than whom it was sent to, resource and all, and for no other token", async () => {
    expect(await challenge(encrypt(secret))).toBe("forbidden");
    await show();
    for (const from of ["gw9@hub.example/other", "gw9@hub.example", "eve@city.example/x", "prov.hub.example"])
      expect(await challenge(encrypt(secret), held, from)).toBe("forbidden");
    expect(await challenge(encrypt(secret), "prov.hub.example:other")).toBe("forbidden");
    expect(await challenge(encrypt(secret), held, "GW9@hub.example/e")).toBe(secret.toString("base64"));
  });

  it("TOK-CHAL-04: it decrypts no other messages: too short, too long, another padding, noise, all refused alike", async () => {
    await show();
    for (const length of [0, 1, 15, 129, 190]) expect(await challenge(encrypt(randomBytes(length)))).toBe("forbidden");
    for (const length of [16, 128]) expect(await challenge(encrypt(randomBytes(length)))).not.toBe("forbidden");
    const older = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, secret);
    expect(await challenge(older.toString("base64"))).toBe("forbidden");
    expect(await challenge(randomBytes(256).toString("base64"))).toBe("forbidden");
    expect(await challenge(randomBytes(5_000).toString("base64"))).toBe("forbidden");
  });

  it("what is not a challenge is a bad request, and nothing else is served", async () => {
    await show();
    expect(await challenge("not base64!")).toBe("bad-request");
    expect(await challenge(encrypt(secret), "a b")).toBe("bad-request");
    sent.length = 0;
    inbox.iq(element("iq", clientNs, { type: "get", id: "c2", from: thing }, [element("getToken", ns)]));
    expect(decodeError(sent[0] as Element).condition).toBe("service-unavailable");
  });
});

describe("getting one", () => {
  const service = { jid: "prov.hub.example", generation: "nf" } as const;
  const get = async (data: string) => {
    answer = ({ name }) =>
      name === "getToken"
        ? element("getTokenChallenge", ns, { seqnr: "7" }, [data])
        : element("getTokenResponse", ns, { token: held });
    return getToken(plain, service, Uint8Array.of(1, 2, 3), await decryptWith(pkcs8(privateKey)), never);
  };

  it("TOK-GET-01: for a challenge in OAEP with SHA-1, else SHA-256", async () => {
    for (const hash of ["sha1", "sha256"]) {
      asked.length = 0;
      expect(await get(encrypt(secret, hash))).toBe(held);
      expect(asked.map(({ payload }) => [payload.name, payload.attrs.seqnr, textOf(payload)])).toEqual([
        ["getToken", undefined, "AQID"],
        ["getTokenChallengeResponse", "7", secret.toString("base64")],
      ]);
    }
  });

  it("TOK-CHAL-04: nor does the service get anything else decrypted this way", async () => {
    await expect(get(encrypt(randomBytes(190)))).rejects.toThrow("forbidden");
    expect(asked.map(({ payload }) => payload.name)).toEqual(["getToken"]);
  });
});
