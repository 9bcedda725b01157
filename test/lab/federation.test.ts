// Two servers of the lab that talk to each other: encrypted, each with a certificate the other verifies, and with nobody else.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Broker, StartBroker } from "#lab/broker.ts";
import { type Authority, createAuthority } from "#lab/certificates.ts";
import { startEjabberd } from "#lab/ejabberd.ts";
import { freePorts } from "#lab/ports.ts";
import { startProsody } from "#lab/prosody.ts";
import { element } from "#xml/element.ts";
import { startPeer } from "../support/xmpp-peer.ts";
import { forever, temporaryFolder } from "./scene.ts";

const [hub, city, nowhere] = ["hub.localhost", "city.localhost", "nowhere.localhost"] as const;
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: Authority;
let stranger: Authority;

beforeAll(async () => {
  home = await temporaryFolder();
  authority = await createAuthority(`${home.path}/ca`, clock, forever);
  stranger = await createAuthority(`${home.path}/stranger`, clock, forever);
});
afterAll(() => home[Symbol.asyncDispose]());

async function server(
  start: StartBroker,
  domain: string,
  ports: Readonly<Record<string, number>>,
  issuer = authority,
): Promise<Broker> {
  return await start({
    folder: `${home.path}/${domain}-${ports[domain]}`,
    domain,
    certificate: await issuer.issue({ hosts: [domain] }),
    clock,
    signal: forever,
    users: [{ name: "ana", password: "secret" }],
    servers: { port: ports[domain] as number, peers: ports, caPath: authority.caPath },
  });
}

const ping = async (from: Broker, to: string): Promise<string> => {
  await using peer = startPeer({
    domain: from.domain,
    host: "127.0.0.1",
    port: from.ports.tls,
    tls: "direct",
    ca: [authority.ca, stranger.ca],
    user: "ana",
  });
  await peer.session.whenOnline(forever);
  const asking = peer.session.request("get", to, element("ping", "urn:xmpp:ping"), { timeoutMs: 60_000 });
  return await asking.then(
    () => "answered",
    error => error.condition,
  );
};

async function portsFor(...domains: string[]): Promise<Record<string, number>> {
  const ports = await freePorts(domains.length);
  return Object.fromEntries(domains.map((domain, at) => [domain, ports[at] as number]));
}

describe("Prosody and Prosody", () => {
  test("talk over verified streams, and a server that is not there is said to be so", async () => {
    const ports = await portsFor(hub, city);
    await using one = await server(startProsody, hub, ports);
    await using other = await server(startProsody, city, ports);
    expect(await ping(one, city)).toBe("answered");
    expect(await ping(other, hub)).toBe("answered");
    expect(await ping(one, nowhere)).toBe("remote-server-not-found");
    await other.stop();
    expect(await ping(one, city)).toMatch(/^remote-server-/);
  });

  test("whose certificate nobody vouches for is not talked to, from either side", async () => {
    const ports = await portsFor(hub, city);
    await using one = await server(startProsody, hub, ports);
    await using forger = await server(startProsody, city, ports, stranger);
    expect(await ping(one, city)).toMatch(/^remote-server-/);
    expect(await ping(forger, hub)).toMatch(/^remote-server-/);
  });
});

test("Prosody and ejabberd talk over verified streams, and ejabberd refuses a forger too", async () => {
  const forged = "forged.localhost";
  const ports = await portsFor(hub, city, forged);
  await using one = await server(startProsody, hub, ports);
  await using other = await server(startEjabberd, city, ports);
  await using forger = await server(startProsody, forged, ports, stranger);
  expect(await ping(one, city)).toBe("answered");
  expect(await ping(other, hub)).toBe("answered");
  expect(await ping(other, forged)).toMatch(/^remote-server-/);
  expect(await ping(forger, city)).toMatch(/^remote-server-/);
}, 60_000);
