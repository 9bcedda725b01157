// A technician far away and a real line: searching it with progress, giving up, listening to it while a meter is read, keeping a
// backup and restarting the appliance, over a real broker; and what a stranger gets of all that.

import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatHex } from "#base/bytes.ts";
import { systemClock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import { refusalOf } from "#cli/demo/story-decision.ts";
import type { QueryItem } from "#client/queries.ts";
import type { SniffedOnWire } from "#client/sniffers.ts";
import { categories } from "#contract/field.ts";
import { parseNode } from "#contract/node.ts";
import { type MbusConverter, startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter, waterMeter } from "#lab/mbus-meter.ts";
import { forever } from "../lab/scene.ts";
import { found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

const clock = systemClock;
const line = parseNode("attic");
const heat = parseNode("heat-3@attic");
const board = parseNode("board@@Appliance");
const given = (fields: Record<string, string>) => ({
  fields: Object.entries(fields).map(([name, value]) => ({ name, values: [value] })),
});

let house: House;
let converter: MbusConverter;
let owner: Client;
let appliance: string;

beforeAll(async () => {
  const meters = [heatMeter({ id: "30100608", primary: 3, clock }), waterMeter({ id: "41205512", primary: 6, clock })];
  converter = await startMbusConverter(clock, meters);
  const site = JSON.stringify({
    nodes: [
      {
        type: "mbus.tcp",
        id: "attic",
        settings: { host: "127.0.0.1", port: converter.port, answerMarginMs: 20 },
        nodes: [{ type: "mbus.meter", id: "heat-3", settings: { address: "3", pollSeconds: 0 } }],
      },
    ],
  });
  house = await startHouse({ site, people: ["owner", "stranger"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", one => one.nodes[0]?.thing?.uri !== undefined);
  appliance = status.connection.jid;
  owner = await house.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  await owner.appliance(forever, appliance.split("/")[0]);
}, 120_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  await converter?.[Symbol.asyncDispose]();
});

const kindsOf = (items: readonly QueryItem[]) => items.map(({ kind }) => kind);
const cellsOf = (items: readonly QueryItem[]) =>
  items.flatMap(item =>
    item.kind === "newRecords" ? item.records.map(row => row.map(cell => ("value" in cell ? cell.value : ""))) : [],
  );

describe("a line from afar", () => {
  it("CON-QRY-04, CON-QP-01: it is searched, with progress on the way and both meters found", async () => {
    const items: QueryItem[] = [];
    const times: number[] = [];
    for await (const item of owner.queries.query(
      appliance,
      line,
      "ScanPrimary",
      given({ from: "0", to: "9" }),
      forever,
    )) {
      items.push(item);
      if (item.kind === "status") times.push(clock.monotonic());
    }
    expect(kindsOf(items)[0]).toBe("started");
    expect(kindsOf(items).at(-1)).toBe("done");
    expect(cellsOf(items).map(([address, id]) => [address, id])).toEqual([
      [3, "30100608"],
      [6, "41205512"],
    ]);
    expect(times.length).toBeGreaterThan(2);
    expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(400);
  });

  it("CON-ABORT-01: a search that is given up ends over there, while a meter is read in between", async () => {
    const stop = new AbortController();
    const items: QueryItem[] = [];
    const scanning = (async () => {
      for await (const item of owner.queries.query(appliance, line, "ScanPrimary", given({}), stop.signal))
        items.push(item);
    })().catch(error => error);
    await found("progress", async () => items.find(({ kind }) => kind === "status"));
    const readings = [];
    for await (const one of owner.things.read(appliance, [heat], { categories: categories("momentary") }, forever))
      readings.push(one);
    expect(readings.some(({ kind }) => kind === "reading")).toBe(true);
    expect(converter.overlap).toBe(1);
    stop.abort(new Error("enough"));
    expect(await scanning).toMatchObject({ message: "enough" });
    // It holds no place any more: five can be started, and no sixth.
    const scan = () => owner.queries.query(appliance, line, "ScanPrimary", given({}), forever);
    const others = await found("five places free", async () => {
      const begun = Array.from({ length: 5 }, scan);
      const said = await Promise.allSettled(begun.map(one => one.next()));
      if (said.every(({ status }) => status === "fulfilled")) return begun;
      await Promise.all(begun.map(one => one.return(undefined)));
      return undefined;
    });
    expect(await refusalOf(scan().next())).toBe("resource-constraint");
    await Promise.all(others.map(one => one.return(undefined)));
  });

  it("CON-SNIFF-06, -07: what is said on it is heard while it is said, until the listener leaves", async () => {
    const heard: SniffedOnWire[] = [];
    const stop = new AbortController();
    const listening = (async () => {
      for await (const item of owner.sniffers.sniff(appliance, line, undefined, stop.signal)) heard.push(item);
    })().catch(error => error);
    await found("the sniffer on the node", async () =>
      (await owner.things.node(appliance, line, forever)).messages.find(({ eventId }) => eventId === "sniffer"),
    );
    for await (const _ of owner.things.read(appliance, [heat], { categories: categories("momentary") }, forever));
    const frames = await found("frames", async () => {
      const octets = heard.flatMap(one => ("bytes" in one ? `${one.kind} ${formatHex(one.bytes)}` : []));
      return octets.some(one => one.startsWith("rxBin 68")) ? octets : undefined;
    });
    expect(frames).toContain("txBin 10 40 03 43 16");
    expect(frames).toContain("rxBin E5");
    stop.abort(new Error("heard enough"));
    expect(await listening).toMatchObject({ message: "heard enough" });
    await found("the sniffer gone", async () => {
      const { messages } = await owner.things.node(appliance, line, forever);
      return messages.every(({ eventId }) => eventId !== "sniffer") || undefined;
    });
  });

  it("CON-CMD-01, CON-SNIFF-01: a stranger gets nothing of it", async () => {
    const stranger = await house.client("stranger");
    const refused = (work: Promise<unknown>) => refusalOf(work);
    expect(await refused(stranger.commands.commands(appliance, [line], forever))).toBe("forbidden");
    expect(await refused(stranger.commands.execute(appliance, board, "Restart", undefined, forever))).toBe("forbidden");
    expect(await refused(stranger.queries.query(appliance, line, "ScanPrimary", undefined, forever).next())).toBe(
      "forbidden",
    );
    expect(await refused(stranger.sniffers.sniff(appliance, line, undefined, forever).next())).toBe("forbidden");
  });
});

describe("the appliance from afar", () => {
  it("a backup lies where it is said to lie", async () => {
    const items: QueryItem[] = [];
    for await (const item of owner.queries.query(appliance, board, "Backup", undefined, forever)) items.push(item);
    expect(kindsOf(items).at(-1)).toBe("done");
    const [[file]] = cellsOf(items) as [[string]];
    expect(existsSync(file)).toBe(true);
  });

  it("CON-EXEC-03: a site with a fault comes back with its line; without it is created", async () => {
    const text = "nodes:\n  - type: sim.meter\n    id: extra\n    settings: { fields: 9999 }";
    const submitted = (site: string) => ({ fields: [{ name: "site", values: site.split("\n") }] });
    const refused = await owner.commands
      .execute(appliance, board, "ImportSite", submitted(text), forever)
      .catch(error => error);
    expect(refused).toMatchObject({ condition: "not-acceptable" });
    expect(JSON.stringify(refused.details)).toContain("Line 3");
    await owner.commands.execute(appliance, board, "ImportSite", submitted(text.replace("9999", "3")), forever);
    expect((await owner.things.node(appliance, parseNode("extra"), forever)).nodeType).toBe("sim.meter");
  });

  it("a restart answers first, then ends the program in order with the code that asks for a new start", async () => {
    await owner.commands.execute(appliance, board, "Restart", undefined, forever);
    expect(await house.edge.ended()).toBe("exit code 75");
    await house.edge.start();
    await house.statusWhere("online again", one => one.connection.phase === "online");
    await owner.appliance(forever, appliance.split("/")[0]);
  });
});
