// What a technician can get wrong before the appliance even runs, and what time and power cuts do to its files: each time one
// sentence that names the file and the place, and nothing half done.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock as clock } from "#base/clock.ts";
import { createLog, type LogEvent } from "#base/log.ts";
import { readBootSettings } from "#config.ts";
import { openStores } from "#edge/stores.ts";
import { runEdge } from "../../src/main.ts";

let folder: string;
let logged: LogEvent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isthmus-boot-"));
  logged = [];
});
afterEach(() => rm(folder, { recursive: true }));

const log = createLog(event => void logged.push(event));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const settings = (more: Record<string, unknown> = {}) =>
  readBootSettings(
    write(
      "isthmus.yaml",
      JSON.stringify({ domain: "house.localhost", host: "127.0.0.1", port: 1, dataFolder: "data", ...more }),
    ),
  );

/** Starts and stops; the sentence when it does not start, "" when it does. */
async function boot(more: Record<string, unknown> = {}): Promise<string> {
  try {
    await runEdge({ settings: settings(more), clock, log, signal: AbortSignal.abort() });
    return "";
  } catch (error) {
    const { name, message, stack = "" } = error as Error;
    // What has no name of its own is a bug that nobody wrote a sentence for.
    expect(["ConfigError", "DatabaseFault"], stack).toContain(name);
    return message;
  }
}

describe("boot settings", () => {
  const yaml = (text: string) => {
    const file = write("isthmus.yaml", text);
    return () => readBootSettings(file);
  };

  it.for<[string, string, RegExp]>([
    ["nothing", "", /isthmus\.yaml is not right:\n {2}domain: /],
    ["a name that is none", "domain: a\ndatafolder: x", /is not right:\n {2}datafolder: is no setting/],
    ["a port of text", "domain: a\nport: many", /is not right:\n {2}port: .*number/],
    ["two mistakes", "domain: a\nport: 0\nhistoryDays: 0", /\n {2}port: .*\n {2}historyDays: /],
    ["a list", "- a\n- b", /is not right:\n {2}the file: /],
    ["no YAML", "domain: [a", /isthmus\.yaml: .* at line 1, column \d+/],
    ["a time zone that is none", "domain: a\ntimeZone: Mars/Olympus", /timeZone: not a time zone/],
  ])("%s is told with its place", ([, text, said]) => {
    expect(yaml(text)).toThrow(said);
  });

  it("a file that is not there", () => {
    expect(() => readBootSettings(join(folder, "nothing.yaml"))).toThrow(
      /nothing\.yaml cannot be read: there is no such file/,
    );
  });
});

describe("the account", () => {
  it.for<[string, Record<string, unknown>, RegExp]>([
    ["without a password file", { account: "edge" }, /^passwordFile: an account needs the file/],
    [
      "with a password file that is not there",
      { account: "edge", passwordFile: "no" },
      /^passwordFile: .*no cannot be read/,
    ],
    ["a certificate authority that is not there", { caFile: "no" }, /^caFile: .*no cannot be read/],
  ])("%s", async ([, more, said]) => {
    expect(await boot(more)).toMatch(said);
  });

  it("ACC-TLS-01: a certificate authority that is none is told now, not at the broker", async () => {
    write("ca.pem", "hello");
    expect(await boot({ caFile: "ca.pem" })).toMatch(/^caFile: .*ca\.pem holds no certificate \(PEM\)/);
  });

  it.for(['{"user', '{"user":1}', "null", ""])(
    "ACC-IBR-01: account.json with %j is not replaced by a new account",
    async text => {
      mkdirSync(join(folder, "data"));
      writeFileSync(join(folder, "data", "account.json"), text);
      expect(await boot()).toMatch(/account\.json is damaged: put back the last good copy/);
      expect(readFileSync(join(folder, "data", "account.json"), "utf8")).toBe(text);
    },
  );
});

describe("the data folder", () => {
  it("that cannot be made is told", async () => {
    write("file", "");
    expect(await boot({ dataFolder: "file/data" })).toMatch(/^dataFolder: .*file\/data cannot be made \(ENOTDIR\)/);
  });

  it("is made for its owner alone, and holds nothing that others can read", async () => {
    expect(await boot()).toBe("");
    const data = join(folder, "data");
    expect(statSync(data).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(data)) expect.soft(statSync(join(data, name)).mode & 0o077, name).toBe(0);
  });

  it("a damaged store is told, and left as it is", async () => {
    mkdirSync(join(folder, "data"));
    const bytes = Buffer.alloc(100_000, "no database at all ");
    writeFileSync(join(folder, "data", "edge.db"), bytes);
    expect(await boot()).toMatch(/edge\.db is damaged .*put back the last good copy/);
    expect(readFileSync(join(folder, "data", "edge.db"))).toEqual(bytes);
  });

  it("a damaged history costs the history, not the appliance", async () => {
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "data", "history.db"), Buffer.alloc(100_000, "no database at all "));
    expect(await boot()).toBe("");
    expect(logged.map(one => one.event)).toContain("history-set-aside");
    expect(readdirSync(join(folder, "data")).some(name => name.startsWith("history.db.damaged-"))).toBe(true);
  });

  it("belongs to one appliance at a time", async () => {
    const first = openStores(settings(), clock, log);
    expect(await boot()).toMatch(/data is in use by another appliance that is running: stop it/);
    first[Symbol.dispose]();
    expect(await boot()).toBe("");
  });
});

describe("the site file", () => {
  const site = async (text: string): Promise<string> => {
    write("site.yaml", text);
    const said = await boot({ siteFile: "site.yaml" });
    expect(said).toContain(join(folder, "site.yaml"));
    return said;
  };

  it.for<[string, string, RegExp]>([
    ["no YAML", "nodes:\n  - type: sim.meter\n   id: a\n", /at line 3, column 1/],
    ["a key that is none", "nodes:\n  - { type: sim.meter, id: a, setings: {} }", /nodes\.0\.setings: is no setting/],
    ["no id", "nodes:\n  - { type: sim.meter }", /nodes\.0\.id: /],
    ["an unknown node type", "nodes:\n  - { type: sim.moter, id: a }", /a: There is no node type sim\.moter/],
    [
      "a node in the wrong place",
      "nodes:\n  - { type: mbus.meter, id: a, settings: { address: '3' } }",
      /a: A node of type mbus\.meter cannot stand /,
    ],
    [
      "a setting that is wrong",
      "nodes:\n  - { type: sim.line, id: a, nodes: [{ type: sim.meter, id: b, settings: { fields: many } }] }",
      /a\/b: Settings of sim\.meter: fields: /,
    ],
    [
      "a setting that is none",
      "nodes:\n  - { type: sim.line, id: a, nodes: [{ type: sim.meter, id: b, settings: { feilds: 3 } }] }",
      /a\/b: Settings of sim\.meter: feilds: there is no such setting/,
    ],
    [
      "a name used twice",
      "nodes:\n  - { type: sim.meter, id: a }\n  - { type: sim.line, id: b, nodes: [{ type: sim.meter, id: a }] }",
      /b\/a: a is taken/,
    ],
  ])("%s is told with its place, and no node is made", async ([, text, said]) => {
    expect(await site(text)).toMatch(said);
    rmSync(join(folder, "site.yaml"));
    using stores = openStores(settings(), clock, log);
    expect(stores.nodes.load().filter(one => !["site", "board.appliance"].includes(one.type))).toEqual([]);
  });

  it("one that is not there", async () => {
    expect(await boot({ siteFile: "no.yaml" })).toMatch(/no\.yaml cannot be read: there is no such file/);
  });

  it("a second start with the same file makes nothing twice, and keeps what was made before", async () => {
    const text = "nodes:\n  - { type: sim.line, id: a, nodes: [{ type: sim.meter, id: b }] }";
    write("site.yaml", text);
    expect(await boot({ siteFile: "site.yaml" })).toBe("");
    write("site.yaml", text.replace("id: b", "id: c"));
    expect(await boot({ siteFile: "site.yaml" })).toBe("");
    using stores = openStores(settings(), clock, log);
    expect(
      stores.nodes
        .load()
        .map(one => one.ref.nodeId)
        .sort(),
    ).toEqual(["a", "b", "board", "c", "site"]);
  });
});
