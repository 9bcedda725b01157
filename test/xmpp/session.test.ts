// The session against a real Prosody: log-in by both ways of TLS and both hashes, refusals in sentences, traffic unharmed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { element, firstElement, textOf } from "#xml/element.ts";
import { Disconnected } from "#xmpp/connection.ts";
import { clientNs, encodeError, StanzaError } from "#xmpp/stanza.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { bodies, echo, forever, type PeerOptions, startPeer, text, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let authority: Authority;
let stranger: Authority;
let certificate: Certificate;
let prosody: Prosody;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-session-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
  stranger = await createAuthority(`${home}/stranger`, clock, forever);
  certificate = await authority.issue({ hosts: [domain] });
  prosody = await start({ folder: `${home}/one` });
});
afterAll(async () => {
  await prosody?.stop();
  await rm(home, { recursive: true });
});

const start = (options: { folder: string } & Partial<Parameters<typeof startProsody>[0]>): Promise<Prosody> =>
  startProsody({
    domain,
    certificate,
    clock,
    signal: forever,
    users: [
      { name: "edge", password: "secret" },
      { name: "owner", password: "secret" },
      { name: "dot", password: "pässwörd, with=all" },
    ],
    ...options,
  });

const at = (options: Partial<PeerOptions>): PeerOptions => ({
  domain,
  ca: [authority.ca],
  host: "127.0.0.1",
  port: prosody.ports.tls,
  tls: "direct",
  ...options,
});

describe("log-in", () => {
  it("ACC-SASL-01: by direct TLS with SCRAM-SHA-1, a resource of the broker's choice (PRES-ID-02)", async () => {
    await using edge = startPeer(at({ user: "edge" }));
    await edge.session.whenOnline(forever);
    expect(edge.session.jid).toMatch(/^edge@isthmus\.localhost\/.{4,}/);
    expect(edge.session.state()).toMatchObject({ phase: "online", reason: "" });
    await until("the mechanism is remembered", () => edge.credentials.load()?.mechanism !== undefined);
    // With channel binding where the broker knows a kind that we know (Prosody from 13 on).
    expect(edge.credentials.load()?.mechanism).toMatch(/^SCRAM-SHA-1(-PLUS)?$/);
  });

  it("ACC-TLS-01: by verified STARTTLS, found without being told which way", async () => {
    await using edge = startPeer(at({ user: "edge", port: prosody.ports.c2s, tls: "starttls" }));
    await edge.session.whenOnline(forever);
    const { tls: _, ...unsaid } = at({ user: "owner", port: prosody.ports.c2s });
    await using owner = startPeer(unsaid);
    await owner.session.whenOnline(forever);
    expect(
      await edge.session.request("get", domain, element("query", "http://jabber.org/protocol/disco#info")),
    ).toMatchObject({ name: "query" });
  });

  it("ACC-SASL-01: SCRAM-SHA-256 where the broker stores that, and no weaker afterwards", async () => {
    await using strong = await start({ folder: `${home}/strong`, passwordHash: "SHA-256" });
    const credentials = await (async () => {
      await using edge = startPeer(at({ user: "edge", port: strong.ports.tls }));
      await edge.session.whenOnline(forever);
      return edge.credentials;
    })();
    expect(credentials.load()?.mechanism).toMatch(/^SCRAM-SHA-256(-PLUS)?$/);
    await using edge = startPeer(at({ credentials }));
    await until(
      "refused",
      () => edge.session.state().phase === "waiting" && edge.session.state().reason !== "not started",
    );
    expect(edge.session.state().reason).toMatch(
      /offers only SCRAM-SHA-1(-PLUS)?, but it offered SCRAM-SHA-256(-PLUS)? before/,
    );
    expect(edge.onlines).toEqual([]);
  });

  it("passwords with commas, equals signs and letters beyond ASCII", async () => {
    await using dot = startPeer(at({ user: "dot", password: "pässwörd, with=all" }));
    await dot.session.whenOnline(forever);
  });

  it("ACC-SASL-03: a wrong password waits at least five minutes, says so, and does not register", async () => {
    await using edge = startPeer(at({ user: "edge", password: "wrong", register: { prefix: "edge" } }));
    await until("refused", () => edge.logged.some(one => one.event === "xmpp-offline"));
    expect(edge.session.state()).toMatchObject({ phase: "waiting" });
    expect(edge.session.state().reason).toMatch(/does not accept this user name and password/);
    expect(edge.logged.find(one => one.event === "xmpp-offline")?.facts.nextMs).toBeGreaterThanOrEqual(300_000);
    expect(edge.credentials.saved).toHaveLength(1);
    expect(JSON.stringify(edge.logged)).not.toContain("wrong");
    expect(() => edge.session.jid).toThrow(Disconnected);
    await expect(edge.session.request("get", domain, element("ping", "urn:xmpp:ping"))).rejects.toThrow(Disconnected);
  });
});

describe("refused connections are told in sentences", () => {
  const reasonOf = async (options: PeerOptions): Promise<string> => {
    await using edge = startPeer({ user: "edge", ...options });
    await until("an attempt failed", () => edge.logged.some(one => one.event === "xmpp-offline"));
    expect(edge.onlines).toEqual([]);
    return edge.session.state().reason;
  };

  it("ACC-TLS-01: an authority we do not trust, by both ways", async () => {
    const wrong = { ca: [stranger.ca] };
    expect(await reasonOf(at(wrong))).toMatch(/issued by an authority this machine does not trust/);
    expect(await reasonOf(at({ ...wrong, port: prosody.ports.c2s, tls: "starttls" }))).toMatch(
      /authority this machine/,
    );
    const { ca: _, ...system } = at({});
    expect(await reasonOf(system)).toMatch(/authority this machine does not trust \(Isthmus laboratory\)/);
  });

  it("ACC-TLS-01: a certificate for another name, and an expired one with its date", async () => {
    const other = await authority.issue({ hosts: ["other.example"] });
    await using foreign = await start({ folder: `${home}/foreign`, certificate: other, users: [] });
    expect(await reasonOf(at({ port: foreign.ports.tls }))).toMatch(
      /is not for isthmus\.localhost but for DNS:other\.example/,
    );
    const old = await authority.issue({ hosts: [domain], expired: true });
    await using expired = await start({ folder: `${home}/expired`, certificate: old, users: [] });
    expect(await reasonOf(at({ port: expired.ports.tls }))).toMatch(
      /expired \d{4}-\d\d-\d\dT.*; this machine's clock says 2/,
    );
  });

  it("nobody listens; a name that does not exist", async () => {
    expect(await reasonOf(at({ port: 1 }))).toMatch(/127\.0\.0\.1:1 refused the connection/);
    expect(await reasonOf(at({ host: "no-such-host.invalid" }))).toMatch(/was not found in DNS/);
  });

  it("ACC-TLS-01: STARTTLS taken out on the way is refused and nothing is sent in clear", async () => {
    const heard: string[] = [];
    await using proxy = await startTcpProxy({
      targetPort: prosody.ports.c2s,
      fromServer: chunk => Buffer.from(chunk.toString().replace(/<starttls.*?<\/starttls>/, "")),
      fromClient: chunk => void heard.push(chunk.toString()),
    });
    expect(await reasonOf(at({ port: proxy.port, tls: "starttls" }))).toMatch(/offers no encryption \(STARTTLS\)/);
    expect(heard.join("")).not.toMatch(/auth|edge/);
  });

  it("a peer that accepts and never answers is given up within connectMs, by both ways", async () => {
    await using proxy = await startTcpProxy({ targetPort: prosody.ports.tls });
    proxy.stall();
    expect(await reasonOf(at({ port: proxy.port, connectMs: 200 }))).toMatch(/no answer within 200 ms/);
    expect(await reasonOf(at({ port: proxy.port, tls: "starttls", connectMs: 200 }))).toMatch(
      /no answer within 200 ms/,
    );
  });
});

describe("traffic", () => {
  it("messages of 60 kB in many alphabets arrive whole and in order", async () => {
    await using edge = startPeer(at({ user: "edge" }));
    await using owner = startPeer(at({ user: "owner" }));
    await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
    const alphabets = "Wärmezähler ῾Ηλιος 電力計 🔥⚡ <&>\"' ";
    const sent = Array.from({ length: 20 }, (_, index) => `${index} ${alphabets.repeat(1_200)}`);
    for (const one of sent) edge.session.send(text(owner.session.jid, one));
    await until("all arrived", () => owner.messages.length >= sent.length);
    expect(bodies(owner.messages)).toEqual(sent);
    await until("all acknowledged", () => edge.session.state().messagesWaiting === 0);
  });

  it("PRES-REP-01: questions to a peer are answered, each by its own", async () => {
    await using edge = startPeer(at({ user: "edge", answer: echo }));
    await using owner = startPeer(at({ user: "owner" }));
    await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
    const asked = Array.from({ length: 200 }, (_, index) => String(index));
    const answers = await Promise.all(
      asked.map(n => owner.session.request("get", edge.session.jid, element("echo", "urn:test", { n }))),
    );
    expect(answers.map(one => one?.attrs.n)).toEqual(asked);
    expect(new Set(edge.iqs.map(one => one.attrs.id)).size).toBe(200);
    expect(edge.iqs[0]?.attrs.id).toMatch(/^[\w-]{22}$/);
  });

  it("an iq error of the broker is a StanzaError with its condition", async () => {
    await using edge = startPeer(at({ user: "edge" }));
    await edge.session.whenOnline(forever);
    const asked = edge.session.request("get", `nobody@${domain}/there`, element("ping", "urn:xmpp:ping"));
    await expect(asked).rejects.toThrow(StanzaError);
    await expect(asked).rejects.toMatchObject({ condition: "service-unavailable" });
  });

  it("COM-STZ-09: an answer larger than the broker takes becomes an error, a message is refused, the stream lives", async () => {
    const huge = "x".repeat(300_000);
    await using edge = startPeer(
      at({
        user: "edge",
        answer: iq => ({ ...echo(iq), children: [element("big", "urn:test", {}, [huge])] }),
      }),
    );
    await using owner = startPeer(at({ user: "owner" }));
    await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
    await expect(owner.session.request("get", edge.session.jid, element("q", "urn:test"))).rejects.toMatchObject({
      condition: "not-acceptable",
    });
    expect(() => edge.session.send(text(owner.session.jid, huge))).toThrow(/larger than/);
    expect(edge.offlines).toEqual([]);
  });

  it("COM-STZ-04, COM-STZ-09: an error larger than the broker takes keeps its condition and loses its details", async () => {
    const details = Array.from({ length: 10_000 }, (_, at) => element("fault", "urn:test", { n: `${at}` }, ["wrong"]));
    const error = new StanzaError("modify", "bad-request", "värden av fel form", details);
    await using edge = startPeer(
      at({
        user: "edge",
        answer: ({ attrs }) =>
          element("iq", clientNs, { type: "error", id: attrs.id, to: attrs.from }, [
            encodeError(error, clientNs, "sv"),
          ]),
      }),
    );
    await using owner = startPeer(at({ user: "owner" }));
    await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
    await expect(owner.session.request("get", edge.session.jid, element("q", "urn:test"))).rejects.toMatchObject({
      type: "modify",
      condition: "bad-request",
      text: "värden av fel form",
      details: [],
    });
    expect(edge.offlines).toEqual([]);
  });

  it.for([
    ["more", 1_000_000, 900_000, 1_100_000],
    ["less", 40_000, 35_000, 45_000],
  ] as const)(
    "COM-STZ-09: a broker that announces to take %s is believed (XEP-0478)",
    async ([, taken, fits, huge]) => {
      const other = "other.localhost";
      await using generous = await start({
        folder: `${home}/${taken}`,
        domain: other,
        certificate: await authority.issue({ hosts: [other] }),
        stanzaBytes: taken,
      });
      const there = at({ domain: other, port: generous.ports.tls });
      await using edge = startPeer({
        ...there,
        user: "edge",
        answer: iq => ({
          ...echo(iq),
          children: [element("big", "urn:test", {}, ["x".repeat(Number(firstElement(iq)?.attrs.n))])],
        }),
      });
      await using owner = startPeer({ ...there, user: "owner", limits: { charsMax: 2_000_000 } });
      await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
      const ask = (n: number) =>
        owner.session.request("get", edge.session.jid, element("q", "urn:test", { n: `${n}` }));
      expect(textOf((await ask(fits)) ?? element("nothing", ""))).toHaveLength(fits);
      await expect(ask(huge)).rejects.toMatchObject({ condition: "not-acceptable" });
      expect(edge.session.stanzaBytes).toBe(taken);
      expect(edge.offlines).toEqual([]);
    },
  );
});
