// What the running appliance has to do with the other services of its broker: the pubsub service that carries its values to
// readers, the service that announces software, and the registry in which a meter is found by what it offers.

import { createSign, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import { formatValue } from "#contract/field.ts";
import { type NodeRef, parseNode } from "#contract/node.ts";
import * as disco from "#iot/discovery.wire.ts";
import { namespace } from "#iot/generations.ts";
import { placeOf } from "#iot/pubsub.ts";
import * as pubsub from "#iot/pubsub.wire.ts";
import { response } from "#iot/sensor-data.wire.ts";
import * as software from "#iot/software.wire.ts";
import { type MbusConverter, startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import { child, type Element, element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { componentNs, StanzaError } from "#xmpp/stanza.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import type { Peer } from "../support/xmpp-peer.ts";
import {
  domain,
  found,
  type House,
  ownerIn,
  type RawComponent,
  service,
  startHouse,
  uriOf,
  writeText,
} from "./house.ts";

const pubsubJid = `pubsub.${domain}`;
const updatesJid = `updates.${domain}`;
const updatesNs = namespace("softwareUpdates", "nf");
const sim = parseNode("sim-1@bench");
const heat = parseNode("heat-3@attic");
const board = parseNode("board@@Appliance");
const jidOf = (name: string) => `${name}@${domain}`;

const manufacturer = generateKeyPairSync("ec", { namedCurve: "P-256" });
const packageBytes = Buffer.from("the whole of the new software\n".repeat(2_000));
const sign = (key = manufacturer.privateKey) => createSign("sha256").update(packageBytes).sign(key, "base64");

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let converter: MbusConverter;
let house: House;
let owner: Client;
let appliance: string;
let updates: RawComponent;
const downloads: string[] = [];
const ending = new AsyncDisposableStack();
/** What the software service was asked, and what it has. */
const asked: string[] = [];
let offered: software.PackageInfo | undefined;

beforeAll(async () => {
  home = ending.use(await temporaryFolder());
  const meters = [heatMeter({ id: "30100608", primary: 3, clock }), waterMeter({ id: "41205512", primary: 6, clock })];
  converter = ending.use(await startMbusConverter(clock, meters));
  const meter = (id: string, address: string, kind: string) => ({
    type: "mbus.meter",
    id,
    settings: { address, class: kind, pollSeconds: 0 },
  });
  const site = {
    nodes: [
      {
        type: "mbus.tcp",
        id: "attic",
        settings: { host: "127.0.0.1", port: converter.port, answerMarginMs: 20 },
        nodes: [meter("heat-3", "3", "HeatMeter"), meter("water-6", "6", "WaterMeter")],
      },
      { type: "sim.line", id: "bench", nodes: [{ type: "sim.meter", id: "sim-1", settings: { fields: 10 } }] },
    ],
  };
  const publicKey = manufacturer.publicKey.export({ type: "spki", format: "pem" });
  house = ending.use(
    await startHouse({
      site: JSON.stringify(site),
      people: ["owner", "reader", "stranger", "gw"],
      components: [updatesJid],
      // Who may make places at this service is its operator's to say.
      hostConfig: `Component "${pubsubJid}" "pubsub"\nadmins = { "${jidOf("gw")}" }\n`,
      boot: {
        account: "gw",
        passwordFile: writeText(home.path, "password", "secret"),
        updatePackage: "isthmus.pkg",
        updateKeyFile: writeText(home.path, "manufacturer.pem", publicKey as string),
        updateJitterSeconds: 0,
      },
    }),
  );
  updates = await house.component(updatesJid, answerOfUpdates);
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  owner = await house.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await owner.appliance(forever, jidOf("gw"));
}, 120_000);
afterAll(() => ending.disposeAsync());

const run = (node: NodeRef, command: string, fields: Readonly<Record<string, string>> = {}) =>
  owner.commands.execute(
    appliance,
    node,
    command,
    { fields: Object.entries(fields).map(([name, value]) => ({ name, values: [value] })) },
    forever,
  );
const conditionOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "done",
    error => (error instanceof StanzaError ? error.condition : String(error)),
  );

describe("values at the pubsub service", () => {
  const place = placeOf(sim);
  const atService = (who: Peer, type: "get" | "set", payload: Element) =>
    who.session.request(type, pubsubJid, element("pubsub", pubsub.pubsubNs, {}, [payload]));
  const subscribe = (who: Peer, name: string) =>
    atService(who, "set", element("subscribe", pubsub.pubsubNs, { node: place, jid: jidOf(name) }));
  const lastItem = (who: Peer) => atService(who, "get", element("items", pubsub.pubsubNs, { node: place }));
  /** "Set Point 21.0 Cel" of each item that came from the service. */
  const setPoints = (who: Peer): string[] =>
    who.messages
      .filter(one => one.attrs.from === pubsubJid)
      .flatMap(one => child(one, "event", pubsub.eventNs) ?? [])
      .flatMap(one => pubsub.event.decode(one).items?.items ?? [])
      .flatMap(({ payload }) => (payload === undefined ? [] : response.decode(payload).nodes))
      .flatMap(({ samples }) => samples.flatMap(({ fields }) => fields))
      .flatMap(({ name, value }) => (name === "Set Point" ? [formatValue(value)] : []));
  const turnTo = async (value: number) => {
    await owner.things.set(appliance, [sim], [{ name: "Set Point", value: { kind: "double", value } }], forever);
    for await (const _ of owner.things.read(appliance, [sim], {}, forever));
  };

  let reader: Peer;
  let stranger: Peer;
  beforeAll(async () => {
    [reader, stranger] = await Promise.all([house.peer("reader"), house.peer("stranger")]);
  });

  it("PUB-GEN-01, PUB-NODE-03: nothing is there before the owner says so; then those he names are told of changes", async () => {
    await turnTo(19);
    expect(await conditionOf(subscribe(reader, "reader"))).toBe("item-not-found");
    await run(sim, "GrantRole", { jid: jidOf("reader"), role: "viewer" });
    await run(sim, "PublishValues", { readers: `${jidOf("reader")} ${jidOf("stranger")}`, minSeconds: "1" });
    await turnTo(20);
    await found("the place open", async () => (await conditionOf(subscribe(reader, "reader"))) === "done" || undefined);
    // Named, but without the right to read.
    expect(await conditionOf(subscribe(stranger, "stranger"))).not.toBe("done");
    expect(await conditionOf(lastItem(stranger))).not.toBe("done");
    await found("the value of now", async () => setPoints(reader).includes("20.0 Cel") || undefined);
    await turnTo(22.5);
    await found("the change", async () => setPoints(reader).includes("22.5 Cel") || undefined);
    expect(setPoints(stranger)).toEqual([]);
  }, 60_000);

  it("PUB-NODE-03: who loses the right to read is told no more, subscribed or not", async () => {
    await run(sim, "RevokeRole", { jid: jidOf("reader"), role: "viewer" });
    await found("shown out", async () => ((await conditionOf(lastItem(reader))) === "done" ? undefined : true));
    await turnTo(25);
    expect(await conditionOf(subscribe(reader, "reader"))).not.toBe("done");
    // The shortest interval between two items is a second.
    await clock.sleep(1_500, forever);
    expect(setPoints(reader)).not.toContain("25.0 Cel");
    await run(sim, "GrantRole", { jid: jidOf("reader"), role: "viewer" });
    await found("let in again", async () => (await conditionOf(subscribe(reader, "reader"))) === "done" || undefined);
    await found("the value of then", async () => setPoints(reader).includes("25.0 Cel") || undefined);
  }, 60_000);

  it("PUB-GEN-01: it is over when the owner says so, and nothing stays behind", async () => {
    await run(sim, "StopPublishing");
    await found("the place gone", async () => (await conditionOf(lastItem(reader))) === "item-not-found" || undefined);
    await turnTo(28);
    await clock.sleep(1_500, forever);
    expect(setPoints(reader)).not.toContain("28.0 Cel");
    expect(house.rows("publications")).toBe("[]");
  }, 60_000);
});

function answerOfUpdates(question: Element, from: string): Element | undefined {
  if (question.ns === "http://jabber.org/protocol/disco#info") {
    return parse(
      `<query xmlns='${question.ns}'><identity category='component' type='generic'/><feature var='${updatesNs}'/></query>`,
    );
  }
  if (question.ns !== updatesNs) return undefined;
  asked.push(`${question.name} ${question.attrs.fileName} ${from.split("/")[0]}`);
  if (question.name !== "getPackageInfo") return undefined;
  if (offered === undefined) throw new StanzaError("cancel", "item-not-found");
  return software.packageInfo.encode(offered, updatesNs);
}

describe("new software", () => {
  const folder = () => join(house.dataFolder, "updates");
  const tell = (codec: typeof software.packageInfo, info: software.PackageInfo, from = updates) =>
    from.component.send(
      element("message", componentNs, { from: updatesJid, to: jidOf("gw") }, [codec.encode(info, updatesNs)]),
    );
  const said = async () => {
    const { messages } = await owner.things.node(appliance, board, forever);
    return messages.filter(({ eventId }) => eventId.startsWith("update-")).map(({ type, text }) => `${type}: ${text}`);
  };
  const serve = async () => {
    const { certificatePath, keyPath } = await house.authority.issue({ hosts: ["127.0.0.1"] });
    const server = createServer(
      { cert: readFileSync(certificatePath), key: readFileSync(keyPath) },
      (request, answer) => {
        downloads.push(request.url ?? "");
        answer.end(packageBytes);
      },
    );
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    ending.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  let info: software.PackageInfo;

  it("SWU-CLI-01, SWU-CLI-09: the appliance has subscribed to its package at the service it found, and asked for it", async () => {
    await found("the questions", async () => asked.length >= 2 || undefined);
    expect(asked.slice(0, 2)).toEqual([
      `subscribe isthmus.pkg ${jidOf("gw")}`,
      `getPackageInfo isthmus.pkg ${jidOf("gw")}`,
    ]);
    expect(await said()).toEqual([]);
    info = {
      fileName: "isthmus.pkg",
      signature: sign(),
      published: Date.UTC(2026, 9, 1),
      supersedes: undefined,
      created: Date.UTC(2026, 8, 1),
      url: `https://127.0.0.1:${await serve()}/isthmus.pkg`,
      bytes: packageBytes.length,
    };
  });

  it("SWU-CLI-02: what anybody else says of it is not heard", async () => {
    const stranger = await house.peer("stranger");
    const spoofed = software.packageInfo.encode(info, updatesNs);
    stranger.session.send(element("message", "jabber:client", { to: jidOf("gw") }, [spoofed]));
    stranger.session.send(element("message", "jabber:client", { to: appliance }, [spoofed]));
    await found("its being noted", async () => /SpoofedStanza/.test(house.edge.output()) || undefined);
    expect([downloads, await said()]).toEqual([[], []]);
  });

  it("SWU-CLI-04, SWU-CLI-08: announced by the service it is downloaded, checked, kept, and its owner is told", async () => {
    tell(software.packageInfo, {
      ...info,
      signature: sign(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    });
    await found("its refusal", async () => /not the manufacturer/.test((await said()).join()) || undefined);
    expect(existsSync(join(folder(), "isthmus.pkg"))).toBe(false);
    tell(software.packageInfo, info);
    await found("it is ready", async () => (await said()).find(one => one.startsWith("Information: ")));
    expect((await said()).join()).toMatch(/The software update isthmus\.pkg of 2026-10-01 is downloaded and waits/);
    expect(readFileSync(join(folder(), "isthmus.pkg")).equals(packageBytes)).toBe(true);
    expect(downloads).toHaveLength(2);
  }, 60_000);

  it("SWU-CLI-09, -11: after a restart it is known still, subscribed to again, and not fetched again", async () => {
    offered = info;
    asked.length = 0;
    await house.edge.stop();
    await house.edge.start();
    await found("the questions again", async () => asked.length >= 2 || undefined);
    appliance = await found("the appliance", () => owner.appliance(forever, jidOf("gw")).catch(() => undefined));
    expect((await said()).join()).toMatch(/waits to be installed/);
    expect(downloads).toHaveLength(2);
  }, 60_000);

  it("SWU-CLI-10: withdrawn before it was installed it is gone", async () => {
    tell(software.packageDeleted, info);
    await found("it is gone", async () => (existsSync(join(folder(), "isthmus.pkg")) ? undefined : true));
    await found("the word taken back", async () => ((await said()).length === 0 ? true : undefined));
  });
});

describe("what a meter offers", () => {
  const registered = async (operators: string) => {
    const stranger = await house.peer("stranger");
    const answer = await stranger.session.request(
      "get",
      service,
      parse(`<search xmlns='${namespace("discovery", "nf")}' offset='0' maxCount='20'>${operators}</search>`),
    );
    return disco.found
      .decode(answer as Element)
      .things.map(({ ref }) => ref.nodeId)
      .sort();
  };
  const ofHeatMeters = "<numEq name='urn_nfi_iot_hi_meter_heat' value='1'/>";

  it("DISCO-TAG-05: is said to the registry once it is known and its owner made it public; a search finds it by that", async () => {
    expect(await registered(ofHeatMeters)).toEqual([]);
    for await (const _ of owner.things.read(appliance, [heat, parseNode("water-6@attic")], {}, forever));
    const status = await house.statusWhere("all registered", one =>
      ["heat-3", "water-6"].every(id =>
        one.nodes.some(({ ref, thing }) => ref.nodeId === id && thing?.uri !== undefined),
      ),
    );
    // Before it is claimed its tags are those of the label: it is not found.
    expect(await registered(ofHeatMeters)).toEqual([]);
    await owner.owner.claim(uriOf(status, "heat-3"), true, forever);
    await owner.owner.claim(uriOf(status, "water-6"), true, forever);
    await found("the heat meter, found by its interface", async () => (await registered(ofHeatMeters))[0]);
    expect(await registered(ofHeatMeters)).toEqual(["heat-3"]);
    const ofWater = "<numEq name='urn_nfi_iot_hi_meter_water' value='1'/>";
    expect(await found("the water meter", async () => (await registered(ofWater))[0])).toBe("water-6");
    expect(await registered(`${ofHeatMeters}<strEq name='CLASS' value='WaterMeter'/>`)).toEqual([]);
  }, 60_000);
});
