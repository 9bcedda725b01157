// What goes away and comes back: registry, link, broker, the appliance itself in the middle of its work; and what never was
// right: certificates, passwords, ports. Each time it comes back by itself, or says in a sentence what is wrong, and waits.

import { readFileSync } from "node:fs";
import { createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import type { Program } from "#cli/demo/programs.ts";
import type { Status } from "#cli/status-text.ts";
import { parseNode } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import { createAuthority } from "#lab/certificates.ts";
import { type Element, elements } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { forever } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";
import {
  applianceWith,
  domain,
  found,
  type House,
  ownerIn,
  startHouse,
  statusIn,
  uriOf,
  writeBoot,
  writeText,
} from "./house.ts";

const sd = namespace("sensorData", "nf");
const meter = (id: string, settings = {}) => ({ type: "sim.meter", id, settings: { fields: 5, ...settings } });
const site = JSON.stringify({
  nodes: [
    { type: "sim.line", id: "attic", nodes: [meter("heat-3"), meter("water-7")] },
    { type: "sim.line", id: "cellar", nodes: [meter("slow", { latencyMs: 1_200, timeoutMs: 5_000 })] },
  ],
});

let house: House;
let owner: Client;
let hand: Peer;
beforeAll(async () => {
  house = await startHouse({ site, people: ["owner", "edge"] });
  owner = await house.client("owner");
  hand = await house.peer("owner");
}, 60_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
});

const appliance = async () => (await house.status()).connection.jid;
const bare = async () => (await appliance()).split("/")[0] as string;
const isOnline = () => house.statusWhere("online", one => one.connection.phase === "online", 30_000);

async function readHeat(): Promise<number> {
  const to = await owner.appliance(forever, await bare());
  for await (const one of owner.things.read(to, [parseNode("heat-3@attic")], {}, AbortSignal.timeout(5_000)))
    if (one.kind === "reading") return one.fields.length;
  throw new Error("no reading came");
}
const readsAgain = () => found("a reading", async () => ((await readHeat()) === 5 ? true : undefined), 30_000);

const startSlow = async (id: string) => {
  const nodes = "<nd id='slow' src='MeteringTopology' pt='cellar'/>";
  const answer = await hand.session.request(
    "get",
    await appliance(),
    parse(`<req xmlns='${sd}' id='${id}' m='true'>${nodes}</req>`),
  );
  expect(answer?.name).toBe("started");
};
const endOf = (id: string) =>
  found(`the end of ${id}`, async () =>
    hand.messages
      .flatMap(elements)
      .find((one: Element) => one.name === "resp" && one.attrs.id === id && one.attrs.more !== "true"),
  );

const waits = ({ connection }: Status) => (connection as unknown as { messagesWaiting: number }).messagesWaiting > 0;

/** Owners, rules and nodes; what may not change by any outage. */
const kept = () => [house.rows("things"), house.rows("nodes")].join("\n");

describe("what goes away and comes back", () => {
  it("an appliance at its first start without a registry is online, and registers when the registry appears", async () => {
    await house.edge.start();
    const alone = await isOnline();
    expect(alone).toMatchObject({ registry: "", provisioning: "" });
    expect(alone.nodes.filter(({ thing }) => thing).every(({ thing }) => thing?.state === "unregistered")).toBe(true);
    await house.registry.start();
    const status = await house.statusWhere(
      "all registered",
      ({ nodes }) => nodes.every(({ thing }) => thing === undefined || thing.uri !== undefined),
      30_000,
    );
    for (const node of ["", "heat-3"]) await owner.owner.claim(uriOf(status, node), true, forever);
    await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined && ownerIn(one, "heat-3") !== undefined);
    expect(await readHeat()).toBe(5);
    // What a meter offers is learned from its values, and told to the registry: the last of what is compared below.
    await found("what the meter offers, told", async () => (kept().includes("_hi_sensor_") ? true : undefined));
  }, 90_000);

  it("the link is cut in the middle of a readout: what was read meanwhile arrives, on the same session", async () => {
    const before = await appliance();
    await startSlow("cut");
    house.line.refuse();
    house.line.cut();
    const away = await house.statusWhere("offline", one => one.connection.phase !== "online");
    expect(away.connection.reason).not.toBe("");
    await house.statusWhere("a message waits", waits);
    house.line.pass();
    await endOf("cut");
    expect(await appliance()).toBe(before);
    expect(await readHeat()).toBe(5);
  }, 60_000);

  it("the broker is stopped and started: the appliance is back by itself, with owner, rules and nodes as before", async () => {
    const before = kept();
    await house.prosody.stop();
    const away = await house.statusWhere("offline", one => one.connection.phase !== "online");
    expect(away.connection.reason).toMatch(/\w+ \w+/);
    await house.prosody.restart();
    await isOnline();
    await readsAgain();
    expect(kept()).toBe(before);
  }, 90_000);

  it("the broker is killed (-9) in the middle of a readout: what the appliance had to say is said afterwards", async () => {
    await startSlow("power-cut");
    // Not stopped: it would still say that the asker has left, and then there is nobody to tell.
    await house.prosody.kill();
    await house.statusWhere("a message waits", waits);
    const sessions = hand.onlines.length;
    // The asker is back before the appliance: what is meant for the session he had reaches the one he has.
    house.line.refuse();
    await house.prosody.restart();
    await found("the asker", async () => (hand.onlines.length > sessions ? true : undefined));
    house.line.pass();
    await endOf("power-cut");
    await isOnline();
    await readsAgain();
  }, 90_000);

  it("the appliance is killed (-9) in the middle of a readout: nothing is torn, and it works again", async () => {
    const before = kept();
    await startSlow("killed");
    await house.edge.kill();
    await house.edge.start();
    await isOnline();
    await readsAgain();
    // The last second of values may be lost, and what the meter offers is learned again.
    await found("all as it was", async () => (kept() === before ? true : undefined));
    expect(hand.messages.flatMap(elements).filter(one => one.attrs.id === "killed" && one.name === "resp")).toEqual([]);
  }, 90_000);

  it.for([200, 800])(
    "a client whose readout is cut short by the appliance's end after %i ms is told at once",
    async afterMs => {
      // By now it is known where the appliance is, whatever the broker still says of the one that was killed.
      await readsAgain();
      const to = await owner.appliance(forever, await bare());
      const reading = (async () => {
        const seen: string[] = [];
        for await (const one of owner.things.read(to, [parseNode("slow@cellar")], {}, forever)) seen.push(one.kind);
        return seen;
      })();
      const outcome = reading.then(String, (error: Error) => error.message);
      await clock.sleep(afterMs, forever);
      await house.edge.stop();
      const told = await Promise.race([outcome, clock.sleep(5_000, forever).then(() => "it waits")]);
      await house.edge.start();
      await isOnline();
      expect(told).toBe("recipient-unavailable: it went offline in the middle of the readout");
    },
  );

  it("a second appliance on the same data folder is refused with a sentence, and the first goes on", async () => {
    const second = applianceWith(house.edgeConfig);
    const said = await second.start().then(
      () => "started",
      (error: Error) => error.message,
    );
    await second.stop();
    expect(said).toMatch(/exit code 1\n.*edge is in use by another appliance that is running: stop it, or give/s);
    await readsAgain();
  }, 60_000);
});

describe("what never was right is said in a sentence, and not tried in a hurry", () => {
  interface Case {
    readonly name: string;
    readonly boot: (folder: string) => Promise<Record<string, unknown>>;
    readonly reason: RegExp;
    /** Connections seen by the other side. */
    readonly attempts: () => number;
    readonly slow?: true;
  }
  const closing = new AsyncDisposableStack();
  let count = { expired: 0, host: 0, http: 0 };
  const logins = 0;

  /** A TLS server with that certificate; the port. */
  async function tlsServer(hosts: string[], expired: boolean, seen: () => void): Promise<number> {
    const { certificatePath, keyPath } = await house.authority.issue({ hosts, expired });
    const server = createTlsServer({ cert: readFileSync(certificatePath), key: readFileSync(keyPath) });
    server.on("tlsClientError", () => {}).on("connection", seen);
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    closing.defer(() => void server.close());
    return (server.address() as { port: number }).port;
  }

  const cases: readonly Case[] = [
    {
      name: "a certificate of another authority",
      boot: async folder => ({
        caFile: (await createAuthority(join(folder, "stranger"), clock, forever)).caPath,
        port: house.prosody.ports.tls,
      }),
      reason: /was issued by an authority this machine does not trust \(Isthmus laboratory\)/,
      attempts: () => 0,
    },
    {
      name: "a certificate that has expired",
      boot: async () => ({ port: await tlsServer([domain], true, () => count.expired++) }),
      reason: /the certificate of 127\.0\.0\.1:\d+ expired 20.*; this machine's clock says 20/,
      attempts: () => count.expired,
    },
    {
      name: "a certificate for another host",
      boot: async () => ({ port: await tlsServer(["another.localhost"], false, () => count.host++) }),
      reason: /is not for house\.localhost but for DNS:another\.localhost/,
      attempts: () => count.host,
    },
    {
      name: "a port that is something else's",
      boot: async () => {
        const server = createTcpServer(socket => {
          count.http++;
          socket.on("error", () => {}).on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
        });
        await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
        closing.defer(() => void server.close());
        return { port: (server.address() as { port: number }).port };
      },
      reason: /does not speak TLS from the first byte/,
      attempts: () => count.http,
    },
    {
      name: "a port on which nobody listens",
      boot: async () => ({ port: 1 }),
      reason: /127\.0\.0\.1:1 refused the connection: no broker listens there/,
      attempts: () => 0,
    },
    {
      name: "a wrong password",
      boot: async folder => ({
        account: "edge",
        passwordFile: writeText(folder, "wrong-password", "not the password\n"),
        port: house.prosody.ports.tls,
      }),
      reason: /does not accept this user name and password/,
      attempts: () => logins,
      slow: true,
    },
  ];
  const programs: Program[] = [];

  beforeAll(async () => {
    count = { expired: 0, host: 0, http: 0 };
    for (const [at, one] of cases.entries()) {
      const boot = await one.boot(house.folder);
      const base = { host: "127.0.0.1", caFile: house.authority.caPath, dataFolder: `wrong-${at}` };
      programs.push(closing.use(applianceWith(writeBoot(house.folder, `wrong-${at}`, { ...base, ...boot }))));
    }
    await Promise.all(programs.map(one => one.start()));
  }, 60_000);
  afterAll(() => closing.disposeAsync());

  it.for(cases.map((one, at) => ({ ...one, at })))("$name", async ({ at, reason, attempts, slow }) => {
    const folder = join(house.folder, `wrong-${at}`);
    const status = await found("a reason", async () => {
      const now = await statusIn(folder);
      return now.connection.reason !== "" && now.connection.reason !== "not started" ? now : undefined;
    });
    expect(status.connection.reason).toMatch(reason);
    expect(status.connection.phase).not.toBe("online");
    // Waiting grows from a second; with a password that is refused it is minutes at once. It is said once, however often it is
    // tried: the same every minute for years fills the disk.
    const waits = () =>
      [...(programs[at] as Program).output().matchAll(/xmpp-offline .*nextMs=(\d+)/g)].map(one => Number(one[1]));
    await found("a wait", async () => (waits().length >= 1 ? true : undefined));
    if (attempts() > 0) await found("two attempts", async () => (attempts() >= 2 ? true : undefined));
    if (slow) expect(waits()[0]).toBeGreaterThanOrEqual(300_000);
    else expect(waits()[0]).toBeGreaterThanOrEqual(500);
    expect(waits()).toHaveLength(1);
    expect((programs[at] as Program).output()).not.toContain("not the password");
  });
});
