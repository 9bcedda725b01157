import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bootSettings, ConfigError, readBootSettings, readSite } from "#config.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (text: string, name = "isthmus.yaml"): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};
const complaint = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return "none";
};
const bootComplaint = (text: string) => complaint(() => readBootSettings(write(text)));

describe("boot settings", () => {
  it("need only the domain; the rest has standards", () => {
    expect(readBootSettings(write("domain: example.org\n"))).toMatchObject({
      domain: "example.org",
      security: "tls",
      accountPrefix: "isthmus",
      dataFolder: join(folder, "data"),
      name: "Isthmus",
      historyDays: 730,
    });
  });

  it("may be JSON, and paths are taken from the folder of the file unless they are whole", () => {
    const text = JSON.stringify({
      domain: "example.org",
      dataFolder: "../state",
      caFile: "/etc/ca.pem",
      siteFile: "s.yaml",
    });
    const settings = readBootSettings(write(text, "isthmus.json"));
    expect(settings.dataFolder).toBe(join(folder, "../state"));
    expect(settings.caFile).toBe("/etc/ca.pem");
    expect(settings.siteFile).toBe(join(folder, "s.yaml"));
    expect("passwordFile" in settings).toBe(false);
  });

  it("a file that cannot be read is named with the reason", () => {
    const nowhere = join(folder, "nowhere.yaml");
    expect(complaint(() => readBootSettings(nowhere))).toBe(`${nowhere} cannot be read: there is no such file`);
    mkdirSync(join(folder, "dir"));
    expect(complaint(() => readBootSettings(join(folder, "dir")))).toMatch(/cannot be read: it is a folder$/);
  });

  it("a file that is no YAML is named with the line", () => {
    const file = join(folder, "isthmus.yaml");
    for (const text of ["domain: example.org\nport: [1\n", "domain: example.org\ndomain: twice\n", "a: b\n c: d\n"]) {
      const said = bootComplaint(text);
      expect(said).toMatch(/isthmus\.yaml: .* at line [123], column \d+/);
      expect(said.startsWith(`${file}: `)).toBe(true);
      expect(said).not.toContain("\n");
    }
    expect(bootComplaint("a: 1\n---\nb: 2\n")).toMatch(/^\S+isthmus\.yaml: .*multiple documents/);
    const aliases = `a: &a [x, x, x, x, x, x, x, x, x, x]\n${[..."bcdefg"].map((name, at) => `${name}: &${name} [${Array(10).fill(`*${"abcdef"[at]}`).join(", ")}]`).join("\n")}\n`;
    expect(bootComplaint(aliases)).toMatch(/^\S+isthmus\.yaml: .*alias/i);
  });

  it.each([
    ["", "domain"],
    ["domain: ''\n", "domain"],
    ["domain: example.org\nbroker: x\n", "broker"],
    ["domain: example.org\nport: '5223'\n", "port"],
    ["domain: example.org\nport: 70000\n", "port"],
    ["domain: example.org\nsecurity: none\n", "security"],
    ["domain: example.org\naccountPrefix: Über\n", "accountPrefix"],
    ["domain: example.org\ntimeZone: Mars/Olympus\n", "timeZone: not a time zone of the IANA database"],
    ["domain: example.org\nhistoryDays: 0\n", "historyDays"],
    ["domain: example.org\nname: [a]\n", "name"],
    ["- domain\n", "the file"],
    ["just text\n", "the file"],
  ])("%j is refused with the file and the setting", (text, setting) => {
    const said = bootComplaint(text).split("\n");
    expect(said[0]).toBe(`${join(folder, "isthmus.yaml")} is not right:`);
    expect(said.slice(1).join("\n")).toContain(setting);
    expect(said.slice(1).every(line => /^ {2}[\w .]+: ./.test(line))).toBe(true);
  });

  it("all faults are told at once", () => {
    expect(bootComplaint("port: 0\nhistoryDays: x\n").split("\n")).toHaveLength(4);
  });

  it("every setting has a title for the form", () => {
    for (const [name, schema] of Object.entries(bootSettings.shape)) {
      expect([name, schema.meta()?.title]).toEqual([name, expect.any(String)]);
    }
  });
});

describe("a site file", () => {
  it("is a tree of nodes", () => {
    const file = write(
      "nodes:\n  - type: mbus.tcp\n    id: attic\n    settings: { host: 10.0.0.5 }\n    nodes:\n      - type: mbus.meter\n        id: heat-3\n        tags: { ROOM: Attic, FLOOR: 3 }\n",
    );
    expect(readSite(file).nodes).toEqual([
      {
        type: "mbus.tcp",
        id: "attic",
        settings: { host: "10.0.0.5" },
        nodes: [{ type: "mbus.meter", id: "heat-3", tags: { ROOM: "Attic", FLOOR: 3 } }],
      },
    ]);
  });

  it.each([
    ["", "nodes"],
    ["nodes: none\n", "nodes"],
    ["nodes:\n  - id: a\n", "nodes.0.type"],
    ["nodes:\n  - type: t\n    id: ''\n", "nodes.0.id"],
    [
      "nodes:\n  - type: t\n    id: a\n    nodes:\n      - type: t\n        id: b\n        setting: {}\n",
      "nodes.0.nodes.0.setting: is no setting",
    ],
    ["nodes:\n  - type: t\n    id: a\n    tags: { A: [1] }\n", "nodes.0.tags.A"],
  ])("%j is refused with the place in it", (text, place) => {
    const said = complaint(() => readSite(write(text)));
    expect(said).toMatch(new RegExp(`is not right:\n {2}${place}`));
  });
});
