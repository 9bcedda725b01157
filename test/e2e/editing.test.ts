// An owner puts a line and a meter into an empty appliance over Prosody, and the meter answers; both are renamed, moved and
// removed, and the registry hears of it: what is on a label stays right, and what is owned keeps its name.

import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import type { Client } from "#cli/connect.ts";
import { rejectedForm } from "#client/editing.ts";
import type { NodeRef } from "#contract/node.ts";
import { type MbusConverter, startMbusConverter } from "#lab/mbus-converter.ts";
import { heatMeter } from "#lab/mbus-meter.ts";
import { StanzaError } from "#xmpp/stanza.ts";
import { forever } from "../lab/scene.ts";
import { found, type House, ownerIn, startHouse, uriOf } from "./house.ts";

let house: House;
let converter: MbusConverter;
let owner: Client;
let to: string;

beforeAll(async () => {
  converter = await startMbusConverter(clock, [heatMeter({ id: "66120034", primary: 3, clock })]);
  house = await startHouse({ site: '{ "nodes": [] }', people: ["owner", "tenant"] });
  await house.registry.start();
  await house.edge.start();
  const status = await house.statusWhere("registered", ({ nodes }) =>
    nodes.some(({ thing }) => thing?.uri !== undefined),
  );
  owner = await house.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await house.statusWhere("claimed", one => ownerIn(one, "") !== undefined);
  to = await owner.appliance(forever, status.connection.jid.split("/")[0] as string);
}, 90_000);
afterAll(async () => {
  await house?.[Symbol.asyncDispose]();
  await converter?.[Symbol.asyncDispose]();
});

const ref = (nodeId: string, partition = ""): NodeRef => ({ nodeId, sourceId: "MeteringTopology", partition });
const filled = (answers: Readonly<Record<string, string>>) => ({
  session: "",
  fields: Object.entries(answers).map(([name, value]) => ({ name, values: [value] })),
});
const faults = async (work: Promise<unknown>): Promise<Record<string, string>> => {
  const error = await work.then(
    () => undefined,
    (one: unknown) => one,
  );
  if (!(error instanceof StanzaError)) throw new Error(`not refused: ${error}`);
  return Object.fromEntries(
    (rejectedForm(error)?.fields ?? []).flatMap(one => (one.error === "" ? [] : [[one.name, one.error]])),
  );
};
const label = (nodeId: string) =>
  house
    .statusWhere(`${nodeId} registered`, one =>
      one.nodes.some(({ ref: { nodeId: id }, thing }) => id === nodeId && thing?.uri !== undefined),
    )
    .then(one => uriOf(one, nodeId));

it("CON-NEW-02, CON-NEW-04, CON-EDIT-06, CON-EDIT-07, CON-MOVE-01, CON-DEL-03, DISCO-EDGE-02: from an empty appliance and back", async () => {
  expect((await owner.editing.addableTypes(to, ref("site"), forever)).map(one => one.type)).toContain("mbus.tcp");
  const line = { NodeId: "line", Name: "Attic", host: "127.0.0.1", port: `${converter.port}` };
  expect(
    await faults(owner.editing.create(to, ref("site"), "mbus.tcp", filled({ ...line, port: "99999" }), forever)),
  ).toEqual({ port: "At most 65535." });
  await owner.editing.create(to, ref("site"), "mbus.tcp", filled(line), forever);
  const meter = await owner.editing.create(
    to,
    ref("line"),
    "mbus.meter",
    filled({ NodeId: "heat", address: "3", pollSeconds: "0", serialNumber: "66120034" }),
    forever,
  );
  expect(meter.ref).toEqual(ref("heat", "line"));

  // It is read over the line that was just made.
  const energy = await found("a value", async () => {
    for await (const reading of owner.things.read(to, [meter.ref], { names: ["Energy"] }, forever)) {
      if (reading.kind === "reading") return reading.fields[0];
    }
    return undefined;
  });
  expect(energy?.value).toMatchObject({ kind: "quantity" });

  // Renamed before anybody owns it: the printed code still claims it.
  const printed = await label("heat");
  await owner.editing.edit(to, [meter.ref], filled({ NodeId: "heat-3", ROOM: "Attic" }), forever);
  await owner.editing.edit(to, [ref("line")], filled({ NodeId: "attic" }), forever);
  const keyOf = (uri: string) => /KEY=([^;]+)/.exec(uri)?.[1];
  const again = await house.statusWhere("told of the room", one => {
    const uri = one.nodes.find(({ ref: { nodeId } }) => nodeId === "heat-3")?.thing?.uri;
    return uri?.includes("ROOM") ?? false;
  });
  expect(keyOf(uriOf(again, "heat-3"))).toBe(keyOf(printed));
  expect(keyOf(printed)).toMatch(/^\w{32,}$/);
  const tenant = await house.client("tenant");
  await tenant.owner.claim(uriOf(again, "heat-3"), true, forever);
  await house.statusWhere("the tenant owns it", one => ownerIn(one, "heat-3")?.startsWith("tenant@") ?? false);

  // Now the name is what an owner holds on to, and the owner of the house cannot take it from him.
  expect(
    Object.keys(
      await faults(owner.editing.edit(to, [ref("heat-3")], filled({ NodeId: "x", Registered: "0" }), forever)),
    ),
  ).toEqual(["NodeId", "Registered"]);
  for (const nodeId of ["heat-3", "attic", "site"]) {
    await expect(owner.editing.destroy(to, ref(nodeId), forever)).rejects.toMatchObject({ condition: "not-allowed" });
  }

  await owner.editing.create(
    to,
    ref("attic"),
    "mbus.meter",
    filled({ NodeId: "water", address: "4", pollSeconds: "0" }),
    forever,
  );
  await owner.editing.move(to, [ref("water")], "up", forever);
  const order = async () => (await owner.things.childNodes(to, ref("attic"), forever)).map(one => one.ref.nodeId);
  expect(await order()).toEqual(["water", "heat-3"]);

  // Killed and started again: as it was.
  await house.edge.kill();
  await house.edge.start();
  const there = await found("the order", async () => {
    // What was killed looks alive for a while.
    to = await owner.appliance(forever, to.split("/")[0] as string);
    return await order().catch(() => undefined);
  });
  expect(there).toEqual(["water", "heat-3"]);

  await label("water");
  await owner.editing.destroy(to, ref("water"), forever);
  await found("out of the registry", async () => {
    const mine = house.rows("things");
    return mine.includes("water") ? undefined : true;
  });
  expect(await order()).toEqual(["heat-3"]);
}, 120_000);
