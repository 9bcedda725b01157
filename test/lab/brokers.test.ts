// The real brokers of the lab: they start, serve over verified TLS, keep their data over a restart and leave nothing.

import { createServer } from "node:net";
import { join } from "node:path";
import { connect as connectMqtt } from "mqtt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { type Authority, type Certificate, createAuthority } from "#lab/certificates.ts";
import { startEjabberd } from "#lab/ejabberd.ts";
import { startMosquitto } from "#lab/mosquitto.ts";
import { freePort } from "#lab/ports.ts";
import { startProsody } from "#lab/prosody.ts";
import { handshake, isAlive, forever as signal, temporaryFolder } from "./scene.ts";
import { xmppTalk } from "./xmpp-talk.ts";

const domain = "isthmus.localhost";
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: Authority;
let stranger: Authority;
let certificate: Certificate;

beforeAll(async () => {
  home = await temporaryFolder();
  authority = await createAuthority(`${home.path}/ca`, clock, signal);
  stranger = await createAuthority(`${home.path}/stranger`, clock, signal);
  certificate = await authority.issue({ hosts: [domain, "localhost"] });
});
afterAll(() => home[Symbol.asyncDispose]());

describe("Prosody", () => {
  test("serves clients over verified TLS, lists its components, and is the same after a restart", async () => {
    await using folder = await temporaryFolder();
    await using prosody = await startProsody({
      folder: folder.path,
      domain,
      certificate,
      clock,
      signal,
      users: [{ name: "owner", password: 'one\'s "own" secret' }],
      components: [
        { jid: `registry.${domain}`, secret: "s1" },
        { jid: "elsewhere.localhost", secret: "s2" },
      ],
    });
    await handshake(prosody.ports.tls, authority.ca, domain);
    await expect(handshake(prosody.ports.tls, stranger.ca, domain)).rejects.toThrow();
    const talk = () => xmppTalk(prosody.ports.tls, authority.ca, domain);
    const items = await (await talk()).login(
      "owner",
      'one\'s "own" secret',
      "<query xmlns='http://jabber.org/protocol/disco#items'/>",
    );
    expect(items).toContain(`registry.${domain}`);
    expect(items).toContain("elsewhere.localhost");
    await prosody.register("late", "pw");
    const first = prosody.pid();
    await prosody.restart();
    expect(prosody.pid()).not.toBe(first);
    expect(isAlive(first)).toBe(false);
    expect(
      await (await talk()).login("late", "pw", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    ).toContain("type='result'");
    await prosody.kill();
    await prosody.restart();
    await prosody.removeUser("late");
    expect(await (await talk()).login("late", "pw", "")).toContain("not-authorized");
    await prosody.stop();
    expect(isAlive(prosody.pid())).toBe(false);
    await prosody.stop();
  });

  test("offers registration and SCRAM-SHA-256 when told to, and nothing before TLS", async () => {
    await using folder = await temporaryFolder();
    await using prosody = await startProsody({
      folder: folder.path,
      domain,
      certificate,
      clock,
      signal,
      registration: true,
      passwordHash: "SHA-256",
      pep: true,
      clientRate: "50kb/s",
    });
    const features = (await xmppTalk(prosody.ports.tls, authority.ca, domain)).features;
    expect(features).toContain("http://jabber.org/features/iq-register");
    expect(features).toContain("SCRAM-SHA-256");
    expect(features).not.toContain("SCRAM-SHA-1<");
    const clear = (await xmppTalk(prosody.ports.c2s, undefined, domain)).features;
    expect(clear).toContain("<starttls");
    expect(clear).toContain("<required/>");
    expect(clear).not.toContain("mechanism");
  });

  test("a port that is taken is a sentence, and a broken configuration is reported in Prosody's words", async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    const squatter = createServer();
    await new Promise<void>(resolve => squatter.listen(port, "127.0.0.1", resolve));
    const common = { folder: folder.path, domain, certificate, clock, signal };
    await expect(startProsody({ ...common, ports: { c2s: port } })).rejects.toThrow(
      `Port ${port} (XMPP clients) is taken by another program: stop that program or choose another port.`,
    );
    await new Promise(resolve => squatter.close(resolve));
    await expect(startProsody({ ...common, extraConfig: "this is = = not Lua" })).rejects.toThrow(
      /prosody did not start: exit code 1\n.*syntax error/s,
    );
  });
});

describe("ejabberd", () => {
  test("serves clients over verified TLS, lists its components, keeps accounts over a restart, and leaves nothing", async () => {
    await using home = await temporaryFolder();
    // A path of 63 octets is none for the control socket of 24.12.
    const folder = join(home.path, "x".repeat(63 - "//control.sock".length - home.path.length));
    await using ejabberd = await startEjabberd({
      folder,
      domain,
      certificate,
      clock,
      signal,
      users: [{ name: "owner", password: 'one\'s "own" secret' }],
      components: [{ jid: `registry.${domain}`, secret: "s1" }],
      passwordHash: "SHA-256",
      registration: true,
    });
    await handshake(ejabberd.ports.tls, authority.ca, domain);
    await expect(handshake(ejabberd.ports.tls, stranger.ca, domain)).rejects.toThrow();
    const talk = () => xmppTalk(ejabberd.ports.tls, authority.ca, domain);
    const { features } = await talk();
    expect(features).toContain("SCRAM-SHA-256");
    expect(features).toContain("iq-register");
    expect((await xmppTalk(ejabberd.ports.c2s, undefined, domain)).features).not.toContain("mechanism");
    const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    expect(await (await talk()).login("owner", 'one\'s "own" secret', info)).toContain("type='result'");
    await ejabberd.register("owner", "another");
    expect(await (await talk()).login("owner", "another", info)).toContain("type='result'");
    const first = ejabberd.pid();
    await ejabberd.restart();
    expect(isAlive(first)).toBe(false);
    expect(await (await talk()).login("owner", "another", info)).toContain("type='result'");
    await ejabberd.kill();
    await ejabberd.restart();
    await ejabberd.removeUser("owner");
    expect(await (await talk()).login("owner", "another", "")).toContain("not-authorized");
    await ejabberd.stop();
    expect(isAlive(ejabberd.pid())).toBe(false);
    // It starts three times, at more than five seconds each where it is that of Debian 13.
  }, 120_000);
});

describe("mosquitto", () => {
  test("serves plain clients, keeps retained messages over a restart, and is gone when disposed", async () => {
    await using folder = await temporaryFolder();
    let pid = 0;
    {
      await using broker = await startMosquitto({ folder: folder.path, clock, signal });
      pid = broker.pid();
      const before = connectMqtt(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0 });
      await new Promise(resolve => before.publish("attic/t", "21.5", { retain: true, qos: 1 }, resolve));
      await before.endAsync(true);
      await broker.restart();
      expect(isAlive(pid)).toBe(false);
      pid = broker.pid();
      const after = connectMqtt(`mqtt://127.0.0.1:${broker.port}`, { reconnectPeriod: 0 });
      const message = new Promise<string>(resolve =>
        after.once("message", (_, payload) => resolve(payload.toString())),
      );
      await after.subscribeAsync("attic/#");
      expect(await message).toBe("21.5");
      await after.endAsync(true);
    }
    expect(isAlive(pid)).toBe(false);
  });

  test("its second listener wants TLS with our authority and a password", async () => {
    await using folder = await temporaryFolder();
    const secure = { certificate, users: [{ name: "edge", password: "pw" }] };
    await using broker = await startMosquitto({ folder: folder.path, clock, signal, secure });
    const log = (ca: string, password: string) =>
      new Promise<string>(resolve => {
        const client = connectMqtt(`mqtts://localhost:${broker.securePort}`, {
          ca,
          username: "edge",
          password,
          reconnectPeriod: 0,
        });
        client.once("connect", () => resolve("connected"));
        client.once("error", error => resolve(error.message));
      });
    expect(await log(authority.ca, "pw")).toBe("connected");
    expect(await log(authority.ca, "wrong")).toMatch(/Not authorized/);
    expect(await log(stranger.ca, "pw")).toMatch(/certificate|verify|signature/);
  });

  test("a port that is taken is a sentence", async () => {
    await using folder = await temporaryFolder();
    await using broker = await startMosquitto({ folder: folder.path, clock, signal });
    await expect(startMosquitto({ folder: folder.path, clock, signal, port: broker.port })).rejects.toThrow(
      `Port ${broker.port} (MQTT) is taken by another program`,
    );
  });
});
