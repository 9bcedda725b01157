// The commands of the appliance's own node: real files, a real tree, and the forms through which a site comes in.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SQLite from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { createLog, type LogEvent, silentLog } from "#base/log.ts";
import { createTree } from "#concentrator/tree.ts";
import { bootSettings } from "#config.ts";
import type { Command } from "#contract/command.ts";
import { Refusal } from "#contract/faults.ts";
import { applianceSource, meteringTopology } from "#contract/node.ts";
import { boardDriver } from "#drivers/board/driver.ts";
import { mqttDriver } from "#drivers/mqtt/driver.ts";
import { simDriver } from "#drivers/sim/driver.ts";
import { backupPattern, createApplianceCommands } from "#edge/appliance-commands.ts";
import { openStores } from "#edge/stores.ts";
import { backupsMax } from "#limits.ts";
import { reportLog } from "../drivers/report-log.ts";
import { manualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;
const open: Disposable[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one[Symbol.dispose]();
});

function appliance(restart?: () => void) {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-appliance-"));
  open.push({ [Symbol.dispose]: () => rmSync(folder, { recursive: true }) });
  const clock = manualClock();
  const events: LogEvent[] = [];
  const log = createLog(event => events.push(event));
  const settings = bootSettings.parse({ domain: "x.example", dataFolder: folder });
  const stores = openStores(settings, clock, silentLog);
  open.push(stores);
  const tree = createTree({
    drivers: [boardDriver, simDriver, mqttDriver],
    nodes: stores.nodes,
    statuses: stores.history.statuses,
    readings: stores.history.readings,
    clock,
    log: silentLog,
    timeZone: "UTC",
    roots: [{ ref: { nodeId: "site", sourceId: meteringTopology, partition: "" }, displayName: "House" }],
  });
  tree.import(applianceSource, [{ type: "board.appliance", id: "board" }]);
  const commandsOf = createApplianceCommands({
    tree,
    folder: stores.backups,
    backUp: stores.backUp,
    restart,
    clock,
    log,
    signal: never,
  });
  const board = tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
  if (board === undefined) throw new Error("no board");
  const commands = commandsOf(board);
  const command = <K extends Command["kind"]>(id: string, kind: K) => {
    const found = commands.find(one => one.id === id);
    if (found?.kind !== kind) throw new Error(`${id} is no ${kind}`);
    return found as Extract<Command, { kind: K }>;
  };
  return { folder, clock, stores, tree, commandsOf, command, events };
}

it("the commands are the appliance's own, and no other node's", () => {
  const it = appliance();
  it.tree.import(meteringTopology, [{ type: "sim.meter", id: "m1" }]);
  const meter = it.tree.find({ nodeId: "m1", sourceId: meteringTopology, partition: "" });
  expect(meter && it.commandsOf(meter)).toEqual([]);
});

describe("backup", () => {
  it("a whole copy of the configuration, without what was learned, readable by its owner alone; says where", async () => {
    const it = appliance();
    it.tree.import(meteringTopology, [{ type: "sim.meter", id: "m1" }]);
    const database = new SQLite(join(it.folder, "edge.db"));
    const columns = database.prepare("PRAGMA table_info(decisions)").all() as { name: string; type: string }[];
    const values = columns.map(({ type }) => (type === "TEXT" ? "'learned-right'" : "1")).join(", ");
    database.exec(`INSERT INTO decisions VALUES (${values})`);
    database.close();
    const report = reportLog();
    await it.command("Backup", "query").query({}, report, never);
    const [file, octets] = report.rows[0] as [string, number];
    expect(file.startsWith(join(it.folder, "backups"))).toBe(true);
    expect(statSync(file).size).toBe(octets);
    expect(statSync(file).mode & 0o077).toBe(0);
    const copy = new SQLite(file, { readonly: true });
    expect(copy.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(copy.prepare("SELECT node FROM nodes ORDER BY node").pluck().all()).toEqual(["board", "m1", "site"]);
    expect(copy.prepare("SELECT count(*) FROM decisions").pluck().get()).toBe(0);
    expect(copy.serialize().includes("learned-right")).toBe(false);
    copy.close();
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("the oldest go; what fails leaves nothing behind", async () => {
    const it = appliance();
    for (let n = 0; n < backupsMax + 2; n++) {
      await it.command("Backup", "query").query({}, reportLog(), never);
      await it.clock.advance(60_000);
    }
    const kept = readdirSync(it.stores.backups);
    expect(kept).toHaveLength(backupsMax);
    expect(kept.every(name => backupPattern.test(name))).toBe(true);
    await expect(it.stores.backUp(join(it.folder, "missing", "x.db"))).rejects.toThrow("could not be written");
    expect(readdirSync(it.stores.backups)).toEqual(kept);
  });
});

describe("restart", () => {
  it("stops after the answer has left; refuses where nobody would start it again", async () => {
    let stopped = 0;
    const it = appliance(() => stopped++);
    const { confirmation, execute } = it.command("Restart", "simple");
    expect(confirmation).toBeTruthy();
    await execute(never);
    expect(stopped).toBe(0);
    await it.clock.advance(1_500);
    expect(stopped).toBe(1);
    await expect(appliance().command("Restart", "simple").execute(never)).rejects.toMatchObject({
      kind: "not-allowed",
    });
  });
});

describe("the site as text", () => {
  const site = [
    "nodes:",
    "  - type: mqtt.broker",
    "    id: broker",
    "    name: Kitchen broker",
    "    settings: { host: 10.0.0.7, userName: me, password: hunter2 }",
    "  - type: sim.line",
    "    id: attic",
    "    nodes:",
    "      - type: sim.meter",
    "        id: heat",
    "        tags: { ROOM: attic, LAT: 59.3 }",
    "        settings: { fields: 3 }",
  ].join("\n");

  it("comes in all of it, goes out without its secrets, and comes in again as it was", async () => {
    const it = appliance();
    await it.command("ImportSite", "parameterized").execute({ site }, never);
    expect([...(it.tree.sources.get(meteringTopology)?.nodes.keys() ?? [])].toSorted()).toEqual([
      "attic",
      "broker",
      "heat",
      "site",
    ]);
    const parts: Uint8Array[] = [];
    const report = { ...reportLog(), object: async (_type: string, part: Uint8Array) => void parts.push(part) };
    await it.command("ExportSite", "query").query({}, report, never);
    const text = Buffer.concat(parts).toString();
    expect(text).not.toContain("hunter2");
    expect(report.messages.join()).toContain("broker: password");
    expect(report.rows).toEqual([[3]]);
    const other = appliance();
    await other.command("ImportSite", "parameterized").execute({ site: text }, never);
    const again = reportLog();
    const second: Uint8Array[] = [];
    await other
      .command("ExportSite", "query")
      .query({}, { ...again, object: async (_type: string, part: Uint8Array) => void second.push(part) }, never);
    expect(Buffer.concat(second).toString()).toBe(text);
  });

  const faultOf = async (text: string) => {
    const it = appliance();
    const before = it.tree.sources.get(meteringTopology)?.nodes.size;
    const error = await it
      .command("ImportSite", "parameterized")
      .execute({ site: text }, never)
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(it.tree.sources.get(meteringTopology)?.nodes.size).toBe(before);
    expect(error).toBeInstanceOf(Refusal);
    const [fault] = (error as Refusal).parameters;
    expect(fault?.name).toBe("site");
    return fault?.message ?? "";
  };

  it("what is wrong is told with its line, and nothing of it was created", async () => {
    expect(await faultOf("nodes:\n  - type: [")).toMatch(/^Line \d+: /);
    expect(await faultOf("nodes:\n  - type: sim.meter\n    id: a\n    colour: red")).toMatch(/^Line [234]: .*colour/);
    expect(await faultOf(site.replace("sim.line", "sim.tube"))).toMatch(/^Line 7: .*sim\.tube/);
    expect(await faultOf(site.replace("fields: 3", "fields: 9999"))).toMatch(/^Line 10: .*fields/);
    expect(await faultOf(site.replace("id: heat", "id: attic").replace("fields: 3", "fields: 9999"))).not.toBe("");
    const bomb = "a: &a [x, x]\nb: &b [*a, *a]\nnodes: *b";
    expect(await faultOf(bomb)).toMatch(/^Line /);
  });
});
