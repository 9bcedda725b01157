// Done-when of "Everything a concentrator serves": from an appliance without a node, the command line sets up the whole site of
// the demonstration over XMPP, each command in a process of its own, and then the site reads, is rearranged and taken down.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { siteOf } from "#cli/demo/devices.ts";
import { startWorld, type World } from "#cli/demo/world.ts";
import { forever, temporaryFolder } from "../lab/scene.ts";
import { type Ended, isthmus } from "./command-line.ts";
import { found, ownerIn, uriOf } from "./house.ts";

const home = await temporaryFolder();
const before = { ...process.env };
let world: World;

beforeAll(async () => {
  process.env.TMPDIR = home.path;
  process.env.ISTHMUS_IDENTITIES = join(home.path, "own identities");
  world = await startWorld(() => {}, forever, { site: () => "nodes: []\n" });
  const status = await found("registered", () =>
    world.statusWhere(({ nodes }) => nodes.some(({ thing }) => thing?.uri !== undefined)),
  );
  const owner = await world.client("owner");
  await owner.owner.claim(uriOf(status, ""), true, forever);
  await found("claimed", () => world.statusWhere(one => ownerIn(one, "") !== undefined));
  await owner.appliance(forever, world.applianceJid());
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  for (const name of ["TMPDIR", "ISTHMUS_IDENTITIES"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await home[Symbol.asyncDispose]();
});

const run = (...words: string[]): Promise<Ended> => isthmus([...words, "--as", "owner"]).ended;
const works = async (...words: string[]): Promise<string> => {
  const { code, out, err } = await run(...words);
  expect.soft([code, err], words.join(" ")).toEqual([0, ""]);
  return out;
};
const values = (settings: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
const add = (parent: string, type: string, settings: Readonly<Record<string, string | number>>) =>
  works("node", "add", parent, type, ...values(settings));

describe("an empty appliance", () => {
  it("shows what can be added, and what each form takes", async () => {
    expect(await works("tree")).toMatch(/MeteringTopology/);
    const types = await works("node", "types");
    for (const type of ["mbus.tcp", "modbus.tcp", "mqtt.broker"]) expect(types).toContain(type);
    // The appliance itself is there, and is not made again.
    expect(types).not.toContain("board.appliance");
    const form = await works("node", "add", "site", "mbus.tcp", "--form");
    expect(form).toMatch(/^host +\S* *text, required/m);
    expect(form).toMatch(/^port +\d* *int.* 1 to 65535/m);
  });

  it("a rejected form comes back with its faults beside the fields, and nothing was changed", async () => {
    const { code, out, err } = await run(
      "node",
      "add",
      "site",
      "mbus.tcp",
      "--set",
      "NodeId=attic-mbus",
      "--set",
      "port=99999",
    );
    expect([code, err]).toEqual([1, "Nothing was changed.\n"]);
    expect(out).toMatch(/^port +99999 +\S+/m);
    expect(out).toMatch(/^host +\S+/m);
    expect(await works("tree")).not.toContain("attic-mbus");
    const wrong = await run("node", "add", "site", "mbus.tcp", "--set", "hots=x");
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/no field "hots".*there are NodeId.*host/);
    expect((await run("node", "add", "site", "mbus.nothing")).err).toMatch(/^[A-Z].*\.\n$/);
  });

  it("who is not its owner adds nothing", async () => {
    const refused = await isthmus(["node", "add", "site", "mbus.tcp", "--as", "stranger"]).ended;
    expect(refused.code).toBe(1);
    expect(refused.out).toBe("");
  });
});

describe("the demonstration's site", () => {
  it("is set up from the command line", async () => {
    const { converter, modbus, mosquitto } = world.devices;
    await add("site", "mbus.tcp", {
      NodeId: "attic-mbus",
      Name: "M-Bus in the attic",
      host: "127.0.0.1",
      port: converter.port,
    });
    await add("attic-mbus", "mbus.meter", {
      NodeId: "heat-3",
      Name: "Heat meter, flat 3",
      address: 3,
      pollSeconds: 0,
      class: "HeatMeter",
      manufacturer: "kamstrup.example",
      serialNumber: "66120034",
      ROOM: "Attic",
      HistoryDays: 365,
    });
    await add("attic-mbus", "mbus.meter", {
      NodeId: "water-7",
      Name: "Water meter, flat 3",
      address: "41907755",
      pollSeconds: 300,
      class: "WaterMeter",
      manufacturer: "elster.example",
      serialNumber: "41907755",
      ROOM: "Attic",
    });
    await add("site", "modbus.tcp", {
      NodeId: "cellar-modbus",
      Name: "Modbus in the cellar",
      host: "127.0.0.1",
      port: modbus.port,
    });
    await add("cellar-modbus", "modbus.unit", {
      NodeId: "energy-1",
      Name: "Energy meter of the house",
      address: 1,
      profile: "eastron-sdm630",
      ROOM: "Cellar",
      LAT: 59.3293,
      LON: 18.0686,
    });
    await add("site", "mqtt.broker", {
      NodeId: "home-mqtt",
      Name: "MQTT broker of the house",
      host: "127.0.0.1",
      port: mosquitto.port,
    });
    await add("home-mqtt", "mqtt.topic", {
      NodeId: "thermostat-2",
      Name: "Thermostat, living room",
      topic: "home/thermostat-2/state",
      timePointer: "/time",
      CLASS: "Thermostat",
      MAN: "thermo.example",
      ROOM: "Living room",
    });
    await add("thermostat-2", "mqtt.value", {
      NodeId: "thermostat-2-temperature",
      fieldName: "Temperature",
      pointer: "/temperature",
      unit: "Cel",
      decimals: 1,
    });
    await add("thermostat-2", "mqtt.value", {
      NodeId: "thermostat-2-setpoint",
      fieldName: "Set Point",
      pointer: "/setpoint",
      unit: "Cel",
      decimals: 1,
      commandTopic: "home/thermostat-2/set",
      commandTemplate: '{"setpoint": {value}}',
      min: 5,
      max: 30,
    });
    await add("thermostat-2", "mqtt.value", {
      NodeId: "thermostat-2-valve",
      fieldName: "Valve Position",
      pointer: "/valve",
      unit: "%",
      category: "status",
    });
    const tree = (await works("tree")).split("\n");
    expect(tree.map(line => /[├└]─ (\S+)/.exec(line)?.[1]).filter(Boolean)).toEqual(
      expect.arrayContaining([
        "attic-mbus",
        "heat-3",
        "water-7",
        "cellar-modbus",
        "energy-1",
        "home-mqtt",
        "thermostat-2",
        "thermostat-2-valve",
      ]),
    );
    expect(tree.find(line => line.includes("heat-3"))).toMatch(
      /^ +│ +├─ heat-3 {2}Heat meter, flat 3 {2}\[mbus.meter\] {2}read/,
    );
  }, 120_000);

  it("is the site of the demonstration's own file, node by node, and goes out as such a file", async () => {
    const file = join(home.path, "exported.yaml");
    await works("query", "board@@Appliance", "ExportSite", "--save", file);
    const exported = parseYaml(readFileSync(file, "utf8"));
    expect(exported.nodes).toEqual(parseYaml(siteOf(world.devices)).nodes);
  });

  it("reads from every line and is set", async () => {
    const read = await works("read", "heat-3", "water-7", "energy-1", "thermostat-2", "--category", "all");
    for (const field of ["Energy", "Volume", "Temperature", "Set Point"]) expect(read).toContain(field);
    await works("set", "thermostat-2", "Set Point=21.5");
    expect(world.setPoint()).toBe(21.5);
  });

  it("each device is a thing that can be claimed", async () => {
    const status = await found("all registered", () =>
      world.statusWhere(({ nodes }) =>
        ["heat-3", "water-7", "energy-1", "thermostat-2"].every(id =>
          nodes.some(({ ref, thing }) => ref.nodeId === id && thing?.uri !== undefined),
        ),
      ),
    );
    expect(uriOf(status, "heat-3")).toMatch(/^iotdisco:.*SN=66120034/);
  });

  it("is edited, one node and several together", async () => {
    await works("node", "edit", "heat-3", "--set", "Name=Heat, third floor");
    await works("node", "edit", "heat-3", "water-7", "--set", "ROOM=Roof");
    const nodes = (await works("nodes", "--json"))
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(nodes.find(({ ref }) => ref.nodeId === "heat-3")).toMatchObject({ displayName: "Heat, third floor" });
    expect(await works("node", "edit", "water-7", "--form")).toMatch(/^ROOM +Roof/m);
    const { code, out } = await run("node", "edit", "heat-3", "--set", "address=999", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ rejected: [{ name: "address", values: ["999"] }] });
  });

  it("is rearranged and taken down", async () => {
    const order = async () => [...(await works("tree")).matchAll(/─ (heat-3|water-7)\b/g)].map(([, id]) => id);
    const first = await order();
    await works("node", "move", first[1] as string, "--up");
    expect(await order()).toEqual(first.toReversed());
    const refused = await run("node", "remove", "home-mqtt");
    expect([refused.code, refused.err]).toEqual([
      1,
      "There are nodes below home-mqtt: say --all to remove them too.\n",
    ]);
    await works("node", "remove", "home-mqtt", "--all");
    await works("node", "remove", "water-7");
    const tree = await works("tree");
    expect(tree).not.toMatch(/thermostat|water-7/);
    expect(tree).toContain("heat-3");
  });
});
