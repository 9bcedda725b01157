// The session with brokers and peers that are wrong on purpose: replaced, poisoned, without stream management, flooded.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { type Element, element } from "#xml/element.ts";
import { findTargets, type SrvRecord } from "#xmpp/dial.ts";
import {
  type Line,
  mechanismsOf,
  playBind,
  playScram,
  sessionFeatures,
  startScriptedServer,
} from "../support/scripted-server.ts";
import { bodies, echo, forever, type PeerOptions, startPeer, text, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let authority: Authority;
let certificate: Certificate;
let prosody: Prosody;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-faults-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
  certificate = await authority.issue({ hosts: [domain] });
  prosody = await startProsody({
    folder: `${home}/prosody`,
    domain,
    certificate,
    clock,
    signal: forever,
    users: ["edge", "owner"].map(name => ({ name, password: "secret" })),
  });
});
afterAll(async () => {
  await prosody?.stop();
  await rm(home, { recursive: true });
});

const at = (port: number, options: Partial<PeerOptions> = {}): PeerOptions => ({
  domain,
  ca: [authority.ca],
  host: "127.0.0.1",
  port,
  tls: "direct",
  user: "edge",
  ...options,
});
const logIn = async (line: Line, features = sessionFeatures) => {
  await line.header(mechanismsOf(["SCRAM-SHA-256"]));
  await playScram(line, { password: "secret" });
  await line.header(features);
};
const streamError = (condition: string) =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`;

describe("through Prosody", () => {
  it("a stanza deeper than we read costs neither the stream nor what comes after it", async () => {
    await using edge = startPeer(at(prosody.ports.tls, { answer: echo }));
    await using owner = startPeer(at(prosody.ports.tls, { user: "owner" }));
    await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
    let deep: Element = element("x", "urn:deep");
    for (let n = 0; n < 80; n++) deep = element("x", "urn:deep", {}, [deep]);
    owner.session.send(element("message", "jabber:client", { to: edge.session.jid }, [deep]));
    owner.session.send(text(edge.session.jid, "after"));
    await until("the next arrived", () => edge.messages.length > 0);
    expect(bodies(edge.messages)).toEqual(["after"]);
    await expect(owner.session.request("get", edge.session.jid, deep)).rejects.toMatchObject({
      condition: "policy-violation",
    });
    expect(edge.logged.filter(one => one.event === "stanza-too-large")).toHaveLength(2);
    expect(edge.offlines).toEqual([]);
    // They were counted: a resumption right after would otherwise bring them again.
    await until("acknowledged", () => owner.session.state().messagesWaiting === 0);
  });
});

describe("with a scripted broker", () => {
  it("ACC-SASL-03: replaced by another session, it stays away for long and says so", async () => {
    await using server = await startScriptedServer(certificate, async line => {
      await logIn(line);
      await playBind(line);
      line.send(streamError("conflict"));
    });
    await using edge = startPeer(at(server.port));
    await until("away", () => edge.logged.some(one => one.event === "xmpp-offline"));
    const offline = edge.logged.find(one => one.event === "xmpp-offline");
    expect(offline?.facts.reason).toMatch(/conflict/);
    expect(offline?.facts.nextMs).toBeGreaterThanOrEqual(300_000);
  });

  it("RFC 6120 section 8.2.3: a request too large in its own start tag is answered all the same, and the session goes on", async () => {
    const much = "y".repeat(300_000);
    const answered: string[] = [];
    await using server = await startScriptedServer(certificate, async line => {
      await logIn(line);
      await playBind(line);
      const ask = (attrs: string) => line.send(`<iq to='edge@${domain}/r1' ${attrs}><x xmlns='urn:x'/></iq>`);
      ask(`from='bob@b.example/x' type='get' id='early' junk='${much}'`);
      ask(`junk='${much}' from='bob@b.example/x' type='set' id='late'`);
      // Nothing can carry an answer to this one; an answer and a message need none.
      ask(`from='bob@b.example/x' type='get' id='${much}'`);
      ask(`from='bob@b.example/x' type='result' id='nobody' junk='${much}'`);
      line.send(`<message from='bob@b.example/x' junk='${much}'><body>lost</body></message>`);
      ask("from='bob@b.example/x' type='get' id='after'");
      for (;;) {
        const [whole, id = ""] = await line.expect(/<iq [^>]*id='([^']*)'[^>]*to='bob@b.example\/x'.*?<\/iq>/);
        answered.push(`${id} ${/policy-violation|urn:x/.exec(whole)}`);
      }
    });
    await using edge = startPeer(at(server.port, { answer: echo }));
    await until("the last answer", () => answered.some(one => one.startsWith("after")));
    expect(answered).toEqual(["early policy-violation", "late policy-violation", "after urn:x"]);
    expect(edge.logged.filter(one => one.event === "stanza-too-large").map(({ facts }) => facts.from)).toEqual(
      Array.from({ length: 5 }, () => "bob@b.example/x"),
    );
    expect(edge.messages).toEqual([]);
    expect(edge.offlines).toEqual([]);
  });

  it("RFC 6120 section 13.12: a start tag without end costs the stream, which says why, and the session comes back", async () => {
    let told = "";
    await using server = await startScriptedServer(certificate, async (line, connection) => {
      await logIn(line);
      await playBind(line);
      if (connection > 1) return void line.send("<message from='bob@b.example/x'><body>again</body></message>");
      line.send("<iq from='bob@b.example/x' type='get' id='1' junk='");
      // Beyond what is thrown away in patience.
      for (let n = 0; n < 70; n++) line.send("y".repeat(1_048_576));
      [told] = await line.expect(/<stream:error>.*<\/stream:error>/);
      line.socket.destroy();
    });
    await using edge = startPeer(at(server.port, { reconnectFirstMs: 5 }));
    await until("both", () => edge.messages.length > 0 && told !== "");
    expect(told).toContain("<policy-violation");
    expect(edge.offlines).toHaveLength(1);
  });

  it("a message over which the broker ends the stream is found and dropped, the others arrive in order", async () => {
    const received: string[][] = [];
    await using server = await startScriptedServer(certificate, async line => {
      await logIn(line);
      await playBind(line);
      const mine: string[] = [];
      received.push(mine);
      let handled = 0;
      for (;;) {
        const [whole, body] = await line.expect(
          /<message[^>]*><body>([^<]*)<\/body><\/message>|<r xmlns='[^']*'\/>|<presence[^>]*\/>/,
        );
        if (body === "poison") return line.send(streamError("policy-violation"));
        if (body !== undefined) mine.push(body);
        if (!whole.startsWith("<r ")) handled++;
        else line.send(`<a xmlns='urn:xmpp:sm:3' h='${handled}'/>`);
      }
    });
    await using edge = startPeer(at(server.port, { reconnectFirstMs: 5 }));
    for (const body of ["one", "poison", "two", "three"]) edge.session.send(text(`owner@${domain}`, body));
    await until("all through", () => edge.session.state().messagesWaiting === 0);
    expect(received.flat()).not.toContain("poison");
    expect(received.at(-1)?.slice(-2)).toEqual(["two", "three"]);
    expect(edge.logged.filter(one => one.event === "message-dropped")).toHaveLength(1);
  });

  it("without stream management a ping's answer says that what was sent before was read", async () => {
    const received: string[] = [];
    await using server = await startScriptedServer(certificate, async (line, connection) => {
      await logIn(line, "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
      const [, id = ""] = await line.expect(/<iq [^>]*id='([^']*)'[^>]*><bind/);
      line.send(
        `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>edge@${domain}/r1</jid></bind></iq>`,
      );
      for (;;) {
        const [, body, ping] = await line.expect(/<body>([^<]*)<\/body>|<iq type='get' id='([^']*)'[^>]*><ping/);
        if (body !== undefined) received.push(`${connection} ${body}`);
        // The first connection breaks with the messages read but not confirmed.
        else if (connection === 1) return void line.socket.destroy();
        else line.send(`<iq type='result' id='${ping}' from='${domain}'/>`);
      }
    });
    await using edge = startPeer(at(server.port, { reconnectFirstMs: 5 }));
    for (const body of ["one", "two"]) edge.session.send(text(`owner@${domain}`, body));
    await until("confirmed", () => edge.session.state().messagesWaiting === 0);
    expect(received).toEqual(["1 one", "1 two", "2 one", "2 two"]);
    expect(edge.onlines.map(one => one.resumed)).toEqual([false, false]);
  });

  it("a broker that acknowledges what was never sent loses the stream, not the messages", async () => {
    const received: string[] = [];
    await using server = await startScriptedServer(certificate, async (line, connection) => {
      await logIn(line);
      await playBind(line);
      if (connection === 1) line.send("<a xmlns='urn:xmpp:sm:3' h='77'/>");
      const [, body = ""] = await line.expect(/<body>([^<]*)<\/body>/);
      received.push(body);
      await line.expect(/<r /);
      line.send("<a xmlns='urn:xmpp:sm:3' h='2'/>");
    });
    await using edge = startPeer(at(server.port, { reconnectFirstMs: 5 }));
    await until("thrown out", () => edge.offlines.length === 1);
    edge.session.send(text(`owner@${domain}`, "one"));
    await until("acknowledged", () => edge.session.state().messagesWaiting === 0);
    expect(received).toEqual(["one"]);
  });

  it("an acknowledgement, which needs no answer, gets a blank: a broker with Nagle's delay holds back what follows it", async () => {
    let blank = false;
    await using server = await startScriptedServer(certificate, async line => {
      await logIn(line);
      await playBind(line);
      await line.expect(/<r xmlns='urn:xmpp:sm:3'\/>/);
      line.send("<a xmlns='urn:xmpp:sm:3' h='1'/>");
      await line.expect(/^ $/);
      blank = true;
    });
    await using edge = startPeer(at(server.port));
    await until("the blank", () => blank);
    expect(edge.offlines).toEqual([]);
  });

  it("a log-in that stops half way is given up within connectMs and tried again", async () => {
    await using server = await startScriptedServer(certificate, async (line, connection) => {
      if (connection === 1) return void (await line.header(mechanismsOf(["SCRAM-SHA-256"])));
      await logIn(line);
      await playBind(line);
    });
    await using edge = startPeer(at(server.port, { connectMs: 300, reconnectFirstMs: 5 }));
    await edge.session.whenOnline(forever);
    expect(edge.logged.find(one => one.event === "xmpp-offline")?.facts.reason).toMatch(/no answer within 300 ms/);
  });
});

describe("ACC-FIND-02: where to connect", () => {
  const records: Record<string, SrvRecord[]> = {
    [`_xmpps-client._tcp.${domain}`]: [{ name: "tls.example", port: 443, priority: 5, weight: 0 }],
    [`_xmpp-client._tcp.${domain}`]: [
      { name: "backup.example", port: 5222, priority: 10, weight: 0 },
      { name: "plain.example", port: 5222, priority: 5, weight: 0 },
    ],
  };
  const find = (
    options: { host?: string; port?: number; tls?: "direct" | "starttls" } = {},
    answers: (name: string) => Promise<readonly SrvRecord[]> = async name => records[name] ?? [],
  ) =>
    findTargets({ domain, ...options }, { clock, resolveSrv: answers }, forever).then(list =>
      list.map(({ host, port, direct }) => `${host}:${port} ${direct ? "tls" : "starttls"}`),
    );

  it("SRV of both kinds by priority, direct TLS first among equals", async () => {
    expect(await find()).toEqual([
      "tls.example:443 tls",
      "plain.example:5222 starttls",
      "backup.example:5222 starttls",
    ]);
  });

  it("without SRV, or without a name server, the usual ports of the domain", async () => {
    const usual = [`${domain}:5223 tls`, `${domain}:5222 starttls`];
    expect(await find({}, async () => [])).toEqual(usual);
    expect(await find({}, () => Promise.reject(new Error("queryBad SERVFAIL")))).toEqual(usual);
  });

  it("a configured address needs no DNS", async () => {
    const never = () => Promise.reject(new Error("asked"));
    expect(await find({ host: "10.0.0.1" }, never)).toEqual(["10.0.0.1:5223 tls", "10.0.0.1:5222 starttls"]);
    expect(await find({ host: "10.0.0.1", port: 443, tls: "direct" }, never)).toEqual(["10.0.0.1:443 tls"]);
  });

  it("a domain that says it serves no clients is believed", async () => {
    expect(await find({}, async () => [{ name: ".", port: 0, priority: 0, weight: 0 }])).toEqual([]);
    expect(await find({}, async () => [{ name: "", port: 0, priority: 0, weight: 0 }])).toEqual([]);
  });
});
