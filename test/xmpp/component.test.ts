// The component against a real Prosody: handshake, traffic both ways, a second instance, a wrong secret, a lost broker.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { type Element, element, firstElement } from "#xml/element.ts";
import { type Component, type ComponentOptions, ComponentRefused, createComponent } from "#xmpp/component.ts";
import { componentNs } from "#xmpp/stanza.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { bodies, forever, type Peer, startPeer, text, until } from "../support/xmpp-peer.ts";

const domain = "isthmus.localhost";
const jid = `registry.${domain}`;
let home: string;
let authority: Authority;
let prosody: Prosody;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "isthmus-component-"));
  authority = await createAuthority(`${home}/ca`, clock, forever);
  prosody = await startProsody({
    folder: `${home}/prosody`,
    domain,
    certificate: await authority.issue({ hosts: [domain] }),
    clock,
    signal: forever,
    users: [{ name: "owner", password: "secret" }],
    components: [{ jid, secret: "s3cret" }],
  });
});
afterAll(async () => {
  await prosody?.stop();
  await rm(home, { recursive: true });
});

interface Started extends AsyncDisposable {
  readonly component: Component;
  readonly messages: Element[];
  readonly logged: LogEvent[];
  readonly offlines: string[];
  readonly running: Promise<void>;
}

function startComponent(options: Partial<ComponentOptions> = {}): Started {
  const stop = new AbortController();
  const messages: Element[] = [];
  const logged: LogEvent[] = [];
  const offlines: string[] = [];
  const component: Component = createComponent(
    { host: "127.0.0.1", port: prosody.ports.component, jid, secret: "s3cret", reconnectFirstMs: 50, ...options },
    {
      iq(stanza) {
        expect(stanza.ns).toBe(componentNs);
        const { id, from, to } = stanza.attrs;
        const payload = firstElement(stanza);
        component.send(
          element("iq", componentNs, { type: "result", id, to: from, from: to }, payload ? [payload] : []),
        );
      },
      message: stanza => void messages.push(stanza),
      presence: () => {},
      offline: reason => void offlines.push(reason),
    },
    { clock, log: createLog(event => void logged.push(event)) },
  );
  const running = component.run(stop.signal);
  running.catch(() => {});
  return {
    component,
    messages,
    logged,
    offlines,
    running,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running.catch(() => {});
    },
  };
}

const startOwner = async (): Promise<Peer> => {
  const owner = startPeer({
    domain,
    ca: [authority.ca],
    host: "127.0.0.1",
    port: prosody.ports.tls,
    tls: "direct",
    user: "owner",
  });
  await owner.session.whenOnline(forever);
  return owner;
};

it("PRES-CMP-01, PRES-CMP-03: questions and messages both ways, from the component's own address", async () => {
  await using owner = await startOwner();
  await using registry = startComponent();
  await until("online", () => registry.component.online);
  const answer = await owner.session.request("get", jid, element("q", "urn:test", { n: "1" }));
  expect(answer?.attrs.n).toBe("1");
  const asked = await registry.component.request("get", owner.session.jid, element("q", "urn:test", { n: "2" }));
  expect(asked).toBeUndefined();
  expect(owner.iqs.at(-1)?.attrs.from).toBe(jid);
  const asThing = registry.component.request("get", owner.session.jid, element("q", "urn:test"), { from: `a@${jid}` });
  await asThing;
  expect(owner.iqs.at(-1)?.attrs.from).toBe(`a@${jid}`);
  // Written for clients by code that both share.
  registry.component.send(text(owner.session.jid, "Grüße"));
  await until("the message arrived", () => owner.messages.length > 0);
  expect(bodies(owner.messages)).toEqual(["Grüße"]);
  expect(owner.messages[0]?.attrs.from).toBe(jid);
  owner.session.send(text(jid, "zurück"));
  await until("the message arrived", () => registry.messages.length > 0);
  expect(registry.messages[0]?.ns).toBe(componentNs);
});

it("a silent broker is asked by a ping that passes through it; half-open links are given up", async () => {
  await using proxy = await startTcpProxy({ targetPort: prosody.ports.component });
  await using registry = startComponent({ port: proxy.port, pingMs: 150, pingAnswerMs: 200 });
  await until("online", () => registry.component.online);
  await clock.sleep(800, forever);
  expect(registry.offlines).toEqual([]);
  proxy.stall();
  await until("given up", () => registry.offlines.length === 1);
  expect(registry.offlines[0]).toMatch(/has not answered/);
});

it("messages wait for a broker that is away, in order and no more than bounded", async () => {
  await using owner = await startOwner();
  await using proxy = await startTcpProxy({ targetPort: prosody.ports.component });
  await using registry = startComponent({ port: proxy.port });
  await until("online", () => registry.component.online);
  proxy.refuse();
  proxy.cut();
  await until("offline", () => registry.offlines.length > 0);
  const sent = Array.from({ length: 40 }, (_, index) => String(index));
  for (const one of sent) registry.component.send(text(owner.session.jid, one));
  await expect(registry.component.request("get", owner.session.jid, element("q", "urn:test"))).rejects.toThrow(
    /no connection to the broker/,
  );
  proxy.pass();
  await until("all arrived", () => owner.messages.length >= sent.length);
  expect(bodies(owner.messages)).toEqual(sent);
});

it("PRES-CMP-01: a second instance stops with a sentence, the first goes on", async () => {
  await using first = startComponent();
  await until("online", () => first.component.online);
  await using second = startComponent();
  await expect(second.running).rejects.toThrow(ComponentRefused);
  await expect(second.running).rejects.toThrow(/another process is connected/);
  expect(first.offlines).toEqual([]);
});

it("a wrong secret and an unknown name stop with a sentence; no broker is waited for", async () => {
  await using wrong = startComponent({ secret: "guess" });
  await expect(wrong.running).rejects.toThrow(/does not accept the secret/);
  await using unknown = startComponent({ jid: `other.${domain}` });
  await expect(unknown.running).rejects.toThrow(ComponentRefused);
  await using nobody = startComponent({ port: 1 });
  await until("told", () => nobody.logged.some(one => one.event === "component-offline"));
  expect(nobody.logged[0]?.facts.reason).toMatch(/refused the connection/);
});
