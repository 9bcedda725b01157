// The session when the network or the broker fails: resumed streams, kept messages, dead links noticed.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { createOutboxStore, openOutboxDatabase } from "#store/outbox.ts";
import { element } from "#xml/element.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { bodies, echo, forever, type PeerOptions, startPeer, text, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
let home: string;
let authority: Authority;
let prosody: Prosody;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-outage-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
  prosody = await startProsody({
    folder: `${home}/prosody`,
    domain,
    certificate: await authority.issue({ hosts: [domain] }),
    clock,
    signal: forever,
    users: ["edge", "owner", "third"].map(name => ({ name, password: "secret" })),
  });
});
afterAll(async () => {
  await prosody?.stop();
  await rm(home, { recursive: true });
});

const at = (options: Partial<PeerOptions>): PeerOptions => ({
  domain,
  ca: [authority.ca],
  host: "127.0.0.1",
  port: prosody.ports.tls,
  tls: "direct",
  ...options,
});
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `message ${from + index}`);

it("ACC-SASL-03: an abrupt loss is resumed: both directions whole, in order, a pending question answered", async () => {
  await using proxy = await startTcpProxy({ targetPort: prosody.ports.tls });
  await using edge = startPeer(at({ user: "edge", port: proxy.port }));
  await using owner = startPeer(at({ user: "owner" }));
  await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
  const { jid } = edge.session;
  // A question that is on its way while the link breaks.
  const asked = edge.session.request("get", owner.session.jid, element("q", "urn:test"));
  for (const one of numbers(0, 30)) {
    edge.session.send(text(owner.session.jid, one));
    owner.session.send(text(jid, one));
  }
  proxy.cut();
  // While it is away, both go on.
  await until("the loss was noticed", () => edge.offlines.length === 1);
  for (const one of numbers(30, 60)) {
    edge.session.send(text(owner.session.jid, one));
    owner.session.send(text(jid, one));
  }
  // More than fit in one chunk come right behind the broker's "resumed".
  for (const one of numbers(60, 400)) owner.session.send(text(jid, one));
  const askedAway = edge.session.request("get", owner.session.jid, element("q", "urn:test"));
  await until("resumed", () => edge.onlines.length === 2);
  expect(edge.onlines[1]).toEqual({ jid, resumed: true });
  await until("all at the owner", () => owner.messages.length >= 60);
  await until("all at the edge", () => edge.messages.length >= 400);
  expect(bodies(owner.messages)).toEqual(numbers(0, 60));
  expect(bodies(edge.messages)).toEqual(numbers(0, 400));
  await Promise.all([asked, askedAway]);
  await until("all acknowledged", () => edge.session.state().messagesWaiting === 0);
});

it("cut again and again while messages flow: nothing lost, nothing twice, nothing out of order", async () => {
  await using proxy = await startTcpProxy({ targetPort: prosody.ports.tls });
  await using edge = startPeer(at({ user: "edge", port: proxy.port, reconnectFirstMs: 5 }));
  await using owner = startPeer(at({ user: "owner" }));
  await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
  const all = numbers(0, 300);
  for (const [index, one] of all.entries()) {
    edge.session.send(text(owner.session.jid, one));
    if (index % 50 === 25) proxy.cut();
    if (index % 10 === 0) await clock.sleep(3, forever);
  }
  await until("all at the owner", () => owner.messages.length >= all.length);
  expect(bodies(owner.messages)).toEqual(all);
  expect(edge.onlines.length).toBeGreaterThan(1);
});

it("a broker that is started anew gets what waited, and questions are given up clearly", async () => {
  await using edge = startPeer(at({ user: "edge" }));
  await edge.session.whenOnline(forever);
  await prosody.stop();
  await until("the loss was noticed", () => edge.offlines.length === 1);
  const asked = edge.session.request("get", domain, element("ping", "urn:xmpp:ping"));
  asked.catch(() => {});
  for (const one of numbers(0, 20)) edge.session.send(text(`owner@${domain}`, one));
  expect(edge.session.state().messagesWaiting).toBe(20);
  await prosody.restart();
  await using owner = startPeer(at({ user: "owner" }));
  await until("all at the owner", () => owner.messages.length >= 20);
  expect(bodies(owner.messages)).toEqual(numbers(0, 20));
  await expect(asked).rejects.toThrow(/lost before the answer came/);
  expect(edge.onlines.at(-1)?.resumed).toBe(false);
  await until("all acknowledged", () => edge.session.state().messagesWaiting === 0);
});

it("peers B 47: a half-open link is noticed by ping and by unanswered acknowledgements, and resumed", async () => {
  await using proxy = await startTcpProxy({ targetPort: prosody.ports.tls });
  await using edge = startPeer(at({ user: "edge", port: proxy.port, pingMs: 200, pingAnswerMs: 200 }));
  await using owner = startPeer(at({ user: "owner" }));
  await Promise.all([edge.session.whenOnline(forever), owner.session.whenOnline(forever)]);
  await clock.sleep(700, forever);
  // Silence alone, with a broker that answers, is no loss.
  expect(edge.offlines).toEqual([]);
  proxy.stall();
  await until("the silent link was given up", () => edge.offlines.length === 1);
  expect(edge.offlines[0]).toMatch(/has not answered for/);
  proxy.pass();
  await until("resumed", () => edge.onlines.length === 2);
  proxy.stall();
  for (const one of numbers(0, 10)) edge.session.send(text(owner.session.jid, one));
  await until("given up again", () => edge.offlines.length === 2);
  proxy.pass();
  await until("all at the owner", () => owner.messages.length >= 10);
  expect(bodies(owner.messages)).toEqual(numbers(0, 10));
});

it("messages of a process that is killed are sent by the next one, in order", async () => {
  const file = `${home}/outbox.db`;
  const child = join(home, "killed.ts");
  const root = new URL("../../", import.meta.url).pathname;
  // Port 1 refuses: the process never gets online, takes 50 messages and is killed without a farewell.
  await writeFile(
    child,
    `import { createSession } from "${root}src/xmpp/session.ts";
     import { createOutboxStore, openOutboxDatabase } from "${root}src/store/outbox.ts";
     import { systemClock as clock } from "${root}src/base/clock.ts";
     import { silentLog as log } from "${root}src/base/log.ts";
     import { element } from "${root}src/xmpp/xml/element.ts";
     const none = () => {};
     const outbox = createOutboxStore(openOutboxDatabase(${JSON.stringify(file)}, log));
     const credentials = { load: () => undefined, save: none };
     const session = createSession({ domain: "isthmus.localhost", host: "127.0.0.1", port: 1, tls: "direct", credentials },
       { iq: none, message: none, presence: none }, { clock, log, outbox });
     session.run(new AbortController().signal);
     for (let n = 0; n < 50; n++) session.send(element("message", "jabber:client", { to: "owner@${domain}", type: "chat" },
       [element("body", "jabber:client", {}, ["message " + n])]));
     setTimeout(() => process.kill(process.pid, "SIGKILL"), 100);`,
  );
  await expect(promisify(execFile)(process.execPath, [child])).rejects.toMatchObject({ signal: "SIGKILL" });
  const database = openOutboxDatabase(file, silentLog);
  const store = createOutboxStore(database);
  expect(store.load()).toHaveLength(50);
  {
    await using owner = startPeer(at({ user: "owner" }));
    await owner.session.whenOnline(forever);
    await using edge = startPeer(at({ user: "edge", outbox: store }));
    await until("all at the owner", () => owner.messages.length >= 50);
    expect(bodies(owner.messages)).toEqual(numbers(0, 50));
    await until("all acknowledged", () => edge.session.state().messagesWaiting === 0);
  }
  expect(store.load()).toEqual([]);
  database.close();
});

it("XEP-0198: what was heard before a farewell is not delivered again to the next session", async () => {
  await using edge = startPeer(at({ user: "edge" }));
  await edge.session.whenOnline(forever);
  for (let round = 0; round < 5; round++) {
    await using owner = startPeer(at({ user: "owner" }));
    await owner.session.whenOnline(forever);
    for (const one of numbers(0, 20)) edge.session.send(text(`owner@${domain}`, one));
    await until("all at the owner", () => owner.messages.length >= 20);
    expect(bodies(owner.messages)).toEqual(numbers(0, 20));
  }
});

it("PRES-REP-01: an answer from somebody else, and one with another id, is none", async () => {
  await using owner = startPeer(at({ user: "owner" }));
  await using edge = startPeer(
    at({
      user: "edge",
      // Third answers in edge's place: same id, but the broker stamps the true sender.
      answer: iq => {
        const { id, from } = iq.attrs;
        third.session.send(
          element("iq", "jabber:client", { type: "result", id, to: from }, [element("forged", "urn:test")]),
        );
        return element("iq", "jabber:client", { type: "result", id: "another", to: from });
      },
    }),
  );
  await using third = startPeer(at({ user: "third", answer: echo }));
  await Promise.all([owner, edge, third].map(one => one.session.whenOnline(forever)));
  const asked = owner.session.request("get", edge.session.jid, element("q", "urn:test"), { timeoutMs: 500 });
  await expect(asked).rejects.toThrow(/no answer within 500 ms/);
  expect(owner.session.state().answersDropped).toBe(2);
});
