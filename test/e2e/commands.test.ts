// Telling nodes what to do from the command line, each command in a process of its own: commands and their forms, queries with
// their tables, frames of a line while they are said, and roles that are given and taken back.

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
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
  world = await startWorld(() => {}, forever);
  const status = await found("registered", () =>
    world.statusWhere(({ nodes }) => nodes.some(({ ref, thing }) => ref.nodeId === "" && thing?.uri !== undefined)),
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

const runAs = (who: string, words: readonly string[]): Promise<Ended> => isthmus([...words, "--as", who]).ended;
const run = (...words: string[]) => runAs("owner", words);
const works = async (...words: string[]): Promise<string> => {
  const { code, out, err } = await run(...words);
  expect.soft([code, err], words.join(" ")).toEqual([0, ""]);
  return out;
};
const lines = (text: string): string[] => text.trim().split("\n");
const wholeLines = (text: string): string => text.slice(0, text.lastIndexOf("\n") + 1);
const json = (text: string) => lines(text).map(line => JSON.parse(line));

describe("commands", () => {
  it("are listed with how to run them, of one node and of several", async () => {
    const line = await works("commands", "attic-mbus");
    expect(line).toMatch(/^ScanPrimary +\S.* +query +/m);
    expect(line).toMatch(/^ResetLine +\S.* +run-command +/m);
    const both = json(await works("commands", "heat-3", "water-7", "--json"));
    expect(both.map(({ commandId }) => commandId)).toEqual(expect.arrayContaining(["ReadNow", "Identify"]));
    expect((await run("commands", "nobody")).err).toMatch(/There is no such node/);
  });

  it("run when told to; what cannot be undone must be meant", async () => {
    const asked = await run("run-command", "attic-mbus", "ResetLine");
    expect(asked).toMatchObject({ code: 2, out: "" });
    expect(asked.err).toMatch(/\? Say --yes\./);
    expect(await works("run-command", "attic-mbus", "resetline", "--yes")).toMatch(/^attic-mbus: /);
    await found(
      "the line open again",
      async () => (await works("commands", "attic-mbus")).includes("ResetLine") || undefined,
    );
    const unknown = await run("run-command", "attic-mbus", "Explode");
    expect(unknown.code).toBe(1);
    expect(unknown.err).toMatch(/no command Explode; there are .*ResetLine/);
  });

  it("ask by form for what they need, and say beside the field what is wrong", async () => {
    expect(await works("run-command", "heat-3", "LogMessage", "--form")).toMatch(/^text +text, required/m);
    const rejected = await run("run-command", "heat-3", "LogMessage", "--set", "type=Loud", "--set", "text=x");
    expect([rejected.code, rejected.err]).toEqual([1, "Nothing was changed.\n"]);
    expect(rejected.out).toMatch(/^type +Loud +\S/m);
    await works(
      "run-command",
      "heat-3",
      "LogMessage",
      "--also",
      "water-7",
      "--set",
      "text=Lid is loose",
      "--set",
      "type=Warning",
    );
    expect(await works("tree")).toMatch(/heat-3 .*Warning.*: Lid is loose/);
    await works("run-command", "heat-3", "EraseMessages", "--also", "water-7", "--yes");
    expect(await works("tree")).not.toMatch(/Lid is loose/);
  });
});

describe("queries", () => {
  it("print their tables as they come", async () => {
    const scan = await works("query", "attic-mbus", "ScanPrimary", "--set", "from=2", "--set", "to=8");
    const rows = lines(scan);
    const head = rows.findIndex(row => /Address +.*Manufacturer/.test(row));
    expect(rows.slice(head).filter(row => /^ *[37] /.test(row))).toHaveLength(2);
    const items = json(await works("query", "attic-mbus", "ScanPrimary", "--set", "from=3", "--set", "to=3", "--json"));
    expect(items[0]).toEqual({ kind: "started" });
    expect(items.at(-1)).toEqual({ kind: "done" });
    expect(items.find(({ kind }) => kind === "newRecords")?.records[0][0]).toMatchObject({ value: 3 });
  });

  it("on several nodes at once, each under its name", async () => {
    const both = await works("query", "heat-3", "ReadNow", "--also", "water-7");
    expect(both).toMatch(/^heat-3[\s\S]*Energy[\s\S]*^water-7[\s\S]*Volume/m);
  });

  it("bring files, such as the whole site", async () => {
    const file = join(home.path, "site.yaml");
    await works("query", "board@@Appliance", "ExportSite", "--save", file);
    expect(readFileSync(file, "utf8")).toMatch(/heat-3/);
    const wrong = await run("query", "attic-mbus", "ResetLine");
    expect([wrong.code, existsSync(file)]).toEqual([2, true]);
    expect(wrong.err).toMatch(/isthmus run-command/);
  });

  it("end over there when the asker leaves", async () => {
    const running = isthmus([
      "query",
      "attic-mbus",
      "LineStatistics",
      "--set",
      "seconds=60",
      "--json",
      "--as",
      "owner",
    ]);
    await running.says(/"started"/);
    running.child.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
    // Five at once are allowed: the sixth would be refused if those before were still running.
    for (let at = 0; at < 6; at++) {
      const next = isthmus(["query", "attic-mbus", "LineStatistics", "--set", "seconds=60", "--json", "--as", "owner"]);
      await next.says(/"started"/);
      next.child.kill("SIGINT");
      await next.ended;
    }
  }, 60_000);
});

describe("subscribe", () => {
  const args = ["subscribe", "thermostat-2", "--field", "Set Point:0.5", "--as", "owner"];

  it("prints the values of now, then each change that is large enough, until Ctrl-C", async () => {
    await works("set", "thermostat-2", "Set Point=20");
    await found("it is set", async () => world.setPoint() === 20 || undefined);
    const [people, programs] = [isthmus(args), isthmus([...args, "--json"])];
    await people.says(/Set Point +20\.0 Cel/);
    await programs.says(/"Set Point"/);
    await works("set", "thermostat-2", "Set Point=20.3");
    await works("set", "thermostat-2", "Set Point=23");
    await people.says(/Set Point +23\.0 Cel/);
    await found("the change, for programs", async () => json(wholeLines(programs.out())).length >= 2 || undefined);
    for (const one of [people, programs]) one.child.kill("SIGINT");
    expect(await people.ended).toMatchObject({ code: 0, err: "" });
    expect(people.out()).not.toContain("20.3");
    const { code, out } = await programs.ended;
    expect(code).toBe(0);
    const told = json(out).flatMap(({ kind, fields }) => (kind === "reading" ? fields : []));
    expect(told.map(({ name, value }) => [name, value.value])).toEqual([
      ["Set Point", 20],
      ["Set Point", 23],
    ]);
  }, 60_000);

  it("leaves out what is as it was", async () => {
    const both = isthmus([
      "subscribe",
      "thermostat-2",
      "energy-1",
      "--field",
      "Set Point",
      "--field",
      "Voltage, L1",
      "--as",
      "owner",
    ]);
    await both.says(/Set Point[\s\S]*Voltage|Voltage[\s\S]*Set Point/);
    await works("set", "thermostat-2", "Set Point=18.5");
    await both.says(/Set Point +18\.5 Cel/);
    both.child.kill("SIGINT");
    const { out } = await both.ended;
    const voltages = [...out.matchAll(/Voltage, L1 +(\S+)/g)].map(([, value]) => value);
    expect(voltages).toEqual(voltages.filter((value, at) => value !== voltages[at - 1]));
    expect(lines(out)[0]).toMatch(/^Node +Time +Field +Value +Category +Quality$/);
  }, 60_000);

  it("ends the subscription over there when it ends", async () => {
    // A meter that is read for those who subscribed to it is read no more when they are gone.
    const subscribing = isthmus(["subscribe", "heat-3", "--at-most", "1", "--as", "owner"]);
    await subscribing.says(/Energy/);
    const first = world.telegramsOf("heat-3");
    await found("a reading for it alone", async () => world.telegramsOf("heat-3") > first || undefined, 30_000);
    subscribing.child.kill("SIGINT");
    expect((await subscribing.ended).code).toBe(0);
    const last = world.telegramsOf("heat-3");
    await clock.sleep(11_000, forever);
    expect(world.telegramsOf("heat-3")).toBe(last);
  }, 60_000);

  it("says what is wrong with what it was told", async () => {
    expect(await run("subscribe", "thermostat-2", "--field", "Set Point:much")).toMatchObject({ code: 2, out: "" });
    expect((await run("subscribe", "nobody")).err).toMatch(/^There is no such node/);
    expect((await runAs("stranger", ["subscribe", "heat-3"])).code).toBe(1);
  });
});

describe("the appliance", () => {
  const onBoard = ["board@@Appliance"] as const;

  it("keeps a copy of its configuration, and says where", async () => {
    const items = json(await works("query", ...onBoard, "Backup", "--json"));
    const [[file, size]] = items.find(({ kind }) => kind === "newRecords").records;
    expect(statSync(file.value).size).toBe(size.value);
    expect(await works("query", ...onBoard, "Backup")).toMatch(/File on the appliance[\s\S]*edge-20\S+\.db/);
  });

  it("takes in a site from a file: all of it, or nothing and the line that is wrong", async () => {
    const file = join(home.path, "more.yaml");
    const text = "nodes:\n  - type: sim.line\n    id: bench\n    nodes:\n      - type: sim.meter\n        id: sim-1\n";
    writeFileSync(file, `${text}        historyDays: never\n`);
    const from = (...more: string[]) => [
      "run-command",
      ...onBoard,
      "ImportSite",
      "--set-file",
      `site=${file}`,
      ...more,
    ];
    const refused = await run(...from());
    expect([refused.code, refused.err]).toEqual([1, "Nothing was changed.\n"]);
    expect(refused.out).toMatch(/Line 7: .*historyDays/);
    expect(await works("tree")).not.toContain("bench");
    writeFileSync(file, `${text}        historyDays: 30\n`);
    expect(await works(...from())).toMatch(/The site was imported/);
    expect(await works("read", "sim-1")).toContain("Energy");
    expect(await works("node", "edit", "sim-1", "--form")).toMatch(/^HistoryDays +30/m);
    expect((await run(...from().map(word => word.replace("more", "no-such")))).err).toMatch(/cannot be read/);
    await works("node", "remove", "bench", "--all");
  }, 60_000);
});

it("sniff shows the frames of a line while they are said, as decode takes them", async () => {
  const sniffing = isthmus(["sniff", "attic-mbus", "--json", "--as", "owner"]);
  const reading = await found("the sniffer", async () => {
    await works("read", "heat-3");
    return /txBin[\s\S]*rxBin/.test(sniffing.out()) ? sniffing.out() : undefined;
  });
  sniffing.child.kill("SIGINT");
  await sniffing.ended;
  const frames = json(reading.slice(0, reading.lastIndexOf("\n")));
  const answer = frames.filter(({ kind }) => kind === "rxBin").toSorted((a, b) => b.hex.length - a.hex.length)[0];
  expect((await isthmus(["decode", "mbus", answer.hex]).ended).out).toMatch(/Energy/);
  const refused = await run("sniff", "thermostat-2-valve");
  expect(refused.code).toBe(1);
}, 60_000);

it("an installer of one line sets up below it, and nowhere else, until his role is taken back", async () => {
  const newcomer = `newcomer@${world.domain}`;
  expect(await works("roles", "grant", newcomer, "installer", "--node", "attic-mbus")).toMatch(/is installer now/);
  const add = (line: string) =>
    runAs("newcomer", ["node", "add", line, "mbus.meter", "--set", "NodeId=cold-9", "--set", "address=9"]);
  await found("the newcomer let in", async () => ((await runAs("newcomer", ["tree"])).code === 0 ? true : undefined));
  expect(await add("attic-mbus")).toMatchObject({ code: 0, err: "" });
  expect((await runAs("newcomer", ["node", "add", "site", "sim.line"])).err).not.toBe("");
  expect((await runAs("newcomer", ["node", "remove", "attic-mbus", "--all"])).err).toMatch(/[Yy]ou may not/);
  expect((await runAs("newcomer", ["node", "remove", "cold-9"])).code).toBe(0);
  expect(await works("roles", "list", "--node", "attic-mbus")).toContain(newcomer);
  expect(await works("roles", "list", "--node", "home-mqtt")).not.toContain(newcomer);
  await works("roles", "revoke", newcomer, "installer", "--node", "attic-mbus");
  expect((await add("attic-mbus")).code).toBe(1);
  expect(await works("tree")).not.toContain("cold-9");
}, 60_000);

it("roles are given for a while, seen, used and taken back", async () => {
  const newcomer = `newcomer@${world.domain}`;
  expect((await runAs("newcomer", ["tree"])).code).toBe(1);
  expect(await works("roles", "grant", newcomer, "viewer", "--days", "7")).toBe(`${newcomer} is viewer now.\n`);
  expect(await works("roles", "list")).toMatch(new RegExp(`^${newcomer} +viewer +`, "m"));
  const seen = await found("the newcomer let in", async () => {
    const tree = await runAs("newcomer", ["tree"]);
    return tree.code === 0 ? tree.out : undefined;
  });
  expect(seen).toContain("heat-3");
  expect((await runAs("newcomer", ["node", "remove", "heat-3"])).err).toMatch(/[Yy]ou may not/);
  await works("roles", "revoke", newcomer, "viewer");
  expect(await works("roles", "list")).not.toContain(newcomer);
  expect((await runAs("newcomer", ["tree"])).out).not.toContain("heat-3");
}, 60_000);
