// Roles through the running appliance: given at a node by its command, used, run out and taken back. What was running in
// somebody's name ends with his role, and is not only refused the next time.

import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import { refusalOf } from "#cli/demo/story-decision.ts";
import type { QueryItem } from "#client/queries.ts";
import type { SniffedOnWire } from "#client/sniffers.ts";
import { formatValue, type Reading } from "#contract/field.ts";
import { type NodeRef, parseNode } from "#contract/node.ts";
import { namespace } from "#iot/generations.ts";
import { type MbusConverter, startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter } from "#lab/mbus-meter.ts";
import { element } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { clientNs } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { domain, found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const heat = parseNode("heat-3@attic");
const water = parseNode("water-7@attic");
const line = parseNode("attic");
const bus = parseNode("bus");
const jidOf = (name: string) => `${name}@${domain}`;

let house: House;
let converter: MbusConverter;
let owner: Client;
let appliance: string;
let bare: string;

beforeAll(async () => {
  converter = await startMbusConverter(clock, [heatMeter({ id: "30100608", primary: 3, clock })]);
  const sim = (id: string) => ({ type: "sim.meter", id, settings: { fields: 10 } });
  const settings = { host: "127.0.0.1", port: converter.port, answerMarginMs: 20 };
  const meter = { type: "mbus.meter", id: "meter", settings: { address: "3", pollSeconds: 0 } };
  const site = {
    nodes: [
      { type: "sim.line", id: "attic", nodes: [sim("heat-3"), sim("water-7")] },
      { type: "mbus.tcp", id: "bus", settings, nodes: [meter] },
    ],
  };
  house = await startHouse({ site: JSON.stringify(site), people: ["owner", "viewer", "guest", "installer"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  bare = appliance.split("/")[0] as string;
  owner = await house.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await owner.appliance(forever, bare);
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  await converter?.[Symbol.asyncDispose]();
});

const run = (who: Client, node: NodeRef, command: string, fields: Readonly<Record<string, string>>) => {
  const filled = Object.entries(fields).map(([name, value]) => ({ name, values: [value] }));
  return who.commands.execute(appliance, node, command, { fields: filled }, forever);
};
/** The person once he is let in: a role brings consent to see the appliance with it. */
const letIn = async (name: string): Promise<Client> => {
  const client = await house.client(name);
  await found(`${name} let in`, () => client.appliance(forever, bare).catch(() => undefined));
  return client;
};
const read = async (who: Client, node: NodeRef): Promise<Reading[]> => {
  const all: Reading[] = [];
  for await (const one of who.things.read(appliance, [node], {}, forever)) all.push(one);
  return all;
};
/** Somebody reads it then, and what anybody reads is what everybody else is told of. */
const turnTo = async (value: number) => {
  await owner.things.set(appliance, [heat], [{ name: "Set Point", value: { kind: "double", value } }], forever);
  await read(owner, heat);
};
/** The set points that a subscription of this person tells of, as they come. */
const following = (who: Client, stop: AbortSignal) => {
  const told: string[] = [];
  const wish = { nodes: [heat], fields: [{ name: "Set Point", by: 0.1 }], now: true, minIntervalMs: 1_000 };
  const ended = (async () => {
    for await (const one of who.subscriptions.subscribe(async () => appliance, wish, stop))
      if (one.kind === "reading") told.push(...one.fields.map(({ value }) => formatValue(value)));
  })().catch(error => error);
  return { told, ended };
};

it("COM-AUTH-09: a viewer of one node reads it and nothing else; taken back, his subscription falls silent at once", async () => {
  const { fields } = await owner.commands.commandForm(appliance, [heat], "GrantRole", forever);
  expect(fields.map(({ name }) => name)).toEqual(["jid", "role", "days"]);
  const wrong = await run(owner, heat, "GrantRole", { jid: "nobody", role: "king" }).catch(error => error);
  expect(wrong).toMatchObject({ condition: "not-acceptable" });
  await run(owner, heat, "GrantRole", { jid: jidOf("viewer"), role: "viewer" });
  const viewer = await letIn("viewer");
  expect((await read(viewer, heat)).map(({ kind }) => kind)).toContain("reading");
  expect(await refusalOf(read(viewer, water))).toBe("item-not-found");
  expect(await refusalOf(run(viewer, heat, "GrantRole", { jid: jidOf("guest"), role: "viewer" }))).not.toBe(
    "nothing refused",
  );
  const stop = new AbortController();
  const { told, ended } = following(viewer, stop.signal);
  await found("the value of now", async () => told[0]);
  await turnTo(24);
  await found("the change", async () => told.includes("24.0 Cel") || undefined);

  await run(owner, heat, "RevokeRole", { jid: jidOf("viewer"), role: "viewer" });
  expect(await refusalOf(viewer.things.node(appliance, heat, forever))).toBe("forbidden");
  await turnTo(27);
  await clock.sleep(2_000, forever);
  expect(told).not.toContain("27.0 Cel");
  stop.abort();
  await ended;
}, 60_000);

it("COM-STZ-12: a command that comes twice with one id is done once and answered twice, asked for with get too", async () => {
  const peer = await house.peer("owner");
  const given = () => [...house.edge.output().matchAll(/role-granted/g)].length;
  const before = given();
  const form = ["jid", "role"].map((name, at) => {
    const value = at === 0 ? jidOf("somebody") : "viewer";
    return `<field var='${name}'><value>${value}</value></field>`;
  });
  const command = parse(
    `<executeCommonNodeCommand xmlns='${namespace("concentrator", "nf")}' command='GrantRole'>
      <nd id='water-7' src='MeteringTopology'/><x xmlns='jabber:x:data' type='submit'>${form.join("")}</x>
    </executeCommonNodeCommand>`.replace(/\n\s*/g, ""),
  );
  const question = (id: string) => element("iq", clientNs, { type: "get", id, to: appliance }, [command]);
  for (const id of ["twice", "twice", "again"]) peer.session.send(question(id));
  await found("both ids in the log", async () => given() >= before + 2 || undefined);
  await clock.sleep(500, forever);
  expect(given() - before).toBe(2);
});

it("COM-AUTH-09: an installer sets up, listens and searches; taken back, frames and search end in the middle", async () => {
  await run(owner, parseNode("board@@Appliance"), "GrantRole", { jid: jidOf("installer"), role: "installer" });
  const installer = await letIn("installer");
  const filled = { session: "", fields: [{ name: "NodeId", values: ["new"] }] };
  expect((await installer.editing.create(appliance, line, "sim.meter", filled, forever)).ref.nodeId).toBe("new");
  await installer.editing.destroy(appliance, parseNode("new"), forever);

  const stop = new AbortController();
  const frames: SniffedOnWire[] = [];
  const ofOwner: SniffedOnWire[] = [];
  const items: QueryItem[] = [];
  const gather = async <T>(from: AsyncIterable<T>, into: T[]) => {
    for await (const one of from) into.push(one);
  };
  const running = [
    gather(owner.sniffers.sniff(appliance, bus, undefined, stop.signal), ofOwner),
    gather(installer.sniffers.sniff(appliance, bus, undefined, stop.signal), frames),
    gather(installer.queries.query(appliance, bus, "ScanPrimary", { fields: [] }, stop.signal), items),
  ].map(one => one.catch(error => error));
  await found("frames", async () => frames[0]);
  await found("progress", async () => items.find(({ kind }) => kind === "status"));

  await run(owner, parseNode("board@@Appliance"), "RevokeRole", { jid: jidOf("installer"), role: "installer" });
  // The search was his: nobody speaks on the line any more.
  await found("silence on the line", async () => {
    const before = ofOwner.length;
    await clock.sleep(1_000, forever);
    return ofOwner.length === before || undefined;
  });
  const [heard, said, by] = [frames.length, items.length, ofOwner.length];
  await read(owner, parseNode("meter@bus"));
  await found("what the owner hears", async () => ofOwner.length > by || undefined);
  expect([frames.length, items.length]).toEqual([heard, said]);
  expect(items.at(-1)?.kind).not.toBe("done");
  expect(await refusalOf(installer.editing.create(appliance, line, "sim.meter", filled, forever))).toBe("forbidden");
  stop.abort();
  await Promise.all(running);
}, 60_000);

it("COM-AUTH-09: a role that was given for a while is over when that is up, in the middle of a subscription", async () => {
  await run(owner, heat, "GrantRole", { jid: jidOf("guest"), role: "viewer", days: "1" });
  await letIn("guest");
  // A day later, but for some seconds.
  await house.edge.stop();
  const database = new SQLite(join(house.dataFolder, "edge.db"));
  const until = clock.now() + 8_000;
  expect(database.prepare("UPDATE grants SET until = ? WHERE jid = ?").run(until, jidOf("guest")).changes).toBe(1);
  database.close();
  await house.edge.start();
  const guest = await house.client("guest");
  appliance = await found("the appliance again", () => guest.appliance(forever, bare).catch(() => undefined));
  await found("the owner sees it too", () => owner.appliance(forever, bare).catch(() => undefined));
  const stop = new AbortController();
  const { told, ended } = following(guest, stop.signal);
  await found("the value of now", async () => told[0]);
  await clock.sleep(until - clock.now() + 100, forever);
  await found("he is a stranger", async () => {
    const said = await refusalOf(guest.things.node(appliance, heat, forever));
    return said === "forbidden" || undefined;
  });
  await turnTo(29);
  await clock.sleep(2_000, forever);
  expect(told).not.toContain("29.0 Cel");
  stop.abort();
  await ended;
}, 60_000);
