// Hearing of software over a real broker: the service is a component of it, with subscriptions and packages of its own.

import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import * as disco from "#iot/disco.wire.ts";
import { namespace, namespaces, preferred } from "#iot/generations.ts";
import { createSoftware, type Software } from "#iot/software.ts";
import * as wire from "#iot/software.wire.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Prosody, startProsody } from "#lab/prosody.ts";
import { type Element, element } from "#xml/element.ts";
import { type Component, createComponent } from "#xmpp/component.ts";
import { discover } from "#xmpp/disco.ts";
import { createRouter, type Route, route } from "#xmpp/router.ts";
import { createSession, type Session } from "#xmpp/session.ts";
import { clientNs, componentNs, StanzaError } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../../lab/scene.ts";

const domain = "isthmus.localhost";
const serviceJid = `software.${domain}`;
const secret = "s".repeat(32);
const password = "a secret of its own";
const stop = new AbortController();
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let prosody: Prosody;
let ca: string;
let service: Awaited<ReturnType<typeof startService>>;

const info = (published: number, fileName = "isthmus.pkg"): wire.PackageInfo => ({
  fileName,
  signature: "MEQCIB1n",
  published,
  supersedes: undefined,
  created: 1_000,
  url: "https://pkg.example/isthmus.pkg",
  bytes: 10,
});

/** SWU-SRV: subscriptions by bare JID, idempotent; answers and notices in the generation of the request. */
async function startService(port: number) {
  const packages = new Map<string, wire.PackageInfo>();
  const subscribers = new Map<string, string>();
  const asked: string[] = [];
  const bound = Promise.withResolvers<void>();
  const routes = namespaces("softwareUpdates").flatMap((ns): Route[] => [
    route(
      ["set"],
      ns,
      wire.subscribe,
      async ({ fileName }, { fromBare }) => {
        asked.push(`subscribe ${fileName}`);
        subscribers.set(`${fromBare} ${fileName}`, ns);
        return undefined;
      },
      "anyone",
    ),
    route(
      ["get"],
      ns,
      wire.getPackageInfo,
      async ({ fileName }) => {
        asked.push(`getPackageInfo ${fileName}`);
        const found = packages.get(fileName);
        if (found === undefined) throw new StanzaError("cancel", "item-not-found");
        return wire.packageInfo.encode(found, ns);
      },
      "anyone",
    ),
  ]);
  const about = route(
    ["get"],
    disco.infoNs,
    disco.info,
    async () =>
      disco.info.encode(
        {
          node: undefined,
          identities: [{ category: "component", type: "generic", name: "software" }],
          features: namespaces("softwareUpdates"),
        },
        disco.infoNs,
      ),
    "anyone",
  );
  const router = createRouter({
    routes: [...routes, about],
    messages: [],
    gate: () => true,
    reply: stanza => component.send(stanza),
    clock,
    log: createLog(() => {}),
    signal: stop.signal,
    concurrentMax: 100,
    replayMs: 1,
    replaysMax: 1,
  });
  const component: Component = createComponent(
    { host: "127.0.0.1", port, jid: serviceJid, secret },
    { iq: stanza => void router.iq(stanza), message() {}, presence() {}, online: () => bound.resolve() },
    { clock, log: createLog(() => {}) },
  );
  void component.run(stop.signal);
  await bound.promise;
  const tell = (payload: (ns: string) => Element, from = serviceJid) => {
    for (const [key, ns] of subscribers) {
      const to = key.split(" ")[0] as string;
      component.send(element("message", componentNs, { to, from }, [payload(ns)]));
    }
  };
  return { packages, subscribers, asked, tell };
}

beforeAll(async () => {
  home = await temporaryFolder();
  const authority = await createAuthority(`${home.path}/ca`, clock, forever);
  ca = authority.ca;
  prosody = await startProsody({
    folder: `${home.path}/prosody`,
    domain,
    certificate: await authority.issue({ hosts: [domain, "localhost"] }),
    clock,
    signal: forever,
    components: [{ jid: serviceJid, secret }],
    users: ["gw", "eve"].map(name => ({ name, password })),
  });
  service = await startService(prosody.ports.component);
});
afterAll(async () => {
  stop.abort();
  await prosody?.stop();
  await home?.[Symbol.asyncDispose]();
});

interface Appliance {
  readonly session: Session;
  readonly told: wire.PackageInfo[];
  readonly deleted: wire.PackageInfo[];
  readonly events: LogEvent[];
  close(): Promise<void>;
}

async function connect(account: string): Promise<Appliance> {
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  const ending = new AbortController();
  const told: wire.PackageInfo[] = [];
  const deleted: wire.PackageInfo[] = [];
  const late: { software?: Software } = {};
  const session = createSession(
    {
      domain,
      host: "127.0.0.1",
      port: prosody.ports.tls,
      tls: "direct",
      ca: [ca],
      credentials: { load: () => ({ username: account, password }), save: () => {} },
    },
    {
      iq() {},
      message: stanza => void router.message(stanza),
      presence() {},
      online() {
        session.send(element("presence", clientNs));
        late.software?.online();
      },
    },
    { clock, log },
  );
  const software = createSoftware({
    connection: session,
    fileName: "isthmus.pkg",
    told: one => told.push(one),
    deleted: one => deleted.push(one),
    log,
    signal: ending.signal,
  });
  late.software = software;
  const router = createRouter({
    routes: [],
    messages: software.messages,
    gate: () => false,
    reply: stanza => session.send(stanza),
    clock,
    log,
    signal: ending.signal,
    concurrentMax: 10,
    replayMs: 1,
    replaysMax: 1,
  });
  const running = session.run(ending.signal);
  await session.whenOnline(forever);
  const { software: found } = await discover(session, domain, log, forever);
  if (found !== undefined) {
    const generation = preferred("softwareUpdates", found.features);
    if (generation !== undefined) software.serviceFound({ jid: found.jid, generation });
  }
  return {
    session,
    told,
    deleted,
    events,
    async close() {
      ending.abort();
      await running;
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  const end = clock.monotonic() + 10_000;
  while (!holds()) {
    if (clock.monotonic() > end) throw new Error("never");
    await clock.sleep(20, forever);
  }
}

it("SWU-CLI-01, SWU-CLI-09, SWU-SRV-02: found by disco, subscribed to in nf, and asked for what was missed, at every log-in", async () => {
  service.packages.set("isthmus.pkg", info(2_000));
  const first = await connect("gw");
  await until(() => first.told.length === 1);
  expect(first.told[0]?.published).toBe(2_000);
  expect(service.asked).toEqual(["subscribe isthmus.pkg", "getPackageInfo isthmus.pkg"]);
  expect([...service.subscribers]).toEqual([[`gw@${domain} isthmus.pkg`, namespace("softwareUpdates", "nf")]]);
  await first.close();
  service.packages.set("isthmus.pkg", info(3_000));
  const second = await connect("gw");
  await until(() => second.told.length === 1);
  expect(second.told[0]?.published).toBe(3_000);
  expect(service.subscribers.size).toBe(1);
  await second.close();
});

it("SWU-CLI-01, SWU-SRV-01, SWU-SRV-03: notices are understood in every generation, of our package alone", async () => {
  const { told, deleted, close } = await connect("gw");
  await until(() => told.length === 1);
  for (const ns of namespaces("softwareUpdates")) service.tell(() => wire.packageInfo.encode(info(4_000), ns));
  service.tell(ns => wire.packageInfo.encode(info(5_000, "other.pkg"), ns));
  service.tell(ns => wire.packageDeleted.encode(info(4_000), ns));
  await until(() => deleted.length === 1);
  expect(told.map(one => one.published)).toEqual([3_000, 4_000, 4_000, 4_000]);
  await close();
});

it("SWU-CLI-02: nobody but the service chooses where our software comes from", async () => {
  const appliance = await connect("gw");
  const eve = await connect("eve");
  await until(() => appliance.told.length === 1);
  const forged = wire.packageInfo.encode(info(9_000), namespace("softwareUpdates", "nf"));
  eve.session.send(element("message", clientNs, { to: appliance.session.jid }, [forged]));
  service.tell(ns => wire.packageInfo.encode(info(9_500), ns), `imposter@${serviceJid}`);
  await until(() => appliance.events.filter(one => one.event === "SpoofedStanza").length === 2);
  expect(appliance.told).toHaveLength(1);
  await eve.close();
  await appliance.close();
});

it("SWU-SRV-04, SWU-CLI-09: no such package yet is no fault; the notice comes when there is", async () => {
  service.packages.clear();
  const { told, events, close } = await connect("gw");
  await until(() => service.asked.at(-1) === "getPackageInfo isthmus.pkg");
  service.tell(ns => wire.packageInfo.encode(info(6_000), ns));
  await until(() => told.length === 1);
  expect(events.filter(one => one.event === "software-service-silent")).toEqual([]);
  await close();
});
